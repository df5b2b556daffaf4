/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What the files of the userspace host tell each other.
 */
#ifndef PM_USER_H
#define PM_USER_H

#include "platform.h"

void pm_pages_lock(void);
void pm_pages_unlock(bool child);
void pm_fork_init(void);
void pm_user_init(void);

#define PM_EXPORT __attribute__((visibility("default")))

#endif /* PM_USER_H */
