/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What the hosts call in the core, besides the public interface: the same
 * functions, with the name of the caller that a report is to show.
 */
#ifndef PM_CORE_H
#define PM_CORE_H

#include "platform.h"
#include "api/fast.h"

void *pm_alloc(size_t size, size_t align, gfp_t gfp);
void *pm_alloc_to_copy(size_t size, size_t written, gfp_t gfp);
void *pm_alloc_miss(size_t size, size_t align, gfp_t gfp, void *unmarked);
void pm_free_from(void *ptr, const char *who);
void pm_free_full(void *ptr, unsigned long class, const char *who);
void pm_free_slow(void *ptr, unsigned long class, const char *who);
void pm_free_sized_from(void *ptr, size_t size, bool aligned, const char *who);
void *pm_realloc_from(void *ptr, size_t size, const char *who);
/**
 * pm_free_named() - free an object, the fast half inline
 * @ptr: live object or NULL
 * @who: name of the caller, for a report of misuse
 */
static __always_inline void pm_free_named(void *ptr, const char *who)
{
	enum pm_free_result result;
	unsigned long class;

	result = pm_free_fast(ptr, &class);
	if (unlikely(result == PM_FREE_FULL))
		pm_free_full(ptr, class, who);
	else if (unlikely(result == PM_FREE_SLOW))
		pm_free_slow(ptr, class, who);
}

/**
 * pm_free_sized_named() - free an object whose class the caller knows
 * @ptr: live object or NULL
 * @size: bytes it was asked for with
 * @class: class that serves @size at the alignment it was asked for with; 0
 *	when none does
 * @aligned: it was asked for with an alignment, which can make it longer
 * @who: name of the caller, for a report of misuse
 *
 * The page map has to say the same. But from there on nothing waits for what
 * it says, as the branch is predicted: that takes the pointer, which may be
 * late, out of the chain from this free to the next malloc.
 */
static __always_inline void pm_free_sized_named(void *ptr, size_t size,
						unsigned long class,
						bool aligned, const char *who)
{
	enum pm_free_result result = PM_FREE_SLOW;

	/* Nothing is the start of an object of class 0. */
	if (likely(pm_pagemap_class(ptr) == class))
		result = pm_free_class_fast(ptr, class);
	if (unlikely(result == PM_FREE_FULL))
		pm_free_full(ptr, class, who);
	else if (unlikely(result == PM_FREE_SLOW))
		pm_free_sized_from(ptr, size, aligned, who);
}

size_t pm_usable_from(const void *ptr, const char *who);

#endif /* PM_CORE_H */
