// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Objects that are freed where they were not allocated.
 *
 *   channel	a producer and a consumer on different CPUs with a bounded
 *		ring between them
 *   xmalloc	after Lever and Boreham's malloc-test: half of the threads
 *		allocate batches, the other half free them, through one queue
 *   swap	every thread swaps its new object with the one in a random
 *		place of a shared table, and frees what it got
 */
#include "bench.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

/*
 * The ring is handed back and forth in parts, and who finds none sleeps. A
 * side that spun instead would measure the scheduler as soon as there are
 * more threads than CPUs.
 */
#define PART 256
#define PARTS 8

struct ring {
	sem_t filled __attribute__((aligned(CACHE_LINE)));
	sem_t emptied __attribute__((aligned(CACHE_LINE)));
	void *object[PARTS * PART] __attribute__((aligned(CACHE_LINE)));
};

static void channel_prepare(struct run *run)
{
	unsigned int pairs = run->par.threads / 2;
	struct ring *rings = pages(pairs * sizeof(*rings));

	for (unsigned int i = 0; i < pairs; i++) {
		sem_init(&rings[i].filled, 0, 0);
		sem_init(&rings[i].emptied, 0, PARTS);
	}
	run->shared = rings;
}

static void take_part(sem_t *parts)
{
	while (sem_wait(parts))
		;
}

/* The objects of a part, fewer in the last one. */
static size_t part_size(const struct worker *worker, uint64_t first)
{
	uint64_t left = worker->ops - first;

	return left < PART ? left : PART;
}

static void channel_produce(struct worker *worker, struct ring *ring)
{
	const struct run *run = worker->run;

	for (uint64_t first = 0; first < worker->ops; first += PART) {
		void **object = ring->object + first % (PARTS * PART);
		size_t n = part_size(worker, first);

		take_part(&ring->emptied);
		for (size_t i = 0; i < n; i++) {
			size_t size = pick_size(run, prng_next(&worker->rng));

			object[i] = sampled_malloc(worker, size);
		}
		sem_post(&ring->filled);
	}
}

static void channel_consume(struct worker *worker, struct ring *ring)
{
	for (uint64_t first = 0; first < worker->ops; first += PART) {
		void **object = ring->object + first % (PARTS * PART);
		size_t n = part_size(worker, first);

		take_part(&ring->filled);
		for (size_t i = 0; i < n; i++)
			sampled_free(worker, object[i]);
		sem_post(&ring->emptied);
	}
}

static void channel_work(struct worker *worker)
{
	struct ring *ring = worker->run->shared;
	unsigned int pair = worker->id / 2;
	bool producer = worker->id % 2 == 0;

	pin_to_cpu(pair + !producer);
	if (producer)
		channel_produce(worker, ring + pair);
	else
		channel_consume(worker, ring + pair);
}

const struct workload channel_workload = {
	.name = "channel",
	.what = "producers and consumers on different CPUs; an operation is a malloc or a free",
	.defaults = { .ops = 2000000, .min = 16, .max = 512, .threads = 2 },
	.prepare = channel_prepare,
	.work = channel_work,
	.even = true,
};

/*
 * A batch is an object of the allocator too, as in the original. Its array
 * has run->par.chunk entries; the last batch of a producer may be short.
 */
struct batch {
	struct batch *next;
	size_t count;
	void *object[];
};

#define QUEUE_PER_PRODUCER 16

struct queue {
	pthread_mutex_t mutex;
	pthread_cond_t filled;
	pthread_cond_t emptied;
	struct batch *first;
	struct batch **last;
	size_t length;
	unsigned int producers;
};

static void xmalloc_prepare(struct run *run)
{
	struct queue *queue = pages(sizeof(*queue));

	pthread_mutex_init(&queue->mutex, NULL);
	pthread_cond_init(&queue->filled, NULL);
	pthread_cond_init(&queue->emptied, NULL);
	queue->last = &queue->first;
	queue->producers = run->par.threads / 2;
	run->shared = queue;
}

static void queue_put(struct queue *queue, struct batch *batch, size_t limit)
{
	pthread_mutex_lock(&queue->mutex);
	while (queue->length >= limit)
		pthread_cond_wait(&queue->emptied, &queue->mutex);
	batch->next = NULL;
	*queue->last = batch;
	queue->last = &batch->next;
	queue->length++;
	pthread_mutex_unlock(&queue->mutex);
	pthread_cond_signal(&queue->filled);
}

static struct batch *queue_get(struct queue *queue)
{
	struct batch *batch;

	pthread_mutex_lock(&queue->mutex);
	while (!queue->first && queue->producers)
		pthread_cond_wait(&queue->filled, &queue->mutex);
	batch = queue->first;
	if (batch) {
		queue->first = batch->next;
		if (!queue->first)
			queue->last = &queue->first;
		queue->length--;
	}
	pthread_mutex_unlock(&queue->mutex);
	pthread_cond_signal(&queue->emptied);
	return batch;
}

static void xmalloc_produce(struct worker *worker, struct queue *queue)
{
	struct run *run = worker->run;
	size_t limit = QUEUE_PER_PRODUCER * run->par.threads / 2;
	uint64_t left = worker->ops;

	while (left) {
		size_t count = left < run->par.chunk ? left : run->par.chunk;
		size_t bytes = sizeof(struct batch) + count * sizeof(void *);
		struct batch *batch = sampled_malloc(worker, bytes);

		batch->count = count;
		for (size_t i = 0; i < count; i++) {
			size_t size = pick_size(run, prng_next(&worker->rng));

			batch->object[i] = sampled_malloc(worker, size);
		}
		left -= count;
		queue_put(queue, batch, limit);
	}
	pthread_mutex_lock(&queue->mutex);
	queue->producers--;
	pthread_mutex_unlock(&queue->mutex);
	pthread_cond_broadcast(&queue->filled);
}

static void xmalloc_consume(struct worker *worker, struct queue *queue)
{
	struct batch *batch;

	while ((batch = queue_get(queue))) {
		for (size_t i = 0; i < batch->count; i++)
			sampled_free(worker, batch->object[i]);
		sampled_free(worker, batch);
	}
}

static void xmalloc_work(struct worker *worker)
{
	struct queue *queue = worker->run->shared;

	if (worker->id % 2 == 0)
		xmalloc_produce(worker, queue);
	else
		xmalloc_consume(worker, queue);
}

const struct workload xmalloc_workload = {
	.name = "xmalloc",
	.what = "half of the threads allocate batches, half free them; an operation is a malloc or a free",
	.defaults = { .ops = 2000000, .min = 16, .max = 512, .threads = 2,
		      .chunk = 120 },
	.prepare = xmalloc_prepare,
	.work = xmalloc_work,
	.even = true,
};

static void swap_prepare(struct run *run)
{
	run->shared = pages(run->par.set * sizeof(void *));
}

static void swap_work(struct worker *worker)
{
	struct run *run = worker->run;
	void *_Atomic *table = run->shared;

	for (uint64_t i = 0; i < worker->ops; i++) {
		uint64_t random = prng_next(&worker->rng);
		size_t place = prng_below(random, run->par.set);
		void *object = sampled_malloc(worker, pick_size(run, random));

		sampled_free(worker, atomic_exchange(&table[place], object));
	}
}

static void swap_finish(struct run *run)
{
	void **table = run->shared;

	for (size_t i = 0; i < run->par.set; i++)
		free(table[i]);
}

const struct workload swap_workload = {
	.name = "swap",
	.what = "exchange a new object for one of any thread and free that; an operation is both",
	.defaults = { .ops = 1000000, .min = 16, .max = 512, .set = 4096,
		      .threads = 2 },
	.prepare = swap_prepare,
	.work = swap_work,
	.finish = swap_finish,
};
