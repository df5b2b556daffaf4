/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Which CPUs have a magazine, and how one is taken from a CPU or set aside.
 */
#ifndef PM_DRAIN_H
#define PM_DRAIN_H

#include "front/magazine.h"

struct pm_magazine *pm_mag_at(unsigned int index);
struct pm_magazine *pm_mag_here(gfp_t gfp);
void pm_mag_come_by(const struct pm_magazine *mag);
void pm_mag_set_all_aside(void);

#endif /* PM_DRAIN_H */
