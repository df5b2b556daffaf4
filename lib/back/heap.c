// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Heaps: slabs are cut from units, first fit from the low end, but rather
 * where a slab of the same class has left pages with its marks (see slab.c).
 *
 * First fit keeps a heap's use compact: a process that shrinks frees the
 * high units, and units that were never used are not touched while lower
 * ones are to be had. Units that a slab gave back are dirty until they are
 * purged: the arena does that after a decay time, because memory that was
 * just freed is the likeliest to be wanted again.
 */
#include "back/heap.h"
#include "base/limit.h"
#include "back/populate.h"
#include "back/pagemap.h"
#include "base/testing.h"

/* Units of a huge page, and a heap has a whole number of them where there are any. */
#define PM_HUGE_UNITS		(PM_HUGE_BYTES / PM_UNIT_SIZE)

/* In pm_heap.marked: there are pages, but no marks. No class has the number. */
#define PM_MARKED_FOR_NONE	255

static size_t pm_heap_meta_size(unsigned int units)
{
	return offsetof(struct pm_heap, slab) + units * sizeof(struct pm_slab);
}

/* The descriptor of a heap at @base; NULL when there is no memory for it. */
static struct pm_heap *pm_heap_describe(struct pm_arena *arena,
					struct mutex *lock, char *base,
					size_t size, gfp_t gfp)
{
	struct pm_heap *heap;
	unsigned int unit;

	heap = pm_inject_fails(&pm_inject.meta) ? NULL :
		pm_meta_alloc(pm_heap_meta_size(size / PM_UNIT_SIZE), gfp);
	if (!heap)
		return NULL;
	heap->arena = arena;
	heap->lock = lock;
	heap->base = base;
	heap->nr_units = size / PM_UNIT_SIZE;
	heap->nr_free = heap->nr_units;
	for (unit = 0; unit < heap->nr_units; unit++)
		__set_bit(unit, heap->free);
	if (pm_pagemap_add_heap(heap, base, size, gfp))
		return heap;
	pm_meta_free(heap, pm_heap_meta_size(heap->nr_units));
	return NULL;
}

/*
 * Memory for a heap of @size bytes, @least or more; the host may give less, and
 * so does a limit.
 */
static char *pm_heap_map(size_t *size, size_t least, gfp_t gfp)
{
	size_t taken = *size;
	char *base;

	while (!pm_limit_take(taken)) {
		taken /= 2;
		if (taken < least || taken < PM_HEAP_SIZE / 16)
			return NULL;
	}
	*size = taken;
	base = pm_host_heap_map(size, least, gfp);
	if (!base)
		pm_limit_give(taken);
	else
		pm_limit_give(taken - *size);
	return base;
}

static void pm_heap_unmap(char *base, size_t size)
{
	pm_host_heap_unmap(base, size);
	pm_limit_give(size);
}

/**
 * pm_heap_create() - get a heap from the host
 * @arena: its owner to be
 * @lock: that one's lock
 * @least: bytes of the slab that it is wanted for
 * @huge: huge pages are to be asked for
 * @gfp: context
 *
 * A host that is short of memory may give a short one.
 *
 * Context: @lock is held.
 * Return: a heap, on no list, or NULL.
 */
struct pm_heap *pm_heap_create(struct pm_arena *arena, struct mutex *lock,
			       size_t least, bool huge, gfp_t gfp)
{
	size_t size = pm_inject_heap_size(least, PM_HEAP_SIZE);
	struct pm_heap *heap;
	char *base;

	lockdep_assert_held(lock);
	if (pm_inject_fails(&pm_inject.heap_map))
		return NULL;
	for (;;) {
		base = pm_heap_map(&size, least, gfp);
		if (!base)
			return NULL;
		heap = size < least ? NULL :
		       pm_heap_describe(arena, lock, base, size, gfp);
		if (heap)
			break;
		pm_heap_unmap(base, size);
		/* The last of the memory must do for both. */
		size /= 2;
		if (size < least || size < PM_HEAP_SIZE / 16)
			return NULL;
	}
	heap->huge = huge && size == PM_HEAP_SIZE && pm_host_huge(base, size, true);
	return heap;
}

/**
 * pm_heap_destroy() - give a heap back to the host
 * @heap: heap without slabs and without remote frees on their way, on no list
 *
 * Context: the owner's lock is held.
 */
void pm_heap_destroy(struct pm_heap *heap)
{
	size_t size = pm_heap_bytes(heap);

	lockdep_assert_held(heap->lock);
	BUG_ON(!pm_heap_is_free(heap));
	BUG_ON(atomic_long_read(&heap->remote_refs));
	pm_pagemap_del_heap(heap->base, size);
	pm_heap_unmap(heap->base, size);
	pm_meta_free(heap, pm_heap_meta_size(heap->nr_units));
}

/*
 * A run of free units for a slab of @class: one that such a slab has left as
 * it was, else the first; or -1.
 */
static int pm_heap_find(const struct pm_heap *heap, unsigned int class)
{
	unsigned long n = pm_classes[class].units;
	unsigned long run = (1UL << n) - 1, bits;
	unsigned int w, shift, unit;
	int first = -1;

	for (w = 0; w < BITS_TO_LONGS(PM_HEAP_UNITS); w++) {
		for (bits = heap->free[w]; bits; bits &= ~(run << shift)) {
			shift = ALIGN_DOWN(__ffs(bits), n);
			if ((bits >> shift & run) != run)
				continue;
			unit = w * BITS_PER_LONG + shift;
			if (!heap->nr_dirty ||
			    heap->marked[unit * PM_UNIT_STEPS] == class)
				return unit;
			if (first < 0)
				first = unit;
		}
	}
	return first;
}

/* Which class the objects of a step were marked for last. */
static u8 *pm_heap_marked(struct pm_heap *heap, const char *step)
{
	return &heap->marked[(step - heap->base) >> PM_STEP_SHIFT];
}

/*
 * A cache's objects are marked anew: its number may have been another's when the
 * step was marked, and an object that reaches into the next step is constructed
 * no longer, if that step served others meanwhile.
 */
static void pm_heap_open_step(struct pm_heap *heap, struct pm_slab *slab)
{
	char *step = pm_slab_next_step(slab);
	u8 *marked = pm_heap_marked(heap, step);
	unsigned int class = pm_slab_class(slab);

	pm_slab_open_step(slab, *marked == class && !pm_class_is_cache(class));
	*marked = class;
	/* After the marks: whoever finds the class finds them, too. */
	smp_wmb();
	pm_pagemap_set_class(step, 1, class);
}

/**
 * pm_heap_open_slab() - let more objects of a slab be handed out
 * @slab: slab that has steps to open
 * @use: how much of its class is in use
 *
 * Every free object carries the mark, those that were never handed out, too:
 * else a program could free one of them by mistake, or one of the memory's
 * former life, and it would pass for live and be in a magazine as well as in
 * its slab. Marking touches pages. So it is done step by step as objects are
 * needed, and a step that is not open has no class in the page map: what is
 * freed there is refused as foreign. Where a slab of the same class was
 * before, and its pages have not gone, all objects came home marked.
 *
 * A class that is used little is opened by a step, for most programs have a
 * few objects of many sizes, and every arena has a slab of each; one that is used
 * much is opened to the end of the unit. Pages that come together cost less, so
 * all of what is opened gets them at once, if more than a few objects are out.
 *
 * Context: the owner's lock is held.
 */
void pm_heap_open_slab(struct pm_slab *slab, enum pm_class_use use)
{
	unsigned int steps = pm_slab_steps_left(slab);
	char *from = pm_slab_next_step(slab);
	struct pm_heap *heap = pm_slab_heap(slab);

	lockdep_assert_held(heap->lock);
	/* Steps are opened in order: behind one without pages none has any. */
	if (use != PM_CLASS_BUSY)
		steps = 1;
	if (use != PM_CLASS_RARE && !*pm_heap_marked(heap, from))
		pm_populate(from, from + steps * PM_STEP_SIZE);
	while (steps--)
		pm_heap_open_step(heap, slab);
}

/**
 * pm_heap_take() - take objects out of a slab, and open it as far as need be
 * @slab: the slab
 * @objs: where the objects go
 * @n: how many are wanted
 * @use: as for pm_heap_open_slab()
 *
 * Context: the owner's lock is held.
 * Return: how many were taken: the smaller of @n and what is free.
 */
unsigned int pm_heap_take(struct pm_slab *slab, void **objs, unsigned int n,
			  enum pm_class_use use)
{
	lockdep_assert_held(pm_slab_heap(slab)->lock);
	while (pm_slab_nr_ready(slab) < n && !pm_slab_is_open(slab))
		pm_heap_open_slab(slab, use);
	return pm_slab_take(slab, objs, n);
}

/*
 * Where nothing has pages a huge page comes, and brings those of all units in it.
 * The free ones may go back like what was used. If the host has no huge page at the
 * moment they have none, and giving them back is for nothing.
 */
static void pm_heap_note_huge(struct pm_heap *heap, unsigned int first)
{
	unsigned int unit = ALIGN_DOWN(first, PM_HUGE_UNITS);
	unsigned int end = unit + PM_HUGE_UNITS;

	if (likely(!heap->huge) || heap->marked[first * PM_UNIT_STEPS])
		return;
	for (; unit < end; unit++) {
		if (!test_bit(unit, heap->free) ||
		    heap->marked[unit * PM_UNIT_STEPS])
			continue;
		heap->marked[unit * PM_UNIT_STEPS] = PM_MARKED_FOR_NONE;
		__set_bit(unit, heap->dirty);
		heap->nr_dirty++;
	}
}

/**
 * pm_heap_get_slab() - cut a slab from a heap
 * @heap: the heap
 * @class: class of its objects
 * @use: how much of the class is in use, see pm_heap_open_slab()
 *
 * Context: the owner's lock is held.
 * Return: slab with all objects free, or NULL when no run of units is long
 * enough.
 */
struct pm_slab *pm_heap_get_slab(struct pm_heap *heap, unsigned int class,
				 enum pm_class_use use)
{
	unsigned int units = pm_classes[class].units;
	unsigned int i;
	struct pm_slab *slab;
	char *base;
	int first;

	lockdep_assert_held(heap->lock);
	if (heap->nr_free < units)
		return NULL;
	first = pm_heap_find(heap, class);
	if (first < 0)
		return NULL;
	pm_heap_note_huge(heap, first);
	for (i = 0; i < units; i++) {
		__clear_bit(first + i, heap->free);
		if (!test_bit(first + i, heap->dirty))
			continue;
		__clear_bit(first + i, heap->dirty);
		heap->nr_dirty--;
	}
	heap->nr_free -= units;
	base = heap->base + first * PM_UNIT_SIZE;
	slab = &heap->slab[first];
	pm_slab_init(slab, heap, base, class);
	pm_heap_open_slab(slab, use);
	return slab;
}

/**
 * pm_heap_put_slab() - give a slab's units back to its heap
 * @heap: the heap
 * @slab: slab with all objects free, on no list
 *
 * Context: the owner's lock is held.
 */
void pm_heap_put_slab(struct pm_heap *heap, struct pm_slab *slab)
{
	unsigned int units = pm_classes[pm_slab_class(slab)].units;
	char *base = pm_slab_object(slab, 0);
	unsigned int first = (base - heap->base) >> PM_UNIT_SHIFT;
	unsigned int i, dirty = 0;

	lockdep_assert_held(heap->lock);
	BUG_ON(!pm_slab_is_free(slab));
	pm_pagemap_set_class(base, units * PM_UNIT_STEPS, 0);
	for (i = 0; i < units; i++) {
		__set_bit(first + i, heap->free);
		if (!heap->marked[(first + i) * PM_UNIT_STEPS])
			continue;	/* never opened: no pages */
		__set_bit(first + i, heap->dirty);
		dirty++;
	}
	heap->nr_free += units;
	heap->nr_dirty += dirty;
}

/* The pages of @n free units from @unit on go back to the host. */
static bool pm_heap_purge_run(struct pm_heap *heap, unsigned int unit,
			      unsigned int n)
{
	unsigned int end = unit + n;

	/* Else the host may make it whole again, with pages that nobody needs. */
	if (heap->huge)
		heap->huge = pm_host_huge(heap->base, pm_heap_bytes(heap), false);
	if (!pm_host_purge(heap->base + unit * PM_UNIT_SIZE, n * PM_UNIT_SIZE))
		return false;
	heap->nr_dirty -= n;
	memset(heap->marked + unit * PM_UNIT_STEPS, 0, n * PM_UNIT_STEPS);
	for (; unit < end; unit++)
		__clear_bit(unit, heap->dirty);
	return true;
}

/**
 * pm_heap_purge() - give the pages of free units back to the host
 * @heap: the heap
 * @most: units that are to go
 *
 * From the high end: slabs are cut from the low one.
 *
 * Context: the owner's lock is held.
 * Return: bytes given back.
 */
size_t pm_heap_purge(struct pm_heap *heap, size_t most)
{
	unsigned int unit, end = heap->nr_units;
	size_t units = 0;

	lockdep_assert_held(heap->lock);
	for (; heap->nr_dirty && end && units < most; end = unit) {
		unit = end - 1;
		if (!test_bit(unit, heap->dirty))
			continue;
		while (unit && test_bit(unit - 1, heap->dirty) &&
		       units + end - unit < most)
			unit--;
		if (!pm_heap_purge_run(heap, unit, end - unit))
			break;
		units += end - unit;
	}
	return units * PM_UNIT_SIZE;
}

/* Resident bytes of the objects of a slab that are not in it. */
static size_t pm_slab_out_resident(const struct pm_slab *slab,
				   const struct pm_pages *pages)
{
	size_t size = pm_classes[pm_slab_class(slab)].size, bytes = 0;
	unsigned int index;

	for (index = 0; index < pm_slab_capacity(slab); index++)
		if (!pm_slab_object_is_free(slab, index))
			bytes += pm_pages_bytes(pages,
						pm_slab_object(slab, index), size);
	return bytes;
}

static void pm_slab_resident(const struct pm_slab *slab,
			     const struct pm_pages *pages,
			     struct pm_resident *sum)
{
	size_t bytes, out;

	bytes = pm_pages_bytes(pages, pm_slab_object(slab, 0),
			       pm_slab_bytes(slab));
	/* Nearly always all is there: then nobody has to look at each object. */
	if (bytes == pm_slab_bytes(slab))
		out = (pm_slab_capacity(slab) - pm_slab_nr_free(slab)) *
		      pm_classes[pm_slab_class(slab)].size;
	else
		out = pm_slab_out_resident(slab, pages);
	sum->out += out;
	sum->slab_free += bytes - out;
}

/**
 * pm_heap_resident() - add up what of a heap has pages
 * @heap: the heap
 * @sum: what is added to
 *
 * Context: the owner's lock is held.
 */
void pm_heap_resident(struct pm_heap *heap, struct pm_resident *sum)
{
	const struct pm_slab *slab;
	struct pm_pages pages;
	unsigned int unit = 0;

	static_assert((PM_HEAP_SIZE >> PAGE_SHIFT) <= PM_PAGES_AT_ONCE,
		      "a heap is looked at as a whole");
	lockdep_assert_held(heap->lock);
	if (!pm_pages_look(&pages, heap->base, pm_heap_bytes(heap)))
		return;
	while (unit < heap->nr_units) {
		if (test_bit(unit, heap->free)) {
			sum->heap_free += pm_pages_bytes(&pages,
				heap->base + unit * PM_UNIT_SIZE, PM_UNIT_SIZE);
			unit++;
			continue;
		}
		slab = &heap->slab[unit];
		pm_slab_resident(slab, &pages, sum);
		unit += pm_classes[pm_slab_class(slab)].units;
	}
}
