/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Which CPUs have a magazine, and how one is taken from a CPU.
 */
#ifndef PM_DRAIN_H
#define PM_DRAIN_H

#include "front/magazine.h"

struct pm_magazine *pm_mag_at(unsigned int index);
struct pm_magazine *pm_mag_here(gfp_t gfp);
bool pm_mag_drain_locked(unsigned int index);
bool pm_mag_trylock_all(void);

#endif /* PM_DRAIN_H */
