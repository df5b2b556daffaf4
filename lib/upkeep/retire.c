// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Retirement: an arena's heaps go to an heir, and its descriptor to the spares.
 *
 * Retiring an arena R in favour of a survivor S:
 *
 *	retire				somebody else
 *	------				-------------
 *	lock registry
 *	table[R] = NULL, unlink R	still sees R: in the table before, on
 *					the list, or as heap->arena
 *	lock R and S
 *	heaps: arena = S, partial
 *	  slabs, figures to S
 *	retired = true
 *	unlock both
 *	synchronize_srcu()		its section ends
 *	take R's remote list once more
 *	R goes to the spares
 *
 * What would be lost without each step:
 *   - Without @retired: a reader that had picked R before the unlink and got
 *     the lock after the adoption would build new slabs in an arena that
 *     nobody will ever find again. It checks, unlocks, and picks anew.
 *   - Without the check of heap->arena under the lock: a free that read
 *     heap->arena == R before the adoption, and got R's lock after it, would
 *     change S's bitmaps without S's lock. It compares and tries again.
 *   - Without the second look at the remote list: a free that read R, found
 *     the lock busy (the adoption holds it) and added its slab to R's list
 *     after the adoption emptied that, would leave the object there for ever.
 *     Such a free is inside an SRCU section that began before the unlock, so
 *     it has ended when synchronize_srcu() returns. The list's new entries
 *     go to the slabs' present owner.
 *   - Without the look at @retired after an entry: a depot that gives R's
 *     objects back does so under its own arena's lock and in no section, so
 *     it may read R as the owner and add its entry after the second look.
 *     It then sees @retired, and takes the entry to the new owner itself.
 *   - Without the grace period R's memory could be another arena's while a
 *     reader still holds a pointer to it.
 */
#include "arena/arena.h"
#include "arena/registry.h"
#include "base/options.h"
#include "base/trace.h"
#include "front/magazine.h"
#include "pmalloc.h"

/* The arena with the next number that exists, round the table. */
static struct pm_arena *pm_arena_survivor(unsigned int id)
{
	unsigned int i;

	for (i = 1; i < pm_nr_arena_slots; i++) {
		struct pm_arena *arena =
			pm_arena_at((id + i) % pm_nr_arena_slots);

		if (arena)
			return arena;
	}
	return NULL;
}

int pm_arena_retire(unsigned int cpu)
{
	u64 begin = pm_trace_begin(arena_retire);
	struct pm_arena *arena, *to;
	int err = 0;

	mutex_lock(&pm_registry);
	arena = pm_arena_at(cpu);
	if (!arena) {
		err = -ENOENT;
		goto out;
	}
	to = pm_arena_survivor(cpu);
	if (!to) {
		err = -EBUSY;
		goto out;
	}
	if (!pm_host_can_synchronize()) {
		err = -EPERM;
		goto out;
	}
	if (pm_options.policy->pick == pm_host_cpu)
		pm_mag_drain(cpu);
	pm_registry_unlink(arena);
	pm_arena_lock_two(arena, to);
	pm_arena_collect(arena);
	pm_arena_flush_depots(arena);
	pm_arena_adopt(to, arena);
	/* Pairs with pm_remote_queue(): who sees it sees the new owner. */
	smp_store_release(&arena->retired, true);
	pm_registry_moved();
	pm_arena_unlock(arena);
	pm_arena_leave(to);

	/* Whoever read heap->arena or the table before has finished then. */
	synchronize_srcu(&pm_srcu);

	pm_arena_lock_two(arena, to);
	pm_arena_collect(arena);
	/* Some may have waited for it until it was retired. */
	pm_arena_adopt_accounts(to, arena);
	pm_arena_unlock(arena);
	pm_arena_unlock(to);
	pm_registry_spare(arena);
	trace_arena_retire(cpu, 0, pm_trace_since(begin), to->id);
out:
	mutex_unlock(&pm_registry);
	return err;
}
EXPORT_SYMBOL_GPL(pm_arena_retire);
