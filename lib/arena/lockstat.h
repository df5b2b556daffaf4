/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Accounting of an arena's lock: who has it, how often it was taken, and what
 * those who found it held did and how long they waited.
 *
 * Two parts, for two kinds of writers:
 *
 *	struct pm_lockstat	written by each holder, with plain stores. It lies
 *				beside the lock, in the cache line that a holder
 *				has just got.
 *	struct pm_lockwait	written where there is contention only, by
 *				atomic operations or after having waited. It lies
 *				behind everything else, so that an arena which
 *				nobody ever waits for does not touch its pages.
 *
 * A clock is read, and an atomic operation done, only by who found the lock
 * held.
 *
 * @seq makes an arena readable from outside without its lock, as a seqcount
 * does: odd while somebody holds it. See lib/user/publish.c.
 */
#ifndef PM_LOCKSTAT_H
#define PM_LOCKSTAT_H

#include "platform.h"
#include "back/class.h"

#define PM_WAIT_BUCKETS	40

/* Stands for a class where a holder serves none: trim, flushing of depots. */
#define PM_CLASS_NONE	0

/**
 * union pm_holder - a thread on a CPU
 * @word: both in one, so that they are read and written together
 * @tid: the thread, 0 for nobody
 * @cpu: where it ran when it took the lock
 */
union pm_holder {
	u64 word;
	struct {
		u32 tid;
		u32 cpu;
	};
};

/**
 * struct pm_lockstat - what every holder writes
 * @seq: odd while the lock is held
 * @last_tid: who acquired it last
 * @owner: who holds it, or held it last, be it to look at figures
 * @acquired: times that it was taken to allocate, to free, or for a trim
 * @switches: times that it was acquired by another thread than before
 *
 * Guarded by the arena's lock; @seq and @owner are read without it.
 */
struct pm_lockstat {
	u32 seq;
	u32 last_tid;
	union pm_holder owner;
	u64 acquired;
	u64 switches;
};

/**
 * struct pm_class_wait - contention on behalf of one class
 * @contended: times that a thread which wanted the lock found it held; it
 *	then waited, went elsewhere, or found it free at its second look [atomic]
 * @fallback_out: times that it went to another arena [atomic]
 * @free_busy: times that a free found it held and left its objects for the
 *	next holder; not contained in @contended [atomic]
 * @waited: times that a thread waited for it
 * @wait_ns: nanoseconds waited in total
 * @wait_max_ns: longest wait
 *
 * Guarded by the arena's lock where not said otherwise.
 */
struct pm_class_wait {
	atomic_long_t contended;
	atomic_long_t fallback_out;
	atomic_long_t free_busy;
	u64 waited;
	u64 wait_ns;
	u64 wait_max_ns;
};

/**
 * struct pm_lockwait - what those write who found the lock held
 * @waiters: threads that wait for it now [atomic]
 * @waiters_max: most that ever waited at once
 * @fallback_in: times that a thread came from another arena
 * @wait_max_ns: longest wait
 * @wait_calls: times that the host was asked to put a thread to sleep
 * @asked: waits in which it was, be it once or more often
 * @slept: of these, waits in which the thread did sleep; in others the lock
 *	had changed hands by then
 * @slept_ns: how long these took
 * @holder: who held it when somebody last had to wait
 * @longest_holder: who held it when the longest wait began
 * @longest_class: class on whose behalf that was
 * @hist: waits by duration: bucket n has those of 2^n ns and more, below
 *	2^(n+1) ns; the first those of 0 ns too, the last all longer ones
 * @class: per class
 *
 * Guarded by the arena's lock where not said otherwise.
 */
struct pm_lockwait {
	atomic_long_t waiters;
	u64 waiters_max;
	u64 fallback_in;
	u64 wait_max_ns;
	u64 wait_calls;
	u64 asked;
	u64 slept;
	u64 slept_ns;
	union pm_holder holder;
	union pm_holder longest_holder;
	u64 longest_class;
	u64 hist[PM_WAIT_BUCKETS];
	struct pm_class_wait class[PM_CLASS_END];
};

/**
 * struct pm_wait - one wait
 * @class: on whose behalf
 * @since: when it began
 * @waiters: how many wait then, this one included
 * @holder: the thread that holds the lock then
 */
struct pm_wait {
	unsigned int class;
	u64 since;
	u64 waiters;
	union pm_holder holder;
};

/**
 * pm_lockstat_enter() - the lock was taken
 * @ls: its accounts
 *
 * Context: the lock is held.
 */
static inline void pm_lockstat_enter(struct pm_lockstat *ls)
{
	union pm_holder me = {
		.tid = pm_host_tid(),
		.cpu = pm_host_cpu(),
	};

	if (ls->owner.word != me.word)
		WRITE_ONCE(ls->owner.word, me.word);
	/* Pairs with pm_lockstat_holder(): a reader of an odd number sees the owner. */
	smp_store_release(&ls->seq, ls->seq + 1);
	/* Who reads from outside sees it odd before anything else changes. */
	smp_wmb();
}

/**
 * pm_lockstat_acquire() - count that the lock was taken
 * @ls: its accounts
 *
 * Context: the lock is held and entered.
 */
static inline void pm_lockstat_acquire(struct pm_lockstat *ls)
{
	ls->acquired++;
	if (ls->last_tid != ls->owner.tid) {
		ls->last_tid = ls->owner.tid;
		ls->switches++;
	}
}

/**
 * pm_lockstat_leave() - the lock is about to be let go
 * @ls: its accounts
 *
 * Context: the lock is held.
 */
static inline void pm_lockstat_leave(struct pm_lockstat *ls)
{
	/* Publishes all that the holder wrote to who reads from outside. */
	smp_store_release(&ls->seq, ls->seq + 1);
}

/**
 * pm_lockstat_acquired() - how often the lock was taken, looks at figures left out
 * @ls: its accounts
 *
 * Context: the lock is held.
 */
static inline u64 pm_lockstat_acquired(const struct pm_lockstat *ls)
{
	return ls->acquired;
}

/**
 * pm_lockwait_found_held() - a thread that wants the lock has found it held
 * @w: where that is accounted
 * @class: on whose behalf
 *
 * Context: any.
 */
static inline void pm_lockwait_found_held(struct pm_lockwait *w,
					  unsigned int class)
{
	atomic_long_inc(&w->class[class].contended);
}

/**
 * pm_lockwait_free_busy() - a free has, and leaves its objects
 * @w: where that is accounted
 * @class: on whose behalf
 *
 * Context: any.
 */
static inline void pm_lockwait_free_busy(struct pm_lockwait *w,
					 unsigned int class)
{
	atomic_long_inc(&w->class[class].free_busy);
}

/**
 * pm_lockwait_fallback_out() - a thread goes to another arena
 * @w: accounts of the lock that it found held
 * @class: on whose behalf
 *
 * Context: any.
 */
static inline void pm_lockwait_fallback_out(struct pm_lockwait *w,
					    unsigned int class)
{
	atomic_long_inc(&w->class[class].fallback_out);
}

/**
 * pm_lockwait_fallback_in() - a thread has come from another arena
 * @w: accounts of the lock that it holds now
 *
 * Context: the lock is held.
 */
static inline void pm_lockwait_fallback_in(struct pm_lockwait *w)
{
	w->fallback_in++;
}

/**
 * pm_lockwait_restart() - nobody waits in the child of a fork()
 * @w: where waits are accounted
 *
 * Context: the child's one thread.
 */
static inline void pm_lockwait_restart(struct pm_lockwait *w)
{
	atomic_long_set(&w->waiters, 0);
}

void pm_lockstat_adopt(struct pm_lockstat *to, struct pm_lockstat *from);
void pm_lockstat_restart(struct pm_lockstat *ls);
union pm_holder pm_lockstat_holder(const struct pm_lockstat *ls);
void pm_lockwait_begin(struct pm_lockwait *w, const struct pm_lockstat *ls,
		       unsigned int class, struct pm_wait *wait);
u64 pm_lockwait_end(struct pm_lockwait *w, const struct pm_wait *wait,
		    const struct pm_sleep *sleep);
void pm_lockwait_forget(struct pm_lockwait *w, unsigned int class);
void pm_lockwait_adopt(struct pm_lockwait *to, struct pm_lockwait *from);
unsigned int pm_wait_bucket(u64 ns);
u64 pm_lockwait_contended(const struct pm_lockwait *w);

#endif /* PM_LOCKSTAT_H */
