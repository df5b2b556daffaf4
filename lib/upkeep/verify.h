/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A standstill, to find out whether an object is free.
 */
#ifndef PM_VERIFY_H
#define PM_VERIFY_H

#include "platform.h"

bool pm_is_free(const void *ptr, unsigned int class);
bool pm_has_copy(const void *ptr, unsigned int class);

#endif /* PM_VERIFY_H */
