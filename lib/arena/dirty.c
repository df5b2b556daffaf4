// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What an arena keeps: free units that still have their pages.
 *
 * The idea. Units that a slab gave back are likely to be wanted again, so their
 * pages stay for a while. Three marks go along with their number: the fewest
 * since the last decay, for those were not needed since; how many there are too
 * many to go unnoticed; and how many cannot go, where a host takes whole heaps
 * only.
 */
#include "arena/arena.h"
#include "back/class.h"

/*
 * So many units that were freed since the last look are worth another one: it
 * goes over all arenas.
 */
#define PM_WATCH_UNITS	((2UL << 20) / PM_UNIT_SIZE)

/**
 * pm_arena_watch() - begin to watch for much that is freed
 * @arena: the arena
 *
 * Context: arena lock held, or not published yet.
 */
void pm_arena_watch(struct pm_arena *arena)
{
	arena->watch_units = arena->dirty_units + PM_WATCH_UNITS;
}

/**
 * pm_arena_more_dirty() - units with pages have come free
 * @arena: the arena
 * @units: how many
 *
 * Context: arena lock held.
 */
void pm_arena_more_dirty(struct pm_arena *arena, unsigned int units)
{
	lockdep_assert_held(&arena->lock);
	WRITE_ONCE(arena->dirty_units, arena->dirty_units + units);
}

/**
 * pm_arena_less_dirty() - units are in use again, or have no pages any more
 * @arena: the arena
 * @units: how many
 *
 * Context: arena lock held.
 */
void pm_arena_less_dirty(struct pm_arena *arena, unsigned int units)
{
	lockdep_assert_held(&arena->lock);
	WRITE_ONCE(arena->dirty_units, arena->dirty_units - units);
	if (arena->idle_units > arena->dirty_units)
		arena->idle_units = arena->dirty_units;
	if (arena->stuck_units > arena->dirty_units)
		WRITE_ONCE(arena->stuck_units, arena->dirty_units);
	if (arena->watch_units > arena->dirty_units + PM_WATCH_UNITS)
		pm_arena_watch(arena);
}

/**
 * pm_arena_kept() - bytes of free units that could go back to the host
 * @arena: the arena
 *
 * Context: any.
 * Return: a snapshot.
 */
size_t pm_arena_kept(const struct pm_arena *arena)
{
	unsigned int units = READ_ONCE(arena->dirty_units);
	unsigned int stuck = READ_ONCE(arena->stuck_units);

	return units > stuck ? (units - stuck) * PM_UNIT_SIZE : 0;
}
