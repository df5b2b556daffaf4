// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What an arena does once: hand everything over to an heir, begin again in a
 * child, give everything back.
 */
#include "arena/arena.h"
#include "arena/remote.h"
#include "back/heap.h"

/**
 * pm_arena_adopt_accounts() - an arena's lock accounts become another one's
 * @to: the heir
 * @from: the arena, whose accounts are 0 afterwards
 *
 * Context: both locks are held.
 */
void pm_arena_adopt_accounts(struct pm_arena *to, struct pm_arena *from)
{
	unsigned int class;

	lockdep_assert_held(&to->lock);
	lockdep_assert_held(&from->lock);
	for (class = 0; class < pm_class_end(); class++) {
		to->nr_acquired[class] += from->nr_acquired[class];
		from->nr_acquired[class] = 0;
	}
	pm_lockstat_adopt(&to->lockstat, &from->lockstat);
	pm_lockwait_adopt(&to->waits, &from->waits);
}

/**
 * pm_arena_adopt_free_heap() - a heap that an arena does not need becomes another one's
 * @to: the heir
 * @from: the arena, which stays in use
 * @least: bytes of the slab that it is wanted for
 *
 * Nobody has an object of such a heap on the way to the wrong owner: an object
 * that is in a magazine, a depot, an inbox or in somebody's hands is out of its
 * slab, and then the heap is not free.
 *
 * Context: both locks are held, and pm_registry: figures move.
 * Return: whether there was one.
 */
bool pm_arena_adopt_free_heap(struct pm_arena *to, struct pm_arena *from,
			      size_t least)
{
	struct pm_heap *heap;

	lockdep_assert_held(&to->lock);
	lockdep_assert_held(&from->lock);
	list_for_each_entry(heap, &from->heaps, node) {
		if (!pm_heap_may_go(heap) || pm_heap_bytes(heap) < least)
			continue;
		list_del(&heap->node);
		list_add_tail(&heap->node, &to->heaps);
		pm_heap_set_owner(heap, to, &to->lock);
		from->nr_heaps--;
		to->nr_heaps++;
		WRITE_ONCE(from->heap_bytes, from->heap_bytes - pm_heap_bytes(heap));
		WRITE_ONCE(to->heap_bytes, to->heap_bytes + pm_heap_bytes(heap));
		pm_arena_less_dirty(from, pm_heap_nr_dirty(heap));
		pm_arena_more_dirty(to, pm_heap_nr_dirty(heap));
		to->stats.adopted++;
		return true;
	}
	return false;
}

/**
 * pm_arena_adopt() - everything that an arena has becomes another one's
 * @to: the heir
 * @from: the arena, empty afterwards
 *
 * Context: both locks are held.
 */
void pm_arena_adopt(struct pm_arena *to, struct pm_arena *from)
{
	struct pm_heap *heap;
	unsigned int class;

	lockdep_assert_held(&to->lock);
	lockdep_assert_held(&from->lock);
	list_for_each_entry(heap, &from->heaps, node) {
		pm_heap_set_owner(heap, to, &to->lock);
		to->stats.adopted++;
	}
	list_splice_init(&from->heaps, &to->heaps);
	pm_for_each_class(class) {
		list_splice_init(&from->partial[class], &to->partial[class]);
		to->nr_out[class] += from->nr_out[class];
		to->nr_taken[class] += from->nr_taken[class];
		from->nr_out[class] = 0;
		from->nr_taken[class] = 0;
	}
	pm_arena_adopt_accounts(to, from);
	to->nr_heaps += from->nr_heaps;
	WRITE_ONCE(to->heap_bytes, to->heap_bytes + from->heap_bytes);
	WRITE_ONCE(to->slab_bytes, to->slab_bytes + from->slab_bytes);
	pm_arena_more_dirty(to, from->dirty_units);
	to->stats.remote_in += from->stats.remote_in;
	to->stats.local_free += from->stats.local_free;
	to->stats.heap_maps += from->stats.heap_maps;
	to->stats.heap_unmaps += from->stats.heap_unmaps;
	to->stats.purged += from->stats.purged;
	to->stats.batches_in += from->stats.batches_in;
	to->stats.batches_out += from->stats.batches_out;
	to->stats.inbox_in += from->stats.inbox_in;
	to->stats.adopted += from->stats.adopted;
	to->stats.lent += from->stats.lent;
	from->nr_heaps = 0;
	WRITE_ONCE(from->heap_bytes, 0);
	WRITE_ONCE(from->slab_bytes, 0);
	pm_arena_less_dirty(from, from->dirty_units);
	memset(&from->stats, 0, sizeof(from->stats));
}

/**
 * pm_arena_set_retired() - say of an arena that it is out of use
 * @arena: arena whose heaps have their new owner
 *
 * Context: arena lock held.
 */
void pm_arena_set_retired(struct pm_arena *arena)
{
	lockdep_assert_held(&arena->lock);
	/* retire E. Pairs with retire N: a reader that sees it sees the new owner. */
	smp_store_release(&arena->retired, true);
}

/**
 * pm_arena_restart() - begin again in the child of a fork()
 * @arena: the arena, its lock held or not
 *
 * What the lock guards is whole, for the forking thread held it. Other threads
 * of the parent may have been anywhere in what is done without a lock, and
 * they are not here to go on.
 *
 * Context: the child's one thread, which was not inside.
 */
void pm_arena_restart(struct pm_arena *arena)
{
	struct llist_node *node;
	struct pm_heap *heap;

	(void)llist_del_all(&arena->remote);
	list_for_each_entry(heap, &arena->heaps, node)
		pm_remote_restart(arena, heap);
	for (node = arena->inbox.first; node; node = node->next)
		pm_batch_keep(container_of(node, struct pm_batch, node));
	pm_arena_restart_lock(arena);
}

/**
 * pm_arena_restart_lock() - make an arena's lock new in the child of a fork()
 * @arena: the arena
 *
 * All that can be done when the forking thread was in the middle of something
 * here: it goes on with it. What other threads had begun without a lock stays
 * half done.
 *
 * Context: the child's one thread.
 */
void pm_arena_restart_lock(struct pm_arena *arena)
{
	if (!pm_mutex_restart(&arena->lock))
		return;
	pm_lockwait_restart(&arena->waits);
	pm_lockstat_restart(&arena->lockstat);
	arena->held_since = 0;
}

/**
 * pm_arena_forsake() - an arena is of no use any more, with all it has
 * @arena: the arena
 *
 * Its number leads to another arena. A thread that finds it on the list, or has
 * waited for its lock, looks for another; what is freed stays where it is, as if
 * its lock were always held.
 *
 * Context: the child's one thread.
 */
void pm_arena_forsake(struct pm_arena *arena)
{
	WRITE_ONCE(arena->forsaken, true);
}

/**
 * pm_arena_restart_inside() - begin again with an arena in use, in such a child
 * @arena: the arena
 *
 * Its lock may be held by a thread that is not here, and that was in the middle
 * of a change: it may have been forking over it as well.
 *
 * Context: the child's one thread, which was inside.
 */
void pm_arena_restart_inside(struct pm_arena *arena)
{
	if (pm_mutex_is_others(&arena->lock))		/* handler H */
		pm_arena_forsake(arena);
	pm_arena_restart_lock(arena);
}

/**
 * pm_arena_abandon() - give back all heaps of an arena
 * @arena: the arena
 *
 * Heaps with live objects go too: nobody is left to use them.
 *
 * Context: nobody uses the allocator any more.
 */
void pm_arena_abandon(struct pm_arena *arena)
{
	struct pm_heap *heap, *next;

	pm_arena_lock_uncounted(arena);
	list_for_each_entry_safe(heap, next, &arena->heaps, node) {
		pm_heap_abandon(heap);
		pm_arena_unmap_heap(arena, heap);
	}
	pm_arena_unlock(arena);
}
