/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Misuse: what a caller can do wrong, and a note of it where nothing can be
 * said.
 *
 * Two frees of an object at the same instant can both find it unmarked; then
 * it goes home twice, and the second time is found out in its slab, where a
 * lock is held and nothing can be said. One such object at a time is noted, and
 * reported by the next caller that holds no lock; the guilty one is long gone.
 */
#ifndef PM_MISUSE_H
#define PM_MISUSE_H

#include "platform.h"

/**
 * enum pm_fault - what is wrong with a pointer
 * @PM_FAULT_FOREIGN: not from this allocator, or its memory went back
 * @PM_FAULT_INTERIOR: inside an object of ours, not at its start
 * @PM_FAULT_DOUBLE_FREE: the object is free already
 * @PM_FAULT_SIZE: the object is not of the size that the caller named
 * @PM_FAULT_UNMARKED: an object that was to be handed out carries no mark
 * @PM_FAULT_OF_CACHE: an object of a cache came to a function for others
 * @PM_FAULT_CACHE: an object came to a cache that it is not of
 * @PM_FAULT_NO_CACHE: no cache, or one that was destroyed
 */
enum pm_fault {
	PM_FAULT_FOREIGN,
	PM_FAULT_INTERIOR,
	PM_FAULT_DOUBLE_FREE,
	PM_FAULT_SIZE,
	PM_FAULT_UNMARKED,
	PM_FAULT_OF_CACHE,
	PM_FAULT_CACHE,
	PM_FAULT_NO_CACHE,
};

/**
 * struct pm_misuse_note - an object that came home twice
 * @obj: the object, NULL when there is none [atomic]
 * @class: its class
 */
struct pm_misuse_note {
	void *obj;
	unsigned int class;
};

extern struct pm_misuse_note pm_misuse_noted;

/* How often misuse was found and the system went on. [atomic] */
extern atomic_long_t pm_misuse_count;

void pm_misuse_note(void *obj, unsigned int class);
void *pm_misuse_take_note(unsigned int *class);

/**
 * pm_misuse_is_noted() - whether there is something to report
 *
 * Context: any.
 */
static inline bool pm_misuse_is_noted(void)
{
	return unlikely(READ_ONCE(pm_misuse_noted.obj));
}

#endif /* PM_MISUSE_H */
