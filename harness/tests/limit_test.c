// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Limits of what is mapped, set and changed while the allocator is in use.
 */
#include "pm_test.h"
#include "base/limit.h"
#include "base/options.h"
#include "back/large.h"
#include "pmalloc.h"

#define LIMIT_MIB	(1UL << 20)
#define LIMIT_BLOCKS	4096
/* Descriptors are never refused: a magazine and an arena for each CPU, and others. */
#define LIMIT_META	((pm_test_cpus() + 1) * LIMIT_MIB)

static size_t limit_used(void)
{
	size_t soft, hard;

	return pm_limit_get(&soft, &hard);
}

/*
 * What is counted is what the report says is mapped. In the kernel descriptors
 * go a grace period later, and maybe between the two looks.
 */
static void limit_expect_sum(struct pm_test *t)
{
	struct pm_totals totals;
	unsigned int looks;

	for (looks = 0; looks < 100; looks++) {
		pm_get_totals(&totals);
		if (limit_used() == totals.mapped + totals.meta)
			return;
		pm_test_sleep_ms(10);
	}
	PM_EXPECT_EQ(t, limit_used(), totals.mapped + totals.meta);
}

/* Take blocks until there is none, and look at the limit; how many there were. */
static unsigned int limit_exhaust(struct pm_test *t, void **p, size_t size,
				  size_t hard)
{
	unsigned int n;
	size_t meta;

	for (n = 0; n < LIMIT_BLOCKS; n++) {
		p[n] = pm_malloc(size);
		if (!p[n])
			break;
		pm_test_fill(p[n], size, n);
	}
	PM_EXPECT(t, n < LIMIT_BLOCKS);
	/* First the descriptors: some may go meanwhile. */
	meta = pm_meta_bytes();
	PM_EXPECT(t, limit_used() <= hard + meta);
	PM_EXPECT(t, limit_used() <= hard + LIMIT_META);
	limit_expect_sum(t);
	return n;
}

static void limit_free(struct pm_test *t, void **p, size_t size, unsigned int n)
{
	while (n--) {
		PM_EXPECT(t, pm_test_filled(p[n], size, n));
		pm_free(p[n]);
	}
}

/* As many as fit, whatever the size; after a free one more; and again. */
static void limit_hard(struct pm_test *t)
{
	static const size_t sizes[] = { 8000, 30000, 100000, LIMIT_MIB };
	void **p = pm_test_zalloc(LIMIT_BLOCKS * sizeof(*p));
	size_t hard, room = 12 * LIMIT_MIB;
	unsigned int i, n, again;

	PM_REQUIRE(t, p);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		pm_trim();
		hard = limit_used() + room;
		PM_EXPECT_EQ(t, pm_limit_set(0, hard), 0);
		n = limit_exhaust(t, p, sizes[i], hard);
		PM_EXPECT(t, n * sizes[i] <= room + 4 * LIMIT_MIB);
		PM_EXPECT(t, n * sizes[i] >= room / 2);
		limit_free(t, p, sizes[i], n);
		again = limit_exhaust(t, p, sizes[i], hard);
		PM_EXPECT(t, again >= n - n / 8);
		limit_free(t, p, sizes[i], again);
		PM_EXPECT_EQ(t, pm_limit_set(0, 0), 0);
	}
	pm_test_release(p, LIMIT_BLOCKS * sizeof(*p));
}

/* A limit that is raised lets requests through; one that is lowered gives back. */
static void limit_at_run_time(struct pm_test *t)
{
	size_t mib = pm_test_has(8 * LIMIT_MIB) ? LIMIT_MIB : LIMIT_MIB / 2;
	size_t soft, hard, used;
	void *p, *q;

	pm_trim();
	WRITE_ONCE(pm_options.large_cache, 64UL << 20);
	used = limit_used();
	PM_EXPECT_EQ(t, pm_limit_set(0, used + mib), 0);
	PM_EXPECT(t, !pm_malloc(4 * mib));
	PM_EXPECT_EQ(t, pm_limit_set(mib, used + 16 * mib), 0);
	pm_limit_get(&soft, &hard);
	PM_EXPECT_EQ(t, soft, mib);
	PM_EXPECT_EQ(t, hard, used + 16 * mib);
	PM_EXPECT_EQ(t, pm_limit_set(2, 1), -EINVAL);
	pm_limit_get(&soft, &hard);
	PM_EXPECT_EQ(t, soft, mib);
	PM_EXPECT_EQ(t, pm_limit_set(0, 0), 0);
	p = pm_malloc(4 * mib);
	q = pm_malloc(8 * mib);
	PM_REQUIRE(t, p && q);
	pm_free(q);
	PM_EXPECT(t, limit_used() >= used + 11 * mib);
	PM_EXPECT_EQ(t, pm_limit_set(0, used), 0);
	PM_EXPECT(t, limit_used() < used + 11 * mib);
	PM_EXPECT(t, !pm_malloc(8 * mib));
	PM_EXPECT(t, !pm_realloc(p, 8 * mib));
	pm_free(p);
	PM_EXPECT_EQ(t, pm_limit_set(0, 0), 0);
	limit_expect_sum(t);
}

/* What grows and moves is counted once. */
static void limit_growth(struct pm_test *t)
{
	size_t last = (pm_test_has(48 * LIMIT_MIB) ? 40 : 2) * LIMIT_MIB;
	size_t size;
	char *p, *q;

	pm_trim();
	p = pm_malloc(LIMIT_MIB);
	for (size = LIMIT_MIB; p && size < last; size += size / 2) {
		q = pm_realloc(p, size);
		if (!PM_EXPECT(t, q))
			break;
		p = q;
		limit_expect_sum(t);
	}
	pm_free(p);
	limit_expect_sum(t);
}

/* What is free goes when the soft limit is passed, and not before. */
static void limit_soft(struct pm_test *t)
{
	struct pm_large_stats st;
	/* Where there is no object above 4 MiB: 8 of these are more than a span. */
	size_t mib = pm_test_has(20 * LIMIT_MIB) ? LIMIT_MIB : LIMIT_MIB * 3 / 16;
	size_t soft;
	void *p, *q, *r;

	pm_trim();
	WRITE_ONCE(pm_options.large_cache, 64UL << 20);
	soft = limit_used() + 12 * mib;
	PM_EXPECT_EQ(t, pm_limit_set(soft, 0), 0);
	p = pm_malloc(8 * mib);
	PM_REQUIRE(t, p);
	pm_free(p);
	pm_large_get_stats(&st);
	PM_EXPECT(t, st.cached >= 8 * mib);
	/* No room for it in what is free: more has to be mapped. */
	q = pm_malloc(20 * mib);
	PM_EXPECT(t, q);
	pm_large_get_stats(&st);
	PM_EXPECT(t, st.cached < 8 * mib);
	/* It lets a sixteenth more pass before it does so again. */
	p = pm_large_alloc(4 * PM_SMALL_MAX, PM_EXTENT_GRAIN, GFP_KERNEL);
	r = pm_malloc(PM_SMALL_MAX + 1);
	PM_EXPECT(t, p && r);
	pm_free(p);
	p = pm_malloc(2 * PM_SMALL_MAX);
	pm_large_get_stats(&st);
	PM_EXPECT(t, st.cached > 0);
	pm_free(p);
	pm_free(r);
	pm_free(q);
	PM_EXPECT_EQ(t, pm_limit_set(0, 0), 0);
}

static size_t limit_size(struct pm_rnd *rnd)
{
	return pm_rnd_below(rnd, 32 << pm_rnd_below(rnd, 15));
}

static void limit_crowd_main(struct pm_test_crowd *crowd, unsigned int n)
{
	pm_test_churn(crowd, n, limit_size);
}

/* Many at the limit: some are refused, nothing is lost, and the sum is right. */
static void limit_crowd(struct pm_test *t)
{
	struct pm_test_crowd crowd = {
		.t = t, .fn = limit_crowd_main, .nr = 4,
	};
	size_t used;

	pm_trim();
	used = limit_used();
	WRITE_ONCE(pm_options.decay_ms, 20);
	PM_EXPECT_EQ(t, pm_limit_set(used + 4 * LIMIT_MIB,
				     used + 8 * LIMIT_MIB), 0);
	pm_test_crowd_run(&crowd, NULL);
	PM_EXPECT(t, limit_used() <= used + 8 * LIMIT_MIB + LIMIT_META);
	PM_EXPECT_EQ(t, pm_limit_set(0, 0), 0);
	pm_trim();
	limit_expect_sum(t);
}

static const struct pm_test_case limit_cases[] = {
	PM_CASE(limit, hard),
	PM_CASE(limit, at_run_time),
	PM_CASE(limit, growth),
	PM_CASE(limit, soft),
	PM_CASE(limit, crowd),
};
PM_SUITE(limit);
