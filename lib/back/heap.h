/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Heaps: aligned regions of memory, cut into slabs.
 *
 *	 unit 0   1     2     3     4     5          nr_units
 *	+-----+-----+-----+-----+-----+-----+---   ---+
 *	|slab | slab of 2 |slab |  free     |   ...   |   memory of the host
 *	+-----+-----------+-----+-----------+---   ---+
 *	   |        |        |
 *	slab[0]  slab[1]  slab[3]                         descriptors
 *
 * The descriptors lie outside of the heap: what a caller writes beyond its
 * object can damage other objects but not what we believe.
 */
#ifndef PM_HEAP_H
#define PM_HEAP_H

#include "platform.h"
#include "back/class.h"
#include "back/slab.h"

#define PM_HEAP_SIZE		(1UL << PM_HEAP_SHIFT)
#define PM_HEAP_UNITS		(PM_HEAP_SIZE / PM_UNIT_SIZE)

struct pm_arena;

/**
 * struct pm_heap - descriptor of a heap
 * @arena: the owner; changes under the locks of the old and the new one, is
 *	read without a lock within an SRCU section and then checked again
 *	under the owner's lock
 * @base: first byte, set once
 * @nr_units: units that it has, set once
 * @nr_free: units that belong to no slab [arena lock]
 * @nr_dirty: free units that were written and not purged since [arena lock]
 * @remote_refs: remote frees on their way plus slabs on a remote list; the
 *	heap may not go while it is not 0
 * @node: place in pm_arena.heaps [arena lock]
 * @free: bitmap of free units [arena lock]
 * @dirty: bitmap of units to purge: those of @free that have pages [arena lock]
 * @marked: per step, class of the objects that were marked in it last; 0 while
 *	it has no pages as far as we know, which it shares with all steps that
 *	follow in its unit [arena lock]
 * @slab: descriptors, one per unit of which the first of each slab is used
 */
struct pm_heap {
	struct pm_arena *arena;
	char *base;
	u16 nr_units;
	u16 nr_free;
	u16 nr_dirty;
	atomic_long_t remote_refs;
	struct list_head node;
	unsigned long free[BITS_TO_LONGS(PM_HEAP_UNITS)];
	unsigned long dirty[BITS_TO_LONGS(PM_HEAP_UNITS)];
	u8 marked[PM_HEAP_UNITS * PM_UNIT_STEPS];
	struct pm_slab slab[] ____cacheline_aligned_in_smp;
};

struct pm_heap *pm_heap_create(struct pm_arena *arena, size_t least, gfp_t gfp);
void pm_heap_destroy(struct pm_heap *heap);
struct pm_slab *pm_heap_get_slab(struct pm_heap *heap, unsigned int class);
void pm_heap_put_slab(struct pm_heap *heap, struct pm_slab *slab);
size_t pm_heap_purge(struct pm_heap *heap);

/**
 * pm_heap_slab() - slab that an address lies in
 * @heap: heap of the address
 * @p: address in a unit that belongs to a slab
 * @class: class of that slab
 *
 * Slabs are aligned to their size, which the class tells.
 *
 * Return: the slab's descriptor.
 */
static inline struct pm_slab *pm_heap_slab(struct pm_heap *heap, const void *p,
					   unsigned int class)
{
	unsigned int unit = ((char *)p - heap->base) >> PM_UNIT_SHIFT;

	return &heap->slab[unit & ~(pm_classes[class].units - 1U)];
}

/**
 * pm_heap_marked() - which class the objects of a step were marked for
 * @heap: the heap
 * @step: first byte of the step
 */
static inline u8 *pm_heap_marked(struct pm_heap *heap, const char *step)
{
	return &heap->marked[(step - heap->base) >> PM_STEP_SHIFT];
}

/**
 * pm_heap_is_free() - whether no slab is left in a heap
 * @heap: the heap
 */
static inline bool pm_heap_is_free(const struct pm_heap *heap)
{
	return heap->nr_free == heap->nr_units;
}

#endif /* PM_HEAP_H */
