/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Customised: what holds, or else the process ends.
 */
#ifndef PM_WORDS_LOCKDEP_H
#define PM_WORDS_LOCKDEP_H

#include "mutex.h"

void pm_bug(const char *what, const char *file, int line)
	__attribute__((noreturn, cold));

#if PM_DEBUG
#define lockdep_is_held(m)	pm_mutex_is_mine(m)
#define lockdep_assert_held(m)						\
	do {								\
		if (!lockdep_is_held(m))				\
			pm_bug("lock not held: " #m, __FILE__, __LINE__); \
	} while (0)
#define RCU_LOCKDEP_WARN(c, text)					\
	((c) ? pm_bug(text, __FILE__, __LINE__) : (void)0)
#else
/* Nobody can say: declared for conditions that are never looked at. */
int lockdep_is_held(const struct mutex *m);
#define lockdep_assert_held(m)	do { } while (0)
#define RCU_LOCKDEP_WARN(c, text) ((void)sizeof(c))
#endif
#define BUG_ON(c)							\
	do {								\
		if (unlikely(c))					\
			pm_bug(#c, __FILE__, __LINE__);			\
	} while (0)

#endif /* PM_WORDS_LOCKDEP_H */
