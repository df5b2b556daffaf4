// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Giving everything back that is free.
 *
 * First the magazines are drained into the depots, then the depots emptied
 * into the slabs of whichever arena owns the objects, and spans into extents; and
 * only then each arena looks for what is free, and the extents go.
 */
#include "pmalloc.h"
#include "upkeep/trim.h"
#include "upkeep/pressure.h"
#include "arena/arena.h"
#include "arena/decay.h"
#include "arena/registry.h"
#include "back/extent.h"
#include "base/limit.h"
#include "base/options.h"
#include "front/magazine.h"

#define PM_CEILING_SPARE	8	/* of the ceiling */
#define PM_CEILING_LITTLE	64	/* of the ceiling: not worth a trim */

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
	size_t bytes;

	pm_mag_drain_all();
	bytes = pm_arena_trim_all();
	return bytes + pm_extents_purge();
}

/* The most that pm_trim_all() could give back: all that no object takes. */
static size_t pm_free_bytes(void)
{
	size_t bytes = pm_extents_cached();
	struct pm_arena *arena;
	unsigned int class;
	int idx;

	pm_for_each_class(class)
		bytes += pm_mag_objects(class) * pm_class_bytes(class);
	if (!pm_srcu_read_trylock(&pm_srcu, &idx))
		return bytes;
	pm_for_each_arena(arena) {
		pm_arena_lock_uncounted(arena);
		bytes += pm_arena_free_bytes(arena);
		pm_arena_unlock(arena);
	}
	srcu_read_unlock(&pm_srcu, idx);
	return bytes;
}

/**
 * pm_trim_can_make_room() - whether giving back may help a large request
 * @size: bytes that the host has just refused
 * @align: power of two
 *
 * A host that refuses even what would be missing then is not asked by way of
 * giving heaps back and mapping them anew. What is free in pieces that cannot go
 * back counts here as if it could.
 *
 * Context: may sleep, no lock held.
 * Return: false when it is known not to.
 */
bool pm_trim_can_make_room(size_t size, size_t align)
{
	size_t most = pm_free_bytes();
	size_t missing = size > most ? ALIGN_DOWN(size - most, PAGE_SIZE) : 0;

	return !missing ||
	       (pm_limit_has_room(missing) &&
		pm_host_has_room(missing, max_t(size_t, align, PAGE_SIZE)));
}

/**
 * pm_trim_beyond_limit() - give everything back, for a limit is passed
 *
 * Context: may sleep, no lock held.
 */
void pm_trim_beyond_limit(void)
{
	pm_trim_all();
	pm_limit_purged();
}

/**
 * pm_trim_below_ceiling() - see that a request stays below what the host lets us have
 * @bytes: about how many it takes
 *
 * All that is free goes as soon as seven eighths of the ceiling are in use; the rest is for
 * what is not ours, and for what was served since the last look. Where little is free
 * it stays: a program that has so much of its own would trim without end.
 *
 * Context: may sleep, no lock held.
 */
void pm_trim_below_ceiling(size_t bytes)
{
	size_t ceiling = pm_limit_ceiling(), used = pm_arenas_used();

	if (used + bytes > ceiling - ceiling / PM_CEILING_SPARE &&
	    pm_pressure_free() > ceiling / PM_CEILING_LITTLE) {
		pm_trim_all();
		used = pm_arenas_used();
	}
	pm_limit_looked(used);
}

int pm_limit_set(size_t soft, size_t hard)
{
	if (hard && soft > hard)
		return -EINVAL;
	WRITE_ONCE(pm_options.soft_limit, soft);
	WRITE_ONCE(pm_options.hard_limit, hard);
	if (pm_limit_is_passed() || !pm_limit_has_room(0))
		pm_trim_beyond_limit();
	return 0;
}
EXPORT_SYMBOL_GPL(pm_limit_set);

size_t pm_limit_get(size_t *soft, size_t *hard)
{
	*soft = READ_ONCE(pm_options.soft_limit);
	*hard = READ_ONCE(pm_options.hard_limit);
	return pm_limit_used();
}
EXPORT_SYMBOL_GPL(pm_limit_get);
