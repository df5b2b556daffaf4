// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Objects in transit: a free object is found to be free wherever it is,
 * also while a thread carries it from a magazine to an arena or back.
 */
#include "pm_test.h"
#include "front/magazine.h"
#include "base/options.h"
#include "front/transit.h"

#define TRANSIT_CLASS	30
#define TRANSIT_OBJS	300

static void *transit_objs[TRANSIT_OBJS];

static bool transit_get_all(void)
{
	unsigned int i;

	for (i = 0; i < TRANSIT_OBJS; i++) {
		transit_objs[i] = pm_malloc(pm_classes[TRANSIT_CLASS].size);
		if (!transit_objs[i])
			return false;
	}
	return true;
}

static void transit_free_all(void)
{
	unsigned int i;

	for (i = 0; i < TRANSIT_OBJS; i++)
		pm_free(transit_objs[i]);
}

/* ---- a look at an object while it is carried ----------------------------- */

/* Who carries, who uses what was free, and which object. */
static struct pm_test_stop transit_carrier;

struct transit_abuser {
	struct pm_thread thread;
	void *p;
	bool done;
};

static void transit_abuse(void *arg)
{
	struct transit_abuser *abuser = arg;

	(void)pm_usable_size(abuser->p);
	WRITE_ONCE(abuser->done, true);
}

/*
 * The carrier is stopped with @p in its hands; another thread asks for its
 * size. That thread shall wait for the carrier. That is seen, not timed: either the traffic is
 * stopped, or the call has returned without noticing anything.
 */
static void transit_use_freed(void *p)
{
	struct transit_abuser abuser = { .p = p };

	if (!pm_thread_start(&abuser.thread, transit_abuse, &abuser))
		return;
	while (!READ_ONCE(abuser.done) && !pm_transit_stopped())
		pm_test_pause();
	pm_test_go_on(&transit_carrier);
	pm_thread_join(&abuser.thread);
}

static void transit_free_in_turn(struct pm_test_stop *stop)
{
	pm_test_pin(0);
	for (; stop->n < TRANSIT_OBJS; stop->n++)
		pm_free(transit_objs[stop->n]);
	pm_test_unpin();
}

/* The last one freed is on top of the magazine, and the first to be taken. */
static void transit_misuse_flush(void *unused)
{
	transit_carrier.n = 0;
	if (pm_test_stop_at(&transit_carrier, PM_STOP_FLUSH, 0,
			    transit_free_in_turn))
		transit_use_freed(transit_objs[transit_carrier.n - 1]);
}

static void transit_flush(struct pm_test *t)
{
	PM_NEED_MAGAZINES(t);
	PM_NEED_POINTS(t);
	PM_REQUIRE(t, pm_test_arena(0) && transit_get_all());
	pm_mag_drain_all();
	pm_test_misuse(t, transit_misuse_flush, NULL, "double free");
	/* A process did that in a child; the kernel has freed them. */
	if (!transit_carrier.n)
		transit_free_all();
}

static void transit_take(struct pm_test_stop *stop)
{
	stop->objs[0] = pm_malloc(pm_classes[TRANSIT_CLASS].size);
}

/* The depot's topmost object is in every batch that leaves it. */
static void transit_misuse_refill(void *arg)
{
	struct pm_arena *arena = arg;
	struct pm_depot *depot = &arena->depot[TRANSIT_CLASS];
	void *p = NULL;

	pm_arena_lock_uncounted(arena);
	if (depot->nr)
		p = depot->objs[depot->nr - 1];
	pm_arena_unlock(arena);
	transit_carrier.objs = transit_objs;
	if (p && pm_test_stop_at(&transit_carrier, PM_STOP_REFILL, 0,
				 transit_take)) {
		transit_use_freed(p);
		pm_free(transit_objs[0]);
	}
}

static void transit_refill(struct pm_test *t)
{
	struct pm_arena *arena;

	PM_NEED_MAGAZINES(t);
	PM_NEED_POINTS(t);
	arena = pm_test_arena(0);
	PM_REQUIRE(t, arena && transit_get_all());
	transit_free_all();
	PM_EXPECT(t, pm_mag_drain_all());
	pm_test_misuse(t, transit_misuse_refill, arena, "double free");
}

/* ---- the gate ----------------------------------------------------------- */

/* Who waits for traffic waits for all that began before. */
static void transit_stop(struct pm_test_stop *stop)
{
	pm_transit_stop();
	WRITE_ONCE(stop->n, 1);
	pm_transit_resume();
}

static void transit_waits_main(void *arg)
{
	transit_stop(arg);
}

static void transit_waits(struct pm_test *t)
{
	struct pm_test_stop stop = { .n = 0 };
	int slot = pm_transit_begin();

	PM_REQUIRE(t, slot >= 0);
	if (PM_EXPECT(t, pm_thread_start(&stop.thread, transit_waits_main,
					 &stop))) {
		while (!pm_transit_stopped())
			pm_test_pause();
		PM_EXPECT_EQ(t, pm_transit_begin(), -1);
		pm_test_sleep_ms(2);
		PM_EXPECT_EQ(t, READ_ONCE(stop.n), 0);
		pm_transit_end(slot);
		pm_thread_join(&stop.thread);
		PM_EXPECT_EQ(t, stop.n, 1);
	} else {
		pm_transit_end(slot);
	}
	PM_EXPECT(t, !pm_transit_stopped());
}

static u64 transit_batches(struct pm_arena *arena)
{
	u64 n;

	pm_arena_lock_uncounted(arena);
	n = arena->stats.batches_in + arena->stats.batches_out;
	pm_arena_unlock(arena);
	return n;
}

/* While it is closed everybody is served, and no batch moves. */
static void transit_closed(struct pm_test *t)
{
	struct pm_arena *arena = pm_test_arena(0);
	u64 batches;

	PM_NEED_MAGAZINES(t);
	PM_REQUIRE(t, arena);
	pm_mag_drain_all();
	batches = transit_batches(arena);
	pm_transit_stop();
	PM_EXPECT(t, transit_get_all());
	transit_free_all();
	pm_transit_resume();
	PM_EXPECT_EQ(t, transit_batches(arena), batches);
	PM_EXPECT(t, transit_get_all());
	transit_free_all();
	PM_EXPECT(t, transit_batches(arena) > batches);
}

/* ---- a crowd ------------------------------------------------------------ */

static void transit_churn(struct pm_test_crowd *crowd, unsigned int n)
{
	void *objs[64];
	unsigned int i;

	while (!pm_test_crowd_done(crowd)) {
		for (i = 0; i < ARRAY_SIZE(objs); i++)
			objs[i] = pm_malloc(200);
		for (i = 0; i < ARRAY_SIZE(objs); i++)
			pm_free(objs[i]);
		pm_test_yield();
	}
}

/* A live object that has the mark by chance is never taken for a free one. */
static void transit_look(struct pm_test_crowd *crowd)
{
	u64 *p;

	do {
		p = pm_malloc(200);
		if (!PM_EXPECT(crowd->t, p))
			break;
		pm_set_mark(p);
		PM_EXPECT_EQ(crowd->t, pm_usable_size(p), 208);
		PM_EXPECT(crowd->t, pm_is_marked(p));
		pm_free(p);
		pm_test_pause();
	} while (!pm_test_crowd_done(crowd));
}

static void transit_crowd(struct pm_test *t)
{
	struct pm_test_crowd crowd = {
		.t = t,
		.fn = transit_churn,
		.nr = 4,
	};

	pm_test_pick(PM_TEST_ROAM);
	PM_EXPECT(t, pm_test_crowd_run(&crowd, transit_look));
}

/* ---- twice at the same instant ------------------------------------------ */

/*
 * Two frees that both found the object unmarked: it is in magazines twice.
 * Its slab takes it in once, and whoever brought it there says so.
 */
static bool transit_was_twice;

static void transit_misuse_twice(void *p)
{
	transit_was_twice = true;
	pm_free(p);
	(void)pm_spend_mark(p);
	pm_free(p);
	pm_trim();
}

static void transit_twice(struct pm_test *t)
{
	void *p;

	PM_NEED_MAGAZINES(t);
	PM_REQUIRE(t, pm_test_arena(0));
	p = pm_malloc(pm_classes[TRANSIT_CLASS].size);
	PM_REQUIRE(t, p);
	transit_was_twice = false;
	pm_test_misuse(t, transit_misuse_twice, p, "double free");
	/* A process did that in a child. */
	if (!transit_was_twice)
		pm_free(p);
}

static const struct pm_test_case transit_cases[] = {
	PM_CASE(transit, flush),
	PM_CASE(transit, refill),
	PM_CASE(transit, waits),
	PM_CASE(transit, closed),
	PM_CASE(transit, crowd),
	PM_CASE(transit, twice),
};

PM_SUITE(transit);
