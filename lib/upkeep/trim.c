// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Giving everything back that is free.
 *
 * First the magazines are drained into the depots, then the depots emptied
 * into the slabs of whichever arena owns the objects, and only then each arena
 * looks for what is free.
 */
#include "upkeep/trim.h"
#include "arena/arena.h"
#include "arena/registry.h"
#include "back/extent.h"
#include "front/magazine.h"

/* Give all objects of all depots to their slabs. */
static void pm_arena_flush_depots_all(void)
{
	struct pm_arena *arena;
	int idx;

	if (!pm_srcu_read_trylock(&pm_srcu, &idx))
		return;
	pm_for_each_arena(arena) {
		pm_arena_lock(arena, PM_CLASS_NONE);
		if (!pm_arena_enter_or_unlock(arena, PM_CLASS_NONE))
			continue;
		pm_arena_flush_depots(arena);
		pm_arena_unlock(arena);
	}
	srcu_read_unlock(&pm_srcu, idx);
}

/**
 * pm_arena_trim_all() - give back what is free behind the locks of all arenas
 *
 * Context: may sleep.
 * Return: bytes given back.
 */
size_t pm_arena_trim_all(void)
{
	struct pm_arena *arena;
	size_t bytes = 0;
	int idx;

	/* What a depot holds may belong to an arena that comes earlier. */
	pm_arena_flush_depots_all();
	if (!pm_srcu_read_trylock(&pm_srcu, &idx))
		return 0;
	pm_for_each_arena(arena) {
		pm_arena_lock(arena, PM_CLASS_NONE);
		if (!pm_arena_enter_or_unlock(arena, PM_CLASS_NONE))
			continue;
		bytes += pm_arena_trim(arena);
		pm_arena_leave(arena);
	}
	srcu_read_unlock(&pm_srcu, idx);
	return bytes;
}

/**
 * pm_trim_all() - give back everything that is free
 *
 * Context: may sleep.
 * Return: bytes given back.
 */
size_t pm_trim_all(void)
{
	pm_mag_drain_all();
	return pm_extents_purge() + pm_arena_trim_all();
}
