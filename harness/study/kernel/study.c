// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The contention study in the kernel: threads that make work for the arenas'
 * locks, so that somebody can count what happens there. Loading the module
 * does one run; it loads when the run went well.
 *
 *	insmod pmalloc_study.ko workload=NAME [threads=N] [ops=N] [length=N]
 *
 *	set	each thread has a small working set and replaces random
 *		objects of it by others of a random size: a magazine's best case
 *	runs	each thread allocates @length objects of one size and then
 *		frees them all: runs longer than a magazine need the depot,
 *		and runs longer than that the slabs
 *	channel	of each two threads one only allocates, and the other frees
 *		what it is handed
 *	exchange all threads put objects into shared places and free what they
 *		find there: nearly every object is freed on another CPU than it
 *		comes from, and in no order
 *
 * Threads are bound to CPUs, in turn, so that those who share a CPU are as many
 * as there are too many. Where they were free to move, two could meet on a CPU
 * by chance while another was idle; then one of them is preempted with a lock
 * held, and the other finds it busy some thousand times: a count of the
 * scheduler's luck. Before the run each thread allocates once, one after the
 * other. Otherwise the first magazines are all made at the same moment, and
 * whoever finds another at it takes the lock instead, for as long as that
 * lasts: on an emulated machine, thousands of times.
 *
 * An operation is one allocation and the free of one object. What happened
 * is in the allocator's own figures and in its tracepoints; only counts are
 * of use, for the time of an emulated machine is no time.
 */
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/vmalloc.h>
#include "pipe.h"
#include "pmalloc.h"

#define STUDY_THREADS	64U	/* at most */
#define STUDY_LENGTH	65536U	/* of a run, at most */
#define STUDY_SET	64U	/* objects of a working set */
#define STUDY_SHARED	1024U	/* places that all threads share */
#define STUDY_MAX_SIZE	512U	/* of an object of random size */
#define STUDY_SIZE	64U	/* of the others */
#define STUDY_BREATH	64U	/* operations between looks at the scheduler */

static char *workload = "set";
module_param(workload, charp, 0444);
MODULE_PARM_DESC(workload, "set, runs, channel or exchange");

static unsigned int threads = 8;
module_param(threads, uint, 0444);
MODULE_PARM_DESC(threads, "number of threads; channel wants an even one");

static unsigned long ops = 131072;
module_param(ops, ulong, 0444);
MODULE_PARM_DESC(ops, "operations of all threads together; afterwards: how many there were");

static unsigned int length = 1000;
module_param(length, uint, 0444);
MODULE_PARM_DESC(length, "objects of a run");

static unsigned int seed = 1;
module_param(seed, uint, 0444);
MODULE_PARM_DESC(seed, "seed of all random numbers");

/**
 * struct study_worker - a thread
 * @task: the thread
 * @ready: it has a magazine, and waits for the others
 * @done: it has done its part
 * @number: which of the threads it is
 * @ops: operations: in, how many it shall do; out, how many it did
 * @failed: there was no memory
 * @random: its random numbers
 * @object: what it holds: @length for runs, a working set for set
 */
struct study_worker {
	struct task_struct *task;
	struct completion ready;
	struct completion done;
	unsigned int number;
	unsigned long ops;
	bool failed;
	struct rnd_state random;
	void *object[];
};

/**
 * struct study_workload - what the threads do
 * @name: name
 * @run: a thread's part
 * @pairs: threads come in pairs
 */
struct study_workload {
	const char *name;
	void (*run)(struct study_worker *w);
	bool pairs;
};

static struct study_worker *study_workers[STUDY_THREADS];
static struct pm_pipe *study_pipes;
static void *study_shared[STUDY_SHARED];
static DECLARE_COMPLETION(study_go);

/* ---- workloads --------------------------------------------------------- */

/* An object that somebody asks for is written to. */
static void *study_get(struct study_worker *w, size_t size)
{
	void *obj = pm_malloc(size);

	if (likely(obj))
		WRITE_ONCE(*(char *)obj, 1);
	else
		w->failed = true;
	return obj;
}

static unsigned int study_random(struct study_worker *w, unsigned int below)
{
	return prandom_u32_state(&w->random) % below;
}

static void study_free_all(void **object, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		pm_free(object[i]);
		object[i] = NULL;
	}
}

static void study_set(struct study_worker *w)
{
	unsigned long i;
	void **slot;

	for (i = 0; i < w->ops; i++) {
		slot = &w->object[study_random(w, STUDY_SET)];
		pm_free(*slot);
		*slot = study_get(w, 1 + study_random(w, STUDY_MAX_SIZE));
		if (!(i % STUDY_BREATH))
			cond_resched();
	}
	study_free_all(w->object, STUDY_SET);
}

static void study_runs(struct study_worker *w)
{
	unsigned long done;
	unsigned int i;

	for (done = 0; done < w->ops; done += length) {
		for (i = 0; i < length; i++)
			w->object[i] = study_get(w, STUDY_SIZE);
		study_free_all(w->object, length);
		cond_resched();
	}
	w->ops = done;
}

static void study_produce(struct study_worker *w, struct pm_pipe *pipe)
{
	unsigned long done;
	unsigned int i;
	void **batch;

	for (done = 0; done < w->ops; done += PM_PIPE_BATCH) {
		batch = pm_pipe_write(pipe, done / PM_PIPE_BATCH);
		for (i = 0; i < PM_PIPE_BATCH; i++)
			batch[i] = study_get(w, STUDY_SIZE);
		complete(&pipe->ready);
	}
	w->ops = done;
}

static void study_consume(struct study_worker *w, struct pm_pipe *pipe)
{
	unsigned long done;

	for (done = 0; done < w->ops; done += PM_PIPE_BATCH) {
		study_free_all(pm_pipe_read(pipe, done / PM_PIPE_BATCH),
			       PM_PIPE_BATCH);
		complete(&pipe->room);
	}
	/* The operation was counted where the object was made. */
	w->ops = 0;
}

static void study_channel(struct study_worker *w)
{
	struct pm_pipe *pipe = &study_pipes[w->number / 2];

	/* Both do as much as the two would do with one object each. */
	w->ops *= 2;
	if (w->number % 2)
		study_consume(w, pipe);
	else
		study_produce(w, pipe);
}

static void study_exchange(struct study_worker *w)
{
	unsigned long i;
	void *obj;

	for (i = 0; i < w->ops; i++) {
		obj = study_get(w, 1 + study_random(w, STUDY_MAX_SIZE));
		/* Full barrier: the object is whole before others find it. */
		pm_free(xchg(&study_shared[study_random(w, STUDY_SHARED)],
			     obj));
		if (!(i % STUDY_BREATH))
			cond_resched();
	}
}

static const struct study_workload study_workloads[] = {
	{ "set", study_set },
	{ "runs", study_runs },
	{ "channel", study_channel, .pairs = true },
	{ "exchange", study_exchange },
};

static const struct study_workload *study_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(study_workloads); i++)
		if (!strcmp(study_workloads[i].name, name))
			return &study_workloads[i];
	return NULL;
}

/* ---- threads ----------------------------------------------------------- */

static const struct study_workload *study_chosen;

static int study_main(void *arg)
{
	struct study_worker *w = arg;

	pm_free(study_get(w, STUDY_SIZE));
	complete(&w->ready);
	wait_for_completion(&study_go);
	study_chosen->run(w);
	complete(&w->done);
	return 0;
}

static int study_start(unsigned int number)
{
	unsigned int slots = max(length, STUDY_SET);
	struct study_worker *w;
	int err;

	w = vzalloc(struct_size(w, object, slots));
	if (!w)
		return -ENOMEM;
	init_completion(&w->ready);
	init_completion(&w->done);
	w->number = number;
	w->ops = DIV_ROUND_UP(ops, threads);
	prandom_seed_state(&w->random, seed + number);
	w->task = kthread_create(study_main, w, "pmalloc_study/%u", number);
	if (IS_ERR(w->task)) {
		err = PTR_ERR(w->task);
		vfree(w);
		return err;
	}
	kthread_bind(w->task, cpumask_nth(number % num_online_cpus(),
					  cpu_online_mask));
	get_task_struct(w->task);
	study_workers[number] = w;
	wake_up_process(w->task);
	wait_for_completion(&w->ready);
	return 0;
}

/*
 * After kthread_stop() no thread runs in this module's text any more.
 * Return: whether it did all that it was told.
 */
static bool study_stop(struct study_worker *w)
{
	bool well;

	wait_for_completion(&w->done);
	kthread_stop(w->task);
	put_task_struct(w->task);
	well = !w->failed;
	ops += w->ops;
	vfree(w);
	return well;
}

static int study_run(void)
{
	unsigned int i, started;
	bool well = true;
	int err = 0;

	/* The CPU that a thread is bound to shall not go. */
	cpus_read_lock();
	for (started = 0; started < threads && !err; started++)
		err = study_start(started);
	started -= err != 0;
	if (err)
		for (i = 0; i < started; i++)
			study_workers[i]->ops = 0;
	ops = 0;
	complete_all(&study_go);
	for (i = 0; i < started; i++)
		well &= study_stop(study_workers[i]);
	cpus_read_unlock();
	study_free_all(study_shared, STUDY_SHARED);
	return err ? err : well ? 0 : -ENOMEM;
}

/* ---- module ------------------------------------------------------------ */

static int __init study_init(void)
{
	unsigned int i;
	int err;

	study_chosen = study_find(workload);
	if (!study_chosen) {
		pr_err("pmalloc_study: no workload \"%s\"; there are set, runs, channel, exchange\n",
		       workload);
		return -EINVAL;
	}
	if (!threads || threads > STUDY_THREADS || !length ||
	    length > STUDY_LENGTH || (study_chosen->pairs && threads % 2)) {
		pr_err("pmalloc_study: threads must be 1 to %u, even for channel; length 1 to %u\n",
		       STUDY_THREADS, STUDY_LENGTH);
		return -EINVAL;
	}
	study_pipes = vzalloc(sizeof(*study_pipes) * STUDY_THREADS / 2);
	if (!study_pipes)
		return -ENOMEM;
	for (i = 0; i < STUDY_THREADS / 2; i++)
		pm_pipe_init(&study_pipes[i]);
	err = study_run();
	vfree(study_pipes);
	if (err)
		pr_err("pmalloc_study: %s with %u threads: error %d\n",
		       workload, threads, err);
	return err;
}
module_init(study_init);

/* Nothing to undo, but without it the module could not be unloaded. */
static void __exit study_exit(void)
{
}
module_exit(study_exit);

MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("contention study of pmalloc");
