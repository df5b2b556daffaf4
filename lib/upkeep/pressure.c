// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Giving back when others are short of memory.
 *
 * The idea. A host that looks for memory asks everybody, now and then for a little and
 * at the end for all. So what is easy to do without goes first: units that no slab has,
 * then extents, and only then objects in magazines and depots, and the slabs that these
 * keep.
 *
 * The trick. The host may ask in the middle of a request of ours, with locks of ours
 * held by the very thread. So arenas' locks, and that of the magazines, are only tried:
 * whoever has one is left alone. The extent lock is waited for, for nobody asks for
 * memory who has it.
 *
 * The limits. What lies behind a lock that is held stays; the caller is told, and may
 * trim when no lock is held.
 */
#include "upkeep/pressure.h"
#include "arena/arena.h"
#include "arena/check.h"
#include "arena/decay.h"
#include "arena/depots.h"
#include "arena/registry.h"
#include "back/extent.h"
#include "front/drain.h"
#include "front/magazine.h"

/**
 * pm_pressure_free() - about how much could be given back
 *
 * Free objects count as if their slabs were free without them.
 *
 * Context: any; takes no lock.
 * Return: bytes.
 */
size_t pm_pressure_free(void)
{
	size_t bytes = pm_arenas_kept();
	struct pm_arena *arena;
	unsigned int class, id;

	pm_for_each_class(class)
		bytes += pm_mag_objects(class) * pm_class_bytes(class);
	for (id = 0; id < pm_arena_table_size; id++) {
		arena = pm_arena_at(id);
		if (arena)
			bytes += pm_arena_in_depots(arena);
	}
	return bytes;
}

/*
 * Have arenas give back by @how until @want bytes went. Those whose lock is held are
 * left out, and @busy is set.
 */
static size_t pm_pressure_ask(size_t want, bool *busy,
			      size_t (*how)(struct pm_arena *arena, size_t want))
{
	struct pm_arena *arena;
	size_t bytes = 0;
	unsigned int id;

	for (id = 0; id < pm_arena_table_size && bytes < want; id++) {
		if (!pm_arena_at(id))
			continue;
		arena = pm_arena_try_enter(id);
		if (!arena) {
			*busy = true;
			continue;
		}
		bytes += how(arena, want - bytes);
		pm_arena_check(arena);
		pm_arena_unlock(arena);
	}
	return bytes;
}

static size_t pm_pressure_flush(struct pm_arena *arena, size_t want)
{
	pm_arena_flush_depots(arena);
	return 0;
}

static size_t pm_pressure_trim(struct pm_arena *arena, size_t want)
{
	return pm_arena_trim(arena);
}

/* What magazines and depots hold goes to slabs and extents. */
static void pm_pressure_bring_home(bool *busy)
{
	if (pm_mag_trylock_all()) {
		pm_mag_drain_all_locked();
		pm_mag_unlock_all();
	} else {
		*busy = true;
	}
	pm_pressure_ask(SIZE_MAX, busy, pm_pressure_flush);
}

/**
 * pm_pressure_give_back() - give free memory back for the sake of others
 * @want: bytes that are enough
 * @busy: set when a lock was held that there may be more behind
 *
 * Context: may sleep, but waits for nobody who asks for memory. The caller may hold any
 * of our locks but the extent lock.
 * Return: bytes given back.
 */
size_t pm_pressure_give_back(size_t want, bool *busy)
{
	size_t bytes = pm_pressure_ask(want, busy, pm_arena_shed);

	if (bytes < want)
		bytes += pm_extents_shed(want - bytes);
	if (bytes >= want)
		return bytes;
	pm_pressure_bring_home(busy);
	bytes += pm_pressure_ask(want - bytes, busy, pm_pressure_trim);
	if (bytes < want)
		bytes += pm_extents_shed(want - bytes);
	return bytes;
}
