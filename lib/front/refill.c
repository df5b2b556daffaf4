// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Refill and flush: what a pop does that finds nothing, and a push that finds no
 * room.
 *
 * Both move a batch within one section with one commit; magazine.h says what
 * would be lost if that were plain C.
 */
#include "arena/arena.h"
#include "arena/free_lock.h"
#include "arena/malloc_lock.h"
#include "arena/registry.h"
#include "back/heap.h"
#include "back/span.h"
#include "base/testing.h"
#include "base/trace.h"
#include "front/capacity.h"
#include "front/drain.h"
#include "front/magazine.h"
#include "front/inflight.h"
#include "front/visit.h"

static struct {
	atomic_long_t hits;
	atomic_long_t misses;
} pm_mag_counts;

#if PM_DEBUG
void pm_mag_count_hit(void)
{
	atomic_long_inc(&pm_mag_counts.hits);
}
#endif

static void pm_mag_count_miss(void)
{
	if (PM_DEBUG)
		atomic_long_inc(&pm_mag_counts.misses);
}

/**
 * pm_mag_get_counts() - how often magazines did the work
 * @hits: operations that committed in a magazine
 * @misses: operations that took the slow path
 *
 * Counted in debug builds only: a count that all CPUs share costs more than
 * what it counts.
 */
void pm_mag_get_counts(u64 *hits, u64 *misses)
{
	*hits = atomic_long_read(&pm_mag_counts.hits);
	*misses = atomic_long_read(&pm_mag_counts.misses);
}

/*
 * Slots that a refill fills: half of the room, so that as many frees find
 * room, and at most a batch.
 */
static unsigned int pm_mag_want(const struct pm_magazine *mag,
				unsigned int class)
{
	unsigned int n = (pm_mag_room(mag, class) + 1) / 2;

	return min_t(unsigned int, n, pm_classes[class].batch);
}

/* Number of the arena that the first of @objs belongs to, for tracers. */
static int pm_mag_owner(unsigned int class, void **objs)
{
	if (pm_class_is_span(class))
		return PM_NO_ARENA;
	return pm_arena_id(pm_heap_owner(pm_pagemap_heap(objs[0])));
}

/* Carry up to @n objects from the magazine to where @give puts them. */
static void pm_mag_flush_batch(unsigned int class, unsigned int n,
			       void (*give)(unsigned int class, void **objs,
					    unsigned int n))
{
	u64 begin = pm_trace_begin(magazine_flush);
	void *objs[PM_BATCH_MAX];
	int carrier = pm_inflight_begin();
	int owner = PM_NO_ARENA;

	if (unlikely(carrier < 0))
		return;
	/* magazine K, inflight C */
	n = pm_percpu_pop_batch(class, objs, n);
	if (n) {
		pm_stop_point(PM_STOP_FLUSH);
		if (trace_magazine_flush_enabled())
			owner = pm_mag_owner(class, objs);
		give(class, objs, n);		/* mark H, inflight D */
		trace_magazine_flush(owner, class, pm_trace_since(begin), n);
	}
	pm_inflight_end(carrier);
}

/*
 * Spans above the limits of their classes become extents, which serve all: each is long,
 * and its class seldom comes now.
 */
static noinline void pm_mag_shed(const struct pm_magazine *mag)
{
	unsigned int class, n;

	for (class = PM_NR_SLAB_CLASSES; class < PM_NR_CLASSES; class++) {
		n = pm_mag_excess(mag, class);
		if (n)
			pm_mag_flush_batch(class,
					   min_t(unsigned int, n, PM_BATCH_MAX),
					   pm_span_put_all);
	}
}

/* Get an object from an arena, and more for the magazine. */
static void *pm_mag_refill_batch(struct pm_magazine *mag, unsigned int class,
				 gfp_t gfp)
{
	u64 begin = pm_trace_begin(magazine_refill);
	void *objs[PM_BATCH_MAX + 1];
	unsigned int n = 0, got, pushed;
	int carrier = -1;

	if (likely(mag)) {
		pm_mag_grow(mag, class, PM_MISS_EMPTY);
		n = pm_mag_want(mag, class);
		carrier = pm_inflight_begin();
	}
	got = __pm_malloc_lock(class, objs, carrier < 0 ? 1 : n + 1, gfp);
	if (got > 1) {
		pm_stop_point(PM_STOP_REFILL);
		/* magazine J, mark J, inflight D */
		pushed = pm_percpu_push_batch(class, objs + 1, got - 1);
		if (trace_magazine_refill_enabled())
			trace_magazine_refill(pm_mag_owner(class, objs), class,
					      pm_trace_since(begin), pushed);
		if (pushed < got - 1)
			pm_free_lock_batch(class, objs + 1 + pushed,
					   got - 1 - pushed);
	}
	if (likely(carrier >= 0))
		pm_inflight_end(carrier);
	if (unlikely(!got))
		return NULL;
	if (got > 1 || pm_class_is_span(class))
		pm_batch_provide(gfp);
	return objs[0];
}

/**
 * pm_mag_refill() - a pop found nothing: get an object and more
 * @class: class number
 * @gfp: context
 *
 * Context: as @gfp says. Without permission to sleep there is what the CPU's
 * magazine has, which may be set aside.
 * Return: an object, whose mark is to be spent, or NULL.
 */
void *pm_mag_refill(unsigned int class, gfp_t gfp)
{
	struct pm_magazine *mag;
	void *obj = NULL;

	pm_mag_count_miss();
	/* Nothing was started yet: that is for the caller. */
	if (unlikely(!pm_arena_ready()))
		return NULL;
	mag = pm_mag_here(gfp);
	/* It may have been set aside, or is another CPU's than a moment ago. */
	if (mag && pm_mag_has_object(mag, class))
		obj = pm_percpu_pop(class);
	if (!obj && gfpflags_allow_blocking(gfp))
		obj = pm_mag_refill_batch(mag, class, gfp);
	if (unlikely(!mag) || !pm_context_may_lock())
		return obj;
	if (unlikely(!gfpflags_allow_blocking(gfp))) {
		pm_mag_pass_by(mag);
		return obj;
	}
	pm_mag_come_by(mag);
	if (unlikely(pm_mag_take_excess(mag)))
		pm_mag_shed(mag);
	return obj;
}

/**
 * pm_mag_is_on_top() - whether an object is on top of this CPU's stack
 * @class: class number
 * @obj: object
 *
 * A look and no more: whether this thread can use sections is for the flush
 * that follows to ask, once (magazine E).
 *
 * Context: any.
 * Return: a hint: others push and pop.
 */
bool pm_mag_is_on_top(unsigned int class, const void *obj)
{
	struct pm_magazine *mag = pm_mag_at(pm_percpu_index());
	u32 top;

	if (!mag)
		return false;
	top = READ_ONCE(mag->stack[class].top);
	return top > pm_mag_base[class] &&
	       READ_ONCE(*(void **)((char *)mag + top - sizeof(void *))) == obj;
}

/*
 * Whether an object is to go home although there is, or soon would be, room
 * for it here.
 *
 * The stack is not full: the thread or the class is new on this CPU, and the
 * object is another arena's. Another thread handed it to one that begins. The
 * latter frees it, takes one like it next, and would get this one back, which
 * shares its cache line with what the giver still has (Berger et al. call that
 * passive false sharing). A span shares none, and is no arena's.
 */
static bool pm_mag_sends_home(const struct pm_magazine *mag,
			      unsigned int class, const void *obj)
{
	return pm_mag_has_room(mag, class) && !pm_class_is_span(class) &&
	       !pm_arena_is_near(obj);
}

/* Carry @obj to its arena. */
static bool pm_mag_send_home(unsigned int class, void *obj)
{
	int carrier = pm_inflight_begin();

	if (unlikely(carrier < 0))
		return false;
	pm_free_lock_batch(class, &obj, 1);
	pm_inflight_end(carrier);
	return true;
}

/*
 * Find room for @obj in the magazine. Return: false when there is none, and some is
 * to be made.
 */
static bool pm_mag_push(struct pm_magazine *mag, unsigned int class, void *obj)
{
	if (unlikely(pm_mag_sends_home(mag, class, obj))) {
		/* The first one only: a CPU that only frees needs room. */
		if (!pm_mag_room(mag, class))
			pm_mag_grow(mag, class, PM_MISS_FULL);
		return pm_mag_send_home(class, obj);
	}
	/* It may have been set aside. */
	if (pm_mag_room_left(mag, class) && pm_percpu_push(class, obj))
		return true;
	return pm_mag_grow(mag, class, PM_MISS_FULL) &&
	       pm_percpu_push(class, obj);
}

/**
 * pm_mag_flush() - a push found no room: make some
 * @class: class number
 * @obj: object, marked
 *
 * Who frees so much that the magazine is full does not come by: that would use up, in
 * a moment, how often magazines may be set aside in a tick, and those who use little
 * afterwards would not come by either.
 *
 * Context: any. Never waits for a lock.
 * Return: false when there is no magazine to be had; then the object is
 * still the caller's.
 */
bool pm_mag_flush(unsigned int class, void *obj)
{
	struct pm_magazine *mag = pm_mag_here(GFP_NOWAIT);
	unsigned int n;

	pm_mag_count_miss();
	if (unlikely(!mag))
		return false;
	if (pm_mag_push(mag, class, obj)) {
		if (pm_context_may_lock())
			pm_mag_come_by(mag);
		return true;
	}
	n = min_t(unsigned int, pm_classes[class].batch,
		  (pm_mag_room(mag, class) + 1) / 2 +
		  pm_mag_excess(mag, class));
	/* Nothing at all, when the stack lost its room a moment ago. */
	if (n)
		pm_mag_flush_batch(class, n, pm_free_lock_batch);
	/* It may still find no room, on a CPU that we have moved to. */
	return pm_percpu_push(class, obj);
}
