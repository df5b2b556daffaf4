// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What comes between allocations now and then: somebody wants all free memory
 * back, an arena is retired, the process forks. Every thread replaces objects of
 * a set of its own; the first one does the other thing after each chunk of
 * operations. Those calls are what is timed, and nothing else.
 */
#define _GNU_SOURCE
#include "bench.h"

#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_OBJECTS 1000
#define CHILD_SECONDS 10

/* Not there when the program runs on another malloc. */
int pm_arena_retire(unsigned int cpu) __attribute__((weak));

static void trim(struct worker *worker)
{
	(void)worker;
	malloc_trim(0);
}

/* One CPU's arena after the other; the last one that is left stays. */
static void retire(struct worker *worker)
{
	static unsigned int next;

	(void)worker;
	if (!pm_arena_retire)
		die("this malloc has no pm_arena_retire()");
	pm_arena_retire(next++ % sysconf(_SC_NPROCESSORS_CONF));
}

/* A child that hangs is ended by the alarm. */
static void allocate_and_exit(const struct run *run)
{
	void *object[CHILD_OBJECTS];

	alarm(CHILD_SECONDS);
	for (size_t i = 0; i < CHILD_OBJECTS; i++)
		object[i] = touch(malloc(pick_size(run, i)), 1);
	for (size_t i = 0; i < CHILD_OBJECTS; i++)
		free(object[i]);
	_exit(0);
}

static pid_t fork_child(struct worker *worker)
{
	pid_t child = fork();

	if (!child)
		allocate_and_exit(worker->run);
	if (child < 0)
		die("fork");
	return child;
}

static void wait_for(struct worker *worker, pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) != child || status)
		worker->wrong++;
}

static void timed(struct worker *worker, void (*call)(struct worker *worker))
{
	uint64_t ticks = ticks_before();

	call(worker);
	latency_add(worker->latency, ticks_after() - ticks);
}

/* Of a fork the parent's part is timed, and not the child's life. */
static void timed_fork(struct worker *worker)
{
	uint64_t ticks = ticks_before();
	pid_t child = fork_child(worker);

	latency_add(worker->latency, ticks_after() - ticks);
	wait_for(worker, child);
}

static void timed_trim(struct worker *worker)
{
	timed(worker, trim);
}

static void timed_retire(struct worker *worker)
{
	timed(worker, retire);
}

/* The set is filled first; emptying it is part of the work, as in replace. */
static void between(struct worker *worker, void (*act)(struct worker *worker))
{
	const struct run *run = worker->run;
	size_t slots = slots_per_worker(run);
	void **slot = worker->own;
	uint64_t until = run->par.chunk;

	for (uint64_t i = 0; i < worker->ops; i++) {
		uint64_t random = prng_next(&worker->rng);
		size_t size = pick_size(run, random);
		void **s = &slot[prng_below(random, slots)];

		free(*s);
		*s = touch(malloc(size), size);
		if (!worker->id && i == until) {
			act(worker);
			until += run->par.chunk;
		}
	}
	for (size_t i = 0; i < slots; i++)
		free(slot[i]);
}

static void trim_work(struct worker *worker)
{
	between(worker, timed_trim);
}

static void retire_work(struct worker *worker)
{
	between(worker, timed_retire);
}

static void fork_work(struct worker *worker)
{
	between(worker, timed_fork);
}

const struct workload trim_workload = {
	.name = "trim",
	.what = "replace, and one thread calls malloc_trim() now and then; an operation is a malloc and a free",
	.defaults = { .threads = 2, .ops = 1000000, .min = 16, .max = 256,
		      .set = 2000, .chunk = 10000 },
	.work = trim_work,
	.own_bytes = own_slots,
};

const struct workload retire_workload = {
	.name = "retire",
	.what = "replace, and one thread retires arenas now and then; an operation is a malloc and a free",
	.defaults = { .threads = 2, .ops = 1000000, .min = 16, .max = 256,
		      .set = 2000, .chunk = 10000 },
	.work = retire_work,
	.own_bytes = own_slots,
};

const struct workload fork_workload = {
	.name = "fork",
	.what = "replace, and one thread forks now and then; an operation is a malloc and a free",
	.defaults = { .threads = 2, .ops = 1000000, .min = 16, .max = 256,
		      .set = 2000, .chunk = 10000 },
	.work = fork_work,
	.own_bytes = own_slots,
};
