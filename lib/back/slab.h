/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Slabs: runs of units that hold objects of one class.
 *
 * Which objects are free is said by a bitmap outside of the objects, so that
 * nothing a caller writes after free can lead us astray. A second bitmap,
 * written with atomic operations, holds the objects that came home while the
 * arena's lock was busy.
 */
#ifndef PM_SLAB_H
#define PM_SLAB_H

#include "platform.h"
#include "back/class.h"

struct pm_heap;

#define PM_SLAB_WORDS	BITS_TO_LONGS(PM_SLAB_MAX_OBJECTS)

/**
 * struct pm_slab - descriptor of a slab
 * @node: place in pm_arena.partial while some but not all are free [arena
 *	lock]
 * @remote_node: place in the arena's remote list while @queued
 * @heap: where it lies, set once for good
 * @base: first object [arena lock; read by owners of objects]
 * @nr_free: bits in @free [arena lock]
 * @hint: no bit is set in @free below this word [arena lock]
 * @class: its class [arena lock; read by owners of objects]
 * @opened: steps whose objects may have been handed out [arena lock]
 * @queued: on a remote list, or about to be
 * @free: bitmap of free objects [arena lock]
 * @remote: bitmap of objects freed without the lock [atomic]
 */
struct pm_slab {
	struct list_head node;
	struct llist_node remote_node;
	struct pm_heap *heap;
	char *base;
	u16 nr_free;
	u8 hint;
	u8 class;
	u8 opened;
	u32 queued;
	unsigned long free[PM_SLAB_WORDS];
	unsigned long remote[PM_SLAB_WORDS];
};

/**
 * enum pm_slab_fault - what is wrong with a pointer that came to be freed
 * @PM_SLAB_OK: nothing
 * @PM_SLAB_DOUBLE_FREE: the object is free already
 */
enum pm_slab_fault {
	PM_SLAB_OK,
	PM_SLAB_DOUBLE_FREE,
};

void pm_slab_init(struct pm_slab *slab, struct pm_heap *heap, char *base,
		  unsigned int class);
void pm_slab_open_step(struct pm_slab *slab, bool is_marked);
unsigned int pm_slab_take(struct pm_slab *slab, void **objs, unsigned int n);
enum pm_slab_fault pm_slab_put(struct pm_slab *slab, unsigned int index);
unsigned int pm_slab_put_run(struct pm_slab *slab, void **objs, unsigned int n,
			     unsigned int *put);
enum pm_slab_fault pm_slab_put_remote(struct pm_slab *slab,
				      unsigned int index);
unsigned int pm_slab_collect(struct pm_slab *slab);
bool pm_slab_restart(struct pm_slab *slab);
bool pm_slab_object_is_free(const struct pm_slab *slab, unsigned int index);

/**
 * pm_slab_class() - class of a slab's objects
 * @slab: the slab
 */
static inline unsigned int pm_slab_class(const struct pm_slab *slab)
{
	return slab->class;
}

/**
 * pm_slab_heap() - heap that a slab lies in
 * @slab: the slab
 *
 * Context: any: it is set once for good.
 */
static inline struct pm_heap *pm_slab_heap(const struct pm_slab *slab)
{
	return READ_ONCE(slab->heap);
}

/**
 * pm_slab_nr_free() - objects of a slab that are free
 * @slab: the slab
 */
static inline unsigned int pm_slab_nr_free(const struct pm_slab *slab)
{
	return slab->nr_free;
}

/**
 * pm_slab_capacity() - objects that a slab has
 * @slab: the slab
 */
static inline unsigned int pm_slab_capacity(const struct pm_slab *slab)
{
	return pm_classes[slab->class].capacity;
}

/**
 * pm_slab_is_open() - whether all objects of a slab may be handed out
 * @slab: the slab
 */
static inline bool pm_slab_is_open(const struct pm_slab *slab)
{
	return slab->opened == pm_classes[slab->class].units * PM_UNIT_STEPS;
}

/**
 * pm_slab_next_step() - first byte of the step that is opened next
 * @slab: slab that is not open
 */
static inline char *pm_slab_next_step(const struct pm_slab *slab)
{
	return slab->base + slab->opened * PM_STEP_SIZE;
}

/**
 * pm_slab_steps_left() - steps to open up to the end of the unit
 * @slab: slab that is not open
 */
static inline unsigned int pm_slab_steps_left(const struct pm_slab *slab)
{
	return PM_UNIT_STEPS - slab->opened % PM_UNIT_STEPS;
}

/**
 * pm_slab_nr_ready() - free objects that may be handed out now
 * @slab: the slab
 *
 * An object may be when it ends in a step that was opened.
 */
static inline unsigned int pm_slab_nr_ready(const struct pm_slab *slab)
{
	const struct pm_class *class = &pm_classes[slab->class];

	if (likely(pm_slab_is_open(slab)))
		return slab->nr_free;
	return slab->nr_free - class->capacity +
	       slab->opened * PM_STEP_SIZE / class->size;
}

/**
 * pm_slab_set_queued() - say that a slab is on a remote list
 * @slab: the slab
 *
 * A full barrier: the object's remote bit is set before @queued is read. It
 * pairs with pm_slab_clear_queued().
 *
 * Context: any.
 * Return: whether it was said already: then somebody else puts it there.
 */
static inline bool pm_slab_set_queued(struct pm_slab *slab)
{
	return xchg(&slab->queued, 1);
}

/**
 * pm_slab_clear_queued() - say that it is on none any more
 * @slab: the slab
 *
 * A full barrier: @queued is cleared before the remote bits are collected. It
 * pairs with pm_slab_set_queued().
 *
 * Context: the owner's lock is held.
 */
static inline void pm_slab_clear_queued(struct pm_slab *slab)
{
	(void)xchg(&slab->queued, 0);
}

/**
 * pm_slab_is_free() - whether all objects of a slab are free
 * @slab: the slab
 */
static inline bool pm_slab_is_free(const struct pm_slab *slab)
{
	return slab->nr_free == pm_slab_capacity(slab);
}

/**
 * pm_slab_bytes() - size of a slab
 * @slab: the slab
 */
static inline size_t pm_slab_bytes(const struct pm_slab *slab)
{
	return pm_classes[slab->class].units * PM_UNIT_SIZE;
}

/**
 * pm_slab_wipe_state() - clear a slab whose free objects had a constructor's state
 * @slab: slab with all objects free, on no list
 *
 * Where the host's init_on_free asks for it: other objects were cleared one by one when
 * they were freed, and these kept what their next user was to find.
 *
 * Context: arena lock held.
 */
static inline void pm_slab_wipe_state(struct pm_slab *slab)
{
	if (want_init_on_free() && pm_classes[slab->class].fresh)
		memset(slab->base, 0, pm_slab_bytes(slab));
}

/**
 * pm_slab_object() - address of an object
 * @slab: the slab
 * @index: which object
 */
static inline void *pm_slab_object(const struct pm_slab *slab,
				   unsigned int index)
{
	return slab->base + (size_t)index * pm_classes[slab->class].size;
}

/**
 * pm_slab_index() - which object a pointer is
 * @slab: slab that it lies in
 * @p: address in the slab
 * @index: out: the object that @p is or lies in
 *
 * Return: whether @p is the start of an object.
 */
static inline bool pm_slab_index(const struct pm_slab *slab, const void *p,
				 unsigned int *index)
{
	*index = pm_class_index(slab->class, (char *)p - slab->base);
	return *index < pm_slab_capacity(slab) &&
	       pm_slab_object(slab, *index) == p;
}

#endif /* PM_SLAB_H */
