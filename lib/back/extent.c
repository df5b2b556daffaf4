// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Extents: runs of pages, cut from chunks.
 *
 * Asking the host for memory costs a system call and a fault per page. So a
 * freed object's pages are kept for a while and serve others, of any size: a
 * free extent is split when it is too long and merged with its free
 * neighbours when they come free. What is kept is bounded by the user's limit
 * and by the decay time; beyond that the longest free goes back to the host. A
 * lower bound costs time and saves nothing, for pages that went back are asked
 * for again a moment later.
 *
 *	chunk, one mapping of the host
 *	+--------+----------------+-----+------------------------------+
 *	| object | free           | obj | free, never handed out       |
 *	+--------+----------------+-----+------------------------------+
 *	  <-prev    next->
 *
 * Descriptors lie elsewhere and are linked in the order of addresses. Each
 * knows the range of its extent that may have pages. What goes back to the
 * host goes page by page, and the extent stays in its place: a hole would
 * never let its neighbours merge. Requests take the shortest extent that
 * will do, and of that the part that has pages.
 *
 * Lock order: the extent lock is inside of everything but the platform's page
 * lock. Memory is never asked for with it held: the kernel might come to its
 * shrinker, which wants this lock.
 */
#include "back/pool.h"
#include "back/keep.h"
#include "base/limit.h"
#include "base/options.h"
#include "base/testing.h"
#include "base/trace.h"

#define PM_CACHE_MAX_OBJECT	(32UL << 20)	/* longer ones are not kept */
#define PM_DECAY_STEPS		16		/* extents to clean at once */
#define PM_TRIM_BYTES		(256UL << 10)	/* least to give back at once */

/* Without the lock: give extents back to the host. Return: bytes. */
static size_t pm_pool_release(struct list_head *list)
{
	struct pm_extent *e, *next;
	size_t bytes = 0;

	list_for_each_entry_safe(e, next, list, node) {
		u64 begin = pm_trace_begin(large_unmap);

		bytes += e->size;
		pm_host_large_unmap(e->addr, e->size);
		pm_limit_give(e->size);
		trace_large_unmap(PM_NO_ARENA, 0, pm_trace_since(begin),
				  e->size);
		pm_meta_free(e, sizeof(*e));
	}
	return bytes;
}

/*
 * Pages of a free extent go back to the host, @excess bytes or a little more;
 * the extent stays where it is. A whole chunk that keeps nothing, or one of
 * a host that cannot take pages back, goes as it is.
 */
static void pm_extent_clean(struct pm_extent *e, size_t excess,
			    struct list_head *out)
{
	size_t range = e->dirty_to - e->dirty_from;

	/* The share of the range that has so many pages. */
	excess = max_t(size_t, excess, PM_TRIM_BYTES) >> PAGE_SHIFT;
	if (PM_CHUNK_CUTS && excess < e->dirty >> PAGE_SHIFT)
		excess = DIV_ROUND_UP(excess * (range >> PAGE_SHIFT),
				      e->dirty >> PAGE_SHIFT) << PAGE_SHIFT;
	else
		excess = range;
	if (excess == range && !e->prev && !e->next) {
		pm_extent_expel(e, out);
	} else if (pm_host_purge(e->dirty_to - excess, excess)) {
		pm_pool_del(e);
		pm_extent_clip(e, e->dirty_from, e->dirty_to - excess);
		e->zero = !e->dirty_from;
		pm_pool_add(e);
	}
}

/* Bytes that are to go before their decay time is over. */
static size_t pm_pool_excess(void)
{
	size_t dirty = atomic_long_read(&pm_extent_counts.dirty);
	size_t bound = pm_keep_bound(), excess;

	if (dirty > pm_options.large_cache)
		return dirty - pm_options.large_cache;
	if (likely(dirty <= bound))
		return 0;
	excess = pm_keep_allow(dirty - bound);
	pm_keep_spend(excess);
	return excess;
}

/* What is beyond the budget or the decay time goes, the oldest first. */
static void pm_pool_decay(struct list_head *out)
{
	u64 decay = (u64)pm_options.decay_ms * 1000000, now;
	struct pm_extent *e;
	unsigned int n;
	size_t excess;

	lockdep_assert_held(&pm_pool.lock);
	if (list_empty(&pm_pool.age))
		return;
	now = pm_host_clock_coarse_ns();
	for (n = 0; n < PM_DECAY_STEPS && !list_empty(&pm_pool.age); n++) {
		e = list_first_entry(&pm_pool.age, struct pm_extent, age);
		excess = now - e->freed_at >= decay ? e->dirty :
						      pm_pool_excess();
		if (!excess)
			break;
		pm_extent_clean(e, excess, out);
	}
}

/**
 * pm_pool_collect() - take in what was freed while the lock was busy
 *
 * Context: the extent lock is held.
 */
void pm_pool_collect(void)
{
	struct llist_node *node;
	struct pm_extent *e;

	lockdep_assert_held(&pm_pool.lock);
	if (likely(llist_empty(&pm_pool.inbox)))
		return;
	node = llist_del_all(&pm_pool.inbox);
	while (node) {
		e = container_of(node, struct pm_extent, inbox);
		node = node->next;
		pm_pool_merge(e);
	}
}

static void pm_pool_unlock(struct list_head *out)
{
	mutex_unlock(&pm_pool.lock);
	pm_pool_release(out);
}

/* ---- get and put -------------------------------------------------------- */

/* @size bytes of the host, for @e. */
static bool pm_extent_map_one(struct pm_extent *e, size_t size, size_t align,
			      gfp_t gfp)
{
	if (pm_inject_fails(&pm_inject.large_map) || !pm_limit_take(size))
		return false;
	e->size = size;
	e->addr = pm_host_large_map(&e->size, align, gfp);
	if (!e->addr)
		pm_limit_give(size);
	return e->addr;
}

/* One mapping of the host; @most bytes are tried first, and halves of it. */
static struct pm_extent *pm_extent_map_between(size_t least, size_t most,
					       size_t align, gfp_t gfp)
{
	u64 begin = pm_trace_begin(large_map);
	struct pm_extent *e;
	size_t want = most;

	if (pm_inject_fails(&pm_inject.meta))
		return NULL;
	e = pm_meta_alloc(sizeof(*e), gfp);
	if (!e)
		return NULL;
	while (want && !pm_extent_map_one(e, want, align, gfp))
		want = want / 2 > least ? ALIGN(want / 2, PM_EXTENT_GRAIN) :
		       want > least ? least : 0;
	if (!want) {
		pm_meta_free(e, sizeof(*e));
		return NULL;
	}
	e->zero = true;
	trace_large_map(PM_NO_ARENA, 0, pm_trace_since(begin), e->size);
	return e;
}

/*
 * A new chunk that has room for @size bytes, as one fresh extent that is on no
 * list. The more is mapped already the longer it is.
 */
static struct pm_extent *pm_chunk_map(size_t size, size_t align, gfp_t gfp)
{
	size_t want, least = ALIGN(size, PM_EXTENT_GRAIN);

	want = min_t(size_t, PM_CHUNK_MAX, READ_ONCE(pm_pool.mapped) / 2);
	want = ALIGN(max_t(size_t, want, PM_CHUNK_MIN), PM_EXTENT_GRAIN);
	if (want < least || align > PM_EXTENT_GRAIN)
		want = least;
	return pm_extent_map_between(least, want, align, gfp);
}

/**
 * pm_extent_map_alone() - map an extent that is a chunk of its own
 * @size: bytes, a multiple of PM_EXTENT_GRAIN
 * @align: power of two, at least that
 * @gfp: context; one that somebody is charged for never joins the pool, where it
 *	would be another's next
 *
 * Context: no lock held; as @gfp says.
 * Return: extent of @size bytes that no list knows, or NULL.
 */
struct pm_extent *pm_extent_map_alone(size_t size, size_t align, gfp_t gfp)
{
	struct pm_extent *e = pm_extent_map_between(size, size, align, gfp);

	if (e)
		e->charged = gfp & __GFP_ACCOUNT;
	return e;
}

/**
 * pm_extent_get() - get a run of pages
 * @size: bytes, a multiple of PM_EXTENT_GRAIN
 * @align: power of two, at least that
 * @gfp: context
 *
 * Context: may sleep.
 * Return: extent of exactly @size bytes, or NULL.
 */
struct pm_extent *pm_extent_get(size_t size, size_t align, gfp_t gfp)
{
	struct pm_extent *e, *chunk;
	LIST_HEAD(out);

	if (!pm_pool_lock_provided(gfp))
		return NULL;
	pm_pool_collect();
	e = pm_pool_get(size, align);
	if (e) {
		pm_pool_decay(&out);
		pm_pool_unlock(&out);
		return e;
	}
	mutex_unlock(&pm_pool.lock);
	chunk = pm_chunk_map(size, align, gfp);
	if (!chunk)
		return NULL;
	if (!pm_pool_lock_provided(gfp)) {
		list_add(&chunk->node, &out);
		pm_pool_release(&out);
		return NULL;
	}
	pm_chunk_link(chunk);
	pm_pool_add(chunk);
	e = pm_extent_carve(chunk, size, align);
	mutex_unlock(&pm_pool.lock);
	return e;
}

/**
 * pm_extent_soil() - whoever has an extent may write anywhere from now on
 * @e: the caller's extent
 *
 * All of it is taken to have pages. pm_extent_put() does so by itself.
 */
void pm_extent_soil(struct pm_extent *e)
{
	e->dirty_from = e->addr;
	e->dirty_to = (char *)e->addr + e->size;
	e->dirty = e->size;
	e->zero = false;
}

/**
 * pm_extent_put() - an extent is nobody's any more
 * @e: the extent
 *
 * Context: any. Never waits.
 */
void pm_extent_put(struct pm_extent *e)
{
	LIST_HEAD(out);

	pm_extent_soil(e);
	e->freed_at = pm_host_clock_coarse_ns();
	if (!pm_context_may_lock() || !mutex_trylock(&pm_pool.lock)) {
		/* Publishes the extent: pairs with llist_del_all(). */
		llist_add(&e->inbox, &pm_pool.inbox);
		return;
	}
	pm_pool_collect();
	if (e->size > PM_CACHE_MAX_OBJECT && pm_extent_can_go(e)) {
		pm_pool_add(e);
		pm_extent_expel(e, &out);
	} else {
		pm_pool_merge(e);
	}
	pm_pool_decay(&out);
	pm_pool_unlock(&out);
}

/* ---- resize ------------------------------------------------------------- */

/**
 * pm_extent_resize() - grow into the free extent behind, or shrink
 * @e: the caller's extent
 * @size: bytes wanted, a multiple of PM_EXTENT_GRAIN
 * @most: bytes that one which grows gets if they are free, likewise
 *
 * Context: may sleep.
 * Return: whether it has that size now, or @most or something in between.
 */
bool pm_extent_resize(struct pm_extent *e, size_t size, size_t most)
{
	struct pm_extent *next;
	LIST_HEAD(out);
	bool done;

	if (!pm_pool_lock_provided(GFP_KERNEL))
		return false;
	pm_pool_collect();
	next = e->next;
	if (size > e->size && next && next->is_free &&
	    e->size + next->size >= size) {
		pm_pool_del(next);
		if (e->size + next->size > most)
			pm_pool_add(pm_extent_split(next, most - e->size));
		pm_extent_join(e);
		done = true;
	} else if (size < e->size) {
		pm_extent_soil(e);
		next = pm_extent_split(e, size);
		next->freed_at = pm_host_clock_coarse_ns();
		pm_pool_merge(next);
		done = true;
	} else {
		done = e->size == size;
	}
	pm_pool_decay(&out);
	pm_pool_unlock(&out);
	return done;
}

/**
 * pm_extent_each_fresh() - call a function for what has no pages yet
 * @e: the caller's extent
 * @from: address in it
 * @to: a later one
 * @fn: called with the beginning and the end of each range between the two
 *
 * Context: as @fn.
 */
void pm_extent_each_fresh(const struct pm_extent *e, char *from, char *to,
			  void (*fn)(char *from, char *to))
{
	if (!e->dirty_from) {
		fn(from, to);
		return;
	}
	fn(from, min_t(char *, to, e->dirty_from));
	fn(max_t(char *, from, e->dirty_to), to);
}

/**
 * pm_extent_replace() - an extent's pages have moved to another
 * @from: extent that is not there any more, forgotten
 * @to: as pm_extent_map_alone() returned it; it stays without neighbours: a
 *	host moves a mapping, and not several that happen to meet
 *
 * Context: may sleep. Both are the caller's.
 */
void pm_extent_replace(struct pm_extent *from, struct pm_extent *to)
{
	mutex_lock(&pm_pool.lock);
	pm_extent_unlink(from);
	WRITE_ONCE(pm_pool.mapped, pm_pool.mapped - from->size + to->size);
	mutex_unlock(&pm_pool.lock);
	pm_limit_give(from->size);
	pm_meta_free(from, sizeof(*from));
}

/**
 * pm_extents_mapped() - bytes of all extents, those in use too
 */
size_t pm_extents_mapped(void)
{
	return READ_ONCE(pm_pool.mapped);
}

/**
 * pm_extent_unmap() - give a chunk back that no list knows
 * @e: as pm_extent_map_alone() returned it
 *
 * Context: any.
 */
void pm_extent_unmap(struct pm_extent *e)
{
	pm_host_large_unmap(e->addr, e->size);
	pm_limit_give(e->size);
	pm_meta_free(e, sizeof(*e));
}

/* ---- give back, fork, end ---------------------------------------------- */

/**
 * pm_extents_decay() - give back what was free for the decay time
 *
 * Requests for extents do so by themselves; this is for others to call
 * now and then.
 *
 * Context: any that may take a lock; never waits for one.
 */
void pm_extents_decay(void)
{
	LIST_HEAD(out);

	if (!mutex_trylock(&pm_pool.lock))
		return;
	pm_pool_prepare();
	pm_pool_collect();
	pm_pool_decay(&out);
	pm_pool_unlock(&out);
}

/**
 * pm_extents_shed() - give free extents back to the host
 * @least: bytes that are enough
 *
 * Pages and address space: a process that is out of either gets both back.
 *
 * Context: may sleep.
 * Return: bytes of address space given back.
 */
size_t pm_extents_shed(size_t least)
{
	LIST_HEAD(out);

	mutex_lock(&pm_pool.lock);
	pm_pool_prepare();
	pm_pool_collect();
	pm_pool_expel_some(least, &out);
	mutex_unlock(&pm_pool.lock);
	return pm_pool_release(&out);
}

/**
 * pm_extents_lock_all() - hold everything still, for fork()
 */
void pm_extents_lock_all(void)
{
	pm_mutex_halt(&pm_pool.lock);
}

/**
 * pm_extents_unlock_all() - let everything go on
 * @child: in the child of a fork(): whoever waits for the lock is not there
 */
void pm_extents_unlock_all(bool child)
{
	if (!child) {
		pm_mutex_resume(&pm_pool.lock);
		return;
	}
	if (pm_mutex_is_others(&pm_pool.lock))
		pm_pool_forsake();
	pm_mutex_restart(&pm_pool.lock);
}

/**
 * pm_extents_exit() - give everything back
 *
 * Context: nobody uses the allocator any more, and all extents are free.
 */
void pm_extents_exit(void)
{
	struct pm_extent *e, *next;

	pm_extents_purge();
	mutex_lock(&pm_pool.lock);
	list_for_each_entry_safe(e, next, &pm_pool.spare, node) {
		list_del(&e->node);
		pm_pool.nr_spare--;
		pm_meta_free(e, sizeof(*e));
	}
	mutex_unlock(&pm_pool.lock);
}
