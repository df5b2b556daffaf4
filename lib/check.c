// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Reports of misuse, and the validators.
 *
 * A validator says what is wrong in a few words, or returns NULL. Debug
 * builds run pm_arena_fault() whenever an arena's lock is about to be let
 * go; the tests clobber a byte and expect to hear of it.
 */
#include "check.h"
#include "arena.h"
#include "heap.h"
#include "large.h"
#include "pagemap.h"

static int pm_describe_object(char *buf, size_t size, const void *ptr,
			      const struct pm_slab **slabp,
			      unsigned int *index)
{
	unsigned int class = pm_pagemap_class(ptr);
	const struct pm_slab *slab;
	struct pm_heap *heap;

	if (class >= PM_CLASS_LARGE) {
		const struct pm_large *large = pm_pagemap_large(ptr);

		return scnprintf(buf, size, "object of %zu bytes (large) in arena -",
				 large ? large->size : 0);
	}
	heap = class ? pm_pagemap_heap(ptr) : NULL;
	if (!heap)
		return scnprintf(buf, size, "no object");
	slab = pm_heap_slab(heap, ptr, class);
	pm_slab_index(slab, ptr, index);
	*slabp = slab;
	return scnprintf(buf, size, "object of %u bytes (class %u) in arena %u",
			 pm_classes[class].size, class,
			 READ_ONCE(heap->arena)->id);
}

/**
 * pm_misuse() - report bad input
 * @fault: what is wrong
 * @who: function that was called
 * @ptr: pointer that it was given
 * @size: size that it was given, for PM_FAULT_SIZE
 *
 * Context: any, no lock held.
 * Return: only where the host lets the system live on.
 */
__cold void pm_misuse(enum pm_fault fault, const char *who, const void *ptr,
		      size_t size)
{
	const struct pm_slab *slab = NULL;
	unsigned long addr = (unsigned long)ptr;
	char object[80], line[256];
	unsigned int index = 0;

	pm_describe_object(object, sizeof(object), ptr, &slab, &index);
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
	}
	pm_host_misuse(line);
}

/* ---- validators -------------------------------------------------------- */

/**
 * pm_slab_fault() - validate a slab
 * @slab: slab that is in use
 *
 * Context: arena lock held.
 * Return: what is wrong, or NULL.
 */
const char *pm_slab_fault(const struct pm_slab *slab)
{
	unsigned int w, capacity, nr_free = 0;

	if (!slab->class || slab->class >= PM_NR_CLASSES)
		return "slab: class out of range";
	capacity = pm_slab_capacity(slab);
	if (pm_pagemap_class(slab->base) != slab->class)
		return "slab: the page map has another class";
	for (w = 0; w < PM_SLAB_WORDS; w++) {
		unsigned long bits = slab->free[w];

		if (w * BITS_PER_LONG >= capacity && bits)
			return "slab: free bits beyond its capacity";
		if (w < slab->hint && bits)
			return "slab: free bits below the hint";
		if (bits & READ_ONCE(slab->remote[w]))
			return "slab: object both free and remotely freed";
		nr_free += hweight_long(bits);
	}
	if (nr_free != slab->nr_free)
		return "slab: count of free objects differs from its bitmap";
	return NULL;
}

/**
 * pm_heap_fault() - validate a heap
 * @heap: the heap
 *
 * Context: arena lock held.
 * Return: what is wrong, or NULL.
 */
const char *pm_heap_fault(const struct pm_heap *heap)
{
	unsigned int unit, nr_free = 0, nr_dirty = 0;

	if (!heap->nr_units || heap->nr_units > PM_HEAP_UNITS)
		return "heap: number of units out of range";
	if (pm_pagemap_heap(heap->base) != heap)
		return "heap: the page map has another heap";
	for (unit = 0; unit < heap->nr_units; unit++) {
		const char *p = heap->base + unit * PM_UNIT_SIZE;
		bool free = test_bit(unit, heap->free);
		bool dirty = test_bit(unit, heap->dirty);

		if (dirty && !free)
			return "heap: unit both dirty and in use";
		if (free != !pm_pagemap_class(p))
			return "heap: the page map disagrees about a unit";
		nr_free += free;
		nr_dirty += dirty;
	}
	if (nr_free != heap->nr_free)
		return "heap: count of free units differs from its bitmap";
	if (nr_dirty != heap->nr_dirty)
		return "heap: count of dirty units differs from its bitmap";
	return NULL;
}

static const char *pm_arena_walk(const struct pm_arena *arena)
{
	const char *fault = NULL;
	unsigned int nr_heaps = 0, dirty = 0, class;
	const struct pm_slab *slab;
	const struct pm_heap *heap;
	size_t bytes = 0;

	list_for_each_entry(heap, &arena->heaps, node) {
		if (heap->arena != arena)
			return "arena: a heap on its list has another owner";
		fault = pm_heap_fault(heap);
		if (fault)
			return fault;
		nr_heaps++;
		dirty += heap->nr_dirty;
		bytes += heap->nr_units * PM_UNIT_SIZE;
	}
	if (nr_heaps != arena->nr_heaps || bytes != arena->heap_bytes)
		return "arena: count of heaps differs from its list";
	if (dirty != arena->dirty_units)
		return "arena: count of dirty units differs from its heaps";
	for (class = 1; class < PM_NR_CLASSES; class++) {
		list_for_each_entry(slab, &arena->partial[class], node) {
			if (slab->class != class || !slab->nr_free)
				return "arena: a slab is on the wrong list";
			fault = pm_slab_fault(slab);
			if (fault)
				return fault;
		}
	}
	return NULL;
}

/**
 * pm_arena_fault() - validate an arena
 * @arena: the arena
 *
 * Counters always, everything that hangs on it every sixteenth time.
 *
 * Context: arena lock held.
 * Return: what is wrong, or NULL.
 */
const char *pm_arena_fault(const struct pm_arena *arena)
{
	unsigned int class;

	lockdep_assert_held(&arena->lock);
	if (arena->retired && arena->nr_heaps)
		return "arena: retired with heaps";
	for (class = 1; class < PM_NR_CLASSES; class++)
		if (arena->nr_out[class] < 0)
			return "arena: more objects came back than went out";
	if (arena->slab_bytes > arena->heap_bytes)
		return "arena: more slabs than heaps hold";
	return arena->stats.acquired % 16 ? NULL : pm_arena_walk(arena);
}

/**
 * pm_arena_check_failed() - a validator found damage
 * @arena: where
 * @fault: what
 *
 * Context: arena lock held; a process ends here.
 */
__cold void pm_arena_check_failed(const struct pm_arena *arena,
				  const char *fault)
{
	char line[128];

	scnprintf(line, sizeof(line), "pmalloc: arena %u is damaged: %s",
		  arena->id, fault);
	pm_host_misuse(line);
}
