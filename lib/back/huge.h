/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Whether heaps ask for huge pages, and why.
 */
#ifndef PM_HUGE_H
#define PM_HUGE_H

#include "platform.h"

/**
 * enum pm_huge_verdict - what is known of huge pages
 * @PM_HUGE_UNKNOWN: nobody has asked yet: no arena was large enough
 * @PM_HUGE_MEASURED_NOW: somebody is at it
 * @PM_HUGE_NONE: the host has none, or cannot be asked
 * @PM_HUGE_DEARER: they cost more than what they stand for, or not clearly less
 * @PM_HUGE_CHEAPER: they cost clearly less
 */
enum pm_huge_verdict {
	PM_HUGE_UNKNOWN,
	PM_HUGE_MEASURED_NOW,
	PM_HUGE_NONE,
	PM_HUGE_DEARER,
	PM_HUGE_CHEAPER,
};

bool pm_huge_pay(void);
enum pm_huge_verdict pm_huge_judge(const struct pm_huge_cost *cost);
enum pm_huge_verdict pm_huge_known(struct pm_huge_cost *cost);

#endif /* PM_HUGE_H */
