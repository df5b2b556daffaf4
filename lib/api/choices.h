/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What the library chose by itself, and why.
 */
#ifndef PM_CHOICES_H
#define PM_CHOICES_H

#include "api/stats.h"
#include "api/writer.h"

void pm_write_choices(struct pm_writer *w, enum pm_format format);

#endif /* PM_CHOICES_H */
