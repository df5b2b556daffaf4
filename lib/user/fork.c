// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * fork() in a threaded process.
 *
 * The child has the forking thread only. A lock that another thread held
 * would never be let go, and what it guarded might be half changed. So the
 * forking thread takes every lock, outermost first, and the child begins
 * with fresh ones. What is done without locks may be half done all the same:
 * the child puts that right (pm_arena_restart_all(), pm_batch_restart_all(),
 * pm_transit_forget()).
 *
 * Lost to the child is what other threads had in their hands: a batch of a
 * refill or a flush (128 objects at most), an object between free()'s mark
 * and its magazine, a large object on its way to the inbox, a mapping that
 * was just made. That is at most one of these per thread, and of the same
 * kind as the objects that those threads own and the child cannot know.
 *
 * liburcu's locks come behind the registry and before the arenas: a thread
 * that retires an arena waits for readers with the registry held, and a
 * reader may wait for an arena's lock. Taking arenas first would have the
 * reader wait for us, the retiring thread for the reader, and us for it.
 */
#include <pthread.h>
#include "user.h"
#include "arena/batch.h"
#include "arena/registry.h"
#include "back/extent.h"
#include "front/magazine.h"
#include "front/transit.h"
#include "upkeep/standstill.h"

static void pm_fork_prepare(void)
{
	mutex_lock(&pm_registry);
	pm_mag_lock_all();
	urcu_bp_before_fork();
	pm_arena_lock_all();
	pm_extents_lock_all();
	pm_batch_lock_all();
	pm_pages_lock();
}

static void pm_fork_parent(void)
{
	pm_pages_unlock(false);
	pm_batch_unlock_all();
	pm_extents_unlock_all(false);
	pm_arena_unlock_all();
	urcu_bp_after_fork_parent();
	pm_mag_unlock_all(false);
	mutex_unlock(&pm_registry);
}

static void pm_fork_child(void)
{
	pm_tls.tid = 0;
	pm_pages_unlock(true);
	pm_extents_unlock_all(true);
	pm_arena_restart_all();
	pm_batch_restart_all();
	pm_urcu_after_fork_child();
	pm_mag_unlock_all(true);
	mutex_init(&pm_registry);
	pm_transit_forget();
	pm_publish();
}

/**
 * pm_fork_init() - be called around fork()
 *
 * Registered before anybody else's handlers as far as possible: prepare
 * handlers run in reverse order, so others may still allocate in theirs.
 */
void pm_fork_init(void)
{
	pthread_atfork(pm_fork_prepare, pm_fork_parent, pm_fork_child);
}
