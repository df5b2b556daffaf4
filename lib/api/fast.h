/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The fast halves of malloc() and free(), for whoever has them inline.
 *
 * A hit touches the size classes, the page map, the magazine and the object,
 * and nothing else.
 */
#ifndef PM_FAST_H
#define PM_FAST_H

#include "back/class.h"
#include "back/mark.h"
#include "back/pagemap.h"
#include "front/magazine.h"

/**
 * pm_malloc_class_fast() - take an object of a class from this CPU's magazine
 * @class: class number
 * @unmarked: out: an object that was taken and carries no mark, for
 *	pm_alloc_miss(); NULL when there was none to take
 *
 * Return: the object, or NULL: then the slow path knows what to do.
 */
static __always_inline void *pm_malloc_class_fast(unsigned long class,
						  void **unmarked)
{
	void *obj = pm_percpu_pop(class);		/* mark D */

	*unmarked = obj;
	if (unlikely(!obj) || unlikely(!pm_obj_take(obj, class)))
		return NULL;
	pm_mag_count_hit();
	return obj;
}

/**
 * pm_malloc_fast() - take an object of a size from this CPU's magazine
 * @size: bytes
 * @unmarked: out: as for pm_malloc_class_fast()
 *
 * Return: the object, or NULL: then the slow path knows what to do.
 */
static __always_inline void *pm_malloc_fast(size_t size, void **unmarked)
{
	*unmarked = NULL;
	if (unlikely(size > PM_SMALL_MAX))
		return NULL;
	return pm_malloc_class_fast(pm_class_of(size), unmarked);
}

/**
 * pm_malloc_aligned_fast() - allocate from the magazine, at an alignment
 * @size: bytes
 * @align: power of two
 * @unmarked: out: as for pm_malloc_class_fast()
 *
 * Return: the object, or NULL: then the slow path knows what to do.
 */
static __always_inline void *pm_malloc_aligned_fast(size_t size, size_t align,
						    void **unmarked)
{
	unsigned long class = pm_class_of_aligned(size, align);

	*unmarked = NULL;
	return likely(class) ? pm_malloc_class_fast(class, unmarked) : NULL;
}

/**
 * pm_malloc_middle_fast() - take a span from this CPU's magazine
 * @size: bytes
 * @align: power of two
 * @unmarked: out: as for pm_malloc_class_fast(); unchanged when no class of spans
 *	serves both
 *
 * For who has found that no class of slabs does.
 *
 * Return: the span, or NULL: then the slow path knows what to do.
 */
static __always_inline void *pm_malloc_middle_fast(size_t size, size_t align,
						   void **unmarked)
{
	unsigned long class = pm_class_of_middle(size, align);

	return likely(class) ? pm_malloc_class_fast(class, unmarked) : NULL;
}

/**
 * enum pm_free_result - how far pm_free_fast() got
 * @PM_FREE_DONE: the object is in the magazine
 * @PM_FREE_FULL: it is marked, and the magazine has no room or has it on top
 * @PM_FREE_SLOW: not the start of an object in a slab
 */
enum pm_free_result { PM_FREE_DONE, PM_FREE_FULL, PM_FREE_SLOW };

/**
 * pm_free_class_fast() - put an object of a class into this CPU's magazine
 * @ptr: address whose page-map byte is @class
 * @class: page-map byte, or class number
 *
 * Return: how far it got.
 */
static __always_inline enum pm_free_result
pm_free_class_fast(void *ptr, unsigned long class)
{
	if (unlikely(!pm_class_is_start(class, ptr)))
		return PM_FREE_SLOW;
	pm_obj_give(ptr, class);			/* mark B */
	if (unlikely(!pm_percpu_push(class, ptr)))	/* mark C */
		return PM_FREE_FULL;
	pm_mag_count_hit();
	return PM_FREE_DONE;
}

/**
 * pm_free_fast() - put an object into this CPU's magazine
 * @ptr: whatever a caller frees
 * @class: out: page-map byte of @ptr
 *
 * Return: how far it got.
 */
static __always_inline enum pm_free_result
pm_free_fast(void *ptr, unsigned long *class)
{
	*class = pm_pagemap_class(ptr);
	return pm_free_class_fast(ptr, *class);
}

#endif /* PM_FAST_H */
