// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Growing by realloc.
 *
 *   vector	many vectors that double when full, as in every language's
 *		standard library; elements are written
 *   buffer	a few buffers that grow in steps of a half to megabytes, as
 *		when a file or a reply of unknown length is read
 */
#include "bench.h"

#include <string.h>

#define VECTORS 256

struct vector {
	uint64_t *element;
	size_t used;
	size_t room;
	size_t limit;
};

static void vector_push(struct worker *worker, struct vector *v, size_t count)
{
	if (v->used + count > v->room) {
		size_t room = v->room ? 2 * v->room : 4;

		while (room < v->used + count)
			room *= 2;
		SAMPLED(worker,
			v->element = realloc(v->element,
					     room * sizeof(*v->element)));
		if (!v->element)
			die("out of memory");
		v->room = room;
	}
	for (size_t i = 0; i < count; i++)
		v->element[v->used++] = i;
}

/* One vector in 16 becomes long; all have a length of their own. */
static size_t vector_limit(struct worker *worker)
{
	uint64_t random = prng_next(&worker->rng);
	size_t most = random % 16 ? 256 : 16384;

	return 16 + prng_below(random, most);
}

static size_t vector_own_bytes(const struct run *run)
{
	(void)run;
	return VECTORS * sizeof(struct vector);
}

static void vector_work(struct worker *worker)
{
	struct vector *vectors = worker->own;

	for (uint64_t i = 0; i < worker->ops; i++) {
		uint64_t random = prng_next(&worker->rng);
		struct vector *v = &vectors[prng_below(random, VECTORS)];

		if (v->used >= v->limit) {
			if (v->element)
				sampled_free(worker, v->element);
			memset(v, 0, sizeof(*v));
			v->limit = vector_limit(worker);
		}
		vector_push(worker, v, 1 + random % 32);
	}
	rendezvous(worker);
	for (size_t i = 0; i < VECTORS; i++)
		free(vectors[i].element);
}

const struct workload vector_workload = {
	.name = "vector",
	.what = "vectors that double by realloc; an operation adds up to 32 elements",
	.defaults = { .ops = 1000000 },
	.work = vector_work,
	.own_bytes = vector_own_bytes,
};

#define BUFFERS 4

struct buffer {
	char *byte;
	size_t room;
	size_t limit;
};

static void buffer_grow(struct worker *worker, struct buffer *b)
{
	size_t room = b->room ? b->room + b->room / 2 : 4096;

	SAMPLED(worker, b->byte = realloc(b->byte, room));
	if (!b->byte)
		die("out of memory");
	memset(b->byte + b->room, 1, room - b->room);
	b->room = room;
}

static void buffer_work(struct worker *worker)
{
	const struct run *run = worker->run;
	struct buffer buffers[BUFFERS] = { 0 };

	for (uint64_t i = 0; i < worker->ops; i++) {
		uint64_t random = prng_next(&worker->rng);
		struct buffer *b = &buffers[random / SIZE_TABLE % BUFFERS];

		if (b->room >= b->limit) {
			if (b->byte)
				sampled_free(worker, b->byte);
			memset(b, 0, sizeof(*b));
			b->limit = pick_size(run, random);
		}
		buffer_grow(worker, b);
	}
	rendezvous(worker);
	for (size_t i = 0; i < BUFFERS; i++)
		free(buffers[i].byte);
}

const struct workload buffer_workload = {
	.name = "buffer",
	.what = "buffers that grow by half to megabytes; an operation is a realloc and its fill",
	.defaults = { .ops = 2000, .min = 64 << 10, .max = 8 << 20 },
	.work = buffer_work,
	.time_all = true,
};
