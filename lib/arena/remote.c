// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Remote frees.
 *
 * The trick: a slab is queued once, however many of its objects come back,
 * for its word @queued says whether it is on a list already. So a free costs
 * two atomic operations, and three when it is the slab's first.
 *
 * The limits: an object that is left here is of no use to anybody until
 * somebody takes the lock. Whoever allocates from the arena does.
 */
#include "arena/remote.h"
#include "arena/arena.h"
#include "back/heap.h"
#include "base/testing.h"
#include "base/trace.h"

/* @first, and behind it @rest. */
static struct llist_node *pm_llist_join(struct llist_node *first,
					struct llist_node *rest)
{
	struct llist_node *last = first;

	if (!first)
		return rest;
	while (last->next)
		last = last->next;
	last->next = rest;
	return first;
}

/**
 * pm_remote_queue() - put a slab on the remote list of the arena that owns it
 * @slab: the slab; the reference to its heap is the list entry's from now on
 *
 * Its owner may be retired between the look at it and the entry on its list,
 * and not everybody who comes here is in a read-side section: a depot gives
 * objects to other arenas with its own arena's lock held, where none may
 * begin. So whoever finds the arena retired once the entry is there takes the
 * list back and looks again. Who finds it in use made the entry before
 * pm_arena_retire() looks at the list for the last time: the exchange in
 * llist_add() is a full barrier between entry and look, the grace period one
 * between @retired and the last look.
 *
 * Context: any.
 */
void pm_remote_queue(struct pm_slab *slab)
{
	struct llist_node *node = &slab->remote_node, *next;
	struct pm_arena *owner;

	node->next = NULL;
	while (node) {
		next = node->next;
		slab = container_of(node, struct pm_slab, remote_node);
		owner = pm_heap_owner(READ_ONCE(slab->heap));
		pm_point(PM_POINT_REMOTE_OWNER);
		llist_add(node, &owner->remote);
		node = next;
		/* Pairs with pm_arena_retire(): its heaps have new owners. */
		if (unlikely(smp_load_acquire(&owner->retired)))
			node = pm_llist_join(llist_del_all(&owner->remote),
					     node);
	}
}

/**
 * pm_remote_free() - leave an object to the next holder of its arena's lock
 * @heap: heap that it lies in
 * @slab: slab that it lies in
 * @index: which object of the slab it is
 *
 * The reference keeps the heap from being unmapped between the moment in
 * which the object's bit can be collected and the moment in which the slab
 * is on the list. It is passed on to the list entry, or dropped when the
 * slab was queued already: that entry has a reference of its own.
 *
 * Context: any.
 * Return: PM_SLAB_OK, or what is wrong; then nothing was changed.
 */
enum pm_slab_fault pm_remote_free(struct pm_heap *heap, struct pm_slab *slab,
				  unsigned int index)
{
	unsigned int class = slab->class, owner;
	enum pm_slab_fault fault;

	pm_heap_ref(heap);
	pm_point(PM_POINT_REMOTE_REF);
	/* Collected a moment later, the slab may have another class. */
	owner = pm_heap_owner(heap)->id;
	fault = pm_slab_put_remote(slab, index);
	pm_point(PM_POINT_REMOTE_BIT);
	if (likely(!fault))
		trace_remote_free(owner, class, 0, 1);
	/* The bit is set before @queued is read: pairs with the collector. */
	if (fault || pm_slab_set_queued(slab)) {
		pm_heap_unref(heap);
		return fault;
	}
	pm_remote_queue(slab);
	return PM_SLAB_OK;
}

/**
 * pm_remote_restart() - begin again in the child of a fork()
 * @arena: the owner
 * @heap: one of its heaps
 *
 * Some remote frees of objects in @heap had begun. Those that are visible by
 * their bit are queued, the others never happened. Without this:
 *
 *	another thread of the parent	the child
 *	----------------------------	---------
 *	heap->remote_refs + 1
 *	sets the remote bit
 *	xchg(queued, 1) was 0
 *					fork()
 *	adds the slab to the list	frees an object of the slab: queued is
 *					1, so the slab is on the list; it is
 *					not, and stays away from it for ever
 *
 * the slab's remote frees would never come in, and the heap never go.
 *
 * A heap's first word of a remote free is its reference, and what a child
 * sees of its parent is a prefix of what each thread did: a heap without
 * references has none under way. So children of a large process do not walk
 * all of its slabs.
 *
 * Context: the child's one thread; the arena's remote list is empty.
 */
void pm_remote_restart(struct pm_arena *arena, struct pm_heap *heap)
{
	struct pm_slab *slab;
	unsigned int unit;
	long refs = 0;

	if (!pm_heap_has_refs(heap))
		return;
	for (unit = 0; (slab = pm_heap_slab_at(heap, unit)); unit++) {
		if (!pm_slab_restart(slab))
			continue;
		llist_add(&slab->remote_node, &arena->remote);
		refs++;
	}
	pm_heap_set_refs(heap, refs);
}
