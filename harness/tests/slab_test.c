// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Slabs: objects are taken and put, with the lock and without, and every
 * object is always in exactly one state.
 *
 * The slabs lie in a heap of an arena that the allocator does not know; the
 * thread that runs a case holds its lock.
 */
#include "pm_test.h"
#include "base/testing.h"
#include "front/magazine.h"

struct slab_env {
	struct pm_arena *arena;
	struct pm_heap *heap;
	struct pm_slab *slab;
	void *objs[PM_SLAB_MAX_OBJECTS];
};

/* The environment is large for a stack, and only one case runs at a time. */
static struct slab_env slab_env;

static bool slab_begin(struct pm_test *t)
{
	slab_env.arena = pm_test_arena_make();
	if (!PM_EXPECT(t, slab_env.arena))
		return false;
	slab_env.heap = pm_arena_map_heap(slab_env.arena, 1, GFP_KERNEL);
	if (PM_EXPECT(t, slab_env.heap))
		return true;
	pm_test_arena_drop(slab_env.arena);
	return false;
}

static void slab_end(void)
{
	pm_test_arena_drop(slab_env.arena);
}

static struct pm_slab *slab_get(struct pm_test *t, unsigned int class)
{
	struct pm_slab *slab = pm_test_cut_slab(slab_env.heap, class);

	PM_EXPECT(t, slab);
	return slab;
}

/* Put everything back whatever state the case left it in. */
static void slab_put_back(struct pm_slab *slab)
{
	unsigned int i;

	pm_slab_collect(slab);
	for (i = 0; i < pm_slab_capacity(slab); i++)
		pm_slab_put(slab, i);
	pm_arena_put_slab(slab_env.heap->arena, slab);
}

static void slab_expect_sound(struct pm_test *t, const struct pm_slab *slab)
{
	const char *fault = pm_slab_fault(slab);

	if (fault)
		pm_test_fail(t, __FILE__, __LINE__, "%s", fault);
}

/* The lowest first, each once, until there is none. */
static void slab_take(struct pm_test *t)
{
	unsigned int class, n, i, want, capacity;
	struct pm_slab *slab;

	if (!slab_begin(t))
		return;
	for (class = 1; class < PM_NR_SLAB_CLASSES; class++) {
		slab = slab_get(t, class);
		if (!slab)
			break;
		capacity = pm_slab_capacity(slab);
		PM_EXPECT_EQ(t, slab->nr_free, capacity);
		for (n = 0; n < capacity; n += i) {
			want = 1 + pm_rnd_below(&t->rnd, 130);
			i = pm_test_slab_take(slab, slab_env.objs + n, want);
			if (!PM_EXPECT_EQ(t, i, min_t(unsigned int, want,
						      capacity - n)))
				break;
			slab_expect_sound(t, slab);
		}
		for (i = 0; i < capacity; i++)
			if (!PM_EXPECT(t, slab_env.objs[i] ==
				       pm_slab_object(slab, i)))
				break;
		PM_EXPECT_EQ(t, pm_test_slab_take(slab, slab_env.objs, 1), 0);
		PM_EXPECT_EQ(t, slab->nr_free, 0);
		slab_put_back(slab);
	}
	slab_end();
}

/* Objects come back in any order; twice is refused, and changes nothing. */
static void slab_put(struct pm_test *t)
{
	unsigned int class, i, at, capacity;
	struct pm_slab *slab;

	if (!slab_begin(t))
		return;
	for (class = 1; class < PM_NR_SLAB_CLASSES; class++) {
		slab = slab_get(t, class);
		if (!slab)
			break;
		capacity = pm_slab_capacity(slab);
		PM_EXPECT_EQ(t, pm_slab_put(slab, 0), PM_SLAB_DOUBLE_FREE);
		pm_test_slab_take(slab, slab_env.objs, capacity);
		/* 7919 is prime and longer than a slab: visits each once. */
		for (i = 0; i < capacity; i++) {
			at = (i + 1) * 7919 % capacity;
			PM_EXPECT_EQ(t, pm_slab_put(slab, at), PM_SLAB_OK);
			PM_EXPECT_EQ(t, pm_slab_put(slab, at),
				     PM_SLAB_DOUBLE_FREE);
			PM_EXPECT_EQ(t, pm_slab_put_remote(slab, at),
				     PM_SLAB_DOUBLE_FREE);
			PM_EXPECT_EQ(t, slab->nr_free, i + 1);
		}
		slab_expect_sound(t, slab);
		slab_put_back(slab);
	}
	slab_end();
}

/* What came without the lock counts when it is collected, and once. */
static void slab_remote(struct pm_test *t)
{
	unsigned int class, i, capacity, half;
	struct pm_slab *slab;

	if (!slab_begin(t))
		return;
	for (class = 1; class < PM_NR_SLAB_CLASSES; class++) {
		slab = slab_get(t, class);
		if (!slab)
			break;
		capacity = pm_slab_capacity(slab);
		half = capacity / 2;
		PM_EXPECT_EQ(t, pm_slab_collect(slab), 0);
		pm_test_slab_take(slab, slab_env.objs, capacity);
		for (i = 0; i < half; i++) {
			PM_EXPECT_EQ(t, pm_slab_put_remote(slab, i),
				     PM_SLAB_OK);
			PM_EXPECT_EQ(t, pm_slab_put_remote(slab, i),
				     PM_SLAB_DOUBLE_FREE);
			PM_EXPECT_EQ(t, pm_slab_put(slab, i),
				     PM_SLAB_DOUBLE_FREE);
		}
		PM_EXPECT_EQ(t, slab->nr_free, 0);
		slab_expect_sound(t, slab);
		PM_EXPECT_EQ(t, pm_slab_collect(slab), half);
		PM_EXPECT_EQ(t, pm_slab_collect(slab), 0);
		PM_EXPECT_EQ(t, slab->nr_free, half);
		slab_expect_sound(t, slab);
		/* They can be taken again, and only they. */
		PM_EXPECT_EQ(t, pm_test_slab_take(slab, slab_env.objs, capacity),
			     half);
		PM_EXPECT(t, slab_env.objs[0] == slab->base);
		slab_put_back(slab);
	}
	slab_end();
}

/* A pointer is an object's start, or it is not. */
static void slab_pointers(struct pm_test *t)
{
	unsigned int class, index, size, i;
	struct pm_slab *slab;

	if (!slab_begin(t))
		return;
	for (class = 1; class < PM_NR_SLAB_CLASSES; class++) {
		slab = slab_get(t, class);
		if (!slab)
			break;
		size = pm_classes[class].size;
		for (i = 0; i < pm_slab_capacity(slab); i++) {
			char *p = pm_slab_object(slab, i);

			PM_EXPECT(t, pm_slab_index(slab, p, &index));
			PM_EXPECT_EQ(t, index, i);
			PM_EXPECT(t, pm_class_is_start(class, p));
			PM_EXPECT(t, !pm_slab_index(slab, p + 1, &index));
			PM_EXPECT_EQ(t, index, i);
			PM_EXPECT(t, !pm_slab_index(slab, p + size - 1,
						    &index));
			PM_EXPECT_EQ(t, index, i);
			PM_EXPECT(t, !pm_class_is_start(class, p + 8));
		}
		/* What is left at the end is no object. */
		if (i * size < pm_classes[class].units * PM_UNIT_SIZE)
			PM_EXPECT(t, !pm_slab_index(slab, slab->base + i * size,
						    &index));
		slab_put_back(slab);
	}
	slab_end();
}

/* The states that the comment at the top of slab.c lists. */
enum slab_state { SLAB_FREE, SLAB_OUT, SLAB_REMOTE };

struct slab_model {
	unsigned int nr_free;
	u8 state[PM_SLAB_MAX_OBJECTS];
};

static struct slab_model slab_model;

static void slab_model_take(struct pm_test *t, struct pm_slab *slab)
{
	struct slab_model *m = &slab_model;
	unsigned int want = 1 + pm_rnd_below(&t->rnd, 64), n, i, index;
	unsigned int lowest = 0;

	n = pm_test_slab_take(slab, slab_env.objs, want);
	PM_EXPECT_EQ(t, n, min_t(unsigned int, want, m->nr_free));
	for (i = 0; i < n; i++) {
		while (lowest < pm_slab_capacity(slab) &&
		       m->state[lowest] != SLAB_FREE)
			lowest++;
		if (!PM_EXPECT(t, pm_slab_index(slab, slab_env.objs[i],
						&index)) ||
		    !PM_EXPECT_EQ(t, index, lowest))
			return;
		m->state[index] = SLAB_OUT;
	}
	m->nr_free -= n;
}

static void slab_model_collect(struct pm_test *t, struct pm_slab *slab)
{
	struct slab_model *m = &slab_model;
	unsigned int i, n = 0;

	for (i = 0; i < pm_slab_capacity(slab); i++)
		if (m->state[i] == SLAB_REMOTE) {
			m->state[i] = SLAB_FREE;
			n++;
		}
	PM_EXPECT_EQ(t, pm_slab_collect(slab), n);
	m->nr_free += n;
}

/* One random operation on a random object, whatever state it is in. */
static void slab_model_step(struct pm_test *t, struct pm_slab *slab)
{
	struct slab_model *m = &slab_model;
	unsigned int i = pm_rnd_below(&t->rnd, pm_slab_capacity(slab));
	enum pm_slab_fault expected = m->state[i] == SLAB_OUT ?
					PM_SLAB_OK : PM_SLAB_DOUBLE_FREE;

	switch (pm_rnd_below(&t->rnd, 100)) {
	case 0 ... 44:
		PM_EXPECT_EQ(t, pm_slab_put(slab, i), expected);
		if (expected == PM_SLAB_OK) {
			m->state[i] = SLAB_FREE;
			m->nr_free++;
		}
		break;
	case 45 ... 89:
		PM_EXPECT_EQ(t, pm_slab_put_remote(slab, i), expected);
		if (expected == PM_SLAB_OK)
			m->state[i] = SLAB_REMOTE;
		break;
	case 90 ... 97:
		slab_model_take(t, slab);
		break;
	default:
		slab_model_collect(t, slab);
	}
	PM_EXPECT_EQ(t, slab->nr_free, m->nr_free);
}

static void slab_against_model(struct pm_test *t)
{
	unsigned int class, step;
	struct pm_slab *slab;

	if (!slab_begin(t))
		return;
	for (class = 1; class < PM_NR_SLAB_CLASSES; class++) {
		slab = slab_get(t, class);
		if (!slab)
			break;
		memset(&slab_model, 0, sizeof(slab_model));
		slab_model.nr_free = pm_slab_capacity(slab);
		for (step = 0; step < 3000; step++) {
			slab_model_step(t, slab);
			if (step % 64 == 0)
				slab_expect_sound(t, slab);
		}
		slab_put_back(slab);
		pm_test_yield();
	}
	slab_end();
}

/* Others free without the lock while we take and collect: none is lost. */
struct slab_mail {
	struct pm_slab *slab;
	atomic_long_t sent;
	atomic_long_t back;
	atomic_long_t refused;
	void *slot[64];
};

static void slab_remote_main(struct pm_test_crowd *crowd, unsigned int n)
{
	struct slab_mail *mail = crowd->arg;
	struct pm_rnd rnd;
	unsigned int index;
	void *p;

	pm_rnd_init(&rnd, crowd->t->seed, n + 1);
	while (!pm_test_crowd_done(crowd)) {
		p = xchg(&mail->slot[pm_rnd_below(&rnd, 64)], NULL);
		if (!p) {
			pm_test_pause();
			continue;
		}
		pm_slab_index(mail->slab, p, &index);
		if (pm_slab_put_remote(mail->slab, index))
			atomic_long_inc(&mail->refused);
		else
			atomic_long_inc(&mail->back);
	}
}

static void slab_remote_feed(struct pm_test_crowd *crowd)
{
	struct slab_mail *mail = crowd->arg;
	struct pm_slab *slab = mail->slab;
	unsigned int i;
	void *p;

	while (!pm_test_crowd_done(crowd)) {
		pm_slab_collect(slab);
		i = pm_rnd_below(&crowd->t->rnd, 64);
		if (READ_ONCE(mail->slot[i]) || !pm_test_slab_take(slab, &p, 1)) {
			pm_test_pause();
			continue;
		}
		atomic_long_inc(&mail->sent);
		(void)xchg(&mail->slot[i], p);
	}
}

static void slab_remote_crowd(struct pm_test *t)
{
	static struct slab_mail mail;
	struct pm_test_crowd crowd = {
		.t = t, .fn = slab_remote_main, .arg = &mail, .nr = 3,
	};
	unsigned int i, left = 0;

	if (!slab_begin(t))
		return;
	memset(&mail, 0, sizeof(mail));
	mail.slab = slab_get(t, 5);
	if (!mail.slab)
		goto out;
	pm_test_crowd_run(&crowd, slab_remote_feed);
	pm_slab_collect(mail.slab);
	for (i = 0; i < 64; i++)
		left += mail.slot[i] != NULL;
	PM_EXPECT_EQ(t, atomic_long_read(&mail.refused), 0);
	PM_EXPECT_EQ(t, atomic_long_read(&mail.sent),
		     atomic_long_read(&mail.back) + left);
	PM_EXPECT_EQ(t, mail.slab->nr_free,
		     pm_slab_capacity(mail.slab) - left);
	slab_expect_sound(t, mail.slab);
	slab_put_back(mail.slab);
out:
	slab_end();
}

/* Of all that free one object without the lock at once, one is believed. */
struct slab_race {
	struct pm_slab *slab;
	atomic_long_t met;
	atomic_long_t believed;
};

static void slab_race_main(struct pm_test_crowd *crowd, unsigned int n)
{
	struct slab_race *race = crowd->arg;
	unsigned int i;

	for (i = 0; i < pm_slab_capacity(race->slab); i++) {
		pm_test_meet(&race->met, crowd->nr);
		if (!pm_slab_put_remote(race->slab, i))
			atomic_long_inc(&race->believed);
	}
}

static void slab_double_remote(struct pm_test *t)
{
	struct slab_race race = { .slab = NULL };
	struct pm_test_crowd crowd = {
		.t = t, .fn = slab_race_main, .arg = &race, .nr = 3,
	};
	unsigned int capacity;

	if (!slab_begin(t))
		return;
	race.slab = slab_get(t, 16);
	if (!race.slab)
		goto out;
	capacity = pm_slab_capacity(race.slab);
	pm_test_slab_take(race.slab, slab_env.objs, capacity);
	pm_test_crowd_run(&crowd, NULL);
	PM_EXPECT_EQ(t, atomic_long_read(&race.believed), capacity);
	PM_EXPECT_EQ(t, pm_slab_collect(race.slab), capacity);
	slab_expect_sound(t, race.slab);
	slab_put_back(race.slab);
out:
	slab_end();
}

/*
 * The one free that two threads may both be told to have worked: at the same
 * moment, one with the lock and one without. It must count once.
 */
static void slab_double_mixed(struct pm_test *t)
{
	unsigned int i, n, capacity;
	struct pm_slab *slab;

	if (!slab_begin(t))
		return;
	slab = slab_get(t, 16);
	if (!slab)
		goto out;
	capacity = pm_slab_capacity(slab);
	pm_test_slab_take(slab, slab_env.objs, capacity);
	for (i = 0; i < capacity; i++) {
		/* Both have looked; now the one stores, then the other. */
		PM_EXPECT_EQ(t, pm_slab_put(slab, i), PM_SLAB_OK);
		test_and_set_bit(i, slab->remote);
		if (i % 2)
			continue;
		PM_EXPECT_EQ(t, pm_slab_collect(slab), 0);
		PM_EXPECT_EQ(t, slab->nr_free, i + 1);
		/* Nobody was told so far; the first of them is noted. */
		PM_EXPECT(t, xchg(&pm_misuse_noted.obj, NULL) ==
			     pm_slab_object(slab, i ? i - 1 : 0));
	}
	PM_EXPECT_EQ(t, pm_slab_collect(slab), 0);
	WRITE_ONCE(pm_misuse_noted.obj, NULL);
	slab_expect_sound(t, slab);
	n = pm_test_slab_take(slab, slab_env.objs, capacity);
	PM_EXPECT_EQ(t, n, capacity);
	for (i = 0; i < n; i++)
		PM_EXPECT(t, slab_env.objs[i] == pm_slab_object(slab, i));
	slab_put_back(slab);
out:
	slab_end();
}

/* All objects that start in the slab's opened steps carry the mark. */
static void slab_expect_marked(struct pm_test *t, const struct pm_slab *slab)
{
	unsigned int i;

	for (i = 0; i < pm_slab_capacity(slab); i++) {
		if ((char *)pm_slab_object(slab, i) >=
		    slab->base + slab->opened * PM_STEP_SIZE)
			break;
		if (!PM_EXPECT(t, pm_is_marked(pm_slab_object(slab, i))))
			break;
	}
}

/*
 * Where a slab of the class was before its marks are taken to be there still.
 * They are not when another class was there since, or the pages have gone, also
 * those of steps that the slab before this one did not open.
 */
static void slab_marks(struct pm_test *t)
{
	static const struct {
		u8 size, steps;
		bool purge;
	} turn[] = {
		{ 48, 4, false }, { 80, 2, false }, { 48, 4, true },
		{ 48, 1, false }, { 48, 4, false }, { 80, 4, false },
		{ 48, 3, true }, { 80, 4, false }
	};
	struct pm_slab *slab;
	unsigned int i;

	if (!slab_begin(t))
		return;
	for (i = 0; i < ARRAY_SIZE(turn); i++) {
		slab = slab_get(t, pm_class_of(turn[i].size));
		if (!slab)
			break;
		PM_EXPECT(t, slab == &slab_env.heap->slab[0]);
		while (slab->opened < min_t(unsigned int, turn[i].steps,
					    PM_UNIT_STEPS))
			pm_heap_open_slab(slab, PM_CLASS_RARE);
		slab_expect_marked(t, slab);
		pm_arena_put_slab(slab_env.heap->arena, slab);
		if (turn[i].purge)
			pm_arena_purge_heap(slab_env.heap->arena, slab_env.heap,
					    SIZE_MAX);
	}
	slab_end();
}

static const char *slab_fault(const void *slab)
{
	return pm_slab_fault(slab);
}

#define SLAB_CLOBBER(t, flip, slab, field)					\
	pm_test_clobber(t, flip, "slab." #field, &(slab)->field,		\
			sizeof((slab)->field), slab_fault, slab)

/* One clobbered byte is noticed, in every field that can be checked. */
static void slab_clobbered(struct pm_test *t)
{
	unsigned int class;
	struct pm_slab *slab;

	if (!slab_begin(t))
		return;
	for (class = 1; class < PM_NR_SLAB_CLASSES; class += 9) {
		slab = slab_get(t, class);
		if (!slab)
			break;
		/* Some free, some out, one remote: no field is trivial. */
		pm_test_slab_take(slab, slab_env.objs,
			     pm_slab_capacity(slab) / 2 + 1);
		pm_slab_put_remote(slab, 0);
		SLAB_CLOBBER(t, 0xff, slab, heap);
		SLAB_CLOBBER(t, 0xff, slab, base);
		SLAB_CLOBBER(t, 0xff, slab, nr_free);
		SLAB_CLOBBER(t, 0xff, slab, hint);
		SLAB_CLOBBER(t, 0xff, slab, class);
		SLAB_CLOBBER(t, 0xff, slab, queued);
		SLAB_CLOBBER(t, 0x10, slab, free);
		slab_put_back(slab);
	}
	slab_end();
}

static const struct pm_test_case slab_cases[] = {
	PM_CASE(slab, take),
	PM_CASE(slab, put),
	PM_CASE(slab, remote),
	PM_CASE(slab, pointers),
	PM_CASE(slab, against_model),
	PM_CASE(slab, remote_crowd),
	PM_CASE(slab, double_remote),
	PM_CASE(slab, double_mixed),
	PM_CASE(slab, marks),
	PM_CASE(slab, clobbered),
};
PM_SUITE(slab);
