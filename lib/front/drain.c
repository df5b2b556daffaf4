// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Which CPUs have a magazine: making, publishing and draining.
 */
#include "arena/batch.h"
#include "arena/free_lock.h"
#include "back/share.h"
#include "base/options.h"
#include "base/trace.h"
#include "front/capacity.h"
#include "front/drain.h"

/* Bytes of a magazine with all its slots. */
static size_t pm_mag_bytes __read_mostly;

/* Guards making, publishing and draining. Inside the registry. */
static DEFINE_MUTEX(pm_mag_lock);
static LIST_HEAD(pm_spare_mags);

/*
 * By CPU, the magazine that it has, published or set aside. [pm_mag_lock; read by
 * figures]
 */
static struct pm_magazine **pm_mags __read_mostly;

/* CPUs that have one. [pm_mag_lock] */
static unsigned int pm_nr_mags;

/**
 * pm_mag_init() - lay magazines out and find out whether they can be used
 * @gfp: context
 *
 * Context: pm_registry held, before the first arena.
 */
void pm_mag_init(gfp_t gfp)
{
	pm_mag_bytes = pm_mag_lay_out();
	pm_options.magazine = pm_options.magazine && pm_percpu_init();
	if (!pm_options.magazine)
		return;
	pm_mags = pm_meta_alloc(pm_percpu_count() * sizeof(*pm_mags), gfp);
	pm_options.magazine = pm_mags;
}

/**
 * pm_mag_at() - magazine that a CPU has, published or set aside
 * @index: the CPU's number
 *
 * Context: any. Others use it, and may drain it.
 * Return: the magazine, or NULL.
 */
struct pm_magazine *pm_mag_at(unsigned int index)
{
	return pm_mags && index < pm_percpu_count() ?
		READ_ONCE(pm_mags[index]) : NULL;
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
	for (class = 1; class < PM_CLASS_END; class++) {
		mag->stack[class].top = pm_mag_base[class];
		mag->stack[class].limit = pm_mag_base[class];
	}
	return mag;
}

/**
 * pm_mag_here() - magazine of the CPU that we run on, made when there is none
 * @gfp: context
 *
 * By the time the caller uses it the thread may run elsewhere: only advisory
 * things may be done with it directly.
 *
 * Return: magazine, or NULL when there is none to be had.
 */
struct pm_magazine *pm_mag_here(gfp_t gfp)
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
	mag = pm_mag_at(index);
	if (!mag) {
		mag = pm_mag_new(gfp);
		if (mag) {
			trace_magazine_install(index, 0, 0, 0);
			WRITE_ONCE(mag->cpu, index);
			pm_share_set_magazines(++pm_nr_mags);
		}
		WRITE_ONCE(pm_mags[index], mag);
	}
	if (mag && !pm_percpu_get(index)) {
		pm_percpu_publish(index, mag);		/* magazine F */
		smp_mb();	/* pm_mag_set_all_aside() finds F, or we what it is for */
	}
	mutex_unlock(&pm_mag_lock);
	return mag;
}

/* Give back what one stack of a magazine that is ours alone holds. */
static unsigned int pm_mag_empty_stack(struct pm_magazine *mag,
				       unsigned int class)
{
	struct pm_stack *stack = &mag->stack[class];
	unsigned int n, objects = 0;
	u32 base = pm_mag_base[class];

	while (stack->top > base) {
		n = min_t(unsigned int, PM_BATCH_MAX, (stack->top - base) / 8);
		stack->top -= n * 8;
		objects += n;
		pm_free_lock_batch(class, (void **)((char *)mag + stack->top),
				   n);
	}
	return objects;
}

/*
 * The slots of an empty magazine give their pages back: it may be a spare for good, on a
 * machine with many CPUs. A page that is missing holds NULL, as at first.
 */
static void pm_mag_purge_slots(struct pm_magazine *mag)
{
	unsigned long from = (unsigned long)mag + pm_mag_base[1];
	unsigned long end = ALIGN_DOWN((unsigned long)mag + pm_mag_bytes, PAGE_SIZE);

	from = ALIGN(from, PAGE_SIZE);
	if (from < end)
		pm_host_purge((void *)from, end - from);
}

/*
 * Give back what a magazine that is ours alone holds; make it a spare.
 *
 * Return: how many objects it held.
 */
static unsigned int pm_mag_retire(struct pm_magazine *mag)
{
	unsigned int class, objects = 0;

	lockdep_assert_held(&pm_mag_lock);
	pm_for_each_class(class) {
		objects += pm_mag_empty_stack(mag, class);
		mag->stack[class].limit = pm_mag_base[class];
	}
	mag->capacity = 0;
	mag->span_capacity = 0;
	pm_mag_purge_slots(mag);
	list_add(&mag->node, &pm_spare_mags);
	return objects;
}

/* Take a CPU's magazine from it. NULL when it has none, or keeps it. */
static struct pm_magazine *pm_mag_withdraw(unsigned int index)
{
	struct pm_magazine *mag = pm_mag_at(index);

	lockdep_assert_held(&pm_mag_lock);
	if (!mag)
		return NULL;
	pm_percpu_publish(index, NULL);			/* magazine G */
	/* magazine H. A section may have begun before it was set aside. */
	if (likely(pm_percpu_fence(index)))
		return mag;
	/* It was the CPU's all the time, whichever was found. */
	pm_percpu_publish(index, mag);
	return NULL;
}

/**
 * pm_mag_drain_locked() - empty a CPU's magazine
 * @index: its number
 *
 * Context: may sleep; pm_mag_lock_all().
 * Return: false when there was none, or it cannot be drained.
 */
bool pm_mag_drain_locked(unsigned int index)
{
	u64 begin = pm_trace_begin(magazine_drain);
	struct pm_magazine *mag = pm_mag_withdraw(index);
	unsigned int objects;

	if (!mag)
		return false;
	WRITE_ONCE(pm_mags[index], NULL);
	pm_share_set_magazines(--pm_nr_mags);
	objects = pm_mag_retire(mag);			/* magazine I */
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
		if (!pm_mag_drain_locked(index) && pm_mag_at(index))
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

/*
 * Empty one class's stack of a CPU's magazine. It is set aside then: the CPU
 * publishes it again when it needs it.
 */
static bool pm_mag_drain_class_locked(unsigned int index, unsigned int class)
{
	u64 begin = pm_trace_begin(magazine_drain);
	struct pm_magazine *mag = pm_mag_at(index);
	unsigned int objects;

	lockdep_assert_held(&pm_mag_lock);
	if (!mag || (!pm_mag_room(mag, class) &&
		     READ_ONCE(mag->stack[class].top) == pm_mag_base[class]))
		return true;
	mag = pm_mag_withdraw(index);
	if (!mag)
		return false;
	objects = pm_mag_empty_stack(mag, class);	/* magazine I */
	pm_mag_take_all_room(mag, class);
	trace_magazine_drain(index, class, pm_trace_since(begin), objects);
	return true;
}

/**
 * pm_mag_drain_class_all_locked() - empty one class's stacks, on every CPU
 * @class: class number
 *
 * Context: may sleep; pm_mag_lock_all().
 * Return: false when there is a magazine that cannot be drained.
 */
bool pm_mag_drain_class_all_locked(unsigned int class)
{
	unsigned int index;
	bool all = true;

	for (index = 0; index < pm_percpu_count(); index++)
		if (!pm_mag_drain_class_locked(index, class))
			all = false;
	return all;
}

/**
 * pm_mag_trylock_all() - pm_mag_lock_all(), if that can be done at once
 */
bool pm_mag_trylock_all(void)
{
	return mutex_trylock(&pm_mag_lock);
}

/**
 * pm_mag_lock_all() - keep magazines from being made or drained
 */
void pm_mag_lock_all(void)
{
	mutex_lock(&pm_mag_lock);
}

/**
 * pm_mag_unlock_all() - let that go on
 */
void pm_mag_unlock_all(void)
{
	mutex_unlock(&pm_mag_lock);
}

/**
 * pm_mag_halt() - keep CPUs from getting magazines during a fork()
 */
void pm_mag_halt(void)
{
	pm_mutex_halt(&pm_mag_lock);
}

/**
 * pm_mag_resume() - let that go on
 * @child: in the child of a fork(): whoever waits for the lock is not there
 */
void pm_mag_resume(bool child)
{
	if (!child) {
		pm_mutex_resume(&pm_mag_lock);
		return;
	}
	/* The list may be half changed, by a thread that is not here. */
	if (pm_mutex_is_others(&pm_mag_lock))
		INIT_LIST_HEAD(&pm_spare_mags);
	pm_mutex_restart(&pm_mag_lock);
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
	if (pm_mags)
		pm_meta_free(pm_mags, pm_percpu_count() * sizeof(*pm_mags));
	pm_mags = NULL;
}
