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
#include "back/mark.h"
#include "base/misuse.h"

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

static void pm_slab_mark(struct pm_slab *slab, unsigned int from,
			 unsigned int to)
{
	const struct pm_class *class = &pm_classes[slab->class];
	char *obj = slab->base + from * (size_t)class->size;

	for (; from < to; from++, obj += class->size)
		pm_set_fresh(obj, class->fresh);
}

/**
 * pm_slab_open_step() - let the objects of the next step be handed out
 * @slab: slab that has a step to open
 * @is_marked: the step's objects carry their marks already
 *
 * Context: the owner's lock is held.
 */
void pm_slab_open_step(struct pm_slab *slab, bool is_marked)
{
	unsigned int first = pm_slab_nr_marked(slab);

	slab->opened++;
	if (!is_marked)
		pm_slab_mark(slab, first, pm_slab_nr_marked(slab)); /* mark A */
}

/**
 * pm_slab_take() - take objects out of a slab
 * @slab: the slab
 * @objs: where the objects go
 * @n: how many are wanted
 *
 * Lowest addresses first, so that memory which was never used stays so.
 *
 * Context: the owner's lock is held.
 * Return: how many were taken: the smaller of @n and pm_slab_nr_ready().
 */
unsigned int pm_slab_take(struct pm_slab *slab, void **objs, unsigned int n)
{
	unsigned int size = pm_classes[slab->class].size;
	unsigned int taken = 0, w = slab->hint;
	unsigned long bits;
	char *word;

	if (n > pm_slab_nr_ready(slab))
		n = pm_slab_nr_ready(slab);
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
 * Context: the owner's lock is held.
 * Return: PM_SLAB_OK, or what is wrong; then nothing was changed.
 */
enum pm_slab_fault pm_slab_put(struct pm_slab *slab, unsigned int index)
{
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
 * Context: the owner's lock is held.
 * Return: how many of @objs lie in @slab before one that does not.
 */
unsigned int pm_slab_put_run(struct pm_slab *slab, void **objs, unsigned int n,
			     unsigned int *put)
{
	const struct pm_class *class = &pm_classes[slab->class];
	size_t bytes = class->units * PM_UNIT_SIZE, offset;
	char *base = slab->base;
	unsigned int i, index;

	*put = 0;
	for (i = 0; i < n; i++) {
		offset = (char *)objs[i] - base;
		if (offset >= bytes)
			break;
		index = (u64)offset * class->recip >> 32;
		if (likely(index * class->size == offset) &&
		    likely(index < class->capacity) &&
		    likely(pm_slab_set_free(slab, index)))	/* mark I */
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
 * Context: the owner's lock is held.
 * Return: how many came in.
 */
unsigned int pm_slab_collect(struct pm_slab *slab)
{
	unsigned int words = BITS_TO_LONGS(pm_slab_capacity(slab));
	unsigned int w, n = 0;
	unsigned long bits, twice;

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

/**
 * pm_slab_restart() - begin again in the child of a fork()
 * @slab: descriptor; whatever it is of
 *
 * Remote frees that are visible by their bit are to be queued, the others
 * never happened.
 *
 * Context: the child's one thread.
 * Return: whether there is a bit: then it says that it is queued.
 */
bool pm_slab_restart(struct pm_slab *slab)
{
	unsigned int w;

	for (w = 0; w < PM_SLAB_WORDS && !slab->remote[w]; w++)
		;
	slab->queued = w < PM_SLAB_WORDS;
	return slab->queued;
}

/**
 * pm_slab_object_is_free() - whether a bitmap says that an object is free
 * @slab: the slab
 * @index: which object
 *
 * Context: any. Without the owner's lock the answer may be of the past.
 */
bool pm_slab_object_is_free(const struct pm_slab *slab, unsigned int index)
{
	return test_bit(index, slab->free) || test_bit(index, slab->remote);
}
