/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The per-CPU section in userspace: restartable sequences.
 *
 * The kernel watches a thread that is inside a critical section (it says so
 * in the thread's rseq area) and, when the thread is preempted, migrated or
 * gets a signal there, sets it to an abort handler. So what is inside runs
 * without another thread on the same CPU in between, or starts again.
 *
 * We are a clean user: the area is the one that the C library registered,
 * and no field of it is written but rseq_cs. Where the C library registered
 * none the area is in pm_tls and registered on a thread's first slow path.
 * pm_tls.area leads there; in a new thread it leads to an area that belongs
 * to nobody and holds CPU -1, whose magazine is the null magazine. So a
 * thread's first operation goes down the slow path by itself.
 */
#ifndef PM_PERCPU_H
#define PM_PERCPU_H

#include <sys/rseq.h>
#include "platform.h"

struct pm_magazine;

/*
 * Linux supports at most 8192 CPUs on any architecture. Index -1 and -2 are
 * what the area holds in a thread that is not registered.
 */
#define PM_MAX_CPUS	8192
#define PM_UNREGISTERED	2

/**
 * struct pm_percpu - where a thread finds its CPU's magazine
 * @before: the word below the null magazine, always 0
 * @null: the null magazine's stacks, all 0
 * @unregistered: entries -2 and -1 of @mag, always the null magazine
 * @mag: per index, the magazine; filled by pm_percpu_init(), before the first
 *	thread has an index that is not negative
 */
struct pm_percpu {
	u64 before;
	struct pm_stack null[PM_CLASS_END];
	void *unregistered[PM_UNREGISTERED];
	void *mag[PM_MAX_CPUS];
};

extern struct pm_percpu pm_percpu;

#if defined(__x86_64__)
#include "rseq-x86_64.h"
#else
#error "pmalloc: no restartable sequences for this architecture yet: write lib/user/rseq-ARCH.h"
#endif

bool pm_percpu_prepare(void);
unsigned int pm_percpu_index(void);
bool pm_percpu_fence(unsigned int index);
bool pm_percpu_init(void);
const char *pm_percpu_mode(void);

static inline unsigned int pm_percpu_count(void)
{
	return min_t(unsigned int, pm_host_nr_cpus(), PM_MAX_CPUS);
}

static inline struct pm_magazine *pm_percpu_get(unsigned int index)
{
	void *mag = smp_load_acquire(&pm_percpu.mag[index]);

	return mag != pm_percpu.null ? mag : NULL;
}

/* The magazine is complete before it can be found: a section depends on it. */
static inline void pm_percpu_publish(unsigned int index,
				     struct pm_magazine *mag)
{
	smp_store_release(&pm_percpu.mag[index],
			  mag ? (void *)mag : pm_percpu.null);
}

#endif /* PM_PERCPU_H */
