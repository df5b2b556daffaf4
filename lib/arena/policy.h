/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Policies that can be chosen.
 */
#ifndef PM_POLICY_H
#define PM_POLICY_H

#include "base/options.h"

/* The first is the default; one without a name ends the list. */
extern const struct pm_policy pm_policies[];

#endif /* PM_POLICY_H */
