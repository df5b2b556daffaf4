// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Large objects that grow and shrink by realloc(), step by step: how often they
 * move is counted, and what is in them is looked at.
 */
#include "pm_test.h"
#include "base/options.h"
#include "base/testing.h"
#include "back/large.h"
#include "back/pagemap.h"

#define GROWTH_MIB	(1UL << 20)

struct growth_string {
	char *p;
	size_t size;
	u64 tag;
	unsigned int moves;
};

/* A word for each word, by its place in the string. */
static void growth_write(struct growth_string *s, size_t from, size_t to)
{
	size_t at;

	for (at = from; at + sizeof(u64) <= to; at += sizeof(u64))
		*(u64 *)(s->p + at) = s->tag + at;
}

static bool growth_written(const struct growth_string *s, size_t to)
{
	size_t at;

	for (at = 0; at + sizeof(u64) <= to; at += sizeof(u64))
		if (*(const u64 *)(s->p + at) != s->tag + at)
			return false;
	return true;
}

/* One step; @s->size is a multiple of a word. Return: false when refused. */
static bool growth_step(struct pm_test *t, struct growth_string *s, size_t size)
{
	size_t old = s->size;
	char *p = pm_realloc(s->p, size);

	if (!PM_EXPECT(t, p))
		return false;
	PM_EXPECT(t, pm_usable_size(p) >= size);
	if (p != s->p) {
		s->moves++;
		s->p = p;
		PM_EXPECT(t, growth_written(s, min_t(size_t, old, size)));
	}
	s->size = size;
	if (size > old)
		growth_write(s, old, size);
	return true;
}

static bool growth_begin(struct pm_test *t, struct growth_string *s,
			 size_t size, u64 tag)
{
	s->p = pm_malloc(size);
	s->size = size;
	s->tag = tag;
	s->moves = 0;
	if (!PM_EXPECT(t, s->p))
		return false;
	growth_write(s, 0, size);
	return true;
}

static void growth_end(struct pm_test *t, struct growth_string *s)
{
	if (s->p)
		PM_EXPECT(t, growth_written(s, s->size));
	pm_free(s->p);
	s->p = NULL;
}

static size_t growth_resident(const char *p, size_t size)
{
	size_t at, piece, sum = 0;

	for (at = 0; at < size; at += piece) {
		piece = min_t(size_t, size - at, GROWTH_MIB);
		sum += pm_host_resident(p + at, piece);
	}
	return sum;
}

/* Whether pages can move without being copied. */
static bool growth_pages_move(struct pm_test *t)
{
	size_t size = PAGE_SIZE, size_to = PAGE_SIZE;
	char *from = pm_host_large_map(&size, PAGE_SIZE, GFP_KERNEL);
	char *to = pm_host_large_map(&size_to, PAGE_SIZE, GFP_KERNEL);
	bool moved;

	if (!PM_EXPECT(t, from && to))
		return false;
	moved = pm_host_large_remap(from, PAGE_SIZE, PAGE_SIZE, to);
	pm_host_large_unmap(to, PAGE_SIZE);
	if (!moved)
		pm_host_large_unmap(from, PAGE_SIZE);
	return moved;
}

/*
 * Side by side, a page at a time: each has moved as often as an eighth more
 * fits between its first and its last size, and not at each step.
 */
static void growth_side_by_side(struct pm_test *t)
{
	const size_t first = PM_SMALL_MAX + PAGE_SIZE, last = 2 * GROWTH_MIB;
	struct growth_string s[6] = { };
	unsigned int i, limit = 1;
	size_t size;

	for (size = first; size < last; size = ALIGN(size + size / 8, PAGE_SIZE))
		limit++;
	for (i = 0; i < ARRAY_SIZE(s); i++)
		if (!growth_begin(t, &s[i], first, pm_rnd_next(&t->rnd)))
			goto out;
	for (size = first; size <= last; size += PAGE_SIZE)
		for (i = 0; i < ARRAY_SIZE(s); i++)
			if (!growth_step(t, &s[i], size))
				goto out;
	for (i = 0; i < ARRAY_SIZE(s); i++) {
		PM_EXPECT(t, s[i].moves > 0);
		PM_EXPECT(t, s[i].moves <= limit);
		PM_EXPECT(t, pm_usable_size(s[i].p) <=
			     last + last / 8 + PAGE_SIZE);
	}
out:
	for (i = 0; i < ARRAY_SIZE(s); i++)
		growth_end(t, &s[i]);
}

/* Up and down at random, across what is copied and what moves. */
static void growth_up_and_down(struct pm_test *t)
{
	struct growth_string s[4] = { };
	struct pm_large_stats before, now;
	unsigned int i, step;
	size_t size;

	pm_large_get_stats(&before);
	for (i = 0; i < ARRAY_SIZE(s); i++)
		if (!growth_begin(t, &s[i], 2 * PM_SMALL_MAX, i))
			goto out;
	for (step = 0; step < 200; step++) {
		i = pm_rnd_below(&t->rnd, ARRAY_SIZE(s));
		size = PM_SMALL_MAX + sizeof(u64);
		size += pm_rnd_below(&t->rnd, 1U << (12 + step % 10)) / 8 * 8;
		if (!growth_step(t, &s[i], size))
			break;
		if (step % 50 == 49)
			pm_trim();
	}
	for (i = 0, size = 0; i < ARRAY_SIZE(s); i++)
		size += pm_usable_size(s[i].p);
	pm_large_get_stats(&now);
	PM_EXPECT_EQ(t, now.live, before.live + size);
out:
	for (i = 0; i < ARRAY_SIZE(s); i++)
		growth_end(t, &s[i]);
	pm_large_get_stats(&now);
	PM_EXPECT_EQ(t, now.live, before.live);
	PM_EXPECT_EQ(t, now.live_objects, before.live_objects);
}

/* Only what grew has headroom; it stays until a quarter is given up. */
static void growth_headroom(struct pm_test *t)
{
	struct growth_string s;
	size_t size = GROWTH_MIB;
	char *p;

	pm_trim();
	if (!growth_begin(t, &s, size, 1))
		return;
	PM_EXPECT_EQ(t, pm_usable_size(s.p), size);
	size += size / 2;
	if (!growth_step(t, &s, size))
		goto out;
	PM_EXPECT_EQ(t, pm_usable_size(s.p), size + size / 8);
	p = s.p;
	PM_EXPECT(t, growth_step(t, &s, size + size / 8));
	PM_EXPECT(t, growth_step(t, &s, size - PAGE_SIZE));
	PM_EXPECT_EQ(t, pm_usable_size(s.p), size + size / 8);
	PM_EXPECT(t, growth_step(t, &s, size + size / 8));
	PM_EXPECT(t, s.p == p);
	PM_EXPECT(t, growth_step(t, &s, size / 2));
	PM_EXPECT_EQ(t, pm_usable_size(s.p), size / 2);
out:
	growth_end(t, &s);
}

/* What was never written has no pages after all the moves, either. */
static void growth_stays_sparse(struct pm_test *t)
{
	size_t last = (pm_test_has(28 * GROWTH_MIB) ? 24 : 3) * GROWTH_MIB;
	size_t size = GROWTH_MIB + GROWTH_MIB / 4;
	bool moves = growth_pages_move(t), populate = pm_options.populate;
	unsigned int i, moved = 0;
	void *between[16];
	char *p, *q;

	pm_trim();
	WRITE_ONCE(pm_options.populate, false);
	p = pm_malloc(size);
	PM_REQUIRE(t, p);
	memset(p, 7, PAGE_SIZE);
	/* What is asked for in between takes the place behind it. */
	for (i = 0; i < ARRAY_SIZE(between); i++) {
		between[i] = pm_malloc(4 * PM_SMALL_MAX);
		size = min_t(size_t, size + size / 4, last);
		q = pm_realloc(p, size);
		if (!PM_EXPECT(t, q))
			break;
		if (q != p) {
			moved++;
			PM_EXPECT(t, !pm_pagemap_large(p));
		}
		p = q;
		PM_EXPECT(t, p[0] == 7 && p[PAGE_SIZE - 1] == 7);
		if (moves)
			PM_EXPECT_EQ(t, growth_resident(p, size), PAGE_SIZE);
	}
	PM_EXPECT(t, moved > 0);
	while (i--)
		pm_free(between[i]);
	pm_free(p);
	WRITE_ONCE(pm_options.populate, populate);
}

/* Pages that are free come before pages that the host would have to give. */
static void growth_warm(struct pm_test *t)
{
	size_t size = pm_test_has(8 * GROWTH_MIB) ? 2 * GROWTH_MIB :
						    GROWTH_MIB / 2;
	struct growth_string s;
	char *between, *freed;

	pm_trim();
	WRITE_ONCE(pm_options.large_cache, 64UL << 20);
	WRITE_ONCE(pm_options.decay_ms, 60000);
	if (!growth_begin(t, &s, size, 1))
		return;
	between = pm_malloc(2 * PM_SMALL_MAX);
	freed = pm_malloc(4 * size);
	PM_REQUIRE(t, between && freed);
	memset(freed, 1, 4 * size);
	pm_free(freed);
	s.p = pm_realloc(s.p, 2 * size);
	if (PM_EXPECT(t, s.p)) {
		PM_EXPECT(t, growth_written(&s, size));
		PM_EXPECT_EQ(t, growth_resident(s.p + size, size), size);
	}
	pm_free(s.p);
	pm_free(between);
}

/* Room for the object and none for headroom is room enough. */
static void growth_no_room(struct pm_test *t)
{
	size_t size = (pm_test_has(18 * GROWTH_MIB) ? 4 : 1) * GROWTH_MIB;
	struct growth_string s;
	char *between, *freed;

	pm_trim();
	WRITE_ONCE(pm_options.large_cache, 64UL << 20);
	WRITE_ONCE(pm_options.decay_ms, 60000);
	if (!growth_begin(t, &s, size / 2, 1))
		return;
	between = pm_malloc(2 * PM_SMALL_MAX);
	freed = pm_malloc(size);
	PM_REQUIRE(t, between && freed);
	pm_free(freed);
	WRITE_ONCE(pm_inject.large_map, 1);
	PM_EXPECT(t, growth_step(t, &s, size));
	PM_EXPECT_EQ(t, pm_usable_size(s.p), size);
	/* And no room is no room: the object is as it was. */
	PM_EXPECT(t, !pm_realloc(s.p, 4 * size));
	WRITE_ONCE(pm_inject.large_map, 0);
	PM_EXPECT_EQ(t, pm_usable_size(s.p), size);
	WRITE_ONCE(pm_inject.meta, 1);
	PM_EXPECT(t, !pm_realloc(s.p, 4 * size));
	WRITE_ONCE(pm_inject.meta, 0);
	PM_EXPECT(t, growth_step(t, &s, 2 * size));
	growth_end(t, &s);
	pm_free(between);
}

/*
 * What has moved is a mapping of its own, of which a process may not have any
 * number: where there is much memory, short objects are copied instead.
 */
static void growth_few_mappings(struct pm_test *t)
{
	size_t size = GROWTH_MIB + GROWTH_MIB / 2;
	char *much[5] = { NULL }, *p, *between;
	bool moves = growth_pages_move(t);
	unsigned int i;

	pm_trim();
	for (i = 0; moves && i < ARRAY_SIZE(much); i++)
		much[i] = pm_malloc(2048 * GROWTH_MIB);
	p = pm_malloc(size);
	between = pm_malloc(2 * PM_SMALL_MAX);
	PM_REQUIRE(t, p && between);
	if (!moves || much[ARRAY_SIZE(much) - 1]) {
		memset(p, 1, PAGE_SIZE);
		p = pm_realloc(p, 2 * size);
		PM_REQUIRE(t, p);
		PM_EXPECT(t, growth_resident(p, size) == size);
	}
	for (i = 0; i < ARRAY_SIZE(much); i++)
		pm_free(much[i]);
	pm_free(p);
	pm_free(between);
}

/*
 * A move leaves nothing behind: descriptors are as many as there were. The page map
 * grows where the host gives addresses of a new region, so what counts is the quarter
 * of the rounds that needed least: a leak is in all of them.
 */
static void growth_descriptors(struct pm_test *t)
{
	bool moves = growth_pages_move(t);
	/* Where pages are copied a few rounds say it all. */
	size_t last = (moves ? 40 : 3) * GROWTH_MIB, size, before = 0;
	long least = LONG_MAX;
	unsigned int round;
	char *p, *q;

	for (round = 0; round <= 320; round++) {
		if (round > 20 && round % 75 == 20)
			least = min_t(long, least, pm_meta_bytes() - before);
		if (round % 75 == 20)
			before = pm_meta_bytes();
		p = NULL;
		for (size = GROWTH_MIB; size < last; size += size / 4) {
			q = pm_realloc(p, size);
			if (!PM_EXPECT(t, q))
				break;
			p = q;
		}
		pm_free(p);
		pm_trim();
		if (!moves && round > 20) {
			least = pm_meta_bytes() - before;
			break;
		}
	}
	PM_EXPECT(t, least <= 2 * (64L << 10));
}

static void growth_crowd_main(struct pm_test_crowd *crowd, unsigned int n)
{
	size_t most = *(size_t *)crowd->arg;
	struct growth_string s[3] = { };
	struct pm_rnd rnd;
	unsigned int i;

	pm_rnd_init(&rnd, crowd->t->seed, n + 1);
	while (!pm_test_crowd_done(crowd)) {
		i = pm_rnd_below(&rnd, ARRAY_SIZE(s));
		if (!s[i].p) {
			if (!growth_begin(crowd->t, &s[i], 2 * PM_SMALL_MAX, n))
				break;
		} else if (s[i].size > most) {
			growth_end(crowd->t, &s[i]);
		} else if (!growth_step(crowd->t, &s[i], ALIGN(s[i].size +
				s[i].size / (1 + pm_rnd_below(&rnd, 8)), 8))) {
			break;
		}
		pm_test_yield();
	}
	for (i = 0; i < ARRAY_SIZE(s); i++)
		growth_end(crowd->t, &s[i]);
}

/* Whose pages have left an address must not be taken for who comes there next. */
static void growth_crowd(struct pm_test *t)
{
	size_t most = pm_test_has(8 * GROWTH_MIB) ? 3 * GROWTH_MIB :
						    GROWTH_MIB * 3 / 2;
	struct pm_test_crowd crowd = {
		.t = t, .fn = growth_crowd_main, .nr = 4, .arg = &most,
	};

	WRITE_ONCE(pm_options.decay_ms, 20);
	pm_test_crowd_run(&crowd, NULL);
}

static const struct pm_test_case growth_cases[] = {
	PM_CASE(growth, side_by_side),
	PM_CASE(growth, up_and_down),
	PM_CASE(growth, headroom),
	PM_CASE(growth, stays_sparse),
	PM_CASE(growth, warm),
	PM_CASE(growth, no_room),
	PM_CASE(growth, few_mappings),
	PM_CASE(growth, descriptors),
	PM_CASE(growth, crowd),
};
PM_SUITE(growth);
