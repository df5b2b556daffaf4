// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Depots and batches: what magazines exchange with, between them and slabs.
 */
#include "pm_test.h"
#include "arena/depot.h"
#include "arena/arena.h"
#include "back/share.h"
#include "back/pagemap.h"
#include "base/options.h"

#define DEPOT_CLASS	12

/* Addresses that are only counted, never followed. */
static void *depot_token(unsigned long n)
{
	return (void *)(n * 16 + 16);
}

/* The latest first; from the other end the oldest first. */
static void depot_order(struct pm_test *t)
{
	struct pm_depot depot = { NULL, 0, 0 };
	void *objs[8], *got[8];
	unsigned int i;

	for (i = 0; i < 8; i++)
		objs[i] = depot_token(i);
	PM_EXPECT_EQ(t, pm_depot_take(&depot, got, 8), 0);
	PM_EXPECT_EQ(t, pm_depot_take_oldest(&depot, got, 8), 0);
	PM_EXPECT_EQ(t, pm_depot_put(&depot, DEPOT_CLASS, objs, 8), 8);
	PM_EXPECT_EQ(t, pm_depot_take(&depot, got, 3), 3);
	for (i = 0; i < 3; i++)
		PM_EXPECT(t, got[i] == objs[5 + i]);
	PM_EXPECT_EQ(t, pm_depot_take_oldest(&depot, got, 2), 2);
	PM_EXPECT(t, got[0] == objs[0] && got[1] == objs[1]);
	PM_EXPECT_EQ(t, pm_depot_take(&depot, got, 8), 3);
	for (i = 0; i < 3; i++)
		PM_EXPECT(t, got[i] == objs[2 + i]);
	pm_depot_destroy(&depot, DEPOT_CLASS);
}

/* A full depot says how much it took; every class has a bounded one. */
static void depot_full(struct pm_test *t)
{
	struct pm_depot depot = { NULL, 0, 0 };
	unsigned int class, capacity, n, i;
	void *objs[PM_BATCH_MAX];

	for (class = 1; class < PM_NR_SLAB_CLASSES; class++) {
		capacity = pm_depot_capacity(class);
		PM_EXPECT(t, capacity >= 2U * pm_classes[class].batch);
		PM_EXPECT(t, capacity <= PM_DEPOT_MAX_OBJECTS);
		PM_EXPECT(t, (size_t)capacity * pm_classes[class].size <=
			     PM_DEPOT_MAX_BYTES);
		for (i = 0; i < PM_BATCH_MAX; i++)
			objs[i] = depot_token(i);
		for (n = 0; n < capacity; n += i) {
			i = pm_depot_put(&depot, class, objs, PM_BATCH_MAX);
			if (!PM_EXPECT_EQ(t, i, min_t(unsigned int,
						      PM_BATCH_MAX,
						      capacity - n)))
				break;
		}
		PM_EXPECT_EQ(t, pm_depot_put(&depot, class, objs, 1), 0);
		PM_EXPECT_EQ(t, depot.nr, capacity);
		depot.nr = 0;
		pm_depot_destroy(&depot, class);
	}
}

/* @low is the fewest since it was set. */
static void depot_low(struct pm_test *t)
{
	struct pm_depot depot = { NULL, 0, 0 };
	void *objs[64];
	unsigned int i;

	for (i = 0; i < 64; i++)
		objs[i] = depot_token(i);
	pm_depot_put(&depot, DEPOT_CLASS, objs, 64);
	depot.low = depot.nr;
	pm_depot_take(&depot, objs, 10);
	PM_EXPECT_EQ(t, depot.low, 54);
	pm_depot_put(&depot, DEPOT_CLASS, objs, 10);
	PM_EXPECT_EQ(t, depot.low, 54);
	pm_depot_take_oldest(&depot, objs, 20);
	PM_EXPECT_EQ(t, depot.low, 44);
	pm_depot_take(&depot, objs, 64);
	PM_EXPECT_EQ(t, depot.low, 0);
	pm_depot_destroy(&depot, DEPOT_CLASS);
}

/* ---- spare batches ----------------------------------------------------- */

/* More than there can be. */
static struct pm_batch *depot_all[4096];

/*
 * No batch has two users at a time; @nr says who has it. Few spares and no
 * pause: a batch that was read as the head is often elsewhere, and often the
 * head again, when the exchange comes.
 */
static void depot_spares_take(struct pm_test *t, struct pm_batch **batch,
			      unsigned int user)
{
	*batch = pm_batch_get();
	if (!*batch)
		return;
	if (unlikely(READ_ONCE((*batch)->nr)))
		PM_EXPECT_EQ(t, (*batch)->nr, 0);
	WRITE_ONCE((*batch)->nr, user);
}

static void depot_spares_give(struct pm_test *t, struct pm_batch *batch,
			      unsigned int user)
{
	if (!batch)
		return;
	if (unlikely(READ_ONCE(batch->nr) != user))
		PM_EXPECT_EQ(t, batch->nr, user);
	WRITE_ONCE(batch->nr, 0);
	pm_batch_put(batch);
}

static void depot_spares_main(struct pm_test_crowd *crowd, unsigned int n)
{
	struct pm_test *t = crowd->t;
	struct pm_batch *a, *b, *c;
	unsigned int i;

	while (!pm_test_crowd_done(crowd)) {
		for (i = 0; i < 1000; i++) {
			depot_spares_take(t, &a, n + 1);
			depot_spares_take(t, &b, n + 1);
			depot_spares_give(t, a, n + 1);
			depot_spares_take(t, &c, n + 1);
			depot_spares_give(t, n % 2 ? b : c, n + 1);
			depot_spares_give(t, n % 2 ? c : b, n + 1);
		}
		pm_test_yield();
	}
}

/* Take all spare batches, behind the @n that were taken. Return: how many they are. */
static unsigned int depot_spares_drain(unsigned int n)
{
	for (; n < ARRAY_SIZE(depot_all); n++) {
		depot_all[n] = pm_batch_get();
		if (!depot_all[n])
			break;
		WRITE_ONCE(depot_all[n]->nr, 0);
	}
	return n;
}

static void depot_spares(struct pm_test *t)
{
	struct pm_test_crowd crowd = {
		.t = t, .fn = depot_spares_main, .nr = 4,
	};
	struct pm_batch **all = depot_all;
	unsigned int n, before, i;

	n = depot_spares_drain(0);
	do {
		before = n;
		pm_batch_provide(GFP_KERNEL);
		n = depot_spares_drain(n);
		/* As many as a page has room for, or a piece of memory. */
		PM_REQUIRE(t, n - before >= 3 && n - before <= 14);
	} while (n <= 4);
	for (i = 0; i < 4; i++)
		pm_batch_put(all[--n]);
	pm_test_crowd_run(&crowd, NULL);
	/* Those four are there still, and no others. */
	for (i = 0; i < 5; i++) {
		struct pm_batch *batch = pm_batch_get();

		PM_EXPECT_EQ(t, batch != NULL, i < 4);
		if (batch)
			all[n++] = batch;
	}
	while (n--)
		pm_batch_put(all[n]);
}

/* ---- batches and arenas ------------------------------------------------ */

static bool depot_all_different(void **objs, unsigned int n)
{
	unsigned int i, j;

	for (i = 0; i < n; i++)
		for (j = i + 1; j < n; j++)
			if (objs[i] == objs[j])
				return false;
	return true;
}

/* A batch goes into the depot, untouched, and comes out of it again. */
static void depot_batch(struct pm_test *t)
{
	struct pm_arena *arena = pm_test_arena(0);
	void *objs[PM_BATCH_MAX], *again[PM_BATCH_MAX];
	unsigned int n = PM_BATCH_MAX, i;

	PM_REQUIRE(t, arena);
	PM_EXPECT_EQ(t, __pm_malloc_lock(DEPOT_CLASS, objs, n,
					     GFP_KERNEL), n);
	PM_EXPECT(t, depot_all_different(objs, n));
	PM_EXPECT_EQ(t, READ_ONCE(arena->depot[DEPOT_CLASS].nr), 0);
	for (i = 0; i < n; i++)
		pm_test_fill(objs[i], pm_classes[DEPOT_CLASS].size, i);
	pm_free_lock_batch(DEPOT_CLASS, objs, n);
	PM_EXPECT_EQ(t, READ_ONCE(arena->depot[DEPOT_CLASS].nr), n);
	PM_EXPECT_EQ(t, __pm_malloc_lock(DEPOT_CLASS, again, n,
					     GFP_KERNEL), n);
	PM_EXPECT_EQ(t, READ_ONCE(arena->depot[DEPOT_CLASS].nr), 0);
	for (i = 0; i < n; i++) {
		PM_EXPECT(t, again[i] == objs[i]);
		PM_EXPECT(t, pm_test_filled(again[i],
					    pm_classes[DEPOT_CLASS].size, i));
	}
	pm_free_lock_batch(DEPOT_CLASS, again, n);
}

/* Batches of many classes go home. */
static void depot_many_classes(struct pm_test *t)
{
	void *objs[PM_BATCH_MAX];
	unsigned int class, n;

	for (class = 1; class < PM_NR_SLAB_CLASSES; class++) {
		n = __pm_malloc_lock(class, objs, pm_classes[class].batch, GFP_KERNEL);
		if (PM_EXPECT(t, n))
			pm_free_lock_batch(class, objs, n);
	}
}

/* All depots of an arena have its share; and when it shrinks so do they. */
static void depot_share(struct pm_test *t)
{
	struct pm_arena *arena = pm_test_arena(0);
	size_t before;

	PM_REQUIRE(t, arena);
	WRITE_ONCE(pm_options.decay_ms, 1UL << 40);
	depot_many_classes(t);
	before = READ_ONCE(arena->depot_bytes);
	PM_EXPECT(t, before > (512UL << 10));
	PM_EXPECT(t, before <= pm_share_of_depots());
	WRITE_ONCE(pm_options.cache_bytes, 1UL << 20);
	pm_share_set_live(0);
	PM_EXPECT(t, pm_share_of_depots() <= (512UL << 10));
	/* Nothing more has room. */
	depot_many_classes(t);
	PM_EXPECT(t, READ_ONCE(arena->depot_bytes) <= before);
	WRITE_ONCE(pm_options.decay_ms, 0);
	while (READ_ONCE(arena->depot_bytes) > pm_share_of_depots()) {
		before = READ_ONCE(arena->depot_bytes);
		pm_arena_lock(arena, PM_CLASS_NONE);
		pm_arena_decay(arena);
		pm_arena_unlock(arena);
		if (!PM_EXPECT(t, READ_ONCE(arena->depot_bytes) < before))
			break;
	}
	/* What is live counts. */
	pm_share_set_live(1UL << 30);
	PM_EXPECT(t, pm_share_of_depots() >= (64UL << 20) / pm_arena_table_size);
	WRITE_ONCE(pm_options.cache_bytes, 32UL << 20);
	pm_share_set_live(0);
}

/* The owner's lock is busy: the whole batch waits in its inbox. */
static void depot_inbox(struct pm_test *t)
{
	struct pm_test_holder holder;
	struct pm_arena *arena;
	void *objs[32], *p;

	arena = pm_test_arena(0);
	PM_REQUIRE(t, arena);
	pm_batch_provide(GFP_KERNEL);
	PM_EXPECT_EQ(t, __pm_malloc_lock(DEPOT_CLASS, objs, 32,
					     GFP_KERNEL), 32);
	PM_REQUIRE(t, pm_test_hold(&holder, arena));
	pm_free_lock_batch(DEPOT_CLASS, objs, 32);
	PM_EXPECT(t, !llist_empty(&arena->inbox));
	PM_EXPECT_EQ(t, arena->depot[DEPOT_CLASS].nr, 0);
	pm_test_release_lock(&holder);
	p = pm_test_malloc_lock(DEPOT_CLASS);
	PM_EXPECT(t, llist_empty(&arena->inbox));
	PM_EXPECT_EQ(t, READ_ONCE(arena->depot[DEPOT_CLASS].nr), 31);
	PM_EXPECT(t, p == objs[31]);
	if (p)
		PM_EXPECT_EQ(t, pm_test_free_lock(p), PM_SLAB_OK);
}

/* Without a spare batch each object finds home by itself. */
static void depot_no_spares(struct pm_test *t)
{
	struct pm_batch **all = depot_all;
	struct pm_test_holder holder;
	struct pm_test_ref ref;
	struct pm_arena *arena;
	unsigned int n, i;
	void *objs[32];

	arena = pm_test_arena(0);
	PM_REQUIRE(t, arena);
	PM_EXPECT_EQ(t, __pm_malloc_lock(DEPOT_CLASS, objs, 32,
					     GFP_KERNEL), 32);
	for (n = 0; n < ARRAY_SIZE(depot_all); n++) {
		all[n] = pm_batch_get();
		if (!all[n])
			break;
	}
	if (PM_EXPECT(t, pm_test_hold(&holder, arena))) {
		pm_free_lock_batch(DEPOT_CLASS, objs, 32);
		PM_EXPECT(t, llist_empty(&arena->inbox));
		for (i = 0; i < 32; i++)
			if (PM_EXPECT(t, pm_test_resolve(objs[i], &ref)))
				PM_EXPECT(t, test_bit(ref.index,
						      ref.slab->remote));
		pm_test_release_lock(&holder);
	}
	while (n--)
		pm_batch_put(all[n]);
}

/* A batch goes by its first object; all of its objects find home. */
static void depot_mixed_owners(struct pm_test *t)
{
	struct pm_arena *first, *second;
	void *objs[32];
	unsigned int i;

	if (!pm_test_two_arenas(t, &first, &second))
		return;
	pm_test_pick(second->id);
	PM_EXPECT_EQ(t, __pm_malloc_lock(DEPOT_CLASS, objs + 16, 16,
					     GFP_KERNEL), 16);
	pm_test_pick(first->id);
	PM_EXPECT_EQ(t, __pm_malloc_lock(DEPOT_CLASS, objs, 16,
					     GFP_KERNEL), 16);
	PM_EXPECT_EQ(t, pm_test_owner(objs[0]), first->id);
	PM_EXPECT_EQ(t, pm_test_owner(objs[31]), second->id);
	pm_free_lock_batch(DEPOT_CLASS, objs, 32);
	PM_EXPECT_EQ(t, READ_ONCE(first->depot[DEPOT_CLASS].nr), 32);
	PM_EXPECT_EQ(t, READ_ONCE(second->depot[DEPOT_CLASS].nr), 0);
	pm_trim();
	for (i = 0; i < 32; i++)
		PM_EXPECT_EQ(t, pm_pagemap_class(objs[i]), 0);
}

/* What a depot has no room for goes to slabs at once. */
static void depot_overflows(struct pm_test *t)
{
	unsigned int class = pm_class_of(PM_SMALL_MAX), n, i;
	unsigned int capacity = pm_depot_capacity(class);
	struct pm_arena *arena;
	static void *objs[512];

	arena = pm_test_arena(0);
	PM_REQUIRE(t, arena);
	PM_REQUIRE(t, capacity + 8 <= ARRAY_SIZE(objs));
	for (n = 0; n < capacity + 8; n += i) {
		i = __pm_malloc_lock(class, objs + n, 1, GFP_KERNEL);
		if (!PM_EXPECT(t, i))
			break;
	}
	for (i = 0; i < n; i++)
		pm_free_lock_batch(class, objs + i, 1);
	PM_EXPECT_EQ(t, READ_ONCE(arena->depot[class].nr),
		     min_t(unsigned int, n, capacity));
	PM_EXPECT_EQ(t, READ_ONCE(arena->nr_out[class]),
		     min_t(unsigned int, n, capacity));
}

/* A trim gives the memory of depots back, too. */
static void depot_trim(struct pm_test *t)
{
	enum { OBJECTS = 4000, SIZE = 80 };
	static void *objs[OBJECTS];
	struct pm_arena *arena;
	unsigned int i, class, before = 0, after = 0;
	int idx;

	for (i = 0; i < OBJECTS; i++)
		objs[i] = pm_test_malloc_lock(pm_class_of(SIZE));
	for (i = 0; i < OBJECTS; i += 2)
		if (PM_EXPECT(t, objs[i] && objs[i + 1]))
			pm_free_lock_batch(pm_class_of(SIZE), objs + i, 2);
	idx = pm_test_read_lock();
	pm_for_each_arena(arena)
		before += arena->depot[pm_class_of(SIZE)].objs != NULL;
	srcu_read_unlock(&pm_srcu, idx);
	PM_EXPECT(t, before > 0);
	pm_trim();
	idx = pm_test_read_lock();
	pm_for_each_arena(arena)
		for (class = 1; class < PM_NR_CLASSES; class++)
			after += arena->depot[class].objs != NULL;
	srcu_read_unlock(&pm_srcu, idx);
	PM_EXPECT_EQ(t, after, 0);
}

static const struct pm_test_case depot_cases[] = {
	PM_CASE(depot, order),
	PM_CASE(depot, full),
	PM_CASE(depot, low),
	PM_CASE(depot, spares),
	PM_CASE(depot, batch),
	PM_CASE(depot, share),
	PM_CASE(depot, inbox),
	PM_CASE(depot, no_spares),
	PM_CASE(depot, mixed_owners),
	PM_CASE(depot, overflows),
	PM_CASE(depot, trim),
};
PM_SUITE(depot);
