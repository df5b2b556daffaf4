/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Pages ahead of their use, for who has the habit of using all he asks for.
 */
#ifndef PM_AHEAD_H
#define PM_AHEAD_H

#include "platform.h"

void pm_ahead_sure(char *from, char *to);
void pm_ahead_habit(char *from, char *to);

#endif /* PM_AHEAD_H */
