// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Mixed lifetimes: 3 of 4 objects die soon, most others after a while, 1 of
 * 16 lives until its phase ends, and of those 1 of 8 until the very end. The
 * sizes change from phase to phase, so that memory of one phase is of use to
 * the next only if it can change its size. Now and then comes a large array.
 */
#include "bench.h"

#define PHASES 8
#define SHORT_LIVED 128
#define ARRAY_EVERY 1024
#define ARRAY_MIN (16UL << 10)
#define ARRAYS 8

struct lifetimes {
	struct worker *worker;
	void *brief[SHORT_LIVED];
	void *array[ARRAYS];
	size_t mediums;
	void **lasting;
	size_t lastings;
	size_t lastings_max;
	size_t survivors;
	void *medium[];
};

/* Twice as many as are to be expected. */
static size_t phases_lastings(const struct run *run)
{
	return run->par.ops / run->par.threads / 8;
}

static size_t phases_own_bytes(const struct run *run)
{
	size_t pointers = slots_per_worker(run) + phases_lastings(run);

	return sizeof(struct lifetimes) + pointers * sizeof(void *);
}

static void replace(struct worker *worker, void **place, size_t size)
{
	if (*place)
		sampled_free(worker, *place);
	*place = sampled_malloc(worker, size);
}

/* Large arrays are written throughout, one byte per page. */
static void phases_array(struct lifetimes *lives, uint64_t random)
{
	void **place = &lives->array[random % ARRAYS];
	size_t size = ARRAY_MIN << (random / ARRAYS % 5);

	replace(lives->worker, place, size);
	for (size_t i = 0; i < size; i += 4096)
		((volatile char *)*place)[i] = 1;
}

static size_t phases_size(const struct run *run, unsigned int phase,
			  uint64_t random)
{
	size_t size = pick_size(run, random);

	return phase % 2 ? size * 4 : size;
}

static void phases_step(struct lifetimes *lives, unsigned int phase)
{
	struct worker *worker = lives->worker;
	uint64_t random = prng_next(&worker->rng);
	size_t size = phases_size(worker->run, phase, random);
	unsigned int age = (random >> 10) % 16;

	if (age < 12)
		replace(worker, &lives->brief[prng_below(random, SHORT_LIVED)],
			size);
	else if (age < 15 || lives->lastings == lives->lastings_max)
		replace(worker,
			&lives->medium[prng_below(random, lives->mediums)],
			size);
	else
		lives->lasting[lives->lastings++] = sampled_malloc(worker, size);
	if ((random >> 14) % ARRAY_EVERY == 0)
		phases_array(lives, random >> 24);
}

static void phases_end_phase(struct lifetimes *lives)
{
	size_t kept = lives->survivors;

	for (size_t i = lives->survivors; i < lives->lastings; i++) {
		if (i % 8)
			sampled_free(lives->worker, lives->lasting[i]);
		else
			lives->lasting[kept++] = lives->lasting[i];
	}
	lives->survivors = kept;
	lives->lastings = kept;
}

static void free_all(void **objects, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(objects[i]);
}

static void phases_work(struct worker *worker)
{
	struct lifetimes *lives = worker->own;

	lives->worker = worker;
	lives->mediums = slots_per_worker(worker->run);
	lives->lasting = lives->medium + lives->mediums;
	lives->lastings_max = phases_lastings(worker->run);
	for (unsigned int phase = 0; phase < PHASES; phase++) {
		for (uint64_t i = 0; i < worker->ops / PHASES; i++)
			phases_step(lives, phase);
		rendezvous(worker);
		phases_end_phase(lives);
	}
	free_all(lives->brief, SHORT_LIVED);
	free_all(lives->array, ARRAYS);
	free_all(lives->medium, lives->mediums);
	free_all(lives->lasting, lives->lastings);
}

const struct workload phases_workload = {
	.name = "phases",
	.what = "mixed lifetimes, sizes that change by phase, large arrays; an operation is a malloc",
	.defaults = { .ops = 1000000, .min = 16, .max = 512, .set = 20000 },
	.work = phases_work,
	.own_bytes = phases_own_bytes,
};
