/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Customised: a mutex is a futex.
 */
#ifndef PM_WORDS_MUTEX_H
#define PM_WORDS_MUTEX_H

#include <linux/futex.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "atomic.h"
#include "config.h"
#include "thread.h"

/*
 * The word is 0 when the mutex is free, else its holder's address of pm_tls,
 * which a child of fork() has in the same place, and flags in the bits that are
 * 0 in such an address. What waits is a futex, after Drepper, "Futexes Are
 * Tricky": its 32 bits are the word's lower half, where the flags are. The upper
 * half may change unseen between a look and the sleep: the new holder then finds
 * PM_MUTEX_WAITERS as the old one would have, and wakes.
 *
 * Own code rather than pthread_mutex_t because trylock and unlock stand in the
 * path of every slow operation and are inlined to one exchange each, because a
 * child of fork() may reset it, and because the owner must be known to a fork()
 * in a signal handler and to lockdep_assert_held().
 */
struct mutex {
	unsigned long state;
};

#define PM_MUTEX_WAITERS	1UL	/* somebody may sleep */
#define PM_MUTEX_HALTED		2UL	/* taken by pm_mutex_halt() */
#define PM_MUTEX_FLAGS		(PM_MUTEX_WAITERS | PM_MUTEX_HALTED)

static_assert(__alignof__(struct pm_tls) > PM_MUTEX_FLAGS, "room for flags");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "flags come first");

#define __MUTEX_INITIALIZER(m)	{ .state = 0 }
#define DEFINE_MUTEX(m)		struct mutex m = __MUTEX_INITIALIZER(m)

/**
 * struct pm_sleep - what waiting for a mutex was like
 * @calls: times that the kernel was asked to put the thread to sleep
 * @sleeps: times that it did; else the mutex had changed hands meanwhile
 */
struct pm_sleep {
	u32 calls;
	u32 sleeps;
};

void pm_mutex_lock_slow(struct mutex *m, struct pm_sleep *sleep);

static inline void mutex_init(struct mutex *m)
{
	memset(m, 0, sizeof(*m));
}

/*
 * What begins between these two is not undone in a child, see fork.c. Counted
 * from before it begins until after it has ended: a signal may come in between.
 */
static inline void pm_inside_begin(void)
{
	pm_tls.inside++;
	barrier();
}

static inline void pm_inside_end(void)
{
	barrier();
	pm_tls.inside--;
}

/* Acquire: pairs with the release in mutex_unlock(). */
static inline bool mutex_trylock(struct mutex *m)
{
	unsigned long free = 0;

	pm_inside_begin();
	if (likely(__atomic_compare_exchange_n(&m->state, &free,
					       (unsigned long)&pm_tls, false,
					       __ATOMIC_ACQUIRE,
					       __ATOMIC_RELAXED)))
		return true;
	pm_inside_end();
	return false;
}

static inline struct pm_sleep pm_mutex_lock_sleep(struct mutex *m)
{
	struct pm_sleep sleep = { 0 };

	if (unlikely(!mutex_trylock(m)))
		pm_mutex_lock_slow(m, &sleep);
	return sleep;
}

#define mutex_lock(m)		((void)pm_mutex_lock_sleep(m))

static inline void mutex_unlock(struct mutex *m)
{
	if (unlikely(__atomic_exchange_n(&m->state, 0, __ATOMIC_RELEASE) &
		     PM_MUTEX_WAITERS))
		syscall(SYS_futex, &m->state, FUTEX_WAKE | FUTEX_PRIVATE_FLAG,
			1, NULL, NULL, 0);
	pm_inside_end();
}

/* Whether this thread has it, be it for a standstill. */
static inline bool pm_mutex_is_mine(const struct mutex *m)
{
	return (__atomic_load_n(&m->state, __ATOMIC_RELAXED) &
		~PM_MUTEX_FLAGS) == (unsigned long)&pm_tls;
}

/* Whether it has it by pm_mutex_halt(). */
static inline bool pm_mutex_is_halted(const struct mutex *m)
{
	return (__atomic_load_n(&m->state, __ATOMIC_RELAXED) &
		~PM_MUTEX_WAITERS) ==
	       ((unsigned long)&pm_tls | PM_MUTEX_HALTED);
}

/*
 * Whether another thread has it. In the child of a fork() that is one who is not
 * here, and what the mutex guards is as he left it.
 */
static inline bool pm_mutex_is_others(const struct mutex *m)
{
	unsigned long holder = __atomic_load_n(&m->state, __ATOMIC_RELAXED) &
			       ~PM_MUTEX_FLAGS;

	return holder && holder != (unsigned long)&pm_tls;
}

bool pm_mutex_halt(struct mutex *m);

/* Let go of what pm_mutex_halt() took; of nothing when it took nothing. */
static inline void pm_mutex_resume(struct mutex *m)
{
	if (pm_mutex_is_halted(m))
		mutex_unlock(m);
}

/*
 * In the child of a fork(): whoever else had it, or waits for it, is not here.
 * Return: whether it is free now; else the thread had it itself.
 */
static inline bool pm_mutex_restart(struct mutex *m)
{
	if (pm_mutex_is_mine(m) && !pm_mutex_is_halted(m))
		return false;
	mutex_init(m);
	return true;
}

#define mutex_lock_nested(m, sub)	mutex_lock(m)
#define SINGLE_DEPTH_NESTING		1

#endif /* PM_WORDS_MUTEX_H */
