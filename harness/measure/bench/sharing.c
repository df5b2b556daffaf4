// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * False sharing, after Hoard's cache-scratch and cache-thrash: each thread
 * writes to its own small object many times, frees it and takes another. An
 * allocator that gives objects of one cache line to two threads makes both
 * slow.
 *
 *   thrash	the threads allocate all objects themselves (active sharing)
 *   scratch	the first objects come from the main thread, next to each
 *		other; a thread that frees one and gets it back inherits the
 *		sharing (passive sharing)
 */
#include "bench.h"

static void write_often(char *object, size_t size, size_t times)
{
	volatile char *p = object;

	for (size_t i = 0; i < times; i++)
		for (size_t k = 0; k < size; k++)
			p[k]++;
}

static void thrash_work(struct worker *worker)
{
	const struct run *run = worker->run;
	size_t size = run->par.min;

	for (uint64_t i = 0; i < worker->ops; i++) {
		char *object = sampled_malloc(worker, size);

		write_often(object, size, run->par.chunk);
		sampled_free(worker, object);
	}
}

const struct workload thrash_workload = {
	.name = "thrash",
	.what = "write to own small objects (active false sharing); an operation is an object",
	.defaults = { .ops = 100000, .min = 8, .max = 8, .threads = 2,
		      .chunk = 100 },
	.work = thrash_work,
};

static void scratch_prepare(struct run *run)
{
	void **objects = pages(run->par.threads * sizeof(*objects));

	for (unsigned int i = 0; i < run->par.threads; i++)
		objects[i] = touch(malloc(run->par.min), run->par.min);
	run->shared = objects;
}

static void scratch_work(struct worker *worker)
{
	void **objects = worker->run->shared;

	free(objects[worker->id]);
	thrash_work(worker);
}

const struct workload scratch_workload = {
	.name = "scratch",
	.what = "the same after freeing an object next to others' (passive false sharing)",
	.defaults = { .ops = 100000, .min = 8, .max = 8, .threads = 2,
		      .chunk = 100 },
	.prepare = scratch_prepare,
	.work = scratch_work,
};
