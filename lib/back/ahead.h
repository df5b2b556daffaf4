/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Pages ahead of their use: where it is sure that memory will be written, and
 * for callers who have the habit of using all that they ask for.
 */
#ifndef PM_AHEAD_H
#define PM_AHEAD_H

#include "platform.h"

void pm_ahead_sure(char *from, char *to);
void pm_ahead_habit(char *from, char *to);

#endif /* PM_AHEAD_H */
