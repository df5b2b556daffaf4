/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The core's words in the kernel: here they are the kernel's own.
 *
 * The userspace twin of this header has three parts, customised, duplicated
 * and stubbed. Here the first two are the includes and the third is empty;
 * what is left is the few pm_ words of the contract.
 */
#ifndef PM_ENV_H
#define PM_ENV_H

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/bug.h>
#include <linux/build_bug.h>
#include <linux/cache.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/log2.h>
#include <linux/lockdep.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/preempt.h>
#include <linux/rculist.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/srcu.h>
#include <linux/string.h>
#include <linux/types.h>

#define PM_MARK 1

#ifdef PM_DEBUG_BUILD
#define PM_DEBUG 1
#else
#define PM_DEBUG 0
#endif

/*
 * A heap is a compound page of order 6: common enough to be had. When memory
 * is in pieces it may be as short as one slab, and aligned to that.
 */
#define PM_HEAP_SHIFT		18
#define PM_HEAP_ALIGN_SHIFT	14

/* All of a heap has pages: nothing is gained by a look at less than a unit. */
#define PM_STEP_SHIFT		14

/*
 * The direct map, where heaps come from, begins at PAGE_OFFSET. With four
 * levels of page tables vmalloc's addresses follow within 128 TiB; with five
 * they are out of reach, and large objects come from the direct map, too.
 */
#define PM_ADDR_BASE	PAGE_OFFSET
#define PM_ADDR_BITS	47

/* Heaps have none of their own: the direct map is made of them. */
#define PM_HUGE_BYTES	PMD_SIZE

#define PM_LARGE_MAX	(1UL << 40)

/* vmalloc() knows no other alignment. */
#define PM_EXTENT_GRAIN		PAGE_SIZE

/* What vmalloc() gave it takes back as a whole. */
#define PM_CACHE_SLOTS	128
#define PM_CHUNK_CUTS	0
#define PM_CHUNK_MIN	0UL
#define PM_CHUNK_MAX	0UL

/* What a module does not export is local to it anyway. */
#define __pm_local

/**
 * pm_context_may_lock() - whether the caller may take a mutex
 *
 * A mutex belongs to a task, hence not in an interrupt. A task that holds a
 * spinlock or has preemption off might try one; but what the holder of an
 * arena's lock calls may sleep on PREEMPT_RT, and a few things sleep always.
 * For that reason no RCU reader either; that rules out whoever holds a
 * spinlock on PREEMPT_RT, too.
 *
 * Return: true in a task that may sleep.
 */
static inline bool pm_context_may_lock(void)
{
	if (IS_ENABLED(CONFIG_PREEMPT_COUNT))
		return preemptible() && !rcu_preempt_depth();
	return in_task() && !irqs_disabled() && !rcu_preempt_depth();
}

/*
 * Standing still and beginning again is for a fork(): no process of the kernel's
 * forks, no signal handler runs, and so a mutex is just taken and let go.
 */
static inline bool pm_mutex_halt(struct mutex *m)
{
	mutex_lock(m);
	return true;
}

static inline bool pm_mutex_is_halted(struct mutex *m)
{
	return mutex_is_locked(m);
}

static inline bool pm_mutex_is_mine(struct mutex *m)
{
	return false;
}

static inline bool pm_mutex_is_others(struct mutex *m)
{
	return false;
}

#define pm_mutex_resume(m)	mutex_unlock(m)

static inline bool pm_mutex_restart(struct mutex *m)
{
	mutex_init(m);
	return true;
}

#define pm_inside_begin()	do { } while (0)
#define pm_inside_end()		do { } while (0)

/* A section of the kernel's begins always. */
static inline bool __must_check pm_srcu_read_trylock(struct srcu_struct *srcu,
						     int *idx)
{
	*idx = srcu_read_lock(srcu);
	return true;
}

/**
 * struct pm_sleep - what waiting for a mutex was like
 * @calls: times that the task asked to be put to sleep
 * @sleeps: times that it slept; one that spun until the mutex was free did not
 */
struct pm_sleep {
	u32 calls;
	u32 sleeps;
};

/* Whoever sleeps switches to another task of its own accord. */
static inline struct pm_sleep pm_mutex_lock_sleep(struct mutex *m)
{
	unsigned long before = current->nvcsw;
	struct pm_sleep sleep;

	mutex_lock(m);
	sleep.sleeps = current->nvcsw - before;
	sleep.calls = sleep.sleeps;
	return sleep;
}

#endif /* PM_ENV_H */
