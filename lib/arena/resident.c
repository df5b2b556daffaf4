// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Resident bytes of an arena: its heaps, and what its depots hold.
 */
#include "arena/arena.h"
#include "arena/resident.h"
#include "back/heap.h"

/**
 * pm_arena_resident() - add up what of an arena's heaps has pages
 * @arena: the arena
 * @sum: what is added to
 *
 * Context: arena lock held.
 */
void pm_arena_resident(struct pm_arena *arena, struct pm_resident *sum)
{
	struct pm_heap *heap;

	lockdep_assert_held(&arena->lock);
	list_for_each_entry(heap, &arena->heaps, node)
		pm_heap_resident(heap, sum);
}

/**
 * pm_arena_depot_resident() - bytes that have pages in an arena's depots
 * @arena: the arena
 *
 * Context: arena lock held.
 */
size_t pm_arena_depot_resident(const struct pm_arena *arena)
{
	const struct pm_depot *depot;
	unsigned int class;
	size_t bytes = 0;

	lockdep_assert_held(&arena->lock);
	pm_for_each_class(class) {
		depot = &arena->depot[class];
		bytes += pm_resident_objects(pm_depot_objs(depot),
					     pm_depot_nr(depot),
					     pm_class_bytes(class));
	}
	return bytes;
}
