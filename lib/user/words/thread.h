/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Customised: what a thread has (initial-exec, at most 64 bytes).
 */
#ifndef PM_WORDS_THREAD_H
#define PM_WORDS_THREAD_H

#include <sys/rseq.h>
#include "config.h"
#include "types.h"

/**
 * enum pm_hurry - how a standstill waits for locks, see fork.c
 * @PM_HURRY_NOT: for as long as it takes
 * @PM_HURRY_ALL: for a while; it begins again when one was not to be had
 * @PM_HURRY_AGAIN: so it was
 * @PM_HURRY_SOME: for a while; then it goes without
 * @PM_HURRY_ON: it went without one: for a moment
 */
enum pm_hurry {
	PM_HURRY_NOT,
	PM_HURRY_ALL,
	PM_HURRY_AGAIN,
	PM_HURRY_SOME,
	PM_HURRY_ON,
};

/**
 * struct pm_tls - the library's storage per thread
 * @rseq: rseq area for threads that the C library registered none for
 * @area: the thread's rseq area; before the thread's first slow path, and
 *	where there is none, one that is shared and says "unregistered"
 * @index: the field in it that numbers magazines: cpu_id, or mm_cid
 * @slot: the policy's arena number plus one, 0 when none
 * @tid: kernel thread id, 0 until asked for
 * @no_rseq: no (further) registration of @rseq in this thread
 * @vforks: children of vfork() that run on this thread's behalf
 * @aborts: aborts of sections since the last miss, see rseq-x86_64.h
 * @reader: number of the thread's reader, 0 before its first section
 * @in_urcu: within a shared liburcu's registration, which may call malloc
 * @urcu_seen: a shared liburcu's reader is allocated in this thread
 * @hurried: enum pm_hurry: in a fork() that gives up waiting for a lock after a while
 * @inside: locks that this thread has or asks for, and other things that it has
 *	begun and a child of fork() must leave as they are
 */
struct pm_tls {
	struct rseq rseq;
	struct rseq *area;
	s32 *index;
	unsigned int slot;
	unsigned int tid;
	u8 no_rseq;
	u8 vforks;
	u8 aborts;
	u8 hurried;
	u16 inside;
#ifndef PM_URCU_SHARED
	u16 reader;
#else
	u8 in_urcu;
	u8 urcu_seen;
#endif
};

extern __thread struct pm_tls pm_tls
	__attribute__((tls_model("initial-exec")));

#endif /* PM_WORDS_THREAD_H */
