// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Retirement: an arena's heaps go to an heir, and its descriptor to the spares.
 *
 * The idea. Arenas follow the CPUs that a system has. When one is retired its
 * heaps find an heir, while other threads go on with whatever they found before.
 * Its memory never becomes anything but an arena again.
 *
 * Steps, as in retire.pml:
 *
 *	A  pm_arena_retire() takes the old arena out of table and list
 *	B  it locks the old arena and the heir
 *	C  it moves the old arena's inbox, remote list and depots to slabs
 *	D  it gives the heaps to the heir: heap->arena
 *	E  it sets the old arena's retired, a release
 *	F  it unlocks both and waits for a grace period
 *	G  under both locks it takes inbox and remote list once more
 *	H  it makes the old arena a spare one
 *	I  pm_arena_enter_or_unlock() looks at retired under the lock
 *	J  pm_heap_lock_owner() looks at heap->arena again under the lock
 *	K  pm_free_lock_batch() reads heap->arena and fills the inbox, both
 *	   within one section
 *	L  pm_remote_queue() reads heap->arena
 *	M  it puts the slab on that arena's remote list
 *	N  it looks at retired; if set it takes the list back and goes to L
 *	O  pm_arena_collect_remote() sends a slab of another arena's heap to L
 *	P  pm_arena_put_batch() fills no depot of an arena that is retired
 *
 * What is lost without each:
 *
 *   - Without A before F a reader could still find the old arena after the
 *     grace period and stand at it on the list when H moves it to another.
 *   - Without the old arena's lock (B) a free that holds it (J) would write to
 *     bitmaps that D has just made the heir's.
 *   - Without C for the depots what lies in them would stay in an arena that
 *     nobody locks any more.
 *   - D before E: N goes back to L for a new owner. The other way round L would
 *     find the same owner again, and a free would go round and round until D.
 *   - Without E or I a reader that had found the old arena before A and got its
 *     lock after F would cut slabs from heaps that nobody will adopt.
 *   - Without J a free that read heap->arena before D and got the old arena's
 *     lock after F would write to bitmaps that are the heir's.
 *   - Without F, or with K in no section, a batch could come into the inbox
 *     after G. Within one it is there before F ends, and G finds it.
 *   - Without G what K or M left between C and E would stay: M's look (N) found
 *     the arena in use.
 *   - Without N, or with N before M, a slab that M adds after G would stay. Not
 *     everybody is in a section there: a depot gives objects to other arenas
 *     with its own arena's lock held, where none may begin. M and N have a full
 *     barrier between them (the exchange in llist_add()), and so have E and G
 *     (the grace period): either N sees E, or G sees M.
 *   - Without O a slab that M put on the list of an arena which H had made spare
 *     and somebody had taken into use again would be collected under a lock that
 *     is not its own.
 *   - Without P the batch that G finds would go into the retired arena's depot.
 */
#include "arena/arena.h"
#include "arena/decay.h"
#include "arena/registry.h"
#include "base/options.h"
#include "base/trace.h"
#include "front/visit.h"
#include "pmalloc.h"

/* The arena with the next number that exists, round the table. */
static struct pm_arena *pm_arena_survivor(unsigned int id)
{
	unsigned int i;

	for (i = 1; i < pm_arena_table_size; i++) {
		struct pm_arena *arena =
			pm_arena_at((id + i) % pm_arena_table_size);

		if (arena)
			return arena;
	}
	return NULL;
}

/*
 * All that an arena has goes to its heir. Return: false in the child of a fork()
 * to which the heir is of no use; then its own memory is lost as well.
 */
static bool pm_retire_to(struct pm_arena *arena, struct pm_arena *to)
{
	pm_arena_lock_two(arena, to);			/* retire B */
	if (pm_arena_is_forsaken(to)) {
		pm_arena_forsake(arena);
		pm_registry_moved();
		pm_arena_unlock(arena);
		pm_arena_unlock(to);
		return false;
	}
	pm_arena_collect(arena);			/* retire C ... */
	pm_arena_flush_depots(arena);			/* ... and for depots */
	pm_arena_adopt(to, arena);			/* retire D */
	pm_arena_set_retired(arena);			/* retire E */
	pm_registry_moved();
	pm_arena_unlock(arena);
	pm_arena_leave(to);
	return true;
}

/*
 * And what came to it until the grace period was over. What came for an heir that
 * is of no use stays, so the arena is not used again.
 */
static void pm_retire_rest(struct pm_arena *arena, struct pm_arena *to)
{
	bool forsaken;

	pm_arena_lock_two(arena, to);
	forsaken = pm_arena_is_forsaken(to);
	if (likely(!forsaken)) {
		pm_arena_collect(arena);		/* retire G */
		/* Some may have waited for it until it was retired. */
		pm_arena_adopt_accounts(to, arena);
	}
	pm_arena_unlock(arena);
	pm_arena_unlock(to);
	if (likely(!forsaken))
		pm_registry_spare(arena);		/* retire H */
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
	pm_registry_unlink(arena);			/* retire A */
	if (!pm_retire_to(arena, to)) {
		err = -EBUSY;
		goto out;
	}

	/* retire F. Whoever read heap->arena or the table before has finished. */
	synchronize_srcu(&pm_srcu);

	pm_retire_rest(arena, to);
	/* Whoever looked between A and D has not seen what could go back. */
	pm_arenas_note_freed();
	pm_mag_set_all_aside();
	trace_arena_retire(cpu, 0, pm_trace_since(begin), pm_arena_id(to));
out:
	mutex_unlock(&pm_registry);
	return err;
}
EXPORT_SYMBOL_GPL(pm_arena_retire);
