/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Customised: SRCU is liburcu's bulletproof flavour.
 */
#ifndef PM_WORDS_SRCU_H
#define PM_WORDS_SRCU_H

#ifndef _LGPL_SOURCE
#define _LGPL_SOURCE		/* inline read-side functions */
#endif
#include <urcu/urcu-bp.h>
#include "atomic.h"
#include "thread.h"

/*
 * A process needs one domain only, and liburcu has one: the struct is a
 * name. Index -1 says that there is no read-side section, because this very
 * thread is inside liburcu's registration (which may call malloc), or there
 * is no memory for that: then the list may not be walked. Arenas found in the
 * table and owners of live objects may be used all the same, for their memory
 * stays arenas'.
 */
struct srcu_struct { char unused; };
#define DEFINE_SRCU(name)	struct srcu_struct name
#define DEFINE_STATIC_SRCU(name) static struct srcu_struct name

int pm_urcu_register(void);

static inline int srcu_read_lock(struct srcu_struct *s __maybe_unused)
{
	if (unlikely(!pm_tls.urcu_seen || !URCU_TLS(urcu_bp_reader)))
		return pm_urcu_register();
	_urcu_bp_read_lock();
	return 0;
}

static inline void srcu_read_unlock(struct srcu_struct *s __maybe_unused,
				    int idx)
{
	if (likely(idx >= 0))
		_urcu_bp_read_unlock();
}

#define srcu_read_lock_held(s)	true
#define synchronize_srcu(s)	urcu_bp_synchronize_rcu()
#define srcu_dereference(p, s)	rcu_dereference(p)
#define RCU_INIT_POINTER(p, v)	WRITE_ONCE(p, v)
#define cond_resched()		do { } while (0)

#endif /* PM_WORDS_SRCU_H */
