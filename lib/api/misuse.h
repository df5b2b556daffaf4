/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Reports of misuse.
 */
#ifndef PM_API_MISUSE_H
#define PM_API_MISUSE_H

#include "base/misuse.h"

void pm_misuse(enum pm_fault fault, const char *who, const void *ptr,
	       size_t size, unsigned int class);
void pm_misuse_unmarked(void *obj, unsigned long class);
void pm_misuse_report_note(void);

/**
 * pm_misuse_report_noted() - report what was noted, if anything was
 *
 * Context: any, no lock held.
 */
static inline void pm_misuse_report_noted(void)
{
	if (pm_misuse_is_noted())
		pm_misuse_report_note();
}

#endif /* PM_API_MISUSE_H */
