/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What ThreadSanitizer cannot see by itself. Included before anything else
 * in that build, of the core as of the tests.
 *
 * The compiler reports volatile accesses, which READ_ONCE() and WRITE_ONCE()
 * are, apart from plain ones; tsan.c says that they are relaxed atomics. They
 * order nothing, here as in the kernel.
 *
 * liburcu publishes pointers with a barrier and a volatile store. Here it is
 * the release store that this amounts to; the readers' side is a consume
 * load, which the compiler makes an acquire.
 *
 * What a read-side section did is before what follows the grace period that
 * waited for it: the end of each section releases, the end of each grace
 * period acquires.
 */
#ifndef PM_TSAN_H
#define PM_TSAN_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define _LGPL_SOURCE
#define URCU_DEREFERENCE_USE_ATOMIC_CONSUME
#include <urcu/pointer.h>
#undef rcu_assign_pointer
#define rcu_assign_pointer(p, v) __atomic_store_n(&(p), (v), __ATOMIC_RELEASE)
#include "pm_env.h"

void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
extern char pm_tsan_sections;

#define srcu_read_unlock(s, idx)					\
	do {								\
		if ((idx) >= 0)						\
			__tsan_release(&pm_tsan_sections);		\
		srcu_read_unlock(s, idx);				\
	} while (0)
#undef synchronize_srcu
#define synchronize_srcu(s)						\
	do {								\
		urcu_bp_synchronize_rcu();				\
		__tsan_acquire(&pm_tsan_sections);			\
	} while (0)

#endif /* PM_TSAN_H */
