// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Standing still for fork(), and beginning again in the child.
 *
 * Steps, as in standstill.pml:
 *
 *	A  pm_fork_halt() takes the registry
 *	B  it takes pm_mag_lock
 *	C  it takes liburcu's locks
 *	D  it takes every arena's lock, by number
 *	E  it takes the locks within: extents, batches, pages
 *	F  fork(): the child has one thread, and of each other a prefix of
 *	   what that did
 *	G  pm_fork_resume() lets all locks go
 *	H  pm_fork_child() makes all locks new, those of spare arenas, too
 *	I  pm_remote_restart() queues the slabs that have remote bits, and counts
 *	   the references again
 *	J  pm_batch_restart_all() makes spare what is in no inbox
 *	K  pm_inflight_forget() sets the carriers' counts to 0
 *	L  liburcu forgets the readers that are not there
 *	M  pm_arena_lock_slow() leaves its section before it waits for the
 *	   registry
 *	N  pm_malloc_ask_all() within liburcu's registration makes no arena
 *
 * What is lost without each:
 *
 *   - A before C and D: a thread that retires an arena waits for readers with the
 *     registry held, and a reader may wait for an arena's lock.
 *   - A before B: a retirement drains a magazine with the registry held.
 *   - B before C: draining gives objects back, which may register the thread
 *     with liburcu.
 *   - C before D: a registration with liburcu may call malloc with liburcu's lock
 *     held, and wait for an arena. For the same reason N makes no arena: that would
 *     wait for the registry, which A has, while C waits for liburcu's lock.
 *   - D before E: the holder of an arena's lock may want one of the inner locks.
 *   - Without H for spare arenas the child would wait for a thread that was about
 *     to find out, under such a lock, that it wanted another arena.
 *   - Without I a slab could be queued and on no list, and its objects and its heap
 *     would never come home (see pm_remote_restart()).
 *   - Without J a batch that another thread had in its hands is lost; without K
 *     pm_inflight_stop() waits for a carrier that is not there; without L a grace
 *     period waits for a reader that is not there.
 *   - M: a section that waits for the registry waits for whoever retires, who waits
 *     for the section.
 */
#include "upkeep/standstill.h"
#include "arena/arena.h"
#include "arena/registry.h"

/**
 * pm_arena_lock_all() - stop every arena, for fork()
 *
 * But those that this thread has locked already: in a signal handler that came
 * over it.
 *
 * Context: pm_registry held by the caller if it could be had, so the list
 * stands still.
 */
void pm_arena_lock_all(void)
{
	pm_registry_each_used(pm_arena_halt);
}

/**
 * pm_arena_unlock_all() - let every arena go on that was stopped
 */
void pm_arena_unlock_all(void)
{
	pm_registry_each_used(pm_arena_resume);
}

/**
 * pm_arena_restart_all() - begin again in the child of a fork()
 * @inside: the forking thread was inside of the allocator, and goes on there
 *
 * The locks are as pm_arena_lock_all() left them. What they guard is whole if it,
 * or the forking thread itself, has them; else the arena is forsaken. Other threads
 * of the parent may have been anywhere in what is done without a lock, and they are
 * not here to go on. A spare arena's lock, too, may be held by a thread that was
 * about to find out that it is not the one it wants.
 *
 * Context: the child's one thread, before it allocates; the registry's lock is
 * still as it was.
 */
void pm_arena_restart_all(bool inside)
{
	pm_registry_each_used(inside ? pm_arena_restart_inside :
				       pm_arena_restart);
	pm_registry_forget();
	/* The list is half changed if the thread is about to change it. */
	if (!pm_mutex_is_mine(&pm_registry) ||
	    pm_mutex_is_halted(&pm_registry))
		pm_registry_each_spare(inside ? pm_arena_restart_lock :
						pm_arena_restart);
}
