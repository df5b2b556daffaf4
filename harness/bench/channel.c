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
#include <stdatomic.h>
#include <stdio.h>

/*
 * Each side of the ring works on its own copy of its index and shows it to
 * the other side once per group, so that what moves between the CPUs is
 * mostly the objects.
 */
#define RING 1024
#define GROUP 16

struct end {
	size_t at;
	size_t seen;
} __attribute__((aligned(CACHE_LINE)));

struct ring {
	struct end in;
	struct end out;
	_Atomic size_t head __attribute__((aligned(CACHE_LINE)));
	_Atomic size_t tail __attribute__((aligned(CACHE_LINE)));
	void *object[RING] __attribute__((aligned(CACHE_LINE)));
};

static void ring_push(struct ring *ring, void *object)
{
	struct end *in = &ring->in;
	unsigned int spins = 0;

	while (in->at - in->seen == RING) {
		/* pairs with the release in ring_pop() */
		in->seen = atomic_load_explicit(&ring->tail,
						memory_order_acquire);
		if (in->at - in->seen == RING)
			relax(&spins);
	}
	ring->object[in->at++ % RING] = object;
	/* pairs with the acquire in ring_pop() */
	if (in->at % GROUP == 0)
		atomic_store_explicit(&ring->head, in->at,
				      memory_order_release);
}

/* Show the other side the last objects, fewer than a group. */
static void ring_flush(struct ring *ring)
{
	/* pairs with the acquire in ring_pop() */
	atomic_store_explicit(&ring->head, ring->in.at, memory_order_release);
}

static void *ring_pop(struct ring *ring)
{
	struct end *out = &ring->out;
	unsigned int spins = 0;
	void *object;

	while (out->seen == out->at) {
		/* pairs with the release in ring_push() and ring_flush() */
		out->seen = atomic_load_explicit(&ring->head,
						 memory_order_acquire);
		if (out->seen == out->at)
			relax(&spins);
	}
	object = ring->object[out->at++ % RING];
	/* pairs with the acquire in ring_push() */
	if (out->at % GROUP == 0)
		atomic_store_explicit(&ring->tail, out->at,
				      memory_order_release);
	return object;
}

static void channel_prepare(struct run *run)
{
	run->shared = pages(run->par.threads / 2 * sizeof(struct ring));
}

static void channel_produce(struct worker *worker, struct ring *ring)
{
	for (uint64_t i = 0; i < worker->ops; i++) {
		size_t size = pick_size(worker->run, prng_next(&worker->rng));

		ring_push(ring, sampled_malloc(worker, size));
	}
	ring_flush(ring);
}

static void channel_consume(struct worker *worker, struct ring *ring)
{
	for (uint64_t i = 0; i < worker->ops; i++)
		sampled_free(worker, ring_pop(ring));
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
