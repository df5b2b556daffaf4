/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Events: every slow-path event has one name and one set of fields.
 *
 * The table below is the only list. A host turns each entry into two
 * functions: trace_NAME(arena, class, ns, count) tells of the event, as a
 * USDT probe pmalloc:NAME in userspace, as a tracepoint pmalloc:NAME in the
 * kernel; trace_NAME_enabled() says whether anybody listens. Whatever only a
 * listener wants, a clock reading above all, is asked for behind that.
 *
 * The host adds the CPU that the thread runs on as the first field, and the
 * bytes of an object of the class as the last. A field that an event has no
 * use for is 0, an arena that it has no use for -1. "took" is how long it
 * took, 0 when the listener came in the middle of it.
 *
 *	name			arena		class	ns	count
 *	arena_create		number
 *	arena_retire		number			took	survivor
 *	arena_lock_contended	number		class	waited	holder
 *	arena_lock_held		number		class	held
 *	arena_fallback		wanted		class		served by
 *	arena_purge		number			took	bytes
 *	heap_map		number		class	took	bytes
 *	heap_unmap		number			took	bytes
 *	remote_free		owner		class		objects
 *	magazine_install	CPU
 *	magazine_refill		owner		class	took	objects
 *	magazine_flush		owner		class	took	objects
 *	magazine_drain		CPU			took	objects
 *	large_map					took	bytes
 *	large_unmap					took	bytes
 *
 * The owner is the arena that the first of the objects belongs to; the holder
 * is the thread that had the lock when the wait began.
 */
#ifndef PM_TRACE_TABLE_H
#define PM_TRACE_TABLE_H

#include "platform.h"

#define PM_EVENTS(X)							\
	X(arena_create) X(arena_retire) X(arena_lock_contended)		\
	X(arena_lock_held) X(arena_fallback) X(arena_purge)		\
	X(heap_map) X(heap_unmap)					\
	X(remote_free) X(magazine_install) X(magazine_refill)		\
	X(magazine_flush) X(magazine_drain) X(large_map) X(large_unmap)

#define PM_NO_ARENA	(-1)

#include "pm_trace.h"

/* When an event began, for pm_trace_since(); 0 when nobody listens. */
#define pm_trace_begin(name)						\
	(trace_##name##_enabled() ? pm_host_clock_ns() : 0)

static inline u64 pm_trace_since(u64 begin)
{
	return begin ? pm_host_clock_ns() - begin : 0;
}

#endif /* PM_TRACE_TABLE_H */
