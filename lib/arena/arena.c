// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Arenas: what lies behind one lock, and what happens while it is held.
 *
 * The idea. An allocator that is safe for threads needs a lock somewhere. An
 * arena is a lock, heaps with slabs of free objects, and per class a depot.
 * Objects are taken from the depot, then from slabs; if there is none a slab
 * is cut from a heap, and if no heap has room the host is asked for another.
 * Objects come back the same way, the last ones first into the depot.
 *
 * A thread that may not wait leaves its objects in one of two lists without a lock:
 * batches in @inbox, slabs with single objects in @remote. The next holder of
 * the lock takes both in.
 *
 * The limits. Which arenas there are, who uses which, and when an arena gives
 * memory back is not known here: see registry.c, malloc_lock.c and giveback.c.
 *
 * What would be lost without each step:
 *   - Without clearing @queued before the bits are collected: the collector
 *     reads the bits; a free sets its bit and finds @queued set, so it does
 *     not queue; the collector clears @queued. The bit would wait for the next
 *     remote free, perhaps until the process ends.
 *   - Without the look at the owner when a slab comes from the remote list: a
 *     heap that was adopted while its slab was on the way would be changed
 *     without its owner's lock.
 */
#include "arena/arena.h"
#include "arena/depots.h"
#include "arena/remote.h"
#include "back/heap.h"
#include "back/huge.h"
#include "back/pagemap.h"
#include "back/span.h"
#include "base/misuse.h"
#include "base/options.h"
#include "base/testing.h"
#include "base/trace.h"

/**
 * pm_arena_make() - make an arena that belongs to no number yet
 * @gfp: context
 *
 * Return: the arena, or NULL when there is no memory for it.
 */
struct pm_arena *pm_arena_make(gfp_t gfp)
{
	struct pm_arena *arena = pm_meta_alloc(sizeof(*arena), gfp);
	unsigned int class;

	if (!arena)
		return NULL;
	mutex_init(&arena->lock);
	pm_arena_watch(arena);
	INIT_LIST_HEAD(&arena->heaps);
	for (class = 0; class < PM_CLASS_END; class++)
		INIT_LIST_HEAD(&arena->partial[class]);
	return arena;
}

/**
 * pm_arena_delete() - free an arena's descriptor
 * @arena: arena without heaps
 *
 * Context: nobody uses the allocator any more.
 */
void pm_arena_delete(struct pm_arena *arena)
{
	unsigned int class;

	pm_for_each_class(class)
		pm_depot_destroy(&arena->depot[class], class);
	pm_meta_free(arena, sizeof(*arena));
}

/* ---- heaps and slabs --------------------------------------------------- */

/*
 * From this many heaps of an arena on the next ones may ask for huge pages: with
 * less than that the pages that come along with those that are used weigh more
 * than the faults that they save.
 */
#define PM_HEAPS_HUGE	4

/* Units of a class's objects that are out where one more does not matter. */
#define PM_UNITS_BUSY	4

/**
 * pm_arena_map_heap() - get a heap from the host
 * @arena: its owner to be
 * @class: class of the slab that it is wanted for
 * @gfp: context
 *
 * Context: arena lock held.
 * Return: a heap with room for such a slab, or NULL.
 */
struct pm_heap *pm_arena_map_heap(struct pm_arena *arena, unsigned int class,
				  gfp_t gfp)
{
	u64 begin = pm_trace_begin(heap_map);
	size_t least = pm_classes[class].units * PM_UNIT_SIZE;
	bool huge = arena->nr_heaps >= PM_HEAPS_HUGE && pm_huge_pay();
	struct pm_heap *heap;

	lockdep_assert_held(&arena->lock);
	heap = pm_heap_create(arena, &arena->lock, least, huge, gfp);
	if (!heap)
		return NULL;
	list_add_tail(&heap->node, &arena->heaps);
	arena->nr_heaps++;
	WRITE_ONCE(arena->heap_bytes, arena->heap_bytes + pm_heap_bytes(heap));
	arena->stats.heap_maps++;
	trace_heap_map(arena->id, class, pm_trace_since(begin),
		       pm_heap_bytes(heap));
	return heap;
}

static enum pm_class_use pm_arena_class_use(const struct pm_arena *arena,
					    unsigned int class)
{
	unsigned long bytes = arena->nr_out[class] * pm_classes[class].size;

	if (bytes >= PM_UNITS_BUSY * PM_UNIT_SIZE)
		return PM_CLASS_BUSY;
	return bytes >= PM_UNIT_SIZE ? PM_CLASS_COMMON : PM_CLASS_RARE;
}

/**
 * pm_arena_cut_slab() - cut a slab from a heap
 * @arena: the owner
 * @heap: the heap
 * @class: class of its objects
 *
 * Context: arena lock held.
 * Return: a slab, on no list, or NULL when the heap has no room for it.
 */
struct pm_slab *pm_arena_cut_slab(struct pm_arena *arena, struct pm_heap *heap,
				  unsigned int class)
{
	unsigned int dirty = pm_heap_nr_dirty(heap);
	struct pm_slab *slab;

	lockdep_assert_held(&arena->lock);
	slab = pm_heap_get_slab(heap, class,
				pm_arena_class_use(arena, class));
	if (!slab)
		return NULL;
	if (likely(pm_heap_nr_dirty(heap) <= dirty))
		pm_arena_less_dirty(arena, dirty - pm_heap_nr_dirty(heap));
	else
		pm_arena_more_dirty(arena, pm_heap_nr_dirty(heap) - dirty);
	WRITE_ONCE(arena->slab_bytes, arena->slab_bytes + pm_slab_bytes(slab));
	return slab;
}

/**
 * pm_arena_unmap_heap() - give a heap back to the host
 * @arena: the owner
 * @heap: heap for which pm_heap_may_go() holds
 *
 * Context: arena lock held.
 */
void pm_arena_unmap_heap(struct pm_arena *arena, struct pm_heap *heap)
{
	u64 begin = pm_trace_begin(heap_unmap);
	size_t size = pm_heap_bytes(heap);

	lockdep_assert_held(&arena->lock);
	list_del(&heap->node);
	arena->nr_heaps--;
	WRITE_ONCE(arena->heap_bytes, arena->heap_bytes - size);
	pm_arena_less_dirty(arena, pm_heap_nr_dirty(heap));
	pm_heap_destroy(heap);
	arena->stats.heap_unmaps++;
	trace_heap_unmap(arena->id, 0, pm_trace_since(begin), size);
}

/**
 * pm_arena_put_slab() - give a slab's units back to its heap
 * @arena: the owner
 * @slab: slab with all objects free, on no list
 *
 * Context: arena lock held.
 */
void pm_arena_put_slab(struct pm_arena *arena, struct pm_slab *slab)
{
	struct pm_heap *heap = pm_slab_heap(slab);
	unsigned int dirty = pm_heap_nr_dirty(heap);

	lockdep_assert_held(&arena->lock);
	WRITE_ONCE(arena->slab_bytes, arena->slab_bytes - pm_slab_bytes(slab));
	pm_slab_wipe_state(slab);
	pm_heap_put_slab(heap, slab);
	pm_arena_more_dirty(arena, pm_heap_nr_dirty(heap) - dirty);
}

static struct pm_slab *pm_arena_new_slab(struct pm_arena *arena,
					 unsigned int class)
{
	struct pm_slab *slab;
	struct pm_heap *heap;

	lockdep_assert_held(&arena->lock);
	list_for_each_entry(heap, &arena->heaps, node) {
		slab = pm_arena_cut_slab(arena, heap, class);
		if (!slab)
			continue;
		list_add(&slab->node, &arena->partial[class]);
		return slab;
	}
	return NULL;
}

/**
 * pm_arena_find_heap() - heap of an arena that an address lies in
 * @arena: the arena
 * @obj: any address
 *
 * Context: arena lock held.
 * Return: the heap, or NULL.
 */
struct pm_heap *pm_arena_find_heap(struct pm_arena *arena, const void *obj)
{
	struct pm_heap *heap;

	lockdep_assert_held(&arena->lock);
	list_for_each_entry(heap, &arena->heaps, node)
		if (pm_heap_contains(heap, obj))
			return heap;
	return NULL;
}

/* ---- objects come back ------------------------------------------------- */

/*
 * @n objects have come back into @slab. A slab that was full becomes
 * partial. One that is free altogether goes back to its heap, unless its
 * class has no other: the next request would cut it again.
 */
static void pm_arena_slab_filled(struct pm_arena *arena, struct pm_slab *slab,
				 unsigned int n)
{
	unsigned int class = pm_slab_class(slab);
	struct list_head *partial = &arena->partial[class];

	lockdep_assert_held(&arena->lock);
	arena->nr_out[class] -= n;
	if (pm_slab_nr_free(slab) == n)
		list_add(&slab->node, partial);
	if (pm_slab_is_free(slab) && !list_is_singular(partial)) {
		list_del(&slab->node);
		pm_arena_put_slab(arena, slab);
	}
}

/**
 * pm_arena_put_object() - give an object to its slab
 * @arena: the owner
 * @slab: slab that it lies in
 * @index: which object of the slab it is
 *
 * Context: arena lock held.
 * Return: PM_SLAB_OK, or what is wrong; then nothing was changed.
 */
enum pm_slab_fault pm_arena_put_object(struct pm_arena *arena,
				       struct pm_slab *slab, unsigned int index)
{
	enum pm_slab_fault fault = pm_slab_put(slab, index);

	lockdep_assert_held(&arena->lock);
	if (likely(!fault)) {
		arena->stats.local_free++;
		pm_arena_slab_filled(arena, slab, 1);
	}
	return fault;
}

/*
 * The first objects of @objs, as many as share @slab, are another arena's: a
 * batch goes by its first object's owner. Return: how many there were.
 */
static unsigned int pm_arena_send_run(struct pm_heap *heap,
				      struct pm_slab *slab, void **objs,
				      unsigned int n)
{
	size_t bytes = pm_slab_bytes(slab);
	unsigned int class = pm_slab_class(slab), i, index;
	char *base = pm_slab_object(slab, 0);

	/* With the last of its objects the slab may go: look at it before. */
	for (i = 0; i < n; i++) {
		if ((size_t)((char *)objs[i] - base) >= bytes)
			break;
		if (unlikely(!pm_slab_index(slab, objs[i], &index)) ||
		    unlikely(pm_remote_free(heap, slab, index)))
			pm_misuse_note(objs[i], class);
	}
	return i;
}

/*
 * Put the first objects of @objs that share a slab into it. One that is there
 * already was freed twice; it is dropped, and noted.
 *
 * Return: how many there were.
 */
static unsigned int pm_arena_put_run(struct pm_arena *arena,
				     unsigned int class, void **objs,
				     unsigned int n)
{
	struct pm_heap *heap = pm_pagemap_heap(objs[0]);
	unsigned int i = 0, put;
	struct pm_slab *slab;

	if (likely(heap)) {
		slab = pm_heap_slab(heap, objs[0], class);
		if (unlikely(pm_heap_owner(heap) != arena)) {
			i = pm_arena_send_run(heap, slab, objs, n);
		} else {
			i = pm_slab_put_run(slab, objs, n, &put);
			arena->stats.local_free += put;
			if (likely(put))
				pm_arena_slab_filled(arena, slab, put);
		}
	}
	if (likely(i))
		return i;
	/* Freed twice, and its slab or its heap went in the meantime. */
	pm_misuse_note(objs[0], class);
	return 1;
}

/**
 * pm_arena_put() - give objects to their slabs, and spans to the extents
 * @arena: arena that most of them belong to; others are sent on
 * @class: their class
 * @objs: objects
 * @n: how many
 *
 * Context: arena lock held.
 */
void pm_arena_put(struct pm_arena *arena, unsigned int class, void **objs,
		  unsigned int n)
{
	unsigned int done = 0;

	if (pm_class_is_span(class)) {
		pm_span_put_all(class, objs, n);
		return;
	}
	while (done < n)
		done += pm_arena_put_run(arena, class, objs + done, n - done);
}

/**
 * pm_arena_put_batch() - take a batch in
 * @arena: arena that its first object belongs to
 * @class: class of its objects
 * @objs: objects
 * @n: how many
 *
 * What has room goes into the depot, the rest into slabs.
 *
 * Context: arena lock held.
 */
void pm_arena_put_batch(struct pm_arena *arena, unsigned int class,
			void **objs, unsigned int n)
{
	unsigned int kept = 0;

	lockdep_assert_held(&arena->lock);
	arena->stats.batches_in++;
	if (likely(!arena->retired))			/* retire P */
		kept = pm_arena_depot_put(arena, class, objs, n);
	pm_arena_put(arena, class, objs + kept, n - kept);
}

/* Take in the batches of those who found the lock busy. */
static void pm_arena_collect_inbox(struct pm_arena *arena)
{
	struct llist_node *node = llist_del_all(&arena->inbox);	/* batch F */
	struct pm_batch *batch;
	unsigned int class, n;
	void **objs;

	while (node) {
		batch = container_of(node, struct pm_batch, node);
		node = node->next;				/* batch G */
		arena->stats.inbox_in++;
		objs = pm_batch_open(batch, &class, &n);
		pm_arena_put_batch(arena, class, objs, n);
		pm_batch_put(batch);
	}
}

/*
 * Take in what was freed without the lock.
 *
 * A slab's @queued is cleared before its bits are collected. The other way
 * round this would be lost: collector reads the bits; a free sets its bit
 * and finds @queued set, so it does not queue; collector clears @queued. The
 * bit would wait for the next remote free, which may never come.
 *
 * A slab whose heap was adopted while it was on its way to the list is
 * passed on to the present owner's list.
 */
static void pm_arena_collect_remote(struct pm_arena *arena)
{
	struct llist_node *node = llist_del_all(&arena->remote); /* remote E */
	struct pm_slab *slab;
	struct pm_heap *heap;
	unsigned int n;

	lockdep_assert_held(&arena->lock);
	while (node) {
		slab = container_of(node, struct pm_slab, remote_node);
		node = node->next;
		heap = pm_slab_heap(slab);
		if (unlikely(pm_heap_owner(heap) != arena)) {	/* retire O */
			pm_remote_queue(slab);
			continue;
		}
		pm_slab_clear_queued(slab);			/* remote F */
		pm_stop_point(PM_STOP_COLLECT);
		n = pm_slab_class(slab) ? pm_slab_collect(slab) : 0;	/* remote G */
		if (n) {
			arena->stats.remote_in += n;
			pm_arena_slab_filled(arena, slab, n);
		}
		pm_heap_unref(heap);				/* remote H */
	}
}

/**
 * pm_arena_collect() - take in what was freed while the lock was busy
 * @arena: the arena
 *
 * Context: arena lock held.
 */
void pm_arena_collect(struct pm_arena *arena)
{
	lockdep_assert_held(&arena->lock);
	if (unlikely(!llist_empty(&arena->inbox)))
		pm_arena_collect_inbox(arena);
	if (unlikely(!llist_empty(&arena->remote)))
		pm_arena_collect_remote(arena);
}

/* ---- objects go out ---------------------------------------------------- */

/**
 * pm_arena_take() - take objects of a class from an arena
 * @arena: the arena
 * @class: class number
 * @objs: where they go
 * @n: how many are wanted
 *
 * From the depot first: those were used last. Then from slabs.
 *
 * Context: arena lock held.
 * Return: how many there are, fewer than @n when no heap has room for a slab.
 */
unsigned int pm_arena_take(struct pm_arena *arena, unsigned int class,
			   void **objs, unsigned int n)
{
	struct list_head *partial = &arena->partial[class];
	unsigned int depot, taken, i, j;
	struct pm_slab *slab;
	void *obj;

	lockdep_assert_held(&arena->lock);
	depot = pm_arena_depot_take(arena, class, objs, n);
	taken = depot;
	while (taken < n) {
		if (!list_empty(partial))
			slab = list_first_entry(partial, struct pm_slab, node);
		else
			slab = pm_arena_new_slab(arena, class);
		if (!slab)
			break;
		taken += pm_heap_take(slab, objs + taken, n - taken,
				      pm_arena_class_use(arena, class));
		if (!pm_slab_nr_free(slab))
			list_del(&slab->node);
	}
	arena->nr_out[class] += taken - depot;
	arena->nr_taken[class] += taken - depot;
	arena->stats.batches_out += taken > 1;
	/*
	 * Whoever pops these takes the last one first: let addresses ascend,
	 * as processors like it.
	 */
	for (i = depot, j = taken; i + 1 < j; i++) {
		obj = objs[i];
		objs[i] = objs[--j];
		objs[j] = obj;
	}
	return taken;
}
