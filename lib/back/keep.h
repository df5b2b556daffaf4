/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * How much free memory is kept, and how fast it may go back to the host.
 */
#ifndef PM_KEEP_H
#define PM_KEEP_H

#include "platform.h"

void pm_keep_set_live(size_t live);
size_t pm_keep_bound(void);
size_t pm_keep_allow(size_t want);
void pm_keep_spend(size_t bytes);

#endif /* PM_KEEP_H */
