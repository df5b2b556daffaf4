// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Giving back: what was not needed goes after the decay time, what is beyond
 * the bound at once and within an allowance, and what one arena does not need
 * serves another one.
 */
#include "pm_test.h"
#include "arena/decay.h"
#include "back/class.h"
#include "back/keep.h"
#include "base/options.h"
#include "front/drain.h"
#include "front/visit.h"
#include "api/stats.h"

#define GIVEBACK_SIZE	1000
#define GIVEBACK_BYTES	(24UL << 20)
#define GIVEBACK_OBJS	(GIVEBACK_BYTES / GIVEBACK_SIZE)

/* Build and free: all objects live at once. */
static bool giveback_cycle(struct pm_test *t, void **objs)
{
	unsigned int i, n;

	for (n = 0; n < GIVEBACK_OBJS; n++) {
		objs[n] = pm_malloc(GIVEBACK_SIZE);
		if (!objs[n])
			break;
		memset(objs[n], 1, GIVEBACK_SIZE);
	}
	for (i = 0; i < n; i++)
		pm_free(objs[i]);
	return PM_EXPECT_EQ(t, n, GIVEBACK_OBJS);
}

static void **giveback_begin(struct pm_test *t)
{
	void **objs = pm_test_zalloc(GIVEBACK_OBJS * sizeof(*objs));

	PM_EXPECT(t, objs);
	return objs;
}

static void giveback_end(void **objs)
{
	pm_test_release(objs, GIVEBACK_OBJS * sizeof(*objs));
}

/* What an arena needed in between it keeps; what it did not need goes. */
static void giveback_unneeded(struct pm_test *t)
{
	struct pm_arena *arena = pm_test_arena_make();
	struct pm_slab *slab[4];
	struct pm_heap *heap;
	unsigned int i;

	PM_REQUIRE(t, arena);
	heap = pm_arena_map_heap(arena, 1, GFP_KERNEL);
	if (!PM_EXPECT(t, heap))
		goto out;
	for (i = 0; i < ARRAY_SIZE(slab); i++) {
		slab[i] = pm_test_cut_slab(heap, 1);
		if (!PM_EXPECT(t, slab[i]))
			goto out;
	}
	WRITE_ONCE(pm_options.decay_ms, 0);
	for (i = 0; i < ARRAY_SIZE(slab); i++)
		pm_arena_put_slab(arena, slab[i]);
	PM_EXPECT_EQ(t, arena->dirty_units, 4);
	/* They were all in use when the last decay was. */
	PM_EXPECT(t, pm_arena_decay(arena));
	PM_EXPECT_EQ(t, arena->dirty_units, 4);
	/* Three are needed, and come free again. */
	for (i = 0; i < 3; i++)
		PM_EXPECT(t, pm_test_cut_slab(heap, 1) == slab[i]);
	PM_EXPECT_EQ(t, arena->dirty_units, 1);
	for (i = 0; i < 3; i++)
		pm_arena_put_slab(arena, slab[i]);
	PM_EXPECT_EQ(t, pm_arena_kept(arena), 4 * PM_UNIT_SIZE);
	PM_EXPECT(t, pm_arena_decay(arena));
	/* A host that takes whole heaps only keeps the one, and it is not counted. */
	if (arena->stats.purged)
		PM_EXPECT_EQ(t, arena->dirty_units, 3);
	PM_EXPECT_EQ(t, pm_arena_kept(arena), 3 * PM_UNIT_SIZE);
	PM_EXPECT(t, pm_arena_decay(arena));
	PM_EXPECT_EQ(t, pm_arena_kept(arena), 0);
	WRITE_ONCE(pm_options.decay_ms, 3600 * 1000);
	PM_EXPECT(t, !pm_arena_decay(arena));
out:
	pm_test_arena_drop(arena);
}

/* Beyond the bound memory goes as it is freed, by nobody but who frees it. */
static void giveback_at_once(struct pm_test *t)
{
	void **objs = giveback_begin(t);
	unsigned int tries;
	size_t kept = 0;

	PM_REQUIRE(t, objs);
	WRITE_ONCE(pm_options.keep, 2UL << 20);
	/* Cases before this one may have used the allowance. */
	for (tries = 0; tries < 100; tries++) {
		pm_trim();
		if (!giveback_cycle(t, objs))
			break;
		kept = pm_arenas_kept();
		if (kept <= (8UL << 20))
			break;
		pm_test_sleep_ms(50);
	}
	PM_EXPECT(t, kept <= (8UL << 20));
	giveback_end(objs);
}

/* Whatever a program does, no more goes early than the allowance has. */
static void giveback_allowance(struct pm_test *t)
{
	u64 begin = pm_host_clock_ns(), ms, purged = PM_TEST_SUM(purged_bytes);
	void **objs = giveback_begin(t);
	struct pm_totals totals;
	unsigned int i;

	PM_REQUIRE(t, objs);
	WRITE_ONCE(pm_options.keep, 2UL << 20);
	pm_get_totals(&totals);
	for (i = 0; i < 20 && giveback_cycle(t, objs); i++)
		;
	ms = (pm_host_clock_ns() - begin) / 1000000;
	purged = PM_TEST_SUM(purged_bytes) - purged;
	/* Once for what was ever mapped, then by time; and a piece too much. */
	PM_EXPECT(t, purged <= totals.mapped + (256UL << 20) + ms * (16UL << 10));
	giveback_end(objs);
}

/* What is spent is missing until time has gone by. */
static void giveback_spend(struct pm_test *t)
{
	PM_EXPECT(t, pm_keep_allow(PAGE_SIZE) <= PAGE_SIZE);
	pm_keep_spend(pm_keep_allow(SIZE_MAX));
	PM_EXPECT(t, pm_keep_allow(SIZE_MAX) < (16UL << 20));
}

/* The bound follows what is live. */
static void giveback_bound(struct pm_test *t)
{
	WRITE_ONCE(pm_options.keep, 1UL << 20);
	pm_keep_set_live(0);
	PM_EXPECT_EQ(t, pm_keep_bound(), 1UL << 20);
	pm_keep_set_live(100UL << 20);
	PM_EXPECT_EQ(t, pm_keep_bound(), 25UL << 20);
	pm_keep_set_live(0);
}

/*
 * Keep much, and have it all decay. A CPU that goes offline meanwhile takes what
 * its arena keeps along.
 */
static bool giveback_keep(struct pm_test *t, void **objs)
{
	unsigned int tries;

	WRITE_ONCE(pm_options.keep, 1UL << 30);
	for (tries = 0; tries < 50 && pm_arenas_kept() <= (12UL << 20); tries++)
		if (!giveback_cycle(t, objs))
			return false;
	if (!PM_EXPECT(t, tries < 50))
		return false;
	WRITE_ONCE(pm_options.decay_ms, 20);
	pm_test_sleep_ms(20);
	return true;
}

/* Little is used until most of what was kept has gone. */
static void giveback_use_little(struct pm_test *t, size_t size)
{
	unsigned int tries;
	void *p;

	for (tries = 0; tries < 2000; tries++) {
		p = pm_malloc(size);
		PM_EXPECT(t, p);
		pm_free(p);
		if (pm_arenas_kept() <= (8UL << 20))
			break;
		pm_test_sleep_ms(5);
	}
	PM_EXPECT(t, pm_arenas_kept() <= (8UL << 20));
}

/*
 * A program that is served by its magazines comes by all the same, and what it
 * does not need goes. It has to miss once for that: here in a class that it has
 * not used before.
 */
static void giveback_light_use(struct pm_test *t)
{
	void **objs = giveback_begin(t);

	PM_REQUIRE(t, objs);
	if (giveback_keep(t, objs))
		giveback_use_little(t, GIVEBACK_SIZE / 2);
	giveback_end(objs);
}

/*
 * So does one whose first slow path is a free that finds a new magazine, without
 * room: what it pushes is there for all that follows.
 */
static void giveback_light_free(struct pm_test *t)
{
	void **objs = giveback_begin(t), *p;

	PM_REQUIRE(t, objs);
	if (giveback_keep(t, objs)) {
		p = pm_malloc(GIVEBACK_SIZE / 4);
		PM_EXPECT(t, p);
		pm_mag_drain_all();
		pm_free(p);
		giveback_use_little(t, GIVEBACK_SIZE / 4);
	}
	giveback_end(objs);
}

/*
 * What is freed by somebody who calls nothing any more is given back by somebody
 * who does nothing else: magazines, depots and free units.
 */
static void giveback_reclaim(struct pm_test *t)
{
	unsigned int class = pm_class_of_small(GIVEBACK_SIZE), tries, ms;
	void **objs = giveback_begin(t);

	PM_REQUIRE(t, objs);
	WRITE_ONCE(pm_options.keep, 1UL << 30);
	giveback_cycle(t, objs);
	WRITE_ONCE(pm_options.decay_ms, 100);
	for (tries = 0; tries < 1000; tries++) {
		ms = pm_mag_reclaim();
		PM_EXPECT_EQ(t, ms, 25);
		if (!pm_mag_objects(class) && pm_arenas_kept() <= (1UL << 20))
			break;
		pm_test_sleep_ms(ms);
	}
	PM_EXPECT_EQ(t, pm_mag_objects(class), 0);
	PM_EXPECT(t, pm_arenas_kept() <= (1UL << 20));
	giveback_end(objs);
}

/* A heap that one arena does not need serves another, before the host is asked. */
static void giveback_other_arena(struct pm_test *t)
{
	u64 maps, adopted;
	void **objs;

	PM_NEED_ARENAS(t, 2);
	objs = giveback_begin(t);
	PM_REQUIRE(t, objs);
	WRITE_ONCE(pm_options.keep, 1UL << 30);
	pm_test_pick(0);
	giveback_cycle(t, objs);
	maps = PM_TEST_SUM(heap_maps);
	adopted = PM_TEST_SUM(adopted_heaps);
	pm_test_pick(1);
	giveback_cycle(t, objs);
	maps = PM_TEST_SUM(heap_maps) - maps;
	adopted = PM_TEST_SUM(adopted_heaps) - adopted;
	PM_EXPECT(t, adopted > 0);
	/*
	 * Some are not free as a whole, for magazines and depots hold objects; and
	 * none moves while an arena is being retired elsewhere.
	 */
	PM_EXPECT(t, maps < GIVEBACK_BYTES / PM_HEAP_SIZE);
	giveback_end(objs);
}

/* Several threads, on all arenas, with heaps that move between them. */
static void giveback_crowd_one(struct pm_test_crowd *crowd, unsigned int n)
{
	void *objs[100];
	struct pm_rnd rnd;
	unsigned int i, count, size;

	pm_rnd_init(&rnd, crowd->t->seed, n);
	while (!pm_test_crowd_done(crowd)) {
		size = 1000 + pm_rnd_below(&rnd, 7000);
		for (count = 0; count < ARRAY_SIZE(objs); count++) {
			objs[count] = pm_malloc(size);
			if (!objs[count])
				break;
			pm_test_fill(objs[count], 64, n * 1000 + count);
		}
		for (i = 0; i < count; i++) {
			PM_EXPECT(crowd->t, pm_test_filled(objs[i], 64,
							   n * 1000 + i));
			pm_free(objs[i]);
		}
		if (!pm_rnd_below(&rnd, 16))
			pm_test_pause();
	}
}

static void giveback_crowd(struct pm_test *t)
{
	struct pm_test_crowd crowd = {
		.t = t,
		.fn = giveback_crowd_one,
		.nr = 2 * pm_test_cpus() + 2,
	};

	WRITE_ONCE(pm_options.keep, 0);
	WRITE_ONCE(pm_options.decay_ms, 5);
	pm_test_pick(PM_TEST_ROAM);
	pm_test_crowd_run(&crowd, NULL);
}

static const struct pm_test_case giveback_cases[] = {
	PM_CASE(giveback, unneeded),
	PM_CASE(giveback, at_once),
	PM_CASE(giveback, allowance),
	PM_CASE(giveback, spend),
	PM_CASE(giveback, bound),
	PM_CASE(giveback, light_use),
	PM_CASE(giveback, reclaim),
	PM_CASE(giveback, light_free),
	PM_CASE(giveback, other_arena),
	PM_CASE(giveback, crowd),
};

PM_SUITE(giveback);
