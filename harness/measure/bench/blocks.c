// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Replacement of random blocks, asked for in other ways than by a small
 * malloc.
 *
 *   large	tens of KiB to megabytes, a byte of each page written
 *   aligned	posix_memalign() with alignments from 32 to 4096
 *   calloc	zeroed
 *
 * A block that is not aligned or not zeroed is counted, and the run goes on:
 * mimalloc 2.0.9 misaligns blocks whose size is their alignment (its issue
 * 700), and that should not take it out of the comparison.
 */
#include "bench.h"

static void *large_take(struct worker *worker, uint64_t random)
{
	size_t size = pick_size(worker->run, random);
	volatile char *block = sampled_malloc(worker, size);

	for (size_t i = 0; i < size; i += 4096)
		block[i] = 1;
	return (void *)block;
}

static void *aligned_take(struct worker *worker, uint64_t random)
{
	size_t size = pick_size(worker->run, random);
	size_t align = 32UL << ((random >> 10) % 8);
	void *block;
	int err;

	SAMPLED(worker, err = posix_memalign(&block, align, size));
	if (err)
		die("out of memory");
	worker->wrong += !!((uintptr_t)block % align);
	return touch(block, size);
}

static void *calloc_take(struct worker *worker, uint64_t random)
{
	size_t size = pick_size(worker->run, random);
	char *block;

	SAMPLED(worker, block = calloc(1, size));
	if (!block)
		die("out of memory");
	worker->wrong += !!(block[0] | block[size / 2] | block[size - 1]);
	return touch(block, size);
}

static inline void blocks_work(struct worker *worker,
			       void *(*take)(struct worker *, uint64_t))
{
	size_t slots = slots_per_worker(worker->run);
	void **slot = worker->own;

	for (uint64_t i = 0; i < worker->ops; i++) {
		uint64_t random = prng_next(&worker->rng);
		void **s = &slot[prng_below(random, slots)];

		if (*s)
			sampled_free(worker, *s);
		*s = take(worker, random);
	}
	rendezvous(worker);
	for (size_t i = 0; i < slots; i++)
		if (slot[i])
			sampled_free(worker, slot[i]);
}

static void large_work(struct worker *worker)
{
	blocks_work(worker, large_take);
}

const struct workload large_workload = {
	.name = "large",
	.what = "blocks of 32 KiB to 4 MiB, one byte per page written; an operation is free and malloc",
	.defaults = { .ops = 2000, .min = 32 << 10, .max = 4 << 20, .set = 64 },
	.work = large_work,
	.time_all = true,
	.own_bytes = own_slots,
};

static void aligned_work(struct worker *worker)
{
	blocks_work(worker, aligned_take);
}

const struct workload aligned_workload = {
	.name = "aligned",
	.what = "aligned blocks; an operation is free and posix_memalign",
	.defaults = { .ops = 500000, .min = 16, .max = 4096, .set = 2000 },
	.work = aligned_work,
	.own_bytes = own_slots,
};

static void calloc_work(struct worker *worker)
{
	blocks_work(worker, calloc_take);
}

const struct workload calloc_workload = {
	.name = "calloc",
	.what = "zeroed blocks; an operation is free and calloc",
	.defaults = { .ops = 500000, .min = 16, .max = 16384, .set = 2000 },
	.work = calloc_work,
	.own_bytes = own_slots,
};
