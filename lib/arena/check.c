// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Validators.
 *
 * A validator says what is wrong in a few words, or returns NULL. Debug
 * builds run pm_arena_fault() whenever an arena's lock is about to be let
 * go; the tests clobber a byte and expect to hear of it.
 *
 * To say so a validator looks into every structure, and writes to none.
 */
#include "arena/check.h"
#include "arena/arena.h"
#include "back/heap.h"
#include "back/pagemap.h"

/**
 * pm_slab_fault() - validate a slab
 * @slab: slab that is in use
 *
 * Nothing that the descriptor says is followed before the page map, which
 * takes any bit pattern, has said the same.
 *
 * Context: arena lock held.
 * Return: what is wrong, or NULL.
 */
const char *pm_slab_fault(const struct pm_slab *slab)
{
	unsigned int w, capacity, nr_free = 0;
	const struct pm_heap *heap;

	if (!slab->class || slab->class >= pm_class_end() ||
	    pm_class_is_span(slab->class))
		return "slab: class out of range";
	capacity = pm_slab_capacity(slab);
	if (pm_pagemap_class(slab->base) != slab->class)
		return "slab: the page map has another class";
	heap = pm_pagemap_heap(slab->base);
	if (!heap || slab->heap != heap)
		return "slab: the page map has another heap";
	if (slab->base != heap->base + (slab - heap->slab) * PM_UNIT_SIZE)
		return "slab: its base is not where its descriptor is";
	if (slab->hint >= PM_SLAB_WORDS)
		return "slab: hint out of range";
	if (READ_ONCE(slab->queued) > 1)
		return "slab: neither queued nor not";
	for (w = 0; w < PM_SLAB_WORDS; w++) {
		unsigned long bits = slab->free[w];

		if (w * BITS_PER_LONG >= capacity &&
		    (bits | READ_ONCE(slab->remote[w])))
			return "slab: bits beyond its capacity";
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

/* Whether the page map leads from where @heap says it lies to @heap. */
static bool pm_heap_is_found(const struct pm_heap *heap)
{
	unsigned long key = pm_addr_key(heap->base);

	if (!IS_ALIGNED(key, 1UL << PM_HEAP_ALIGN_SHIFT))
		return false;
	return pm_leaf_of(key) && pm_pagemap_heap(heap->base) == heap;
}

static const char *pm_heap_free_unit_fault(const struct pm_heap *heap,
					   unsigned int unit)
{
	const char *p = heap->base + unit * PM_UNIT_SIZE;
	unsigned int i;

	if (unit >= heap->nr_units)
		return "heap: free units beyond its end";
	if (!heap->marked[unit * PM_UNIT_STEPS] != !test_bit(unit, heap->dirty))
		return "heap: dirty units are not those that have pages";
	for (i = 0; i < PM_UNIT_STEPS; i++)
		if (pm_pagemap_class(p + i * PM_STEP_SIZE))
			return "heap: the page map has a class for a free unit";
	return NULL;
}

/* The slab that begins at @unit, and all of its units. */
static const char *pm_heap_slab_fault(const struct pm_heap *heap,
				      unsigned int unit)
{
	const char *p = heap->base + unit * PM_UNIT_SIZE;
	unsigned int class = pm_pagemap_class(p), units, i;
	const struct pm_slab *slab;

	if (!class || class >= pm_class_end() || pm_class_is_span(class))
		return "heap: the page map has no class for a unit in use";
	units = pm_classes[class].units;
	if (!IS_ALIGNED(unit, units) || unit + units > heap->nr_units)
		return "heap: a slab does not lie at a multiple of its size";
	slab = &heap->slab[unit];
	if (!slab->opened || slab->opened > units * PM_UNIT_STEPS)
		return "slab: number of opened steps out of range";
	for (i = 0; i < slab->opened; i++)
		if (heap->marked[unit * PM_UNIT_STEPS + i] != class)
			return "slab: an opened step without marks";
	for (i = 0; i < units; i++)
		if (test_bit(unit + i, heap->free) ||
		    test_bit(unit + i, heap->dirty))
			return "heap: the units of a slab differ";
	for (i = 0; i < units * PM_UNIT_STEPS; i++)
		if (pm_pagemap_class(p + i * PM_STEP_SIZE) !=
		    (i < slab->opened ? class : 0))
			return "heap: the page map differs from a slab's steps";
	return pm_slab_fault(slab);
}

/**
 * pm_heap_fault() - validate a heap and its slabs
 * @heap: the heap
 *
 * Context: arena lock held.
 * Return: what is wrong, or NULL.
 */
const char *pm_heap_fault(const struct pm_heap *heap)
{
	unsigned int unit = 0, nr_free = 0, nr_dirty = 0;
	const char *fault;

	if (!heap->nr_units || heap->nr_units > PM_HEAP_UNITS)
		return "heap: number of units out of range";
	if (!pm_heap_is_found(heap))
		return "heap: the page map has another heap";
	if (atomic_long_read(&heap->remote_refs) < 0)
		return "heap: more remote frees ended than began";
	while (unit < BITS_TO_LONGS(PM_HEAP_UNITS) * BITS_PER_LONG) {
		if (test_bit(unit, heap->free)) {
			fault = pm_heap_free_unit_fault(heap, unit);
			nr_free++;
			nr_dirty += test_bit(unit, heap->dirty);
			unit++;
		} else if (unit < heap->nr_units) {
			fault = pm_heap_slab_fault(heap, unit);
			if (fault)
				return fault;
			unit += pm_classes[heap->slab[unit].class].units;
		} else {
			fault = test_bit(unit, heap->dirty) ?
				"heap: dirty units beyond its end" : NULL;
			unit++;
		}
		if (fault)
			return fault;
	}
	if (nr_free != heap->nr_free)
		return "heap: count of free units differs from its bitmap";
	if (nr_dirty != heap->nr_dirty)
		return "heap: count of dirty units differs from its bitmap";
	return NULL;
}

/**
 * struct pm_tally - what an arena's heaps hold
 * @slab_bytes: bytes of slabs
 * @out: per class, objects that are not in their slab
 * @partial: per class, slabs with free objects
 */
struct pm_tally {
	size_t slab_bytes;
	u32 out[PM_CLASS_END];
	u16 partial[PM_CLASS_END];
};

static void pm_heap_tally(const struct pm_heap *heap, struct pm_tally *tally)
{
	const struct pm_slab *slab;
	unsigned int unit = 0;

	while (unit < heap->nr_units) {
		if (test_bit(unit, heap->free)) {
			unit++;
			continue;
		}
		slab = &heap->slab[unit];
		tally->out[slab->class] += pm_slab_capacity(slab) -
					   slab->nr_free;
		tally->partial[slab->class] += slab->nr_free != 0;
		tally->slab_bytes += pm_classes[slab->class].units *
				     PM_UNIT_SIZE;
		unit += pm_classes[slab->class].units;
	}
}

static const char *pm_arena_walk_partial(const struct pm_arena *arena,
					 const struct pm_tally *tally)
{
	const struct pm_slab *slab;
	unsigned int class, n;

	pm_for_each_class(class) {
		n = 0;
		list_for_each_entry(slab, &arena->partial[class], node) {
			if (slab->class != class || !slab->nr_free ||
			    slab->heap->arena != arena)
				return "arena: a slab is on the wrong list";
			n++;
		}
		if (n != tally->partial[class])
			return "arena: a slab with free objects is on no list";
		if (arena->nr_out[class] != tally->out[class])
			return "arena: count of objects out differs from its slabs";
	}
	return NULL;
}

static const char *pm_arena_walk(const struct pm_arena *arena)
{
	unsigned int nr_heaps = 0, dirty = 0;
	struct pm_tally tally = { 0 };
	const struct pm_heap *heap;
	const char *fault;
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
		pm_heap_tally(heap, &tally);
	}
	if (nr_heaps != arena->nr_heaps || bytes != arena->heap_bytes)
		return "arena: count of heaps differs from its list";
	if (dirty != arena->dirty_units)
		return "arena: count of dirty units differs from its heaps";
	if (tally.slab_bytes != arena->slab_bytes)
		return "arena: count of slabs differs from its heaps";
	return pm_arena_walk_partial(arena, &tally);
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
	size_t depots = 0;
	unsigned int class;

	lockdep_assert_held(&arena->lock);
	if (arena->retired && arena->nr_heaps)
		return "arena: retired with heaps";
	pm_for_each_class(class) {
		if (arena->nr_out[class] < 0)
			return "arena: more objects came back than went out";
		depots += (size_t)pm_depot_nr(&arena->depot[class]) *
			  pm_classes[class].size;
	}
	if (depots != arena->depot_bytes)
		return "arena: depots have more or fewer bytes than it counts";
	if (arena->slab_bytes > arena->heap_bytes)
		return "arena: more slabs than heaps hold";
	return arena->lockstat.acquired % 16 ? NULL : pm_arena_walk(arena);
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
