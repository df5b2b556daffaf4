/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * How much one CPU and one arena may cache, of what the process may.
 */
#ifndef PM_SHARE_H
#define PM_SHARE_H

#include "platform.h"

void pm_share_set_live(size_t live);
void pm_share_set_magazines(unsigned int n);
void pm_share_set_arenas(unsigned int n);
size_t pm_share_of_magazine(void);
size_t pm_share_of_depots(void);

#endif /* PM_SHARE_H */
