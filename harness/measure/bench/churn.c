// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Thread churn: short-lived threads that allocate a little each, free most of
 * it and leave the rest to their successor, which frees it. What an allocator
 * does at the birth and the death of a thread counts here.
 *
 * A worker starts one thread after the other and waits for each.
 */
#include "bench.h"

#include <pthread.h>

#define CHURN_MAX 4096

struct life {
	struct worker *worker;
	size_t inherited;
	void *object[CHURN_MAX];
};

static void *churn_thread(void *arg)
{
	struct life *life = arg;
	struct worker *worker = life->worker;
	const struct run *run = worker->run;
	size_t kept = run->par.chunk / 4;

	for (size_t i = 0; i < life->inherited; i++)
		sampled_free(worker, life->object[i]);
	for (size_t i = 0; i < run->par.chunk; i++) {
		size_t size = pick_size(run, prng_next(&worker->rng));

		life->object[i] = sampled_malloc(worker, size);
	}
	for (size_t i = kept; i < run->par.chunk; i++)
		sampled_free(worker, life->object[i]);
	life->inherited = kept;
	return NULL;
}

static size_t churn_own_bytes(const struct run *run)
{
	if (run->par.chunk > CHURN_MAX)
		die("churn: chunk too large");
	return sizeof(struct life);
}

static void churn_work(struct worker *worker)
{
	struct life *life = worker->own;
	pthread_t thread;

	life->worker = worker;
	for (uint64_t i = 0; i < worker->ops; i++) {
		if (pthread_create(&thread, NULL, churn_thread, life))
			die("pthread_create");
		pthread_join(thread, NULL);
	}
	for (size_t i = 0; i < life->inherited; i++)
		free(life->object[i]);
}

const struct workload churn_workload = {
	.name = "churn",
	.what = "short-lived threads, each with a few objects; an operation is a thread's life",
	.defaults = { .ops = 4000, .min = 16, .max = 2048, .threads = 2,
		      .chunk = 200 },
	.work = churn_work,
	.own_bytes = churn_own_bytes,
};
