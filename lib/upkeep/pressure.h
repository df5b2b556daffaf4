/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Giving back when others are short of memory.
 */
#ifndef PM_PRESSURE_H
#define PM_PRESSURE_H

#include "platform.h"

size_t pm_pressure_free(void);
size_t pm_pressure_give_back(size_t want, bool *busy);

#endif /* PM_PRESSURE_H */
