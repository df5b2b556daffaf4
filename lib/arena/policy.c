// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Policies: which arena a thread uses.
 *
 * The back end is the same for all of them, so two runs that differ in the
 * policy differ in nothing else.
 *
 *   single	one arena, the lock of a textbook malloc
 *   thread	as glibc: threads are dealt arenas in turn and keep them, at most
 *		eight per CPU; a thread that finds its arena busy moves to the
 *		one that had room (ptmalloc's arena_get2)
 *   pool	as Scudo's shared pool: few arenas, at most one per CPU and at
 *		most four; a busy one is passed over and the thread moves
 *   cpu	the arena of the CPU that the thread runs on; a busy one is
 *		passed over just this once
 */
#include "arena/policy.h"

/* Numbers that threads are dealt before they begin again at 0. */
#define PM_POLICY_NUMBERS	(1U << 30)

static unsigned int pm_policy_next;

static unsigned int pm_one_arena(void)
{
	return 1;
}

static unsigned int pm_pick_first(void)
{
	return 0;
}

static unsigned int pm_thread_arenas(void)
{
	return 8 * pm_host_nr_cpus();
}

static unsigned int pm_pool_arenas(void)
{
	return min_t(unsigned int, pm_host_nr_cpus(), 4);
}

/* The thread's arena number is kept plus one; 0 means none yet. */
static unsigned int pm_pick_thread(void)
{
	unsigned int *number = pm_host_thread_slot();
	unsigned int next;

	if (unlikely(!*number)) {
		do {
			next = READ_ONCE(pm_policy_next);
		} while (cmpxchg(&pm_policy_next, next, next + 1) != next);
		*number = next % PM_POLICY_NUMBERS + 1;
	}
	return *number - 1;
}

static void pm_moved_thread(unsigned int id)
{
	*pm_host_thread_slot() = id + 1;
}

const struct pm_policy pm_policies[] = {
	{ "cpu", pm_host_nr_cpus, pm_host_cpu, NULL },
	{ "single", pm_one_arena, pm_pick_first, NULL },
	{ "thread", pm_thread_arenas, pm_pick_thread, pm_moved_thread },
	{ "pool", pm_pool_arenas, pm_pick_thread, pm_moved_thread },
	{ NULL, NULL, NULL, NULL },
};
