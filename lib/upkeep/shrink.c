// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Giving back what is free of one class, and giving up the class.
 *
 * Steps, as in cache.pml:
 *
 *	A  pm_class_give_up() takes pm_registry and pm_mag_lock: no arena is retired, no
 *	   magazine is made or drained
 *	B  it empties the class's stack in every magazine
 *	C  it empties inboxes, remote lists and depots of all arenas into slabs,
 *	   twice, for a depot sends on what is another arena's
 *	D  it counts the objects that are not in their slab
 *	E  it gives the free slabs back to their heaps; the page map forgets them
 *	F  pm_caches_remove() makes the class number free for another cache, if D
 *	   has counted none
 *
 * What is lost without each:
 *
 *   - Without pm_registry (A) an arena's accounts could move to its heir between the
 *     two looks of D, and an object that somebody has be counted nowhere.
 *   - Without pm_mag_lock (A) somebody who drains a magazine could have the objects
 *     in hand while B and C look elsewhere: D would count them, though all were freed.
 *   - Without B, without C, with C but once, or with D before C: the same, for those
 *     that lie in magazines, in depots or on remote lists.
 *   - Were F not to look at D, a magazine, a depot or a caller could have an object of
 *     the number's former life, and hand it out or give it back as one of another size.
 *   - Without E before F pm_cache_free() of the new cache would take what lies in
 *     an old slab for its own.
 *
 * So F needs but one thing to be right: that nothing which is not in its slab goes
 * uncounted. An arena counts an object out when it leaves its slab, under its lock,
 * and in again when the slab has it back. Threads that carry the class's objects to
 * or from a magazine are users of the cache, and whoever destroys it says that there
 * are none; if there are all the same, D counts what they carry.
 */
#include "upkeep/shrink.h"
#include "arena/arena.h"
#include "arena/registry.h"
#include "front/magazine.h"

/* Give the free slabs of all arenas back. Return: their bytes. */
static size_t pm_class_shrink_arenas(unsigned int class)
{
	struct pm_arena *arena;
	size_t bytes = 0;
	int pass;

	lockdep_assert_held(&pm_registry);
	/* What one arena's depot held may have gone to one that was looked at. */
	for (pass = 0; pass < 2; pass++)
		pm_for_each_arena_locked(arena) {
			pm_arena_lock(arena, PM_CLASS_NONE);
			pm_arena_enter(arena, PM_CLASS_NONE);
			bytes += pm_arena_shrink_class(arena, class);
			pm_arena_unlock(arena);
		}
	return bytes;
}

/**
 * pm_class_shrink() - give the free slabs of a class back to their heaps
 * @class: class number
 *
 * Context: may sleep, no lock held.
 * Return: bytes that any class can use now.
 */
size_t pm_class_shrink(unsigned int class)
{
	size_t bytes;

	mutex_lock(&pm_registry);
	pm_mag_lock_all();
	pm_mag_drain_class_all_locked(class);
	pm_mag_unlock_all();
	bytes = pm_class_shrink_arenas(class);
	mutex_unlock(&pm_registry);
	return bytes;
}

/* How many objects of a class are not in their slab. */
static size_t pm_class_count_out(unsigned int class, void **first)
{
	struct pm_arena *arena;
	size_t out = 0;

	pm_for_each_arena_locked(arena) {
		pm_arena_lock_uncounted(arena);
		out += pm_arena_nr_out(arena, class);
		if (!*first)
			*first = pm_arena_find_out(arena, class);
		pm_arena_unlock(arena);
	}
	return out;
}

/* Nothing is out: its slabs go, and what it has in the figures. */
static void pm_class_forget(unsigned int class)
{
	struct pm_arena *arena;

	pm_for_each_arena_locked(arena) {
		pm_arena_lock_uncounted(arena);
		pm_arena_shrink_class(arena, class);	/* cache E */
		pm_arena_forget_class(arena, class);
		pm_arena_unlock(arena);
	}
	pm_registry_forget_class(class);
}

/**
 * pm_class_give_up() - see that nothing is left of a class
 * @class: class number
 * @left: out: what is left of it all the same
 *
 * Where a magazine cannot be emptied, what it has is taken off the count, and
 * stays there. What is in arenas that nobody enters any more is not counted.
 *
 * Context: may sleep, no lock held. Nobody allocates or frees an object of the
 * class meanwhile.
 */
void pm_class_give_up(unsigned int class, struct pm_left *left)
{
	bool all;

	left->first = NULL;
	mutex_lock(&pm_registry);				/* cache A */
	pm_mag_lock_all();
	all = pm_mag_drain_class_all_locked(class);		/* cache B */
	pm_class_shrink_arenas(class);				/* cache C */
	left->objects = pm_class_count_out(class, &left->first); /* cache D */
	if (likely(all) && !left->objects)
		pm_class_forget(class);
	if (unlikely(!all))
		left->objects -= min_t(size_t, pm_mag_objects(class),
				       left->objects);
	left->anywhere = !all || pm_registry_has_forsaken();
	pm_mag_unlock_all();
	mutex_unlock(&pm_registry);
}
