// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Spans: middle sizes come from the magazine and the depot, are made of extents
 * and become extents again.
 */
#include "pm_test.h"
#include "api/core.h"
#include "api/stats.h"
#include "back/large.h"
#include "back/pagemap.h"
#include "back/span.h"
#include "base/options.h"
#include "front/capacity.h"
#include "front/drain.h"
#include "front/magazine.h"
#include "front/visit.h"

/* Spans of a class that are no free extents. */
static u64 span_out(unsigned int class)
{
	struct pm_span_stats st;

	pm_span_get_stats(class, &st);
	return st.out;
}

/* Times that the extent lock was wanted to make or to give back a span. */
static u64 span_extent_locks(void)
{
	struct pm_span_stats st;
	unsigned int class;
	u64 sum = pm_span_nr_put();

	for (class = PM_NR_SLAB_CLASSES; class < PM_NR_CLASSES; class++) {
		pm_span_get_stats(class, &st);
		sum += st.taken;
	}
	return sum;
}

static unsigned int span_by_search(size_t size)
{
	unsigned int class = PM_NR_SLAB_CLASSES;

	while (pm_classes[class].size < size)
		class++;
	return class;
}

/* Each size gets the smallest class that holds it, and wastes little. */
static void span_classes(struct pm_test *t)
{
	size_t size, got;
	unsigned int class;

	for (size = PM_SMALL_MAX + 1; size <= PM_SPAN_MAX; size++) {
		class = pm_class_of_span(size);
		got = pm_classes[class].size;
		if (unlikely(class != span_by_search(size))) {
			PM_EXPECT_EQ(t, class, span_by_search(size));
			return;
		}
		if (unlikely((got - size) * 8 > size)) {
			PM_EXPECT(t, (got - size) * 8 <= size);
			return;
		}
		if (size % 65536 == 0)
			pm_test_yield();
	}
	PM_EXPECT_EQ(t, pm_class_of_middle(PM_SMALL_MAX, 1), 0);
	PM_EXPECT_EQ(t, pm_class_of_middle(PM_SPAN_MAX + 1, 1), 0);
	PM_EXPECT_EQ(t, pm_class_of_middle(0, 1), 0);
	PM_EXPECT_EQ(t, pm_class_of_middle(65536, PM_EXTENT_GRAIN),
		     pm_class_of_span(65536));
	PM_EXPECT_EQ(t, pm_class_of_middle(65536, 2 * PM_EXTENT_GRAIN), 0);
	PM_EXPECT_EQ(t, pm_class_of_span(PM_SPAN_MAX), PM_NR_CLASSES - 1);
}

/* All of a span is its owner's, and the page map says what it is. */
static void span_sizes(struct pm_test *t)
{
	unsigned int class;
	struct pm_extent *e;
	size_t size;
	char *p;

	for (class = PM_NR_SLAB_CLASSES; class < PM_NR_CLASSES; class++) {
		size = pm_classes[class].size;
		p = pm_malloc(size - 100);
		PM_REQUIRE(t, p);
		e = pm_span_find(p, class);
		PM_EXPECT(t, e && pm_extent_class(e) == class);
		PM_EXPECT_EQ(t, pm_usable_size(p), size);
		PM_EXPECT(t, IS_ALIGNED((unsigned long)p, PM_EXTENT_GRAIN));
		if (IS_ALIGNED((unsigned long)p, PM_STEP_SIZE))
			PM_EXPECT_EQ(t, pm_pagemap_class(p), class);
		PM_EXPECT(t, !pm_is_marked(p));
		pm_test_fill(p, size, class);
		PM_EXPECT(t, pm_test_filled(p, size, class));
		PM_EXPECT_EQ(t, span_out(class), 1);
		pm_free(p);
		PM_EXPECT(t, !pm_options.magazine || pm_is_marked(p));
		pm_trim();
		PM_EXPECT_EQ(t, span_out(class), 0);
		PM_EXPECT_EQ(t, pm_pagemap_class(p), 0);
	}
}

/* ---- without a lock ------------------------------------------------------ */

#define SPAN_THREADS	8
#define SPAN_SET	4
/* A kernel may clear each object, so there are fewer of long ones. */
#define SPAN_OPS(size)	max_t(unsigned int, (200UL << 20) / (size), 2500)

struct span_pairs {
	size_t size;
	unsigned int nr;
	atomic_long_t ops;
};

/* Pairs, and now and then another one of a small working set. */
static void span_pairs_main(struct pm_test_crowd *crowd, unsigned int n)
{
	struct span_pairs *pairs = crowd->arg;
	char *set[SPAN_SET] = { NULL };
	unsigned int i, op;
	struct pm_rnd rnd;
	char *p;

	pm_rnd_init(&rnd, crowd->t->seed, n + 1);
	for (op = 0; op < pairs->nr; op++) {
		p = pm_malloc(pairs->size);
		if (!PM_EXPECT(crowd->t, p))
			break;
		p[0] = op;
		i = pm_rnd_below(&rnd, 4 * SPAN_SET);
		if (i < SPAN_SET) {
			pm_free(set[i]);
			set[i] = p;
		} else {
			pm_free(p);
		}
		if (op % 1024 == 0)
			pm_test_yield();
	}
	for (i = 0; i < SPAN_SET; i++)
		pm_free(set[i]);
	atomic_long_add(2 * op, &pairs->ops);
}

/*
 * Return: whether there was at most one lock, of an arena or of the extents, for a
 * hundred operations. Figures go with an arena that is retired.
 */
static bool span_spares_locks(struct pm_test *t, struct pm_test_crowd *crowd)
{
	u64 before = PM_TEST_SUM(acquired) + span_extent_locks(), now;
	struct span_pairs *pairs = crowd->arg;
	long ops;

	atomic_long_set(&pairs->ops, 0);
	if (!PM_EXPECT(t, pm_test_crowd_run(crowd, NULL)))
		return false;
	now = max_t(u64, PM_TEST_SUM(acquired) + span_extent_locks(), before);
	ops = atomic_long_read(&pairs->ops);
	PM_EXPECT_EQ(t, ops, 2 * pairs->nr * SPAN_THREADS);
	pm_test_say("# span.locks: %zu KiB, %u threads: %llu locks for %ld operations",
		    pairs->size >> 10, SPAN_THREADS,
		    (unsigned long long)(now - before), ops);
	return (now - before) * 100 <= (u64)ops;
}

/* Some tries: see magazine_spares_locks(). */
static void span_locks(struct pm_test *t)
{
	static const size_t sizes[] = { 40 << 10, 128 << 10, 512 << 10 };
	struct span_pairs pairs;
	struct pm_test_crowd crowd = {
		.t = t, .fn = span_pairs_main, .arg = &pairs, .nr = SPAN_THREADS,
	};
	unsigned int i, tries;

	PM_NEED_MAGAZINES(t);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		pairs.size = sizes[i];
		pairs.nr = SPAN_OPS(sizes[i]);
		pm_trim();
		/* Who makes a CPU's magazine may be preempted over it: not counted. */
		PM_REQUIRE(t, pm_test_crowd_run(&crowd, NULL));
		for (tries = 0; tries < 3 && !span_spares_locks(t, &crowd); tries++)
			pm_test_sleep_ms(50);
		PM_EXPECT(t, tries < 3);
	}
}

/* ---- depots ---------------------------------------------------------------- */

#define SPAN_MANY	200

static void *span_objs[SPAN_MANY];

static bool span_take_many(struct pm_test *t, size_t size, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		span_objs[i] = pm_malloc(size);
		if (!PM_EXPECT(t, span_objs[i]))
			return false;
		pm_test_fill(span_objs[i], 64, i);
	}
	return true;
}

static void span_free_many(struct pm_test *t, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		PM_EXPECT(t, pm_test_filled(span_objs[i], 64, i));
		pm_free(span_objs[i]);
	}
}

/*
 * What a magazine has no room for goes to the depot, up to its bound, and from
 * there to whoever asks next: no span is made meanwhile.
 */
static void span_depot(struct pm_test *t)
{
	unsigned int class = pm_class_of_span(40000);
	struct pm_class_figures fig;
	struct pm_span_stats before, now;
	struct pm_totals totals;

	PM_REQUIRE(t, pm_test_arena(0));
	pm_test_pin(0);
	pm_trim();
	PM_REQUIRE(t, span_take_many(t, 40000, SPAN_MANY));
	span_free_many(t, SPAN_MANY);
	pm_class_figures(class, &fig);
	PM_EXPECT(t, !pm_options.magazine || fig.depot > 0);
	PM_EXPECT(t, fig.depot * pm_classes[class].size <= 1 << 20);
	PM_EXPECT_EQ(t, fig.out, fig.depot + fig.magazine);
	pm_get_totals(&totals);
	PM_EXPECT_EQ(t, totals.depot, fig.depot * pm_classes[class].size);
	pm_span_get_stats(class, &before);
	PM_REQUIRE(t, span_take_many(t, 40000, fig.out));
	pm_span_get_stats(class, &now);
	PM_EXPECT_EQ(t, now.taken, before.taken);
	span_free_many(t, fig.out);
}

/* All classes together have a bound as well. */
static void span_depot_bound(struct pm_test *t)
{
	struct pm_totals totals;
	unsigned int class;

	PM_REQUIRE(t, pm_test_arena(0));
	pm_test_pin(0);
	for (class = PM_NR_SLAB_CLASSES; class < PM_NR_CLASSES; class += 3) {
		PM_REQUIRE(t, span_take_many(t, pm_classes[class].size, 20));
		span_free_many(t, 20);
	}
	pm_get_totals(&totals);
	PM_EXPECT(t, totals.depot <= 1 << 20);
	PM_EXPECT(t, totals.magazine <= pm_options.magazine_bytes);
}

/* What nobody wants from a depot for some time becomes extents. */
static void span_decay(struct pm_test *t)
{
	unsigned int class = pm_class_of_span(200000), i, round;
	struct pm_class_figures fig;
	void *small[200];
	int tries;

	PM_REQUIRE(t, pm_test_arena(0));
	pm_test_pin(0);
	WRITE_ONCE(pm_options.decay_ms, 20);
	PM_REQUIRE(t, span_take_many(t, 200000, 20));
	span_free_many(t, 20);
	pm_mag_drain_all();
	for (tries = 0; tries < 200 && span_out(class); tries++) {
		/* More than a magazine holds, so that it misses. */
		for (round = 0; round < 4; round++) {
			for (i = 0; i < ARRAY_SIZE(small); i++)
				small[i] = pm_malloc(8000);
			for (i = 0; i < ARRAY_SIZE(small); i++)
				pm_free(small[i]);
		}
		pm_test_sleep_ms(10);
	}
	pm_class_figures(class, &fig);
	PM_EXPECT_EQ(t, fig.depot, 0);
	PM_EXPECT_EQ(t, fig.out, 0);
}

/* A class that has not missed for a while gives room, and what lies there goes. */
static void span_shed(struct pm_test *t)
{
	unsigned int class = pm_class_of_span(40000), i, had;
	struct pm_magazine *mag;

	PM_NEED_MAGAZINES(t);
	pm_test_pin(0);
	pm_trim();
	for (i = 0; i < 10; i++) {
		PM_REQUIRE(t, span_take_many(t, 40000, 8));
		span_free_many(t, 8);
	}
	had = pm_mag_objects(class);
	PM_EXPECT(t, had >= 4);
	mag = pm_mag_at(pm_percpu_index());
	PM_REQUIRE(t, mag);
	for (i = 0; i < 8; i++)
		pm_mag_shrink(mag);
	PM_EXPECT_EQ(t, pm_mag_objects(class), had);
	/* A miss of any class. */
	PM_REQUIRE(t, span_take_many(t, 8000, SPAN_MANY));
	span_free_many(t, SPAN_MANY);
	PM_EXPECT_EQ(t, pm_mag_objects(class), 0);
}

/* Sizes that come at random have no room in magazines: extents serve all of them. */
static void span_random(struct pm_test *t)
{
	unsigned int i, n = 16;
	struct pm_totals totals;

	PM_NEED_MAGAZINES(t);
	pm_test_pin(0);
	pm_trim();
	PM_REQUIRE(t, span_take_many(t, 500000, n));
	for (i = 0; i < 5000; i++) {
		void **slot = &span_objs[pm_rnd_below(&t->rnd, n)];

		pm_free(*slot);
		*slot = pm_malloc(100000 + pm_rnd_below(&t->rnd, 900000));
		PM_REQUIRE(t, *slot);
	}
	pm_get_totals(&totals);
	PM_EXPECT(t, totals.magazine <= pm_options.magazine_bytes);
	for (i = 0; i < n; i++)
		pm_free(span_objs[i]);
}

/* A trim leaves nothing, and no page. */
static void span_trim(struct pm_test *t)
{
	size_t size = pm_classes[pm_class_of_span(300000)].size;
	struct pm_totals before, now;
	unsigned int i;

	pm_trim();
	pm_get_totals(&before);
	PM_REQUIRE(t, span_take_many(t, 300000, SPAN_MANY));
	for (i = 0; i < SPAN_MANY; i++)
		pm_test_fill(span_objs[i], size, i);
	pm_get_totals(&now);
	PM_EXPECT_EQ(t, now.live, before.live + SPAN_MANY * size);
	PM_EXPECT_EQ(t, now.large, before.large);
	span_free_many(t, SPAN_MANY);
	PM_EXPECT(t, pm_trim() > 0);
	pm_get_totals(&now);
	PM_EXPECT_EQ(t, now.mapped, before.mapped);
	for (i = 0; PM_CHUNK_CUTS && i < SPAN_MANY; i++)
		PM_EXPECT(t, pm_host_resident(span_objs[i], size) <= 0);
}

/* Nobody waits for an arena's lock: the extents serve, and take. */
static void span_busy(struct pm_test *t)
{
	struct pm_arena *arena = pm_test_arena(0);
	struct pm_test_holder holder;
	u64 waited = PM_TEST_SUM(waited), busy = PM_TEST_SUM(free_busy);
	u64 contended = PM_TEST_SUM(contended);

	PM_NEED_MAGAZINES(t);
	PM_REQUIRE(t, arena);
	pm_test_pin(0);
	PM_REQUIRE(t, span_take_many(t, 600000, 40));
	span_free_many(t, 40);
	/* The depot has some. */
	PM_REQUIRE(t, pm_test_hold(&holder, arena));
	PM_EXPECT(t, span_take_many(t, 600000, 40));
	pm_test_release_lock(&holder);
	PM_EXPECT(t, PM_TEST_SUM(contended) > contended);
	pm_trim();
	/* It has room. */
	PM_REQUIRE(t, pm_test_hold(&holder, arena));
	span_free_many(t, 40);
	pm_test_release_lock(&holder);
	PM_EXPECT(t, PM_TEST_SUM(free_busy) > busy);
	PM_EXPECT_EQ(t, PM_TEST_SUM(waited), waited);
}

/* Without permission to wait: what the magazine has, and nothing else. */
static void span_no_wait(struct pm_test *t)
{
	void *p, *q;

	PM_NEED_MAGAZINES(t);
	pm_test_pin(0);
	pm_trim();
	PM_EXPECT(t, !pm_alloc(100000, 1, GFP_NOWAIT));
	p = pm_malloc(100000);
	PM_REQUIRE(t, p);
	pm_free(p);
	/* It is there, whether the magazine is published or not. */
	pm_mag_set_all_aside();
	q = pm_alloc(100000, 1, GFP_NOWAIT);
	PM_EXPECT(t, q == p);
	pm_free(q);
}

/* Past the magazine: made of an extent, and one again at once. */
static void span_past_magazine(struct pm_test *t)
{
	unsigned int class = pm_class_of_span(100000);
	void *p;

	pm_trim();
	p = pm_malloc_lock(100000);
	PM_REQUIRE(t, p);
	PM_EXPECT_EQ(t, pm_usable_size(p), pm_classes[class].size);
	PM_EXPECT_EQ(t, span_out(class), 1);
	pm_free_lock(p);
	PM_EXPECT_EQ(t, span_out(class), 0);
}

/* A retired arena's depots are emptied; what is live does not notice. */
static void span_retire(struct pm_test *t)
{
	unsigned int class = pm_class_of_span(40000);
	struct pm_class_figures fig;
	struct pm_arena *arena;

	if (!pm_test_two_arenas(t, &arena, NULL))
		return;
	pm_test_pin(0);
	PM_REQUIRE(t, span_take_many(t, 40000, SPAN_MANY));
	span_free_many(t, SPAN_MANY);
	PM_REQUIRE(t, span_take_many(t, 40000, 3));
	PM_EXPECT_EQ(t, pm_arena_retire(arena->id), 0);
	pm_class_figures(class, &fig);
	PM_EXPECT_EQ(t, fig.depot, 0);
	PM_EXPECT_EQ(t, fig.out, fig.magazine + 3);
	span_free_many(t, 3);
}

/* ---- what memory is like ------------------------------------------------- */

/* Whatever was there before: zeroes for calloc(), and nothing more is touched. */
static void span_zero(struct pm_test *t)
{
	size_t size = PM_SPAN_MAX;
	unsigned int i;
	bool always;
	char *p;

	for (i = 0; i < 4; i++) {
		p = pm_malloc(size - i * 1000);
		PM_REQUIRE(t, p);
		memset(p, 0x5a, pm_usable_size(p));
		pm_free(p);
		if (i & 1)
			pm_mag_drain_all();
		p = pm_calloc(1, size - i * 1000);
		PM_REQUIRE(t, p);
		PM_EXPECT(t, pm_test_is_zero(p, size - i * 1000));
		pm_free(p);
	}
	pm_trim();
	pm_options.populate = false;
	p = pm_malloc(size);
	PM_REQUIRE(t, p);
	always = pm_host_resident(p, size) == (long)size;
	pm_free(p);
	pm_trim();
	p = pm_calloc(1, size);
	pm_options.populate = true;
	PM_REQUIRE(t, p);
	if (!always)
		PM_EXPECT(t, pm_host_resident(p, size) <= 2L * (long)PAGE_SIZE);
	PM_EXPECT(t, pm_test_is_zero(p, size));
	/* It was handed out: the next one to get it does not get zeroes for free. */
	memset(p, 0x5a, size);
	pm_free(p);
	p = pm_calloc(1, size);
	PM_REQUIRE(t, p);
	PM_EXPECT(t, pm_test_is_zero(p, size));
	pm_free(p);
}

/* Up and down across the ends of slabs and spans: content stays. */
static void span_realloc(struct pm_test *t)
{
	static const size_t sizes[] = {
		20000, 33000, 32768, 40000, 41000, 100000, 1 << 20, 500000,
		(1 << 20) + 1, 3000000, 1 << 20, 60000, 1100000, 30000, 90000,
		16,
	};
	size_t size = 1000, keep;
	unsigned int i;
	char *p, *q;

	p = pm_malloc(size);
	PM_REQUIRE(t, p);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		pm_test_fill(p, size, i);
		q = pm_realloc(p, sizes[i]);
		PM_REQUIRE(t, q);
		p = q;
		keep = min_t(size_t, size, sizes[i]) / 8 * 8;
		PM_EXPECT(t, pm_test_filled(p, keep, i));
		size = sizes[i];
		PM_EXPECT(t, pm_usable_size(p) >= size);
		/* Memory that is not needed does not stay. */
		PM_EXPECT(t, pm_usable_size(p) <= 2 * size ||
			     size < PM_SMALL_MAX);
	}
	pm_free(p);
}

/* A span changes its class in place, where the next pages are free. */
static void span_resize(struct pm_test *t)
{
	size_t size = 16 * PAGE_SIZE;
	char *p, *q, *r;

	pm_trim();
	p = pm_malloc(size);
	q = pm_malloc(size);
	r = pm_malloc(size);
	PM_REQUIRE(t, p && q && r);
	pm_test_fill(p, size, 1);
	if (PM_CHUNK_CUTS && q == p + size && r == q + size) {
		pm_free_lock(q);
		PM_EXPECT(t, pm_realloc(p, 2 * size) == p);
		PM_EXPECT_EQ(t, pm_usable_size(p), 2 * size);
		PM_EXPECT_EQ(t, pm_pagemap_class(p), pm_class_of_span(2 * size));
		PM_EXPECT_EQ(t, span_out(pm_class_of_span(size)), 1);
		PM_EXPECT_EQ(t, span_out(pm_class_of_span(2 * size)), 1);
		pm_test_fill(p + size, size, 2);
		PM_EXPECT(t, pm_realloc(p, size) == p);
		PM_EXPECT_EQ(t, pm_usable_size(p), size);
		PM_EXPECT_EQ(t, span_out(pm_class_of_span(size)), 2);
	} else {
		pm_free(q);
	}
	PM_EXPECT(t, pm_test_filled(p, size, 1));
	pm_free(p);
	pm_free(r);
}

/* Without memory: NULL, and nothing is lost. */
static void span_out_of_memory(struct pm_test *t)
{
	unsigned int *which[] = { &pm_inject.large_map, &pm_inject.meta };
	unsigned int i;
	void *p;

	for (i = 0; i < ARRAY_SIZE(which); i++) {
		pm_trim();
		WRITE_ONCE(*which[i], 1);
		PM_EXPECT(t, !pm_malloc(PM_SPAN_MAX));
		PM_EXPECT(t, !pm_calloc(3, 100000));
		WRITE_ONCE(*which[i], 0);
		PM_EXPECT_EQ(t, span_out(pm_class_of_span(PM_SPAN_MAX)), 0);
		p = pm_malloc(PM_SPAN_MAX);
		PM_EXPECT(t, p);
		pm_free(p);
	}
}

/* Sizes that the caller knows: the right one, and wrong ones. */
static void span_free_sized(struct pm_test *t)
{
	void *p = pm_malloc(50000), *q;

	PM_REQUIRE(t, p);
	pm_free_sized(p, 50000);
	q = pm_aligned_alloc(PM_EXTENT_GRAIN, 50000);
	PM_REQUIRE(t, q);
	PM_EXPECT_EQ(t, pm_usable_size(q), pm_classes[pm_class_of_span(50000)].size);
	pm_free_sized(q, 50000);
}

/* ---- many threads ---------------------------------------------------------- */

#define SPAN_SLOTS	64

struct span_env {
	char *slot[SPAN_SLOTS];
	atomic_long_t taken;
	atomic_long_t freed;
	atomic_long_t met;
	atomic_long_t believed;
	void *p;
};

static struct span_env span_env;

/* Blocks that any thread may free, with their size in the first word. */
static void span_crowd_main(struct pm_test_crowd *crowd, unsigned int n)
{
	struct span_env *env = crowd->arg;
	struct pm_rnd rnd;
	size_t size;
	char *p;

	pm_rnd_init(&rnd, crowd->t->seed, n + 1);
	while (!pm_test_crowd_done(crowd)) {
		size = PM_SMALL_MAX + 1 +
		       pm_rnd_below(&rnd, 1 << (13 + pm_rnd_below(&rnd, 8)));
		p = pm_rnd_below(&rnd, 4) ? pm_malloc(size) : pm_calloc(1, size);
		if (!PM_EXPECT(crowd->t, p))
			break;
		if (!pm_rnd_below(&rnd, 8))
			p = pm_realloc(p, size = size / 2 + PM_SMALL_MAX);
		atomic_long_inc(&env->taken);
		*(size_t *)p = size;
		p[size - 1] = (char)size;
		p = xchg(&env->slot[pm_rnd_below(&rnd, SPAN_SLOTS)], p);
		if (!p)
			continue;
		size = *(size_t *)p;
		PM_EXPECT(crowd->t, p[size - 1] == (char)size);
		pm_free(p);
		atomic_long_inc(&env->freed);
		pm_test_yield();
	}
}

static void span_crowd_trim(struct pm_test_crowd *crowd)
{
	while (!pm_test_crowd_done(crowd)) {
		pm_trim();
		pm_test_sleep_ms(3);
	}
}

static void span_crowd(struct pm_test *t)
{
	struct pm_test_crowd crowd = {
		.t = t, .fn = span_crowd_main, .arg = &span_env, .nr = 6,
	};
	struct span_env *env = &span_env;
	unsigned int i, class;

	memset(env, 0, sizeof(*env));
	WRITE_ONCE(pm_options.decay_ms, 20);
	PM_REQUIRE(t, pm_test_crowd_run(&crowd, span_crowd_trim));
	for (i = 0; i < SPAN_SLOTS; i++) {
		if (!env->slot[i])
			continue;
		pm_free(env->slot[i]);
		atomic_long_inc(&env->freed);
	}
	PM_EXPECT(t, atomic_long_read(&env->taken) > 0);
	PM_EXPECT_EQ(t, atomic_long_read(&env->taken),
		     atomic_long_read(&env->freed));
	pm_trim();
	for (class = PM_NR_SLAB_CLASSES; class < PM_NR_CLASSES; class++)
		PM_EXPECT_EQ(t, span_out(class), 0);
}

/* Of all that give the same span back at once one is believed. */
static void span_race_main(struct pm_test_crowd *crowd, unsigned int n)
{
	unsigned int class = pm_class_of_span(50000), round;
	struct span_env *env = crowd->arg;

	for (round = 0; round < 100; round++) {
		if (!n) {
			atomic_long_set(&env->believed, 0);
			env->p = pm_malloc(50000);
		}
		pm_test_meet(&env->met, crowd->nr);
		if (env->p && pm_span_put(env->p, class))
			atomic_long_inc(&env->believed);
		pm_test_meet(&env->met, crowd->nr);
		if (!n)
			PM_EXPECT_EQ(crowd->t,
				     atomic_long_read(&env->believed), 1);
	}
}

static void span_put_once(struct pm_test *t)
{
	struct pm_test_crowd crowd = {
		.t = t, .fn = span_race_main, .arg = &span_env, .nr = 4,
	};

	memset(&span_env, 0, sizeof(span_env));
	pm_test_crowd_run(&crowd, NULL);
}

/* ---- misuse ---------------------------------------------------------------- */

static void misuse_span_double(void *arg)
{
	void *p = pm_malloc(40000);

	pm_free(p);
	pm_free(p);
}

/* Found when both copies come home. */
static void misuse_span_double_later(void *arg)
{
	void *p = pm_malloc(40000), *q = pm_malloc(40000);

	pm_free(p);
	pm_free(q);
	pm_free(p);
	pm_trim();
}

/* One copy is in the depot when the other is asked about. */
static void misuse_span_double_depot(void *arg)
{
	void *p = pm_malloc(40000);

	pm_free(p);
	pm_mag_drain_all();
	(void)pm_usable_size(p);
}

/* The second of its copies to be handed out is nobody's. */
static void misuse_span_double_taken(void *arg)
{
	void *p = pm_malloc(40000), *q = pm_malloc(40000), *again[3];
	unsigned int i;

	pm_free(p);
	pm_free(q);
	pm_free(p);
	for (i = 0; i < ARRAY_SIZE(again); i++)
		again[i] = pm_malloc(40000);
	for (i = 0; i < ARRAY_SIZE(again); i++)
		pm_free(again[i]);
}

static void misuse_span_interior(void *arg)
{
	char *p = pm_malloc(40000);

	pm_free(p + (size_t)arg);
	pm_free(p);
}

static void span_misuse(struct pm_test *t)
{
	PM_NEED_MAGAZINES(t);
	PM_REQUIRE(t, pm_test_arena(0));
	pm_test_pin(0);
	pm_test_misuse(t, misuse_span_double, NULL,
		       "double free: object of 40960 bytes (class 74)");
	pm_test_misuse(t, misuse_span_double_later, NULL, "double free");
	pm_test_misuse(t, misuse_span_double_depot, NULL, "double free");
	pm_test_misuse(t, misuse_span_double_taken, NULL,
		       "freed twice: object of 40960 bytes");
	pm_test_misuse(t, misuse_span_interior, (void *)1,
		       "inside an object of 40960 bytes (class 74)");
	pm_test_misuse(t, misuse_span_interior, (void *)PAGE_SIZE,
		       " bytes after its start");
	pm_test_misuse(t, misuse_span_interior, (void *)32768,
		       "not a pmalloc object");
}

/* A live span that carries the mark by chance can be used and freed. */
static void span_mark_by_chance(struct pm_test *t)
{
	u64 *p = pm_malloc(40000);

	PM_REQUIRE(t, p);
	p[1] = pm_mark(p);
	PM_EXPECT_EQ(t, pm_usable_size(p), 40960);
	pm_free(p);
}

static const struct pm_test_case span_cases[] = {
	PM_CASE(span, classes),
	PM_CASE(span, sizes),
	PM_CASE(span, locks),
	PM_CASE(span, depot),
	PM_CASE(span, depot_bound),
	PM_CASE(span, decay),
	PM_CASE(span, shed),
	PM_CASE(span, random),
	PM_CASE(span, trim),
	PM_CASE(span, busy),
	PM_CASE(span, no_wait),
	PM_CASE(span, past_magazine),
	PM_CASE(span, retire),
	PM_CASE(span, zero),
	PM_CASE(span, realloc),
	PM_CASE(span, resize),
	PM_CASE(span, out_of_memory),
	PM_CASE(span, free_sized),
	PM_CASE(span, crowd),
	PM_CASE(span, put_once),
	PM_CASE(span, misuse),
	PM_CASE(span, mark_by_chance),
};
PM_SUITE(span);
