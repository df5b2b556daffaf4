/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Events: every slow-path event has one name and one set of fields.
 *
 * The table below is the only list. A host turns each entry into a function
 * trace_NAME(arena, class, ns, count): a USDT probe pmalloc:NAME in
 * userspace, a tracepoint pmalloc:NAME in the kernel, and adds the CPU as
 * the first field.
 *
 *	name			arena		class	ns	count
 *	arena_create		number
 *	arena_retire		number				survivor
 *	arena_lock_contended	number		class	waited
 *	arena_fallback		wanted		class		served by
 *	arena_purge		number				bytes
 *	heap_map		number		class		bytes
 *	heap_unmap		number				bytes
 *	remote_free		owner		class		objects
 *	magazine_install	CPU
 *	magazine_refill				class		objects
 *	magazine_flush				class		objects
 *	magazine_drain		CPU
 *	large_map						bytes
 *	large_unmap						bytes
 */
#ifndef PM_TRACE_TABLE_H
#define PM_TRACE_TABLE_H

#define PM_EVENTS(X)							\
	X(arena_create) X(arena_retire) X(arena_lock_contended)		\
	X(arena_fallback) X(arena_purge) X(heap_map) X(heap_unmap)	\
	X(remote_free) X(magazine_install) X(magazine_refill)		\
	X(magazine_flush) X(magazine_drain) X(large_map) X(large_unmap)

#include "pm_trace.h"

#endif /* PM_TRACE_TABLE_H */
