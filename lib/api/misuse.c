// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Reports of misuse: one line that says what is wrong, where, and of which
 * arena and class the object is.
 */
#include "api/misuse.h"
#include "api/start.h"
#include "arena/arena.h"
#include "back/heap.h"
#include "back/large.h"
#include "back/pagemap.h"
#include "base/options.h"
#include "upkeep/verify.h"

static int pm_describe_object(char *buf, size_t size, const void *ptr,
			      unsigned int class,
			      const struct pm_slab **slabp,
			      unsigned int *index)
{
	const struct pm_slab *slab;
	struct pm_heap *heap;

	if (class >= PM_CLASS_LARGE) {
		const struct pm_extent *large = pm_large_find(ptr);

		return scnprintf(buf, size, "object of %zu bytes (large) in arena -",
				 large ? pm_large_size(large) : 0);
	}
	if (!class)
		return scnprintf(buf, size, "no object");
	heap = pm_pagemap_heap(ptr);
	/* Its last object came home twice, and the heap went back. */
	if (!heap)
		return scnprintf(buf, size,
				 "object of %u bytes (class %u) in arena -",
				 pm_classes[class].size, class);
	slab = pm_heap_slab(heap, ptr, class);
	pm_slab_index(slab, ptr, index);
	*slabp = slab;
	return scnprintf(buf, size, "object of %u bytes (class %u) in arena %u",
			 pm_classes[class].size, class,
			 pm_arena_id(pm_heap_owner(heap)));
}

/* A process may begin with a bad free(), before the options were read. */
static enum pm_misuse_mode pm_misuse_mode(void)
{
	if (unlikely(!pm_is_started()) && pm_context_may_lock())
		pm_start(GFP_KERNEL);
	return pm_options.misuse;
}

/**
 * pm_misuse() - report bad input
 * @fault: what is wrong
 * @who: function that was called
 * @ptr: pointer that it was given
 * @size: size that it was given, for PM_FAULT_SIZE
 * @class: class of the object, 0 to look it up. A caller that looked before
 *	knows more: looking for the object may have emptied its slab.
 *
 * Context: any, no lock held.
 * Return: only where the host lets the system live on.
 */
__cold void pm_misuse(enum pm_fault fault, const char *who, const void *ptr,
		      size_t size, unsigned int class)
{
	const struct pm_slab *slab = NULL;
	unsigned long addr = (unsigned long)ptr;
	char object[80], line[256];
	unsigned int index = 0;

	atomic_long_inc(&pm_misuse_count);
	if (pm_misuse_mode() == PM_MISUSE_IGNORE)
		return;
	pm_describe_object(object, sizeof(object), ptr,
			   class ? class : pm_pagemap_class(ptr), &slab,
			   &index);
	switch (fault) {
	case PM_FAULT_FOREIGN:
		scnprintf(line, sizeof(line),
			  "pmalloc: %s(0x%lx): not a pmalloc object (foreign pointer, or freed and its memory given back)",
			  who, addr);
		break;
	case PM_FAULT_INTERIOR:
		if (slab)
			scnprintf(line, sizeof(line),
				  "pmalloc: %s(0x%lx): inside an %s, %lu bytes after its start 0x%lx",
				  who, addr, object,
				  addr - (unsigned long)pm_slab_object(slab, index),
				  (unsigned long)pm_slab_object(slab, index));
		else
			scnprintf(line, sizeof(line),
				  "pmalloc: %s(0x%lx): not a pmalloc object (inside the first pages of a large object, arena -)",
				  who, addr);
		break;
	case PM_FAULT_DOUBLE_FREE:
		scnprintf(line, sizeof(line),
			  "pmalloc: %s(0x%lx): double free: %s",
			  who, addr, object);
		break;
	case PM_FAULT_SIZE:
		scnprintf(line, sizeof(line),
			  "pmalloc: %s(0x%lx, %zu): wrong size: %s",
			  who, addr, size, object);
		break;
	case PM_FAULT_UNMARKED:
		scnprintf(line, sizeof(line),
			  "pmalloc: %s: 0x%lx was written to after it was freed, or freed twice: %s",
			  who, addr, object);
		break;
	}
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
	if (pm_has_copy(obj, class))
		pm_misuse(PM_FAULT_DOUBLE_FREE, "free", obj, 0, class);
	else
		pm_misuse(PM_FAULT_UNMARKED, "malloc", obj, 0, class);
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
		pm_misuse(PM_FAULT_DOUBLE_FREE, "free", obj, 0, class);
}
