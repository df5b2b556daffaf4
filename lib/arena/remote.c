// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Remote frees.
 *
 * The trick: a slab is queued once, however many of its objects come back,
 * for its word @queued says whether it is on a list already. So a free costs
 * two atomic operations, and three when it is the slab's first.
 *
 * Steps, as in remote.pml:
 *
 *	A  pm_remote_free() takes a reference to the heap
 *	B  it sets the object's remote bit, an atomic OR
 *	C  it sets queued, an exchange; if that was set before, the reference
 *	   is dropped, and it is done
 *	D  pm_remote_queue() puts the slab on the remote list
 *	E  pm_arena_collect_remote() takes the list
 *	F  it clears queued, an exchange
 *	G  it takes the remote bits in, an exchange
 *	H  it drops the reference that came with the entry
 *	I  pm_heap_may_go() lets a heap go that has no references
 *
 * What is lost without each:
 *
 *   - Without A, or with A after B: as soon as the bit is set a collector takes the
 *     object in (G), when another thread queued the slab for it; if it was the heap's
 *     last one the heap goes (I), and C and D touch what is no more.
 *   - Were B a load and a store, two frees of one slab would lose a bit.
 *   - B before C, F before G: the two exchanges are full barriers and each other's
 *     partners. Either C finds queued clear and D follows, or B came before F and
 *     G sees the bit. With G before F:
 *
 *	free			holder of the lock
 *	----			------------------
 *				G takes the bits in
 *	B sets its bit
 *	C finds queued set
 *				F clears queued
 *
 *     the bit is set and the slab on no list, until its next remote free.
 *   - Without C's look the slab would be on the list twice: the list breaks.
 *   - Were the reference of C dropped before D, or not looked at in I, the heap
 *     could go while its slab is about to be queued. So it passes to the entry.
 *   - A slab that is cut again keeps queued and its place on the list: a free of
 *     its former life may stand between C and D.
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
		owner = pm_heap_owner(pm_slab_heap(slab));	/* retire L */
		pm_stop_point(PM_STOP_REMOTE_OWNER);
		llist_add(node, &owner->remote);	/* remote D, retire M */
		node = next;
		/* retire N. Pairs with retire E: its heaps have new owners. */
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
	unsigned int class = pm_slab_class(slab), owner;
	enum pm_slab_fault fault;

	pm_inside_begin();
	pm_heap_ref(heap);				/* remote A */
	pm_stop_point(PM_STOP_REMOTE_REF);
	/* Collected a moment later, the slab may have another class. */
	owner = pm_heap_owner(heap)->id;
	fault = pm_slab_put_remote(slab, index);	/* remote B */
	pm_stop_point(PM_STOP_REMOTE_BIT);
	if (likely(!fault))
		trace_remote_free(owner, class, 0, 1);
	/* remote C. Pairs with remote F: the bit is set before @queued is read. */
	if (fault || pm_slab_set_queued(slab)) {
		pm_heap_unref(heap);
		pm_inside_end();
		return fault;
	}
	pm_remote_queue(slab);
	pm_inside_end();
	return PM_SLAB_OK;
}

/**
 * pm_remote_restart() - begin again in the child of a fork()
 * @arena: the owner
 * @heap: one of its heaps
 *
 * standstill I. Some remote frees of objects in @heap had begun. Those that are visible by
 * their bit are queued, the others never happened. Without this::
 *
 *	another thread of the parent	the child
 *	----------------------------	---------
 *	heap->remote_refs + 1
 *	sets the remote bit
 *	xchg(queued, 1) was 0
 *					fork()
 *	adds the slab to the list	frees an object of the slab: queued is
 *					1, so the slab is on the list; it is
 *					not, and never comes to it again
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
