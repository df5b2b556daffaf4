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
 */
#ifndef PM_TSAN_H
#define PM_TSAN_H

#define _GNU_SOURCE
#define _LGPL_SOURCE
#define URCU_DEREFERENCE_USE_ATOMIC_CONSUME
#include <urcu/urcu-bp.h>
#undef rcu_assign_pointer
#define rcu_assign_pointer(p, v) __atomic_store_n(&(p), (v), __ATOMIC_RELEASE)

#endif /* PM_TSAN_H */
