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

#endif /* PM_DEPOTS_H */
