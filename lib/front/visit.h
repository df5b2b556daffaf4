/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What is done now and then, by whoever comes along.
 */
#ifndef PM_VISIT_H
#define PM_VISIT_H

#include "front/magazine.h"

void pm_mag_come_by(const struct pm_magazine *mag);
void pm_mag_pass_by(const struct pm_magazine *mag);
void pm_mag_set_all_aside(void);
unsigned int pm_mag_reclaim(void);

#endif /* PM_VISIT_H */
