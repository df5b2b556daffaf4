// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Replace: a working set of objects of random sizes, of which a random one
 * is freed and replaced at each step. The order of frees has nothing to do
 * with the order of allocations, and a large set does not fit any cache.
 *
 * The first operations fill the set, and emptying it is part of the work.
 */
#include "bench.h"

static void replace_work(struct worker *worker)
{
	struct run *run = worker->run;
	size_t slots = slots_per_worker(run);
	void **slot = worker->own;

	if (slots > worker->ops)
		slots = worker->ops;
	for (size_t i = 0; i < slots; i++)
		slot[i] = sampled_malloc(worker,
					 pick_size(run, prng_next(&worker->rng)));
	for (uint64_t i = slots; i < worker->ops; i++) {
		uint64_t random = prng_next(&worker->rng);
		void **s = &slot[prng_below(random, slots)];

		sampled_free(worker, *s);
		*s = sampled_malloc(worker, pick_size(run, random));
	}
	rendezvous(worker);
	for (size_t i = 0; i < slots; i++)
		sampled_free(worker, slot[i]);
}

const struct workload replace_workload = {
	.name = "replace",
	.what = "free a random object of a set, allocate another; an operation is a malloc and a free",
	.defaults = { .ops = 1000000, .min = 16, .max = 1024, .set = 10000 },
	.work = replace_work,
	.own_bytes = own_slots,
};
