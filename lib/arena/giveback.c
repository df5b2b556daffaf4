// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Giving back, within an arena: from the depots to the slabs, from the slabs
 * to the heaps, from the heaps to the host.
 *
 * The idea. Memory that was just freed is the likeliest to be wanted again. So
 * it stays for the decay time, and goes when it was not needed for that long.
 *
 * What is beyond a bound goes at once: see back/keep.c.
 *
 * The limits. This happens when somebody takes the arena's lock: see decay.c for
 * those that nobody uses.
 */
#include "arena/arena.h"
#include "arena/depots.h"
#include "back/heap.h"
#include "base/options.h"
#include "base/trace.h"

/**
 * pm_arena_shrink_depot() - give objects of a depot to their slabs, the oldest first
 * @arena: the arena
 * @class: class of the depot
 * @n: how many
 *
 * Context: arena lock held.
 */
void pm_arena_shrink_depot(struct pm_arena *arena, unsigned int class,
				  unsigned int n)
{
	void *objs[PM_BATCH_MAX];
	unsigned int got;

	lockdep_assert_held(&arena->lock);
	while (n) {
		got = pm_arena_depot_take_oldest(arena, class, objs,
						 min_t(unsigned int, n, PM_BATCH_MAX));
		if (!got)
			break;
		pm_arena_put(arena, class, objs, got);
		n -= got;
	}
}

/**
 * pm_arena_flush_depots() - give the objects of all depots to their slabs
 * @arena: the arena
 *
 * Context: arena lock held.
 */
void pm_arena_flush_depots(struct pm_arena *arena)
{
	unsigned int class;

	lockdep_assert_held(&arena->lock);
	pm_for_each_class(class)
		pm_arena_shrink_depot(arena, class,
				      pm_depot_nr(&arena->depot[class]));
}

/* Their memory goes too, until they are needed again. */
static void pm_arena_release_depots(struct pm_arena *arena)
{
	unsigned int class;

	lockdep_assert_held(&arena->lock);
	pm_for_each_class(class)
		if (!pm_depot_nr(&arena->depot[class]))
			pm_depot_destroy(&arena->depot[class], class);
}

/* What a depot did not need for a decay time goes to the slabs. */
static void pm_arena_decay_depots(struct pm_arena *arena)
{
	unsigned int class, n;

	pm_for_each_class(class) {
		n = pm_arena_depot_surplus(arena, class);
		if (n)
			pm_arena_shrink_depot(arena, class, n);
		pm_depot_decayed(&arena->depot[class]);
	}
}

/**
 * pm_arena_purge_heap() - give the pages of a heap's free units back
 * @arena: the owner
 * @heap: the heap
 * @most: units that are to go
 *
 * Context: arena lock held.
 * Return: bytes given back.
 */
size_t pm_arena_purge_heap(struct pm_arena *arena, struct pm_heap *heap,
			   size_t most)
{
	size_t bytes = pm_heap_purge(heap, most);

	lockdep_assert_held(&arena->lock);
	pm_arena_less_dirty(arena, bytes / PM_UNIT_SIZE);
	return bytes;
}

/*
 * Free units of an arena go back to the host, @most of them, or more where a
 * whole heap goes: but the last one only if @everything is to go. The heaps that
 * are looked at first for a slab come last.
 */
static size_t pm_arena_purge(struct pm_arena *arena, size_t most,
			     bool everything)
{
	u64 begin = pm_trace_begin(arena_purge);
	struct pm_heap *heap, *next;
	size_t units = 0, bytes;

	lockdep_assert_held(&arena->lock);
	list_for_each_entry_safe_reverse(heap, next, &arena->heaps, node) {
		if (units >= most)
			break;
		if (pm_heap_may_go(heap) &&
		    (everything || arena->nr_heaps > 1)) {
			units += pm_heap_nr_dirty(heap);
			pm_arena_unmap_heap(arena, heap);
		} else {
			units += pm_arena_purge_heap(arena, heap,
						     most - units) /
				 PM_UNIT_SIZE;
		}
	}
	bytes = units * PM_UNIT_SIZE;
	arena->stats.purged += bytes;
	if (bytes)
		trace_arena_purge(arena->id, 0, pm_trace_since(begin), bytes);
	return bytes;
}

/**
 * pm_arena_release_class() - free slabs of a class go back, the last one, too
 * @arena: the arena
 * @class: class number
 *
 * Context: arena lock held.
 */
void pm_arena_release_class(struct pm_arena *arena, unsigned int class)
{
	struct pm_slab *slab, *next;

	lockdep_assert_held(&arena->lock);
	list_for_each_entry_safe(slab, next, &arena->partial[class], node)
		if (pm_slab_is_free(slab)) {
			list_del(&slab->node);
			pm_arena_put_slab(arena, slab);
		}
}

/* Those of all classes. */
static void pm_arena_release_slabs(struct pm_arena *arena)
{
	unsigned int class;

	pm_for_each_class(class)
		pm_arena_release_class(arena, class);
}

/* Units that were not needed for the decay time go. */
static void pm_arena_give_back_idle(struct pm_arena *arena)
{
	unsigned int idle = arena->idle_units, gone;

	pm_arena_release_slabs(arena);
	gone = pm_arena_purge(arena, idle, false) / PM_UNIT_SIZE;
	/* A host that takes whole heaps only leaves the others' units. */
	WRITE_ONCE(arena->stuck_units, idle > gone ? idle - gone : 0);
}

/**
 * pm_arena_decay() - give back what was not needed for the decay time
 * @arena: the arena
 *
 * Once per decay time, from the
 * depots to the slabs, from the slabs to the heaps, from the heaps to the host.
 *
 * Context: arena lock held.
 * Return: whether it was time.
 */
bool pm_arena_decay(struct pm_arena *arena)
{
	u64 now = pm_host_clock_coarse_ns();
	u64 decay = (u64)pm_options.decay_ms * 1000000;

	lockdep_assert_held(&arena->lock);
	if (now - arena->decayed_at < decay)
		return false;
	arena->decayed_at = now;
	pm_arena_decay_depots(arena);
	if (arena->idle_units)
		pm_arena_give_back_idle(arena);
	arena->idle_units = arena->dirty_units;
	return true;
}

/**
 * pm_arena_shed() - give back free memory that is beyond what is kept
 * @arena: the arena
 * @bytes: about how much
 *
 * Context: arena lock held.
 * Return: bytes that went back.
 */
size_t pm_arena_shed(struct pm_arena *arena, size_t bytes)
{
	lockdep_assert_held(&arena->lock);
	return pm_arena_purge(arena, DIV_ROUND_UP(bytes, PM_UNIT_SIZE), false);
}

/**
 * pm_arena_bring_home() - see that no free object keeps a heap from being free
 * @arena: the arena
 *
 * What is in depots and inboxes goes into slabs, and slabs without an object in use
 * to their heaps.
 *
 * Context: arena lock held.
 */
void pm_arena_bring_home(struct pm_arena *arena)
{
	pm_arena_flush_depots(arena);
	/* What the depots sent on may have come back. */
	pm_arena_collect(arena);
	pm_arena_release_slabs(arena);
}

/**
 * pm_arena_trim() - give back everything that is free
 * @arena: the arena
 *
 * Context: arena lock held.
 * Return: bytes that went back to the host.
 */
size_t pm_arena_trim(struct pm_arena *arena)
{
	size_t before = arena->stats.purged;

	lockdep_assert_held(&arena->lock);
	pm_arena_bring_home(arena);
	pm_arena_release_depots(arena);
	pm_arena_purge(arena, SIZE_MAX, true);
	return arena->stats.purged - before;
}

/**
 * pm_arena_free_bytes() - bytes of an arena's heaps and depots that no object takes
 * @arena: the arena
 *
 * Those in magazines do not count as free.
 *
 * Context: arena lock held.
 */
size_t pm_arena_free_bytes(struct pm_arena *arena)
{
	long bytes = arena->heap_bytes;
	unsigned int class;

	lockdep_assert_held(&arena->lock);
	pm_arena_collect(arena);
	pm_for_each_class(class)
		bytes -= (arena->nr_out[class] -
			  (long)pm_depot_nr(&arena->depot[class])) *
			 (long)pm_class_bytes(class);
	return max_t(long, bytes, 0);
}
