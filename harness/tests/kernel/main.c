// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The suites as a module: loading it runs them, the kernel's log has the
 * result. It loads whatever that is, for the log is what counts.
 *
 *	insmod pmalloc_test.ko [suite=NAME] [seed=N] [seconds=N]
 *	insmod pmalloc_test.ko forget=1		run none, and forget two objects
 *	insmod pmalloc_test.ko fragment=1	run none, but see what is to be had
 *						when all memory is in pieces
 *	insmod pmalloc_test.ko hold=1		run none, but wait for orders: see knobs.c
 *
 * pmalloc.ko should have been loaded with more arenas than CPUs, or CPUs
 * that go away would retire arenas that tests look at.
 */
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/irq_work.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched/task.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>
#include "back/heap.h"
#include "knobs.h"
#include "pm_test.h"

static char *suite;
module_param(suite, charp, 0444);
MODULE_PARM_DESC(suite, "name of the only suite to run");

static unsigned long seed;
module_param(seed, ulong, 0444);
MODULE_PARM_DESC(seed, "seed of all random numbers, 0 makes one");

static unsigned int seconds = 1;
module_param(seconds, uint, 0444);
MODULE_PARM_DESC(seconds, "how long each case without an end of its own runs");

static bool forget;
module_param(forget, bool, 0444);
MODULE_PARM_DESC(forget, "run no suite, but allocate two objects and forget them");

static bool fragment;
module_param(fragment, bool, 0444);
MODULE_PARM_DESC(fragment, "run no suite, but allocate while all free memory is in pieces");

static bool hold;
module_param(hold, bool, 0444);
MODULE_PARM_DESC(hold, "run no suite, but allocate and free as debugfs pmalloc_test/hold says");

/* ---- threads ----------------------------------------------------------- */

static int thread_main(void *arg)
{
	struct pm_thread *thread = arg;

	thread->fn(thread->arg);
	complete(&thread->done);
	return 0;
}

bool pm_thread_start(struct pm_thread *thread, void (*fn)(void *), void *arg)
{
	thread->fn = fn;
	thread->arg = arg;
	init_completion(&thread->done);
	thread->task = kthread_create(thread_main, thread, "pmalloc_test");
	if (IS_ERR(thread->task))
		return false;
	get_task_struct(thread->task);
	wake_up_process(thread->task);
	return true;
}

/* After kthread_stop() no thread runs in this module's text any more. */
void pm_thread_join(struct pm_thread *thread)
{
	wait_for_completion(&thread->done);
	kthread_stop(thread->task);
	put_task_struct(thread->task);
}

void pm_event_init(struct pm_event *event)
{
	init_completion(&event->set);
}

void pm_event_set(struct pm_event *event)
{
	complete_all(&event->set);
}

void pm_event_wait(struct pm_event *event)
{
	wait_for_completion(&event->set);
}

unsigned int pm_test_cpus(void)
{
	return num_online_cpus();
}

/* A CPU may go at any time; then the thread runs where it may. */
void pm_test_pin(unsigned int n)
{
	unsigned int cpu;

	n %= num_online_cpus();
	for_each_online_cpu(cpu)
		if (!n--) {
			set_cpus_allowed_ptr(current, cpumask_of(cpu));
			return;
		}
}

void pm_test_unpin(void)
{
	set_cpus_allowed_ptr(current, cpu_possible_mask);
}

/* A long loop does not keep others from running. */
void pm_test_yield(void)
{
	cond_resched();
}

/* A waiting loop lets others run. */
void pm_test_pause(void)
{
	usleep_range(20, 100);
}

void pm_test_sleep_ms(unsigned int ms)
{
	msleep(ms);
}

/* ---- contexts that may not sleep ---------------------------------------- */

struct context_call {
	struct irq_work work;
	void (*fn)(void *arg);
	void *arg;
};

static void context_interrupt(struct irq_work *work)
{
	struct context_call *call = container_of(work, struct context_call, work);

	call->fn(call->arg);
}

void pm_test_in_context(unsigned int context, void (*fn)(void *arg), void *arg)
{
	static DEFINE_RAW_SPINLOCK(lock);
	struct context_call call = {
		.work = IRQ_WORK_INIT_HARD(context_interrupt),
		.fn = fn,
		.arg = arg,
	};
	unsigned long flags;

	switch (context) {
	case 0:
		raw_spin_lock_irqsave(&lock, flags);
		fn(arg);
		raw_spin_unlock_irqrestore(&lock, flags);
		break;
	case 1:
		rcu_read_lock();
		fn(arg);
		rcu_read_unlock();
		break;
	default:
		irq_work_queue(&call.work);
		irq_work_sync(&call.work);
		break;
	}
}

/* ---- memory and output ------------------------------------------------- */

void *pm_test_zalloc(size_t size)
{
	return vzalloc(size);
}

void pm_test_release(void *p, size_t size)
{
	vfree(p);
}

void pm_test_print(const char *line)
{
	printk(KERN_INFO "%s\n", line);
}

/*
 * Do what must not be done. The allocator is expected to warn once and go
 * on; scripts/vm counts the warnings between the two lines.
 */
void pm_test_misuse(struct pm_test *t, void (*fn)(void *arg), void *arg,
		    const char *expected)
{
	pm_test_say("pmalloc_test: expect-warn begin");
	fn(arg);
	pm_test_say("pmalloc_test: expect-warn end 1");
}

/* ---- module ------------------------------------------------------------ */

/* A small one and a large one, for the allocator to find when it goes. */
static int __init pmalloc_test_forget(void)
{
	return pm_malloc(100) && pm_malloc(1 << 20) ? 0 : -ENOMEM;
}

/* ---- memory in pieces -------------------------------------------------- */

#define PIECE_ORDER	2	/* a slab of the small classes */
#define PIECE_LONG_ORDER 10	/* as long as blocks get */
/* More than what the kernel finds in one piece when it looks for memory. */
#define PIECE_OBJECTS	100000
#define PIECE_SIZE	200

static void __init pieces_take(struct list_head *kept, unsigned int order)
{
	struct page *page;

	while ((page = alloc_pages(GFP_NOWAIT | __GFP_NOWARN, order))) {
		set_page_private(page, order);
		list_add_tail(&page->lru, kept);
	}
}

/* Give all of them back, or every second one. */
static void __init pieces_give(struct list_head *kept, unsigned int step)
{
	struct page *page, *next;
	unsigned int n = 0;

	list_for_each_entry_safe(page, next, kept, lru) {
		if (++n % step)
			continue;
		list_del(&page->lru);
		__free_pages(page, page_private(page));
	}
}

/*
 * Take all there is in pieces, and give every second one back; then there is
 * memory enough again for the longer blocks that were left as a reserve, and
 * those are taken, too.
 */
static void __init pieces_make(struct list_head *kept)
{
	unsigned int order;

	pieces_take(kept, PIECE_ORDER);
	pieces_give(kept, 2);
	for (order = PIECE_LONG_ORDER; order > PIECE_ORDER; order--)
		pieces_take(kept, order);
}

/*
 * The small classes must be served; and by heaps that are shorter than usual,
 * or memory was not in pieces and this shows nothing.
 */
static int __init pmalloc_test_fragment(void)
{
	void **objs = vzalloc(PIECE_OBJECTS * sizeof(*objs));
	struct pm_totals totals;
	unsigned int i, got = 0;
	LIST_HEAD(kept);

	if (!objs)
		return -ENOMEM;
	pieces_make(&kept);
	for (i = 0; i < PIECE_OBJECTS; i++) {
		objs[i] = pm_malloc(PIECE_SIZE);
		got += objs[i] != NULL;
	}
	pieces_give(&kept, 1);
	pm_get_totals(&totals);
	for (i = 0; i < PIECE_OBJECTS; i++)
		pm_free(objs[i]);
	vfree(objs);
	pr_info("pmalloc_test: in pieces: %u of %u objects, in %zu heaps of %zu KiB\n",
		got, PIECE_OBJECTS, totals.heaps, totals.mapped >> 10);
	if (got < PIECE_OBJECTS)
		return -ENOMEM;
	return totals.mapped < totals.heaps * PM_HEAP_SIZE ? 0 : -ERANGE;
}

static int __init pmalloc_test_init(void)
{
	struct pm_test_options opt = {
		.suite = suite,
		.seed = seed ? seed : ktime_get_real_ns(),
		.seconds = seconds,
	};
	unsigned int failed;

	if (forget)
		return pmalloc_test_forget();
	if (fragment)
		return pmalloc_test_fragment();
	if (hold) {
		knobs_init();
		return 0;
	}
	failed = pm_test_run(&opt);
	if (failed)
		pm_test_say("# %u cases failed", failed);
	return 0;
}
module_init(pmalloc_test_init);

/* Mostly nothing to undo, but without it the module could not be unloaded. */
static void __exit pmalloc_test_exit(void)
{
	if (hold)
		knobs_exit();
}
module_exit(pmalloc_test_exit);

MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("test suites of pmalloc");
MODULE_IMPORT_NS(PMALLOC_TEST);
