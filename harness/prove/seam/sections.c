// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The debug build knows who is in a read-side section: a walk of the arenas'
 * list by somebody who is in none and does not hold the registry ends the
 * process, and so does waiting for sections within one. And a thread that is
 * refused a section neither walks nor leaves anything where nobody will look.
 * Linked with the debug build's objects, for the library has no names for these.
 */
#include <pthread.h>
#include "tap.h"
#include "misuse/child.h"
#include "user.h"
#include "api/stats.h"
#include "arena/arena.h"
#include "arena/free_lock.h"
#include "arena/malloc_lock.h"
#include "arena/registry.h"
#include "back/heap.h"
#include "back/pagemap.h"
#include "pmalloc.h"

/* What the library's malloc.c answers in the library. */
const char *pm_host_options(void)
{
	return "arenas=2";
}

void pm_host_started(void)
{
	pm_fork_init();
}

enum { CLASS = 4, OBJS = 8 };

/* ---- a thread that is refused a section -------------------------------- */

static __thread bool refused;

int __real_pm_urcu_register(void);
int __wrap_pm_urcu_register(void);

/* A thread's first section registers it; this may fail. */
int __wrap_pm_urcu_register(void)
{
	return refused ? -1 : __real_pm_urcu_register();
}

static void *objs[OBJS];
static struct pm_arena *owner;

static void *without_section(void *arg)
{
	struct pm_class_figures fig;
	struct pm_arena_figures of_arena;
	int idx;

	refused = true;
	OK(!pm_srcu_read_trylock(&pm_srcu, &idx), "a section is refused");
	OK(!srcu_read_lock_held(&pm_srcu), "and is not held then");
	pm_class_figures(CLASS, &fig);
	OK(!fig.out, "a class's figures are not to be had without one");
	OK(pm_arena_figures(owner->id, &of_arena), "those of an arena are");
	pm_trim();
	OK(true, "trimming does not walk");
	return NULL;
}

/* The owner's lock is held by another thread. */
static void *free_without_section(void *arg)
{
	refused = true;
	pm_free_lock_batch(CLASS, objs, OBJS);
	return NULL;
}

static void run(void *(*fn)(void *arg))
{
	pthread_t thread;

	if (OK(!pthread_create(&thread, NULL, fn, NULL), "a thread is made"))
		pthread_join(thread, NULL);
}

static void check_refused(void)
{
	unsigned int n = __pm_malloc_lock(CLASS, objs, OBJS, GFP_KERNEL);
	struct pm_class_figures fig;
	u64 out;

	if (!OK(n == OBJS, "there are %d objects", OBJS))
		return;
	owner = pm_pagemap_heap(objs[0])->arena;
	run(without_section);
	pm_class_figures(CLASS, &fig);
	out = fig.out;
	pm_arena_lock_uncounted(owner);
	run(free_without_section);
	OK(llist_empty(&owner->inbox), "no batch is left in an inbox");
	OK(!llist_empty(&owner->remote), "the objects are left with their slab");
	pm_arena_unlock(owner);
	pm_class_figures(CLASS, &fig);
	OK(fig.out == out - OBJS, "and are free once the lock is");
}

/* ---- who walks, and who waits ------------------------------------------ */

static int walk(void *arg)
{
	struct pm_arena *arena;
	int n = 0;

	pm_for_each_arena(arena)
		n++;
	return n ? 0 : 1;
}

static int walk_in_section(void *arg)
{
	int idx, status;

	if (!pm_srcu_read_trylock(&pm_srcu, &idx))
		return 2;
	status = walk(arg);
	srcu_read_unlock(&pm_srcu, idx);
	return status;
}

static int walk_behind_section(void *arg)
{
	walk_in_section(arg);
	return walk(arg);
}

static int walk_registered(void *arg)
{
	int status;

	mutex_lock(&pm_registry);
	status = walk(arg);
	mutex_unlock(&pm_registry);
	return status;
}

static int wait_outside(void *arg)
{
	synchronize_srcu(&pm_srcu);
	return 0;
}

static int wait_in_section(void *arg)
{
	int idx;

	if (pm_srcu_read_trylock(&pm_srcu, &idx))
		synchronize_srcu(&pm_srcu);
	return 0;
}

static void *is_held(void *arg)
{
	return (void *)(unsigned long)srcu_read_lock_held(&pm_srcu);
}

static void *walk_elsewhere(void *arg)
{
	return (void *)(unsigned long)walk(arg);
}

/* The registry is held, and the section is, by another thread. */
static int walk_on_behalf(void *arg)
{
	pthread_t thread;
	int idx;

	if (!pm_srcu_read_trylock(&pm_srcu, &idx))
		return 2;
	mutex_lock(&pm_registry);
	if (!pthread_create(&thread, NULL, walk_elsewhere, NULL))
		pthread_join(thread, NULL);
	return 0;
}

static void check_held(void)
{
	int outer, inner;
	pthread_t thread;
	void *other = NULL;

	OK(!srcu_read_lock_held(&pm_srcu), "no section is held at first");
	if (!OK(pm_srcu_read_trylock(&pm_srcu, &outer), "one begins"))
		return;
	OK(srcu_read_lock_held(&pm_srcu), "it is held within it");
	if (OK(pm_srcu_read_trylock(&pm_srcu, &inner), "another within that"))
		srcu_read_unlock(&pm_srcu, inner);
	OK(srcu_read_lock_held(&pm_srcu), "and when an inner one has ended");
	if (!pthread_create(&thread, NULL, is_held, NULL))
		pthread_join(thread, &other);
	OK(!other, "and by no other thread");
	srcu_read_unlock(&pm_srcu, outer);
	OK(!srcu_read_lock_held(&pm_srcu), "and none behind its end");
}

static void expect(int (*fn)(void *arg), const char *says, const char *name)
{
	struct child child;

	child_run(&child, fn, NULL);
	OK(says ? child_aborted(&child, "pmalloc: bug at ") &&
		  child_said_a_line(&child) && strstr(child.said, says) :
		  WIFEXITED(child.status) && !WEXITSTATUS(child.status),
	   "%s", name);
	if (child.said[0])
		tap_diag("%.*s", (int)strcspn(child.said, "\n"), child.said);
}

int main(void)
{
	static const char list[] = "list walked outside of a section";
	static const char grace[] = "grace period waited for in a section";

	tap_begin();
	pm_free(pm_malloc(100));
	check_held();
	check_refused();
	expect(walk_in_section, NULL, "the list is walked in a section");
	expect(walk_registered, NULL, "or with the registry held");
	expect(walk, list, "in neither this is a bug");
	expect(walk_behind_section, list, "behind a section, too");
	expect(walk_on_behalf, list, "others' section and registry do not count");
	expect(wait_outside, NULL, "sections are waited for outside of one");
	expect(wait_in_section, grace, "in one this is a bug");
	return tap_end();
}
