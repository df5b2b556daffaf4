// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Heaps: slabs are cut where one of their class was or first fit, go back,
 * and their pages are purged.
 */
#include "pm_test.h"
#include "base/options.h"
#include "base/testing.h"
#include "back/huge.h"
#include "back/pagemap.h"

struct heap_env {
	struct pm_arena *arena;
	struct pm_heap *heap;
};

static bool heap_begin(struct pm_test *t, struct heap_env *env)
{
	env->arena = pm_test_arena_make();
	if (!PM_EXPECT(t, env->arena))
		return false;
	env->heap = pm_arena_map_heap(env->arena, 1, GFP_KERNEL);
	if (PM_EXPECT(t, env->heap))
		return true;
	pm_test_arena_drop(env->arena);
	return false;
}

static void heap_end(struct heap_env *env)
{
	pm_test_arena_drop(env->arena);
}

static void heap_expect_sound(struct pm_test *t, const struct pm_heap *heap)
{
	const char *fault = pm_heap_fault(heap);

	if (fault)
		pm_test_fail(t, __FILE__, __LINE__, "%s", fault);
}

static unsigned int heap_unit(const struct pm_heap *heap,
			      const struct pm_slab *slab)
{
	return (slab->base - heap->base) / PM_UNIT_SIZE;
}

/* Aligned, zeroed, counted, found; and gone after. */
static void heap_create(struct pm_test *t)
{
	struct heap_env env;
	char *base;

	if (!heap_begin(t, &env))
		return;
	base = env.heap->base;
	PM_EXPECT(t, IS_ALIGNED(pm_addr_key(base), PM_HEAP_SIZE));
	PM_EXPECT_EQ(t, env.heap->nr_units, PM_HEAP_UNITS);
	PM_EXPECT(t, pm_heap_is_free(env.heap));
	PM_EXPECT(t, pm_test_is_zero(base, PM_HEAP_SIZE));
	PM_EXPECT_EQ(t, env.arena->nr_heaps, 1);
	PM_EXPECT_EQ(t, env.arena->heap_bytes, PM_HEAP_SIZE);
	PM_EXPECT(t, pm_pagemap_heap(base) == env.heap);
	PM_EXPECT(t, pm_pagemap_heap(base + PM_HEAP_SIZE - 1) == env.heap);
	heap_expect_sound(t, env.heap);
	pm_arena_unmap_heap(env.heap->arena, env.heap);
	PM_EXPECT_EQ(t, env.arena->nr_heaps, 0);
	PM_EXPECT_EQ(t, env.arena->heap_bytes, 0);
	PM_EXPECT(t, !pm_pagemap_heap(base));
	heap_end(&env);
}

/* Where the host or the page map has no memory nothing is left behind. */
static void heap_create_fails(struct pm_test *t)
{
	struct pm_arena *arena = pm_test_arena_make();

	PM_REQUIRE(t, arena);
	WRITE_ONCE(pm_inject.heap_map, 1);
	PM_EXPECT(t, !pm_arena_map_heap(arena, 1, GFP_KERNEL));
	WRITE_ONCE(pm_inject.heap_map, 0);
	WRITE_ONCE(pm_inject.meta, 1);
	PM_EXPECT(t, !pm_arena_map_heap(arena, 1, GFP_KERNEL));
	WRITE_ONCE(pm_inject.meta, 0);
	PM_EXPECT_EQ(t, arena->nr_heaps, 0);
	PM_EXPECT_EQ(t, arena->heap_bytes, 0);
	PM_EXPECT(t, list_empty(&arena->heaps));
	PM_EXPECT(t, pm_arena_map_heap(arena, 1, GFP_KERNEL));
	pm_test_arena_drop(arena);
}

/*
 * Heaps shorter than a slot, as a host gives that has only such: each is found
 * from all of its bytes and none is left behind, whatever the order.
 */
static void heap_short(struct pm_test *t)
{
	enum { HEAPS = 48 };
	static struct pm_heap *heaps[HEAPS];
	struct pm_arena *arena = pm_test_arena_make();
	unsigned int i, j;
	size_t size;
	char *base;

	PM_REQUIRE(t, arena);
	for (i = 0; i < HEAPS; i++) {
		/* A class of one, two and four units. */
		WRITE_ONCE(pm_inject.heap_size, PM_UNIT_SIZE);
		heaps[i] = pm_arena_map_heap(arena, pm_class_of(256 << i % 3),
					     GFP_KERNEL);
		WRITE_ONCE(pm_inject.heap_size, 0);
		if (!PM_EXPECT(t, heaps[i]))
			break;
		PM_EXPECT_EQ(t, heaps[i]->nr_units, 1U << i % 3);
		heap_expect_sound(t, heaps[i]);
		for (j = 0; j < heaps[i]->nr_units; j++)
			PM_EXPECT(t, pm_test_cut_slab(heaps[i], pm_class_of(16)));
		PM_EXPECT(t, !pm_test_cut_slab(heaps[i], pm_class_of(16)));
		PM_EXPECT(t, pm_test_is_zero(heaps[i]->base, 8));
	}
	for (j = 0; j < i; j++) {
		base = heaps[j]->base;
		size = heaps[j]->nr_units * PM_UNIT_SIZE;
		PM_EXPECT(t, pm_pagemap_heap(base) == heaps[j]);
		PM_EXPECT(t, pm_pagemap_heap(base + size - 1) == heaps[j]);
	}
	while (i--) {
		j = i % 2 ? i / 2 : HEAPS - 1 - i / 2;
		base = heaps[j]->base;
		while (!pm_heap_is_free(heaps[j]))
			pm_arena_put_slab(heaps[j]->arena, &heaps[j]->slab[heaps[j]->nr_free]);
		pm_arena_unmap_heap(heaps[j]->arena, heaps[j]);
		PM_EXPECT(t, !pm_pagemap_heap(base));
	}
	PM_EXPECT_EQ(t, arena->heap_bytes, 0);
	pm_test_arena_drop(arena);
}

/* The allocator works in such heaps, and goes on when longer ones are back. */
static void heap_short_all(struct pm_test *t)
{
	enum { OBJECTS = 2000 };
	static void *objs[OBJECTS];
	size_t size;
	unsigned int i, round;

	pm_trim();
	for (round = 0; round < 2; round++) {
		WRITE_ONCE(pm_inject.heap_size, round ? 0 : PM_UNIT_SIZE);
		for (i = round; i < OBJECTS; i += 1 + round) {
			size = 16 << i % 12;
			pm_free(objs[i]);
			objs[i] = pm_malloc(size);
			if (PM_EXPECT(t, objs[i]))
				pm_test_fill(objs[i], size, i);
		}
	}
	for (i = 0; i < OBJECTS; i++) {
		PM_EXPECT(t, pm_test_filled(objs[i], 16 << i % 12, i));
		pm_free(objs[i]);
		objs[i] = NULL;
	}
	pm_trim();
}

/* Lowest first; a hole is filled before what lies behind it. */
static void heap_first_fit(struct pm_test *t)
{
	struct pm_slab *a, *b, *c, *d, *again;
	unsigned int one = pm_class_of(16), four = pm_class_of(1024);
	struct heap_env env;

	PM_EXPECT_EQ(t, pm_classes[one].units, 1);
	PM_EXPECT_EQ(t, pm_classes[four].units, 4);
	if (!heap_begin(t, &env))
		return;
	a = pm_test_cut_slab(env.heap, one);
	b = pm_test_cut_slab(env.heap, four);
	c = pm_test_cut_slab(env.heap, one);
	d = pm_test_cut_slab(env.heap, four);
	if (PM_EXPECT(t, a && b && c && d)) {
		/* Slabs lie at multiples of their size. */
		PM_EXPECT_EQ(t, heap_unit(env.heap, a), 0);
		PM_EXPECT_EQ(t, heap_unit(env.heap, b), 4);
		PM_EXPECT_EQ(t, heap_unit(env.heap, c), 1);
		PM_EXPECT_EQ(t, heap_unit(env.heap, d), 8);
		pm_arena_put_slab(env.heap->arena, b);
		pm_arena_put_slab(env.heap->arena, a);
		again = pm_test_cut_slab(env.heap, one);
		PM_EXPECT(t, again == a);
		pm_arena_put_slab(env.heap->arena, again);
		again = pm_test_cut_slab(env.heap, four);
		PM_EXPECT(t, again == b);
		pm_arena_put_slab(env.heap->arena, again);
		pm_arena_put_slab(env.heap->arena, c);
		pm_arena_put_slab(env.heap->arena, d);
	}
	PM_EXPECT(t, pm_heap_is_free(env.heap));
	heap_end(&env);
}

/* A full heap says so, and serves again when something came back. */
static void heap_full(struct pm_test *t)
{
	unsigned int n, class = pm_class_of(PM_SMALL_MAX);
	unsigned int units = pm_classes[class].units;
	struct pm_slab *slab = NULL, *next;
	struct heap_env env;

	if (!heap_begin(t, &env))
		return;
	for (n = 0; (next = pm_test_cut_slab(env.heap, class)); n++)
		slab = next;
	PM_EXPECT_EQ(t, n, PM_HEAP_UNITS / units);
	PM_EXPECT_EQ(t, env.heap->nr_free, PM_HEAP_UNITS % units);
	heap_expect_sound(t, env.heap);
	if (slab) {
		pm_arena_put_slab(env.heap->arena, slab);
		PM_EXPECT(t, pm_test_cut_slab(env.heap, class) == slab);
	}
	for (n = 0; n + units <= PM_HEAP_UNITS; n += units)
		pm_arena_put_slab(env.heap->arena, &env.heap->slab[n]);
	heap_end(&env);
}

/* A used unit is dirty when it comes back, until it is used or purged. */
static void heap_purge(struct pm_test *t)
{
	unsigned int class = pm_class_of(16);
	struct pm_slab *slab[4];
	struct heap_env env;
	unsigned int i;
	size_t bytes;

	if (!heap_begin(t, &env))
		return;
	PM_EXPECT_EQ(t, pm_arena_purge_heap(env.heap->arena, env.heap, SIZE_MAX), 0);
	for (i = 0; i < ARRAY_SIZE(slab); i++) {
		slab[i] = pm_test_cut_slab(env.heap, class);
		if (!PM_EXPECT(t, slab[i]))
			goto out;
		memset(slab[i]->base, 0xa5, PM_UNIT_SIZE);
	}
	pm_arena_put_slab(env.heap->arena, slab[0]);
	pm_arena_put_slab(env.heap->arena, slab[1]);
	pm_arena_put_slab(env.heap->arena, slab[3]);
	PM_EXPECT_EQ(t, env.heap->nr_dirty, 3);
	PM_EXPECT_EQ(t, env.arena->dirty_units, 3);
	PM_EXPECT(t, pm_test_cut_slab(env.heap, class) == slab[0]);
	PM_EXPECT_EQ(t, env.heap->nr_dirty, 2);
	heap_expect_sound(t, env.heap);
	memset(slab[0]->base, 0xa5, PM_UNIT_SIZE);
	bytes = pm_arena_purge_heap(env.heap->arena, env.heap, SIZE_MAX);
	/* A host need not be able to take pages back; then all stays. */
	if (bytes) {
		PM_EXPECT_EQ(t, bytes, 2 * PM_UNIT_SIZE);
		PM_EXPECT_EQ(t, env.heap->nr_dirty, 0);
		PM_EXPECT(t, pm_test_is_zero(slab[1]->base, PM_UNIT_SIZE));
		PM_EXPECT(t, pm_test_is_zero(slab[3]->base, PM_UNIT_SIZE));
	} else {
		PM_EXPECT_EQ(t, env.heap->nr_dirty, 2);
	}
	PM_EXPECT_EQ(t, env.arena->dirty_units, env.heap->nr_dirty);
	PM_EXPECT_EQ(t, slab[0]->base[0], (char)0xa5);
	PM_EXPECT_EQ(t, slab[2]->base[PM_UNIT_SIZE - 1], (char)0xa5);
	heap_expect_sound(t, env.heap);
	pm_arena_put_slab(env.heap->arena, slab[0]);
	pm_arena_put_slab(env.heap->arena, slab[2]);
out:
	heap_end(&env);
}

/*
 * A slab comes with the units @bare, has @more steps opened, and goes: then
 * the heap has @dirty units.
 */
static void heap_expect_bare(struct pm_test *t, struct heap_env *env,
			     unsigned int class, unsigned int bare,
			     unsigned int more, unsigned int dirty)
{
	struct pm_slab *slab = pm_test_cut_slab(env->heap, class);
	unsigned int unit, found = 0;

	PM_REQUIRE(t, slab);
	for (unit = 0; unit < pm_classes[class].units; unit++)
		if (!env->heap->marked[((slab->base - env->heap->base) >>
					 PM_STEP_SHIFT) + unit * PM_UNIT_STEPS])
			found |= 1U << unit;
	PM_EXPECT_EQ(t, found, bare);
	while (more--)
		pm_heap_open_slab(slab, PM_CLASS_RARE);
	pm_arena_put_slab(env->heap->arena, slab);
	PM_EXPECT_EQ(t, env->heap->nr_dirty, dirty);
	heap_expect_sound(t, env->heap);
}

/*
 * Units of a slab that were not opened have no pages, and are not dirty when
 * the slab comes back; those that had some before it was cut are again.
 */
static void heap_bare(struct pm_test *t)
{
	unsigned int one = pm_class_of(16), many = pm_class_of(PM_SMALL_MAX);
	unsigned int all = (1U << pm_classes[many].units) - 1;
	struct heap_env env;

	if (!heap_begin(t, &env))
		return;
	heap_expect_bare(t, &env, many, all & ~1U, 0, 1);
	heap_expect_bare(t, &env, one, 0, 0, 1);
	heap_expect_bare(t, &env, many, all & ~1U, PM_UNIT_STEPS - 1, 1);
	heap_expect_bare(t, &env, many, all & ~1U, PM_UNIT_STEPS, 2);
	heap_expect_bare(t, &env, many, all & ~3U, 0, 2);
	heap_end(&env);
}

/*
 * A model of a heap: which units are taken, and of which class a slab was that
 * began there last, 0 when the unit has no pages.
 */
struct heap_model {
	u8 taken[PM_HEAP_UNITS];
	u8 left[PM_HEAP_UNITS];
};

/* The lowest place that a slab of the class has left, else the lowest. */
static int heap_model_place(const struct heap_model *model, unsigned int class)
{
	unsigned int units = pm_classes[class].units, at, i;
	int lowest = -1;

	for (at = 0; at + units <= PM_HEAP_UNITS; at += units) {
		for (i = 0; i < units && !model->taken[at + i]; i++)
			;
		if (i < units)
			continue;
		if (model->left[at] == class)
			return at;
		if (lowest < 0)
			lowest = at;
	}
	return lowest;
}

static void heap_model_purge(struct heap_model *model)
{
	unsigned int unit;

	for (unit = 0; unit < PM_HEAP_UNITS; unit++)
		if (!model->taken[unit])
			model->left[unit] = 0;
}

/* Random slabs come and go: each lies where the model says. */
static void heap_against_model(struct pm_test *t)
{
	static struct heap_model model;
	static struct pm_slab *live[PM_HEAP_UNITS];
	unsigned int step, i, class, nr = 0;
	struct pm_slab *slab;
	struct heap_env env;
	int place;

	if (!heap_begin(t, &env))
		return;
	memset(&model, 0, sizeof(model));
	for (step = 0; step < 20000; step++) {
		if (nr && pm_rnd_below(&t->rnd, 100) < 48) {
			i = pm_rnd_below(&t->rnd, nr);
			slab = live[i];
			live[i] = live[--nr];
			memset(model.taken + heap_unit(env.heap, slab), 0,
			       pm_classes[slab->class].units);
			pm_arena_put_slab(env.heap->arena, slab);
			continue;
		}
		class = 1 + pm_rnd_below(&t->rnd, PM_NR_SLAB_CLASSES - 1);
		place = heap_model_place(&model, class);
		slab = pm_test_cut_slab(env.heap, class);
		if (!PM_EXPECT_EQ(t, slab ? (int)heap_unit(env.heap, slab) : -1,
				  place))
			break;
		if (slab) {
			memset(model.taken + place, 1,
			       pm_classes[class].units);
			model.left[place] = class;
			live[nr++] = slab;
		}
		if (step % 256 == 0) {
			heap_expect_sound(t, env.heap);
			if (pm_arena_purge_heap(env.heap->arena, env.heap, SIZE_MAX))
				heap_model_purge(&model);
			pm_test_yield();
		}
	}
	while (nr--)
		pm_arena_put_slab(env.heap->arena, live[nr]);
	PM_EXPECT(t, pm_heap_is_free(env.heap));
	heap_end(&env);
}

static const char *heap_fault(const void *heap)
{
	return pm_heap_fault(heap);
}

#define HEAP_CLOBBER(t, flip, heap, field)					\
	pm_test_clobber(t, flip, "heap." #field, &(heap)->field,		\
			sizeof((heap)->field), heap_fault, heap)

static void heap_clobbered(struct pm_test *t)
{
	struct pm_slab *a, *b, *c;
	struct heap_env env;

	if (!heap_begin(t, &env))
		return;
	a = pm_test_cut_slab(env.heap, pm_class_of(16));
	b = pm_test_cut_slab(env.heap, pm_class_of(1024));
	c = pm_test_cut_slab(env.heap, pm_class_of(16));
	if (PM_EXPECT(t, a && b && c)) {
		pm_arena_put_slab(env.heap->arena, a);
		HEAP_CLOBBER(t, 0xff, env.heap, base);
		HEAP_CLOBBER(t, 0xff, env.heap, nr_units);
		HEAP_CLOBBER(t, 0xff, env.heap, nr_free);
		HEAP_CLOBBER(t, 0xff, env.heap, nr_dirty);
		HEAP_CLOBBER(t, 0x10, env.heap, free);
		HEAP_CLOBBER(t, 0x10, env.heap, dirty);
		/* The heap's validator looks at its slabs, too. */
		pm_test_clobber(t, 0xff, "heap.slab.class", &b->class,
				sizeof(b->class), heap_fault, env.heap);
		pm_test_clobber(t, 0xff, "heap.slab.nr_free", &c->nr_free,
				sizeof(c->nr_free), heap_fault, env.heap);
		pm_test_clobber(t, 0xff, "heap.marked",
				&env.heap->marked[(b->base - env.heap->base) >>
						  PM_STEP_SHIFT], 1,
				heap_fault, env.heap);
		pm_arena_put_slab(env.heap->arena, b);
		pm_arena_put_slab(env.heap->arena, c);
	}
	heap_end(&env);
}

/* Free units of a heap that have pages: as many as its count says. */
static void heap_expect_dirty(struct pm_test *t, struct heap_env *env,
			      const struct pm_heap *heap, unsigned int units)
{
	PM_EXPECT_EQ(t, heap->nr_dirty, units);
	PM_EXPECT_EQ(t, env->arena->dirty_units, units);
	heap_expect_sound(t, heap);
}

/*
 * A huge page brings pages to units that nobody uses. They count as free ones with
 * pages, go back, and the heap asks for none again.
 */
static void heap_huge(struct pm_test *t)
{
	unsigned int class = pm_class_of(16), thp = pm_options.thp, i;
	struct pm_heap *heap = NULL;
	struct pm_slab *slab, *next;
	struct heap_env env;

	if (!heap_begin(t, &env))
		return;
	pm_options.thp = PM_THP_ON;
	for (i = 0; i < 4; i++) {
		heap = pm_arena_map_heap(env.arena, class, GFP_KERNEL);
		if (!PM_EXPECT(t, heap))
			goto out;
		PM_EXPECT(t, !heap->huge || i == 3);
	}
	slab = pm_test_cut_slab(heap, class);
	if (!PM_EXPECT(t, slab))
		goto out;
	/* A kernel's heaps ask for none; then only what was used has pages. */
	heap_expect_dirty(t, &env, heap, heap->huge ? 127 : 0);
	next = pm_test_cut_slab(heap, class);
	if (PM_EXPECT(t, next)) {
		heap_expect_dirty(t, &env, heap, heap->huge ? 126 : 0);
		pm_arena_put_slab(env.arena, next);
		heap_expect_dirty(t, &env, heap, heap->huge ? 127 : 1);
	}
	memset(slab->base, 0xa5, PM_UNIT_SIZE);
	if (pm_arena_purge_heap(env.arena, heap, SIZE_MAX)) {
		PM_EXPECT(t, !heap->huge);
		heap_expect_dirty(t, &env, heap, 0);
	}
	PM_EXPECT_EQ(t, slab->base[PM_UNIT_SIZE - 1], (char)0xa5);
	pm_arena_put_slab(env.arena, slab);
out:
	pm_options.thp = thp;
	heap_end(&env);
}

/* A huge page has to be clearly cheaper than what it stands for. */
static void heap_huge_judged(struct pm_test *t)
{
	static const struct {
		struct pm_huge_cost cost;
		enum pm_huge_verdict verdict;
	} row[] = {
		{ { .small_ns = 650000, .huge_ns = 110000 }, PM_HUGE_CHEAPER },
		{ { .small_ns = 130000, .huge_ns = 210000 }, PM_HUGE_DEARER },
		{ { .small_ns = 1000, .huge_ns = 799 }, PM_HUGE_CHEAPER },
		{ { .small_ns = 1000, .huge_ns = 800 }, PM_HUGE_DEARER },
		{ { .small_ns = (u32)-1, .huge_ns = (u32)-1 }, PM_HUGE_DEARER },
		{ { .small_ns = (u32)-1, .huge_ns = 1 }, PM_HUGE_CHEAPER },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(row); i++)
		PM_EXPECT_EQ(t, pm_huge_judge(&row[i].cost), row[i].verdict);
}

static const struct pm_test_case heap_cases[] = {
	PM_CASE(heap, create),
	PM_CASE(heap, create_fails),
	PM_CASE(heap, short),
	PM_CASE(heap, short_all),
	PM_CASE(heap, first_fit),
	PM_CASE(heap, full),
	PM_CASE(heap, purge),
	PM_CASE(heap, bare),
	PM_CASE(heap, huge),
	PM_CASE(heap, huge_judged),
	PM_CASE(heap, against_model),
	PM_CASE(heap, clobbered),
};
PM_SUITE(heap);
