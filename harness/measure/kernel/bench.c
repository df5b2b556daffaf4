// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The bench in the kernel: what kmalloc() and kfree() cost, and what
 * pm_malloc_gfp() and pm_free() cost, for the same sequence of operations in
 * the same boot. Loading the module runs it, the kernel's log has the result.
 *
 *	insmod pmalloc_bench.ko [rounds=N] [seed=N]
 *
 *	pair	allocate and free at once, a size that the compiler knows
 *	replace	free one object out of a working set that each CPU has, and
 *		put another of a random size into its place
 *	remote	of each two CPUs one only allocates, and the other frees
 *
 * A case is a number of short rounds, kmalloc's and pmalloc's in turns, so
 * that what disturbs the machine disturbs both. Random numbers are drawn
 * before a round and are the same for both. What counts is cycles in loops
 * that do nothing else; waiting for others is left out. The figure of a round
 * is cycles per operation, all its CPUs together; that of a case is the
 * median of its rounds. An emulated machine's cycles are those of its host's
 * clock: only the ratio of the two figures means something, and even that is
 * the emulator's, to which a call, an atomic operation and a cache miss cost
 * other than they cost a processor.
 *
 * With init_on_alloc=1, which is Debian's default, kmalloc() clears what it
 * returns, and pmalloc does not: boot with init_on_alloc=0 to compare like
 * with like.
 */
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/timex.h>
#include <linux/vmalloc.h>
#include "pipe.h"
#include "pmalloc.h"

#define BENCH_CPUS	4	/* at most */
#define BENCH_STEPS	4096U	/* operations of a round, on each CPU */
#define BENCH_SET	10000U	/* objects of the largest working set */
#define BENCH_MAX_SIZE	1024U	/* of an object of random size */
#define BENCH_ROUNDS	1000U	/* at most */

static unsigned int rounds = 61;
module_param(rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "rounds of each allocator in each case");

static unsigned int seed = 1;
module_param(seed, uint, 0444);
MODULE_PARM_DESC(seed, "seed of all random numbers");

/* Who is asked: a constant wherever an operation is counted. */
enum bench_who { BENCH_KMALLOC, BENCH_PMALLOC, BENCH_BOTH };

/**
 * struct bench_worker - a thread bound to a CPU
 * @task: the thread
 * @start: @run is set
 * @done: @run has returned
 * @run: what to do, NULL ends the thread
 * @who: with which allocator
 * @cycles: what it took
 * @ops: how many operations that were
 * @failed: there was no memory
 * @producer: it is the one who allocates, of two who share @pipe
 * @pipe: between those two
 * @objects: how many of a set are in use
 * @set: the working set of each allocator
 */
struct bench_worker {
	struct task_struct *task;
	struct completion start;
	struct completion done;
	void (*run)(struct bench_worker *w);
	enum bench_who who;
	u64 cycles;
	u64 ops;
	bool failed;
	bool producer;
	struct pm_pipe *pipe;
	unsigned int objects;
	void *set[BENCH_BOTH][BENCH_SET];
};

/**
 * struct bench_case - what is measured
 * @name: for the log
 * @cpus: how many workers
 * @objects: working set of each worker, 0 when there is none
 * @round: what a worker does in a round
 */
struct bench_case {
	const char *name;
	unsigned int cpus;
	unsigned int objects;
	void (*round)(struct bench_worker *w);
};

/* What the next round does, whoever does it. */
static struct {
	u32 place;
	u32 size;
} bench_steps[BENCH_STEPS];

static struct bench_worker *bench_workers[BENCH_CPUS];
static struct pm_pipe bench_pipes[BENCH_CPUS / 2];
static u64 bench_figures[BENCH_BOTH][BENCH_ROUNDS];
static struct rnd_state bench_random;

/* ---- what is counted --------------------------------------------------- */

/* An object that somebody asks for is written to. */
static __always_inline void *bench_get(struct bench_worker *w,
				       enum bench_who who, size_t size)
{
	void *obj;

	if (who == BENCH_KMALLOC)
		obj = kmalloc(size, GFP_KERNEL);
	else
		obj = pm_malloc_gfp(size, GFP_KERNEL);
	if (likely(obj))
		WRITE_ONCE(*(char *)obj, 1);
	else
		w->failed = true;
	return obj;
}

static __always_inline void bench_put(enum bench_who who, void *obj)
{
	if (who == BENCH_KMALLOC)
		kfree(obj);
	else
		pm_free(obj);
}

static __always_inline void bench_pair(struct bench_worker *w,
				       enum bench_who who, size_t size)
{
	cycles_t begin = get_cycles();
	unsigned int i;

	for (i = 0; i < BENCH_STEPS; i++)
		bench_put(who, bench_get(w, who, size));
	w->cycles += get_cycles() - begin;
	w->ops += BENCH_STEPS;
}

static __always_inline void bench_replace(struct bench_worker *w,
					  enum bench_who who, size_t size)
{
	cycles_t begin = get_cycles();
	unsigned int i;
	void **slot;

	for (i = 0; i < BENCH_STEPS; i++) {
		slot = &w->set[who][bench_steps[i].place];
		bench_put(who, *slot);
		*slot = bench_get(w, who, bench_steps[i].size);
	}
	w->cycles += get_cycles() - begin;
	w->ops += BENCH_STEPS;
}

static __always_inline void bench_produce(struct bench_worker *w,
					  enum bench_who who, void **batch,
					  size_t size)
{
	cycles_t begin = get_cycles();
	unsigned int i;

	for (i = 0; i < PM_PIPE_BATCH; i++)
		batch[i] = bench_get(w, who, size);
	w->cycles += get_cycles() - begin;
	w->ops += PM_PIPE_BATCH;
}

/* The operation was counted where the object was made. */
static __always_inline void bench_consume(struct bench_worker *w,
					  enum bench_who who, void **batch)
{
	cycles_t begin = get_cycles();
	unsigned int i;

	for (i = 0; i < PM_PIPE_BATCH; i++)
		bench_put(who, batch[i]);
	w->cycles += get_cycles() - begin;
}

static __always_inline void bench_remote(struct bench_worker *w,
					 enum bench_who who, size_t size)
{
	struct pm_pipe *pipe = w->pipe;
	unsigned int i;

	for (i = 0; i < BENCH_STEPS / PM_PIPE_BATCH; i++) {
		if (w->producer) {
			bench_produce(w, who, pm_pipe_write(pipe, i), size);
			complete(&pipe->ready);
		} else {
			bench_consume(w, who, pm_pipe_read(pipe, i));
			complete(&pipe->room);
		}
	}
}

/* Not counted: a working set appears, and goes. */
static __always_inline void bench_fill(struct bench_worker *w,
				       enum bench_who who, size_t size)
{
	unsigned int i;

	for (i = 0; i < w->objects; i++)
		w->set[who][i] = bench_get(w, who,
					   bench_steps[i % BENCH_STEPS].size);
}

static __always_inline void bench_empty(struct bench_worker *w,
					enum bench_who who, size_t size)
{
	unsigned int i;

	for (i = 0; i < w->objects; i++)
		bench_put(who, w->set[who][i]);
}

/* For each allocator a body of its own. */
#define BENCH_DEFINE(name, body, size)					\
static void name(struct bench_worker *w)				\
{									\
	if (w->who == BENCH_KMALLOC)					\
		body(w, BENCH_KMALLOC, size);				\
	else								\
		body(w, BENCH_PMALLOC, size);				\
}

BENCH_DEFINE(bench_pair_64, bench_pair, 64)
BENCH_DEFINE(bench_pair_1024, bench_pair, 1024)
BENCH_DEFINE(bench_replace_any, bench_replace, 0)
BENCH_DEFINE(bench_remote_64, bench_remote, 64)
BENCH_DEFINE(bench_remote_1024, bench_remote, 1024)
BENCH_DEFINE(bench_fill_any, bench_fill, 0)
BENCH_DEFINE(bench_empty_any, bench_empty, 0)

static const struct bench_case bench_cases[] = {
	{ "pair 64", 1, 0, bench_pair_64 },
	{ "pair 1024", 1, 0, bench_pair_1024 },
	{ "replace 1000", 1, 1000, bench_replace_any },
	{ "replace 10000", 1, BENCH_SET, bench_replace_any },
	{ "pair 64", BENCH_CPUS, 0, bench_pair_64 },
	{ "pair 1024", BENCH_CPUS, 0, bench_pair_1024 },
	{ "replace 1000", BENCH_CPUS, 1000, bench_replace_any },
	{ "replace 10000", BENCH_CPUS, BENCH_SET, bench_replace_any },
	{ "remote 64", BENCH_CPUS, 0, bench_remote_64 },
	{ "remote 1024", BENCH_CPUS, 0, bench_remote_1024 },
};

/* ---- workers ----------------------------------------------------------- */

static int bench_worker_main(void *arg)
{
	struct bench_worker *w = arg;

	for (;;) {
		wait_for_completion(&w->start);
		if (!w->run)
			return 0;
		w->run(w);
		complete(&w->done);
	}
}

static int bench_worker_start(unsigned int number, unsigned int cpu)
{
	struct bench_worker *w = vzalloc(sizeof(*w));
	struct task_struct *task;

	if (!w)
		return -ENOMEM;
	init_completion(&w->start);
	init_completion(&w->done);
	w->producer = !(number % 2);
	w->pipe = &bench_pipes[number / 2];
	task = kthread_create(bench_worker_main, w, "pmalloc_bench/%u", cpu);
	if (IS_ERR(task)) {
		vfree(w);
		return PTR_ERR(task);
	}
	kthread_bind(task, cpu);
	get_task_struct(task);
	w->task = task;
	wake_up_process(task);
	bench_workers[number] = w;
	return 0;
}

/* After kthread_stop() no thread runs in this module's text any more. */
static void bench_worker_stop(struct bench_worker *w)
{
	w->run = NULL;
	complete(&w->start);
	kthread_stop(w->task);
	put_task_struct(w->task);
	vfree(w);
}

/* Let the first @n workers do something, and wait for them. */
static void bench_let(unsigned int n, void (*run)(struct bench_worker *w),
		      enum bench_who who)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		bench_workers[i]->run = run;
		bench_workers[i]->who = who;
		bench_workers[i]->cycles = 0;
		bench_workers[i]->ops = 0;
		complete(&bench_workers[i]->start);
	}
	for (i = 0; i < n; i++)
		wait_for_completion(&bench_workers[i]->done);
}

/* ---- figures ----------------------------------------------------------- */

static int bench_compare(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static u64 bench_median(u64 *figures, unsigned int n)
{
	sort(figures, n, sizeof(*figures), bench_compare, NULL);
	return figures[n / 2];
}

/* Logarithm to base 2 of what is not 0, in 2^-16: one bit per squaring. */
static u64 bench_log2(u64 x)
{
	unsigned int whole = fls64(x) - 1, bit;
	u64 log = whole, m = x << 31 >> whole;

	for (bit = 0; bit < 16; bit++) {
		m = m * m >> 31;
		log = log << 1 | m >> 32;
		m >>= m >> 32;
	}
	return log;
}

/* The number whose logarithm it is, rounded up. */
static u64 bench_exp2(u64 log)
{
	u64 x = 1;

	while (bench_log2(x) < log)
		x++;
	return x;
}

/* ---- rounds and cases -------------------------------------------------- */

static void bench_draw(unsigned int objects)
{
	unsigned int i;

	for (i = 0; i < BENCH_STEPS; i++) {
		bench_steps[i].place = prandom_u32_state(&bench_random) %
				       max(objects, 1U);
		bench_steps[i].size = prandom_u32_state(&bench_random) %
				      BENCH_MAX_SIZE + 1;
	}
}

/* 16 times the cycles that an operation took. */
static u64 bench_round(const struct bench_case *c, unsigned int n,
		       enum bench_who who)
{
	u64 cycles = 0, ops = 0;
	unsigned int i;

	bench_let(n, c->round, who);
	for (i = 0; i < n; i++) {
		cycles += bench_workers[i]->cycles;
		ops += bench_workers[i]->ops;
	}
	return cycles * 16 / ops;
}

static void bench_sets(unsigned int n, void (*run)(struct bench_worker *w))
{
	bench_let(n, run, BENCH_KMALLOC);
	bench_let(n, run, BENCH_PMALLOC);
}

/*
 * The first round of each is for finding one's feet and does not count.
 * Returns the ratio in thousandths, or 0 when there was no memory.
 */
static u64 bench_one(const struct bench_case *c, unsigned int n)
{
	u64 kmalloc_cost, pmalloc_cost, ratio;
	bool failed = false;
	unsigned int i;

	bench_draw(c->objects);
	for (i = 0; i < n; i++) {
		bench_workers[i]->objects = c->objects;
		bench_workers[i]->failed = false;
	}
	bench_sets(n, bench_fill_any);
	bench_sets(n, c->round);
	for (i = 0; i < rounds; i++) {
		enum bench_who first = i % 2 ? BENCH_PMALLOC : BENCH_KMALLOC;

		bench_draw(c->objects);
		bench_figures[first][i] = bench_round(c, n, first);
		bench_figures[!first][i] = bench_round(c, n, !first);
	}
	bench_sets(n, bench_empty_any);
	for (i = 0; i < n; i++)
		failed |= bench_workers[i]->failed;
	kmalloc_cost = bench_median(bench_figures[BENCH_KMALLOC], rounds);
	pmalloc_cost = bench_median(bench_figures[BENCH_PMALLOC], rounds);
	if (failed || !kmalloc_cost || !pmalloc_cost) {
		pr_warn("pmalloc_bench: %s %ucpu FAILED\n", c->name, n);
		return 0;
	}
	ratio = max(pmalloc_cost * 1000 / kmalloc_cost, 1ULL);
	pr_info("pmalloc_bench: %s %ucpu ratio %llu.%02llu (cycles: kmalloc %llu, pmalloc %llu)\n",
		c->name, n, (ratio + 5) / 1000, (ratio + 5) % 1000 / 10,
		kmalloc_cost / 16, pmalloc_cost / 16);
	return ratio;
}

static int bench_all(unsigned int workers)
{
	unsigned int i, n = 0;
	u64 logs = 0, ratio;

	pr_info("pmalloc_bench: %u rounds, %u CPUs, kmalloc %s\n", rounds,
		workers, want_init_on_alloc(GFP_KERNEL) ?
		"clears objects" : "does not clear objects");
	for (i = 0; i < ARRAY_SIZE(bench_cases); i++) {
		if (bench_cases[i].cpus > workers) {
			pr_info("pmalloc_bench: %s needs %u CPUs\n",
				bench_cases[i].name, bench_cases[i].cpus);
			continue;
		}
		ratio = bench_one(&bench_cases[i], bench_cases[i].cpus);
		if (!ratio)
			return -ENOMEM;
		logs += bench_log2(ratio);
		n++;
	}
	ratio = bench_exp2(logs / n);
	pr_info("pmalloc_bench: geomean %llu.%02llu\n", (ratio + 5) / 1000,
		(ratio + 5) % 1000 / 10);
	return 0;
}

static int __init bench_init(void)
{
	unsigned int cpu, n = 0, i;
	int err = 0;

	rounds = clamp(rounds, 1U, BENCH_ROUNDS);
	prandom_seed_state(&bench_random, seed);
	for (i = 0; i < ARRAY_SIZE(bench_pipes); i++)
		pm_pipe_init(&bench_pipes[i]);
	/* A CPU that has a worker shall not go. */
	cpus_read_lock();
	for_each_online_cpu(cpu) {
		if (n == BENCH_CPUS)
			break;
		err = bench_worker_start(n, cpu);
		if (err)
			break;
		n++;
	}
	if (!err)
		err = bench_all(n);
	for (i = 0; i < n; i++)
		bench_worker_stop(bench_workers[i]);
	cpus_read_unlock();
	return err;
}
module_init(bench_init);

/* Nothing to undo, but without it the module could not be unloaded. */
static void __exit bench_exit(void)
{
}
module_exit(bench_exit);

MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("bench of pmalloc against kmalloc");
