// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The page map: what an address is to us, for any bit pattern.
 */
#include "pm_test.h"
#include "back/large.h"
#include "back/pagemap.h"

/* What nobody gave us is class 0, and asking never faults. */
static void pagemap_foreign(struct pm_test *t)
{
	unsigned long p;
	unsigned int i;
	int local;

	PM_EXPECT_EQ(t, pm_pagemap_class(NULL), 0);
	PM_EXPECT_EQ(t, pm_pagemap_class((void *)~0UL), 0);
	PM_EXPECT_EQ(t, pm_pagemap_class((void *)(1UL << 63)), 0);
	PM_EXPECT_EQ(t, pm_pagemap_class(&local), 0);
	PM_EXPECT_EQ(t, pm_pagemap_class(t), 0);
	PM_EXPECT_EQ(t, pm_pagemap_class(pm_classes), 0);
	for (i = 0; i < BITS_PER_LONG; i++) {
		PM_EXPECT_EQ(t, pm_pagemap_class((void *)(1UL << i)), 0);
		PM_EXPECT_EQ(t, pm_pagemap_class((void *)(~0UL << i)), 0);
	}
	for (i = 0; i < 100000; i++) {
		p = pm_rnd_next(&t->rnd) >> pm_rnd_below(&t->rnd, 40);
		if (!PM_EXPECT(t, pm_pagemap_class((void *)p) < 256))
			return;
	}
}

/* All steps of a slab carry its class, and lead to its heap. */
static void pagemap_slab(struct pm_test *t)
{
	struct pm_arena *arena = pm_test_arena_make();
	struct pm_slab *slab;
	struct pm_heap *heap;
	unsigned int class, step;
	char *p;

	PM_REQUIRE(t, arena);
	heap = pm_arena_map_heap(arena, 1, GFP_KERNEL);
	if (!PM_EXPECT(t, heap))
		goto out;
	for (class = 1; class < PM_NR_SLAB_CLASSES; class++) {
		slab = pm_test_cut_slab(heap, class);
		if (!PM_EXPECT(t, slab))
			break;
		for (step = 0; step < pm_classes[class].units * PM_UNIT_STEPS;
		     step++) {
			/* The first step is open, the others open by need. */
			p = slab->base + step * PM_STEP_SIZE;
			PM_EXPECT_EQ(t, pm_pagemap_class(p), step ? 0 : class);
			if (step)
				pm_heap_open_slab(slab, PM_CLASS_RARE);
			PM_EXPECT_EQ(t, pm_pagemap_class(p), class);
			PM_EXPECT_EQ(t, pm_pagemap_class(p + PM_STEP_SIZE - 1),
				     class);
			PM_EXPECT(t, pm_pagemap_heap(p) == heap);
			PM_EXPECT(t, pm_heap_slab(heap, p, class) == slab);
		}
		PM_EXPECT_EQ(t, pm_pagemap_class(slab->base + step *
						 PM_STEP_SIZE), 0);
		pm_arena_put_slab(heap->arena, slab);
		PM_EXPECT_EQ(t, pm_pagemap_class(slab->base), 0);
	}
	p = heap->base;
	pm_arena_unmap_heap(heap->arena, heap);
	PM_EXPECT(t, !pm_pagemap_heap(p));
out:
	pm_test_arena_drop(arena);
}

/* A large object is found at its first byte, and nowhere else. */
static void pagemap_large(struct pm_test *t)
{
	size_t size = PM_SPAN_MAX + 1;
	struct pm_extent *large;
	unsigned int class;
	char *p;

	p = pm_malloc(size);
	PM_REQUIRE(t, p);
	class = pm_pagemap_class(p);
	PM_EXPECT_EQ(t, class, PM_CLASS_LARGE);
	large = pm_pagemap_large(p);
	if (PM_EXPECT(t, large)) {
		PM_EXPECT(t, large->addr == p);
		PM_EXPECT(t, large->size >= size);
	}
	PM_EXPECT(t, pm_large_find(p) == large);
	PM_EXPECT(t, !pm_large_find(p + 1));
	PM_EXPECT(t, !pm_large_find(p + 16));
	/* Taken out of the map by hand, it is a large object no more. */
	PM_EXPECT(t, pm_pagemap_take_large(large, p));
	PM_EXPECT_EQ(t, pm_pagemap_class(p), 0);
	PM_EXPECT(t, !pm_pagemap_take_large(large, p));
	PM_EXPECT(t, pm_pagemap_add_large(large, p, GFP_KERNEL));
	PM_EXPECT(t, pm_pagemap_large(p) == large);
	pm_free(p);
	PM_EXPECT_EQ(t, pm_pagemap_class(p), 0);
}

/* Of all that take the same large object at the same time one gets it. */
struct pagemap_race {
	void *p;
	atomic_long_t met;
	atomic_long_t winners;
	struct pm_extent *large;
};

static void pagemap_take_main(struct pm_test_crowd *crowd, unsigned int n)
{
	struct pagemap_race *race = crowd->arg;
	unsigned int round;
	bool got;

	for (round = 0; round < 200; round++) {
		pm_test_meet(&race->met, crowd->nr);
		got = pm_pagemap_take_large(race->large, race->p);
		if (got)
			atomic_long_inc(&race->winners);
		pm_test_meet(&race->met, crowd->nr);
		if (!got)
			continue;
		PM_EXPECT_EQ(crowd->t, atomic_long_read(&race->winners), 1);
		PM_EXPECT(crowd->t, !pm_large_find(race->p));
		atomic_long_set(&race->winners, 0);
		PM_EXPECT(crowd->t, pm_pagemap_add_large(race->large, race->p,
							GFP_KERNEL));
	}
}

static void pagemap_take_once(struct pm_test *t)
{
	struct pagemap_race race = { .p = pm_malloc(PM_SPAN_MAX + 1) };
	struct pm_test_crowd crowd = {
		.t = t, .fn = pagemap_take_main, .arg = &race, .nr = 4,
	};

	PM_REQUIRE(t, race.p);
	race.large = pm_pagemap_large(race.p);
	pm_test_crowd_run(&crowd, NULL);
	PM_EXPECT(t, pm_pagemap_large(race.p) == race.large);
	pm_free(race.p);
}

/* All who want the leaf of the same 4 GiB get the same. */
static void pagemap_leaf_main(struct pm_test_crowd *crowd, unsigned int n)
{
	struct pm_leaf **leaf = crowd->arg;
	const char *top = (const char *)(PM_ADDR_BASE +
					 ((PM_LEAVES - 1) <<
					  PM_LEAF_SHIFT));

	leaf[n] = pm_pagemap_leaf(top + n * PM_UNIT_SIZE, GFP_KERNEL);
}

static void pagemap_leaf_once(struct pm_test *t)
{
	struct pm_leaf *leaf[8] = { NULL };
	struct pm_test_crowd crowd = {
		.t = t, .fn = pagemap_leaf_main, .arg = leaf,
		.nr = ARRAY_SIZE(leaf),
	};
	unsigned int n;

	pm_test_crowd_run(&crowd, NULL);
	PM_EXPECT(t, leaf[0]);
	for (n = 1; n < ARRAY_SIZE(leaf); n++)
		PM_EXPECT(t, leaf[n] == leaf[0]);
	PM_EXPECT(t, !pm_pagemap_leaf((void *)(PM_ADDR_BASE - 1), GFP_KERNEL));
}

static const struct pm_test_case pagemap_cases[] = {
	PM_CASE(pagemap, foreign),
	PM_CASE(pagemap, slab),
	PM_CASE(pagemap, large),
	PM_CASE(pagemap, take_once),
	PM_CASE(pagemap, leaf_once),
};
PM_SUITE(pagemap);
