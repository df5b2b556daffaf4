// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * pm_malloc_lock(): how a per-CPU arena is chosen, locked and used.
 *
 * The idea. With one lock per CPU two threads meet only when one was preempted
 * while it held the lock, or migrated after it chose: the number of a CPU is a
 * hint about where contention is unlikely, never a promise. So every path here
 * works whatever CPU it runs on, and the number is asked for once, at the
 * start.
 *
 * The trick. The first try needs no read-side section: an arena's memory never
 * becomes anything else, so whatever the pointer's age there is a lock to try,
 * and under it @retired tells whether anybody may use the arena. A section is
 * for those who walk the list. Threads that live shortly and never meet
 * another on a lock are thus spared the registration that a section costs.
 *
 * The limits. Nothing here knows of magazines, and nothing gives memory back
 * when the host has none: that is for the callers.
 *
 * What would be lost without each step:
 *   - Without the second arena: a thread whose CPU's arena is held by a thread
 *     that was preempted would wait for the scheduler.
 *   - Without the wait when all are busy: it would spin, or ask the host for
 *     one arena after the other, as allocators with arenas per thread do.
 *   - Without the look at @retired: a thread that picked an arena before it was
 *     retired would build slabs where nobody finds them again.
 *   - Without asking the others at the end: a request would fail although
 *     another CPU's arena has free objects.
 */
#include "arena/malloc_lock.h"
#include "arena/arena.h"
#include "arena/decay.h"
#include "arena/home.h"
#include "arena/registry.h"
#include "arena/spans.h"
#include "back/heap.h"
#include "back/pagemap.h"
#include "back/span.h"
#include "base/options.h"
#include "base/testing.h"
#include "base/trace.h"

/* The policy's choice. */
static unsigned int pm_arena_pick(void)
{
	unsigned int id = pm_options.policy->pick();

	return likely(id < pm_arena_table_size) ? id : id % pm_arena_table_size;
}

/*
 * Lock and enter the arena @id if its lock is free and it is in use. NULL when
 * not; @busy is set to it when its lock is held.
 */
static struct pm_arena *pm_arena_try(unsigned int id, unsigned int class,
				     struct pm_arena **busy)
{
	struct pm_arena *arena = pm_arena_at(id);

	if (unlikely(!arena))
		return NULL;
	pm_stop_point(PM_STOP_MALLOC_PICKED);
	if (unlikely(!pm_arena_trylock(arena))) {
		pm_arena_contended(arena, class);
		*busy = arena;
		return NULL;
	}
	return pm_arena_enter_or_unlock(arena, class) ? arena : NULL;
}

/*
 * Another arena than @busy whose lock is free, locked; the walk starts
 * behind @busy, so that the waiters of one arena do not all meet at the
 * first.
 *
 * Context: SRCU section, for the list is walked.
 */
static struct pm_arena *pm_arena_lock_other(struct pm_arena *busy,
					    unsigned int class)
{
	struct pm_arena *arena;
	bool behind;
	int pass;

	for (pass = 0; pass < 2; pass++) {
		behind = false;
		pm_for_each_arena(arena) {
			if (arena == busy) {
				if (pass)
					break;
				behind = true;
				continue;
			}
			if (behind == (pass == 1) ||
			    !pm_arena_trylock(arena))
				continue;
			if (pm_arena_is_in_use(arena)) {
				pm_lockwait_fallback_in(&arena->waits);
				trace_arena_fallback(busy->id, class, 0,
						     arena->id);
				return arena;
			}
			pm_arena_unlock(arena);
		}
	}
	return NULL;
}

/*
 * @arena's lock is held, again or still: lock another one or wait for it.
 *
 * Context: SRCU section. Return: the arena that is locked.
 */
static struct pm_arena *pm_arena_lock_busy(struct pm_arena *arena,
					   unsigned int class)
{
	struct pm_arena *other = pm_arena_lock_other(arena, class);

	if (!other) {
		pm_arena_wait(arena, class);
		return arena;
	}
	pm_lockwait_fallback_out(&arena->waits, class);
	if (pm_options.policy->moved)
		pm_options.policy->moved(other->id);
	return other;
}

/*
 * The arena @id, or one that has its lock free, locked and entered. NULL
 * when there is no arena @id (any more). @busy is the arena whose lock the
 * caller has found held already, so that this is not counted twice.
 *
 * Context: SRCU section.
 */
static struct pm_arena *pm_arena_lock_pick(unsigned int id, unsigned int class,
					   const struct pm_arena *busy)
{
	struct pm_arena *arena = pm_arena_at(id);

	if (!arena)
		return NULL;
	pm_stop_point(PM_STOP_MALLOC_PICKED);
	if (!pm_arena_trylock(arena)) {
		if (arena != busy)
			pm_arena_contended(arena, class);
		arena = pm_arena_lock_busy(arena, class);
	}
	return pm_arena_enter_or_unlock(arena, class) ? arena : NULL;
}

/*
 * The first try failed: the arena is busy, retired, or not there yet. Lock and
 * enter it all the same, or another one. @busy is the arena whose lock was
 * found held.
 *
 * The arena stays in use after the section, for it is retired under its lock.
 *
 * Return: the arena; NULL when there is none to be had in this way: no memory
 * to make it, or no read-side section for this thread.
 */
static noinline struct pm_arena *pm_arena_lock_slow(unsigned int class,
						    const struct pm_arena *busy,
						    gfp_t gfp)
{
	struct pm_arena *arena;
	unsigned int id;
	int idx;

	do {
		if (unlikely(!pm_srcu_read_trylock(&pm_srcu, &idx)))
			return NULL;
		id = pm_arena_pick();
		arena = pm_arena_lock_pick(id, class, busy);
		srcu_read_unlock(&pm_srcu, idx);
		busy = NULL;
		/* standstill M. Outside of the section: retiring waits for those. */
	} while (!arena && pm_arena_create(id, gfp));
	return arena;
}

/*
 * @arena has no room: it gets a heap that another arena does not need. The
 * others' locks are only tried, for one is held. Neither may be retired
 * meanwhile, and who adds up figures is kept away, or told: hence the registry.
 */
static bool pm_arena_grow_from_others(struct pm_arena *arena,
				      unsigned int class)
{
	size_t least = pm_classes[class].units * PM_UNIT_SIZE;
	struct pm_arena *other;
	bool grown = false;
	unsigned int id;

	if (!mutex_trylock(&pm_registry))
		return false;
	pm_registry_moves();
	for (id = 0; id < pm_arena_table_size && !grown; id++) {
		other = pm_arena_at(id);
		if (!other || other == arena || !pm_arena_has_free_heap(other) ||
		    !pm_arena_trylock(other))
			continue;
		grown = pm_arena_is_in_use(other) &&
			pm_arena_adopt_free_heap(arena, other, least);
		pm_arena_unlock(other);
	}
	pm_registry_moved();
	mutex_unlock(&pm_registry);
	return grown;
}

/* Take objects from an arena; when it has no room it grows, and once more. */
static unsigned int pm_arena_take_growing(struct pm_arena *arena,
					  unsigned int class, void **objs,
					  unsigned int n, gfp_t gfp)
{
	unsigned int got = pm_arena_take(arena, class, objs, n);

	if (likely(got))
		return got;
	pm_arenas_note_growth(arena);
	if (!pm_arena_grow_from_others(arena, class) &&
	    !pm_arena_map_heap(arena, class, gfp))
		return 0;
	return pm_arena_take(arena, class, objs, n);
}

/*
 * Nobody has served the request yet: the arena could not grow, or none could
 * be locked. Ask every arena, waiting for its lock.
 *
 * They are found in the table, not on the list, so this needs no read-side
 * section: a thread may be inside the very registration that gives it one. It
 * makes none where there are any (standstill N).
 */
static noinline unsigned int pm_malloc_ask_all(unsigned int class, void **objs,
					       gfp_t gfp)
{
	unsigned int id, own = pm_arena_pick(), got = 0;
	struct pm_arena *arena;
	bool any = false;

again:
	for (id = 0; id < pm_arena_table_size && !got; id++) {
		arena = pm_arena_at(id);
		if (!arena)
			continue;
		any = true;
		pm_arena_lock(arena, class);
		if (!pm_arena_enter_or_unlock(arena, class))
			continue;
		got = pm_arena_take_growing(arena, class, objs, 1, gfp);
		if (got && id != own) {
			arena->stats.lent++;
			trace_arena_fallback(own, class, 0, id);
		}
		pm_arena_leave(arena);
	}
	/* A child whose arenas are all forsaken, and that has no sections. */
	if (unlikely(!any) && pm_arena_create(own, gfp)) {
		any = true;
		goto again;
	}
	return got;
}

/**
 * pm_arena_here() - the arena that the policy picks
 *
 * Context: any.
 * Return: the arena, whose lock may be tried: it may be out of use by then. NULL when
 * there is none yet.
 */
struct pm_arena *pm_arena_here(void)
{
	return pm_arena_at(pm_arena_pick());
}

/*
 * Spans: from the depot of the arena that is picked, if its lock is free, and else
 * one that is made of an extent. Nobody waits, and no lock is held when the host
 * may be asked for memory.
 */
static unsigned int pm_malloc_spans(unsigned int class, void **objs,
				    unsigned int n, gfp_t gfp)
{
	struct pm_arena *arena = pm_arena_here(), *busy = NULL;
	unsigned int got = 0;

	if (arena && pm_arena_has_spans(arena, class))
		arena = pm_arena_try(pm_arena_id(arena), class, &busy);
	else
		arena = NULL;
	if (arena) {
		got = pm_arena_take_spans(arena, class, objs, n);
		pm_arena_leave(arena);
	}
	if (got)
		return got;
	objs[0] = pm_span_make(class, gfp);
	return objs[0] != NULL;
}

/**
 * __pm_malloc_lock() - allocate objects from an arena, under its lock
 * @class: class number
 * @objs: where they go
 * @n: how many are wanted, at least 1
 * @gfp: context
 *
 * This is pm_malloc_lock(), by class and for one object or several; every
 * refill of a magazine calls it. The heart of the allocator, in the order in
 * which it happens:
 *
 *   1. The policy picks an arena, usually that of the CPU we run on.
 *   2. Its lock is tried. When it is busy, the list of arenas is walked for
 *      one whose lock is free; when all are busy we wait for our own.
 *   3. Under the lock objects are taken from the class's depot, then from
 *      partial slabs; if there is none a slab is cut from a heap; if no heap
 *      has room the arena gets one that another arena does not need, or else
 *      the host is asked for another.
 *   4. When that yields nothing every arena is asked in turn, and only then
 *      the request fails.
 *
 * Spans take another way at 3: what the depot does not have is made of an
 * extent, and where the lock is held, too.
 *
 * The lock is taken and released in here; the name says how, not that it is
 * held on return.
 *
 * Context: may sleep; @gfp without permission to sleep gets nothing. No lock
 * is held, on return neither.
 * Return: how many objects there are, 0 when nobody had one, or before the
 * allocator has started.
 */
unsigned int __pm_malloc_lock(unsigned int class, void **objs, unsigned int n,
			      gfp_t gfp)
{
	struct pm_arena *arena, *busy = NULL;
	unsigned int got = 0;

	if (!gfpflags_allow_blocking(gfp) || unlikely(!pm_arena_ready()))
		return 0;
	if (pm_class_is_span(class))
		return pm_malloc_spans(class, objs, n, gfp);
	arena = pm_arena_try(pm_arena_pick(), class, &busy);
	if (unlikely(!arena))
		arena = pm_arena_lock_slow(class, busy, gfp);
	if (likely(arena)) {
		got = pm_arena_take_growing(arena, class, objs, n, gfp);
		if (unlikely(pm_arena_leave(arena)))
			pm_arenas_look();
	}
	return likely(got) ? got : pm_malloc_ask_all(class, objs, gfp);
}

/**
 * pm_arena_is_near() - whether an object is of the arena that we would use
 * @obj: object in a slab, the caller's
 *
 * Context: any.
 * Return: a hint: the thread may move, and the object's heap be adopted.
 */
bool pm_arena_is_near(const void *obj)
{
	return pm_heap_owner(pm_pagemap_heap(obj)) ==
	       pm_arena_at(pm_arena_pick());
}
