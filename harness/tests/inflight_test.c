// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Objects in flight: a free object is found to be free wherever it is,
 * also while a thread carries it from a magazine to an arena or back.
 */
#include "pm_test.h"
#include "front/magazine.h"
#include "base/options.h"
#include "front/inflight.h"

#define INFLIGHT_CLASS	30
#define INFLIGHT_OBJS	300

static void *inflight_objs[INFLIGHT_OBJS];

static bool inflight_get_all(void)
{
	unsigned int i;

	for (i = 0; i < INFLIGHT_OBJS; i++) {
		inflight_objs[i] = pm_malloc(pm_classes[INFLIGHT_CLASS].size);
		if (!inflight_objs[i])
			return false;
	}
	return true;
}

static void inflight_free_all(void)
{
	unsigned int i;

	for (i = 0; i < INFLIGHT_OBJS; i++)
		pm_free(inflight_objs[i]);
}

/* ---- a look at an object while it is carried ----------------------------- */

/* Who carries, who uses what was free, and which object. */
static struct pm_test_stop inflight_carrier;

struct inflight_abuser {
	struct pm_thread thread;
	void *p;
	bool done;
};

static void inflight_abuse(void *arg)
{
	struct inflight_abuser *abuser = arg;

	(void)pm_usable_size(abuser->p);
	WRITE_ONCE(abuser->done, true);
}

/*
 * The carrier is stopped with @p in its hands; another thread asks for its
 * size. That thread has to wait for the carrier. That is seen, not timed: either the traffic is
 * stopped, or the call has returned without noticing anything.
 */
static void inflight_use_freed(void *p)
{
	struct inflight_abuser abuser = { .p = p };

	if (!pm_thread_start(&abuser.thread, inflight_abuse, &abuser))
		return;
	while (!READ_ONCE(abuser.done) && !pm_inflight_stopped())
		pm_test_pause();
	pm_test_go_on(&inflight_carrier);
	pm_thread_join(&abuser.thread);
}

static void inflight_free_in_turn(struct pm_test_stop *stop)
{
	pm_test_pin(0);
	for (; stop->n < INFLIGHT_OBJS; stop->n++)
		pm_free(inflight_objs[stop->n]);
	pm_test_unpin();
}

/* The last one freed is on top of the magazine, and the first to be taken. */
static void inflight_misuse_flush(void *unused)
{
	inflight_carrier.n = 0;
	if (pm_test_stop_at(&inflight_carrier, PM_STOP_FLUSH, 0,
			    inflight_free_in_turn))
		inflight_use_freed(inflight_objs[inflight_carrier.n - 1]);
}

static void inflight_flush(struct pm_test *t)
{
	PM_NEED_MAGAZINES(t);
	PM_NEED_POINTS(t);
	PM_REQUIRE(t, pm_test_arena(0) && inflight_get_all());
	pm_mag_drain_all();
	pm_test_misuse(t, inflight_misuse_flush, NULL, "double free");
	/* A process did that in a child; the kernel has freed them. */
	if (!inflight_carrier.n)
		inflight_free_all();
}

static void inflight_take(struct pm_test_stop *stop)
{
	stop->objs[0] = pm_malloc(pm_classes[INFLIGHT_CLASS].size);
}

/* The depot's topmost object is in every batch that leaves it. */
static void inflight_misuse_refill(void *arg)
{
	struct pm_arena *arena = arg;
	struct pm_depot *depot = &arena->depot[INFLIGHT_CLASS];
	void *p = NULL;

	pm_arena_lock_uncounted(arena);
	if (depot->nr)
		p = depot->objs[depot->nr - 1];
	pm_arena_unlock(arena);
	inflight_carrier.objs = inflight_objs;
	if (p && pm_test_stop_at(&inflight_carrier, PM_STOP_REFILL, 0,
				 inflight_take)) {
		inflight_use_freed(p);
		pm_free(inflight_objs[0]);
	}
}

static void inflight_refill(struct pm_test *t)
{
	struct pm_arena *arena;

	PM_NEED_MAGAZINES(t);
	PM_NEED_POINTS(t);
	arena = pm_test_arena(0);
	PM_REQUIRE(t, arena && inflight_get_all());
	inflight_free_all();
	PM_EXPECT(t, pm_mag_drain_all());
	pm_test_misuse(t, inflight_misuse_refill, arena, "double free");
}

/* ---- the gate ----------------------------------------------------------- */

/* Who waits for traffic waits for all that began before. */
static void inflight_stop(struct pm_test_stop *stop)
{
	pm_inflight_stop();
	WRITE_ONCE(stop->n, 1);
	pm_inflight_resume();
}

static void inflight_waits_main(void *arg)
{
	inflight_stop(arg);
}

static void inflight_waits(struct pm_test *t)
{
	struct pm_test_stop stop = { .n = 0 };
	int slot = pm_inflight_begin();

	PM_REQUIRE(t, slot >= 0);
	if (PM_EXPECT(t, pm_thread_start(&stop.thread, inflight_waits_main,
					 &stop))) {
		while (!pm_inflight_stopped())
			pm_test_pause();
		PM_EXPECT_EQ(t, pm_inflight_begin(), -1);
		pm_test_sleep_ms(2);
		PM_EXPECT_EQ(t, READ_ONCE(stop.n), 0);
		pm_inflight_end(slot);
		pm_thread_join(&stop.thread);
		PM_EXPECT_EQ(t, stop.n, 1);
	} else {
		pm_inflight_end(slot);
	}
	PM_EXPECT(t, !pm_inflight_stopped());
}

static u64 inflight_batches(struct pm_arena *arena)
{
	u64 n;

	pm_arena_lock_uncounted(arena);
	n = arena->stats.batches_in + arena->stats.batches_out;
	pm_arena_unlock(arena);
	return n;
}

/* While it is closed everybody is served, and no batch moves. */
static void inflight_closed(struct pm_test *t)
{
	struct pm_arena *arena = pm_test_arena(0);
	u64 batches;

	PM_NEED_MAGAZINES(t);
	PM_REQUIRE(t, arena);
	pm_mag_drain_all();
	batches = inflight_batches(arena);
	pm_inflight_stop();
	PM_EXPECT(t, inflight_get_all());
	inflight_free_all();
	pm_inflight_resume();
	PM_EXPECT_EQ(t, inflight_batches(arena), batches);
	PM_EXPECT(t, inflight_get_all());
	inflight_free_all();
	PM_EXPECT(t, inflight_batches(arena) > batches);
}

/* ---- a crowd ------------------------------------------------------------ */

static void inflight_churn(struct pm_test_crowd *crowd, unsigned int n)
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
static void inflight_look(struct pm_test_crowd *crowd)
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

static void inflight_crowd(struct pm_test *t)
{
	struct pm_test_crowd crowd = {
		.t = t,
		.fn = inflight_churn,
		.nr = 4,
	};

	pm_test_pick(PM_TEST_ROAM);
	PM_EXPECT(t, pm_test_crowd_run(&crowd, inflight_look));
}

/* ---- twice at the same instant ------------------------------------------ */

/*
 * Two frees that both found the object unmarked: it is in magazines twice.
 * Its slab takes it in once, and whoever brought it there says so.
 */
static bool inflight_was_twice;

static void inflight_misuse_twice(void *p)
{
	inflight_was_twice = true;
	pm_free(p);
	(void)pm_spend_mark(p);
	pm_free(p);
	pm_trim();
}

static void inflight_twice(struct pm_test *t)
{
	void *p;

	PM_NEED_MAGAZINES(t);
	PM_REQUIRE(t, pm_test_arena(0));
	p = pm_malloc(pm_classes[INFLIGHT_CLASS].size);
	PM_REQUIRE(t, p);
	inflight_was_twice = false;
	pm_test_misuse(t, inflight_misuse_twice, p, "double free");
	/* A process did that in a child. */
	if (!inflight_was_twice)
		pm_free(p);
}

static const struct pm_test_case inflight_cases[] = {
	PM_CASE(inflight, flush),
	PM_CASE(inflight, refill),
	PM_CASE(inflight, waits),
	PM_CASE(inflight, closed),
	PM_CASE(inflight, crowd),
	PM_CASE(inflight, twice),
};

PM_SUITE(inflight);
