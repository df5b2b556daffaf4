/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Customised: SRCU is liburcu's bulletproof flavour.
 */
#ifndef PM_WORDS_SRCU_H
#define PM_WORDS_SRCU_H

#include "atomic.h"
#include "compiler.h"
#include "config.h"
#include "lockdep.h"
#include "pm_urcu.h"

/*
 * A process needs one domain only, and liburcu has one: the struct is a name.
 * There is no srcu_read_lock() here, for the kernel's cannot fail.
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

/*
 * False when there is no memory for one more reader, when a child may run in this
 * thread's place, or, with a shared liburcu, when this very thread is inside its
 * registration (which may call malloc).
 */
static inline bool __must_check
pm_srcu_read_trylock(struct srcu_struct *s __maybe_unused, int *idx)
{
	*idx = 0;
	/* A child in this thread's place would count in the same reader. */
	if (unlikely(pm_tls.vforks))
		return false;
	if (unlikely(!pm_urcu_is_reader()) && pm_urcu_register())
		return false;
	_urcu_bp_read_lock();
	pm_srcu_nest(1);
	return true;
}

static inline void srcu_read_unlock(struct srcu_struct *s __maybe_unused,
				    int idx __maybe_unused)
{
	pm_srcu_nest(-1);
	_urcu_bp_read_unlock();
}

/*
 * A thread that waits for sections must be in none: it would wait for itself.
 * handler I. In a child that goes without sections there is nobody to wait for: the
 * handler may have come over a retirement that had asked before.
 */
#define synchronize_srcu(s)						\
	do {								\
		RCU_LOCKDEP_WARN(srcu_read_lock_held(s),		\
				 "grace period waited for in a section"); \
		if (likely(pm_urcu_works()))				\
			urcu_bp_synchronize_rcu();			\
	} while (0)
#define cond_resched()		do { } while (0)

#endif /* PM_WORDS_SRCU_H */
