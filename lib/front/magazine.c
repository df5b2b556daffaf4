// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Magazines: how they are filled, emptied, made, drained and sized.
 *
 * Capacity. A stack begins with room for a few objects and doubles on every
 * miss (a pop that finds it empty, a push that finds it full) up to 16 KiB.
 * From there on it doubles when misses of the two kinds alternate: then more
 * room would have saved both. A CPU that only allocates, or only frees, gains
 * nothing from a large stack, and what it holds is of no use to others. The
 * end is 512 objects or 512 KiB, within a budget per CPU that only the first
 * few slots of a class may exceed. When the budget is spent a class that
 * misses takes room from others, from those that have not missed for some
 * time: a hand goes round as in the clock algorithm of page replacement, and
 * whom it finds idle twice gives half of its room. A class that sees no miss
 * for a decay time gives half of its room back by itself. So a class that is
 * used little holds little, and a program that changes from some sizes to
 * others does not wait for it.
 *
 * Refill and flush move a batch within one section with one commit. In plain
 * C they would race with the sections of other threads on the same CPU: the
 * thread is preempted between the load of top and the store, others push and
 * pop, and the store brings back a top of the past, with objects above it
 * that somebody holds.
 */
#include "front/magazine.h"
#include "arena/arena.h"
#include "back/heap.h"
#include "base/check.h"
#include "base/options.h"
#include "back/pagemap.h"
#include "front/transit.h"
#include "base/trace.h"

#define PM_MAG_EASY_BYTES	(16U << 10)	/* of a class */
#define PM_MAG_LOOKS		8		/* at classes, for room */

/*
 * Between the slots of two classes: the NULL below the first slot, and a cache
 * line. Most classes have 512 slots, a page of them; without the line slots of
 * like depth of all classes would be in a few sets of a first-level cache.
 */
#define PM_MAG_GAP		(8 + SMP_CACHE_BYTES)

/* What a section found: nothing to pop, or no room to push. */
enum pm_miss { PM_MISS_EMPTY, PM_MISS_FULL };

u32 pm_mag_base[PM_NR_CLASSES] __read_mostly;
u64 pm_mark_secret __read_mostly;

/* Bytes of a magazine with all its slots. */
static size_t pm_mag_bytes __read_mostly;

/* Guards making, publishing and draining. Inside the registry. */
static DEFINE_MUTEX(pm_mag_lock);
static LIST_HEAD(pm_spare_mags);

/* Coarse time of the next look at idle magazines. */
static u64 pm_mag_next_tick;

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

static unsigned int pm_mag_max_slots(unsigned int class)
{
	return min_t(size_t, PM_MAG_MAX_BYTES / pm_classes[class].size,
		     PM_MAG_MAX_SLOTS);
}

/**
 * pm_mag_init() - lay magazines out and find out whether they can be used
 * @gfp: context
 *
 * Context: pm_registry held, before the first arena.
 * Return: 0.
 */
int pm_mag_init(gfp_t gfp)
{
	u32 at = ALIGN(sizeof(struct pm_magazine), 8);
	unsigned int class;

	for (class = 1; class < PM_NR_CLASSES; class++) {
		at += PM_MAG_GAP;
		pm_mag_base[class] = at;
		at += pm_mag_max_slots(class) * 8;
	}
	pm_mag_bytes = at;
	pm_mark_secret = pm_host_random() | 1;
	pm_options.magazine = pm_options.magazine && pm_percpu_init();
	return 0;
}

static struct pm_magazine *pm_mag_new(gfp_t gfp)
{
	struct pm_magazine *mag;
	unsigned int class;

	lockdep_assert_held(&pm_mag_lock);
	if (!list_empty(&pm_spare_mags)) {
		mag = list_first_entry(&pm_spare_mags, struct pm_magazine,
				       node);
		list_del(&mag->node);
		return mag;
	}
	mag = pm_meta_alloc(pm_mag_bytes, gfp);
	if (!mag)
		return NULL;
	for (class = 1; class < PM_NR_CLASSES; class++) {
		mag->stack[class].top = pm_mag_base[class];
		mag->stack[class].limit = pm_mag_base[class];
	}
	return mag;
}

/*
 * The magazine of the CPU that we run on, made when there is none. By the
 * time the caller uses it the thread may run elsewhere: only advisory
 * things may be done with it directly.
 */
static struct pm_magazine *pm_mag_here(gfp_t gfp)
{
	struct pm_magazine *mag;
	unsigned int index;

	if (!pm_percpu_prepare() || !pm_options.magazine)
		return NULL;
	index = pm_percpu_index();
	if (index >= pm_percpu_count())
		return NULL;
	mag = pm_percpu_get(index);
	if (likely(mag))
		return mag;
	if (!pm_context_may_lock() || !mutex_trylock(&pm_mag_lock))
		return NULL;
	mag = pm_percpu_get(index);
	if (!mag) {
		mag = pm_mag_new(gfp);
		if (mag) {
			trace_magazine_install(index, 0, 0, 0);
			pm_percpu_publish(index, mag);
		}
	}
	mutex_unlock(&pm_mag_lock);
	return mag;
}

/* ---- capacity ---------------------------------------------------------- */

/* Slots that a stack may use now. */
static unsigned int pm_mag_room(const struct pm_magazine *mag,
				unsigned int class)
{
	return (READ_ONCE(mag->stack[class].limit) - pm_mag_base[class]) / 8;
}

static void pm_mag_set_room(struct pm_magazine *mag, unsigned int class,
			    unsigned int room)
{
	WRITE_ONCE(mag->stack[class].limit, pm_mag_base[class] + room * 8);
}

/* What is left to a stack with more than the first slots that gives half. */
static unsigned int pm_mag_half(unsigned int room)
{
	return max_t(unsigned int, room - room / 2, PM_MAG_FIRST_SLOTS);
}

/* Whether @more slots of a class are within the budget. */
static bool pm_mag_has_budget(const struct pm_magazine *mag,
			      unsigned int class, unsigned int more)
{
	return READ_ONCE(mag->capacity) + (long)more * pm_classes[class].size <=
	       (long)pm_options.magazine_bytes;
}

/*
 * Make budget for @more slots of @class at the cost of classes that are idle.
 * One call goes a short way, so that a class has some misses' time to show that
 * it is none of them, and a miss stays cheap. Objects above a lowered limit stay
 * until they are popped, or until the next push finds them.
 */
static bool pm_mag_take_room(struct pm_magazine *mag, unsigned int class,
			     unsigned int more)
{
	unsigned int looks, victim = READ_ONCE(mag->hand), room, half;

	for (looks = 0; looks < PM_MAG_LOOKS; looks++) {
		victim = victim % (PM_NR_CLASSES - 1) + 1;
		room = pm_mag_room(mag, victim);
		if (victim == class || room <= PM_MAG_FIRST_SLOTS)
			continue;
		if (READ_ONCE(mag->busy[victim])) {
			WRITE_ONCE(mag->busy[victim], 0);
			continue;
		}
		half = pm_mag_half(room);
		pm_mag_set_room(mag, victim, half);
		WRITE_ONCE(mag->capacity, READ_ONCE(mag->capacity) -
			   (long)(room - half) * pm_classes[victim].size);
		if (pm_mag_has_budget(mag, class, more))
			break;
	}
	WRITE_ONCE(mag->hand, victim);
	return looks < PM_MAG_LOOKS;
}

/*
 * A stack was found empty or full: see whether it shall have twice the room.
 * Two threads may do so at once; @capacity is then a little off until
 * pm_mag_tick() puts it right.
 */
static bool pm_mag_grow(struct pm_magazine *mag, unsigned int class,
			enum pm_miss miss)
{
	unsigned int room = pm_mag_room(mag, class);
	unsigned int max = pm_mag_max_slots(class), more;
	bool turned = READ_ONCE(mag->last[class]) != miss;

	WRITE_ONCE(mag->busy[class], 1);
	WRITE_ONCE(mag->last[class], miss);
	if (room >= max ||
	    (!turned && room * pm_classes[class].size >= PM_MAG_EASY_BYTES))
		return false;
	more = room ? min_t(unsigned int, room, max - room) :
		      min_t(unsigned int, PM_MAG_FIRST_SLOTS, max);
	/* Every class may have its first few slots, whatever the others have. */
	if (room) {
		if (!pm_mag_has_budget(mag, class, more) &&
		    !pm_mag_take_room(mag, class, more))
			return false;
		WRITE_ONCE(mag->capacity, READ_ONCE(mag->capacity) +
			   (long)more * pm_classes[class].size);
	}
	pm_mag_set_room(mag, class, room + more);
	return true;
}

/* ---- refill and flush -------------------------------------------------- */

/* Objects above the limit: room was taken from the stack. */
static unsigned int pm_mag_excess(const struct pm_magazine *mag,
				  unsigned int class)
{
	u32 top = READ_ONCE(mag->stack[class].top);
	u32 limit = READ_ONCE(mag->stack[class].limit);

	return top > limit ? (top - limit) / 8 : 0;
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
static unsigned int pm_mag_owner(void **objs)
{
	return READ_ONCE(pm_pagemap_heap(objs[0])->arena)->id;
}

static void pm_mag_tick(void);

/**
 * pm_mag_refill() - a pop found nothing: get an object and more
 * @class: class number
 * @gfp: context
 *
 * Context: may sleep; @gfp without permission to sleep gets NULL.
 * Return: an object, unmarked, or NULL.
 */
void *pm_mag_refill(unsigned int class, gfp_t gfp)
{
	u64 begin = pm_trace_begin(magazine_refill);
	void *objs[PM_BATCH_MAX + 1];
	struct pm_magazine *mag;
	unsigned int n = 0, got, pushed;
	int slot = -1;

	pm_mag_count_miss();
	if (!gfpflags_allow_blocking(gfp))
		return NULL;
	if (unlikely(!pm_arena_ready()) && pm_arena_init(gfp))
		return NULL;
	mag = pm_mag_here(gfp);
	if (likely(mag)) {
		pm_mag_grow(mag, class, PM_MISS_EMPTY);
		n = pm_mag_want(mag, class);
		slot = pm_transit_begin();
	}
	got = pm_malloc_lock_batch(class, objs, slot < 0 ? 1 : n + 1, gfp);
	if (got > 1) {
		pm_point(PM_POINT_REFILL);
		pushed = pm_percpu_push_batch(class, objs + 1, got - 1);
		if (trace_magazine_refill_enabled())
			trace_magazine_refill(pm_mag_owner(objs), class,
					      pm_trace_since(begin), pushed);
		if (pushed < got - 1)
			pm_free_lock_batch(class, objs + 1 + pushed,
					   got - 1 - pushed);
	}
	if (likely(slot >= 0))
		pm_transit_end(slot);
	if (unlikely(!got))
		return NULL;
	if (got > 1) {
		pm_batch_provide(gfp);
		pm_mag_tick();
	}
	pm_misuse_noted();
	pm_obj_take(objs[0], class);
	return objs[0];
}

/*
 * Whether an object shall go home although there is, or soon would be, room
 * for it here.
 *
 * Not the stack is full but the thread or the class is new on this CPU, and
 * the object is another arena's: somebody handed it to a thread that begins.
 * Who frees it takes one like it next, and would get this one back, which
 * shares its cache line with what its giver still has (Berger et al. call
 * that passive false sharing). Two threads that each wrote to 8 bytes of one
 * line took 630 ns where those with lines of their own took 150.
 */
static bool pm_mag_sends_home(const struct pm_magazine *mag,
			      unsigned int class, const void *obj)
{
	u32 top = READ_ONCE(mag->stack[class].top);
	u32 limit = READ_ONCE(mag->stack[class].limit);

	return (top < limit || limit == pm_mag_base[class]) &&
	       !pm_arena_is_near(obj);
}

/* Carry up to @n objects from the magazine to an arena. */
static void pm_mag_flush_batch(unsigned int class, unsigned int n)
{
	u64 begin = pm_trace_begin(magazine_flush);
	void *objs[PM_BATCH_MAX];
	int slot = pm_transit_begin();
	int owner = PM_NO_ARENA;

	if (unlikely(slot < 0))
		return;
	n = pm_percpu_pop_batch(class, objs, n);
	if (n) {
		pm_point(PM_POINT_FLUSH);
		if (trace_magazine_flush_enabled())
			owner = pm_mag_owner(objs);
		pm_free_lock_batch(class, objs, n);
		trace_magazine_flush(owner, class, pm_trace_since(begin), n);
	}
	pm_transit_end(slot);
	pm_misuse_noted();
}

/* Carry @obj to its arena. */
static bool pm_mag_send_home(unsigned int class, void *obj)
{
	int slot = pm_transit_begin();

	if (unlikely(slot < 0))
		return false;
	pm_free_lock_batch(class, &obj, 1);
	pm_transit_end(slot);
	pm_misuse_noted();
	return true;
}

/**
 * pm_mag_flush() - a push found no room: make some
 * @class: class number
 * @obj: object, marked
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
	if (unlikely(pm_mag_sends_home(mag, class, obj))) {
		/* The first one only: who does nothing but free needs room. */
		if (!pm_mag_room(mag, class))
			pm_mag_grow(mag, class, PM_MISS_FULL);
		return pm_mag_send_home(class, obj);
	}
	if (pm_mag_grow(mag, class, PM_MISS_FULL) &&
	    pm_percpu_push(class, obj))
		return true;
	n = min_t(unsigned int, pm_classes[class].batch,
		  (pm_mag_room(mag, class) + 1) / 2 +
		  pm_mag_excess(mag, class));
	/* Nothing at all, when the stack lost its room a moment ago. */
	if (n)
		pm_mag_flush_batch(class, n);
	/* It may still find no room, on a CPU that we have moved to. */
	return pm_percpu_push(class, obj);
}

/* ---- drain ------------------------------------------------------------- */

/*
 * Give back what a magazine that is ours alone holds; make it a spare.
 *
 * Return: how many objects it held.
 */
static unsigned int pm_mag_retire(struct pm_magazine *mag)
{
	unsigned int class, n, objects = 0;
	u32 base;

	lockdep_assert_held(&pm_mag_lock);
	for (class = 1; class < PM_NR_CLASSES; class++) {
		base = pm_mag_base[class];
		while (mag->stack[class].top > base) {
			n = min_t(unsigned int, PM_BATCH_MAX,
				  (mag->stack[class].top - base) / 8);
			mag->stack[class].top -= n * 8;
			objects += n;
			pm_free_lock_batch(class, (void **)((char *)mag +
					   mag->stack[class].top), n);
		}
		mag->stack[class].limit = base;
	}
	mag->capacity = 0;
	list_add(&mag->node, &pm_spare_mags);
	return objects;
}

static bool pm_mag_drain_locked(unsigned int index)
{
	u64 begin = pm_trace_begin(magazine_drain);
	struct pm_magazine *mag = pm_percpu_get(index);
	unsigned int objects;

	lockdep_assert_held(&pm_mag_lock);
	if (!mag)
		return false;
	pm_percpu_publish(index, NULL);
	if (unlikely(!pm_percpu_fence(index))) {
		/* It was the CPU's all the time, whichever was found. */
		pm_percpu_publish(index, mag);
		return false;
	}
	objects = pm_mag_retire(mag);
	trace_magazine_drain(index, 0, pm_trace_since(begin), objects);
	return true;
}

/**
 * pm_mag_drain() - empty a CPU's magazine, whoever may be using it
 * @index: its number
 *
 * Context: may sleep.
 * Return: false when there was none, or it cannot be drained.
 */
bool pm_mag_drain(unsigned int index)
{
	bool drained;

	if (index >= pm_percpu_count())
		return false;
	mutex_lock(&pm_mag_lock);
	drained = pm_mag_drain_locked(index);
	mutex_unlock(&pm_mag_lock);
	return drained;
}

/**
 * pm_mag_drain_all_locked() - empty every CPU's magazine
 *
 * As long as the lock is held no CPU gets another one.
 *
 * Context: may sleep; pm_mag_lock_all().
 * Return: false when there is one that cannot be drained.
 */
bool pm_mag_drain_all_locked(void)
{
	unsigned int index;
	bool all = true;

	lockdep_assert_held(&pm_mag_lock);
	for (index = 0; index < pm_percpu_count(); index++)
		if (!pm_mag_drain_locked(index) && pm_percpu_get(index))
			all = false;
	return all;
}

/**
 * pm_mag_drain_all() - empty every CPU's magazine
 *
 * Context: may sleep.
 * Return: false when there is one that cannot be drained.
 */
bool pm_mag_drain_all(void)
{
	bool all;

	mutex_lock(&pm_mag_lock);
	all = pm_mag_drain_all_locked();
	mutex_unlock(&pm_mag_lock);
	return all;
}

static u64 pm_mag_sum_tops(const struct pm_magazine *mag)
{
	unsigned int class;
	u64 sum = 0;

	for (class = 1; class < PM_NR_CLASSES; class++)
		sum += (u64)READ_ONCE(mag->stack[class].top) * class;
	return sum;
}

/*
 * A class without a miss since the last look gives half of its room back;
 * objects above the new limit stay until they are popped. A user of the
 * magazine may grow the limit at the same time: one of the two is lost.
 */
static void pm_mag_shrink(struct pm_magazine *mag)
{
	unsigned int class, room;
	long capacity = 0;

	for (class = 1; class < PM_NR_CLASSES; class++) {
		room = pm_mag_room(mag, class);
		if (room > PM_MAG_FIRST_SLOTS && !READ_ONCE(mag->busy[class])) {
			room = pm_mag_half(room);
			pm_mag_set_room(mag, class, room);
		}
		WRITE_ONCE(mag->busy[class], 0);
		if (room > PM_MAG_FIRST_SLOTS)
			capacity += (long)(room - PM_MAG_FIRST_SLOTS) *
				    pm_classes[class].size;
	}
	WRITE_ONCE(mag->capacity, capacity);
}

/*
 * Once per decay time one of those who come along looks at all magazines.
 * One whose tops have not moved belongs to a CPU that this process has left:
 * it is drained. The others' unused classes shrink.
 */
static void pm_mag_tick(void)
{
	u64 now = pm_host_clock_coarse_ns();
	u64 next = READ_ONCE(pm_mag_next_tick);
	struct pm_magazine *mag;
	unsigned int index;
	u64 tops;

	if (likely(now < next) || !mutex_trylock(&pm_mag_lock))
		return;
	if (next != pm_mag_next_tick)
		goto out;
	pm_mag_next_tick = now + (u64)pm_options.decay_ms * 1000000;
	for (index = 0; index < pm_percpu_count(); index++) {
		mag = pm_percpu_get(index);
		if (!mag)
			continue;
		tops = pm_mag_sum_tops(mag);
		if (tops == mag->tops && index != pm_percpu_index()) {
			pm_mag_drain_locked(index);
		} else {
			mag->tops = tops;
			pm_mag_shrink(mag);
		}
	}
out:
	mutex_unlock(&pm_mag_lock);
}

/* ---- figures, fork, end ------------------------------------------------ */

/**
 * pm_mag_objects() - objects of a class in all magazines
 * @class: class number
 *
 * Return: a snapshot; magazines move while it is taken.
 */
size_t pm_mag_objects(unsigned int class)
{
	struct pm_magazine *mag;
	unsigned int index;
	size_t n = 0;

	for (index = 0; index < pm_percpu_count(); index++) {
		mag = pm_percpu_get(index);
		if (mag)
			n += (READ_ONCE(mag->stack[class].top) -
			      pm_mag_base[class]) / 8;
	}
	return n;
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

/**
 * pm_mag_lock_all() - keep magazines from being made or drained, for fork()
 */
void pm_mag_lock_all(void)
{
	mutex_lock(&pm_mag_lock);
}

/**
 * pm_mag_unlock_all() - let that go on
 * @child: in the child of a fork(): whoever waits for the lock is not there
 */
void pm_mag_unlock_all(bool child)
{
	if (child)
		mutex_init(&pm_mag_lock);
	else
		mutex_unlock(&pm_mag_lock);
}

/**
 * pm_mag_exit() - free all magazines
 *
 * Context: nobody uses the allocator any more.
 */
void pm_mag_exit(void)
{
	struct pm_magazine *mag, *next;

	pm_mag_drain_all();
	list_for_each_entry_safe(mag, next, &pm_spare_mags, node) {
		list_del(&mag->node);
		pm_meta_free(mag, pm_mag_bytes);
	}
}
