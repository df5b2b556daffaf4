// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Slabs: objects are taken from and put into bitmaps.
 *
 * An object is in one of three states:
 *
 *	free bit   remote bit
 *	    1          0	in the slab
 *	    0          0	out: a caller, a magazine or a depot has it
 *	    0          1	freed by somebody who did not get the lock
 *
 * Both bits are never set, unless an object is freed twice at the same
 * moment: pm_slab_collect() clears one before it sets the other, under the
 * lock.
 *
 * Stores to @free are marked, because pm_slab_put_remote() looks at it
 * without the lock.
 */
#include "back/slab.h"
#include "back/ahead.h"
#include "back/heap.h"
#include "arena/arena.h"
#include "base/check.h"
#include "front/magazine.h"
#include "back/pagemap.h"

/**
 * pm_slab_init() - begin a slab
 * @slab: descriptor; @queued, @remote and @remote_node keep their values,
 *	for a remote free of the slab's former life may still be on its way
 * @heap: where it lies
 * @base: its first byte
 * @class: class of its objects
 */
void pm_slab_init(struct pm_slab *slab, struct pm_heap *heap, char *base,
		  unsigned int class)
{
	unsigned int n = pm_classes[class].capacity;
	unsigned int w;

	/*
	 * What it was already, if there was a slab before: a descriptor is a
	 * place's. Whoever queues a slab's former life may be reading it.
	 */
	WRITE_ONCE(slab->heap, heap);
	slab->base = base;
	slab->class = class;
	slab->nr_free = n;
	slab->hint = 0;
	slab->opened = 0;
	for (w = 0; w < PM_SLAB_WORDS; w++, n -= min_t(unsigned int, n,
						       BITS_PER_LONG))
		WRITE_ONCE(slab->free[w],
			   n >= BITS_PER_LONG ? ~0UL : (1UL << n) - 1);
}

/* Objects that start in the opened steps: they are marked. */
static unsigned int pm_slab_nr_marked(const struct pm_slab *slab)
{
	const struct pm_class *class = &pm_classes[slab->class];

	return min_t(unsigned int, class->capacity,
		     DIV_ROUND_UP(slab->opened * PM_STEP_SIZE, class->size));
}

/* Objects that end in them, too: they may be handed out. */
static unsigned int pm_slab_nr_opened(const struct pm_slab *slab)
{
	const struct pm_class *class = &pm_classes[slab->class];

	if (likely(slab->opened == class->units * PM_UNIT_STEPS))
		return class->capacity;
	return slab->opened * PM_STEP_SIZE / class->size;
}

static void pm_slab_mark(struct pm_slab *slab, unsigned int from,
			 unsigned int to)
{
	size_t size = pm_classes[slab->class].size;
	char *obj = slab->base + from * size;

	for (; from < to; from++, obj += size)
		pm_set_mark(obj);
}

/* Whether a unit of objects is out: then the class is one of those in use. */
static bool pm_slab_is_common(const struct pm_slab *slab)
{
	return slab->heap->arena->nr_out[slab->class] *
	       pm_classes[slab->class].size >= PM_UNIT_SIZE;
}

/* Let the objects of the next step be handed out. */
static void pm_slab_open_step(struct pm_slab *slab)
{
	char *step = slab->base + slab->opened * PM_STEP_SIZE;
	u8 *marked = pm_heap_marked(slab->heap, step);
	unsigned int first = pm_slab_nr_marked(slab);

	slab->opened++;
	if (*marked != slab->class)
		pm_slab_mark(slab, first, pm_slab_nr_marked(slab));
	*marked = slab->class;
	/* After the marks: whoever finds the class finds them, too. */
	smp_wmb();
	pm_pagemap_set_class(step, 1, slab->class);
}

/**
 * pm_slab_open() - let more objects be handed out
 * @slab: slab that has steps to open
 *
 * Every free object carries the mark, those that were never handed out, too:
 * else a program could free one of them by mistake, or one of the memory's
 * former life, and it would pass for live and be in a magazine as well as in
 * its slab. Marking touches pages. So it is done step by step as objects are
 * needed, and a step that is not open has no class in the page map: what is
 * freed there is refused as foreign. Where a slab of the same class was
 * before, and its pages have not gone, all objects came home marked.
 *
 * A class that is hardly used is opened by a step, for most programs have a
 * few objects of many sizes; one that is used to the end of the unit, for
 * pages that come together cost less.
 *
 * Context: arena lock held.
 */
void pm_slab_open(struct pm_slab *slab)
{
	unsigned int steps = PM_UNIT_STEPS - slab->opened % PM_UNIT_STEPS;
	char *from = slab->base + slab->opened * PM_STEP_SIZE;

	lockdep_assert_held(&slab->heap->arena->lock);
	/* Steps are opened in order: behind one without pages none has any. */
	if (!pm_slab_is_common(slab))
		steps = 1;
	else if (!*pm_heap_marked(slab->heap, from))
		pm_ahead_sure(from, from + steps * PM_STEP_SIZE);
	while (steps--)
		pm_slab_open_step(slab);
}

/**
 * pm_slab_take() - take objects out of a slab
 * @slab: the slab
 * @objs: where the objects go
 * @n: how many are wanted
 *
 * Lowest addresses first, so that memory which was never used stays so.
 *
 * Context: arena lock held.
 * Return: how many were taken: the smaller of @n and what is free.
 */
unsigned int pm_slab_take(struct pm_slab *slab, void **objs, unsigned int n)
{
	unsigned int size = pm_classes[slab->class].size;
	unsigned int taken = 0, w = slab->hint;
	unsigned long bits;
	char *word;

	lockdep_assert_held(&slab->heap->arena->lock);
	if (n > slab->nr_free)
		n = slab->nr_free;
	while (slab->nr_free < n + pm_slab_capacity(slab) -
			       pm_slab_nr_opened(slab))
		pm_slab_open(slab);
	while (taken < n) {
		bits = slab->free[w];
		word = slab->base + (size_t)w * BITS_PER_LONG * size;
		for (; bits && taken < n; bits &= bits - 1)
			objs[taken++] = word + __ffs(bits) * size;
		WRITE_ONCE(slab->free[w], bits);
		if (!bits)
			w++;
	}
	slab->hint = min_t(unsigned int, w, PM_SLAB_WORDS - 1);
	slab->nr_free -= n;
	return n;
}

/* Set an object's bit; false when it is free already. */
static __always_inline bool pm_slab_set_free(struct pm_slab *slab,
					     unsigned int index)
{
	unsigned int w = index / BITS_PER_LONG;
	unsigned long bit = 1UL << (index % BITS_PER_LONG);

	if (unlikely((slab->free[w] | READ_ONCE(slab->remote[w])) & bit))
		return false;
	WRITE_ONCE(slab->free[w], slab->free[w] | bit);
	if (w < slab->hint)
		slab->hint = w;
	return true;
}

/**
 * pm_slab_put() - put an object back
 * @slab: the slab
 * @index: which object
 *
 * Context: arena lock held.
 * Return: PM_SLAB_OK, or what is wrong; then nothing was changed.
 */
enum pm_slab_fault pm_slab_put(struct pm_slab *slab, unsigned int index)
{
	lockdep_assert_held(&slab->heap->arena->lock);
	if (unlikely(!pm_slab_set_free(slab, index)))
		return PM_SLAB_DOUBLE_FREE;
	slab->nr_free++;
	return PM_SLAB_OK;
}

/**
 * pm_slab_put_run() - put the first objects of an array that lie in a slab
 * @slab: the slab
 * @objs: objects, the first one in @slab
 * @n: how many
 * @put: out: how many came back; those that were free already, or are no
 *	objects of the slab, did not, and are noted
 *
 * Context: arena lock held.
 * Return: how many of @objs lie in @slab before one that does not.
 */
unsigned int pm_slab_put_run(struct pm_slab *slab, void **objs, unsigned int n,
			     unsigned int *put)
{
	const struct pm_class *class = &pm_classes[slab->class];
	size_t bytes = class->units * PM_UNIT_SIZE, offset;
	char *base = slab->base;
	unsigned int i, index;

	lockdep_assert_held(&slab->heap->arena->lock);
	*put = 0;
	for (i = 0; i < n; i++) {
		offset = (char *)objs[i] - base;
		if (offset >= bytes)
			break;
		index = (u64)offset * class->recip >> 32;
		if (likely(index * class->size == offset) &&
		    likely(index < class->capacity) &&
		    likely(pm_slab_set_free(slab, index)))
			(*put)++;
		else
			pm_misuse_note(objs[i], slab->class);
	}
	slab->nr_free += *put;
	return i;
}

/**
 * pm_slab_put_remote() - put an object back without the arena's lock
 * @slab: the slab
 * @index: which object
 *
 * The atomic OR decides between two that free the same object. It is also
 * the store that publishes the object to pm_slab_collect().
 *
 * Context: any. The caller holds a reference in pm_heap.remote_refs.
 * Return: PM_SLAB_OK, or what is wrong; then nothing was changed.
 */
enum pm_slab_fault pm_slab_put_remote(struct pm_slab *slab, unsigned int index)
{
	if (unlikely(test_bit(index, slab->free)))
		return PM_SLAB_DOUBLE_FREE;
	if (unlikely(test_and_set_bit(index, slab->remote)))
		return PM_SLAB_DOUBLE_FREE;
	return PM_SLAB_OK;
}

/**
 * pm_slab_collect() - take in the objects that were freed without the lock
 * @slab: the slab
 *
 * An object that two threads free at the same moment, one with the lock and
 * one without, can have both bits: each looked before the other wrote. It
 * came back once, counts once, and is noted.
 *
 * Context: arena lock held.
 * Return: how many came in.
 */
unsigned int pm_slab_collect(struct pm_slab *slab)
{
	unsigned int words = BITS_TO_LONGS(pm_slab_capacity(slab));
	unsigned int w, n = 0;
	unsigned long bits, twice;

	lockdep_assert_held(&slab->heap->arena->lock);
	for (w = 0; w < words; w++) {
		if (!READ_ONCE(slab->remote[w]))
			continue;
		bits = xchg(&slab->remote[w], 0);
		twice = bits & slab->free[w];
		if (unlikely(twice))
			pm_misuse_note(pm_slab_object(slab, w * BITS_PER_LONG +
							    __ffs(twice)),
				       slab->class);
		bits &= ~twice;
		WRITE_ONCE(slab->free[w], slab->free[w] | bits);
		n += hweight_long(bits);
		if (w < slab->hint)
			slab->hint = w;
	}
	slab->nr_free += n;
	return n;
}
