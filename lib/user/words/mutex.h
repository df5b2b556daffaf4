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
 * Three states in one futex word, after Drepper, "Futexes Are Tricky": 0 free,
 * 1 held, 2 held and somebody may sleep. Own code rather than pthread_mutex_t
 * because trylock and unlock stand in the path of every slow operation and
 * are inlined to one exchange each, because a child of fork() may reset it,
 * and because the owner must be known to lockdep_assert_held().
 */
struct mutex {
	u32 state;
#if PM_DEBUG
	struct pm_tls *owner;
#endif
};

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

static inline void pm_mutex_acquired(struct mutex *m __maybe_unused)
{
#if PM_DEBUG
	__atomic_store_n(&m->owner, &pm_tls, __ATOMIC_RELAXED);
#endif
}

/* Acquire: pairs with the release in mutex_unlock(). */
static inline bool mutex_trylock(struct mutex *m)
{
	u32 free = 0;

	if (!__atomic_compare_exchange_n(&m->state, &free, 1, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
	pm_mutex_acquired(m);
	return true;
}

static inline struct pm_sleep pm_mutex_lock_sleep(struct mutex *m)
{
	struct pm_sleep sleep = { 0 };

	if (unlikely(!mutex_trylock(m))) {
		pm_mutex_lock_slow(m, &sleep);
		pm_mutex_acquired(m);
	}
	return sleep;
}

#define mutex_lock(m)		((void)pm_mutex_lock_sleep(m))

static inline void mutex_unlock(struct mutex *m)
{
#if PM_DEBUG
	__atomic_store_n(&m->owner, NULL, __ATOMIC_RELAXED);
#endif
	if (unlikely(__atomic_exchange_n(&m->state, 0, __ATOMIC_RELEASE) == 2))
		syscall(SYS_futex, &m->state, FUTEX_WAKE | FUTEX_PRIVATE_FLAG,
			1, NULL, NULL, 0);
}

#define mutex_lock_nested(m, sub)	mutex_lock(m)
#define SINGLE_DEPTH_NESTING		1

#endif /* PM_WORDS_MUTEX_H */
