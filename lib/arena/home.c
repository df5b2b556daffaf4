// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What one arena has free in vain comes home when another one grows.
 *
 * The idea. An arena gets free heaps of others before the host is asked. A heap is free
 * as a whole or not at all, and one object in a magazine or a depot keeps it. Which
 * objects lie there changes with every batch, so after some time each heap of an
 * arena has one. So an arena that wants a heap while others have much that is free
 * says so, and whoever comes by next sees that their objects go home.
 *
 * The limits. Nobody waits: the arena that grows asks the host this time.
 */
#include "arena/home.h"
#include "arena/arena.h"
#include "arena/check.h"
#include "arena/decay.h"
#include "arena/registry.h"
#include "back/heap.h"
#include "base/options.h"

#define PM_OUTGROWN	(2 * PM_HEAP_SIZE)	/* worth the work of bringing it home */

/*
 * How often an arena wanted a heap while others had as much and more that is free. A
 * count that is lost is one that comes with the next heap.
 */
static unsigned int pm_home_outgrown;

/**
 * pm_arenas_outgrown() - a number that changes when one arena grows and others shrank
 *
 * Context: any.
 */
unsigned int pm_arenas_outgrown(void)
{
	return READ_ONCE(pm_home_outgrown);
}

/**
 * pm_arenas_note_growth() - an arena wants another heap
 * @arena: the arena
 *
 * Context: arena lock held.
 */
void pm_arenas_note_growth(const struct pm_arena *arena)
{
	if (pm_arenas_kept_beside(arena) >= PM_OUTGROWN)
		WRITE_ONCE(pm_home_outgrown, READ_ONCE(pm_home_outgrown) + 1);
}

/**
 * pm_arenas_bring_home() - make heaps of other arenas free as a whole
 *
 * Those whose arena has much that is free. The caller has seen to their magazines.
 *
 * Context: a mutex may be tried; no lock held.
 */
void pm_arenas_bring_home(void)
{
	unsigned int id, own = pm_options.policy->pick() % pm_arena_table_size;
	struct pm_arena *arena;

	for (id = 0; id < pm_arena_table_size; id++) {
		arena = pm_arena_at(id);
		if (id == own || !arena || pm_arena_kept(arena) < PM_HEAP_SIZE)
			continue;
		arena = pm_arena_try_enter(id);
		if (!arena)
			continue;
		pm_arena_bring_home(arena);
		pm_arena_check(arena);
		pm_arena_unlock(arena);
	}
}
