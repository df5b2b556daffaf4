// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What it costs to find an arena's lock held.
 *
 * The story of one who wants the lock and finds it held:
 *
 *	contended++		it is counted at once, by an atomic operation:
 *				the lock is somebody else's
 *	fallback_out++		when another arena's lock was free; the end
 *	waiters++		else it waits: it notes the holder, how many
 *	the clock		wait, and since when
 *	mutex_lock()
 *	the clock		with the lock, it writes down the rest by plain
 *	waited++, hist ...	stores
 *
 * So of the threads that wait now @waiters alone tells; all else speaks of
 * waits that have ended. And contended is never less than waited and
 * fallback_out together: what is left found the lock free at its second look.
 */
#include "arena/lockstat.h"

/**
 * pm_wait_bucket() - where a duration goes in a histogram
 * @ns: nanoseconds
 *
 * Return: below PM_WAIT_BUCKETS.
 */
unsigned int pm_wait_bucket(u64 ns)
{
	return ns ? min_t(unsigned int, ilog2(ns), PM_WAIT_BUCKETS - 1) : 0;
}

/**
 * pm_lockstat_adopt() - add the accounts of an arena that is retired
 * @to: its heir's
 * @from: its own, zero afterwards
 *
 * Context: both locks are held.
 */
void pm_lockstat_adopt(struct pm_lockstat *to, struct pm_lockstat *from)
{
	to->acquired += from->acquired;
	to->switches += from->switches;
	from->acquired = 0;
	from->switches = 0;
}

/**
 * pm_lockstat_restart() - nobody holds the lock in the child of a fork()
 * @ls: its accounts
 *
 * Context: the child's one thread.
 */
void pm_lockstat_restart(struct pm_lockstat *ls)
{
	if (ls->seq & 1)
		pm_lockstat_leave(ls);
}

/**
 * pm_lockstat_holder() - who holds a lock
 * @ls: its accounts
 *
 * A thread that took the lock a moment ago and has not yet said so is not
 * seen.
 *
 * Context: any.
 * Return: one who held it since the call, or nobody.
 */
union pm_holder pm_lockstat_holder(const struct pm_lockstat *ls)
{
	union pm_holder holder = { .word = 0 };

	/* Pairs with pm_lockstat_enter(). */
	if (smp_load_acquire(&ls->seq) & 1)
		holder.word = READ_ONCE(ls->owner.word);
	return holder;
}

/**
 * pm_lockwait_begin() - the caller is about to wait for the lock
 * @w: where that is accounted
 * @ls: accounts of the lock
 * @class: on whose behalf
 * @wait: the wait, for pm_lockwait_end()
 */
void pm_lockwait_begin(struct pm_lockwait *w, const struct pm_lockstat *ls,
		       unsigned int class, struct pm_wait *wait)
{
	wait->class = class;
	wait->holder = pm_lockstat_holder(ls);
	wait->waiters = atomic_long_inc_return(&w->waiters);
	wait->since = pm_host_clock_ns();
}

/**
 * pm_lockwait_end() - the caller has waited and has the lock now
 * @w: where that is accounted
 * @wait: as pm_lockwait_begin() left it
 * @sleep: what the mutex says of it
 *
 * Context: the lock is held.
 * Return: nanoseconds that it took.
 */
u64 pm_lockwait_end(struct pm_lockwait *w, const struct pm_wait *wait,
		    const struct pm_sleep *sleep)
{
	struct pm_class_wait *c = &w->class[wait->class];
	u64 ns = pm_host_clock_ns() - wait->since;

	/* Not below 0: a child of fork() has forgotten who waits. */
	atomic_long_dec_if_positive(&w->waiters);
	if (wait->waiters > w->waiters_max)
		w->waiters_max = wait->waiters;
	/* Pairs with pm_arena_class_figures(), which takes no lock. */
	WRITE_ONCE(c->waited, c->waited + 1);
	WRITE_ONCE(c->wait_ns, c->wait_ns + ns);
	if (ns > c->wait_max_ns)
		WRITE_ONCE(c->wait_max_ns, ns);
	w->hist[pm_wait_bucket(ns)]++;
	w->wait_calls += sleep->calls;
	w->asked += sleep->calls != 0;
	if (sleep->sleeps) {
		w->slept++;
		w->slept_ns += ns;
	}
	if (wait->holder.tid)
		w->holder = wait->holder;
	if (ns >= w->wait_max_ns) {
		w->wait_max_ns = ns;
		w->longest_holder = wait->holder;
		w->longest_class = wait->class;
	}
	return ns;
}

/**
 * pm_lockwait_contended() - times that somebody found the lock held
 * @w: where that is accounted
 *
 * Return: the sum over all classes; frees are not in it.
 */
u64 pm_lockwait_contended(const struct pm_lockwait *w)
{
	unsigned int class;
	u64 sum = 0;

	for (class = 0; class < pm_class_end(); class++)
		sum += atomic_long_read(&w->class[class].contended);
	return sum;
}

static void pm_count_move(atomic_long_t *to, atomic_long_t *from)
{
	long n = atomic_long_read(from);

	/* Others may count at the same time: take away what was seen. */
	atomic_long_sub(n, from);
	atomic_long_add(n, to);
}

/* Both pair with pm_arena_class_figures(), which takes no lock. */
static void pm_u64_move(u64 *to, u64 *from)
{
	WRITE_ONCE(*to, *to + *from);
	WRITE_ONCE(*from, 0);
}

static void pm_u64_max(u64 *to, u64 *from)
{
	WRITE_ONCE(*to, max_t(u64, *to, *from));
	WRITE_ONCE(*from, 0);
}

static void pm_class_wait_move(struct pm_class_wait *to,
			       struct pm_class_wait *from)
{
	pm_count_move(&to->contended, &from->contended);
	pm_count_move(&to->fallback_out, &from->fallback_out);
	pm_count_move(&to->free_busy, &from->free_busy);
	pm_u64_move(&to->waited, &from->waited);
	pm_u64_move(&to->wait_ns, &from->wait_ns);
	pm_u64_max(&to->wait_max_ns, &from->wait_max_ns);
}

/**
 * pm_lockwait_forget() - what was on behalf of a class was of none in particular
 * @w: where waits are accounted
 * @class: class number that another cache may get
 *
 * Context: the lock is held.
 */
void pm_lockwait_forget(struct pm_lockwait *w, unsigned int class)
{
	pm_class_wait_move(&w->class[PM_CLASS_NONE], &w->class[class]);
}

/**
 * pm_lockwait_adopt() - add the accounts of an arena that is retired
 * @to: its heir's
 * @from: its own, zero afterwards
 *
 * So sums over all arenas never go back. Whoever still waits for the lock of
 * a retired arena is accounted there, and in its next life.
 *
 * Context: both locks are held.
 */
void pm_lockwait_adopt(struct pm_lockwait *to, struct pm_lockwait *from)
{
	unsigned int i;

	if (from->wait_max_ns > to->wait_max_ns) {
		to->longest_holder = from->longest_holder;
		to->longest_class = from->longest_class;
	}
	pm_u64_max(&to->wait_max_ns, &from->wait_max_ns);
	pm_u64_max(&to->waiters_max, &from->waiters_max);
	pm_u64_move(&to->fallback_in, &from->fallback_in);
	pm_u64_move(&to->wait_calls, &from->wait_calls);
	pm_u64_move(&to->asked, &from->asked);
	pm_u64_move(&to->slept, &from->slept);
	pm_u64_move(&to->slept_ns, &from->slept_ns);
	for (i = 0; i < PM_WAIT_BUCKETS; i++)
		pm_u64_move(&to->hist[i], &from->hist[i]);
	for (i = 0; i < pm_class_end(); i++)
		pm_class_wait_move(&to->class[i], &from->class[i]);
	from->holder.word = 0;
	from->longest_holder.word = 0;
	from->longest_class = 0;
}
