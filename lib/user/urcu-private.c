// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A private copy of liburcu's grace periods, and the readers they wait for.
 *
 * A malloc shares nothing with its program. liburcu as it is installed would
 * be shared: then the program's fork handlers and ours take the same locks one
 * after the other, and wait for themselves. So this file includes the source
 * of liburcu's bulletproof flavour (scripts/liburcu), unchanged, as one unit
 * whose symbols nobody else sees.
 *
 * Of that source we use how grace periods are waited for and what is done
 * around fork(). The list of readers is kept here and not by liburcu, for its
 * registration cannot say no: it ends the process when there is no memory or
 * no pthread key. Its functions for that are declared static below, so they
 * are never linked, and with them go its constructor and its destructor.
 *
 * A thread is a reader from its first section on. The question is how one
 * learns that it has ended. liburcu asks for it with a key, of which a program
 * has 1024, and whose destructor runs while other destructors still allocate.
 * Here each reader has a robust mutex, which its thread locks and never
 * unlocks. The C library says with robust mutexes which ones a thread holds,
 * and the kernel marks these when the thread is gone, however it went. Nobody
 * has to be there at that moment: whoever needs a reader, or waits for one, has
 * a look. A kernel that would not do this costs memory for readers, and no
 * more.
 *
 * Locks: rcu_gp_lock, then rcu_registry_lock; for their place among ours see
 * fork.c. Both are held with signals blocked.
 */
#include "user.h"

/* ---- the copy ---------------------------------------------------------- */

/* Declared static, defined there, and used by nobody. */
#define urcu_bp_register	urcu_bp_not_registered
static void urcu_bp_register(void);
static void urcu_bp_register_thread(void);
static void urcu_bp_read_lock(void);
static void urcu_bp_read_unlock(void);
static int urcu_bp_read_ongoing(void);
static void *urcu_bp_dereference_sym(void *p);
static void *urcu_bp_set_pointer_sym(void **p, void *v);
static void *urcu_bp_xchg_pointer_sym(void **p, void *v);
static void *urcu_bp_cmpxchg_pointer_sym(void **p, void *old, void *_new);

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wimplicit-fallthrough"

/* Words that both have. */
#undef min_t
#undef max_t
#undef mutex_lock
#define mutex_lock		urcu_mutex_lock
#define mutex_unlock		urcu_mutex_unlock
#undef DEFINE_URCU_TLS
#define DEFINE_URCU_TLS(type, name) static type name
#undef URCU_TLS
#define URCU_TLS(name)		(name)
#define syscall(...)		pm_syscall(__VA_ARGS__)

/* No constructor, no destructor, no table of functions. */
#define constructor		unused
#define destructor		unused
#include <urcu/flavor.h>
#undef DEFINE_RCU_FLAVOR
#define DEFINE_RCU_FLAVOR(name)	struct pm_no_flavor

/* A line of ours, without stdio. */
#define _URCU_DIE_H
#define urcu_die(cause)		pm_bug("liburcu cannot go on", __FILE__, __LINE__)

/* poll() would be a cancellation point. */
#include <urcu/wfcqueue.h>
#define poll(fds, nr, timeout)	pm_reader_wait()
static int pm_reader_wait(void);

#include "urcu-bp.c"

#undef poll
#undef urcu_bp_register
#undef constructor
#undef destructor
#pragma GCC diagnostic pop

/*
 * Readers order nothing where the kernel does it for them when somebody waits.
 * Readers that come before this constructor do so themselves, as do all when
 * the kernel refuses.
 */
static void __attribute__((constructor)) pm_urcu_start(void)
{
	if (!membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0))
		urcu_bp_has_sys_membarrier = 1;
}

/* ---- readers ----------------------------------------------------------- */

struct pm_reader *pm_reader_chunk[PM_READER_CHUNKS];

/* All of it: [rcu_registry_lock] */
static struct {
	unsigned int made;	/* numbers 1 to @made have been given away */
	unsigned int free;	/* the first of those that are free, or 0 */
	unsigned int since;	/* registrations since the last look at all */
} pm_readers;

static void pm_reader_put(unsigned int nr)
{
	struct pm_reader *reader = pm_reader_at(nr);

	reader->next = pm_readers.free;
	pm_readers.free = nr;
}

/*
 * Is the thread gone? Then its reader is free. It may have gone from within a
 * section, in a signal handler that calls pthread_exit().
 */
static void pm_reader_reap(unsigned int nr)
{
	struct pm_reader *reader = pm_reader_at(nr);

	if (!reader->rcu.alloc ||
	    pthread_mutex_trylock(&reader->life) != EOWNERDEAD)
		return;
	pthread_mutex_consistent(&reader->life);
	pthread_mutex_unlock(&reader->life);
	cds_list_del(&reader->rcu.node);
	reader->rcu.ctr = 0;
	reader->rcu.alloc = 0;
	pm_reader_put(nr);
}

static void pm_reader_reap_all(void)
{
	unsigned int nr;

	/* Downwards: the lowest numbers are used first. */
	for (nr = pm_readers.made; nr; nr--)
		pm_reader_reap(nr);
	pm_readers.since = 0;
}

static_assert(offsetof(struct urcu_bp_reader, node) >=
	      offsetof(struct pm_reader, next) + sizeof(unsigned int),
	      "there is room in liburcu's reader, behind ctr");

static void pm_reader_init(struct pm_reader *reader)
{
	pthread_mutexattr_t attr;

	memset(reader, 0, sizeof(*reader));
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&reader->life, &attr);
	pthread_mutexattr_destroy(&attr);
}

static struct pm_reader *pm_reader_chunk_make(void)
{
	const size_t align = __alignof__(struct pm_reader);
	char *p = pm_meta_alloc(PM_READER_CHUNK * sizeof(struct pm_reader) +
				align, GFP_KERNEL);

	return p ? (void *)ALIGN((unsigned long)p, align) : NULL;
}

/* One more than ever before. Return: its number, 0 when there is no memory. */
static unsigned int pm_reader_make(void)
{
	unsigned int nr = pm_readers.made + 1, c = nr / PM_READER_CHUNK;

	if (c == PM_READER_CHUNKS)
		return 0;
	if (!pm_reader_chunk[c])
		pm_reader_chunk[c] = pm_reader_chunk_make();
	if (!pm_reader_chunk[c])
		return 0;
	pm_reader_init(pm_reader_at(nr));
	pm_readers.made = nr;
	return nr;
}

/*
 * A look at all readers costs as much as there are, so there have to be half
 * as many registrations between two of them. Then the number of readers stays
 * in proportion to the number of threads that there were at a time.
 */
static unsigned int pm_reader_get(void)
{
	unsigned int nr;

	if (!pm_readers.free && pm_readers.since >= pm_readers.made / 2)
		pm_reader_reap_all();
	nr = pm_readers.free;
	if (nr)
		pm_readers.free = pm_reader_at(nr)->next;
	else
		nr = pm_reader_make();
	pm_readers.since++;
	return nr;
}

static void pm_reader_add(unsigned int nr)
{
	struct pm_reader *reader = pm_reader_at(nr);

	BUG_ON(pthread_mutex_trylock(&reader->life));
	reader->rcu.tid = pthread_self();
	reader->rcu.alloc = 1;
	cds_list_add(&reader->rcu.node, &registry);
}

/*
 * A grace period waits for somebody, without rcu_registry_lock. It would never
 * end for readers whose threads have gone from within a section.
 */
static int pm_reader_wait(void)
{
	unsigned int nr;

	pm_host_nap();
	mutex_lock(&rcu_registry_lock);
	for (nr = 1; nr <= pm_readers.made; nr++)
		if (READ_ONCE(pm_reader_at(nr)->rcu.ctr))
			pm_reader_reap(nr);
	mutex_unlock(&rcu_registry_lock);
	return 0;
}

/**
 * pm_urcu_register() - become a reader
 *
 * Return: 0, or -1 when there is no memory for one more.
 */
__cold int pm_urcu_register(void)
{
	int saved = errno;
	sigset_t all, mask;
	unsigned int nr;

	if (!pm_urcu_works())
		return -1;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &mask);
	/* A handler may have been here first, a moment ago. */
	nr = pm_tls.reader;
	if (!nr) {
		mutex_lock(&rcu_registry_lock);
		nr = pm_reader_get();
		if (nr)
			pm_reader_add(nr);
		pm_tls.reader = nr;
		mutex_unlock(&rcu_registry_lock);
	}
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	errno = saved;
	return nr ? 0 : -1;
}

/**
 * pm_urcu_after_fork_child() - end what urcu_bp_before_fork() began
 *
 * Readers are those of the parent's threads, but one. The C library has
 * forgotten the robust mutexes that this thread held under its old number.
 */
void pm_urcu_after_fork_child(void)
{
	unsigned int nr;

	CDS_INIT_LIST_HEAD(&registry);
	pm_readers.free = 0;
	for (nr = pm_readers.made; nr; nr--) {
		unsigned long ctr = pm_reader_at(nr)->rcu.ctr;

		pm_reader_init(pm_reader_at(nr));
		if (nr != pm_tls.reader) {
			pm_reader_put(nr);
			continue;
		}
		pm_reader_at(nr)->rcu.ctr = ctr;
		pm_reader_add(nr);
	}
	urcu_bp_after_fork_child();
}
