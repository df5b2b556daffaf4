// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * pmalloc: from a size to an object, and from a pointer back.
 *
 *	pm_malloc(n)	class of n -> this CPU's magazine
 *			empty: pm_mag_refill() -> __pm_malloc_lock()
 *	pm_free(p)	page map: class of p -> this CPU's magazine
 *			full: pm_mag_flush() -> pm_free_lock_batch()
 *
 * Everything above the largest class is a large object. The fast halves are
 * in fast.h, so that malloc() and free() have them inline. That of malloc() knows
 * the classes of slabs; those of spans are looked for here, in the same magazine.
 */
#include "pmalloc.h"
#include "api/core.h"
#include "api/misuse.h"
#include "arena/free_lock.h"
#include "back/heap.h"
#include "back/large.h"
#include "back/span.h"
#include "back/pagemap.h"
#include "front/magazine.h"
#include "base/limit.h"
#include "upkeep/trim.h"
#include "upkeep/verify.h"

/**
 * struct pm_ref - what a pointer refers to
 * @class: class of the object, PM_CLASS_LARGE or above for a large one
 * @index: which object of @slab
 * @heap: where it lies, unless it is large or a span
 * @slab: likewise
 * @large: descriptor of a span or a large object
 */
struct pm_ref {
	unsigned int class;
	unsigned int index;
	struct pm_heap *heap;
	struct pm_slab *slab;
	struct pm_extent *large;
};

/*
 * Find out what @ptr refers to; report it when it is not an object's start.
 * Whether the object is live is for the caller to find out.
 */
static bool pm_resolve(const void *ptr, struct pm_ref *ref, const char *who)
{
	ref->class = pm_pagemap_class(ptr);
	if (ref->class >= PM_CLASS_LARGE || pm_class_is_span(ref->class)) {
		ref->large = pm_large_find(ptr);
		if (likely(ref->large)) {
			ref->class = pm_extent_class(ref->large);
			if (!ref->class)
				ref->class = PM_CLASS_LARGE;
			return true;
		}
		pm_misuse(PM_FAULT_INTERIOR, who, ptr, 0, 0);
		return false;
	}
	if (unlikely(pm_class_is_cache(ref->class))) {
		pm_misuse(PM_FAULT_OF_CACHE, who, ptr, 0, 0);
		return false;
	}
	ref->heap = ref->class ? pm_pagemap_heap(ptr) : NULL;
	if (unlikely(!ref->heap)) {
		pm_misuse(PM_FAULT_FOREIGN, who, ptr, 0, 0);
		return false;
	}
	ref->slab = pm_heap_slab(ref->heap, ptr, ref->class);
	if (unlikely(!pm_slab_index(ref->slab, ptr, &ref->index))) {
		pm_misuse(PM_FAULT_INTERIOR, who, ptr, 0, 0);
		return false;
	}
	return true;
}

static size_t pm_ref_size(const struct pm_ref *ref)
{
	return ref->class >= PM_CLASS_LARGE ? pm_large_size(ref->large) :
					      pm_classes[ref->class].size;
}

/* Its pages are its own, however short it is. */
static bool pm_ref_is_charged(const struct pm_ref *ref)
{
	return ref->class >= PM_CLASS_LARGE && pm_extent_is_charged(ref->large);
}

/* pm_resolve(), and the object must be live as far as a look can tell. */
static bool pm_resolve_live(const void *ptr, struct pm_ref *ref,
			    const char *who)
{
	if (!pm_resolve(ptr, ref, who))
		return false;
	if (ref->class < PM_CLASS_LARGE &&
	    unlikely((!pm_class_is_span(ref->class) &&
		      pm_slab_object_is_free(ref->slab, ref->index)) ||
		     (pm_is_marked(ptr) && pm_is_free(ptr, ref->class)))) {
		pm_misuse(PM_FAULT_DOUBLE_FREE, who, ptr, 0, ref->class);
		return false;
	}
	return true;
}

/*
 * Class of an object that looks live at a glance: no descriptor is touched. 0 when
 * a closer look is called for.
 */
static unsigned long pm_class_at_a_glance(const void *ptr)
{
	unsigned long class = pm_pagemap_class(ptr);

	return likely(pm_class_is_start(class, ptr)) &&
	       likely(!pm_is_marked(ptr)) ? class : 0;
}

/* Past the magazine: under the arena's lock, or for its next holder; spans to the extents. */
static void pm_give_locked(void *ptr, unsigned int class, const char *who)
{
	struct pm_heap *heap;
	struct pm_slab *slab;
	unsigned int index;
	bool given;

	if (pm_class_is_span(class)) {
		given = pm_span_put(ptr, class);
	} else {
		heap = pm_pagemap_heap(ptr);
		slab = pm_heap_slab(heap, ptr, class);
		given = pm_slab_index(slab, ptr, &index) &&
			!__pm_free_lock(heap, slab, index);
	}
	if (unlikely(!given))
		pm_misuse(PM_FAULT_DOUBLE_FREE, who, ptr, 0, class);
}

/**
 * pm_free_full() - free an object for which the magazine has no room
 * @ptr: object, marked
 * @class: its class
 * @who: name of the caller, for a report of misuse
 *
 * Context: any.
 */
void pm_free_full(void *ptr, unsigned long class, const char *who)
{
	/* The magazine has room, and has it on top: freed a moment ago. */
	if (unlikely(pm_mag_is_on_top(class, ptr)) && pm_is_free(ptr, class)) {
		pm_misuse(PM_FAULT_DOUBLE_FREE, who, ptr, 0, class);
		return;
	}
	if (!pm_mag_flush(class, ptr))
		pm_give_locked(ptr, class, who);
	pm_misuse_report_noted();
}

/**
 * pm_free_slow() - free what does not look like a live object of a slab
 * @ptr: whatever was passed, NULL included
 * @class: page-map byte of @ptr
 * @who: name of the caller, for a report of misuse
 *
 * Context: any.
 */
void pm_free_slow(void *ptr, unsigned long class, const char *who)
{
	struct pm_ref ref;

	if (!ptr || !pm_resolve_live(ptr, &ref, who))
		return;
	if (ref.class < PM_CLASS_LARGE) {
		/* Marked by chance, or a span that starts within a step. */
		pm_obj_give(ptr, ref.class);			/* mark B */
		if (!pm_percpu_push(ref.class, ptr))		/* mark C */
			pm_free_full(ptr, ref.class, who);
	} else if (unlikely(!pm_large_free(ptr))) {
		pm_misuse(PM_FAULT_DOUBLE_FREE, who, ptr, 0, class);
	}
}

/**
 * pm_free_from() - free an object on behalf of a named function
 * @ptr: live object or NULL
 * @who: name of the caller, for a report of misuse
 *
 * Context: any.
 */
void pm_free_from(void *ptr, const char *who)
{
	pm_free_named(ptr, who);
}

/**
 * pm_free_sized_from() - free an object whose size the caller knows
 * @ptr: live object or NULL
 * @size: bytes it was asked for with
 * @aligned: it was asked for with an alignment, which can make it longer
 * @who: name of the caller, for a report of misuse
 *
 * An object that realloc() shrank in place is up to twice as long as its
 * size calls for; any other is of the size's own class.
 *
 * Context: any.
 */
void pm_free_sized_from(void *ptr, size_t size, bool aligned, const char *who)
{
	unsigned long class = pm_class_of_middle(size, 1);
	struct pm_ref ref;
	size_t usable;

	if (class && likely(pm_class_at_a_glance(ptr) == class)) {
		pm_free_from(ptr, who);
		return;
	}
	if (!ptr || !pm_resolve_live(ptr, &ref, who))
		return;
	usable = pm_ref_size(&ref);
	if (unlikely(size > usable ||
		     (!aligned && size < usable / 2 && !pm_ref_is_charged(&ref) &&
		      pm_class_of_small(size) != ref.class))) {
		pm_misuse(PM_FAULT_SIZE, who, ptr, size, ref.class);
		return;
	}
	pm_free_from(ptr, who);
}

/**
 * pm_usable_from() - usable size on behalf of a named function
 * @ptr: live object or NULL
 * @who: name of the caller, for a report of misuse
 *
 * Return: bytes, 0 for NULL.
 */
size_t pm_usable_from(const void *ptr, const char *who)
{
	unsigned long class = pm_class_at_a_glance(ptr);
	struct pm_ref ref;

	if (likely(class))
		return pm_classes[class].size;
	if (!ptr || !pm_resolve_live(ptr, &ref, who))
		return 0;
	return pm_ref_size(&ref);
}

/*
 * The object with another size, at another place only when its pages move there.
 * NULL when it is to be copied; then it is as before.
 */
static void *pm_realloc_uncopied(void *ptr, size_t old, size_t size)
{
	if (old <= PM_SMALL_MAX)
		return size <= old && size >= old / 2 ? ptr : NULL;
	if (size <= PM_SMALL_MAX)
		return NULL;
	if (size > old && unlikely(pm_limit_serve(size - old)))
		pm_trim_below_ceiling(size - old);
	if (!pm_extent_class(pm_large_find(ptr)))
		return pm_large_resize(ptr, size);
	if (size <= old && old - size <= old / 4)
		return ptr;
	return size <= PM_SPAN_MAX && pm_span_resize(ptr, size) ? ptr : NULL;
}

/* What a copy of a live object is asked for with. */
static gfp_t pm_gfp_of_copy(const void *ptr)
{
	struct pm_extent *e;

	if (!__GFP_ACCOUNT || pm_pagemap_class(ptr) < PM_CLASS_LARGE)
		return GFP_KERNEL;
	e = pm_large_find(ptr);
	return e && pm_extent_is_charged(e) ? GFP_KERNEL | __GFP_ACCOUNT : GFP_KERNEL;
}

/**
 * pm_realloc_from() - change an object's size on behalf of a named function
 * @ptr: live object
 * @size: bytes, not 0
 * @who: name of the caller, for a report of misuse
 *
 * An object of a slab stays where it is as long as it is at most twice as long as
 * @size calls for; what lies behind a longer one is taken in or given back. One that
 * somebody is charged for stays so, and the caller is charged for the copy.
 *
 * Context: may sleep.
 * Return: the object, or NULL when there is no memory; then it is as before.
 */
void *pm_realloc_from(void *ptr, size_t size, const char *who)
{
	size_t old = pm_usable_from(ptr, who);
	void *new;

	if (unlikely(!old))
		return NULL;
	new = pm_realloc_uncopied(ptr, old, size);
	if (new)
		return new;
	new = pm_alloc_to_copy(size, old < size ? old : 0, pm_gfp_of_copy(ptr));
	if (!new)
		return size <= old ? ptr : NULL;
	memcpy(new, ptr, old < size ? old : size);
	pm_free_from(ptr, who);
	return new;
}

void *pm_malloc(size_t size)
{
	void *obj, *unmarked;

	obj = pm_malloc_fast(size, &unmarked);
	return likely(obj) ? obj : pm_alloc_miss(size, 1, GFP_KERNEL, unmarked);
}
EXPORT_SYMBOL_GPL(pm_malloc);

void *pm_calloc(size_t n, size_t size)
{
	if (check_mul_overflow(n, size, &size))
		return NULL;
	return pm_alloc(size, 1, GFP_KERNEL | __GFP_ZERO);
}
EXPORT_SYMBOL_GPL(pm_calloc);

void *pm_aligned_alloc(size_t align, size_t size)
{
	if (!is_power_of_2(align))
		return NULL;
	return pm_alloc(size, align, GFP_KERNEL);
}
EXPORT_SYMBOL_GPL(pm_aligned_alloc);

void *pm_realloc(void *ptr, size_t size)
{
	if (!ptr)
		return pm_malloc(size);
	if (!size) {
		pm_free_from(ptr, "pm_realloc");
		return NULL;
	}
	return pm_realloc_from(ptr, size, "pm_realloc");
}
EXPORT_SYMBOL_GPL(pm_realloc);

void pm_free(void *ptr)
{
	pm_free_named(ptr, "pm_free");
}
EXPORT_SYMBOL_GPL(pm_free);

void pm_free_sized(void *ptr, size_t size)
{
	pm_free_sized_from(ptr, size, false, "pm_free_sized");
}
EXPORT_SYMBOL_GPL(pm_free_sized);

size_t pm_usable_size(const void *ptr)
{
	return pm_usable_from(ptr, "pm_usable_size");
}
EXPORT_SYMBOL_GPL(pm_usable_size);

void pm_free_lock(void *ptr)
{
	struct pm_ref ref;

	if (!ptr || !pm_resolve_live(ptr, &ref, "pm_free_lock"))
		return;
	if (ref.class >= PM_CLASS_LARGE) {
		pm_free_slow(ptr, ref.class, "pm_free_lock");
		return;
	}
	pm_obj_give(ptr, ref.class);
	pm_give_locked(ptr, ref.class, "pm_free_lock");
	pm_misuse_report_noted();
}
EXPORT_SYMBOL_GPL(pm_free_lock);
