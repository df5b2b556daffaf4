/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Resident bytes of an arena.
 */
#ifndef PM_ARENA_RESIDENT_H
#define PM_ARENA_RESIDENT_H

#include "back/resident.h"

struct pm_arena;

void pm_arena_resident(struct pm_arena *arena, struct pm_resident *sum);
size_t pm_arena_depot_resident(const struct pm_arena *arena);

#endif /* PM_ARENA_RESIDENT_H */
