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
 * Context: pm_registry held by the caller, so the list stands still.
 */
void pm_arena_lock_all(void)
{
	unsigned int id;

	lockdep_assert_held(&pm_registry);
	for (id = 0; id < pm_arena_table_size; id++)
		if (pm_arena_at(id))
			pm_arena_lock_uncounted(pm_arena_at(id));
}

/**
 * pm_arena_unlock_all() - let every arena go on
 */
void pm_arena_unlock_all(void)
{
	unsigned int id;

	for (id = 0; id < pm_arena_table_size; id++)
		if (pm_arena_at(id))
			pm_arena_unlock(pm_arena_at(id));
}

/**
 * pm_arena_restart_all() - begin anew in the child of a fork()
 *
 * The locks are as pm_arena_lock_all() left them, and what they guard is
 * whole. Other threads of the parent may have been anywhere in what is done
 * without a lock, and they are not here to go on. A spare arena's lock, too,
 * may be held by somebody who was about to find out that it is not the one he
 * wants.
 *
 * Context: the child's one thread, before it allocates.
 */
void pm_arena_restart_all(void)
{
	unsigned int id;

	for (id = 0; id < pm_arena_table_size; id++)
		if (pm_arena_at(id))
			pm_arena_restart(pm_arena_at(id));
	pm_registry_each_spare(pm_arena_restart);
}
