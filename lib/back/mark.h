/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The mark: the secret word that tells a free object from a live one.
 *
 * A free object's second word is a secret mixed with its address, from the
 * moment on in which its slab is cut. pm_free() that finds it looks closer;
 * pm_malloc() wipes it. It is only compared, never followed, so a program that
 * writes to freed memory can hide a double free from us but lead us nowhere.
 */
#ifndef PM_MARK_H
#define PM_MARK_H

#include "platform.h"
#include "back/class.h"

/* Secret of this process or boot; 0 until the allocator has started. */
extern u64 pm_mark_secret __pm_local;

static __always_inline u64 pm_mark(const void *obj)
{
	return pm_mark_secret ^ (unsigned long)obj;
}

static __always_inline bool pm_is_marked(const void *obj)
{
	return PM_MARK && ((const u64 *)obj)[1] == pm_mark(obj);
}

static __always_inline void pm_set_mark(void *obj)
{
	if (PM_MARK)
		((u64 *)obj)[1] = pm_mark(obj);
}

static __always_inline void pm_wipe_mark(void *obj)
{
	if (PM_MARK)
		((u64 *)obj)[1] = 0;
}

/* @obj leaves the free ones: what we or others wrote to it goes. */
static __always_inline void pm_obj_take(void *obj, unsigned long class)
{
	if (want_init_on_alloc(0))
		memset(obj, 0, pm_classes[class].size);
	else
		pm_wipe_mark(obj);
}

/* @obj joins them. */
static __always_inline void pm_obj_give(void *obj, unsigned long class)
{
	if (want_init_on_free())
		memset(obj, 0, pm_classes[class].size);
	pm_set_mark(obj);
}

void pm_mark_init(void);

#endif /* PM_MARK_H */
