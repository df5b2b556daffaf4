// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Runs: allocate a whole set, then free it, again and again. A set far larger
 * than any cache of free objects shows what lies behind the caches. The set
 * is freed newest first (lifo), oldest first (fifo) or in random order
 * (shuffled).
 *
 * The threads meet where memory is at its fullest, once in so many runs as
 * the parameter chunk says: with short runs the meetings would be what is
 * measured.
 */
#include "bench.h"

enum order { LIFO, FIFO, SHUFFLED };

static void shuffle(struct prng *rng, void **object, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		size_t j = prng_below(prng_next(rng), i);
		void *p = object[i - 1];

		object[i - 1] = object[j];
		object[j] = p;
	}
}

static void one_run(struct worker *worker, void **object, size_t n,
		    enum order order, bool meet)
{
	const struct run *run = worker->run;

	for (size_t i = 0; i < n; i++)
		object[i] = sampled_malloc(worker,
					   pick_size(run, prng_next(&worker->rng)));
	if (meet)
		rendezvous(worker);
	if (order == SHUFFLED)
		shuffle(&worker->rng, object, n);
	for (size_t i = 0; i < n; i++)
		sampled_free(worker, object[order == LIFO ? n - 1 - i : i]);
}

static void runs_work(struct worker *worker, enum order order)
{
	size_t most = slots_per_worker(worker->run);
	void **object = worker->own;
	uint64_t left = worker->ops;
	size_t chunk = worker->run->par.chunk;

	for (uint64_t i = 0; left; i++) {
		size_t n = left < most ? left : most;

		one_run(worker, object, n, order, i % chunk == 0);
		left -= n;
	}
}

static void lifo_work(struct worker *worker)
{
	runs_work(worker, LIFO);
}

static void fifo_work(struct worker *worker)
{
	runs_work(worker, FIFO);
}

static void shuffled_work(struct worker *worker)
{
	runs_work(worker, SHUFFLED);
}

const struct workload lifo_workload = {
	.name = "lifo",
	.what = "allocate a set, free it newest first; an operation is a malloc and its free",
	.defaults = { .ops = 1000000, .min = 16, .max = 256, .set = 200000,
		      .chunk = 1 },
	.work = lifo_work,
	.own_bytes = own_slots,
};

const struct workload fifo_workload = {
	.name = "fifo",
	.what = "allocate a set, free it oldest first; an operation is a malloc and its free",
	.defaults = { .ops = 1000000, .min = 16, .max = 256, .set = 200000,
		      .chunk = 1 },
	.work = fifo_work,
	.own_bytes = own_slots,
};

const struct workload shuffled_workload = {
	.name = "shuffled",
	.what = "allocate a set, free it in random order; an operation is a malloc and its free",
	.defaults = { .ops = 1000000, .min = 16, .max = 256, .set = 200000,
		      .chunk = 1 },
	.work = shuffled_work,
	.own_bytes = own_slots,
};
