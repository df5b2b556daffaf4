// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What tests order.
 */
#include "base/testing.h"

struct pm_inject pm_inject;
void (*pm_point_hook)(enum pm_point point);
