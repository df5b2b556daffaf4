// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Standing still for fork(), and beginning again in the child.
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
 * pm_arena_restart_all() - begin anew in the child of a fork()
 * @inside: the forking thread was inside of the allocator, and goes on there
 *
 * The locks are as pm_arena_lock_all() left them, and what they guard is
 * whole. Other threads of the parent may have been anywhere in what is done
 * without a lock, and they are not here to go on. A spare arena's lock, too,
 * may be held by somebody who was about to find out that it is not the one he
 * wants.
 *
 * Context: the child's one thread, before it allocates; the registry's lock is
 * still as it was.
 */
void pm_arena_restart_all(bool inside)
{
	void (*restart)(struct pm_arena *arena) =
		inside ? pm_arena_restart_lock : pm_arena_restart;

	pm_registry_each_used(restart);
	/* The list is half changed if the thread is about to change it. */
	if (!pm_mutex_is_mine(&pm_registry) ||
	    pm_mutex_is_halted(&pm_registry))
		pm_registry_each_spare(restart);
}
