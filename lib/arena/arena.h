/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Arenas: one per CPU, each a mutex and the heaps behind it.
 *
 * Lock order, outermost first:
 *
 *   the inflight lock		looking for a free object; see front/inflight.h
 *   pm_registry		which arenas exist; never waited for within an
 *				SRCU section, because retiring waits for those
 *   pm_mag_lock			which magazines exist, and draining them
 *   SRCU section		existence of arenas and their descriptors
 *   pm_arena.lock		one arena; two only when one adopts the other's
 *				heaps, lower number first
 *   large lock			the extents
 *   the platform's page lock
 */
#ifndef PM_ARENA_H
#define PM_ARENA_H

#include "platform.h"
#include "back/class.h"
#include "arena/batch.h"
#include "arena/depot.h"
#include "arena/lockstat.h"
#include "back/slab.h"

struct pm_heap;

/**
 * struct pm_arena_stats - what happened in an arena
 * @remote_in: objects that came home without the lock
 * @local_free: objects that came home under the lock
 * @batches_in: batches that came from a magazine
 * @batches_out: batches that went to one
 * @inbox_in: batches that came in through the inbox
 * @heap_maps: heaps obtained
 * @heap_unmaps: heaps given back
 * @purged: bytes given back by purging
 * @adopted: heaps taken over from retired arenas
 * @lent: times that it served a thread whose own arena could not grow
 *
 * Guarded by the arena's lock. What happened at the lock itself is in
 * lockstat.h.
 */
struct pm_arena_stats {
	u64 remote_in;
	u64 local_free;
	u64 batches_in;
	u64 batches_out;
	u64 inbox_in;
	u64 heap_maps;
	u64 heap_unmaps;
	u64 purged;
	u64 adopted;
	u64 lent;
};

/**
 * struct pm_arena - an arena
 * @lock: guards everything below that is not said to be guarded otherwise
 * @id: number, index in the table: the CPU's number with arena=cpu; set
 *	before the arena is published
 * @retired: no longer linked; whoever gets the lock must look elsewhere
 * @forsaken: likewise, and nobody enters it any more: see pm_arena_forsake()
 * @lockstat: who holds the lock, how often it was taken
 * @held_since: when the lock was taken, if somebody listens to holds; else 0
 * @held_class: on whose behalf that was
 * @nr_heaps: heaps on @heaps
 * @heap_bytes: their size
 * @dirty_units: units to purge in them
 * @stuck_units: those of them that could not be purged when that was tried last
 * @watch_units: so many of them are worth a look at what all arenas keep
 * @idle_units: fewest of them since the last decay: those were not needed since
 * @decayed_at: coarse time of the last look at what is not needed
 * @heaps: all heaps
 * @partial: per class, slabs with free objects
 * @slab_bytes: bytes of slabs
 * @nr_out: per class, objects not in their slab
 * @nr_taken: per class, objects taken from slabs since the beginning
 * @nr_acquired: per class, times that the lock was taken on its behalf
 * @stats: what happened here
 * @depot: per class, free objects that magazines exchange with
 * @depot_bytes: bytes of all that is in them
 * @inbox: batches for the depot from those who found the lock busy
 *	[lock-less]
 * @remote: slabs with objects that were freed without the lock [lock-less]
 * @node: place in the list of arenas [registry; readers RCU]
 * @waits: what happened to those who found the lock held
 */
struct pm_arena {
	struct mutex lock;
	unsigned int id;
	bool retired;
	bool forsaken;
	struct pm_lockstat lockstat;
	u64 held_since;
	unsigned int held_class;
	unsigned int nr_heaps;
	size_t heap_bytes;
	size_t slab_bytes;
	unsigned int dirty_units;
	unsigned int stuck_units;
	unsigned int watch_units;
	unsigned int idle_units;
	u64 decayed_at;
	struct list_head heaps;
	struct list_head partial[PM_CLASS_END];
	long nr_out[PM_CLASS_END];
	u64 nr_taken[PM_CLASS_END];
	u64 nr_acquired[PM_CLASS_END];
	struct pm_arena_stats stats;
	struct pm_depot depot[PM_CLASS_END];
	size_t depot_bytes;
	struct llist_head inbox ____cacheline_aligned_in_smp;
	struct llist_head remote;
	struct list_head node;
	struct pm_lockwait waits ____cacheline_aligned_in_smp;
};

/**
 * pm_arena_id() - number of an arena
 * @arena: the arena
 */
static inline unsigned int pm_arena_id(const struct pm_arena *arena)
{
	return arena->id;
}

/**
 * pm_arena_is_forsaken() - whether an arena is out of use, with all it has
 * @arena: the arena
 *
 * Context: any. It was so from the beginning of this process, or never is.
 */
static inline bool pm_arena_is_forsaken(const struct pm_arena *arena)
{
	return unlikely(READ_ONCE(arena->forsaken));
}

/**
 * pm_arena_is_in_use() - whether whoever has an arena's lock may use the arena
 * @arena: the arena
 *
 * Context: arena lock held.
 */
static inline bool pm_arena_is_in_use(const struct pm_arena *arena)
{
	return likely(!arena->retired) && !pm_arena_is_forsaken(arena);
}

/**
 * pm_arena_has_free_heap() - whether so much of an arena is free that a heap may be
 * @arena: the arena
 *
 * Context: any.
 * Return: a hint.
 */
static inline bool pm_arena_has_free_heap(const struct pm_arena *arena)
{
	return READ_ONCE(arena->heap_bytes) >=
	       READ_ONCE(arena->slab_bytes) + (1UL << PM_HEAP_SHIFT);
}

/* dirty.c */
void pm_arena_watch(struct pm_arena *arena);
void pm_arena_more_dirty(struct pm_arena *arena, unsigned int units);
void pm_arena_less_dirty(struct pm_arena *arena, unsigned int units);
size_t pm_arena_kept(const struct pm_arena *arena);

/* arena.c: what happens while the lock is held */
struct pm_arena *pm_arena_make(gfp_t gfp);
void pm_arena_delete(struct pm_arena *arena);
struct pm_heap *pm_arena_map_heap(struct pm_arena *arena, unsigned int class,
				  gfp_t gfp);
void pm_arena_unmap_heap(struct pm_arena *arena, struct pm_heap *heap);
struct pm_slab *pm_arena_cut_slab(struct pm_arena *arena, struct pm_heap *heap,
				  unsigned int class);
void pm_arena_put_slab(struct pm_arena *arena, struct pm_slab *slab);
unsigned int pm_arena_take(struct pm_arena *arena, unsigned int class,
			   void **objs, unsigned int n);
enum pm_slab_fault pm_arena_put_object(struct pm_arena *arena,
				       struct pm_slab *slab,
				       unsigned int index);
void pm_arena_put(struct pm_arena *arena, unsigned int class, void **objs,
		  unsigned int n);
void pm_arena_put_batch(struct pm_arena *arena, unsigned int class,
			void **objs, unsigned int n);
void pm_arena_collect(struct pm_arena *arena);
struct pm_heap *pm_arena_find_heap(struct pm_arena *arena, const void *obj);

/* giveback.c */
size_t pm_arena_purge_heap(struct pm_arena *arena, struct pm_heap *heap,
			   size_t most);
void pm_arena_flush_depots(struct pm_arena *arena);
void pm_arena_bring_home(struct pm_arena *arena);
bool pm_arena_decay(struct pm_arena *arena);
size_t pm_arena_shed(struct pm_arena *arena, size_t bytes);
size_t pm_arena_trim(struct pm_arena *arena);
size_t pm_arena_free_bytes(struct pm_arena *arena);
void pm_arena_shrink_depot(struct pm_arena *arena, unsigned int class,
			   unsigned int n);
void pm_arena_release_class(struct pm_arena *arena, unsigned int class);

/* oneclass.c: what an arena has of one class */
void pm_arena_flush_depot(struct pm_arena *arena, unsigned int class);
size_t pm_arena_shrink_class(struct pm_arena *arena, unsigned int class);
size_t pm_arena_nr_out(const struct pm_arena *arena, unsigned int class);
void *pm_arena_find_out(struct pm_arena *arena, unsigned int class);
void pm_arena_forget_class(struct pm_arena *arena, unsigned int class);

/* enter.c: the lock */
bool pm_arena_trylock(struct pm_arena *arena);
void pm_arena_lock_uncounted(struct pm_arena *arena);
void pm_arena_lock_two(struct pm_arena *a, struct pm_arena *b);
void pm_arena_unlock(struct pm_arena *arena);
void pm_arena_contended(struct pm_arena *arena, unsigned int class);
void pm_arena_wait(struct pm_arena *arena, unsigned int class);
void pm_arena_lock(struct pm_arena *arena, unsigned int class);
void pm_arena_enter(struct pm_arena *arena, unsigned int class);
bool pm_arena_enter_or_unlock(struct pm_arena *arena, unsigned int class);
bool pm_arena_leave(struct pm_arena *arena);

/* adopt.c */
void pm_arena_adopt_accounts(struct pm_arena *to, struct pm_arena *from);
bool pm_arena_adopt_free_heap(struct pm_arena *to, struct pm_arena *from,
			      size_t least);
void pm_arena_adopt(struct pm_arena *to, struct pm_arena *from);
void pm_arena_set_retired(struct pm_arena *arena);
void pm_arena_restart(struct pm_arena *arena);
void pm_arena_restart_lock(struct pm_arena *arena);
void pm_arena_forsake(struct pm_arena *arena);
void pm_arena_restart_inside(struct pm_arena *arena);
void pm_arena_halt(struct pm_arena *arena);
void pm_arena_resume(struct pm_arena *arena);
void pm_arena_abandon(struct pm_arena *arena);

#endif /* PM_ARENA_H */
