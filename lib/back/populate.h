/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Pages before their use: where it is sure that memory will be written, and on
 * credit for callers that used all of what they asked for.
 */
#ifndef PM_POPULATE_H
#define PM_POPULATE_H

#include "platform.h"

void pm_populate(char *from, char *to);
void pm_populate_on_credit(char *from, char *to);

#endif /* PM_POPULATE_H */
