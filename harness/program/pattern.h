/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Random numbers that can be repeated, and contents that can be checked.
 *
 * Each thread has a private generator made from the run's seed, which is
 * printed and can be set: SEED=12345 repeats a run as far as the scheduler
 * lets it. An object is filled with a pattern made from a tag that no other
 * object has at the time, so that a byte written by anybody else shows.
 */
#ifndef HARNESS_PATTERN_H
#define HARNESS_PATTERN_H

#include <stdint.h>
#include <time.h>
#include "tap.h"

struct rng {
	uint64_t state;
};

/* Steele, Lea and Flood's SplitMix64. */
static inline uint64_t rng_next(struct rng *rng)
{
	uint64_t z = rng->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static inline uint64_t rng_below(struct rng *rng, uint64_t n)
{
	return rng_next(rng) % n;
}

/* Sizes as programs have them: few large ones, bounded by 2^@max_log. */
static inline size_t rng_size(struct rng *rng, unsigned int max_log)
{
	return rng_below(rng, (1ULL << rng_below(rng, max_log + 1)) + 1);
}

static inline struct rng rng_make(uint64_t seed, uint64_t stream)
{
	struct rng rng = { seed ^ stream * 0xd1342543de82ef95u };

	rng_next(&rng);
	return rng;
}

__attribute__((unused))
static uint64_t seed_from_env(void)
{
	const char *text = getenv("SEED");
	struct timespec now;
	uint64_t seed;

	clock_gettime(CLOCK_REALTIME, &now);
	seed = text ? strtoull(text, NULL, 0) :
		((uint64_t)now.tv_sec << 20 ^ (uint64_t)now.tv_nsec) &
		0xffffffff;
	tap_diag("seed %llu (set SEED to repeat)", (unsigned long long)seed);
	return seed;
}

static inline uint64_t pattern_word(uint64_t tag, size_t i)
{
	return (tag + i) * 0x9e3779b97f4a7c15u;
}

__attribute__((unused))
static void pattern_fill(void *mem, size_t size, uint64_t tag)
{
	unsigned char *at = (unsigned char *)mem;
	uint64_t word;
	size_t i;

	for (i = 0; i < size / 8; i++) {
		word = pattern_word(tag, i);
		memcpy(at + 8 * i, &word, 8);
	}
	word = pattern_word(tag, i);
	memcpy(at + 8 * i, &word, size % 8);
}

/* Whether the first @size bytes are as pattern_fill() with @tag left them. */
__attribute__((unused))
static bool pattern_holds(const void *mem, size_t size, uint64_t tag)
{
	const unsigned char *at = (const unsigned char *)mem;
	uint64_t word;
	size_t i;

	for (i = 0; i < size / 8; i++) {
		word = pattern_word(tag, i);
		if (memcmp(at + 8 * i, &word, 8))
			return false;
	}
	word = pattern_word(tag, i);
	return !memcmp(at + 8 * i, &word, size % 8);
}

__attribute__((unused))
static bool all_zero(const void *mem, size_t size)
{
	const unsigned char *at = (const unsigned char *)mem;

	return !size || (!at[0] && !memcmp(at, at + 1, size - 1));
}

/* An object that knows what shall be in it. */
struct tagged {
	void *p;
	size_t size;
	uint64_t tag;
};

/* Return: whether there was memory. */
static inline bool tagged_malloc(struct tagged *o, size_t size, uint64_t tag)
{
	o->size = size;
	o->tag = tag;
	o->p = malloc(size);
	if (o->p)
		pattern_fill(o->p, size, tag);
	return o->p;
}

/* Return: 1 when something else was in it. */
static inline size_t tagged_free(struct tagged *o)
{
	size_t fault = o->p && !pattern_holds(o->p, o->size, o->tag);

	free(o->p);
	o->p = NULL;
	return fault;
}

#endif /* HARNESS_PATTERN_H */
