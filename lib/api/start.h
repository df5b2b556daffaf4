/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Start and end of the allocator.
 */
#ifndef PM_START_H
#define PM_START_H

#include "arena/registry.h"

bool pm_start(gfp_t gfp);
void pm_stop(void);

/**
 * pm_is_started() - whether the allocator has started
 *
 * Context: any.
 */
static inline bool pm_is_started(void)
{
	return pm_arena_ready();
}

#endif /* PM_START_H */
