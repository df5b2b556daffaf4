// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * More threads than CPUs do everything that the interface offers, hand
 * objects to each other, and look whether anybody else wrote into them.
 *
 * At the end what was taken was freed, and the runner finds the allocator as
 * it was before. The seed that it printed makes the same requests again; what
 * the threads do to each other is theirs.
 */
#include "pm_test.h"
#include "base/options.h"
#include "api/stats.h"

#define STRESS_SLOTS	512

struct stress_object {
	size_t size;		/* bytes after this head that are filled */
	u64 tag;
	char body[];
};

struct stress_env {
	struct stress_object *slot[STRESS_SLOTS];
	atomic_long_t taken;
	atomic_long_t freed;
	bool wander;
	bool trim;
};

static struct stress_env stress_env;

/* Mostly small, now and then long: by doublings. */
static size_t stress_size(struct pm_rnd *rnd)
{
	unsigned int n = pm_rnd_below(rnd, 100);

	if (n < 80)
		return pm_rnd_below(rnd, 512);
	if (n < 97)
		return pm_rnd_below(rnd, 16384);
	return pm_rnd_below(rnd, 131072);
}

static void stress_tag(struct stress_object *o, size_t size, u64 tag)
{
	o->size = size;
	o->tag = tag;
	pm_test_fill(o->body, size, tag);
}

static struct stress_object *stress_take(struct pm_test *t, struct pm_rnd *rnd,
					 struct stress_env *env)
{
	size_t size = stress_size(rnd), all = sizeof(struct stress_object) + size;
	struct stress_object *o;
	size_t align = 16;

	switch (pm_rnd_below(rnd, 16)) {
	case 0:
		o = pm_calloc(1, all);
		PM_EXPECT(t, !o || pm_test_is_zero(o, all));
		break;
	case 1:
		align = 16UL << pm_rnd_below(rnd, 10);
		o = pm_aligned_alloc(align, all);
		break;
	default:
		o = pm_malloc(all);
	}
	if (!PM_EXPECT(t, o))
		return NULL;
	PM_EXPECT(t, IS_ALIGNED((unsigned long)o, align));
	atomic_long_inc(&env->taken);
	stress_tag(o, size, pm_rnd_next(rnd));
	return o;
}

static bool stress_intact(struct pm_test *t, const struct stress_object *o)
{
	if (likely(pm_test_filled(o->body, o->size, o->tag)))
		return true;
	return pm_test_fail(t, __FILE__, __LINE__,
			    "object %lx of %zu bytes is not as it was",
			    (unsigned long)o, o->size);
}

static void stress_give(struct pm_test *t, struct stress_env *env,
			struct stress_object *o)
{
	if (!o || !stress_intact(t, o))
		return;
	o->tag = ~o->tag;
	pm_free(o);
	atomic_long_inc(&env->freed);
}

static struct stress_object *stress_resize(struct pm_test *t,
					   struct pm_rnd *rnd,
					   struct stress_object *o)
{
	size_t size = stress_size(rnd), keep = min_t(size_t, size, o->size);
	struct stress_object *new;
	u64 tag = o->tag;

	if (!stress_intact(t, o))
		return o;
	new = pm_realloc(o, sizeof(*o) + size);
	if (!PM_EXPECT(t, new))
		return o;
	PM_EXPECT(t, pm_test_filled(new->body, keep / 8 * 8, tag));
	stress_tag(new, size, tag + 1);
	return new;
}

static void stress_step(struct pm_test *t, struct pm_rnd *rnd,
			struct stress_env *env)
{
	struct stress_object **slot = &env->slot[pm_rnd_below(rnd,
							      STRESS_SLOTS)];
	struct stress_object *o = NULL;

	switch (pm_rnd_below(rnd, 8)) {
	case 0 ... 3:
		o = stress_take(t, rnd, env);
		break;
	case 4:
		o = xchg(slot, NULL);
		if (o)
			o = stress_resize(t, rnd, o);
		break;
	}
	/* In goes ours, or nothing; out comes somebody's, or nothing. */
	stress_give(t, env, xchg(slot, o));
}

static void stress_main(struct pm_test_crowd *crowd, unsigned int n)
{
	struct stress_env *env = crowd->arg;
	unsigned int steps;
	struct pm_rnd rnd;

	pm_rnd_init(&rnd, crowd->t->seed, n + 1);
	for (steps = 0; !pm_test_crowd_done(crowd); steps++) {
		stress_step(crowd->t, &rnd, env);
		if (env->wander && steps % 64 == 0)
			pm_test_pin(pm_rnd_next(&rnd) >> 40);
		if (env->trim && n == 0 && steps % 256 == 0)
			pm_trim();
		pm_test_yield();
	}
	if (env->wander)
		pm_test_unpin();
}

/* Others look at the figures meanwhile: no lock order may be violated. */
static void stress_look(struct pm_test_crowd *crowd)
{
	struct pm_totals totals;

	while (!pm_test_crowd_done(crowd)) {
		pm_get_totals(&totals);
		pm_report(NULL, 0, true);
		pm_test_sleep_ms(5);
	}
}

static void stress_run(struct pm_test *t, struct stress_env *env)
{
	struct pm_test_crowd crowd = {
		.t = t, .fn = stress_main, .arg = env,
		.nr = 3 * min_t(unsigned int, pm_test_cpus(), 8) + 1,
	};
	struct pm_class_figures fig;
	unsigned int i, class, tries;
	u64 out;

	memset(env->slot, 0, sizeof(env->slot));
	WRITE_ONCE(pm_options.decay_ms, 20);
	atomic_long_set(&env->taken, 0);
	atomic_long_set(&env->freed, 0);
	pm_test_crowd_run(&crowd, stress_look);
	for (i = 0; i < STRESS_SLOTS; i++)
		stress_give(t, env, env->slot[i]);
	PM_EXPECT(t, atomic_long_read(&env->taken) > 0);
	PM_EXPECT_EQ(t, atomic_long_read(&env->taken),
		     atomic_long_read(&env->freed));
	/* A CPU that goes offline now may have its arena retired meanwhile. */
	for (tries = 0; tries < 100; tries++) {
		pm_trim();
		for (class = 1, out = 0; class < PM_NR_CLASSES; class++) {
			pm_class_figures(class, &fig);
			out += fig.out;
		}
		if (!out)
			break;
		pm_test_pause();
	}
	for (class = 1; class < PM_NR_CLASSES; class++) {
		pm_class_figures(class, &fig);
		PM_EXPECT_EQ(t, fig.out, 0);
	}
}

static void stress_with(struct pm_test *t, const char *policy)
{
	struct stress_env *env = &stress_env;

	env->wander = false;
	env->trim = false;
	if (policy)
		pm_test_policy(policy);
	else
		pm_test_pick(PM_TEST_ROAM);
	stress_run(t, env);
}

static void stress_single(struct pm_test *t)
{
	stress_with(t, "single");
}

static void stress_thread(struct pm_test *t)
{
	stress_with(t, "thread");
}

static void stress_pool(struct pm_test *t)
{
	stress_with(t, "pool");
}

static void stress_cpu(struct pm_test *t)
{
	stress_with(t, "cpu");
}

static void stress_roam(struct pm_test *t)
{
	stress_with(t, NULL);
}

/* Threads change their CPU all the time. */
static void stress_wander(struct pm_test *t)
{
	stress_env.wander = true;
	stress_env.trim = false;
	stress_run(t, &stress_env);
}

/* Free memory goes back all the time. */
static void stress_trim(struct pm_test *t)
{
	stress_env.wander = false;
	stress_env.trim = true;
	stress_run(t, &stress_env);
}

static const struct pm_test_case stress_cases[] = {
	PM_CASE(stress, single),
	PM_CASE(stress, thread),
	PM_CASE(stress, pool),
	PM_CASE(stress, cpu),
	PM_CASE(stress, roam),
	PM_CASE(stress, wander),
	PM_CASE(stress, trim),
};
PM_SUITE(stress);
