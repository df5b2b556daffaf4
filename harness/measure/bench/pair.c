// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The smallest loop: allocate, write, free, again. With one size it stays in
 * the fastest path that an allocator has.
 */
#include "bench.h"

static void pair_work(struct worker *worker)
{
	const struct run *run = worker->run;

	for (uint64_t i = 0; i < worker->ops; i++) {
		size_t size = run->sizes[i % SIZE_TABLE];

		sampled_free(worker, sampled_malloc(worker, size));
	}
}

const struct workload pair_workload = {
	.name = "pair",
	.what = "malloc and free at once; an operation is a pair",
	.defaults = { .ops = 2000000, .min = 64, .max = 64 },
	.work = pair_work,
};
