// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Decay of all arenas, by whoever comes along.
 *
 * The idea. An arena gives back when its own lock is taken. A process that frees
 * much and then goes quiet takes hardly any lock, and those of CPUs that it has
 * left not at all. So whoever comes along looks at all of them now and then.
 *
 * The trick. This needs no read-side section, which a short thread has not: the
 * memory of an arena never becomes anything else, so there is a lock to try, and
 * under it @retired tells whether the arena is in use.
 *
 * The limits. Nobody waits for a lock here: an arena that is busy gives back by
 * itself. What a process keeps that calls nothing any more is not given back.
 */
#include "arena/decay.h"
#include "arena/arena.h"
#include "arena/check.h"
#include "arena/registry.h"
#include "back/extent.h"
#include "base/options.h"

/* Coarse time of the next look at all arenas. */
static u64 pm_decay_next;

/**
 * pm_arenas_kept() - bytes that nobody uses and that could go back to the host
 *
 * Context: any.
 * Return: a snapshot: pages of free units and of free extents.
 */
size_t pm_arenas_kept(void)
{
	size_t bytes = pm_extents_dirty();
	struct pm_arena *arena;
	unsigned int id;

	for (id = 0; id < pm_arena_table_size; id++) {
		arena = pm_arena_at(id);
		if (arena)
			bytes += READ_ONCE(arena->dirty_units) * PM_UNIT_SIZE;
	}
	return bytes;
}

/**
 * pm_arenas_decay() - give back what no arena needed for the decay time
 *
 * A few times in a decay time; cheap in between.
 *
 * Context: a mutex may be tried; no lock held.
 */
void pm_arenas_decay(void)
{
	u64 now = pm_host_clock_coarse_ns();
	u64 next = READ_ONCE(pm_decay_next);
	struct pm_arena *arena;
	unsigned int id;

	if (now < next || cmpxchg(&pm_decay_next, next, now +
				  (u64)pm_options.decay_ms * 250000) != next)
		return;
	for (id = 0; id < pm_arena_table_size; id++) {
		arena = pm_arena_at(id);
		if (!arena || !pm_arena_trylock(arena) ||
		    !pm_arena_enter_or_unlock(arena, PM_CLASS_NONE))
			continue;
		pm_arena_decay(arena);
		pm_arena_check(arena);
		pm_arena_unlock(arena);
	}
	pm_extents_decay();
}
