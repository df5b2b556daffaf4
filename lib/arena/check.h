/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Validators, for debug builds and tests.
 */
#ifndef PM_CHECK_H
#define PM_CHECK_H

#include "platform.h"

struct pm_arena;
struct pm_heap;
struct pm_slab;

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
