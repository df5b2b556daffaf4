// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Spans: objects above the largest class of slabs and up to 1 MiB.
 *
 * The idea. A span is an extent with a class. As long as it has one it goes
 * from magazine to caller and back by its pointer, like an object of a slab, and
 * nobody takes the extent lock. Only when neither a magazine nor a depot has one
 * is it made of an extent, and only when neither has room does it become one
 * again, which merges with its free neighbours.
 *
 * The trick. The fast half of free() knows nothing of spans: the page map has
 * the class of the step that a span starts with, and nothing but the first byte
 * of that step is the start of an object. What follows in the unit is told as
 * inside of a large object, and what follows the unit as foreign, as it is with large
 * objects. A span that does not start where a step does, as may be where the
 * host aligns memory to pages only, says PM_CLASS_LARGE there, and free() finds
 * by its descriptor what it is.
 *
 * The descriptor is the owner record: a span belongs to no arena. Where it is
 * free, in a magazine, a depot or on the way between the two, it carries the
 * mark, and the page map leads to it until it is an extent again. Whoever takes
 * its entry out of the map makes it one: of two that do so at once, for a span that
 * was freed twice, one gets it.
 *
 * An extent has whole grains; what a class has less stays without pages, for it is
 * nobody's.
 *
 * What nobody had before has no pages and reads as zero, and the descriptor says so
 * until pm_span_hand_out(). One that was just made goes straight to who
 * asked for it, by that function; so what a magazine hands out, which does
 * not look at descriptors, had an owner before.
 */
#include "back/span.h"
#include "back/mark.h"
#include "back/pagemap.h"
#include "back/populate.h"
#include "base/misuse.h"

struct pm_span_counts pm_span_counts;

/* Bytes of the extent that a span of a class is. */
static size_t pm_span_extent_size(unsigned int class)
{
	return ALIGN(pm_classes[class].size, PM_EXTENT_GRAIN);
}

static void pm_span_count(unsigned int class, long objects)
{
	unsigned int i = class - PM_NR_SLAB_CLASSES;

	atomic_long_add(objects, &pm_span_counts.out[i]);
	atomic_long_add(objects, &pm_span_counts.objects);
	atomic_long_add(objects * (long)pm_classes[class].size,
			&pm_span_counts.bytes);
}

/* Say of the first step that a span of @class starts there. */
static void pm_span_set_class(void *obj, unsigned int class)
{
	if (IS_ALIGNED((unsigned long)obj, PM_STEP_SIZE))
		pm_pagemap_set_class(obj, 1, class);
}

/**
 * pm_span_make() - make a span of an extent
 * @class: class of spans
 * @gfp: context
 *
 * Context: may sleep; no lock held, for the host may be asked for memory.
 * Return: the span, marked, for pm_span_hand_out(); or NULL.
 */
void *pm_span_make(unsigned int class, gfp_t gfp)
{
	struct pm_extent *e;
	void *obj;

	e = pm_extent_get(pm_span_extent_size(class), PM_EXTENT_GRAIN, gfp);
	if (!e)
		return NULL;
	obj = pm_extent_addr(e);
	pm_extent_set_class(e, class);
	if (!pm_pagemap_add_large(e, obj, gfp)) {
		pm_extent_set_class(e, 0);
		pm_extent_put(e);
		return NULL;
	}
	pm_set_mark(obj);				/* mark A */
	/* After the mark: whoever finds the class finds it, too. */
	smp_wmb();
	pm_span_set_class(obj, class);
	atomic_long_inc(&pm_span_counts.taken[class - PM_NR_SLAB_CLASSES]);
	pm_span_count(class, 1);
	return obj;
}

/**
 * pm_span_find() - descriptor of a span
 * @ptr: address in a unit in which one may start
 * @class: its class
 *
 * Context: any.
 * Return: descriptor, or NULL when @ptr is not the start of a span of @class.
 */
struct pm_extent *pm_span_find(const void *ptr, unsigned int class)
{
	struct pm_extent *e = pm_pagemap_large(ptr);

	return e && pm_extent_addr(e) == ptr && pm_extent_class(e) == class ?
	       e : NULL;
}

/**
 * pm_span_put() - a span is an extent again
 * @obj: the span, which is nobody's
 * @class: its class
 *
 * Context: any. Never waits.
 * Return: false when it is one already: it was freed twice.
 */
bool pm_span_put(void *obj, unsigned int class)
{
	struct pm_extent *e = pm_span_find(obj, class);

	if (unlikely(!e) || unlikely(!pm_pagemap_take_large(e, obj)))
		return false;
	pm_span_count(class, -1);
	atomic_long_inc(&pm_span_counts.put);
	pm_extent_set_class(e, 0);
	pm_extent_put(e);
	return true;
}

/**
 * pm_span_put_all() - spans are extents again; one that is already is noted
 * @class: their class
 * @objs: the spans
 * @n: how many
 *
 * Context: any. Never waits.
 */
void pm_span_put_all(unsigned int class, void **objs, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (unlikely(!pm_span_put(objs[i], class)))
			pm_misuse_note(objs[i], class);
}

/**
 * pm_span_hand_out() - a span that no magazine had goes to a caller
 * @obj: the span, whose mark is spent
 * @size: bytes that were asked for
 * @written: of these, bytes that will be written at once
 * @gfp: context
 *
 * Pages for a span that has none yet are a matter of credit, but for what is sure
 * to be written.
 *
 * Context: no lock held.
 * Return: whether all of it reads as zero.
 */
bool pm_span_hand_out(void *obj, size_t size, size_t written, gfp_t gfp)
{
	struct pm_extent *e = pm_pagemap_large(obj);
	bool is_zero = pm_extent_is_zero(e);
	char *middle = (char *)obj + ALIGN_DOWN(written, PAGE_SIZE);
	char *end = (char *)obj + ALIGN(size, PAGE_SIZE);

	pm_extent_each_fresh(e, obj, middle, pm_populate);
	if (!(gfp & __GFP_ZERO))
		pm_extent_each_fresh(e, middle, end, pm_populate_on_credit);
	pm_extent_soil(e);
	return is_zero;
}

/**
 * pm_span_resize() - change the size of a span in place
 * @ptr: start of a live span, the caller's
 * @size: bytes wanted, more than PM_SMALL_MAX and at most PM_SPAN_MAX
 *
 * Context: may sleep.
 * Return: whether it is of the class that serves @size now.
 */
bool pm_span_resize(void *ptr, size_t size)
{
	unsigned int class = pm_class_of_span(size), old;
	struct pm_extent *e = pm_pagemap_large(ptr);
	char *end = pm_extent_end(e), *to = (char *)ptr + pm_span_extent_size(class);

	old = pm_extent_class(e);
	if (to < end && want_init_on_free())
		memset(to, 0, end - to);
	if (!pm_extent_resize(e, pm_span_extent_size(class),
			      pm_span_extent_size(class)))
		return false;
	pm_span_count(old, -1);
	pm_span_count(class, 1);
	pm_extent_set_class(e, class);
	pm_span_set_class(ptr, class);
	pm_extent_each_fresh(e, end, pm_extent_end(e), pm_populate_on_credit);
	if (pm_extent_end(e) > end && want_init_on_alloc(0))
		memset(end, 0, pm_extent_end(e) - end);
	pm_extent_soil(e);
	return true;
}

/**
 * pm_span_get_stats() - figures of one class of spans
 * @class: the class
 * @st: where to put them
 */
void pm_span_get_stats(unsigned int class, struct pm_span_stats *st)
{
	unsigned int i = class - PM_NR_SLAB_CLASSES;

	st->taken = atomic_long_read(&pm_span_counts.taken[i]);
	st->out = atomic_long_read(&pm_span_counts.out[i]);
}
