/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Depots: in each arena, per class, a bounded stack of free objects that
 * magazines exchange batches with.
 *
 * Between a magazine and a depot objects move by copying pointers, many at a
 * time; nobody touches the objects, their slabs or their heaps. The slabs'
 * cost per object is paid only for what overflows a depot or for what it
 * lacks. The idea is Bonwick and Adams' ("Magazines and Vmem", 2001); SLUB's
 * barn and tcmalloc's transfer cache are relatives.
 *
 * How much a depot holds is a matter of memory more than of time.
 *
 * A batch goes to the depot of its first object's owner. Others in it may
 * belong elsewhere; that is found out when the depot gives them to slabs.
 */
#ifndef PM_DEPOT_H
#define PM_DEPOT_H

#include "platform.h"
#include "back/class.h"

#define PM_DEPOT_MAX_OBJECTS	512
#define PM_DEPOT_MAX_BYTES	(256UL << 10)	/* of one class */
#define PM_DEPOT_MAX_SPANS	32		/* see arena/spans.c */

/**
 * struct pm_depot - free objects of one class
 * @objs: the stack, NULL until it is needed
 * @nr: objects in it
 * @low: fewest since the last decay: those were not needed since
 *
 * Guarded by the arena's lock.
 */
struct pm_depot {
	void **objs;
	u32 nr;
	u32 low;
};

/**
 * pm_depot_nr() - objects in a depot
 * @depot: the depot
 */
static inline unsigned int pm_depot_nr(const struct pm_depot *depot)
{
	return READ_ONCE(depot->nr);
}

/**
 * pm_depot_objs() - the objects in a depot, to be looked at
 * @depot: the depot
 */
static inline void *const *pm_depot_objs(const struct pm_depot *depot)
{
	return depot->objs;
}

/**
 * pm_depot_unneeded() - objects that were not needed since the last decay
 * @depot: the depot
 */
static inline unsigned int pm_depot_unneeded(const struct pm_depot *depot)
{
	return depot->low;
}

/**
 * pm_depot_decayed() - begin to note the least that the depot holds until the next decay
 * @depot: the depot
 */
static inline void pm_depot_decayed(struct pm_depot *depot)
{
	depot->low = depot->nr;
}

unsigned int pm_depot_capacity(unsigned int class);
unsigned int pm_depot_put(struct pm_depot *depot, unsigned int class,
			  void **objs, unsigned int n);
unsigned int pm_depot_take(struct pm_depot *depot, void **objs,
			   unsigned int n);
unsigned int pm_depot_take_oldest(struct pm_depot *depot, void **objs,
				  unsigned int n);
void pm_depot_destroy(struct pm_depot *depot, unsigned int class);

#endif /* PM_DEPOT_H */
