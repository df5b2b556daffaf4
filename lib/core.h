/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What the hosts call in the core, besides the public interface: the same
 * functions, on behalf of a caller whose name a report shall have.
 */
#ifndef PM_CORE_H
#define PM_CORE_H

#include "platform.h"

void *pm_alloc(size_t size, size_t align, gfp_t gfp);
void pm_free_from(void *ptr, const char *who);
void pm_free_sized_from(void *ptr, size_t size, bool aligned, const char *who);
void *pm_realloc_from(void *ptr, size_t size, const char *who);
size_t pm_usable_from(const void *ptr, const char *who);

#endif /* PM_CORE_H */
