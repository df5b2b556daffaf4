// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Arenas: the mutexes of a per-CPU allocator.
 *
 * The idea. An allocator that is safe for threads needs a lock somewhere.
 * With one lock per CPU two threads meet only when one was preempted while
 * it held the lock, or migrated after it chose: the number of a CPU is a
 * hint about where contention is unlikely, never a promise. So every path
 * here works whatever CPU it runs on, and the number is asked for once, at
 * the start of pm_malloc_lock().
 *
 * Existence. Arenas hang on a list that is read under SRCU and written under
 * pm_registry. A reader may sleep on an arena's mutex within its read-side
 * section: that is why it is SRCU and not RCU.
 *
 * Retiring an arena R in favour of a survivor S:
 *
 *	retire				somebody else
 *	------				-------------
 *	lock registry
 *	table[R] = NULL, unlink R	still sees R: in the table before, on
 *					the list, or as heap->arena
 *	lock R and S
 *	heaps: arena = S, partial
 *	  slabs, figures to S
 *	retired = true
 *	unlock both
 *	synchronize_srcu()		its section ends
 *	take R's remote list once more
 *	R goes to the spares
 *
 * What would be lost without each step:
 *   - Without @retired: a reader that had picked R before the unlink and got
 *     the lock after the adoption would build new slabs in an arena that
 *     nobody will ever find again. It checks, unlocks, and picks anew.
 *   - Without the check of heap->arena under the lock: a free that read
 *     heap->arena == R before the adoption, and got R's lock after it, would
 *     change S's bitmaps without S's lock. It compares and tries again.
 *   - Without the second look at the remote list: a free that read R, found
 *     the lock busy (the adoption holds it) and added its slab to R's list
 *     after the adoption emptied that, would leave the object there for ever.
 *     Such a free is inside an SRCU section that began before the unlock, so
 *     it has ended when synchronize_srcu() returns. The list's new entries
 *     go to the slabs' present owner.
 *   - Without the look at @retired after an entry: a depot that gives R's
 *     objects back does so under its own arena's lock and in no section, so
 *     it may read R as the owner and add its entry after the second look.
 *     It then sees @retired, and takes the entry to the new owner itself.
 *   - Without the grace period R's memory could be another arena's while a
 *     reader still holds a pointer to it.
 */
#include "pmalloc.h"
#include "arena/arena.h"
#include "back/heap.h"
#include "back/large.h"
#include "front/magazine.h"
#include "base/options.h"
#include "back/pagemap.h"
#include "base/trace.h"
#include "base/check.h"

DEFINE_SRCU(pm_srcu);
DEFINE_MUTEX(pm_registry);
LIST_HEAD(pm_arenas);

/* Slots of the table; 0 until pm_arena_init(), constant after. */
unsigned int pm_nr_arena_slots __read_mostly;

/* Arenas by number. [written under the registry; readers SRCU] */
struct pm_arena **pm_arena_table __read_mostly;

/* Odd while an arena's figures move to its heir. [registry] */
u32 pm_arenas_seq;

/*
 * Retired arenas after their grace period, for reuse. [registry] Their
 * memory never becomes anything but an arena again, so that a look at a
 * stale one finds a lock and @retired.
 */
static LIST_HEAD(pm_spare_arenas);

/* ---- existence --------------------------------------------------------- */

/**
 * pm_arena_init() - read the options, make the table
 * @gfp: context
 *
 * Called on the way to the first arena; cheap when done already.
 *
 * Context: not within an SRCU section.
 * Return: 0, or -ENOMEM; a later call tries again.
 */
int pm_arena_init(gfp_t gfp)
{
	struct pm_arena **table;
	unsigned int slots;

	mutex_lock(&pm_registry);
	if (pm_nr_arena_slots) {
		mutex_unlock(&pm_registry);
		return 0;
	}
	pm_options_parse(pm_host_options());
	pm_mag_init(gfp);
	slots = pm_options.arenas;
	if (!slots || slots > 64 * pm_host_nr_cpus())
		slots = pm_options.policy->arenas();
	table = pm_meta_alloc(slots * sizeof(struct pm_arena *), gfp);
	if (!table) {
		mutex_unlock(&pm_registry);
		return -ENOMEM;
	}
	pm_arena_table = table;
	/* Publishes the table to pm_arena_ready(). */
	smp_store_release(&pm_nr_arena_slots, slots);
	mutex_unlock(&pm_registry);
	pm_host_started();
	return 0;
}

/**
 * pm_arena_ready() - whether the table exists
 *
 * Return: true after the first pm_arena_init() that returned 0.
 */
bool pm_arena_ready(void)
{
	/* Pairs with pm_arena_init(): the table is there before its length. */
	return smp_load_acquire(&pm_nr_arena_slots) != 0;
}

/**
 * pm_arena_at() - arena of a number
 * @id: number
 *
 * Context: SRCU section, or pm_registry held.
 * Return: arena, or NULL when there is none now.
 */
struct pm_arena *pm_arena_at(unsigned int id)
{
	if (!pm_arena_ready() || id >= pm_nr_arena_slots)
		return NULL;
	/* Pairs with pm_arena_create(): the arena is complete. */
	return smp_load_acquire(&pm_arena_table[id]);
}

static struct pm_arena *pm_arena_new(gfp_t gfp)
{
	struct pm_arena *arena;
	unsigned int class;

	lockdep_assert_held(&pm_registry);
	if (!list_empty(&pm_spare_arenas)) {
		arena = list_first_entry(&pm_spare_arenas, struct pm_arena,
					 node);
		list_del(&arena->node);
		return arena;
	}
	arena = pm_meta_alloc(sizeof(*arena), gfp);
	if (!arena)
		return NULL;
	mutex_init(&arena->lock);
	INIT_LIST_HEAD(&arena->heaps);
	for (class = 0; class < PM_NR_CLASSES; class++)
		INIT_LIST_HEAD(&arena->partial[class]);
	return arena;
}

/**
 * pm_arena_create() - make the arena of a number
 * @id: number
 * @gfp: context
 *
 * Context: not within an SRCU section.
 * Return: whether there is such an arena now.
 */
static bool pm_arena_create(unsigned int id, gfp_t gfp)
{
	struct pm_arena *arena;

	mutex_lock(&pm_registry);
	arena = pm_arena_table[id];
	if (arena)
		goto out;
	arena = pm_arena_new(gfp);
	if (!arena)
		goto out;
	pm_arena_lock_quiet(arena);
	arena->id = id;
	WRITE_ONCE(arena->retired, false);
	pm_arena_unlock(arena);
	list_add_tail_rcu(&arena->node, &pm_arenas);
	/* Pairs with pm_arena_at(): the arena is complete before its number. */
	smp_store_release(&pm_arena_table[id], arena);
	trace_arena_create(id, 0, 0, 0);
out:
	mutex_unlock(&pm_registry);
	return arena;
}

/* ---- the lock ---------------------------------------------------------- */

/*
 * Every way to an arena's lock leads through one of these, so that the lock's
 * accounts always say who holds it. What counts as an acquisition is said by
 * pm_arena_enter(), and what counts as contention by those who want to enter.
 */
static bool pm_arena_trylock_quiet(struct pm_arena *arena)
{
	if (unlikely(!mutex_trylock(&arena->lock)))
		return false;
	pm_lockstat_enter(&arena->lockstat);
	return true;
}

/**
 * pm_arena_lock_quiet() - lock an arena and leave no trace in its figures
 * @arena: the arena
 *
 * For those who want nothing from it: to look at figures, to fork, to retire.
 *
 * Context: may sleep.
 */
void pm_arena_lock_quiet(struct pm_arena *arena)
{
	mutex_lock(&arena->lock);
	pm_lockstat_enter(&arena->lockstat);
}

/**
 * pm_arena_unlock() - let an arena's lock go
 * @arena: the arena
 */
void pm_arena_unlock(struct pm_arena *arena)
{
	pm_lockstat_leave(&arena->lockstat);
	mutex_unlock(&arena->lock);
}

/* A thread that wants to enter on behalf of @class has found the lock held. */
static noinline void pm_arena_contended(struct pm_arena *arena,
					unsigned int class)
{
	atomic_long_inc(&arena->waits.class[class].contended);
}

/* ... and waits for it. */
static noinline void pm_arena_wait(struct pm_arena *arena, unsigned int class)
{
	struct pm_sleep sleep;
	struct pm_wait wait;
	u64 ns;

	pm_lockwait_begin(&arena->waits, &arena->lockstat, class, &wait);
	sleep = mutex_lock_sleep(&arena->lock);
	pm_lockstat_enter(&arena->lockstat);
	ns = pm_lockwait_end(&arena->waits, &wait, &sleep);
	trace_arena_lock_contended(arena->id, class, ns, wait.holder.tid);
}

/* Lock @arena to enter it, and wait for as long as it takes. */
static void pm_arena_lock(struct pm_arena *arena, unsigned int class)
{
	if (likely(pm_arena_trylock_quiet(arena)))
		return;
	pm_arena_contended(arena, class);
	pm_arena_wait(arena, class);
}

/* ---- the locked arena -------------------------------------------------- */

static void pm_arena_put_slab(struct pm_arena *arena, struct pm_slab *slab)
{
	list_del(&slab->node);
	arena->slab_bytes -= pm_classes[slab->class].units * PM_UNIT_SIZE;
	if (!arena->dirty_units)
		arena->dirty_since = pm_host_clock_coarse_ns();
	pm_heap_put_slab(slab->heap, slab);
}

/*
 * @n objects have come back into @slab. A slab that was full becomes
 * partial. One that is free altogether goes back to its heap, unless its
 * class has no other: the next request would cut it anew.
 */
static void pm_arena_slab_filled(struct pm_arena *arena, struct pm_slab *slab,
				 unsigned int n)
{
	struct list_head *partial = &arena->partial[slab->class];

	lockdep_assert_held(&arena->lock);
	arena->nr_out[slab->class] -= n;
	if (slab->nr_free == n)
		list_add(&slab->node, partial);
	if (slab->nr_free == pm_slab_capacity(slab) &&
	    !list_is_singular(partial))
		pm_arena_put_slab(arena, slab);
}

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

/*
 * Put a slab on the remote list of the arena that owns it now.
 *
 * Its owner may be retired between the look at it and the entry on its list,
 * and not everybody who comes here is in a read-side section: a depot gives
 * objects to other arenas with its own arena's lock held, where none may
 * begin. So whoever finds the arena retired once the entry is there takes the
 * list back and looks again. Who finds it in use made the entry before
 * pm_arena_retire() looks at the list for the last time: the exchange in
 * llist_add() is a full barrier between entry and look, the grace period one
 * between @retired and the last look.
 */
static void pm_slab_queue(struct pm_slab *slab)
{
	struct llist_node *node = &slab->remote_node, *next;
	struct pm_arena *owner;

	node->next = NULL;
	while (node) {
		next = node->next;
		slab = container_of(node, struct pm_slab, remote_node);
		owner = READ_ONCE(READ_ONCE(slab->heap)->arena);
		pm_point(PM_POINT_REMOTE_OWNER);
		llist_add(node, &owner->remote);
		node = next;
		/* Pairs with pm_arena_retire(): its heaps have new owners. */
		if (unlikely(smp_load_acquire(&owner->retired)))
			node = pm_llist_join(llist_del_all(&owner->remote),
					     node);
	}
}

/*
 * Take in what was freed without the lock.
 *
 * A slab's @queued is cleared before its bits are collected. The other way
 * round this would be lost: collector reads the bits; a free sets its bit
 * and finds @queued set, so it does not queue; collector clears @queued. The
 * bit would wait for the next remote free, perhaps for ever.
 *
 * A slab whose heap was adopted while it was on its way to the list is
 * passed on to the present owner's list.
 */
static void pm_arena_collect(struct pm_arena *arena)
{
	struct llist_node *node = llist_del_all(&arena->remote);
	struct pm_slab *slab;
	struct pm_heap *heap;
	unsigned int n;

	lockdep_assert_held(&arena->lock);
	while (node) {
		slab = container_of(node, struct pm_slab, remote_node);
		node = node->next;
		heap = READ_ONCE(slab->heap);
		if (unlikely(READ_ONCE(heap->arena) != arena)) {
			pm_slab_queue(slab);
			continue;
		}
		/* Full barrier: pairs with the one in pm_free_remote(). */
		(void)xchg(&slab->queued, 0);
		pm_point(PM_POINT_COLLECT);
		n = slab->class ? pm_slab_collect(slab) : 0;
		if (n) {
			arena->stats.remote_in += n;
			pm_arena_slab_filled(arena, slab, n);
		}
		atomic_long_dec(&heap->remote_refs);
	}
}

/*
 * The lock is busy, or this context may not take it: leave the object to
 * the next holder.
 *
 * The reference keeps the heap from being unmapped between the moment in
 * which the object's bit can be collected and the moment in which the slab
 * is on the list. It is passed on to the list entry, or dropped when the
 * slab was queued already: that entry has a reference of its own.
 */
static enum pm_slab_fault pm_free_remote(struct pm_heap *heap,
					 struct pm_slab *slab,
					 unsigned int index)
{
	unsigned int class = slab->class, owner;
	enum pm_slab_fault fault;

	(void)atomic_long_inc_return(&heap->remote_refs);
	pm_point(PM_POINT_REMOTE_REF);
	/* Collected a moment later, the slab may have another class. */
	owner = READ_ONCE(heap->arena)->id;
	fault = pm_slab_put_remote(slab, index);
	pm_point(PM_POINT_REMOTE_BIT);
	if (likely(!fault))
		trace_remote_free(owner, class, 0, 1);
	/* The bit is set before @queued is read: pairs with the collector. */
	if (fault || xchg(&slab->queued, 1)) {
		(void)atomic_long_dec_return(&heap->remote_refs);
		return fault;
	}
	pm_slab_queue(slab);
	return PM_SLAB_OK;
}

/* ---- depots ------------------------------------------------------------ */

/*
 * The first objects of @objs, as many as share @slab, are another arena's: a
 * batch goes by its first object's owner. Return: how many there were.
 */
static unsigned int pm_arena_send_run(struct pm_heap *heap,
				      struct pm_slab *slab, void **objs,
				      unsigned int n)
{
	size_t bytes = pm_classes[slab->class].units * PM_UNIT_SIZE;
	unsigned int class = slab->class, i, index;
	char *base = slab->base;

	/* With the last of its objects the slab may go: look at it before. */
	for (i = 0; i < n; i++) {
		if ((size_t)((char *)objs[i] - base) >= bytes)
			break;
		if (unlikely(!pm_slab_index(slab, objs[i], &index)) ||
		    unlikely(pm_free_remote(heap, slab, index)))
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
		if (unlikely(heap->arena != arena)) {
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

static void pm_arena_put_objects(struct pm_arena *arena, unsigned int class,
				 void **objs, unsigned int n)
{
	unsigned int done = 0;

	while (done < n)
		done += pm_arena_put_run(arena, class, objs + done, n - done);
}

/* Into the depot what fits, into slabs the rest. */
static void pm_arena_put_batch(struct pm_arena *arena, unsigned int class,
			       void **objs, unsigned int n)
{
	unsigned int kept = 0;

	lockdep_assert_held(&arena->lock);
	arena->stats.batches_in++;
	if (likely(!arena->retired))
		kept = pm_depot_put(&arena->depot[class], class, objs, n);
	pm_arena_put_objects(arena, class, objs + kept, n - kept);
}

/* Give @n objects of a depot to their slabs, the oldest first. */
static void pm_arena_shrink_depot(struct pm_arena *arena, unsigned int class,
				  unsigned int n)
{
	struct pm_depot *depot = &arena->depot[class];
	void *objs[PM_BATCH_MAX];
	unsigned int got;

	while (n) {
		got = pm_depot_take_oldest(depot, objs,
					   min_t(unsigned int, n, PM_BATCH_MAX));
		if (!got)
			break;
		pm_arena_put_objects(arena, class, objs, got);
		n -= got;
	}
}

static void pm_arena_flush_depots(struct pm_arena *arena)
{
	unsigned int class;

	lockdep_assert_held(&arena->lock);
	for (class = 1; class < PM_NR_CLASSES; class++)
		pm_arena_shrink_depot(arena, class, arena->depot[class].nr);
}

/* Their memory goes too, until they are needed again. */
static void pm_arena_release_depots(struct pm_arena *arena)
{
	unsigned int class;

	lockdep_assert_held(&arena->lock);
	for (class = 1; class < PM_NR_CLASSES; class++)
		if (!arena->depot[class].nr)
			pm_depot_destroy(&arena->depot[class], class);
}

/* What a depot did not need for a decay time goes to the slabs. */
static void pm_arena_decay_depots(struct pm_arena *arena)
{
	struct pm_depot *depot;
	unsigned int class;

	for (class = 1; class < PM_NR_CLASSES; class++) {
		depot = &arena->depot[class];
		if (depot->low)
			pm_arena_shrink_depot(arena, class, depot->low);
		depot->low = depot->nr;
	}
}

/* Take in the batches of those who found the lock busy. */
static void pm_arena_collect_inbox(struct pm_arena *arena)
{
	struct llist_node *node = llist_del_all(&arena->inbox);
	struct pm_batch *batch;

	while (node) {
		batch = container_of(node, struct pm_batch, node);
		node = node->next;
		arena->stats.inbox_in++;
		pm_arena_put_batch(arena, batch->class, batch->obj, batch->nr);
		pm_batch_put(batch);
	}
}

/* ---- enter and leave --------------------------------------------------- */

/**
 * pm_arena_settle() - take in what was freed while the lock was busy
 * @arena: the arena
 *
 * So that figures do not call it live.
 *
 * Context: arena lock held.
 */
void pm_arena_settle(struct pm_arena *arena)
{
	lockdep_assert_held(&arena->lock);
	if (unlikely(!llist_empty(&arena->inbox)))
		pm_arena_collect_inbox(arena);
	if (unlikely(!llist_empty(&arena->remote)))
		pm_arena_collect(arena);
}

/* The lock is held for longer than need be, because somebody wants to see. */
static noinline void pm_arena_delay(unsigned long ns)
{
	u64 until = pm_host_clock_ns() + ns;

	while (pm_host_clock_ns() < until)
		cpu_relax();
}

/*
 * The lock was just taken to do something for @class: account for it and do
 * what waits for a holder.
 */
static void pm_arena_enter(struct pm_arena *arena, unsigned int class)
{
	lockdep_assert_held(&arena->lock);
	pm_lockstat_acquire(&arena->lockstat);
	/* Pairs with pm_arena_class_figures(), which takes no lock. */
	WRITE_ONCE(arena->nr_acquired[class], arena->nr_acquired[class] + 1);
	if (unlikely(READ_ONCE(pm_options.delay_ns)))
		pm_arena_delay(pm_options.delay_ns);
	pm_arena_settle(arena);
}

/*
 * For whoever has just locked @arena: enter it, or let go again when it is
 * retired. Return: whether it was entered.
 */
static bool pm_arena_admit(struct pm_arena *arena, unsigned int class)
{
	if (unlikely(arena->retired)) {
		pm_arena_unlock(arena);
		return false;
	}
	pm_arena_enter(arena, class);
	return true;
}

static void pm_arena_unmap_heap(struct pm_arena *arena, struct pm_heap *heap)
{
	u64 begin = pm_trace_begin(heap_unmap);
	size_t size = heap->nr_units * PM_UNIT_SIZE;

	pm_heap_destroy(heap);
	arena->stats.heap_unmaps++;
	trace_heap_unmap(arena->id, 0, pm_trace_since(begin), size);
}

static void pm_arena_purge_locked(struct pm_arena *arena, bool everything)
{
	u64 begin = pm_trace_begin(arena_purge);
	struct pm_heap *heap, *next;
	size_t bytes = 0;

	lockdep_assert_held(&arena->lock);
	list_for_each_entry_safe(heap, next, &arena->heaps, node) {
		if (pm_heap_is_free(heap) &&
		    !atomic_long_read(&heap->remote_refs) &&
		    (everything || arena->nr_heaps > 1)) {
			bytes += heap->nr_dirty * PM_UNIT_SIZE;
			pm_arena_unmap_heap(arena, heap);
		} else {
			bytes += pm_heap_purge(heap);
		}
	}
	arena->stats.purged += bytes;
	if (bytes)
		trace_arena_purge(arena->id, 0, pm_trace_since(begin), bytes);
}

static void pm_arena_release_empty(struct pm_arena *arena)
{
	struct pm_slab *slab, *next;
	unsigned int class;

	for (class = 1; class < PM_NR_CLASSES; class++)
		list_for_each_entry_safe(slab, next, &arena->partial[class],
					 node)
			if (slab->nr_free == pm_slab_capacity(slab))
				pm_arena_put_slab(arena, slab);
}

/*
 * Once per decay time give back what was not needed for that long, from the
 * depots to the slabs, from the slabs to the heaps, from the heaps to the host.
 *
 * Return: whether it was time.
 */
static bool pm_arena_decay(struct pm_arena *arena)
{
	u64 now = pm_host_clock_coarse_ns();
	u64 decay = (u64)pm_options.decay_ms * 1000000;

	lockdep_assert_held(&arena->lock);
	if (now - arena->decayed_at < decay)
		return false;
	arena->decayed_at = now;
	pm_arena_decay_depots(arena);
	if (arena->dirty_units && now - arena->dirty_since >= decay) {
		arena->dirty_since = now;
		pm_arena_release_empty(arena);
		pm_arena_purge_locked(arena, false);
	}
	return true;
}

/*
 * Let the lock go, after a look at what is not needed any more. Who allocates
 * small objects only looks after the large ones that others left.
 */
static void pm_arena_leave(struct pm_arena *arena)
{
	bool decayed = !(arena->lockstat.acquired % 16) &&
		       pm_arena_decay(arena);

	pm_arena_check(arena);
	pm_arena_unlock(arena);
	if (unlikely(decayed))
		pm_large_decay();
}

static struct pm_heap *pm_arena_map_heap(struct pm_arena *arena,
					 unsigned int class, gfp_t gfp)
{
	u64 begin = pm_trace_begin(heap_map);
	size_t least = pm_classes[class].units * PM_UNIT_SIZE;
	struct pm_heap *heap = pm_heap_create(arena, least, gfp);

	if (!heap)
		return NULL;
	arena->stats.heap_maps++;
	trace_heap_map(arena->id, class, pm_trace_since(begin),
		       heap->nr_units * PM_UNIT_SIZE);
	return heap;
}

static struct pm_slab *pm_arena_new_slab(struct pm_arena *arena,
					 unsigned int class, gfp_t gfp)
{
	struct pm_slab *slab = NULL;
	struct pm_heap *heap;

	lockdep_assert_held(&arena->lock);
	list_for_each_entry(heap, &arena->heaps, node) {
		slab = pm_heap_get_slab(heap, class);
		if (slab)
			break;
	}
	if (!slab) {
		heap = pm_arena_map_heap(arena, class, gfp);
		if (!heap)
			return NULL;
		slab = pm_heap_get_slab(heap, class);
	}
	list_add(&slab->node, &arena->partial[class]);
	arena->slab_bytes += pm_classes[class].units * PM_UNIT_SIZE;
	return slab;
}

/**
 * pm_arena_take() - take objects of a class from an arena
 * @arena: the arena
 * @class: class number
 * @objs: where they go
 * @n: how many are wanted
 * @gfp: context
 *
 * From the depot first: those were used last. Then from slabs.
 *
 * Context: arena lock held.
 * Return: how many there are, fewer than @n only when the arena cannot grow.
 */
static unsigned int pm_arena_take(struct pm_arena *arena, unsigned int class,
				  void **objs, unsigned int n, gfp_t gfp)
{
	struct list_head *partial = &arena->partial[class];
	unsigned int depot, taken, i, j;
	struct pm_slab *slab;
	void *obj;

	lockdep_assert_held(&arena->lock);
	depot = pm_depot_take(&arena->depot[class], objs, n);
	taken = depot;
	while (taken < n) {
		if (!list_empty(partial))
			slab = list_first_entry(partial, struct pm_slab, node);
		else
			slab = pm_arena_new_slab(arena, class, gfp);
		if (!slab)
			break;
		taken += pm_slab_take(slab, objs + taken, n - taken);
		if (!slab->nr_free)
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

/* ---- pick, lock, fall back --------------------------------------------- */

/*
 * Another arena than @busy whose lock is free, locked; the walk starts
 * behind @busy, so that the waiters of one arena do not all meet at the
 * first.
 */
static struct pm_arena *pm_arena_lock_other(struct pm_arena *busy,
					    unsigned int class)
{
	struct pm_arena *arena;
	bool behind;
	int pass;

	for (pass = 0; pass < 2; pass++) {
		behind = false;
		pm_for_each_arena(arena) {
			if (arena == busy) {
				if (pass)
					break;
				behind = true;
				continue;
			}
			if (behind == (pass == 1) ||
			    !pm_arena_trylock_quiet(arena))
				continue;
			if (!arena->retired) {
				arena->waits.fallback_in++;
				trace_arena_fallback(busy->id, class, 0,
						     arena->id);
				return arena;
			}
			pm_arena_unlock(arena);
		}
	}
	return NULL;
}

/* The policy's choice. */
static unsigned int pm_arena_pick(void)
{
	unsigned int id = pm_options.policy->pick();

	return likely(id < pm_nr_arena_slots) ? id : id % pm_nr_arena_slots;
}

/**
 * pm_arena_is_near() - whether an object is of the arena that we would use
 * @obj: object in a slab, the caller's
 *
 * Context: any.
 * Return: a hint: the thread may move, and the object's heap be adopted.
 */
bool pm_arena_is_near(const void *obj)
{
	return READ_ONCE(pm_pagemap_heap(obj)->arena) ==
	       pm_arena_at(pm_arena_pick());
}

/*
 * Lock and enter @arena if its lock is free and it is in use.
 *
 * This needs no read-side section: an arena's memory never becomes anything
 * else, so whatever the pointer's age there is a lock to try, and under it
 * @retired tells whether anybody may use the arena (the idea of the kernel's
 * SLAB_TYPESAFE_BY_RCU). A section is for those who do something about an
 * arena without its lock, or wait for it. Threads that live shortly and never
 * meet another on a lock are thus spared liburcu's registration: 5 us of the
 * life of a thread.
 *
 * Return: whether it is; @busy is set to it when its lock is held.
 */
static bool pm_arena_trylock(struct pm_arena *arena, unsigned int class,
			     struct pm_arena **busy)
{
	pm_point(PM_POINT_MALLOC_PICKED);
	if (unlikely(!pm_arena_trylock_quiet(arena))) {
		pm_arena_contended(arena, class);
		*busy = arena;
		return false;
	}
	return pm_arena_admit(arena, class);
}

/*
 * @arena's lock is held, again or still: lock another one or wait for it.
 * Return: the arena that is locked.
 */
static struct pm_arena *pm_arena_lock_busy(struct pm_arena *arena,
					   unsigned int class)
{
	struct pm_arena *other = pm_arena_lock_other(arena, class);

	if (!other) {
		pm_arena_wait(arena, class);
		return arena;
	}
	atomic_long_inc(&arena->waits.class[class].fallback_out);
	if (pm_options.policy->moved)
		pm_options.policy->moved(other->id);
	return other;
}

/*
 * The arena @id, or one that has its lock free, locked and entered. NULL
 * when there is no arena @id (any more). @busy is the arena whose lock the
 * caller has found held already, so that this is not counted twice.
 *
 * Context: SRCU section.
 */
static struct pm_arena *pm_arena_lock_pick(unsigned int id, unsigned int class,
					   const struct pm_arena *busy)
{
	struct pm_arena *arena = pm_arena_at(id);

	if (!arena)
		return NULL;
	pm_point(PM_POINT_MALLOC_PICKED);
	if (!pm_arena_trylock_quiet(arena)) {
		if (arena != busy)
			pm_arena_contended(arena, class);
		arena = pm_arena_lock_busy(arena, class);
	}
	return pm_arena_admit(arena, class) ? arena : NULL;
}

/*
 * Arena @own could not grow: ask every arena, waiting for its lock.
 *
 * Context: SRCU section.
 */
static unsigned int pm_malloc_any(unsigned int own, unsigned int class,
				  void **objs, gfp_t gfp)
{
	struct pm_arena *arena;
	unsigned int got = 0;

	pm_for_each_arena(arena) {
		pm_arena_lock(arena, class);
		if (!pm_arena_admit(arena, class))
			continue;
		got = pm_arena_take(arena, class, objs, 1, gfp);
		if (got && arena->id != own) {
			arena->stats.lent++;
			trace_arena_fallback(own, class, 0, arena->id);
		}
		pm_arena_leave(arena);
		if (got)
			break;
	}
	return got;
}

/*
 * This thread is inside liburcu's registration, or there is no memory for
 * that, so it has no read-side section: any arena from the table will do, for
 * arenas' memory stays arenas' memory, and @retired says whether it is in use.
 * None is made here: the registry may be held by somebody who waits for the
 * registration.
 */
static unsigned int pm_malloc_nested(unsigned int class, void **objs,
				     gfp_t gfp)
{
	struct pm_arena *arena;
	unsigned int id, got = 0;

	for (id = 0; id < pm_nr_arena_slots && !got; id++) {
		arena = pm_arena_at(id);
		if (!arena)
			continue;
		pm_arena_lock(arena, class);
		if (!pm_arena_admit(arena, class))
			continue;
		got = pm_arena_take(arena, class, objs, 1, gfp);
		pm_arena_leave(arena);
	}
	return got;
}

/**
 * pm_malloc_lock_batch() - allocate objects from an arena, under its lock
 * @class: class number
 * @objs: where they go
 * @n: how many are wanted, at least 1
 * @gfp: context
 *
 * The heart of the allocator, in the order in which it happens:
 *
 *   1. The policy picks an arena, usually that of the CPU we run on.
 *   2. Its lock is tried. When it is busy, the list of arenas is walked for
 *      one whose lock is free; when all are busy we wait for our own.
 *   3. Under the lock objects are taken from the class's depot, then from
 *      partial slabs; if there is none a slab is cut from a heap; if no heap
 *      has room the host is asked for another.
 *   4. When that yields nothing every other arena is asked in turn, and only
 *      then the request fails.
 *
 * The lock is taken and released in here; the name says how, not that it is
 * held on return.
 *
 * Context: may sleep; @gfp without permission to sleep gets nothing. Takes
 * an arena's lock within an SRCU section; no lock is held on return.
 * Return: how many objects there are, 0 when nobody had one.
 */
unsigned int pm_malloc_lock_batch(unsigned int class, void **objs,
				  unsigned int n, gfp_t gfp)
{
	struct pm_arena *arena, *busy = NULL;
	unsigned int id, got = 0;
	int idx;

	if (!gfpflags_allow_blocking(gfp))
		return 0;
	if (unlikely(!pm_arena_ready()) && pm_arena_init(gfp))
		return 0;
	id = pm_arena_pick();
	arena = pm_arena_at(id);
	if (likely(arena) && likely(pm_arena_trylock(arena, class, &busy))) {
		got = pm_arena_take(arena, class, objs, n, gfp);
		pm_arena_leave(arena);
		if (likely(got))
			return got;
	}
	for (;;) {
		idx = srcu_read_lock(&pm_srcu);
		if (unlikely(idx < 0))
			return pm_malloc_nested(class, objs, gfp);
		id = pm_arena_pick();
		arena = pm_arena_lock_pick(id, class, busy);
		if (likely(arena))
			break;
		busy = NULL;
		srcu_read_unlock(&pm_srcu, idx);
		/* Outside of the section: retiring waits for those. */
		if (pm_arena_create(id, gfp))
			continue;
		idx = srcu_read_lock(&pm_srcu);
		if (unlikely(idx < 0))
			return pm_malloc_nested(class, objs, gfp);
		goto any;
	}
	got = pm_arena_take(arena, class, objs, n, gfp);
	pm_arena_leave(arena);
any:
	if (unlikely(!got))
		got = pm_malloc_any(id, class, objs, gfp);
	srcu_read_unlock(&pm_srcu, idx);
	return got;
}

/**
 * pm_malloc_lock() - allocate one object from an arena, under its lock
 * @class: class number
 * @gfp: context
 *
 * pm_malloc_lock_batch() tells the story.
 *
 * Context: may sleep; takes and releases an arena's lock.
 * Return: an object, or NULL when nobody had one.
 */
void *pm_malloc_lock(unsigned int class, gfp_t gfp)
{
	void *obj;

	return pm_malloc_lock_batch(class, &obj, 1, gfp) ? obj : NULL;
}

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
		arena = READ_ONCE(heap->arena);
		pm_point(PM_POINT_FREE_OWNER);
		if (unlikely(!pm_arena_trylock_quiet(arena))) {
			atomic_long_inc(&arena->waits.class[class].free_busy);
			break;
		}
		if (likely(arena == heap->arena)) {
			pm_arena_enter(arena, class);
			return arena;
		}
		pm_point(PM_POINT_FREE_STALE);
		pm_arena_unlock(arena);
	}
	return NULL;
}

/**
 * pm_free_lock() - give an object back to the arena that owns its heap
 * @heap: heap that it lies in
 * @slab: slab that it lies in
 * @index: which object of the slab it is
 *
 * Context: any; where the lock cannot be had at once the object is left to
 * the lock's next holder.
 * Return: PM_SLAB_OK, or what is wrong; then nothing was changed.
 */
enum pm_slab_fault pm_free_lock(struct pm_heap *heap, struct pm_slab *slab,
				unsigned int index)
{
	struct pm_arena *arena = pm_heap_lock_owner(heap, slab->class);
	enum pm_slab_fault fault;
	int idx;

	if (likely(arena)) {
		fault = pm_slab_put(slab, index);
		if (likely(!fault)) {
			arena->stats.local_free++;
			pm_arena_slab_filled(arena, slab, 1);
		}
		pm_arena_leave(arena);
		return fault;
	}
	/* The section holds off the end of the owner's retirement. */
	idx = srcu_read_lock(&pm_srcu);
	fault = pm_free_remote(heap, slab, index);
	srcu_read_unlock(&pm_srcu, idx);
	return fault;
}

/* The lock is busy: leave the batch to the next holder. */
static void pm_free_remote_batch(struct pm_arena *arena, unsigned int class,
				 void **objs, unsigned int n)
{
	struct pm_batch *batch = n > 1 ? pm_batch_get() : NULL;
	unsigned int i, index;
	struct pm_heap *heap;
	struct pm_slab *slab;

	if (likely(batch)) {
		batch->class = class;
		batch->nr = n;
		memcpy(batch->obj, objs, n * sizeof(void *));
		pm_point(PM_POINT_BATCH);
		/* Publishes the batch: pairs with llist_del_all(). */
		llist_add(&batch->node, &arena->inbox);
		trace_remote_free(arena->id, class, 0, n);
		return;
	}
	for (i = 0; i < n; i++) {
		heap = pm_pagemap_heap(objs[i]);
		slab = heap ? pm_heap_slab(heap, objs[i], class) : NULL;
		if (!slab || !pm_slab_index(slab, objs[i], &index) ||
		    pm_free_remote(heap, slab, index))
			pm_misuse_note(objs[i], class);
	}
}

/**
 * pm_free_lock_batch() - give objects back to an arena
 * @class: class number
 * @objs: objects, up to PM_BATCH_MAX
 * @n: how many, at least 1
 *
 * The batch goes to the owner of its first object: into the depot, and from
 * there into slabs what the depot has no room for. When the owner's lock
 * cannot be had at once the batch is left in its inbox.
 *
 * Context: any. Who holds no lock calls pm_misuse_noted() behind it.
 */
void pm_free_lock_batch(unsigned int class, void **objs, unsigned int n)
{
	struct pm_heap *heap = pm_pagemap_heap(objs[0]);
	struct pm_arena *arena;
	int idx;

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
		pm_arena_leave(arena);
	} else {
		/* The section holds off the end of the owner's retirement. */
		idx = srcu_read_lock(&pm_srcu);
		pm_free_remote_batch(READ_ONCE(heap->arena), class, objs, n);
		srcu_read_unlock(&pm_srcu, idx);
	}
}

/**
 * pm_arena_flush_depots_all() - give all objects of all depots to their slabs
 *
 * Context: may sleep.
 */
void pm_arena_flush_depots_all(void)
{
	struct pm_arena *arena;
	int idx;

	idx = srcu_read_lock(&pm_srcu);
	if (idx >= 0)
		pm_for_each_arena(arena) {
			pm_arena_lock(arena, PM_CLASS_NONE);
			if (!pm_arena_admit(arena, PM_CLASS_NONE))
				continue;
			pm_arena_flush_depots(arena);
			pm_arena_unlock(arena);
		}
	srcu_read_unlock(&pm_srcu, idx);
}

/* Whether @obj lies in @heap and is free there, or no object at all. */
static bool pm_heap_is_free_object(struct pm_heap *heap, const void *obj,
				   unsigned int class)
{
	struct pm_slab *slab;
	unsigned int index;

	lockdep_assert_held(&heap->arena->lock);
	/* Its slab was given back, or is one of another class. */
	if (pm_pagemap_class(obj) != class)
		return true;
	slab = pm_heap_slab(heap, obj, class);
	return !pm_slab_index(slab, obj, &index) ||
	       test_bit(index, slab->free) || test_bit(index, slab->remote) ||
	       !pm_is_marked(obj);
}

/**
 * pm_arena_is_free() - whether an object that was found marked is free
 * @obj: address in a slab at some time
 * @class: class of that slab
 *
 * With the magazines empty and nothing in transit all that is free is in
 * depots, inboxes and slabs; when those have been brought home the bitmap
 * tells. An object that has lost its mark meanwhile was handed out: then it
 * was free when somebody freed it.
 *
 * Context: pm_transit_stop(), pm_registry and pm_mag_lock_all(), so that none
 * of that changes; may sleep.
 * Return: false when somebody owns it.
 */
bool pm_arena_is_free(const void *obj, unsigned int class)
{
	struct pm_arena *arena;
	struct pm_heap *heap;
	bool is_free = true;

	lockdep_assert_held(&pm_registry);
	list_for_each_entry(arena, &pm_arenas, node) {
		pm_arena_lock(arena, PM_CLASS_NONE);
		pm_arena_enter(arena, PM_CLASS_NONE);
		pm_arena_flush_depots(arena);
		pm_arena_unlock(arena);
	}
	/* By its owner, for without a lock its heap might go. */
	list_for_each_entry(arena, &pm_arenas, node) {
		pm_arena_lock_quiet(arena);
		list_for_each_entry(heap, &arena->heaps, node)
			if ((size_t)((char *)obj - heap->base) <
			    heap->nr_units * PM_UNIT_SIZE)
				is_free = pm_heap_is_free_object(heap, obj,
								 class);
		pm_arena_unlock(arena);
	}
	return is_free;
}

/* ---- trim, retire, fork, end ------------------------------------------- */

static size_t pm_arena_trim_one(struct pm_arena *arena)
{
	size_t before, after;

	pm_arena_lock(arena, PM_CLASS_NONE);
	if (!pm_arena_admit(arena, PM_CLASS_NONE))
		return 0;
	before = arena->stats.purged;
	pm_arena_flush_depots(arena);
	pm_arena_release_depots(arena);
	if (!llist_empty(&arena->remote))
		pm_arena_collect(arena);
	pm_arena_release_empty(arena);
	pm_arena_purge_locked(arena, true);
	after = arena->stats.purged;
	pm_arena_leave(arena);
	return after - before;
}

/**
 * pm_arena_trim() - purge every free page of every arena
 *
 * Context: may sleep.
 * Return: bytes given back.
 */
size_t pm_arena_trim(void)
{
	struct pm_arena *arena;
	size_t bytes = 0;
	int idx;

	/* What a depot holds may belong to an arena that comes earlier. */
	pm_arena_flush_depots_all();
	idx = srcu_read_lock(&pm_srcu);
	if (idx >= 0)
		pm_for_each_arena(arena)
			bytes += pm_arena_trim_one(arena);
	srcu_read_unlock(&pm_srcu, idx);
	return bytes;
}

/* What happened at the lock of @from. Both locks are held. */
static void pm_arena_adopt_accounts(struct pm_arena *to, struct pm_arena *from)
{
	unsigned int class;

	lockdep_assert_held(&to->lock);
	lockdep_assert_held(&from->lock);
	for (class = 0; class < PM_NR_CLASSES; class++) {
		to->nr_acquired[class] += from->nr_acquired[class];
		from->nr_acquired[class] = 0;
	}
	to->lockstat.acquired += from->lockstat.acquired;
	to->lockstat.switches += from->lockstat.switches;
	from->lockstat.acquired = 0;
	from->lockstat.switches = 0;
	pm_lockwait_adopt(&to->waits, &from->waits);
}

/* Everything that @from has becomes @to's. Both locks are held. */
static void pm_arena_adopt(struct pm_arena *to, struct pm_arena *from)
{
	struct pm_heap *heap;
	unsigned int class;

	lockdep_assert_held(&to->lock);
	lockdep_assert_held(&from->lock);
	list_for_each_entry(heap, &from->heaps, node) {
		WRITE_ONCE(heap->arena, to);
		to->stats.adopted++;
	}
	list_splice_init(&from->heaps, &to->heaps);
	for (class = 1; class < PM_NR_CLASSES; class++) {
		list_splice_init(&from->partial[class], &to->partial[class]);
		to->nr_out[class] += from->nr_out[class];
		to->nr_taken[class] += from->nr_taken[class];
		from->nr_out[class] = 0;
		from->nr_taken[class] = 0;
	}
	pm_arena_adopt_accounts(to, from);
	to->nr_heaps += from->nr_heaps;
	to->heap_bytes += from->heap_bytes;
	to->slab_bytes += from->slab_bytes;
	to->dirty_units += from->dirty_units;
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
	from->heap_bytes = 0;
	from->slab_bytes = 0;
	from->dirty_units = 0;
	memset(&from->stats, 0, sizeof(from->stats));
}

static void pm_arena_lock_two(struct pm_arena *a, struct pm_arena *b)
{
	struct pm_arena *first = a->id < b->id ? a : b;
	struct pm_arena *second = first == a ? b : a;

	pm_arena_lock_quiet(first);
	mutex_lock_nested(&second->lock, SINGLE_DEPTH_NESTING);
	pm_lockstat_enter(&second->lockstat);
}

/* The arena with the next number that exists, round the table. */
static struct pm_arena *pm_arena_survivor(unsigned int id)
{
	unsigned int i;

	for (i = 1; i < pm_nr_arena_slots; i++) {
		struct pm_arena *arena =
			pm_arena_at((id + i) % pm_nr_arena_slots);

		if (arena)
			return arena;
	}
	return NULL;
}

int pm_arena_retire(unsigned int cpu)
{
	u64 begin = pm_trace_begin(arena_retire);
	struct pm_arena *arena, *to;
	int err = 0;

	mutex_lock(&pm_registry);
	arena = pm_arena_at(cpu);
	if (!arena) {
		err = -ENOENT;
		goto out;
	}
	to = pm_arena_survivor(cpu);
	if (!to) {
		err = -EBUSY;
		goto out;
	}
	if (!pm_host_can_synchronize()) {
		err = -EPERM;
		goto out;
	}
	if (pm_options.policy->pick == pm_host_cpu)
		pm_mag_drain(cpu);
	/* For readers from outside: odd before anything moves ... */
	WRITE_ONCE(pm_arenas_seq, pm_arenas_seq + 1);
	/* ... which is this barrier. Their partner is below. */
	smp_wmb();
	WRITE_ONCE(pm_arena_table[cpu], NULL);
	list_del_rcu(&arena->node);
	pm_arena_lock_two(arena, to);
	pm_arena_settle(arena);
	pm_arena_flush_depots(arena);
	pm_arena_adopt(to, arena);
	/* Pairs with pm_slab_queue(): who sees it sees the heaps' new owner. */
	smp_store_release(&arena->retired, true);
	/* Even again when all has moved. */
	smp_store_release(&pm_arenas_seq, pm_arenas_seq + 1);
	pm_arena_unlock(arena);
	pm_arena_leave(to);

	/* Whoever read heap->arena or the table before has finished then. */
	synchronize_srcu(&pm_srcu);

	pm_arena_lock_two(arena, to);
	pm_arena_collect_inbox(arena);
	pm_arena_collect(arena);
	/* Some may have waited for it until it was retired. */
	pm_arena_adopt_accounts(to, arena);
	pm_arena_unlock(arena);
	pm_arena_unlock(to);
	list_add_tail(&arena->node, &pm_spare_arenas);
	trace_arena_retire(cpu, 0, pm_trace_since(begin), to->id);
out:
	mutex_unlock(&pm_registry);
	return err;
}
EXPORT_SYMBOL_GPL(pm_arena_retire);

/**
 * pm_arena_lock_all() - stop every arena, for fork()
 *
 * Context: pm_registry held by the caller, so the list stands still.
 */
void pm_arena_lock_all(void)
{
	unsigned int id;

	lockdep_assert_held(&pm_registry);
	for (id = 0; id < pm_nr_arena_slots; id++)
		if (pm_arena_at(id))
			pm_arena_lock_quiet(pm_arena_at(id));
}

/**
 * pm_arena_unlock_all() - let every arena go on
 */
void pm_arena_unlock_all(void)
{
	unsigned int id;

	for (id = 0; id < pm_nr_arena_slots; id++)
		if (pm_arena_at(id))
			pm_arena_unlock(pm_arena_at(id));
}

/*
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
 */
static void pm_heap_requeue(struct pm_arena *arena, struct pm_heap *heap)
{
	struct pm_slab *slab;
	unsigned int unit, w;
	long refs = 0;

	for (unit = 0; unit < heap->nr_units; unit++) {
		slab = &heap->slab[unit];
		slab->queued = 0;
		for (w = 0; w < PM_SLAB_WORDS && !slab->remote[w]; w++)
			;
		if (w == PM_SLAB_WORDS)
			continue;
		slab->queued = 1;
		llist_add(&slab->remote_node, &arena->remote);
		refs++;
	}
	atomic_long_set(&heap->remote_refs, refs);
}

/*
 * A heap's first word of a remote free is its reference, and what a child
 * sees of its parent is a prefix of what each thread did: a heap without
 * references has none under way. So children of a large process do not walk
 * all of its slabs.
 */
static void pm_arena_restart_one(struct pm_arena *arena)
{
	struct llist_node *node;
	struct pm_heap *heap;

	(void)llist_del_all(&arena->remote);
	list_for_each_entry(heap, &arena->heaps, node)
		if (atomic_long_read(&heap->remote_refs))
			pm_heap_requeue(arena, heap);
	for (node = arena->inbox.first; node; node = node->next)
		pm_batch_keep(container_of(node, struct pm_batch, node));
	atomic_long_set(&arena->waits.waiters, 0);
	if (arena->lockstat.seq & 1)
		pm_lockstat_leave(&arena->lockstat);
	mutex_init(&arena->lock);
}

/**
 * pm_arena_restart_all() - begin anew in the child of a fork()
 *
 * The locks are as pm_arena_lock_all() left them, and what they guard is
 * whole. Other threads of the parent may have been anywhere in what is done
 * without a lock, and they are not here to go on. A spare arena's lock, too,
 * may be held by somebody who was about to find out that it is not the one he
 * wants.
 *
 * Context: the child's one thread, before it allocates.
 */
void pm_arena_restart_all(void)
{
	struct pm_arena *arena;
	unsigned int id;

	for (id = 0; id < pm_nr_arena_slots; id++)
		if (pm_arena_at(id))
			pm_arena_restart_one(pm_arena_at(id));
	list_for_each_entry(arena, &pm_spare_arenas, node)
		pm_arena_restart_one(arena);
}

static void pm_arena_delete(struct pm_arena *arena)
{
	unsigned int class;

	for (class = 1; class < PM_NR_CLASSES; class++)
		pm_depot_destroy(&arena->depot[class], class);
	list_del(&arena->node);
	pm_meta_free(arena, sizeof(*arena));
}

/**
 * pm_arena_exit() - free everything that no object lives in
 *
 * Heaps with live objects go too: nobody is left to use them.
 *
 * Context: nobody uses the allocator any more.
 */
void pm_arena_exit(void)
{
	struct pm_arena *arena, *next;
	struct pm_heap *heap, *heap_next;

	list_for_each_entry_safe(arena, next, &pm_arenas, node) {
		pm_arena_lock_quiet(arena);
		list_for_each_entry_safe(heap, heap_next, &arena->heaps, node) {
			heap->nr_free = heap->nr_units;
			atomic_long_set(&heap->remote_refs, 0);
			pm_heap_destroy(heap);
		}
		pm_arena_unlock(arena);
		pm_arena_delete(arena);
	}
	list_for_each_entry_safe(arena, next, &pm_spare_arenas, node)
		pm_arena_delete(arena);
	pm_meta_free(pm_arena_table,
		     pm_nr_arena_slots * sizeof(struct pm_arena *));
	pm_arena_table = NULL;
	pm_nr_arena_slots = 0;
}
