// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * fork() in a threaded process.
 *
 * The child has the forking thread only. A lock that another thread held
 * would never be let go, and what it guarded might be half changed. So the
 * forking thread takes every lock, outermost first, and the child begins
 * with fresh ones. What is done without locks may be half done all the same:
 * the child puts that right (pm_arena_restart_all(), pm_batch_restart_all(),
 * pm_inflight_forget()).
 *
 * Lost to the child is what other threads had in their hands: a batch of a
 * refill or a flush (128 objects at most), an object between free()'s mark
 * and its magazine, a large object on its way to the inbox, a mapping that
 * was just made. That is at most one of these per thread, and of the same
 * kind as the objects that those threads own and the child cannot know.
 *
 * Locks are taken in one order:
 *
 *	the C library's list of streams, the registry, magazines, liburcu's
 *	locks, arenas, extents, batches, pages
 *
 * Steps, as in handler.pml:
 *
 *	A  pm_fork_prepare() takes the C library's list of streams first
 *	B  it waits for the registry and the arenas
 *	C  a lock that the forking thread has is stepped over, and left as it is
 *	D  a handler's fork() goes on without a lock that it waited long for
 *	E  a fork() outside of a handler lets everything go then, and begins again
 *	F  in the child, what the interrupted code has begun stays as it is
 *	G  signals wait from before the first lock until after the last one
 *	H  in the child, an arena that another thread has locked is forsaken
 *	I  a child that goes without sections waits for none
 *
 * What is lost without each:
 *
 *   - A before B: the C library's fork() takes the list behind our handlers, and
 *     its holder may wait for a thread that allocates:
 *
 *	fork()			fflush(NULL)		getline()
 *	------			------------		---------
 *							has its stream
 *				has the list
 *	has our locks
 *	waits for the list	waits for the stream	waits for our lock
 *
 *     In the child the C library makes the list's lock new, before our handler.
 *     With one thread it does not touch it, and neither do we.
 *   - A in a handler, too: the C library's fork() takes the list there as well, with
 *     a lock that it lets go around our handlers only, and that the holder of the
 *     list wants next:
 *
 *	fork()				fork() in a handler
 *	------				-------------------
 *	has the list, by A
 *					has the C library's lock of handlers
 *	waits for that lock
 *					waits for the list
 *
 *   - C: fork() may be called in a signal handler that has interrupted malloc() or
 *     free(), and the interrupted code goes on in parent and child. Were its lock
 *     let go in the parent, or made new in the child, the interrupted code would
 *     share what it guards with others.
 *   - D: such a thread takes locks in the wrong order. The thread that has the
 *     registry may wait for the very arena that the interrupted code has. A lock
 *     that is not to be had is made new in the child. For the same reason
 *     liburcu's locks are not taken then. If there are other threads, they may be
 *     theirs in the child, which goes without new read-side sections.
 *   - E: a fork() that has the list and waits for the interrupted code's arena
 *     would wait for a handler's fork() that waits for the list.
 *   - F (pm_inside_begin()):
 *
 *	interrupted code, in the child		the child's handler
 *	------------------------------		-------------------
 *	takes a spare batch
 *						fork() returns 0
 *						the batch is in no inbox:
 *						it is spare again
 *	puts it into an inbox
 *
 *     and the next one to take a spare batch gets the same. Likewise a slab
 *     would be queued twice, and a heap's reference be dropped twice. So the
 *     child does not look for what *other* threads had begun: their batches, and
 *     slabs that they were about to queue, are lost to it, too.
 *   - G: a handler that forks in between would take the locks for stepped over,
 *     and its child would let go of what it does not have.
 *   - H: the holder of a lock that D goes on without may be in such a handler, too,
 *     in the middle of a change. So the child does without: the arena's number goes
 *     to another (pm_arena_forsake()), large objects begin with an empty pool
 *     (pm_pool_forsake()), and so do the lists of what is spare.
 *   - I: the handler may have come over a retirement that is about to wait for
 *     sections, and those of threads that the child does not have never end.
 *
 * One circle is left, and it is the C library's: a handler over a thread that has
 * an arena forks, getline() waits for that arena with its stream locked,
 * fflush(NULL) for the stream with the list locked, and fork() for the list, which
 * the C library wants in any case.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/single_threaded.h>
#include "user.h"
#include "arena/batch.h"
#include "arena/registry.h"
#include "back/extent.h"
#include "front/magazine.h"
#include "front/inflight.h"
#include "upkeep/standstill.h"

/* Exported by the C library, and in no header. Others have no such list. */
void _IO_list_lock(void) __attribute__((weak));
void _IO_list_unlock(void) __attribute__((weak));
#pragma weak __libc_single_threaded

/**
 * struct pm_forker - a thread in fork()
 * @thread: which one, NULL when this is free [atomic]
 * @signals: its mask
 * @inside: its pm_tls.inside from before
 * @is_inside: it was in the middle of something, a read-side section included
 * @others: there are, or may be, other threads
 * @lists: it has the C library's list of streams
 *
 * There is one at a time but for those who could not have the registry.
 */
struct pm_forker {
	struct pm_tls *thread;
	u64 signals;
	u16 inside;
	bool is_inside;
	bool others;
	bool lists;
};

static struct pm_forker pm_forkers[16];

static struct pm_forker *pm_forker_get(void)
{
	unsigned int i;

	for (i = 0;; i = (i + 1) % ARRAY_SIZE(pm_forkers)) {
		if (!cmpxchg(&pm_forkers[i].thread, NULL, &pm_tls))
			return &pm_forkers[i];
		if (i == ARRAY_SIZE(pm_forkers) - 1)
			pm_host_nap();
	}
}

static struct pm_forker *pm_forker_of_this(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pm_forkers); i++)
		if (READ_ONCE(pm_forkers[i].thread) == &pm_tls)
			return &pm_forkers[i];
	return NULL;
}

/* As pm_fork_prepare() found it. */
static void pm_forker_put(struct pm_forker *f)
{
	u64 signals = f->signals;

	pm_tls.hurried = PM_HURRY_NOT;
	pm_tls.inside = f->inside;
	smp_store_release(&f->thread, NULL);
	pm_syscall(SYS_rt_sigprocmask, SIG_SETMASK, &signals, NULL,
		   sizeof(signals));
}

/*
 * Set in a child whose parent had other threads when a handler of the forking
 * thread came over a section: liburcu's locks may be another thread's, who is
 * not here. Sections of threads that are registered take none. Nobody registers
 * any more, or waits for sections.
 */
bool pm_urcu_is_forsaken;

/**
 * pm_has_threads() - whether there are, or may be, other threads
 */
bool pm_has_threads(void)
{
	return !&__libc_single_threaded || !__libc_single_threaded;
}

/* Take what can be had. Return: whether that is what is needed. */
static bool pm_fork_halt(const struct pm_forker *f)
{
	pm_tls.hurried = f->is_inside ? PM_HURRY_SOME : PM_HURRY_ALL;
	pm_mutex_halt(&pm_registry);	/* standstill A, handler B */
	pm_mag_halt();					/* standstill B */
	if (pm_tls.hurried == PM_HURRY_AGAIN)
		return false;
	if (!f->is_inside)
		urcu_bp_before_fork();			/* standstill C */
	pm_arena_lock_all();				/* standstill D */
	pm_extents_lock_all();				/* standstill E */
	pm_batch_lock_all();
	pm_pages_lock();
	if (pm_tls.hurried != PM_HURRY_AGAIN)
		return true;
	urcu_bp_after_fork_parent();
	return false;
}

/* standstill G. Let go of what was taken, but for liburcu's locks. */
static void pm_fork_resume(void)
{
	pm_pages_unlock(false);
	pm_batch_unlock_all();
	pm_extents_unlock_all(false);
	pm_arena_unlock_all();
	pm_mag_resume(false);
	pm_mutex_resume(&pm_registry);
}

static void pm_fork_prepare(void)
{
	bool is_inside = pm_tls.inside || pm_urcu_in_section();
	bool others = pm_has_threads();
	u64 all = ~0ULL, signals = 0;
	struct pm_forker *f;

	pm_syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, &signals,
		   sizeof(all));			/* handler G */
	f = pm_forker_get();
	f->signals = signals;
	f->inside = pm_tls.inside;
	f->is_inside = is_inside;
	f->others = others;
	f->lists = others && _IO_list_lock && _IO_list_unlock;
	for (;;) {
		if (f->lists)
			_IO_list_lock();		/* handler A */
		if (pm_fork_halt(f))
			return;
		pm_fork_resume();			/* handler E */
		if (f->lists)
			_IO_list_unlock();
		pm_host_nap();
	}
}

static void pm_fork_parent(void)
{
	struct pm_forker *f = pm_forker_of_this();

	if (!f->is_inside)
		urcu_bp_after_fork_parent();
	pm_fork_resume();
	if (f->lists)
		_IO_list_unlock();
	pm_forker_put(f);
}

static void pm_fork_child(void)
{
	struct pm_forker *f = pm_forker_of_this();
	bool inside = f->is_inside;

	pm_tls.tid = 0;
	pm_pages_unlock(true);				/* standstill H */
	pm_extents_unlock_all(true);
	pm_arena_restart_all(inside);			/* handler F */
	pm_batch_restart_all(inside);			/* standstill J */
	if (!inside)
		pm_urcu_after_fork_child();		/* standstill L */
	else if (f->others)
		pm_urcu_is_forsaken = true;		/* handler D */
	pm_mag_resume(true);
	pm_mutex_restart(&pm_registry);
	pm_inflight_forget();				/* standstill K */
	pm_publish();
	pm_forker_put(f);
	memset(pm_forkers, 0, sizeof(pm_forkers));
	if (!inside)
		pm_reclaim_start(true);
}

/**
 * pm_fork_init() - be called around fork()
 *
 * Registered before anybody else's handlers as far as possible: prepare
 * handlers run in reverse order, so others may still allocate in theirs.
 */
void pm_fork_init(void)
{
	/* standstill F is between the first and the others. */
	pthread_atfork(pm_fork_prepare, pm_fork_parent, pm_fork_child);
}
