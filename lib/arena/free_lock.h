/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * pm_free_lock(): objects go back to their arena, under its lock or past it.
 */
#ifndef PM_FREE_LOCK_H
#define PM_FREE_LOCK_H

#include "back/slab.h"

struct pm_heap;

enum pm_slab_fault __pm_free_lock(struct pm_heap *heap, struct pm_slab *slab,
				  unsigned int index);
void pm_free_lock_batch(unsigned int class, void **objs, unsigned int n);

#endif /* PM_FREE_LOCK_H */
