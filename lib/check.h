/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Looking for trouble: reports of misuse, and validators for debug builds.
 */
#ifndef PM_CHECK_H
#define PM_CHECK_H

#include "platform.h"

struct pm_arena;
struct pm_heap;
struct pm_slab;

/**
 * enum pm_fault - what is wrong with a pointer
 * @PM_FAULT_FOREIGN: not from this allocator, or its memory went back
 * @PM_FAULT_INTERIOR: inside an object of ours, not at its start
 * @PM_FAULT_DOUBLE_FREE: the object is free already
 * @PM_FAULT_SIZE: the object is not of the size that the caller named
 */
enum pm_fault {
	PM_FAULT_FOREIGN,
	PM_FAULT_INTERIOR,
	PM_FAULT_DOUBLE_FREE,
	PM_FAULT_SIZE,
};

void pm_misuse(enum pm_fault fault, const char *who, const void *ptr,
	       size_t size, unsigned int class);

const char *pm_slab_fault(const struct pm_slab *slab);
const char *pm_heap_fault(const struct pm_heap *heap);
const char *pm_arena_fault(const struct pm_arena *arena);
void pm_arena_check_failed(const struct pm_arena *arena, const char *fault);

/**
 * struct pm_inject - failures that a test orders
 * @heap_map: memory for a heap
 * @large_map: memory for a large object
 * @meta: memory for a descriptor of a heap, a large object or of the page map
 *
 * 0: nothing is ordered. N: from the Nth request on there is no memory. Looked
 * at only where the host would be asked for memory.
 */
struct pm_inject {
	unsigned int heap_map;
	unsigned int large_map;
	unsigned int meta;
};

extern struct pm_inject pm_inject;

/**
 * pm_inject_fails() - whether a request shall fail
 * @after: the member of pm_inject that it belongs to
 */
static inline bool pm_inject_fails(unsigned int *after)
{
	unsigned int n = READ_ONCE(*after);

	if (likely(!n))
		return false;
	if (n > 1)
		WRITE_ONCE(*after, n - 1);
	return n == 1;
}

/**
 * enum pm_point - places where a test may stop a thread
 * @PM_POINT_MALLOC_PICKED: an arena was picked, its lock not yet tried
 * @PM_POINT_FREE_OWNER: an object's owner was read, its lock not yet tried
 * @PM_POINT_REMOTE_BIT: a remote free is visible, its slab not yet queued
 * @PM_POINT_REMOTE_OWNER: the slab's owner was read, its list not yet written
 * @PM_POINT_COLLECT: a slab is off the remote list, its bits not yet collected
 */
enum pm_point {
	PM_POINT_MALLOC_PICKED,
	PM_POINT_FREE_OWNER,
	PM_POINT_REMOTE_BIT,
	PM_POINT_REMOTE_OWNER,
	PM_POINT_COLLECT,
};

extern void (*pm_point_hook)(enum pm_point point);

/**
 * pm_point() - a place at which an interleaving may lose something
 * @point: which one
 *
 * Tests of debug builds put one thread to sleep here and see what others can
 * do meanwhile. Other builds do nothing.
 */
static inline void pm_point(enum pm_point point)
{
	void (*hook)(enum pm_point point);

	if (!PM_DEBUG)
		return;
	hook = READ_ONCE(pm_point_hook);
	if (unlikely(hook))
		hook(point);
}

/**
 * pm_arena_check() - validate an arena in a debug build
 * @arena: the arena
 *
 * Context: arena lock held. Every sixteenth time the whole arena is walked;
 * other builds do nothing.
 */
static inline void pm_arena_check(struct pm_arena *arena)
{
	const char *fault;

	if (!PM_DEBUG)
		return;
	fault = pm_arena_fault(arena);
	if (unlikely(fault))
		pm_arena_check_failed(arena, fault);
}

#endif /* PM_CHECK_H */
