/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What the files of the kernel host tell each other.
 */
#ifndef PM_KERNEL_HOST_H
#define PM_KERNEL_HOST_H

#include "platform.h"

/* pages.c */
void pm_pages_flush(void);
size_t pm_pages_mapped(void);

/* percpu.c */
void pm_percpu_reset(void);
int pm_hotplug_init(void);
void pm_hotplug_exit(void);

/* reclaim.c */
void pm_reclaim_init(void);
void pm_reclaim_exit(void);

/* shrinker.c */
int pm_shrinker_init(void);
void pm_shrinker_exit(void);

/* debugfs.c */
void pm_debugfs_init(void);
void pm_debugfs_exit(void);

#endif /* PM_KERNEL_HOST_H */
