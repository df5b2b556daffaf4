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
#include "front/magazine.h"
#include "front/transit.h"

/* Whether @obj lies in @heap and is free there, or no object at all. */
static bool pm_heap_is_free_object(struct pm_heap *heap, const void *obj,
				   unsigned int class)
{
	struct pm_slab *slab;
	unsigned int index;

	/* Its slab was given back, or is one of another class. */
	if (pm_pagemap_class(obj) != class)
		return true;
	slab = pm_heap_slab(heap, obj, class);
	return !pm_slab_index(slab, obj, &index) ||
	       pm_slab_object_is_free(slab, index) || !pm_is_marked(obj);
}

/*
 * Whether an object that was found marked is free.
 *
 * With the magazines empty and nothing in transit all that is free is in
 * depots, inboxes and slabs; when those have been brought home the bitmap
 * tells. An object that has lost its mark meanwhile was handed out: then it
 * was free when somebody freed it.
 *
 * Context: pm_transit_stop(), pm_registry and pm_mag_lock_all(), so that none
 * of that changes; may sleep.
 */
static bool pm_arenas_say_free(const void *obj, unsigned int class)
{
	struct pm_arena *arena;
	struct pm_heap *heap;
	bool is_free = true;

	lockdep_assert_held(&pm_registry);
	list_for_each_entry(arena, &pm_arenas, node) {
		pm_arena_lock(arena, PM_CLASS_NONE);
		pm_arena_enter(arena, PM_CLASS_NONE);
		pm_arena_flush_depots(arena);
		pm_arena_unlock(arena);
	}
	/* By its owner, for without a lock its heap might go. */
	list_for_each_entry(arena, &pm_arenas, node) {
		pm_arena_lock_uncounted(arena);
		list_for_each_entry(heap, &arena->heaps, node)
			if (pm_heap_contains(heap, obj))
				is_free = pm_heap_is_free_object(heap, obj,
								 class);
		pm_arena_unlock(arena);
	}
	return is_free;
}

/**
 * pm_is_free() - whether an object that carries the mark is free
 * @ptr: object of a slab
 * @class: its class
 *
 * Its second word is the mark of a free object. Nearly always it is one; but a
 * program may have written the value there. Everything that is free is
 * brought home to its slab, whose bitmap then knows.
 *
 * That takes a standstill, or an object might always be where we are not
 * looking: nobody carries a batch, no arena is retired, no CPU has a
 * magazine. Callers are served meanwhile, one object at a time, by arenas.
 * What is not waited for is another free of the same object that has not
 * returned.
 *
 * A context that may not wait takes the mark's word for it, and so does a
 * process that can no longer drain its magazines.
 *
 * Context: any, no lock held.
 * Return: false when somebody owns it.
 */
__cold bool pm_is_free(const void *ptr, unsigned int class)
{
	bool is_free = true;

	if (!pm_context_may_lock())
		return true;
	pm_transit_stop();
	mutex_lock(&pm_registry);
	pm_mag_lock_all();
	if (pm_mag_drain_all_locked())
		is_free = pm_arenas_say_free(ptr, class);
	pm_mag_unlock_all();
	mutex_unlock(&pm_registry);
	pm_transit_resume();
	return is_free;
}
