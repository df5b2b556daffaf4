/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Limits of what is mapped.
 */
#ifndef PM_LIMIT_H
#define PM_LIMIT_H

#include "platform.h"

void pm_limit_set_ceiling(size_t ceiling);
size_t pm_limit_ceiling(void);
bool pm_limit_serve(size_t bytes);
void pm_limit_looked(size_t used);
bool pm_limit_take(size_t bytes);
void pm_limit_give(size_t bytes);
bool pm_limit_has_room(size_t bytes);
bool pm_limit_is_passed(void);
void pm_limit_purged(void);
size_t pm_limit_used(void);

#endif /* PM_LIMIT_H */
