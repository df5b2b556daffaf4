// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What tests order.
 */
#include "base/testing.h"

struct pm_inject pm_inject;
void (*pm_stop_hook)(enum pm_stop_point point);
