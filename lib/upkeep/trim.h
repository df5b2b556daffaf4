/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Giving back: of all arenas, all magazines, and the large objects.
 */
#ifndef PM_TRIM_H
#define PM_TRIM_H

#include "platform.h"

size_t pm_arena_trim_all(void);
size_t pm_trim_all(void);
void pm_trim_beyond_limit(void);
void pm_trim_below_ceiling(size_t bytes);
bool pm_trim_can_make_room(size_t size, size_t align);

#endif /* PM_TRIM_H */
