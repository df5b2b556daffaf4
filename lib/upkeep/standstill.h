/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Standing still for fork(): all arenas at once.
 */
#ifndef PM_STANDSTILL_H
#define PM_STANDSTILL_H

#include "platform.h"

void pm_arena_lock_all(void);
void pm_arena_unlock_all(void);
void pm_arena_restart_all(bool inside);

#endif /* PM_STANDSTILL_H */
