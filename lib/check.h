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
	       size_t size);

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
