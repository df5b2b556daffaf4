// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The mark's secret.
 */
#include "back/mark.h"

u64 pm_mark_secret __read_mostly;

/**
 * pm_mark_init() - choose the secret
 *
 * Context: once, at start, before the first slab is cut.
 */
void pm_mark_init(void)
{
	pm_mark_secret = pm_host_random() | 1;
}
