// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Reports of misuse: one line that says what is wrong, where, and of which
 * arena and class the object is.
 */
#include "api/cache.h"
#include "api/misuse.h"
#include "api/start.h"
#include "arena/arena.h"
#include "back/heap.h"
#include "back/large.h"
#include "back/pagemap.h"
#include "base/options.h"
#include "upkeep/verify.h"

static int pm_describe_class(char *buf, size_t size, unsigned int class)
{
	struct pm_cache_id id;

	if (pm_cache_identify(class, &id))
		return scnprintf(buf, size,
				 "object of cache \"%s\" (%zu bytes, class %u)",
				 id.name, id.size, class);
	return scnprintf(buf, size, "object of %u bytes (class %u)",
			 pm_classes[class].size, class);
}

static int pm_describe_object(char *buf, size_t size, const void *ptr,
			      unsigned int class,
			      const struct pm_slab **slabp,
			      unsigned int *index, const void **span)
{
	const struct pm_slab *slab;
	struct pm_heap *heap;
	int n;

	if (pm_class_is_span(class)) {
		const struct pm_extent *e = pm_pagemap_large(ptr);

		/* The end of another may lie in front of it, in its unit. */
		if (e && pm_extent_addr(e) <= (void *)ptr)
			*span = pm_extent_addr(e);
		return scnprintf(buf, size,
				 "object of %u bytes (class %u) in arena -",
				 pm_classes[class].size, class);
	}
	if (class >= PM_CLASS_LARGE) {
		const struct pm_extent *large = pm_large_find(ptr);

		return scnprintf(buf, size, "object of %zu bytes (large) in arena -",
				 large ? pm_large_size(large) : 0);
	}
	if (!class)
		return scnprintf(buf, size, "no object");
	n = pm_describe_class(buf, size, class);
	heap = pm_pagemap_heap(ptr);
	/* Its last object came home twice, and the heap went back. */
	if (!heap)
		return n + scnprintf(buf + n, size - n, " in arena -");
	slab = pm_heap_slab(heap, ptr, class);
	pm_slab_index(slab, ptr, index);
	*slabp = slab;
	return n + scnprintf(buf + n, size - n, " in arena %u",
			     pm_arena_id(pm_heap_owner(heap)));
}

/* Where the caller's part of an object begins that has @addr in it. */
static unsigned long pm_object_start(const struct pm_slab *slab,
				     unsigned int index, unsigned long addr)
{
	unsigned long slot = (unsigned long)pm_slab_object(slab, index);
	struct pm_cache_id id;

	if (!pm_cache_identify(pm_slab_class(slab), &id))
		return slot;
	return slot + id.offset <= addr ? slot + id.offset : slot;
}

/* What of caches is wrong. */
static void pm_describe_cache_fault(char *line, size_t size,
				    enum pm_fault fault, const char *who,
				    unsigned long addr, unsigned int of,
				    const char *object)
{
	struct pm_cache_id id = { .name = "-" };

	pm_cache_identify(of, &id);
	if (fault == PM_FAULT_OF_CACHE)
		scnprintf(line, size,
			  "pmalloc: %s(0x%lx): only pm_cache_free() may have it: %s",
			  who, addr, object);
	else if (fault == PM_FAULT_CACHE)
		scnprintf(line, size,
			  "pmalloc: %s(0x%lx): not of cache \"%s\": %s",
			  who, addr, id.name, object);
	else
		scnprintf(line, size,
			  "pmalloc: %s(0x%lx): no cache, or it was destroyed",
			  who, addr);
}

/*
 * Class of an address; of one in the unit in which a span starts the span's.
 */
static unsigned int pm_misuse_class(const void *ptr)
{
	unsigned int class = pm_pagemap_class(ptr);
	const struct pm_extent *e;

	if (class != PM_CLASS_LARGE)
		return class;
	e = pm_pagemap_large(ptr);
	return e && pm_extent_class(e) ? pm_extent_class(e) : class;
}

/* A process may begin with a bad free(), before the options were read. */
static enum pm_misuse_mode pm_misuse_mode(void)
{
	if (unlikely(!pm_is_started()) && pm_context_may_lock())
		pm_start(GFP_KERNEL);
	return pm_options.misuse;
}

/* The line of a report. @start: where the object begins, 0 when there is none. */
static void pm_describe_fault(char *line, size_t len, enum pm_fault fault,
			      const char *who, unsigned long addr, size_t size,
			      const char *object, unsigned long start)
{
	switch (fault) {
	case PM_FAULT_FOREIGN:
		scnprintf(line, len,
			  "pmalloc: %s(0x%lx): not a pmalloc object (foreign pointer, or freed and its memory given back)",
			  who, addr);
		break;
	case PM_FAULT_INTERIOR:
		if (start)
			scnprintf(line, len,
				  "pmalloc: %s(0x%lx): inside an %s, %lu bytes after its start 0x%lx",
				  who, addr, object,
				  addr - start, start);
		else
			scnprintf(line, len,
				  "pmalloc: %s(0x%lx): not a pmalloc object (inside the first pages of a large object, arena -)",
				  who, addr);
		break;
	case PM_FAULT_DOUBLE_FREE:
		scnprintf(line, len,
			  "pmalloc: %s(0x%lx): double free: %s",
			  who, addr, object);
		break;
	case PM_FAULT_SIZE:
		scnprintf(line, len,
			  "pmalloc: %s(0x%lx, %zu): wrong size: %s",
			  who, addr, size, object);
		break;
	case PM_FAULT_UNMARKED:
		scnprintf(line, len,
			  "pmalloc: %s: 0x%lx was written to after it was freed, or freed twice: %s",
			  who, addr, object);
		break;
	default:
		pm_describe_cache_fault(line, len, fault, who, addr, size,
					object);
	}
}

/**
 * pm_misuse() - report bad input
 * @fault: what is wrong
 * @who: function that was called
 * @ptr: pointer that it was given
 * @size: size that it was given, for PM_FAULT_SIZE; class of the cache, for
 *	PM_FAULT_CACHE
 * @class: class of the object, 0 to look it up. A caller that looked before
 *	knows more: looking for the object may have emptied its slab. If that is a
 *	cache, @ptr is the object's slot.
 *
 * Context: any, no lock held.
 * Return: only where the host lets the system live on.
 */
__cold void pm_misuse(enum pm_fault fault, const char *who, const void *ptr,
		      size_t size, unsigned int class)
{
	unsigned long addr = (unsigned long)ptr;
	char object[128], line[256];
	const struct pm_slab *slab = NULL;
	const void *span = NULL;
	struct pm_cache_id id;
	unsigned int index = 0;

	atomic_long_inc(&pm_misuse_count);
	if (pm_misuse_mode() == PM_MISUSE_IGNORE)
		return;
	pm_describe_object(object, sizeof(object), ptr,
			   class ? class : pm_misuse_class(ptr), &slab,
			   &index, &span);
	if (pm_cache_identify(class, &id))
		addr += id.offset;
	pm_describe_fault(line, sizeof(line), fault, who, addr, size, object,
			  slab ? pm_object_start(slab, index, addr) :
				 (unsigned long)span);
	if (pm_options.misuse == PM_MISUSE_ABORT)
		pm_host_misuse(line);
	else
		pm_host_say(line);
}

/**
 * pm_misuse_unmarked() - an object that was to be handed out carries no mark
 * @obj: the object, on no list, which nobody gets any more
 * @class: its class
 *
 * It was freed twice, or written to after it was freed. When another copy of it
 * is found among the free objects it is the former. Else nobody can tell: the
 * other copy may have been handed out.
 *
 * Context: any, no lock held.
 */
__cold void pm_misuse_unmarked(void *obj, unsigned long class)
{
	bool of_cache = pm_class_is_cache(class);

	if (pm_has_copy(obj, class))
		pm_misuse(PM_FAULT_DOUBLE_FREE,
			  of_cache ? "pm_cache_free" : "free", obj, 0, class);
	else
		pm_misuse(PM_FAULT_UNMARKED,
			  of_cache ? "pm_cache_alloc" : "malloc", obj, 0,
			  class);
}

/**
 * pm_misuse_report_note() - report what was noted with a lock held
 *
 * Context: any, no lock held.
 */
__cold void pm_misuse_report_note(void)
{
	unsigned int class;
	void *obj = pm_misuse_take_note(&class);

	if (obj)
		pm_misuse(PM_FAULT_DOUBLE_FREE,
			  pm_class_is_cache(class) ? "pm_cache_free" : "free",
			  obj, 0, class);
}
