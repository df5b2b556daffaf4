/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The depots of an arena, which share its part of what may be cached.
 */
#ifndef PM_DEPOTS_H
#define PM_DEPOTS_H

#include "arena/arena.h"

unsigned int pm_arena_depot_put(struct pm_arena *arena, unsigned int class,
				void **objs, unsigned int n);
unsigned int pm_arena_depot_take(struct pm_arena *arena, unsigned int class,
				 void **objs, unsigned int n);
unsigned int pm_arena_depot_take_oldest(struct pm_arena *arena,
					unsigned int class, void **objs,
					unsigned int n);
unsigned int pm_arena_depot_surplus(const struct pm_arena *arena,
				    unsigned int class);

/**
 * pm_arena_in_depots() - bytes of free objects that an arena's depots hold
 * @arena: the arena
 *
 * Context: any.
 * Return: a snapshot.
 */
static inline size_t pm_arena_in_depots(const struct pm_arena *arena)
{
	return READ_ONCE(arena->depot_bytes);
}

#endif /* PM_DEPOTS_H */
