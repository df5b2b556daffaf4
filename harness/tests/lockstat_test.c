// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Accounting of the arenas' locks: directed cases, in which it is known how
 * often a lock was found held, by whom it was held and how many waited, and
 * the figures must be exactly that; and sums that must agree after a crowd.
 */
#include "pm_test.h"
#include "base/options.h"
#include "api/stats.h"

#define LOCKSTAT_CLASS	7

static u64 lockstat_hist(const struct pm_lockwait *w)
{
	unsigned int i;
	u64 sum = 0;

	for (i = 0; i < PM_WAIT_BUCKETS; i++)
		sum += READ_ONCE(w->hist[i]);
	return sum;
}

/* One arena's accounts at one moment, for one class. */
struct lockstat_seen {
	u64 acquired;
	u64 class_acquired;
	u64 switches;
	u64 all_contended;
	u64 contended;
	u64 fallback_out;
	u64 fallback_in;
	u64 free_busy;
	u64 waited;
	u64 wait_ns;
	u64 hist;
};

static void lockstat_look(struct pm_arena *arena, unsigned int class,
			  struct lockstat_seen *seen)
{
	struct pm_class_wait *c = &arena->waits.class[class];

	pm_arena_lock_uncounted(arena);
	seen->acquired = arena->lockstat.acquired;
	seen->class_acquired = arena->nr_acquired[class];
	seen->switches = arena->lockstat.switches;
	seen->all_contended = pm_lockwait_contended(&arena->waits);
	seen->contended = atomic_long_read(&c->contended);
	seen->fallback_out = atomic_long_read(&c->fallback_out);
	seen->fallback_in = arena->waits.fallback_in;
	seen->free_busy = atomic_long_read(&c->free_busy);
	seen->waited = c->waited;
	seen->wait_ns = c->wait_ns;
	seen->hist = lockstat_hist(&arena->waits);
	pm_arena_unlock(arena);
}

/* Powers of two are where a bucket begins. */
static void lockstat_buckets(struct pm_test *t)
{
	unsigned int n;

	PM_EXPECT_EQ(t, pm_wait_bucket(0), 0);
	PM_EXPECT_EQ(t, pm_wait_bucket(1), 0);
	for (n = 1; n < 64; n++) {
		PM_EXPECT_EQ(t, pm_wait_bucket(1ULL << n),
			     min_t(unsigned int, n, PM_WAIT_BUCKETS - 1));
		PM_EXPECT_EQ(t, pm_wait_bucket((1ULL << n) - 1),
			     min_t(unsigned int, n - 1, PM_WAIT_BUCKETS - 1));
	}
	PM_EXPECT_EQ(t, pm_wait_bucket(~0ULL), PM_WAIT_BUCKETS - 1);
}

/* A lock says who holds it, and when nobody does. */
static void lockstat_holder(struct pm_test *t)
{
	struct pm_test_holder holder;
	struct pm_arena *own = pm_test_arena(0);

	PM_REQUIRE(t, own);
	PM_EXPECT_EQ(t, pm_lockstat_holder(&own->lockstat).word, 0);
	PM_REQUIRE(t, pm_test_hold(&holder, own));
	PM_EXPECT_EQ(t, pm_lockstat_holder(&own->lockstat).tid, holder.tid);
	PM_EXPECT(t, pm_lockstat_holder(&own->lockstat).cpu <
		     pm_host_nr_cpus());
	pm_test_release_lock(&holder);
	PM_EXPECT_EQ(t, pm_lockstat_holder(&own->lockstat).word, 0);
}

/* What nobody contends for is an acquisition and nothing else. */
static void lockstat_uncontended(struct pm_test *t)
{
	struct lockstat_seen before, after;
	struct pm_arena *own = pm_test_arena(0);
	unsigned int i;
	void *p;

	PM_REQUIRE(t, own);
	/* Nobody enters it to see what could go back. */
	WRITE_ONCE(pm_options.decay_ms, 1UL << 40);
	lockstat_look(own, LOCKSTAT_CLASS, &before);
	for (i = 0; i < 10; i++) {
		p = pm_test_malloc_lock(LOCKSTAT_CLASS);
		PM_REQUIRE(t, p);
		PM_EXPECT_EQ(t, pm_test_free_lock(p), PM_SLAB_OK);
	}
	lockstat_look(own, LOCKSTAT_CLASS, &after);
	PM_EXPECT_EQ(t, after.acquired, before.acquired + 20);
	PM_EXPECT_EQ(t, after.class_acquired, before.class_acquired + 20);
	PM_EXPECT_EQ(t, after.switches, before.switches);
	PM_EXPECT_EQ(t, after.all_contended, before.all_contended);
	PM_EXPECT_EQ(t, after.free_busy, before.free_busy);
	PM_EXPECT_EQ(t, after.hist, before.hist);
}

struct lockstat_want {
	struct pm_thread thread;
	void *p;
};

static void lockstat_want_main(void *arg)
{
	struct lockstat_want *want = arg;

	want->p = pm_test_malloc_lock(LOCKSTAT_CLASS);
}

/*
 * All locks are held by one thread, and some others want one of them: each is
 * one that found it held, one that waited, one in the histogram; all wait at
 * once; and it is known for whom.
 */
static void lockstat_waits(struct pm_test *t)
{
	struct lockstat_seen before, after;
	struct lockstat_want want[5];
	struct pm_test_holder holder;
	struct pm_arena *own = pm_test_arena(0);
	unsigned int i, n;
	u64 held_ns, most = own ? own->waits.waiters_max : 0;
	u64 longest = own ? own->waits.wait_max_ns : 0;

	PM_REQUIRE(t, own);
	lockstat_look(own, LOCKSTAT_CLASS, &before);
	WRITE_ONCE(own->waits.waiters_max, 0);
	WRITE_ONCE(own->waits.wait_max_ns, 0);
	PM_REQUIRE(t, pm_test_hold(&holder, NULL));
	for (n = 0; n < ARRAY_SIZE(want); n++)
		if (!PM_EXPECT(t, pm_thread_start(&want[n].thread,
						  lockstat_want_main,
						  &want[n])))
			break;
	while (atomic_long_read(&own->waits.waiters) < (long)n)
		pm_test_pause();
	held_ns = pm_host_clock_ns();
	pm_test_sleep_ms(5);
	held_ns = pm_host_clock_ns() - held_ns;
	pm_test_release_lock(&holder);
	for (i = 0; i < n; i++)
		pm_thread_join(&want[i].thread);
	lockstat_look(own, LOCKSTAT_CLASS, &after);
	PM_EXPECT_EQ(t, after.contended, before.contended + n);
	PM_EXPECT_EQ(t, after.all_contended, before.all_contended + n);
	PM_EXPECT_EQ(t, after.waited, before.waited + n);
	PM_EXPECT_EQ(t, after.hist, before.hist + n);
	PM_EXPECT_EQ(t, after.acquired, before.acquired + n);
	PM_EXPECT_EQ(t, after.class_acquired, before.class_acquired + n);
	PM_EXPECT_EQ(t, after.fallback_out, before.fallback_out);
	PM_EXPECT_EQ(t, after.free_busy, before.free_busy);
	PM_EXPECT_EQ(t, atomic_long_read(&own->waits.waiters), 0);
	PM_EXPECT_EQ(t, own->waits.waiters_max, n);
	PM_EXPECT_EQ(t, own->waits.holder.tid, holder.tid);
	PM_EXPECT_EQ(t, own->waits.longest_holder.tid, holder.tid);
	PM_EXPECT_EQ(t, own->waits.longest_class, LOCKSTAT_CLASS);
	PM_EXPECT(t, own->waits.holder.cpu < pm_host_nr_cpus());
	/* Each waited for as long as the lock was held after all had come. */
	PM_EXPECT(t, own->waits.wait_max_ns >= held_ns);
	PM_EXPECT(t, after.wait_ns - before.wait_ns >= n * held_ns);
	own->waits.waiters_max = max_t(u64, own->waits.waiters_max, most);
	own->waits.wait_max_ns = max_t(u64, own->waits.wait_max_ns, longest);
	for (i = 0; i < n; i++)
		if (PM_EXPECT(t, want[i].p))
			PM_EXPECT_EQ(t, pm_test_free_lock(want[i].p),
				     PM_SLAB_OK);
}

/* Own lock held, another free: contended and gone elsewhere, no wait. */
static void lockstat_falls_back(struct pm_test *t)
{
	struct lockstat_seen before, after;
	struct pm_test_holder holder;
	struct pm_arena *own;
	u64 in;
	void *p;

	if (!pm_test_two_arenas(t, &own, NULL))
		return;
	lockstat_look(own, LOCKSTAT_CLASS, &before);
	in = PM_TEST_SUM(fallback_in);
	PM_REQUIRE(t, pm_test_hold(&holder, own));
	p = pm_test_malloc_lock(LOCKSTAT_CLASS);
	pm_test_release_lock(&holder);
	lockstat_look(own, LOCKSTAT_CLASS, &after);
	PM_EXPECT_EQ(t, after.contended, before.contended + 1);
	PM_EXPECT_EQ(t, after.fallback_out, before.fallback_out + 1);
	PM_EXPECT_EQ(t, PM_TEST_SUM(fallback_in), in + 1);
	PM_EXPECT_EQ(t, after.waited, before.waited);
	PM_EXPECT_EQ(t, after.acquired, before.acquired);
	PM_REQUIRE(t, p);
	PM_EXPECT_EQ(t, pm_test_free_lock(p), PM_SLAB_OK);
}

/* A free that finds the lock held is counted apart, once per batch. */
static void lockstat_free_busy(struct pm_test *t)
{
	struct lockstat_seen before, after;
	struct pm_test_holder holder;
	struct pm_arena *own = pm_test_arena(0);
	void *objs[4], *p;
	unsigned int n;

	PM_REQUIRE(t, own);
	p = pm_test_malloc_lock(LOCKSTAT_CLASS);
	n = __pm_malloc_lock(LOCKSTAT_CLASS, objs, ARRAY_SIZE(objs),
				 GFP_KERNEL);
	PM_REQUIRE(t, p && n == ARRAY_SIZE(objs));
	lockstat_look(own, LOCKSTAT_CLASS, &before);
	PM_REQUIRE(t, pm_test_hold(&holder, own));
	PM_EXPECT_EQ(t, pm_test_free_lock(p), PM_SLAB_OK);
	pm_free_lock_batch(LOCKSTAT_CLASS, objs, n);
	pm_test_release_lock(&holder);
	lockstat_look(own, LOCKSTAT_CLASS, &after);
	PM_EXPECT_EQ(t, after.free_busy, before.free_busy + 2);
	PM_EXPECT_EQ(t, after.all_contended, before.all_contended);
	PM_EXPECT_EQ(t, after.acquired, before.acquired);
	PM_EXPECT_EQ(t, after.hist, before.hist);
}

static void lockstat_trim_main(void *arg)
{
	pm_trim();
}

/* A trim that has to wait does so on behalf of no class. */
static void lockstat_trim_waits(struct pm_test *t)
{
	struct lockstat_seen before, after;
	struct pm_test_holder holder;
	struct pm_thread thread;
	struct pm_arena *own = pm_test_arena(0);

	PM_REQUIRE(t, own);
	lockstat_look(own, PM_CLASS_NONE, &before);
	PM_REQUIRE(t, pm_test_hold(&holder, own));
	if (PM_EXPECT(t, pm_thread_start(&thread, lockstat_trim_main, NULL))) {
		while (!atomic_long_read(&own->waits.waiters))
			pm_test_pause();
		pm_test_release_lock(&holder);
		pm_thread_join(&thread);
	} else {
		pm_test_release_lock(&holder);
	}
	lockstat_look(own, PM_CLASS_NONE, &after);
	PM_EXPECT_EQ(t, after.contended, before.contended + 1);
	PM_EXPECT_EQ(t, after.waited, before.waited + 1);
	/* Once for its depots, once for all else. */
	PM_EXPECT_EQ(t, after.class_acquired, before.class_acquired + 2);
	PM_EXPECT_EQ(t, after.acquired, before.acquired + 2);
}

static void lockstat_read_main(void *arg)
{
	struct pm_class_figures fig;
	struct pm_totals totals;

	pm_report(NULL, 0, true);
	pm_report(NULL, 0, false);
	pm_get_totals(&totals);
	pm_class_figures(LOCKSTAT_CLASS, &fig);
}

/* Whoever looks at figures leaves no trace in them. */
static void lockstat_reading(struct pm_test *t)
{
	struct lockstat_seen before, after;
	struct pm_arena *own = pm_test_arena(0);
	struct pm_thread thread;
	void *p;

	PM_REQUIRE(t, own);
	lockstat_look(own, LOCKSTAT_CLASS, &before);
	PM_REQUIRE(t, pm_thread_start(&thread, lockstat_read_main, NULL));
	pm_thread_join(&thread);
	lockstat_look(own, LOCKSTAT_CLASS, &after);
	PM_EXPECT(t, !memcmp(&before, &after, sizeof(before)));
	/* Not even as somebody else than who comes next. */
	p = pm_test_malloc_lock(LOCKSTAT_CLASS);
	PM_REQUIRE(t, p);
	PM_EXPECT_EQ(t, pm_test_free_lock(p), PM_SLAB_OK);
	lockstat_look(own, LOCKSTAT_CLASS, &after);
	PM_EXPECT_EQ(t, after.switches, before.switches);
}

/* ---- sums -------------------------------------------------------------- */

/* Return: what does not agree in an arena, or NULL. */
static const char *lockstat_fault(unsigned int id, struct pm_arena_figures *f)
{
	struct pm_arena_class_figures c, sum = { 0 };
	u64 hist = 0, longest = 0;
	unsigned int i;

	if (!pm_arena_figures(id, f))
		return NULL;
	for (i = 0; i < PM_NR_CLASSES; i++) {
		pm_arena_class_figures(id, i, &c);
		sum.acquired += c.acquired;
		sum.contended += c.contended;
		sum.waited += c.waited;
		sum.wait_ns += c.wait_ns;
		sum.fallback_out += c.fallback_out;
		sum.free_busy += c.free_busy;
		longest = max_t(u64, longest, c.wait_max_ns);
		if (c.contended < c.waited + c.fallback_out)
			return "more waited or went than found the lock held";
		if (c.wait_max_ns > c.wait_ns)
			return "one wait is longer than all together";
	}
	for (i = 0; i < PM_WAIT_BUCKETS; i++)
		hist += f->wait_hist[i];
	if (sum.acquired != f->acquired)
		return "acquired is not the sum of the classes";
	if (sum.contended != f->contended || sum.free_busy != f->free_busy ||
	    sum.fallback_out != f->fallback_out)
		return "contended, free_busy or fallback_out is not the sum";
	if (sum.waited != f->waited || sum.wait_ns != f->wait_ns)
		return "waited or wait_ns is not the sum of the classes";
	if (hist != f->waited)
		return "the histogram has not every wait once";
	if (longest != f->wait_max_ns)
		return "the longest wait is not that of the classes";
	if (f->waiters_max > f->waited || f->waiters)
		return "more waited at once than ever, or still wait";
	if (f->owner_switches > f->acquired)
		return "the owner changed more often than the lock was taken";
	return NULL;
}

/* Adds up what all arenas have. Return: what does not agree, or NULL. */
static const char *lockstat_add_up(struct pm_arena_figures *all)
{
	struct pm_arena_figures fig;
	const char *fault = NULL;
	unsigned int id, i;

	memset(all, 0, sizeof(*all));
	for (id = 0; id < pm_arena_table_size && !fault; id++) {
		memset(&fig, 0, sizeof(fig));
		fault = lockstat_fault(id, &fig);
		for (i = 0; i < sizeof(fig) / sizeof(u64); i++)
			((u64 *)all)[i] += ((u64 *)&fig)[i];
	}
	if (!fault && all->fallback_out != all->fallback_in)
		return "not all who went to another arena came to one";
	return fault;
}

/* Where CPUs come and go figures move while they are read: look again. */
static void lockstat_sums(struct pm_test *t, struct pm_arena_figures *all)
{
	const char *fault;
	int tries;

	for (tries = 0; tries < 50; tries++) {
		fault = lockstat_add_up(all);
		if (!fault)
			return;
		pm_test_sleep_ms(10);
	}
	pm_test_fail(t, __FILE__, __LINE__, "%s", fault);
}

static void lockstat_crowd_main(struct pm_test_crowd *crowd, unsigned int n)
{
	struct pm_rnd rnd;
	void *p[8] = { NULL };
	unsigned int i;

	pm_rnd_init(&rnd, crowd->t->seed, n);
	while (!pm_test_crowd_done(crowd)) {
		i = pm_rnd_below(&rnd, ARRAY_SIZE(p));
		if (p[i])
			PM_EXPECT_EQ(crowd->t, pm_test_free_lock(p[i]),
				     PM_SLAB_OK);
		p[i] = pm_test_malloc_lock(1 + pm_rnd_below(&rnd, 20));
		if (!pm_rnd_below(&rnd, 1000))
			pm_trim();
		pm_test_yield();
	}
	for (i = 0; i < ARRAY_SIZE(p); i++)
		if (p[i])
			PM_EXPECT_EQ(crowd->t, pm_test_free_lock(p[i]),
				     PM_SLAB_OK);
}

/* After a crowd at one arena the sums of its classes are its own. */
static void lockstat_conservation(struct pm_test *t)
{
	struct pm_test_crowd crowd = {
		.t = t, .fn = lockstat_crowd_main, .nr = 6,
	};
	static struct pm_arena_figures all;

	PM_REQUIRE(t, pm_test_arena(0));
	pm_test_crowd_run(&crowd, NULL);
	lockstat_sums(t, &all);
	PM_EXPECT(t, all.acquired > 0);
}

/* The figures of an arena that is retired are its heir's. */
static void lockstat_retired(struct pm_test *t)
{
	static struct pm_arena_figures before, after;
	struct pm_arena *own;

	if (!pm_test_two_arenas(t, &own, NULL))
		return;
	lockstat_waits(t);
	lockstat_sums(t, &before);
	PM_EXPECT(t, before.waited > 0);
	PM_EXPECT_EQ(t, pm_arena_retire(own->id), 0);
	lockstat_sums(t, &after);
	/* A CPU that goes away meanwhile may add to them. */
	PM_EXPECT(t, after.acquired >= before.acquired);
	PM_EXPECT(t, after.owner_switches >= before.owner_switches);
	PM_EXPECT(t, after.contended >= before.contended);
	PM_EXPECT(t, after.waited >= before.waited);
	PM_EXPECT(t, after.wait_ns >= before.wait_ns);
	PM_EXPECT(t, after.fallback_out >= before.fallback_out);
	PM_EXPECT(t, after.free_busy >= before.free_busy);
	PM_EXPECT(t, after.local_free >= before.local_free);
}

/* ---- delay ------------------------------------------------------------- */

/* Every hold takes at least as long as was ordered. */
static void lockstat_delay(struct pm_test *t)
{
	const unsigned long delay = 200 * 1000;
	unsigned long saved = pm_options.delay_ns;
	struct lockstat_seen before, after;
	struct pm_arena *own = pm_test_arena(0);
	unsigned int i;
	u64 ns;
	void *p;

	PM_REQUIRE(t, own);
	lockstat_look(own, LOCKSTAT_CLASS, &before);
	ns = pm_host_clock_ns();
	WRITE_ONCE(pm_options.delay_ns, delay);
	for (i = 0; i < 10; i++) {
		p = pm_test_malloc_lock(LOCKSTAT_CLASS);
		if (PM_EXPECT(t, p))
			PM_EXPECT_EQ(t, pm_test_free_lock(p), PM_SLAB_OK);
	}
	WRITE_ONCE(pm_options.delay_ns, saved);
	ns = pm_host_clock_ns() - ns;
	lockstat_look(own, LOCKSTAT_CLASS, &after);
	PM_EXPECT_EQ(t, after.acquired, before.acquired + 20);
	PM_EXPECT(t, ns >= 20 * delay);
}

static const struct pm_test_case lockstat_cases[] = {
	PM_CASE(lockstat, buckets),
	PM_CASE(lockstat, holder),
	PM_CASE(lockstat, uncontended),
	PM_CASE(lockstat, waits),
	PM_CASE(lockstat, falls_back),
	PM_CASE(lockstat, free_busy),
	PM_CASE(lockstat, trim_waits),
	PM_CASE(lockstat, reading),
	PM_CASE(lockstat, conservation),
	PM_CASE(lockstat, retired),
	PM_CASE(lockstat, delay),
};
PM_SUITE(lockstat);
