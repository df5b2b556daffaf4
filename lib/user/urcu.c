// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A thread's first read-side section: registering with liburcu.
 */
#include <sys/mman.h>
#include <sys/resource.h>
#include "user.h"

/*
 * liburcu ends the process when it cannot map memory for a reader, so nobody
 * may register unless there is room for it, and nobody may take that room
 * before liburcu does. Two threads can: another one that registers, and one
 * that maps memory for a heap or an object. Hence one registers at a time
 * (@turn), and whoever maps says so (@mappers) and looks for the turn behind
 * it, as who has the turn looks for mappers behind that: of two stores and
 * two loads in sequential order, at least one thread sees the other.
 *
 * When there is no room left, a part of the address space that was put in
 * reserve by an earlier turn is let go of; then the turn is "tight", and who
 * maps is told at once that there is nothing, as before. Otherwise it waits,
 * but not for ever: registering may call malloc, and that may wait for an
 * arena's lock, which the mapping thread holds.
 *
 * liburcu doubles what it has, so the reserve is enough for 256 threads.
 * What others map cannot be kept out. They would have to take all of
 * PM_URCU_ROOM in the few microseconds between two system calls.
 *
 * None of this is done while address space is without limit and no mapping
 * has ever failed: threads that live but 30 us would feel it.
 */
#define PM_URCU_ROOM	(1UL << 20)
#define PM_URCU_RESERVE	(64UL << 10)
#define PM_URCU_NAPS	200	/* 10 ms */

enum pm_urcu_turn { PM_URCU_NOBODY, PM_URCU_TURN, PM_URCU_TIGHT };

static enum pm_urcu_turn pm_urcu_turn;
static atomic_long_t pm_urcu_mappers;
static void *pm_urcu_reserve; /* [turn] */
static bool pm_urcu_failed; /* a mapping did, once */

static void *pm_urcu_map(size_t size)
{
	void *p = mmap(NULL, size, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/**
 * pm_urcu_map_begin() - be about to take address space
 *
 * Return: true when the caller may do so, and has to call
 * pm_urcu_map_end() then; false when there is none.
 */
bool pm_urcu_map_begin(void)
{
	enum pm_urcu_turn turn;
	int naps;

	for (naps = 0;; naps++) {
		atomic_long_inc_return(&pm_urcu_mappers);
		turn = __atomic_load_n(&pm_urcu_turn, __ATOMIC_SEQ_CST);
		if (likely(turn == PM_URCU_NOBODY) || pm_tls.in_urcu ||
		    naps == PM_URCU_NAPS)
			return true;
		atomic_long_dec_if_positive(&pm_urcu_mappers);
		if (turn == PM_URCU_TIGHT)
			return false;
		pm_host_nap();
	}
}

/**
 * pm_urcu_map_end() - have taken it, or failed to
 * @taken: which of the two
 */
void pm_urcu_map_end(bool taken)
{
	/* Not below 0: a child forked over this mapper has forgotten it. */
	atomic_long_dec_if_positive(&pm_urcu_mappers);
	if (unlikely(!taken))
		WRITE_ONCE(pm_urcu_failed, true);
}

static bool pm_urcu_may_fail(void)
{
	struct rlimit limit;

	return READ_ONCE(pm_urcu_failed) || getrlimit(RLIMIT_AS, &limit) ||
	       limit.rlim_cur != RLIM_INFINITY;
}

/* Wait until no mapper is left of those who did not see our turn. */
static bool pm_urcu_alone(void)
{
	int naps;

	for (naps = 0; naps < PM_URCU_NAPS; naps++) {
		if (!__atomic_load_n(&pm_urcu_mappers.counter,
				     __ATOMIC_SEQ_CST))
			return true;
		pm_host_nap();
	}
	return false;
}

/*
 * Let go of the reserve, if there is one. It loses its name first: else a
 * child forked in between would later unmap what lies there by then.
 */
static bool pm_urcu_use_reserve(void)
{
	void *reserve = xchg(&pm_urcu_reserve, NULL);

	if (reserve)
		munmap(reserve, PM_URCU_RESERVE);
	return reserve;
}

/*
 * Take the turn, and see to it that there is room. Return: whether both came
 * about; without them the caller does without a section.
 */
static bool pm_urcu_begin(void)
{
	void *room;
	bool alone;
	int naps;

	for (naps = 0; cmpxchg(&pm_urcu_turn, PM_URCU_NOBODY, PM_URCU_TURN) !=
	     PM_URCU_NOBODY; naps++) {
		if (naps == PM_URCU_NAPS)
			return false;
		pm_host_nap();
	}
	if (!pm_urcu_reserve)
		pm_urcu_reserve = pm_urcu_map(PM_URCU_RESERVE);
	room = pm_urcu_map(PM_URCU_ROOM);
	if (!room)
		xchg(&pm_urcu_turn, PM_URCU_TIGHT);
	alone = pm_urcu_alone();
	if (room)
		munmap(room, PM_URCU_ROOM);
	else if (alone)
		alone = pm_urcu_use_reserve();
	if (!alone)
		xchg(&pm_urcu_turn, PM_URCU_NOBODY);
	return alone;
}

static void pm_urcu_end(void)
{
	if (!pm_urcu_reserve)
		pm_urcu_reserve = pm_urcu_map(PM_URCU_RESERVE);
	xchg(&pm_urcu_turn, PM_URCU_NOBODY);
}

/**
 * pm_urcu_restart() - in a forked child: nobody registers, nobody maps
 */
void pm_urcu_restart(void)
{
	pm_urcu_turn = PM_URCU_NOBODY;
	atomic_long_set(&pm_urcu_mappers, 0);
}

static bool pm_urcu_off;

/**
 * pm_urcu_forsake() - in a forked child: liburcu cannot be relied on
 *
 * Its locks may be another thread's, who is not here. Sections of threads that
 * are registered already take none. Nobody registers any more, or waits for
 * sections.
 */
void pm_urcu_forsake(void)
{
	pm_urcu_off = true;
}

/**
 * pm_urcu_works() - whether liburcu's locks can be taken
 */
bool pm_urcu_works(void)
{
	return !pm_urcu_off;
}

/**
 * pm_urcu_is_reader() - whether this thread is in a section, or is registering
 *
 * Context: any, a signal handler too.
 */
bool pm_urcu_is_reader(void)
{
	if (pm_tls.in_urcu)
		return true;
	return pm_tls.urcu_seen && URCU_TLS(urcu_bp_reader) &&
	       _urcu_bp_read_ongoing();
}

/**
 * pm_urcu_register() - enter a read-side section for the first time
 *
 * liburcu keeps its reader in thread-local storage that the C library may
 * have to allocate, and sets a thread-specific key, which may allocate too.
 * Either calls malloc, hence us, on the same thread: @in_urcu says so, and
 * the inner call does without a section. So does one for whose registration
 * there is no address space left.
 *
 * Return: 0 within a section, -1 when there is none.
 */
__cold int pm_urcu_register(void)
{
	int saved = errno;
	bool careful;

	if (pm_tls.in_urcu || pm_urcu_off)
		return -1;
	pm_tls.in_urcu = 1;
	if (!URCU_TLS(urcu_bp_reader)) {
		careful = pm_urcu_may_fail();
		if (careful && !pm_urcu_begin()) {
			pm_tls.in_urcu = 0;
			errno = saved;
			return -1;
		}
		urcu_bp_register();
		if (careful)
			pm_urcu_end();
	}
	pm_tls.in_urcu = 0;
	pm_tls.urcu_seen = 1;
	_urcu_bp_read_lock();
	errno = saved;
	return 0;
}
