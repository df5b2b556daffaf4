// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What a request says of its context: zeroes, no sleep, somebody who is charged; and
 * what the host says of all requests: init_on_alloc and init_on_free.
 *
 * A process has less of all that, and the cases say of which host they ask what.
 */
#include "pm_test.h"
#include "api/core.h"
#include "api/cache.h"
#include "back/large.h"
#include "back/mark.h"
#include "back/span.h"
#include "base/options.h"
#include "front/drain.h"
#include "front/visit.h"
#include "upkeep/pressure.h"

/* Of each way to serve a request one, and what is next to the borders. */
static const size_t gfp_sizes[] = {
	1, 16, 100, 2048, 4096, 16384, 16385, PM_SMALL_MAX, PM_SMALL_MAX + 1, 100000,
	PM_SPAN_MAX, PM_SPAN_MAX + 1, 3000000,
};

#define GFP_SIZES	ARRAY_SIZE(gfp_sizes)
#define GFP_OBJS	40

static void *gfp_objs[GFP_OBJS];

static unsigned int gfp_count(size_t size)
{
	return size <= PM_SMALL_MAX ? GFP_OBJS : 3;
}

/* ---- zeroes ------------------------------------------------------------ */

/* Objects of a size are written all over, and freed. */
static void gfp_dirty(struct pm_test *t, size_t size, size_t align)
{
	unsigned int i, n = gfp_count(size);

	for (i = 0; i < n; i++) {
		gfp_objs[i] = pm_alloc(size, align, GFP_KERNEL);
		if (PM_EXPECT(t, gfp_objs[i]))
			memset(gfp_objs[i], 0xa5, pm_usable_size(gfp_objs[i]));
	}
	for (i = 0; i < n; i++)
		pm_free(gfp_objs[i]);
}

/* ... and then asked for as zeroes. */
static void gfp_expect_zero(struct pm_test *t, size_t size, size_t align, gfp_t gfp)
{
	unsigned int i, n = gfp_count(size);

	for (i = 0; i < n; i++) {
		gfp_objs[i] = pm_alloc(size, align, GFP_KERNEL | gfp);
		if (!PM_EXPECT(t, gfp_objs[i]))
			continue;
		PM_EXPECT(t, pm_test_is_zero(gfp_objs[i], size));
		PM_EXPECT(t, IS_ALIGNED((unsigned long)gfp_objs[i], align));
		memset(gfp_objs[i], 0x5a, pm_usable_size(gfp_objs[i]));
	}
	for (i = 0; i < n; i++)
		pm_free(gfp_objs[i]);
}

/* From magazines, from depots and slabs, and from what another class had. */
static void gfp_zero(struct pm_test *t)
{
	static const size_t aligns[] = { 1, 64, 4096, 65536 };
	unsigned int i, a;

	for (i = 0; i < GFP_SIZES; i++)
		for (a = 0; a < ARRAY_SIZE(aligns); a++) {
			gfp_dirty(t, gfp_sizes[i], aligns[a]);
			gfp_expect_zero(t, gfp_sizes[i], aligns[a], __GFP_ZERO);
			gfp_dirty(t, gfp_sizes[i], aligns[a]);
			pm_mag_drain_all();
			gfp_expect_zero(t, gfp_sizes[i], aligns[a], __GFP_ZERO);
			gfp_expect_zero(t, gfp_sizes[(i + 3) % GFP_SIZES],
					aligns[a], __GFP_ZERO);
		}
}

/* Of a cache, too, where there is no constructor. */
static void gfp_zero_cache(struct pm_test *t)
{
	struct pm_cache *cache = pm_cache_create("gfp", 200, 0, 0, NULL);
	unsigned int i, round;

	PM_REQUIRE(t, cache);
	for (round = 0; round < 2; round++) {
		for (i = 0; i < GFP_OBJS; i++) {
			gfp_objs[i] = pm_cache_alloc_inline(cache, GFP_KERNEL |
							    __GFP_ZERO);
			if (!PM_EXPECT(t, gfp_objs[i]))
				continue;
			PM_EXPECT(t, pm_test_is_zero(gfp_objs[i], 200));
			memset(gfp_objs[i], 0xa5, 200);
		}
		for (i = 0; i < GFP_OBJS; i++)
			pm_cache_free(cache, gfp_objs[i]);
	}
	PM_EXPECT_EQ(t, pm_cache_destroy(cache), 0);
}

/* ---- init_on_alloc and init_on_free ------------------------------------ */

/* Bytes of free extents. */
static size_t gfp_cached(void)
{
	struct pm_large_stats st;

	pm_large_get_stats(&st);
	return st.cached;
}

/* What realloc() adds reads as zero, where all that is handed out does. */
static void gfp_grown(struct pm_test *t)
{
	size_t size, old;
	char *p = NULL, *q;

	pm_test_say("# init_on_alloc %d, init_on_free %d", want_init_on_alloc(0),
		    want_init_on_free());
	for (size = 24, old = 0; size < 5000000; size += size / 3) {
		gfp_dirty(t, size, 1);
		q = pm_realloc(p, size);
		if (!PM_EXPECT(t, q))
			break;
		p = q;
		size = pm_usable_size(p);
		if (want_init_on_alloc(0))
			PM_EXPECT(t, pm_test_is_zero(p + old, size - old));
		memset(p, 0xa5, size);
		old = size;
	}
	pm_free(p);
}

/* Free objects keep nothing but what says that they are free: in magazines. */
static void gfp_wiped(struct pm_test *t)
{
	unsigned int i;
	size_t usable;
	u64 *p;

	for (i = 0; i < GFP_SIZES && gfp_sizes[i] <= PM_SPAN_MAX; i++) {
		p = pm_malloc(gfp_sizes[i]);
		PM_REQUIRE(t, p);
		usable = pm_usable_size(p);
		memset(p, 0xa5, usable);
		pm_free(p);
		if (!want_init_on_free() || !pm_is_marked(p))
			continue;
		PM_EXPECT_EQ(t, p[0], 0);
		PM_EXPECT(t, pm_test_is_zero(p + 2, usable - 16));
	}
}

/* Nor do extents: large objects, and what a shorter one leaves behind. */
static void gfp_wiped_large(struct pm_test *t)
{
	size_t before, size;
	char *p;

	for (size = 3 << 20; size > PM_SPAN_MAX; size -= 1 << 20) {
		pm_extents_purge();
		p = pm_malloc(size);
		PM_REQUIRE(t, p);
		memset(p, 0xa5, size);
		before = gfp_cached();
		PM_EXPECT(t, pm_realloc(p, size / 2) == p);
		if (want_init_on_free() && gfp_cached() > before)
			PM_EXPECT(t, pm_test_is_zero(p + size / 2, size / 2));
		before = gfp_cached();
		pm_free(p);
		if (want_init_on_free() && gfp_cached() > before)
			PM_EXPECT(t, pm_test_is_zero(p, size / 2));
	}
}

#define GFP_STATE	0x5747415445ULL

static void gfp_construct(void *obj)
{
	*(u64 *)obj = GFP_STATE;
}

/*
 * A constructor's state is not wiped as long as it is the cache's, and is when others
 * may have the memory.
 */
static void gfp_wiped_state(struct pm_test *t)
{
	struct pm_cache *cache = pm_cache_create("gfp", 200, 0, 0, gfp_construct);
	struct pm_test_ref ref;
	unsigned int i, round;

	PM_REQUIRE(t, cache);
	for (round = 0; round < 2; round++) {
		for (i = 0; i < GFP_OBJS; i++) {
			gfp_objs[i] = pm_cache_alloc(cache);
			if (PM_EXPECT(t, gfp_objs[i]))
				PM_EXPECT_EQ(t, *(u64 *)gfp_objs[i], GFP_STATE);
		}
		for (i = 0; i < GFP_OBJS; i++)
			pm_cache_free(cache, gfp_objs[i]);
	}
	/* Its heap stays where it is as long as this object is. */
	gfp_objs[1] = pm_malloc(100);
	PM_EXPECT(t, pm_cache_shrink(cache));
	if (want_init_on_free() && gfp_objs[1] && pm_test_resolve(gfp_objs[1], &ref) &&
	    pm_pagemap_heap(gfp_objs[0]) == ref.heap)
		PM_EXPECT_EQ(t, *(u64 *)gfp_objs[0], 0);
	pm_free(gfp_objs[1]);
	PM_EXPECT_EQ(t, pm_cache_destroy(cache), 0);
}

/* ---- no sleep ---------------------------------------------------------- */

/* What there is at hand without a lock; and a free. How many requests were served. */
static unsigned int gfp_serve(struct pm_test *t)
{
	unsigned int i, got = 0;
	void *p;

	for (i = 0; i < GFP_SIZES; i++) {
		p = pm_alloc(gfp_sizes[i], 1, GFP_NOWAIT | (i % 2 ? __GFP_ZERO : 0));
		got += p != NULL;
		if (p && i % 2)
			PM_EXPECT(t, pm_test_is_zero(p, gfp_sizes[i]));
		if (p)
			memset(p, 0xa5, gfp_sizes[i]);
		pm_free(p);
	}
	return got;
}

/* Every lock is held, by the very thread that asks: it would wait for ever. */
static void gfp_nowait(struct pm_test *t)
{
	unsigned int i, got;
	void *p[GFP_SIZES];

	pm_test_pin(0);
	for (i = 0; i < GFP_SIZES; i++) {
		gfp_dirty(t, gfp_sizes[i], 1);
		p[i] = pm_malloc(gfp_sizes[i]);
		PM_EXPECT(t, p[i]);
	}
	mutex_lock(&pm_registry);
	pm_arena_lock_all();
	pm_mag_lock_all();
	pm_extents_lock_all();
	got = gfp_serve(t);
	for (i = 0; i < GFP_SIZES; i++)
		pm_free(p[i]);
	got += gfp_serve(t);
	pm_extents_unlock_all(false);
	pm_mag_unlock_all();
	pm_arena_unlock_all();
	mutex_unlock(&pm_registry);
	/* Large ones come from no magazine; small ones should have. */
	PM_EXPECT(t, !pm_options.magazine || got > 2);
	PM_EXPECT(t, got <= 2 * (GFP_SIZES - 2));
}

/* Bytes of free extents that have pages. */
static size_t gfp_kept(void)
{
	struct pm_large_stats st;

	pm_large_get_stats(&st);
	return st.dirty;
}

/* Giving back may sleep: it is left to the next one who may. */
static void gfp_nowait_no_visit(struct pm_test *t)
{
	unsigned long decay_ms = pm_options.decay_ms;
	unsigned int i;
	size_t kept;
	void *p;

	PM_NEED_MAGAZINES(t);
	pm_test_pin(0);
	pm_free(pm_malloc(16));
	for (i = 0; i < 6; i++)
		gfp_objs[i] = pm_malloc(2 << 20);
	for (i = 0; i < 6; i++)
		pm_free(gfp_objs[i]);
	kept = gfp_kept();
	PM_EXPECT(t, kept > 8 << 20);
	WRITE_ONCE(pm_options.decay_ms, 0);
	/* What somebody saw in this tick of the coarse clock counts until the next one. */
	pm_test_sleep_ms(20);
	pm_mag_set_all_aside();
	p = pm_alloc(16, 1, GFP_NOWAIT);
	PM_EXPECT(t, p);
	PM_EXPECT_EQ(t, gfp_kept(), kept);
	pm_free(p);
	PM_EXPECT(t, gfp_kept() < kept);
	WRITE_ONCE(pm_options.decay_ms, decay_ms);
}

struct gfp_atomic {
	struct pm_test *t;
	void *p[GFP_SIZES];
	unsigned int got;
};

/* In a context that may not sleep: free what is there, and ask. */
static void gfp_in_atomic(void *arg)
{
	struct gfp_atomic *a = arg;
	unsigned int i;

	for (i = 0; i < GFP_SIZES; i++)
		pm_free(a->p[i]);
	a->got += gfp_serve(a->t);
	for (i = 0; i < GFP_SIZES; i++)
		a->p[i] = pm_alloc(gfp_sizes[i], 1, GFP_NOWAIT | __GFP_ACCOUNT);
}

/*
 * With a spinlock held, in an RCU section, in an interrupt. A host that sees a thread go
 * to sleep there says so.
 */
static void gfp_atomic(struct pm_test *t)
{
	struct gfp_atomic a = { .t = t };
	unsigned int i, context;

	for (context = 0; context < PM_TEST_CONTEXTS; context++) {
		for (i = 0; i < GFP_SIZES; i++) {
			a.p[i] = pm_malloc(gfp_sizes[i]);
			PM_EXPECT(t, a.p[i]);
		}
		pm_test_in_context(context, gfp_in_atomic, &a);
		for (i = 0; i < GFP_SIZES; i++)
			pm_free(a.p[i]);
	}
	PM_EXPECT(t, !pm_options.magazine || a.got);
}

/* ---- charged ----------------------------------------------------------- */

/* Bytes of heaps and large objects. */
static size_t gfp_mapped(void)
{
	struct pm_totals totals;

	pm_get_totals(&totals);
	return totals.mapped;
}

/* Pages of their own, no more than needed, which go back at once. */
static void gfp_account(struct pm_test *t)
{
	size_t before, usable;
	unsigned int i;
	char *p;

	for (i = 0; i < GFP_SIZES; i++) {
		gfp_expect_zero(t, gfp_sizes[i], 1, __GFP_ACCOUNT | __GFP_ZERO);
		gfp_expect_zero(t, gfp_sizes[i], 65536, __GFP_ACCOUNT | __GFP_ZERO);
		before = gfp_mapped();
		p = pm_alloc(gfp_sizes[i], 1, GFP_KERNEL | __GFP_ACCOUNT);
		PM_REQUIRE(t, p);
		usable = pm_usable_size(p);
		PM_EXPECT(t, usable >= gfp_sizes[i]);
		memset(p, 0xa5, usable);
		if (__GFP_ACCOUNT) {
			PM_EXPECT_EQ(t, usable, ALIGN(gfp_sizes[i], PAGE_SIZE));
			PM_EXPECT(t, IS_ALIGNED((unsigned long)p, PAGE_SIZE));
			PM_EXPECT_EQ(t, gfp_mapped(), before + usable);
		}
		pm_free_sized(p, gfp_sizes[i]);
		if (__GFP_ACCOUNT)
			PM_EXPECT_EQ(t, gfp_mapped(), before);
	}
}

/* A charged object stays one, whatever realloc() makes of it. */
static void gfp_account_realloc(struct pm_test *t)
{
	static const size_t sizes[] = { 100, 5000, 3000, 200000, 190000, 50000, 4000000, 10 };
	size_t before = gfp_mapped();
	char *p = pm_alloc(10, 1, GFP_KERNEL | __GFP_ACCOUNT), *q;
	size_t keep = 10, usable;
	unsigned int i;

	PM_REQUIRE(t, p);
	pm_test_fill(p, keep, 1);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		q = pm_realloc(p, sizes[i]);
		if (!PM_EXPECT(t, q))
			break;
		p = q;
		PM_EXPECT(t, pm_test_filled(p, min_t(size_t, keep, sizes[i]), 1));
		keep = sizes[i];
		pm_test_fill(p, keep, 1);
		usable = pm_usable_size(p);
		PM_EXPECT(t, usable >= keep);
		if (__GFP_ACCOUNT)
			PM_EXPECT_EQ(t, gfp_mapped(), before + usable);
	}
	pm_free(p);
	if (__GFP_ACCOUNT)
		PM_EXPECT_EQ(t, gfp_mapped(), before);
}

/* ---- others are short of memory ---------------------------------------- */

static void gfp_pressure_fill(struct pm_test *t)
{
	unsigned int i;

	for (i = 0; i < GFP_SIZES; i++)
		gfp_dirty(t, gfp_sizes[i], 1);
}

/* All that is free goes, and what is behind a lock is left, and told. */
static void gfp_pressure(struct pm_test *t)
{
	struct pm_test_holder holder;
	struct pm_arena *arena;
	bool busy = false;
	size_t before;

	pm_test_pin(0);
	pm_test_pick(pm_test_id(0));
	gfp_pressure_fill(t);
	arena = pm_test_arena(0);
	PM_REQUIRE(t, arena);
	before = gfp_mapped();
	PM_EXPECT(t, pm_pressure_free() > 1 << 20);
	/* This thread holds a lock, as in the middle of a request. */
	pm_arena_lock_uncounted(arena);
	PM_EXPECT(t, pm_pressure_give_back(SIZE_MAX, &busy));
	pm_arena_unlock(arena);
	PM_EXPECT(t, busy);
	PM_EXPECT(t, gfp_mapped() < before);
	gfp_pressure_fill(t);
	if (PM_EXPECT(t, pm_test_hold(&holder, arena))) {
		busy = false;
		pm_pressure_give_back(SIZE_MAX, &busy);
		PM_EXPECT(t, busy);
		pm_test_release_lock(&holder);
	}
	pm_pressure_give_back(SIZE_MAX, &busy);
	PM_EXPECT(t, pm_pressure_free() < 1 << 20);
}

/* A little is asked for, and not all goes. */
static void gfp_pressure_little(struct pm_test *t)
{
	size_t before, bytes, size = 1 << 20;
	unsigned int i;
	bool busy;

	pm_trim();
	for (i = 0; i < GFP_OBJS; i++)
		gfp_objs[i] = pm_malloc(2 * size);
	/* Every second one: those that are free have no free neighbours. */
	for (i = 0; i < GFP_OBJS; i += 2)
		pm_free(gfp_objs[i]);
	before = pm_pressure_free();
	bytes = pm_pressure_give_back(size, &busy);
	PM_EXPECT(t, bytes >= size);
	PM_EXPECT(t, before < 8 * size || bytes <= before / 2);
	for (i = 1; i < GFP_OBJS; i += 2)
		pm_free(gfp_objs[i]);
}

static const struct pm_test_case gfp_cases[] = {
	PM_CASE(gfp, zero),
	PM_CASE(gfp, zero_cache),
	PM_CASE(gfp, grown),
	PM_CASE(gfp, wiped),
	PM_CASE(gfp, wiped_large),
	PM_CASE(gfp, wiped_state),
	PM_CASE(gfp, nowait),
	PM_CASE(gfp, nowait_no_visit),
	PM_CASE(gfp, atomic),
	PM_CASE(gfp, account),
	PM_CASE(gfp, account_realloc),
	PM_CASE(gfp, pressure),
	PM_CASE(gfp, pressure_little),
};

PM_SUITE(gfp);
