/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * pm_malloc_lock(): objects from an arena, under its lock.
 */
#ifndef PM_MALLOC_LOCK_H
#define PM_MALLOC_LOCK_H

#include "platform.h"

struct pm_arena;

unsigned int __pm_malloc_lock(unsigned int class, void **objs, unsigned int n,
			      gfp_t gfp);
bool pm_arena_is_near(const void *obj);
struct pm_arena *pm_arena_here(void);

#endif /* PM_MALLOC_LOCK_H */
