/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What words/srcu.h is made of: liburcu's bulletproof flavour, in one of two ways.
 *
 *   private	The library compiles liburcu's grace periods for itself (urcu-private.c)
 *		and keeps the readers itself. Nobody else sees that copy: its
 *		symbols have names of our own, and it takes no key and no
 *		thread-local storage but two bytes of pm_tls.
 *   shared	liburcu as the system has it, which the program may use, too
 *		(urcu-shared.c).
 */
#ifndef PM_URCU_H
#define PM_URCU_H

#ifndef _LGPL_SOURCE
#define _LGPL_SOURCE		/* inline read-side functions */
#endif
#include <limits.h>
#include <stdbool.h>
#include "words/compiler.h"
#include "words/config.h"
#include "words/thread.h"

int pm_urcu_register(void);
void pm_urcu_after_fork_child(void);

/* In a forked child: liburcu's locks may be another thread's, see fork.c. */
extern bool pm_urcu_is_forsaken __pm_local;

#ifdef PM_URCU_SHARED

#include <urcu/urcu-bp.h>

static inline bool pm_urcu_is_reader(void)
{
	return pm_tls.urcu_seen && URCU_TLS(urcu_bp_reader);
}

#else

#include <pthread.h>
#include <urcu/tls-compat.h>

/* liburcu's names in the source, our own in the objects. */
#define PM_URCU_NAME(name)	__asm__("pm_" #name) __pm_local
extern struct urcu_bp_gp urcu_bp_gp PM_URCU_NAME(urcu_bp_gp);
extern int urcu_bp_has_sys_membarrier PM_URCU_NAME(urcu_bp_has_sys_membarrier);
void urcu_bp_synchronize_rcu(void) PM_URCU_NAME(urcu_bp_synchronize_rcu);
void urcu_bp_before_fork(void) PM_URCU_NAME(urcu_bp_before_fork);
void urcu_bp_after_fork_parent(void) PM_URCU_NAME(urcu_bp_after_fork_parent);
void urcu_bp_after_fork_child(void) PM_URCU_NAME(urcu_bp_after_fork_child);

/*
 * liburcu finds a thread's reader by a pointer in thread-local storage of its
 * own. Ours is found by its number in pm_tls.
 */
#undef DECLARE_URCU_TLS
#undef URCU_TLS
#define DECLARE_URCU_TLS(type, name)	type pm_no_##name
#define URCU_TLS(name)			pm_##name()
static inline struct urcu_bp_reader *pm_urcu_bp_reader(void);

/* For readers that are not registered, of which there are none. */
static void urcu_bp_register(void) __attribute__((unused));

#include <urcu/static/urcu-bp.h>
#include <urcu/pointer.h>

static void urcu_bp_register(void)
{
	__builtin_trap();
}

#define PM_READER_CHUNK		64
#define PM_READER_CHUNKS	1024

/**
 * struct pm_reader - what a thread needs for read-side sections
 * @rcu: liburcu's part, which has a cache line for @ctr alone
 * @ctr: the same as in @rcu
 * @life: robust, and locked by the thread until it ends: so the kernel says
 *	when the thread is gone
 * @next: number of the next one that is free [rcu_registry_lock]
 */
struct pm_reader {
	union {
		struct urcu_bp_reader rcu;
		struct {
			unsigned long ctr;
			pthread_mutex_t life;
			unsigned int next;
		};
	};
};

static_assert(PM_READER_CHUNK * PM_READER_CHUNKS <= USHRT_MAX + 1,
	      "pm_tls.reader is a u16");

/* Set once each, before the first number in the chunk is given away. */
extern struct pm_reader *pm_reader_chunk[PM_READER_CHUNKS] __pm_local;

static inline struct pm_reader *pm_reader_at(unsigned int nr)
{
	return &pm_reader_chunk[nr / PM_READER_CHUNK][nr % PM_READER_CHUNK];
}

static inline struct urcu_bp_reader *pm_urcu_bp_reader(void)
{
	return pm_tls.reader ? &pm_reader_at(pm_tls.reader)->rcu : NULL;
}

static inline bool pm_urcu_is_reader(void)
{
	return pm_tls.reader;
}

#endif /* PM_URCU_SHARED */

/**
 * pm_urcu_in_section() - whether this thread is in a section, or is registering
 *
 * Context: any, a signal handler too.
 */
static inline bool pm_urcu_in_section(void)
{
#ifdef PM_URCU_SHARED
	if (pm_tls.in_urcu)
		return true;
#endif
	return pm_urcu_is_reader() && _urcu_bp_read_ongoing();
}

/**
 * pm_urcu_works() - whether liburcu's locks can be taken
 */
static inline bool pm_urcu_works(void)
{
	return !READ_ONCE(pm_urcu_is_forsaken);
}

#endif /* PM_URCU_H */
