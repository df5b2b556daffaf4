// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What an arena has of one class: for caches, which come and go.
 */
#include "arena/arena.h"
#include "back/heap.h"
#include "back/pagemap.h"

/**
 * pm_arena_flush_depot() - give the objects of a class's depot to their slabs
 * @arena: the arena
 * @class: class number
 *
 * The depot's memory goes, too, until it is needed again.
 *
 * Context: arena lock held.
 */
void pm_arena_flush_depot(struct pm_arena *arena, unsigned int class)
{
	struct pm_depot *depot = &arena->depot[class];

	lockdep_assert_held(&arena->lock);
	pm_arena_shrink_depot(arena, class, pm_depot_nr(depot));
	pm_depot_destroy(depot, class);
}

/**
 * pm_arena_shrink_class() - free slabs of a class go back to their heaps
 * @arena: the arena
 * @class: class number
 *
 * Context: arena lock held.
 * Return: bytes of these slabs.
 */
size_t pm_arena_shrink_class(struct pm_arena *arena, unsigned int class)
{
	size_t before;

	lockdep_assert_held(&arena->lock);
	pm_arena_collect(arena);
	before = arena->slab_bytes;
	/* What came in just now may be in the depot. */
	pm_arena_flush_depot(arena, class);
	pm_arena_release_class(arena, class);
	return before - arena->slab_bytes;
}

/**
 * pm_arena_nr_out() - objects of a class that are not in their slab
 * @arena: the arena
 * @class: class number
 *
 * Context: arena lock held.
 */
size_t pm_arena_nr_out(const struct pm_arena *arena, unsigned int class)
{
	lockdep_assert_held(&arena->lock);
	return arena->nr_out[class];
}

/* The first object of a slab that is not free, or NULL. */
static void *pm_slab_find_out(const struct pm_slab *slab)
{
	unsigned int i;

	for (i = 0; i < pm_slab_capacity(slab); i++)
		if (!pm_slab_object_is_free(slab, i))
			return pm_slab_object(slab, i);
	return NULL;
}

/*
 * The slab of a class that begins at a unit, or NULL. A descriptor that is of a
 * slab of the past says another class, or the page map has none there.
 */
static struct pm_slab *pm_heap_slab_of(struct pm_heap *heap, unsigned int unit,
				       unsigned int class)
{
	struct pm_slab *slab = pm_heap_slab_at(heap, unit);

	return pm_slab_class(slab) == class &&
	       pm_pagemap_class(pm_slab_object(slab, 0)) == class ? slab : NULL;
}

/**
 * pm_arena_find_out() - an object of a class that is not in its slab
 * @arena: the arena
 * @class: class number
 *
 * Context: arena lock held.
 * Return: the object, or NULL.
 */
void *pm_arena_find_out(struct pm_arena *arena, unsigned int class)
{
	unsigned int unit, units = pm_classes[class].units;
	struct pm_heap *heap;
	struct pm_slab *slab;
	void *obj;

	lockdep_assert_held(&arena->lock);
	list_for_each_entry(heap, &arena->heaps, node)
		for (unit = 0; pm_heap_slab_at(heap, unit); unit += units) {
			slab = pm_heap_slab_of(heap, unit, class);
			obj = slab ? pm_slab_find_out(slab) : NULL;
			if (obj)
				return obj;
		}
	return NULL;
}

/**
 * pm_arena_forget_class() - nothing is left of a class, not even in the figures
 * @arena: the arena, without slabs and objects of the class
 * @class: class number, that another cache may get
 *
 * Sums over all classes do not go back: what was done on behalf of the class was
 * on behalf of none in particular.
 *
 * Context: arena lock held.
 */
void pm_arena_forget_class(struct pm_arena *arena, unsigned int class)
{
	lockdep_assert_held(&arena->lock);
	pm_depot_destroy(&arena->depot[class], class);
	arena->nr_taken[class] = 0;
	WRITE_ONCE(arena->nr_acquired[PM_CLASS_NONE],
		   arena->nr_acquired[PM_CLASS_NONE] +
		   arena->nr_acquired[class]);
	WRITE_ONCE(arena->nr_acquired[class], 0);
	pm_lockwait_forget(&arena->waits, class);
}
