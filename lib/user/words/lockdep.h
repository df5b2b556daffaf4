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
#define lockdep_assert_held(m)						\
	do {								\
		if (__atomic_load_n(&(m)->owner, __ATOMIC_RELAXED) != &pm_tls) \
			pm_bug("lock not held: " #m, __FILE__, __LINE__); \
	} while (0)
#else
#define lockdep_assert_held(m)	do { } while (0)
#endif
#define BUG_ON(c)							\
	do {								\
		if (unlikely(c))					\
			pm_bug(#c, __FILE__, __LINE__);			\
	} while (0)

#endif /* PM_WORDS_LOCKDEP_H */
