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
#include "back/keep.h"
#include "back/large.h"
#include "back/share.h"
#include "back/span.h"
#include "base/options.h"

#define PM_DECAY_LOOKS	4	/* at all arenas, in a decay time */

/* Coarse time of the latest look at all arenas. */
static u64 pm_decay_at;

/* How often much had come free. [atomic] */
static unsigned long pm_decay_freed;

/**
 * pm_arenas_freed() - a number that changes whenever much has come free
 *
 * Whoever reads it before pm_arenas_kept() counts all that came free before the
 * number became this one.
 *
 * Context: any.
 */
unsigned long pm_arenas_freed(void)
{
	/* Pairs with the increment: what came free before it is seen. */
	return smp_load_acquire(&pm_decay_freed);
}

/**
 * pm_arenas_note_freed() - much has come free, or is counted again
 *
 * Context: any, after that. A full barrier.
 */
void pm_arenas_note_freed(void)
{
	unsigned long freed = READ_ONCE(pm_decay_freed);

	while (!try_cmpxchg(&pm_decay_freed, &freed, freed + 1))
		;
}

/**
 * pm_arenas_kept_beside() - bytes of free units that could go back to the host
 * @but: arena that does not count, or NULL
 *
 * Context: any.
 * Return: a snapshot.
 */
size_t pm_arenas_kept_beside(const struct pm_arena *but)
{
	struct pm_arena *arena;
	size_t bytes = 0;
	unsigned int id;

	for (id = 0; id < pm_arena_table_size; id++) {
		arena = pm_arena_at(id);
		if (arena && arena != but)
			bytes += pm_arena_kept(arena);
	}
	return bytes;
}

/**
 * pm_arenas_kept() - bytes that nobody uses and that could go back to the host
 *
 * Context: any.
 * Return: a snapshot: pages of free units and of free extents.
 */
size_t pm_arenas_kept(void)
{
	return pm_extents_dirty() + pm_arenas_kept_beside(NULL);
}

/* Bytes that are in use, as seen from here: free objects in slabs, too. */
static size_t pm_arenas_live(void)
{
	size_t bytes = pm_large_live() + pm_span_bytes();
	struct pm_arena *arena;
	unsigned int id;

	for (id = 0; id < pm_arena_table_size; id++) {
		arena = pm_arena_at(id);
		if (arena)
			bytes += READ_ONCE(arena->slab_bytes);
	}
	return bytes;
}

/* What may be kept and cached follows what is live. */
static void pm_arenas_look_at_live(void)
{
	size_t live = pm_arenas_live();

	pm_keep_set_live(live);
	pm_share_set_live(live);
}

/**
 * pm_arenas_used() - bytes that may have pages
 *
 * All of a slab, and of what callers have, counts; descriptors do, too.
 *
 * Context: any.
 * Return: a snapshot.
 */
size_t pm_arenas_used(void)
{
	return pm_arenas_live() + pm_arenas_kept() + pm_meta_bytes();
}

/**
 * pm_arena_try_enter() - the arena of a number, locked and entered
 * @id: number
 *
 * It needs no read-side section: see malloc_lock.c.
 *
 * Context: a mutex may be tried.
 * Return: the arena, or NULL when there is none, or its lock cannot be had at once.
 */
struct pm_arena *pm_arena_try_enter(unsigned int id)
{
	struct pm_arena *arena = pm_arena_at(id);

	if (!arena || !pm_arena_trylock(arena) ||
	    !pm_arena_enter_or_unlock(arena, PM_CLASS_NONE))
		return NULL;
	return arena;
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
	u64 now = pm_host_clock_coarse_ns(), at = READ_ONCE(pm_decay_at);
	struct pm_arena *arena;
	unsigned int id;

	if ((s64)(now - at) < (s64)pm_options.decay_ms * 1000000 / PM_DECAY_LOOKS ||
	    cmpxchg(&pm_decay_at, at, now) != at)
		return;
	pm_arenas_look_at_live();
	for (id = 0; id < pm_arena_table_size; id++) {
		arena = pm_arena_try_enter(id);
		if (!arena)
			continue;
		pm_arena_decay(arena);
		pm_arena_check(arena);
		pm_arena_unlock(arena);
	}
	pm_extents_decay();
}

/*
 * Free memory that is beyond what is kept goes. Half of what may be kept stays, so
 * that the next one to look has some time.
 */
static void pm_arenas_shed(void)
{
	size_t kept = pm_arenas_kept(), bound, want, bytes;
	struct pm_arena *arena;
	unsigned int id;

	pm_arenas_note_freed();
	pm_arenas_look_at_live();
	bound = pm_keep_bound();
	if (likely(kept <= bound))
		return;
	want = pm_keep_allow(kept - bound / 2);
	for (id = 0; id < pm_arena_table_size && want; id++) {
		arena = pm_arena_try_enter(id);
		if (!arena)
			continue;
		bytes = pm_arena_shed(arena, want);
		pm_keep_spend(bytes);
		want -= min_t(size_t, bytes, want);
		pm_arena_check(arena);
		pm_arena_unlock(arena);
	}
}

/**
 * pm_arenas_look() - give back what is too much and what no arena needed
 *
 * For those who have left an arena: see pm_arena_leave().
 *
 * Context: a mutex may be tried; no lock held.
 */
void pm_arenas_look(void)
{
	pm_arenas_shed();
	pm_arenas_decay();
}
