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
#include "back/resident.h"
#include "back/slab.h"

#define PM_HEAP_SIZE		(1UL << PM_HEAP_SHIFT)
#define PM_HEAP_UNITS		(PM_HEAP_SIZE / PM_UNIT_SIZE)

struct pm_arena;

/**
 * struct pm_heap - descriptor of a heap
 * @arena: the owner, which a heap knows by name only; changes under the locks
 *	of the old and the new one, is read without a lock within an SRCU
 *	section and then checked again under the owner's lock
 * @lock: the owner's lock, changes along with @arena
 * @base: first byte, set once
 * @nr_units: units that it has, set once
 * @nr_free: units that belong to no slab [arena lock]
 * @nr_dirty: free units that were written and not purged since [arena lock]
 * @huge: it asked for huge pages and has given none back [arena lock]
 * @remote_refs: remote frees on their way plus slabs on a remote list; the
 *	heap may not go while it is not 0
 * @node: place in pm_arena.heaps [arena lock]
 * @free: bitmap of free units [arena lock]
 * @dirty: bitmap of units to purge: those of @free that have pages [arena lock]
 * @marked: per step, class of the objects that were marked in it last, 255 if it has
 *	pages all the same; 0 while
 *	it has no pages as far as we know, which it shares with all steps that
 *	follow in its unit [arena lock]
 * @slab: descriptors, one per unit of which the first of each slab is used
 */
struct pm_heap {
	struct pm_arena *arena;
	struct mutex *lock;
	char *base;
	u16 nr_units;
	u16 nr_free;
	u16 nr_dirty;
	bool huge;
	atomic_long_t remote_refs;
	struct list_head node;
	unsigned long free[BITS_TO_LONGS(PM_HEAP_UNITS)];
	unsigned long dirty[BITS_TO_LONGS(PM_HEAP_UNITS)];
	u8 marked[PM_HEAP_UNITS * PM_UNIT_STEPS];
	struct pm_slab slab[] ____cacheline_aligned_in_smp;
};

/**
 * enum pm_class_use - how much of a class is in use
 * @PM_CLASS_RARE: hardly any of its objects are out
 * @PM_CLASS_COMMON: a unit of them is
 * @PM_CLASS_BUSY: so much that a unit more does not matter
 */
enum pm_class_use { PM_CLASS_RARE, PM_CLASS_COMMON, PM_CLASS_BUSY };

struct pm_heap *pm_heap_create(struct pm_arena *arena, struct mutex *lock,
			       size_t least, bool huge, gfp_t gfp);
void pm_heap_destroy(struct pm_heap *heap);
struct pm_slab *pm_heap_get_slab(struct pm_heap *heap, unsigned int class,
				 enum pm_class_use use);
void pm_heap_put_slab(struct pm_heap *heap, struct pm_slab *slab);
void pm_heap_open_slab(struct pm_slab *slab, enum pm_class_use use);
unsigned int pm_heap_take(struct pm_slab *slab, void **objs, unsigned int n,
			  enum pm_class_use use);
size_t pm_heap_purge(struct pm_heap *heap, size_t most);
void pm_heap_resident(struct pm_heap *heap, struct pm_resident *sum);

/**
 * pm_heap_owner() - arena that a heap belongs to
 * @heap: the heap
 *
 * Context: any. Without the owner's lock the answer may be of the past.
 */
static inline struct pm_arena *pm_heap_owner(const struct pm_heap *heap)
{
	return READ_ONCE(heap->arena);
}

/**
 * pm_heap_set_owner() - let a heap belong to another arena
 * @heap: the heap
 * @arena: its new owner
 * @lock: that one's lock
 *
 * Context: both owners' locks are held.
 */
static inline void pm_heap_set_owner(struct pm_heap *heap,
				     struct pm_arena *arena, struct mutex *lock)
{
	lockdep_assert_held(heap->lock);
	lockdep_assert_held(lock);
	WRITE_ONCE(heap->arena, arena);
	heap->lock = lock;
}

/**
 * pm_heap_bytes() - size of a heap
 * @heap: the heap
 */
static inline size_t pm_heap_bytes(const struct pm_heap *heap)
{
	return heap->nr_units * PM_UNIT_SIZE;
}

/**
 * pm_heap_contains() - whether an address lies in a heap
 * @heap: the heap
 * @p: any address
 */
static inline bool pm_heap_contains(const struct pm_heap *heap, const void *p)
{
	return (size_t)((const char *)p - heap->base) < pm_heap_bytes(heap);
}

/**
 * pm_heap_nr_dirty() - units that can be purged
 * @heap: the heap
 */
static inline unsigned int pm_heap_nr_dirty(const struct pm_heap *heap)
{
	return heap->nr_dirty;
}

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
 * pm_heap_is_free() - whether no slab is left in a heap
 * @heap: the heap
 */
static inline bool pm_heap_is_free(const struct pm_heap *heap)
{
	return heap->nr_free == heap->nr_units;
}

/**
 * pm_heap_has_refs() - whether remote frees are on their way
 * @heap: the heap
 *
 * Context: the owner's lock is held.
 */
static inline bool pm_heap_has_refs(const struct pm_heap *heap)
{
	return atomic_long_read(&heap->remote_refs);
}

/**
 * pm_heap_may_go() - whether a heap can go back to the host
 * @heap: the heap
 *
 * Context: the owner's lock is held.
 * Return: true without slabs and without remote frees on their way.
 */
static inline bool pm_heap_may_go(const struct pm_heap *heap)
{
	return pm_heap_is_free(heap) && !pm_heap_has_refs(heap); /* remote I */
}

/**
 * pm_heap_ref() - a remote free of an object in a heap begins
 * @heap: the heap, which cannot go until pm_heap_unref()
 *
 * A full barrier: what follows is not seen before.
 *
 * Context: any; an object of the heap is the caller's.
 */
static inline void pm_heap_ref(struct pm_heap *heap)
{
	(void)atomic_long_inc_return(&heap->remote_refs);
}

/**
 * pm_heap_unref() - it has ended
 * @heap: the heap, which may be gone on return
 *
 * A full barrier: what came before is seen by who finds the heap free to go.
 *
 * Context: any.
 */
static inline void pm_heap_unref(struct pm_heap *heap)
{
	(void)atomic_long_dec_return(&heap->remote_refs);
}

/**
 * pm_heap_set_refs() - say how many slabs of a heap are on a remote list
 * @heap: the heap
 * @refs: how many
 *
 * Context: nobody else uses the heap.
 */
static inline void pm_heap_set_refs(struct pm_heap *heap, long refs)
{
	atomic_long_set(&heap->remote_refs, refs);
}

/**
 * pm_heap_slab_at() - descriptor of a unit
 * @heap: the heap
 * @unit: number of the unit
 *
 * Return: descriptor, which is of a slab when one begins there; NULL behind
 * the last unit.
 */
static inline struct pm_slab *pm_heap_slab_at(struct pm_heap *heap,
					      unsigned int unit)
{
	return unit < heap->nr_units ? &heap->slab[unit] : NULL;
}

/**
 * pm_heap_abandon() - forget all slabs of a heap, so that it can go
 * @heap: the heap
 *
 * Context: nobody uses its objects any more.
 */
static inline void pm_heap_abandon(struct pm_heap *heap)
{
	heap->nr_free = heap->nr_units;
	pm_heap_set_refs(heap, 0);
}

#endif /* PM_HEAP_H */
