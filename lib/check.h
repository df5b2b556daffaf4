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
