/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * How the allocator is built in a process: the PM_ constants of platform.h.
 */
#ifndef PM_WORDS_CONFIG_H
#define PM_WORDS_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#ifdef PM_NO_MARK
#define PM_MARK 0
#else
#define PM_MARK 1
#endif

#ifdef PM_DEBUG_BUILD
#define PM_DEBUG 1
#else
#define PM_DEBUG 0
#endif

#define PM_HEAP_SHIFT	22
#define PM_HEAP_ALIGN_SHIFT	PM_HEAP_SHIFT
#define PM_STEP_SHIFT	13
#define PM_ADDR_BASE	0UL
#define PM_ADDR_BITS	47
#define PM_HUGE_BYTES	(2UL << 20)
#define PM_LARGE_MAX	((size_t)PTRDIFF_MAX)
#define PM_CACHE_SLOTS	512
#define PM_EXTENT_GRAIN	(1UL << PM_STEP_SHIFT)
#define PM_CHUNK_CUTS	1
#define PM_CHUNK_MIN	(1UL << 20)
#define PM_CHUNK_MAX	(32UL << 20)
#define PAGE_SHIFT	12
#define PAGE_SIZE	(1UL << PAGE_SHIFT)

/* Data of ours that the compiler may reach without the offset table. */
#define __pm_local		__attribute__((visibility("hidden")))

#endif /* PM_WORDS_CONFIG_H */
