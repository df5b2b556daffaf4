// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * pm_free_lock(): how objects go back to the arena that owns their heap.
 *
 * The idea. A free never waits. When the owner's lock can be had at once the
 * objects come home under it; when not they are left where its next holder
 * finds them: a batch in the inbox, a single object in its slab.
 *
 * What would be lost without each step:
 *   - Without the second look at the heap's owner, under the lock: a free that
 *     read the owner before the heap was adopted, and got the lock after it,
 *     would change the heir's bitmaps without the heir's lock.
 */
#include "arena/free_lock.h"
#include "arena/arena.h"
#include "arena/decay.h"
#include "arena/malloc_lock.h"
#include "arena/registry.h"
#include "arena/remote.h"
#include "arena/spans.h"
#include "back/heap.h"
#include "back/pagemap.h"
#include "back/span.h"
#include "base/misuse.h"
#include "base/testing.h"
#include "base/trace.h"

/*
 * The arena that owns @heap, locked and entered; NULL when its lock is busy or
 * this context may not take one. A heap that was adopted between the load
 * and the lock has another owner now: try that.
 */
static struct pm_arena *pm_heap_lock_owner(struct pm_heap *heap,
					   unsigned int class)
{
	struct pm_arena *arena;

	while (pm_context_may_lock()) {
		arena = pm_heap_owner(heap);
		pm_stop_point(PM_STOP_FREE_OWNER);
		if (unlikely(!pm_arena_trylock(arena))) {
			pm_lockwait_free_busy(&arena->waits, class);
			break;
		}
		if (likely(arena == pm_heap_owner(heap))) {	/* retire J */
			if (pm_arena_is_forsaken(arena)) {
				pm_arena_unlock(arena);
				break;
			}
			pm_arena_enter(arena, class);
			return arena;
		}
		pm_stop_point(PM_STOP_FREE_STALE);
		pm_arena_unlock(arena);
	}
	return NULL;
}

/**
 * __pm_free_lock() - give an object back to the arena that owns its heap
 * @heap: heap that it lies in
 * @slab: slab that it lies in
 * @index: which object of the slab it is
 *
 * This is pm_free_lock(), by slab.
 *
 * Context: any; where the lock cannot be had at once the object is left to
 * the lock's next holder.
 * Return: PM_SLAB_OK, or what is wrong; then nothing was changed.
 */
enum pm_slab_fault __pm_free_lock(struct pm_heap *heap, struct pm_slab *slab,
				  unsigned int index)
{
	struct pm_arena *arena = pm_heap_lock_owner(heap,
						    pm_slab_class(slab));
	enum pm_slab_fault fault;

	if (likely(arena)) {
		fault = pm_arena_put_object(arena, slab, index);
		if (unlikely(pm_arena_leave(arena)))
			pm_arenas_look();
		return fault;
	}
	return pm_remote_free(heap, slab, index);
}

/*
 * The lock is busy: leave the batch to the next holder.
 *
 * Context: SRCU section, or the inbox might be that of a retired arena, which
 * nobody looks into until it is used again.
 * Return: false when there is no spare batch.
 */
static bool pm_free_inbox(struct pm_arena *arena, unsigned int class,
			  void **objs, unsigned int n)
{
	struct pm_batch *batch;

	pm_inside_begin();
	batch = pm_batch_get();
	if (unlikely(!batch)) {
		pm_inside_end();
		return false;
	}
	pm_batch_fill(batch, class, objs, n);		/* batch D */
	pm_stop_point(PM_STOP_BATCH);
	/* batch E. Publishes the batch: pairs with batch F. */
	llist_add(&batch->node, &arena->inbox);
	pm_inside_end();
	trace_remote_free(arena->id, class, 0, n);
	return true;
}

/* Likewise, one by one: each is left to the arena that owns it. */
static void pm_free_remote(unsigned int class, void **objs, unsigned int n)
{
	unsigned int i, index;
	struct pm_heap *heap;
	struct pm_slab *slab;

	for (i = 0; i < n; i++) {
		heap = pm_pagemap_heap(objs[i]);
		slab = heap ? pm_heap_slab(heap, objs[i], class) : NULL;
		if (!slab || !pm_slab_index(slab, objs[i], &index) ||
		    pm_remote_free(heap, slab, index))
			pm_misuse_note(objs[i], class);
	}
}

/*
 * Spans go to the arena that we run on, for they belong to none. What its depot has
 * no room for, and all of them when its lock cannot be had at once, are extents
 * again.
 */
static void pm_free_lock_spans(unsigned int class, void **objs, unsigned int n)
{
	struct pm_arena *arena = pm_arena_here();
	unsigned int kept = 0;

	if (arena && pm_context_may_lock() &&
	    pm_arena_wants_spans(arena, class)) {
		if (unlikely(!pm_arena_trylock(arena))) {
			pm_lockwait_free_busy(&arena->waits, class);
		} else if (pm_arena_enter_or_unlock(arena, class)) {
			kept = pm_arena_keep_spans(arena, class, objs, n);
			if (unlikely(pm_arena_leave(arena)))
				pm_arenas_look();
		}
	}
	pm_span_put_all(class, objs + kept, n - kept);
}

/**
 * pm_free_lock_batch() - give objects back to an arena
 * @class: class number
 * @objs: objects, up to PM_BATCH_MAX
 * @n: how many, at least 1
 *
 * The batch goes to the owner of its first object: into the depot, and from
 * there into slabs what the depot has no room for. When the owner's lock
 * cannot be had at once the batch is left in its inbox. Spans have no owner.
 *
 * Context: any. Objects that came home twice are noted: see base/misuse.h.
 */
void pm_free_lock_batch(unsigned int class, void **objs, unsigned int n)
{
	struct pm_arena *arena;
	struct pm_heap *heap;
	bool left = false;
	int idx;

	if (pm_class_is_span(class)) {
		pm_free_lock_spans(class, objs, n);
		return;
	}
	heap = pm_pagemap_heap(objs[0]);
	/* Freed twice, and its heap went in the meantime. */
	while (unlikely(!heap)) {
		pm_misuse_note(*objs++, class);
		if (!--n)
			return;
		heap = pm_pagemap_heap(objs[0]);
	}
	arena = pm_heap_lock_owner(heap, class);
	if (likely(arena)) {
		pm_arena_put_batch(arena, class, objs, n);
		if (unlikely(pm_arena_leave(arena)))
			pm_arenas_look();
		return;
	}
	/* retire K: the section holds off retire G. */
	if (n > 1 && !pm_arena_is_forsaken(pm_heap_owner(heap)) &&
	    likely(pm_srcu_read_trylock(&pm_srcu, &idx))) {
		left = pm_free_inbox(pm_heap_owner(heap), class, objs, n);
		srcu_read_unlock(&pm_srcu, idx);
	}
	if (!left)
		pm_free_remote(class, objs, n);
}
