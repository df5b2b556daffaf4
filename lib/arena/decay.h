/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Decay of all arenas, by whoever comes along.
 */
#ifndef PM_DECAY_H
#define PM_DECAY_H

#include "platform.h"

struct pm_arena;

size_t pm_arenas_kept_beside(const struct pm_arena *but);
size_t pm_arenas_kept(void);
size_t pm_arenas_used(void);
unsigned long pm_arenas_freed(void);
void pm_arenas_note_freed(void);
struct pm_arena *pm_arena_try_enter(unsigned int id);
void pm_arenas_decay(void);
void pm_arenas_look(void);

#endif /* PM_DECAY_H */
