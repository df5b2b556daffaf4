// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Magazines: objects pass through them, the mark tells free from live, and a
 * magazine can be drained while its CPU uses it.
 */
#include "pm_test.h"
#include "back/share.h"
#include "front/capacity.h"
#include "front/drain.h"
#include "base/options.h"
#include "api/stats.h"

/* What a thread frees it gets back next, as long as it stays where it is. */
static void magazine_last_in_first_out(struct pm_test *t)
{
	unsigned int class, tries, same;
	void *p, *q;

	PM_NEED_MAGAZINES(t);
	pm_test_pin(0);
	for (class = 1; class < PM_NR_CLASSES; class++) {
		same = 0;
		for (tries = 0; tries < 10; tries++) {
			p = pm_malloc(pm_classes[class].size);
			PM_REQUIRE(t, p);
			pm_free(p);
			q = pm_malloc(pm_classes[class].size);
			PM_REQUIRE(t, q);
			same += p == q;
			pm_free(q);
		}
		PM_EXPECT(t, same > 0);
	}
}

/* A free object carries the mark, a live one does not. */
static void magazine_mark(struct pm_test *t)
{
	unsigned int class;
	void *p;

	PM_NEED_MAGAZINES(t);
	for (class = 1; class < PM_NR_CLASSES; class++) {
		p = pm_malloc(pm_classes[class].size);
		PM_REQUIRE(t, p);
		PM_EXPECT(t, !pm_is_marked(p));
		pm_free(p);
		PM_EXPECT(t, pm_is_marked(p));
	}
}

/* The mark is a hint: a live object that has it by chance can be freed. */
static void magazine_mark_by_chance(struct pm_test *t)
{
	unsigned int i;
	void *p;

	for (i = 0; i < 20; i++) {
		p = pm_malloc(16 + i * 100);
		PM_REQUIRE(t, p);
		pm_set_mark(p);
		PM_EXPECT(t, pm_usable_size(p) >= 16 + i * 100);
		p = pm_realloc(p, 4000);
		PM_REQUIRE(t, p);
		pm_set_mark(p);
		pm_free(p);
	}
}

/*
 * Who is handed an object on another CPU, and frees it before anything else,
 * does not get it back: it shares a cache line with others of its giver.
 * A CPU that goes away takes the thread back to the giver's: so some tries.
 */
static void magazine_first_free_goes_home(struct pm_test *t)
{
	unsigned int i, tries, back, away = 0;
	void *p, *q[8];

	PM_NEED_MAGAZINES(t);
	PM_NEED(t, pm_test_cpus() > 1, "there is one CPU");
	pm_test_policy("cpu");
	for (tries = 0; tries < 5; tries++) {
		back = 0;
		pm_test_pin(0);
		pm_trim();
		p = pm_malloc(16);
		PM_REQUIRE(t, p);
		pm_test_pin(1);
		pm_free(p);
		for (i = 0; i < ARRAY_SIZE(q); i++) {
			q[i] = pm_malloc(16);
			PM_EXPECT(t, q[i]);
			back += q[i] == p;
		}
		for (i = 0; i < ARRAY_SIZE(q); i++)
			pm_free(q[i]);
		away += !back;
		if (back)
			pm_test_sleep_ms(50);
	}
	/* Without that it would come back every time. */
	PM_EXPECT(t, away > 2);
}

/*
 * Acquisitions of all arenas since there were @before. Figures go with an arena that
 * is retired, as when a CPU goes offline: then they may be fewer than before.
 */
static u64 magazine_acquired_since(u64 before)
{
	u64 now = PM_TEST_SUM(acquired);

	return now > before ? now - before : 0;
}

/* Return: acquisitions that so many pairs took. */
static u64 magazine_pairs(unsigned int pairs)
{
	enum { DEPTH = 8 };
	u64 before = PM_TEST_SUM(acquired);
	unsigned int i, j;
	void *p[DEPTH];

	for (i = 0; i < pairs / DEPTH; i++) {
		for (j = 0; j < DEPTH; j++)
			p[j] = pm_malloc(64);
		for (j = 0; j < DEPTH; j++)
			pm_free(p[j]);
	}
	return magazine_acquired_since(before);
}

/*
 * In steady state the arenas' locks are left alone. As long as the magazine of a CPU
 * that goes offline is drained none can be published, and a thread that comes to
 * another CPU meanwhile does without: so some tries.
 */
static void magazine_spares_locks(struct pm_test *t)
{
	enum { PAIRS = 20000 };
	unsigned int tries = 0;

	PM_NEED_MAGAZINES(t);
	/* Trimming elsewhere, or a change of the CPU, may cost a few. */
	while (magazine_pairs(PAIRS) >= PAIRS / 100 && ++tries < 5)
		pm_test_sleep_ms(50);
	PM_EXPECT(t, tries < 5);
}

/* Return: acquisitions that it took to free so many that another CPU has made. */
static u64 magazine_consume(struct pm_test *t, void **objs, unsigned int n)
{
	unsigned int i;
	u64 before;

	pm_test_pin(0);
	pm_trim();
	for (i = 0; i < n; i++) {
		objs[i] = pm_malloc(48);
		PM_EXPECT(t, objs[i]);
	}
	pm_test_pin(1);
	before = PM_TEST_SUM(acquired);
	for (i = 0; i < n; i++)
		pm_free(objs[i]);
	return magazine_acquired_since(before);
}

/* Who does nothing but free what others made does so by the batch, too. */
static void magazine_consumer(struct pm_test *t)
{
	enum { OBJECTS = 2000 };
	static void *objs[OBJECTS];
	unsigned int tries = 0;

	PM_NEED_MAGAZINES(t);
	PM_NEED(t, pm_test_cpus() > 1, "there is one CPU");
	pm_test_policy("cpu");
	/* Some tries: see magazine_spares_locks(). */
	while (magazine_consume(t, objs, OBJECTS) >= OBJECTS / 10 && ++tries < 5)
		pm_test_sleep_ms(50);
	PM_EXPECT(t, tries < 5);
}

/* What magazines hold is counted, bounded, and drained by a trim. */
static void magazine_budget(struct pm_test *t)
{
	enum { OBJECTS = 2000 };
	static void *objs[OBJECTS];
	size_t most = pm_options.magazine_bytes;
	struct pm_totals totals;
	unsigned int i, round;

	PM_NEED_MAGAZINES(t);
	for (i = 1; i < PM_NR_SLAB_CLASSES; i++)
		most += PM_MAG_FIRST_SLOTS * pm_classes[i].size;
	pm_trim();
	for (round = 0; round < 10; round++) {
		for (i = 0; i < OBJECTS; i++) {
			objs[i] = pm_malloc(pm_rnd_below(&t->rnd, 2000));
			PM_EXPECT(t, objs[i]);
		}
		for (i = 0; i < OBJECTS; i++)
			pm_free(objs[i]);
	}
	pm_get_totals(&totals);
	PM_EXPECT(t, totals.magazine > 0);
	PM_EXPECT(t, totals.magazine <= most * pm_host_nr_cpus());
	pm_trim();
	pm_get_totals(&totals);
	PM_EXPECT_EQ(t, totals.depot, 0);
}

/* A class whose turn comes when the budget is spent works all the same. */
static void magazine_budget_spent(struct pm_test *t)
{
	unsigned long saved = pm_options.magazine_bytes;
	unsigned int class, i;
	void *objs[64];

	PM_NEED_MAGAZINES(t);
	pm_trim();
	WRITE_ONCE(pm_options.magazine_bytes, 0);
	for (class = 1; class < PM_NR_CLASSES; class++) {
		for (i = 0; i < ARRAY_SIZE(objs); i++) {
			objs[i] = pm_malloc(pm_classes[class].size);
			PM_EXPECT(t, objs[i]);
		}
		for (i = 0; i < ARRAY_SIZE(objs); i++)
			pm_free(objs[i]);
	}
	WRITE_ONCE(pm_options.magazine_bytes, saved);
}

/* Sets of objects of every class come and go. */
static void magazine_use_all_classes(void)
{
	unsigned int class, i, n, tries;
	void *objs[64];

	for (class = 1; class < PM_NR_SLAB_CLASSES; class++)
		for (tries = 0; tries < 8; tries++) {
			for (n = 0; n < ARRAY_SIZE(objs); n++)
				objs[n] = pm_malloc(pm_classes[class].size);
			for (i = 0; i < n; i++)
				pm_free(objs[i]);
		}
}

/* The magazine that has the most room, or NULL. */
static struct pm_magazine *magazine_largest(void)
{
	struct pm_magazine *mag = NULL;
	unsigned int i;

	for (i = 0; i < pm_percpu_count(); i++)
		if (pm_mag_at(i) && (!mag || mag->capacity < pm_mag_at(i)->capacity))
			mag = pm_mag_at(i);
	return mag;
}

/*
 * All magazines together have a share, and one gives what is beyond its own. A CPU
 * that goes away takes the room of its magazine along: so some tries.
 */
static void magazine_share(struct pm_test *t)
{
	struct pm_magazine *mag = NULL;
	unsigned int tries;

	PM_NEED_MAGAZINES(t);
	pm_trim();
	for (tries = 0; tries < 10 && (!mag || mag->capacity <= (1L << 20)); tries++) {
		pm_test_pin(0);
		magazine_use_all_classes();
		mag = magazine_largest();
	}
	PM_REQUIRE(t, mag);
	PM_EXPECT(t, mag->capacity > (1L << 20));
	WRITE_ONCE(pm_options.cache_bytes, 256UL << 10);
	pm_share_set_live(0);
	PM_EXPECT(t, pm_share_of_magazine() <= (128UL << 10));
	pm_mag_lock_all();
	/* Every class may be in use. */
	for (tries = 0; tries < 16 && mag->capacity > (long)pm_share_of_magazine(); tries++) {
		memset(mag->busy, 1, sizeof(mag->busy));
		pm_mag_shrink(mag);
	}
	PM_EXPECT(t, mag->capacity <= (long)pm_share_of_magazine());
	pm_mag_unlock_all();
	WRITE_ONCE(pm_options.cache_bytes, 32UL << 20);
	pm_share_set_live(0);
}

/* Return: the most slots of a class that a magazine has. */
static unsigned int magazine_most_room(unsigned int class)
{
	unsigned int i, most = 0;

	for (i = 0; i < pm_percpu_count(); i++)
		if (pm_mag_at(i))
			most = max_t(unsigned int, most, pm_mag_room(pm_mag_at(i), class));
	return most;
}

/*
 * A CPU that only allocates gains little from a large stack, so the stack grows with
 * the CPU's share: many CPUs would each hold that much otherwise.
 */
static void magazine_share_easy(struct pm_test *t)
{
	unsigned int class = pm_class_of(64), i;
	void **p, **last = NULL;

	PM_NEED_MAGAZINES(t);
	WRITE_ONCE(pm_options.cache_bytes, 64UL << 10);
	pm_share_set_live(0);
	pm_trim();
	pm_mag_lock_all();
	for (i = 0; i < pm_percpu_count() * 8; i++)
		if (pm_mag_at(i / 8))
			pm_mag_shrink(pm_mag_at(i / 8));
	pm_mag_unlock_all();
	PM_EXPECT(t, magazine_most_room(class) <= PM_MAG_FIRST_SLOTS);
	for (i = 0; i < 512; i++) {
		p = pm_malloc(64);
		PM_REQUIRE(t, p);
		*p = last;
		last = p;
	}
	/* 32 KiB are all magazines'; room for the 512 would be as much. */
	PM_EXPECT(t, magazine_most_room(class) <= 4 * PM_MAG_FIRST_SLOTS);
	for (p = last; p; p = last) {
		last = *p;
		pm_free(p);
	}
	WRITE_ONCE(pm_options.cache_bytes, 32UL << 20);
	pm_share_set_live(0);
}

/* Allocate and free @n objects of 64 bytes, all and all. */
static void magazine_all_and_all(struct pm_test *t, void **objs, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		objs[i] = pm_malloc(64);
		PM_EXPECT(t, objs[i]);
	}
	for (i = 0; i < n; i++)
		pm_free(objs[i]);
}

/*
 * Many classes are used, and the budget is spent; then the program turns to
 * one of them. It gets the room that the others do not need any more, at
 * once: not when the decay time is over.
 */
static void magazine_budget_moves(struct pm_test *t)
{
	enum { OBJECTS = 500, ROUNDS = 50 };
	unsigned int class, i, round;
	static void *objs[OBJECTS];
	u64 before, now;

	PM_NEED_MAGAZINES(t);
	pm_test_pin(0);
	pm_trim();
	for (class = 10; class < PM_NR_SLAB_CLASSES; class++)
		for (round = 0; round < 10; round++) {
			for (i = 0; i < 64; i++) {
				objs[i] = pm_malloc(pm_classes[class].size);
				PM_EXPECT(t, objs[i]);
			}
			for (i = 0; i < 64; i++)
				pm_free(objs[i]);
		}
	for (round = 0; round < ROUNDS; round++)
		magazine_all_and_all(t, objs, OBJECTS);
	before = PM_TEST_SUM(acquired);
	magazine_all_and_all(t, objs, OBJECTS);
	now = PM_TEST_SUM(acquired);
	PM_EXPECT(t, now < before + 2 * OBJECTS / 10);
}

/* ---- drained while in use ---------------------------------------------- */

#define MAGAZINE_SLOTS	128

struct magazine_env {
	void *slot[MAGAZINE_SLOTS];
	atomic_long_t taken;
	atomic_long_t freed;
	unsigned int drained;
};

static struct magazine_env magazine_env;

/* An object that two owners had would lose its pattern. */
static void magazine_give(struct pm_test *t, struct magazine_env *env, u64 *p)
{
	if (!p)
		return;
	PM_EXPECT(t, p[0] == (u64)(unsigned long)p);
	PM_EXPECT(t, p[1] == ~(u64)(unsigned long)p);
	p[0] = 0;
	pm_free(p);
	atomic_long_inc(&env->freed);
}

static void magazine_crowd_main(struct pm_test_crowd *crowd, unsigned int n)
{
	struct magazine_env *env = crowd->arg;
	unsigned int steps, burst, i;
	struct pm_rnd rnd;
	u64 *p;

	pm_rnd_init(&rnd, crowd->t->seed, n + 1);
	for (steps = 0; !pm_test_crowd_done(crowd); steps++) {
		burst = 1 + pm_rnd_below(&rnd, 40);
		for (i = 0; i < burst; i++) {
			p = NULL;
			if (pm_rnd_below(&rnd, 2)) {
				p = pm_malloc(16 + 16 * pm_rnd_below(&rnd, 4));
				if (!PM_EXPECT(crowd->t, p))
					return;
				atomic_long_inc(&env->taken);
				p[0] = (unsigned long)p;
				p[1] = ~(u64)(unsigned long)p;
			}
			p = xchg(&env->slot[pm_rnd_below(&rnd,
							 MAGAZINE_SLOTS)], p);
			magazine_give(crowd->t, env, p);
		}
		if (steps % 16 == 0)
			pm_test_pin(pm_rnd_next(&rnd) >> 40);
		pm_test_yield();
	}
	pm_test_unpin();
}

static void magazine_drain_all_the_time(struct pm_test_crowd *crowd)
{
	struct magazine_env *env = crowd->arg;

	while (!pm_test_crowd_done(crowd)) {
		env->drained += pm_mag_drain(pm_rnd_below(&crowd->t->rnd,
							  pm_host_nr_cpus()));
		if (!pm_rnd_below(&crowd->t->rnd, 64))
			pm_test_pause();
	}
}

static void magazine_drain(struct pm_test *t)
{
	struct magazine_env *env = &magazine_env;
	struct pm_test_crowd crowd = {
		.t = t, .fn = magazine_crowd_main, .arg = env,
		.nr = 2 * min_t(unsigned int, pm_test_cpus(), 8) + 1,
	};
	unsigned int i;

	PM_NEED_MAGAZINES(t);
	memset(env, 0, sizeof(*env));
	pm_test_crowd_run(&crowd, magazine_drain_all_the_time);
	for (i = 0; i < MAGAZINE_SLOTS; i++)
		magazine_give(t, env, env->slot[i]);
	PM_EXPECT(t, env->drained > 0);
	PM_EXPECT_EQ(t, atomic_long_read(&env->taken),
		     atomic_long_read(&env->freed));
}

static const struct pm_test_case magazine_cases[] = {
	PM_CASE(magazine, last_in_first_out),
	PM_CASE(magazine, mark),
	PM_CASE(magazine, mark_by_chance),
	PM_CASE(magazine, first_free_goes_home),
	PM_CASE(magazine, spares_locks),
	PM_CASE(magazine, consumer),
	PM_CASE(magazine, budget),
	PM_CASE(magazine, budget_spent),
	PM_CASE(magazine, share),
	PM_CASE(magazine, share_easy),
	PM_CASE(magazine, budget_moves),
	PM_CASE(magazine, drain),
};
PM_SUITE(magazine);
