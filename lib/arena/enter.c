// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Entering an arena and leaving it: what goes along with taking its lock to
 * allocate, to free or to trim.
 *
 *	lock or trylock		who finds it held is counted, and waits by the clock
 *	enter			the acquisition is counted; what was freed while the
 *				lock was busy comes in
 *	...
 *	leave			what was not needed for long goes out
 */
#include "arena/arena.h"
#include "arena/check.h"
#include "base/options.h"
#include "base/trace.h"

/*
 * Every way to an arena's lock leads through one of these, so that the lock's
 * accounts always say who holds it. What counts as an acquisition is said by
 * pm_arena_enter(), and what counts as contention by those who want to enter.
 */

/**
 * pm_arena_trylock() - lock an arena if that can be done at once
 * @arena: the arena
 *
 * Context: any that may take a lock.
 * Return: whether it is locked.
 */
bool pm_arena_trylock(struct pm_arena *arena)
{
	if (unlikely(!mutex_trylock(&arena->lock)))
		return false;
	pm_lockstat_enter(&arena->lockstat);
	return true;
}

/**
 * pm_arena_lock_uncounted() - lock an arena and leave no trace in its figures
 * @arena: the arena
 *
 * For those who want nothing from it: to look at figures, to fork, to retire.
 *
 * Context: may sleep.
 */
void pm_arena_lock_uncounted(struct pm_arena *arena)
{
	mutex_lock(&arena->lock);
	pm_lockstat_enter(&arena->lockstat);
}

/**
 * pm_arena_lock_two() - lock two arenas, by the order of their numbers
 * @a: one
 * @b: the other
 *
 * The lower number first, or two who do so might wait for each other.
 *
 * Context: may sleep.
 */
void pm_arena_lock_two(struct pm_arena *a, struct pm_arena *b)
{
	struct pm_arena *first = a->id < b->id ? a : b;
	struct pm_arena *second = first == a ? b : a;

	pm_arena_lock_uncounted(first);
	mutex_lock_nested(&second->lock, SINGLE_DEPTH_NESTING);
	pm_lockstat_enter(&second->lockstat);
}

/*
 * Let it go, and tell of the hold: only then, for a listener takes its time, and
 * the arena may be another's by then.
 */
static noinline void pm_arena_unlock_told(struct pm_arena *arena)
{
	u64 ns = pm_host_clock_ns() - arena->held_since;
	unsigned int class = arena->held_class;
	unsigned int id = arena->id;

	arena->held_since = 0;
	pm_lockstat_leave(&arena->lockstat);
	mutex_unlock(&arena->lock);
	trace_arena_lock_held(id, class, ns, 0);
}

/**
 * pm_arena_unlock() - let an arena's lock go
 * @arena: the arena
 */
void pm_arena_unlock(struct pm_arena *arena)
{
	if (unlikely(arena->held_since)) {
		pm_arena_unlock_told(arena);
		return;
	}
	pm_lockstat_leave(&arena->lockstat);
	mutex_unlock(&arena->lock);
}

/**
 * pm_arena_halt() - lock an arena for a fork(), unless this thread has it
 * @arena: the arena
 *
 * Context: may sleep.
 */
void pm_arena_halt(struct pm_arena *arena)
{
	if (pm_mutex_halt(&arena->lock))
		pm_lockstat_enter(&arena->lockstat);
}

/**
 * pm_arena_resume() - let go of what pm_arena_halt() locked
 * @arena: the arena
 */
void pm_arena_resume(struct pm_arena *arena)
{
	if (!pm_mutex_is_halted(&arena->lock))
		return;
	pm_lockstat_leave(&arena->lockstat);
	pm_mutex_resume(&arena->lock);
}

/* ---- on behalf of a class ----------------------------------------------- */

/**
 * pm_arena_contended() - a thread that wants to enter has found the lock held
 * @arena: the arena
 * @class: on whose behalf
 *
 * Context: any.
 */
void pm_arena_contended(struct pm_arena *arena, unsigned int class)
{
	pm_lockwait_found_held(&arena->waits, class);
}

/**
 * pm_arena_wait() - ... and waits for it
 * @arena: the arena, locked on return
 * @class: on whose behalf
 *
 * Context: may sleep.
 */
void pm_arena_wait(struct pm_arena *arena, unsigned int class)
{
	struct pm_sleep sleep;
	struct pm_wait wait;
	u64 ns;

	pm_lockwait_begin(&arena->waits, &arena->lockstat, class, &wait);
	sleep = pm_mutex_lock_sleep(&arena->lock);
	pm_lockstat_enter(&arena->lockstat);
	ns = pm_lockwait_end(&arena->waits, &wait, &sleep);
	trace_arena_lock_contended(arena->id, class, ns, wait.holder.tid);
}

/**
 * pm_arena_lock() - lock an arena to enter it, and wait for as long as it takes
 * @arena: the arena
 * @class: on whose behalf
 *
 * Context: may sleep.
 */
void pm_arena_lock(struct pm_arena *arena, unsigned int class)
{
	if (likely(pm_arena_trylock(arena)))
		return;
	pm_arena_contended(arena, class);
	pm_arena_wait(arena, class);
}

/* The lock is held for longer than need be, because somebody wants to see. */
static noinline void pm_arena_delay(unsigned long ns)
{
	u64 until = pm_host_clock_ns() + ns;

	while (pm_host_clock_ns() < until)
		cpu_relax();
}

/**
 * pm_arena_enter() - account for a lock that was just taken
 * @arena: the arena
 * @class: on whose behalf it was taken
 *
 * What waits for a holder is done, too.
 *
 * Context: arena lock held.
 */
void pm_arena_enter(struct pm_arena *arena, unsigned int class)
{
	lockdep_assert_held(&arena->lock);
	pm_lockstat_acquire(&arena->lockstat);
	if (trace_arena_lock_held_enabled()) {
		arena->held_since = pm_host_clock_ns();
		arena->held_class = class;
	}
	/* Pairs with pm_arena_class_figures(), which takes no lock. */
	WRITE_ONCE(arena->nr_acquired[class], arena->nr_acquired[class] + 1);
	if (unlikely(READ_ONCE(pm_options.delay_ns)))
		pm_arena_delay(pm_options.delay_ns);
	pm_arena_collect(arena);
}

/**
 * pm_arena_enter_or_unlock() - enter an arena that is in use, or let go of it
 * @arena: the arena
 * @class: on whose behalf its lock was taken
 *
 * Context: arena lock held.
 * Return: whether it was entered; else it is out of use, and not locked any more.
 */
bool pm_arena_enter_or_unlock(struct pm_arena *arena, unsigned int class)
{
	if (!pm_arena_is_in_use(arena)) {		/* retire I */
		pm_arena_unlock(arena);
		return false;
	}
	pm_arena_enter(arena, class);
	return true;
}

/**
 * pm_arena_leave() - let the lock go, after a look at what is not needed
 * @arena: the arena
 *
 * Context: arena lock held, and no other.
 * Return: whether all arenas are worth a look, by pm_arenas_look(): much was freed,
 * or this one's decay time was over, and others' may be, which nobody uses.
 */
bool pm_arena_leave(struct pm_arena *arena)
{
	bool much = arena->dirty_units >= arena->watch_units;
	bool decayed = !(pm_lockstat_acquired(&arena->lockstat) % 16) &&
		       pm_arena_decay(arena);

	if (unlikely(much))
		pm_arena_watch(arena);
	pm_arena_check(arena);
	pm_arena_unlock(arena);
	return much || decayed;
}
