/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What tests order: requests to the host that fail, and points at which a
 * thread is stopped.
 */
#ifndef PM_TESTING_H
#define PM_TESTING_H

#include "platform.h"

/**
 * struct pm_inject - failures that a test orders
 * @heap_map: memory for a heap
 * @large_map: memory for a large object
 * @meta: memory for a descriptor of a heap, a large object or of the page map
 * @heap_size: bytes that heaps are to have, 0 for as many as they can
 *
 * 0: nothing is ordered. N: from the Nth request on there is no memory. Looked
 * at only where the host would be asked for memory.
 */
struct pm_inject {
	unsigned int heap_map;
	unsigned int large_map;
	unsigned int meta;
	size_t heap_size;
};

extern struct pm_inject pm_inject;

/**
 * pm_inject_fails() - whether a request is to fail
 * @after: the member of pm_inject that it belongs to
 */
static inline bool pm_inject_fails(unsigned int *after)
{
	unsigned int n = READ_ONCE(*after);

	if (likely(!n))
		return false;
	if (n > 1)
		WRITE_ONCE(*after, n - 1);
	return n == 1;
}

/**
 * pm_inject_heap_size() - size to ask for when a heap is made
 * @least: fewer bytes will not do
 * @whole: bytes of a heap that nobody ordered to be short
 */
static inline size_t pm_inject_heap_size(size_t least, size_t whole)
{
	size_t size = READ_ONCE(pm_inject.heap_size);

	return likely(!size) ? whole : size < least ? least : size;
}

/**
 * enum pm_stop_point - places where a test may stop a thread
 * @PM_STOP_MALLOC_PICKED: an arena was picked, its lock not yet tried
 * @PM_STOP_FREE_OWNER: an object's owner was read, its lock not yet tried
 * @PM_STOP_FREE_STALE: the lock of an arena is held that is not the owner
 * @PM_STOP_REMOTE_REF: the heap is referenced, the remote free not yet visible
 * @PM_STOP_REMOTE_BIT: a remote free is visible, its slab not yet queued
 * @PM_STOP_REMOTE_OWNER: the slab's owner was read, its list not yet written
 * @PM_STOP_COLLECT: a slab is off the remote list, its bits not yet collected
 * @PM_STOP_BATCH: a batch is ready for an inbox, and not yet in it
 * @PM_STOP_REFILL: a batch has left its arena, and is in no magazine yet
 * @PM_STOP_FLUSH: a batch has left its magazine, and is in no arena yet
 */
enum pm_stop_point {
	PM_STOP_MALLOC_PICKED,
	PM_STOP_FREE_OWNER,
	PM_STOP_FREE_STALE,
	PM_STOP_REMOTE_REF,
	PM_STOP_REMOTE_BIT,
	PM_STOP_REMOTE_OWNER,
	PM_STOP_COLLECT,
	PM_STOP_BATCH,
	PM_STOP_REFILL,
	PM_STOP_FLUSH,
};

extern void (*pm_stop_hook)(enum pm_stop_point point);

/**
 * pm_stop_point() - a place at which an interleaving may lose something
 * @point: which one
 *
 * Tests of debug builds put one thread to sleep here and see what others can
 * do meanwhile. Other builds do nothing.
 */
static inline void pm_stop_point(enum pm_stop_point point)
{
	void (*hook)(enum pm_stop_point point);

	if (!PM_DEBUG)
		return;
	hook = READ_ONCE(pm_stop_hook);
	if (unlikely(hook))
		hook(point);
}

#endif /* PM_TESTING_H */
