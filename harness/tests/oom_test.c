// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Memory runs out, at any point, and comes back: requests are refused with
 * NULL, nothing that lives is harmed, and later requests succeed.
 */
#include "pm_test.h"
#include "api/stats.h"
#include "arena/registry.h"
#include "base/options.h"
#include "base/testing.h"

#define OOM_SLOTS	4096

static void oom_order(unsigned int heaps, unsigned int larges,
		      unsigned int metas)
{
	WRITE_ONCE(pm_inject.heap_map, heaps);
	WRITE_ONCE(pm_inject.large_map, larges);
	WRITE_ONCE(pm_inject.meta, metas);
}

static size_t oom_size(struct pm_rnd *rnd)
{
	return pm_rnd_below(rnd, 32 << pm_rnd_below(rnd, 12));
}

/* Allocate until it fails; how many that were. */
static unsigned int oom_exhaust(struct pm_test *t, struct pm_test_object *slots)
{
	unsigned int n;

	for (n = 0; n < OOM_SLOTS; n++)
		if (!pm_test_take(&slots[n], oom_size(&t->rnd),
				  pm_rnd_next(&t->rnd)))
			break;
	return n;
}

/* The limit comes at another place each time. */
static void oom_limits(struct pm_test *t)
{
	size_t bytes = OOM_SLOTS * sizeof(struct pm_test_object);
	struct pm_test_object *slots = pm_test_zalloc(bytes);
	unsigned int limit, n;
	void *p;

	PM_REQUIRE(t, slots);
	for (limit = 1; limit <= 6; limit++) {
		pm_trim();
		oom_order(limit, limit, 2 * limit);
		n = oom_exhaust(t, slots);
		PM_EXPECT(t, n < OOM_SLOTS);
		/* Half of it is freed: then there is memory, ordered or not. */
		if (n > 64) {
			unsigned int half = n / 2;

			while (n > half)
				pm_test_give(t, &slots[--n]);
			p = pm_malloc(1);
			PM_EXPECT(t, p);
			pm_free(p);
		}
		oom_order(0, 0, 0);
		p = pm_malloc(100000);
		PM_EXPECT(t, p);
		pm_free(p);
		while (n)
			pm_test_give(t, &slots[--n]);
	}
	pm_test_release(slots, bytes);
}

/* What cannot grow stays as it was. */
static void oom_realloc(struct pm_test *t)
{
	static const size_t sizes[] = { 10, 1000, 20000, 50000, 400000 };
	unsigned int i;
	void *p, *q;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		p = pm_malloc(sizes[i]);
		PM_REQUIRE(t, p);
		pm_test_fill(p, sizes[i], i);
		pm_trim();
		oom_order(1, 1, 1);
		q = pm_realloc(p, 3000000);
		/* A host may be able to grow it where it is. */
		if (q)
			p = q;
		oom_order(0, 0, 0);
		PM_EXPECT(t, pm_test_filled(p, sizes[i], i));
		pm_free(p);
	}
}

/* Shrinking never fails: there is always the object itself. */
static void oom_shrink(struct pm_test *t)
{
	void *p, *q;

	p = pm_malloc(400000);
	PM_REQUIRE(t, p);
	pm_test_fill(p, 100, 5);
	pm_trim();
	oom_order(1, 1, 1);
	q = pm_realloc(p, 100);
	oom_order(0, 0, 0);
	PM_EXPECT(t, q);
	if (q)
		p = q;
	PM_EXPECT(t, pm_test_filled(p, 100, 5));
	pm_free(p);
}

/* Threads allocate and free while memory comes and goes. */
static void oom_crowd_main(struct pm_test_crowd *crowd, unsigned int n)
{
	pm_test_churn(crowd, n, oom_size);
}

static void oom_crowd_order(struct pm_test_crowd *crowd)
{
	struct pm_rnd *rnd = &crowd->t->rnd;

	while (!pm_test_crowd_done(crowd)) {
		oom_order(pm_rnd_below(rnd, 3), pm_rnd_below(rnd, 3),
			  pm_rnd_below(rnd, 3));
		pm_trim();
		pm_test_sleep_ms(1);
	}
	oom_order(0, 0, 0);
}

static void oom_crowd(struct pm_test *t)
{
	struct pm_test_crowd crowd = {
		.t = t, .fn = oom_crowd_main, .nr = 4,
	};
	void *p;

	WRITE_ONCE(pm_options.decay_ms, 20);
	pm_test_crowd_run(&crowd, oom_crowd_order);
	p = pm_malloc(1000);
	PM_EXPECT(t, p);
	pm_free(p);
}

/* What no host has costs nobody a heap. */
static void oom_hopeless(struct pm_test *t)
{
	size_t size = min_t(size_t, PM_LARGE_MAX, 1UL << PM_ADDR_BITS) / 2;
	u64 before;
	int i;

	pm_trim();
	before = PM_TEST_SUM(heap_unmaps);
	for (i = 0; i < 100; i++) {
		pm_free(pm_malloc(16));
		PM_EXPECT(t, !pm_malloc(size));
	}
	PM_EXPECT(t, PM_TEST_SUM(heap_unmaps) - before < 10);
}

static const struct pm_test_case oom_cases[] = {
	PM_CASE(oom, limits),
	PM_CASE(oom, realloc),
	PM_CASE(oom, shrink),
	PM_CASE(oom, crowd),
	PM_CASE(oom, hopeless),
};
PM_SUITE(oom);
