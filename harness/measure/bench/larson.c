// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A server after Larson and Krishnan (ISMM 1998): each thread replaces random
 * objects of its array, then starts a successor, leaves it the array and
 * ends. A thread therefore frees what its predecessors, and at first the main
 * thread, allocated, and per-thread caches die with their threads.
 *
 * A worker is such a chain of threads. It starts the first one and sleeps
 * until the last one is done.
 */
#include "bench.h"

#include <pthread.h>
#include <semaphore.h>

struct chain {
	struct worker *worker;
	void **slot;
	size_t slots;
	uint64_t left;
	sem_t done;
};

static void larson_prepare(struct run *run)
{
	unsigned int threads = run->par.threads;
	size_t slots = slots_per_worker(run);
	struct chain *chains = pages(threads * sizeof(*chains));
	void **all = pages(threads * slots * sizeof(*all));
	struct prng rng = { run->par.seed };

	for (size_t i = 0; i < threads * slots; i++) {
		size_t size = pick_size(run, prng_next(&rng));

		all[i] = touch(malloc(size), size);
	}
	for (size_t i = threads * slots; i > 1; i--) {
		size_t j = prng_below(prng_next(&rng), i);
		void *p = all[i - 1];

		all[i - 1] = all[j];
		all[j] = p;
	}
	for (unsigned int t = 0; t < threads; t++) {
		chains[t].slot = all + t * slots;
		chains[t].slots = slots;
		sem_init(&chains[t].done, 0, 0);
	}
	run->shared = chains;
}

static void *larson_thread(void *arg);

static void larson_start(struct chain *chain)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attr, larson_thread, chain))
		die("pthread_create");
	pthread_attr_destroy(&attr);
}

static void *larson_thread(void *arg)
{
	struct chain *chain = arg;
	struct worker *worker = chain->worker;
	const struct run *run = worker->run;
	uint64_t ops = chain->left;

	if (ops > run->par.chunk)
		ops = run->par.chunk;
	for (uint64_t i = 0; i < ops; i++) {
		uint64_t random = prng_next(&worker->rng);
		void **slot = &chain->slot[prng_below(random, chain->slots)];

		sampled_free(worker, *slot);
		*slot = sampled_malloc(worker, pick_size(run, random));
	}
	chain->left -= ops;
	if (chain->left)
		larson_start(chain);
	else
		sem_post(&chain->done);
	return NULL;
}

static void larson_work(struct worker *worker)
{
	struct chain *chain = worker->run->shared;

	chain += worker->id;
	chain->worker = worker;
	chain->left = worker->ops;
	larson_start(chain);
	while (sem_wait(&chain->done))
		;
}

static void larson_finish(struct run *run)
{
	struct chain *chains = run->shared;

	for (unsigned int t = 0; t < run->par.threads; t++)
		for (size_t i = 0; i < chains[t].slots; i++)
			free(chains[t].slot[i]);
}

const struct workload larson_workload = {
	.name = "larson",
	.what = "server that hands objects to new threads; an operation is free and malloc",
	.defaults = { .ops = 1000000, .min = 8, .max = 1024, .set = 8000,
		      .chunk = 10000 },
	.prepare = larson_prepare,
	.work = larson_work,
	.finish = larson_finish,
};
