// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Runs the cases and reports in KTAP.
 *
 * After each case comes the conservation check: with all magazines and
 * depots drained and everything trimmed, the allocator holds what it held
 * before the case, byte for byte.
 */
#include "pm_test.h"
#include "base/options.h"

#define PM_TEST_FAILURES_SHOWN	10
#define PM_TEST_SETTLE_TRIES	50

static const struct pm_test_suite *const pm_test_suites[] = {
#define PM_NAME_SUITE(suite)	&pm_suite_##suite,
	PM_SUITES(PM_NAME_SUITE)
};

/* ---- reporting --------------------------------------------------------- */

/**
 * pm_test_say() - print one line
 * @fmt: as for printf(), without newline
 */
void pm_test_say(const char *fmt, ...)
{
	char line[PM_TEST_LINE];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	pm_test_print(line);
}

/**
 * pm_test_fail() - an expectation did not hold
 * @t: the case
 * @file: where
 * @line: where
 * @fmt: what, as for printf()
 *
 * Return: false, so that expectations can be written as expressions.
 */
bool pm_test_fail(struct pm_test *t, const char *file, int line,
		  const char *fmt, ...)
{
	const char *base = strrchr(file, '/');
	char what[PM_TEST_LINE - 64];
	va_list args;

	if (atomic_long_inc_return(&t->failures) > PM_TEST_FAILURES_SHOWN)
		return false;
	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	pm_test_say("# %s.%s: %s:%d: %s", t->suite, t->name,
		    base ? base + 1 : file, line, what);
	return false;
}

bool pm_test_equal(struct pm_test *t, u64 a, u64 b, const char *file, int line,
		   const char *what)
{
	if (likely(a == b))
		return true;
	return pm_test_fail(t, file, line, "expected: %s: %llu (0x%llx), %llu (0x%llx)",
			    what, (unsigned long long)a, (unsigned long long)a,
			    (unsigned long long)b, (unsigned long long)b);
}

/**
 * pm_rnd_init() - begin a stream of random numbers
 * @r: the stream
 * @seed: seed of the run
 * @stream: which of its streams
 */
void pm_rnd_init(struct pm_rnd *r, u64 seed, u64 stream)
{
	unsigned int i;

	/* Vigna's splitmix64 spreads seeds that lie close together. */
	seed += (stream + 1) * 0x9e3779b97f4a7c15ULL;
	seed = (seed ^ seed >> 30) * 0xbf58476d1ce4e5b9ULL;
	seed = (seed ^ seed >> 27) * 0x94d049bb133111ebULL;
	r->state = (seed ^ seed >> 31) | 1;
	for (i = 0; i < 4; i++)
		pm_rnd_next(r);
}

/* ---- conservation ------------------------------------------------------ */

static bool pm_test_same(const struct pm_totals *a, const struct pm_totals *b)
{
	return a->live_objects == b->live_objects && a->live == b->live &&
	       a->mapped == b->mapped && !b->magazine && !b->depot &&
	       !b->large_cached;
}

static void pm_test_trimmed(struct pm_totals *totals)
{
	pm_trim();
	pm_get_totals(totals);
}

/*
 * Where CPUs come and go arenas are retired meanwhile, and figures gathered
 * arena by arena miss what moves: look again before complaining.
 */
static void pm_test_conserved(struct pm_test *t, const struct pm_totals *before)
{
	struct pm_totals now;
	int tries;

	for (tries = 0; tries < PM_TEST_SETTLE_TRIES; tries++) {
		pm_test_trimmed(&now);
		if (pm_test_same(before, &now))
			return;
		pm_test_sleep_ms(10);
	}
	pm_test_fail(t, __FILE__, __LINE__,
		     "not as before: objects %zu, were %zu; live %zu, were %zu; mapped %zu, were %zu; magazines %zu, depots %zu, cached %zu",
		     now.live_objects, before->live_objects, now.live,
		     before->live, now.mapped, before->mapped, now.magazine,
		     now.depot, now.large_cached);
}

/* ---- running ----------------------------------------------------------- */

/* FNV-1a: a case has its random numbers whichever others run. */
static u64 pm_test_hash(u64 h, const char *s)
{
	while (*s)
		h = (h ^ (u8)*s++) * 0x100000001b3ULL;
	return h;
}

static bool pm_test_run_case(const struct pm_test_suite *suite,
			     const struct pm_test_case *c, unsigned int nr,
			     const struct pm_test_options *opt)
{
	struct pm_options options = pm_options;
	struct pm_test t = {
		.suite = suite->name,
		.name = c->name,
		.ns = opt->seconds * 1000000000ULL,
	};
	struct pm_totals before;
	bool ok;

	t.seed = pm_test_hash(pm_test_hash(opt->seed, suite->name), c->name);
	pm_rnd_init(&t.rnd, t.seed, 0);
	/* Nothing goes because of its age, unless a case wants that. */
	WRITE_ONCE(pm_options.decay_ms, 3600 * 1000);
	pm_test_trimmed(&before);
	c->run(&t);
	WRITE_ONCE(pm_options.policy, options.policy);
	WRITE_ONCE(pm_options.decay_ms, options.decay_ms);
	WRITE_ONCE(pm_options.large_cache, options.large_cache);
	WRITE_ONCE(pm_options.keep, options.keep);
	pm_test_unpin();
	pm_test_conserved(&t, &before);
	ok = !atomic_long_read(&t.failures);
	pm_test_say("%sok %u %s.%s%s%s", ok ? "" : "not ", nr, t.suite, t.name,
		    t.skip ? " # SKIP " : "", t.skip ? t.skip : "");
	return ok;
}

static bool pm_test_wanted(const struct pm_test_suite *suite,
			   const struct pm_test_options *opt)
{
	return !opt->suite || !strcmp(opt->suite, suite->name);
}

/**
 * pm_test_run() - run suites and report
 * @opt: which, and how
 *
 * Return: how many cases failed, at least 1 when there was none to run.
 */
unsigned int pm_test_run(const struct pm_test_options *opt)
{
	const struct pm_test_suite *suite;
	unsigned int s, c, total = 0, nr = 0, failed = 0;

	for (s = 0; s < ARRAY_SIZE(pm_test_suites); s++)
		if (pm_test_wanted(pm_test_suites[s], opt))
			total += pm_test_suites[s]->nr_cases;
	pm_test_say("KTAP version 1");
	pm_test_say("# seed %llu, %u s, %u CPUs, PM_DEBUG %d",
		    (unsigned long long)opt->seed, opt->seconds,
		    pm_test_cpus(), PM_DEBUG);
	if (!total) {
		pm_test_say("Bail out! no suite %s", opt->suite);
		return 1;
	}
	pm_test_say("1..%u", total);
	/* The first allocation reads the options and makes the table. */
	pm_free(pm_malloc(1));
	for (s = 0; s < ARRAY_SIZE(pm_test_suites); s++) {
		suite = pm_test_suites[s];
		if (!pm_test_wanted(suite, opt))
			continue;
		for (c = 0; c < suite->nr_cases; c++)
			failed += !pm_test_run_case(suite, &suite->cases[c],
						    ++nr, opt);
	}
	return failed;
}
