/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What one arena has free in vain comes home when another one grows.
 */
#ifndef PM_HOME_H
#define PM_HOME_H

#include "platform.h"

struct pm_arena;

unsigned int pm_arenas_outgrown(void);
void pm_arenas_note_growth(const struct pm_arena *arena);
void pm_arenas_bring_home(void);

#endif /* PM_HOME_H */
