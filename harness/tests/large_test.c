// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Large objects: extents that are split and merged, and kept for a while
 * when they are free.
 */
#include "pm_test.h"
#include "base/testing.h"
#include "back/large.h"
#include "base/options.h"
#include "back/pagemap.h"

static void large_totals(struct pm_large_stats *st)
{
	pm_large_get_stats(st);
}

/* A large object, be it of a size that a span would serve. */
static void *large_malloc(size_t size)
{
	return pm_large_alloc(size, 1, GFP_KERNEL);
}

static void *large_calloc(size_t size)
{
	return pm_large_alloc(size, 1, GFP_KERNEL | __GFP_ZERO);
}

/* Whole pages, all usable, zeroed when asked for, counted. */
static void large_sizes(struct pm_test *t)
{
	static const size_t sizes[] = {
		PM_SMALL_MAX + 1, 40960, 65535, 65536, 65537, 100000,
		262144, 1000000, 1048576, PM_SPAN_MAX + 1, 3000001,
	};
	struct pm_large_stats before, now;
	size_t usable;
	unsigned int i;
	char *p;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		large_totals(&before);
		p = large_calloc(sizes[i]);
		if (!PM_EXPECT(t, p))
			break;
		usable = pm_usable_size(p);
		PM_EXPECT(t, IS_ALIGNED((unsigned long)p, PAGE_SIZE));
		PM_EXPECT(t, IS_ALIGNED(usable, PAGE_SIZE));
		PM_EXPECT(t, usable >= sizes[i]);
		PM_EXPECT(t, usable - sizes[i] <= PAGE_SIZE + sizes[i] / 4);
		PM_EXPECT(t, pm_test_is_zero(p, usable));
		pm_test_fill(p, usable, i);
		PM_EXPECT(t, pm_test_filled(p, usable, i));
		large_totals(&now);
		PM_EXPECT_EQ(t, now.live, before.live + usable);
		PM_EXPECT_EQ(t, now.live_objects, before.live_objects + 1);
		PM_EXPECT_EQ(t, now.allocs, before.allocs + 1);
		pm_free(p);
		large_totals(&now);
		PM_EXPECT_EQ(t, now.live, before.live);
		PM_EXPECT_EQ(t, now.live_objects, before.live_objects);
	}
}

/* A freed mapping serves the next request that it fits, and is zeroed. */
static void large_reuse(struct pm_test *t)
{
	struct pm_large_stats before, now;
	size_t usable;
	char *p, *q;

	pm_trim();
	WRITE_ONCE(pm_options.large_cache, 64UL << 20);
	p = large_malloc(200000);
	PM_REQUIRE(t, p);
	usable = pm_usable_size(p);
	memset(p, 0x5a, usable);
	pm_free(p);
	large_totals(&before);
	PM_EXPECT(t, before.cached >= usable);
	PM_EXPECT_EQ(t, before.dirty, usable);
	q = large_calloc(190000);
	large_totals(&now);
	if (PM_EXPECT(t, q)) {
		PM_EXPECT(t, q == p);
		PM_EXPECT(t, now.reused > before.reused);
		PM_EXPECT(t, pm_test_is_zero(q, pm_usable_size(q)));
		pm_free(q);
	}
	PM_EXPECT(t, pm_extents_purge() >= usable);
	large_totals(&now);
	PM_EXPECT_EQ(t, now.cached, 0);
}

/* What is kept has a budget: what is above it goes back at once. */
static void large_budget(struct pm_test *t)
{
	struct pm_large_stats now;
	void *p[8];
	unsigned int i;

	pm_trim();
	WRITE_ONCE(pm_options.large_cache, 300000);
	for (i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = large_malloc(100000);
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		PM_EXPECT(t, p[i]);
		pm_free(p[i]);
		large_totals(&now);
		PM_EXPECT(t, now.dirty <= 300000);
	}
	PM_EXPECT(t, now.dirty > 0);
}

/* What was free for the decay time goes when small objects are asked for. */
static void large_decay(struct pm_test *t)
{
	struct pm_large_stats now;
	unsigned int i;
	void *p;

	pm_trim();
	WRITE_ONCE(pm_options.decay_ms, 20);
	p = large_malloc(1000000);
	PM_REQUIRE(t, p);
	pm_free(p);
	large_totals(&now);
	PM_EXPECT(t, now.dirty >= 1000000);
	for (i = 0; i < 1000 && now.dirty; i++) {
		if (i % 64 == 63)
			pm_test_sleep_ms(10);
		p = pm_test_malloc_lock(1 + i % 8);
		PM_REQUIRE(t, p);
		pm_free(p);
		large_totals(&now);
	}
	PM_EXPECT_EQ(t, now.dirty, 0);
}

/* Any power of two, page after page up to a mebibyte. */
static void large_aligned(struct pm_test *t)
{
	size_t align;
	char *p;

	for (align = 2 * PM_UNIT_SIZE; align <= 1UL << 20; align *= 2) {
		p = pm_aligned_alloc(align, 3 * PAGE_SIZE);
		if (!PM_EXPECT(t, p))
			break;
		PM_EXPECT(t, IS_ALIGNED((unsigned long)p, align));
		PM_EXPECT(t, pm_usable_size(p) >= 3 * PAGE_SIZE);
		memset(p, 1, pm_usable_size(p));
		pm_free(p);
		p = pm_aligned_alloc(align, align + 1);
		if (!PM_EXPECT(t, p))
			break;
		PM_EXPECT(t, IS_ALIGNED((unsigned long)p, align));
		pm_free(p);
	}
}

/* What cannot be is refused, and costs nothing. */
static void large_refused(struct pm_test *t)
{
	PM_EXPECT(t, !pm_malloc(~0UL));
	PM_EXPECT(t, !pm_malloc(~0UL - PAGE_SIZE));
	PM_EXPECT(t, !pm_malloc((~0UL >> 1) + 1));
	PM_EXPECT(t, !pm_malloc(PM_LARGE_MAX));
	PM_EXPECT(t, !pm_aligned_alloc(1UL << 62, 1));
	PM_EXPECT(t, !pm_aligned_alloc(1UL << 20, ~0UL - PAGE_SIZE));
	PM_EXPECT(t, !pm_large_alloc(100000, 1, GFP_NOWAIT));
}

/* Growing and shrinking keep the content, wherever the object lies then. */
static void large_resize(struct pm_test *t)
{
	size_t size = PM_SMALL_MAX + 1, next;
	unsigned int i;
	char *p, *q;

	p = pm_malloc(size);
	PM_REQUIRE(t, p);
	for (i = 0; i < 60; i++) {
		pm_test_fill(p, size, i);
		next = PM_SMALL_MAX + 1 + pm_rnd_below(&t->rnd, 1 << 20);
		q = pm_realloc(p, next);
		if (!PM_EXPECT(t, q))
			break;
		p = q;
		PM_EXPECT(t, pm_test_filled(p, min_t(size_t, size, next) / 8 * 8,
					    i));
		PM_EXPECT(t, pm_usable_size(p) >= next);
		size = next;
	}
	/* Down to a class and up again. */
	pm_test_fill(p, size, 99);
	p = pm_realloc(p, 4096);
	PM_REQUIRE(t, p);
	PM_EXPECT(t, pm_test_filled(p, 4096, 99));
	PM_EXPECT(t, pm_usable_size(p) <= PM_SMALL_MAX);
	p = pm_realloc(p, 500000);
	PM_REQUIRE(t, p);
	PM_EXPECT(t, pm_test_filled(p, 4096, 99));
	pm_free(p);
}

/* Of all that free the same large object at once one is believed. */
struct large_race {
	atomic_long_t met;
	atomic_long_t believed;
	void *p;
};

static void large_race_main(struct pm_test_crowd *crowd, unsigned int n)
{
	struct large_race *race = crowd->arg;
	unsigned int round;

	for (round = 0; round < 100; round++) {
		if (!n) {
			atomic_long_set(&race->believed, 0);
			race->p = large_malloc(50000);
		}
		pm_test_meet(&race->met, crowd->nr);
		if (race->p && pm_large_free(race->p))
			atomic_long_inc(&race->believed);
		pm_test_meet(&race->met, crowd->nr);
		if (!n)
			PM_EXPECT_EQ(crowd->t,
				     atomic_long_read(&race->believed), 1);
	}
}

static void large_double_free(struct pm_test *t)
{
	struct large_race race = { .p = NULL };
	struct pm_test_crowd crowd = {
		.t = t, .fn = large_race_main, .arg = &race, .nr = 4,
	};

	pm_test_crowd_run(&crowd, NULL);
}

/* Without memory: NULL, whatever it was that could not be had. */
static void large_out_of_memory(struct pm_test *t)
{
	struct pm_large_stats before, now;
	unsigned int *which[] = { &pm_inject.large_map, &pm_inject.meta };
	unsigned int i;
	void *p;

	for (i = 0; i < ARRAY_SIZE(which); i++) {
		pm_trim();
		large_totals(&before);
		WRITE_ONCE(*which[i], 1);
		PM_EXPECT(t, !pm_malloc(100000));
		PM_EXPECT(t, !pm_calloc(3, 100000));
		WRITE_ONCE(*which[i], 0);
		large_totals(&now);
		PM_EXPECT_EQ(t, now.live, before.live);
		p = pm_malloc(100000);
		PM_EXPECT(t, p);
		pm_free(p);
	}
}

/* Short of memory, what is kept for reuse is given up first. */
static void large_cache_first(struct pm_test *t)
{
	struct pm_large_stats now;
	void *p;

	pm_trim();
	p = pm_malloc(100000);
	PM_REQUIRE(t, p);
	pm_free(p);
	/* The first request fails; the second finds the cache emptied. */
	WRITE_ONCE(pm_inject.large_map, 1);
	p = pm_malloc(3000000);
	WRITE_ONCE(pm_inject.large_map, 0);
	PM_EXPECT(t, !p);
	large_totals(&now);
	PM_EXPECT_EQ(t, now.cached, 0);
}

/* Freed with the lock busy: it waits in the inbox, and the next collects. */
static void large_free_when_busy(struct pm_test *t)
{
	struct pm_large_stats before, now;
	size_t usable;
	char *p, *q;

	WRITE_ONCE(pm_options.large_cache, 64UL << 20);
	p = large_malloc(100000);
	q = large_malloc(100000);
	PM_REQUIRE(t, p && q);
	usable = pm_usable_size(p);
	large_totals(&before);
	pm_extents_lock_all();
	pm_free(p);
	PM_EXPECT_EQ(t, pm_pagemap_class(p), 0);
	large_totals(&now);
	PM_EXPECT_EQ(t, now.live, before.live - usable);
	PM_EXPECT_EQ(t, now.cached, before.cached);
	pm_extents_unlock_all(false);
	pm_free(q);
	large_totals(&now);
	PM_EXPECT(t, now.cached >= before.cached + 2 * usable);
}

/*
 * Neighbours that come free are one again, in whatever order they come; and
 * serve a request that none of them alone had room for. Hosts that map each
 * object by itself have no neighbours.
 */
static void large_merge(struct pm_test *t)
{
	static const u8 orders[][3] = {
		{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
		{ 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
	};
	size_t size = 16 * PAGE_SIZE;
	unsigned int i, j;
	char *p[5], *q;

	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		pm_trim();
		for (j = 0; j < ARRAY_SIZE(p); j++) {
			p[j] = large_malloc(size);
			PM_REQUIRE(t, p[j]);
		}
		for (j = 0; j < 3; j++)
			pm_free(p[1 + orders[i][j]]);
		q = large_malloc(3 * size);
		PM_EXPECT(t, q);
		/* Of one chunk; chunks may be neighbours by chance. */
		if (PM_CHUNK_CUTS && p[4] == p[0] + 4 * size)
			PM_EXPECT(t, q == p[1]);
		pm_free(q);
		pm_free(p[0]);
		pm_free(p[4]);
	}
}

/* Growing takes the free extent behind, as much of it as is wanted. */
static void large_grow_in_place(struct pm_test *t)
{
	size_t size = 16 * PAGE_SIZE;
	char *p, *q, *r;

	pm_trim();
	p = large_malloc(size);
	q = large_malloc(size);
	r = large_malloc(size);
	PM_REQUIRE(t, p && q && r);
	pm_test_fill(p, size, 1);
	pm_test_fill(r, size, 2);
	/* Neighbours of one chunk: other hosts know no larger ones. */
	if (PM_CHUNK_CUTS && q == p + size && r == q + size) {
		pm_free(q);
		q = pm_realloc(p, size + PAGE_SIZE);
		PM_EXPECT(t, q == p);
		q = pm_realloc(p, 2 * size);
		PM_EXPECT(t, q == p);
		PM_EXPECT_EQ(t, pm_usable_size(p), 2 * size);
		pm_test_fill(p + size, size, 3);
		PM_EXPECT(t, pm_test_filled(r, size, 2));
		/* There is no room for more. */
		q = pm_realloc(p, 3 * size);
		PM_REQUIRE(t, q);
		PM_EXPECT(t, q != p);
		PM_EXPECT(t, pm_test_filled(q + size, size, 3));
		p = q;
	} else {
		pm_free(q);
	}
	PM_EXPECT(t, pm_test_filled(p, size, 1));
	PM_EXPECT(t, pm_test_filled(r, size, 2));
	pm_free(p);
	pm_free(r);
}

/*
 * Random requests, one thread: no two live objects share a byte, all keep
 * their content, zeroes are zeroes, and figures agree with what is live.
 */
#define LARGE_SLOTS	24

struct large_slot {
	char *p;
	size_t size;		/* filled */
	size_t usable;
	u64 tag;
};

static void large_expect_apart(struct pm_test *t,
			       const struct large_slot *slots,
			       const struct large_slot *one)
{
	unsigned int i;

	for (i = 0; i < LARGE_SLOTS; i++)
		if (slots[i].p && &slots[i] != one)
			PM_EXPECT(t, slots[i].p + slots[i].usable <= one->p ||
				     one->p + one->usable <= slots[i].p);
}

static void large_model_take(struct pm_test *t, struct large_slot *slot)
{
	size_t size = PM_SMALL_MAX + 1 +
		      pm_rnd_below(&t->rnd, 1 << (12 + pm_rnd_below(&t->rnd, 9)));
	size_t align = PAGE_SIZE;

	switch (pm_rnd_below(&t->rnd, 4)) {
	case 0:
		slot->p = pm_calloc(1, size);
		PM_EXPECT(t, !slot->p || pm_test_is_zero(slot->p, size));
		break;
	case 1:
		align = PAGE_SIZE << pm_rnd_below(&t->rnd, 6);
		slot->p = pm_aligned_alloc(align, size);
		break;
	default:
		slot->p = pm_malloc(size);
	}
	if (!PM_EXPECT(t, slot->p))
		return;
	PM_EXPECT(t, IS_ALIGNED((unsigned long)slot->p, align));
	slot->size = size;
}

static void large_model_resize(struct pm_test *t, struct large_slot *slot)
{
	size_t size = PM_SMALL_MAX + 1 + pm_rnd_below(&t->rnd, 1 << 20);
	size_t keep = min_t(size_t, size, slot->size) / 8 * 8;
	char *q = pm_realloc(slot->p, size);

	if (!PM_EXPECT(t, q))
		return;
	PM_EXPECT(t, pm_test_filled(q, keep, slot->tag));
	slot->p = q;
	slot->size = size;
}

static void large_against_model(struct pm_test *t)
{
	static struct large_slot slots[LARGE_SLOTS];
	struct pm_totals before, now;
	unsigned int step, i;
	struct large_slot *slot;
	size_t live;

	memset(slots, 0, sizeof(slots));
	pm_get_totals(&before);
	for (step = 0; step < 1500; step++) {
		slot = &slots[pm_rnd_below(&t->rnd, LARGE_SLOTS)];
		if (!slot->p) {
			large_model_take(t, slot);
		} else if (pm_rnd_below(&t->rnd, 3)) {
			PM_EXPECT(t, pm_test_filled(slot->p, slot->size,
						    slot->tag));
			pm_free(slot->p);
			slot->p = NULL;
		} else {
			large_model_resize(t, slot);
		}
		if (slot->p) {
			slot->usable = pm_usable_size(slot->p);
			PM_EXPECT(t, slot->usable >= slot->size);
			large_expect_apart(t, slots, slot);
			slot->tag = pm_rnd_next(&t->rnd);
			pm_test_fill(slot->p, slot->size, slot->tag);
		}
		if (step % 100 == 99)
			pm_extents_purge();
		pm_test_yield();
	}
	for (i = 0, live = 0; i < LARGE_SLOTS; i++)
		live += slots[i].p ? slots[i].usable : 0;
	pm_get_totals(&now);
	PM_EXPECT_EQ(t, now.live, before.live + live);
	for (i = 0; i < LARGE_SLOTS; i++) {
		if (!slots[i].p)
			continue;
		PM_EXPECT(t, pm_test_filled(slots[i].p, slots[i].size,
					    slots[i].tag));
		pm_free(slots[i].p);
	}
}

static void large_crowd_main(struct pm_test_crowd *crowd, unsigned int n)
{
	struct { char *p; size_t size; } own[8] = { { NULL, 0 } };
	struct pm_rnd rnd;
	unsigned int i;

	pm_rnd_init(&rnd, crowd->t->seed, n + 1);
	while (!pm_test_crowd_done(crowd)) {
		i = pm_rnd_below(&rnd, ARRAY_SIZE(own));
		if (own[i].p) {
			PM_EXPECT(crowd->t, own[i].p[0] == (char)(n + i));
			PM_EXPECT(crowd->t, own[i].p[own[i].size - 1] ==
				  (char)(n + i));
			pm_free(own[i].p);
			own[i].p = NULL;
		} else {
			own[i].size = PM_SMALL_MAX + 1 +
				      pm_rnd_below(&rnd, 300000);
			own[i].p = pm_malloc(own[i].size);
			if (!PM_EXPECT(crowd->t, own[i].p))
				break;
			own[i].p[0] = (char)(n + i);
			own[i].p[own[i].size - 1] = (char)(n + i);
		}
		pm_test_yield();
	}
	for (i = 0; i < ARRAY_SIZE(own); i++)
		pm_free(own[i].p);
}

static void large_crowd(struct pm_test *t)
{
	struct pm_test_crowd crowd = {
		.t = t, .fn = large_crowd_main, .nr = 6,
	};

	WRITE_ONCE(pm_options.decay_ms, 20);
	pm_test_crowd_run(&crowd, NULL);
}

/* ---- pages before their use (populate.c) ------------------------------- */

#define LARGE_POPULATE	40
#define LARGE_POPULATE_SIZE (64 * PAGE_SIZE)

/*
 * Fresh blocks, of which the first @used bytes are written. Return: how many
 * of them had all of their pages when they came.
 */
static unsigned int large_populate(struct pm_test *t, size_t used)
{
	static char *block[LARGE_POPULATE];
	unsigned int n, i, full = 0;

	/* Nothing that was freed before has pages to give. */
	pm_trim();
	for (n = 0; n < LARGE_POPULATE; n++) {
		block[n] = pm_malloc(LARGE_POPULATE_SIZE);
		if (!PM_EXPECT(t, block[n]))
			break;
		full += pm_host_resident(block[n], LARGE_POPULATE_SIZE) ==
			LARGE_POPULATE_SIZE;
		memset(block[n], 1, used);
	}
	for (i = 0; i < n; i++)
		pm_free(block[i]);
	return full;
}

/* Whether memory has pages before anybody asks for them, as in a kernel. */
static bool large_always_full(struct pm_test *t)
{
	bool full;

	pm_options.populate = false;
	full = large_populate(t, 1) == LARGE_POPULATE;
	pm_options.populate = true;
	return full;
}

/*
 * Who uses all that he gets finds pages there: eight of nine bytes, once the
 * first ones were looked at. Who does not finds none soon, and never many.
 */
static void large_populate_on_credit(struct pm_test *t)
{
	unsigned int full;

	if (large_always_full(t)) {
		PM_EXPECT_EQ(t, large_populate(t, LARGE_POPULATE_SIZE), LARGE_POPULATE);
		return;
	}
	large_populate(t, 1);
	full = large_populate(t, LARGE_POPULATE_SIZE);
	PM_EXPECT(t, full >= LARGE_POPULATE / 2);
	PM_EXPECT(t, full < LARGE_POPULATE);
	/* What is left of the credit goes, and then there is none. */
	while (large_populate(t, LARGE_POPULATE_SIZE / 2) && --full)
		;
	PM_EXPECT(t, full);
	PM_EXPECT_EQ(t, large_populate(t, LARGE_POPULATE_SIZE / 2), 0);
	pm_options.populate = false;
	PM_EXPECT_EQ(t, large_populate(t, LARGE_POPULATE_SIZE), 0);
	pm_options.populate = true;
}

/* What is copied when a block grows gets its pages at once, the rest not. */
static void large_populate_copy(struct pm_test *t)
{
	bool always = large_always_full(t);
	char *p, *q;

	large_populate(t, 1);
	pm_trim();
	p = pm_malloc(LARGE_POPULATE_SIZE);
	q = pm_malloc(LARGE_POPULATE_SIZE);	/* p cannot grow in place */
	if (PM_EXPECT(t, p && q)) {
		pm_test_fill(p, LARGE_POPULATE_SIZE, 1);
		p = pm_realloc(p, 4 * LARGE_POPULATE_SIZE);
		PM_REQUIRE(t, p);
		PM_EXPECT(t, pm_test_filled(p, LARGE_POPULATE_SIZE, 1));
		PM_EXPECT_EQ(t, pm_host_resident(p + LARGE_POPULATE_SIZE,
						 3 * LARGE_POPULATE_SIZE),
			     always ? 3 * LARGE_POPULATE_SIZE : 0);
	}
	pm_free(p);
	pm_free(q);
}

static const struct pm_test_case large_cases[] = {
	PM_CASE(large, sizes),
	PM_CASE(large, reuse),
	PM_CASE(large, budget),
	PM_CASE(large, decay),
	PM_CASE(large, aligned),
	PM_CASE(large, refused),
	PM_CASE(large, resize),
	PM_CASE(large, double_free),
	PM_CASE(large, out_of_memory),
	PM_CASE(large, cache_first),
	PM_CASE(large, free_when_busy),
	PM_CASE(large, merge),
	PM_CASE(large, grow_in_place),
	PM_CASE(large, populate_on_credit),
	PM_CASE(large, populate_copy),
	PM_CASE(large, against_model),
	PM_CASE(large, crowd),
};
PM_SUITE(large);
