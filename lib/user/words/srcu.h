/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Customised: SRCU is liburcu's bulletproof flavour.
 */
#ifndef PM_WORDS_SRCU_H
#define PM_WORDS_SRCU_H

#include "atomic.h"
#include "config.h"
#include "lockdep.h"
#include "urcu.h"

/*
 * A process needs one domain only, and liburcu has one: the struct is a
 * name. Index -1 says that there is no read-side section, because there is no
 * memory for one more reader, a child may run in this thread's place, or, with a
 * shared liburcu, this very thread is inside its registration (which may call
 * malloc): then the list may not be walked. Arenas found in the table and owners of live objects may be used all
 * the same, for their memory stays arenas'.
 */
struct srcu_struct { char unused; };
#define DEFINE_SRCU(name)	struct srcu_struct name

/* Read-side sections that this thread is in: known in the debug build. */
#if PM_DEBUG
extern __thread unsigned int pm_srcu_nesting
	__attribute__((tls_model("initial-exec")));
#define pm_srcu_nest(n)		(pm_srcu_nesting += (n))
#define srcu_read_lock_held(s)	(pm_srcu_nesting != 0)
#else
#define pm_srcu_nest(n)		do { } while (0)
/* As the kernel's without lockdep: nobody can say, so nothing is found. */
#define srcu_read_lock_held(s)	true
#endif

static inline int srcu_read_lock(struct srcu_struct *s __maybe_unused)
{
	/* A child in this thread's place would count in the same reader. */
	if (unlikely(pm_tls.vforks))
		return -1;
	if (unlikely(!pm_urcu_is_reader()) && pm_urcu_register())
		return -1;
	_urcu_bp_read_lock();
	pm_srcu_nest(1);
	return 0;
}

static inline void srcu_read_unlock(struct srcu_struct *s __maybe_unused,
				    int idx)
{
	if (likely(idx >= 0)) {
		pm_srcu_nest(-1);
		_urcu_bp_read_unlock();
	}
}

/* Who waits for sections must be in none: it would wait for itself. */
#define synchronize_srcu(s)						\
	do {								\
		RCU_LOCKDEP_WARN(srcu_read_lock_held(s),		\
				 "grace period waited for in a section"); \
		urcu_bp_synchronize_rcu();				\
	} while (0)
#define cond_resched()		do { } while (0)

#endif /* PM_WORDS_SRCU_H */
