// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Standing still, to find out whether an object is free.
 */
#include "upkeep/verify.h"
#include "arena/arena.h"
#include "arena/registry.h"
#include "back/heap.h"
#include "back/mark.h"
#include "back/pagemap.h"
#include "back/span.h"
#include "front/magazine.h"
#include "front/inflight.h"

/**
 * enum pm_found - where an object was found
 * @PM_FOUND_OUT: nowhere among the free ones
 * @PM_FOUND_UNMARKED: likewise, and it carries no mark
 * @PM_FOUND_FREE: in its slab, or its slab is gone
 */
enum pm_found { PM_FOUND_OUT, PM_FOUND_UNMARKED, PM_FOUND_FREE };

static enum pm_found pm_heap_find_object(struct pm_heap *heap, const void *obj,
					 unsigned int class)
{
	struct pm_slab *slab;
	unsigned int index;

	/* Its slab was given back, or is one of another class. */
	if (pm_pagemap_class(obj) != class)
		return PM_FOUND_FREE;
	slab = pm_heap_slab(heap, obj, class);
	if (!pm_slab_index(slab, obj, &index) ||
	    pm_slab_object_is_free(slab, index))
		return PM_FOUND_FREE;
	return pm_is_marked(obj) ? PM_FOUND_OUT : PM_FOUND_UNMARKED;
}

/*
 * Likewise a span: what is free is one no more, for it is an extent. Who owns
 * the memory now may have another object there, or nobody; only a span that is
 * there is looked at.
 */
static enum pm_found pm_find_span(const void *obj, unsigned int class)
{
	if (!pm_span_find(obj, class))
		return PM_FOUND_FREE;
	return pm_is_marked(obj) ? PM_FOUND_OUT : PM_FOUND_UNMARKED;
}

/*
 * Look for an object among the free ones.
 *
 * With the magazines empty and nothing in flight all that is free is in
 * depots, inboxes and slabs; when those have been emptied into slabs the bitmap
 * tells. Spans have been emptied into extents.
 *
 * Context: pm_inflight_stop(), pm_registry and pm_mag_lock_all(), so that none
 * of that changes; may sleep.
 */
static enum pm_found pm_arenas_find(const void *obj, unsigned int class)
{
	struct pm_arena *arena;
	struct pm_heap *heap;
	enum pm_found found = PM_FOUND_FREE;

	lockdep_assert_held(&pm_registry);
	pm_for_each_arena_locked(arena) {
		pm_arena_lock(arena, PM_CLASS_NONE);
		pm_arena_enter(arena, PM_CLASS_NONE);
		pm_arena_flush_depots(arena);			/* inflight J */
		pm_arena_unlock(arena);
	}
	if (pm_class_is_span(class))
		return pm_find_span(obj, class);	/* inflight K */
	/* inflight K. By its owner, for without a lock its heap might go. */
	pm_for_each_arena_locked(arena) {
		pm_arena_lock_uncounted(arena);
		heap = pm_arena_find_heap(arena, obj);
		if (heap)
			found = pm_heap_find_object(heap, obj, class);
		pm_arena_unlock(arena);
	}
	return found;
}

/*
 * Look for an object at a standstill, or it might always be where we are not
 * looking: nobody carries a batch, no arena is retired, no CPU has a magazine.
 * Callers are served meanwhile, one object at a time, by arenas. What is not
 * waited for is another free of the same object that has not returned.
 *
 * Return: where it was found; @unknown in a context that may not wait, and in a
 * process that can no longer drain its magazines.
 */
static noinline __cold enum pm_found pm_find(const void *obj,
					     unsigned int class,
					     enum pm_found unknown)
{
	enum pm_found found = unknown;

	if (!pm_context_may_lock())
		return unknown;
	pm_inflight_stop();
	mutex_lock(&pm_registry);
	pm_mag_lock_all();					/* inflight H */
	if (pm_mag_drain_all_locked())				/* inflight I */
		found = pm_arenas_find(obj, class);
	pm_mag_unlock_all();
	mutex_unlock(&pm_registry);
	pm_inflight_resume();
	return found;
}

/**
 * pm_is_free() - whether an object that carries the mark is free
 * @ptr: object of a slab, or span
 * @class: its class
 *
 * Nearly always it is; but a program may have written the value there. An
 * object that has lost its mark when it is looked at was handed out meanwhile:
 * then it was free when somebody freed it. Where nobody can look the mark is
 * taken at its word.
 *
 * Context: any, no lock held.
 * Return: false when somebody owns it.
 */
bool pm_is_free(const void *ptr, unsigned int class)
{
	return pm_find(ptr, class, PM_FOUND_FREE) != PM_FOUND_OUT;
}

/**
 * pm_has_copy() - whether an object that is on no list is among the free ones
 * @ptr: object of a slab, or span
 * @class: its class
 *
 * Context: any, no lock held.
 * Return: whether it is: then it was freed twice.
 */
bool pm_has_copy(const void *ptr, unsigned int class)
{
	return pm_find(ptr, class, PM_FOUND_OUT) == PM_FOUND_FREE;
}
