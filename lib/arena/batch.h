/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Batches: objects that move together.
 *
 * One that finds the lock of its arena busy is written into a struct pm_batch,
 * which waits in the arena's inbox.
 */
#ifndef PM_BATCH_H
#define PM_BATCH_H

#include "platform.h"

#define PM_BATCH_MAX		128	/* objects */

/**
 * struct pm_batch - objects on their way to an arena whose lock was busy
 * @node: place in the arena's inbox
 * @next: index plus one of the next spare one
 * @self: own index
 * @class: their class
 * @nr: how many
 * @obj: the objects
 *
 * Lives in memory of its own, never in objects: what a program writes to
 * freed memory cannot reach it.
 */
struct pm_batch {
	struct llist_node node;
	u32 next;
	u32 self;
	u32 class;
	u32 nr;
	void *obj[PM_BATCH_MAX];
};

/**
 * pm_batch_fill() - write objects into a batch
 * @batch: batch of the caller's
 * @class: class of the objects
 * @objs: the objects
 * @n: how many, up to PM_BATCH_MAX
 */
static inline void pm_batch_fill(struct pm_batch *batch, unsigned int class,
				 void **objs, unsigned int n)
{
	batch->class = class;
	batch->nr = n;
	memcpy(batch->obj, objs, n * sizeof(void *));
}

/**
 * pm_batch_open() - what is in a batch
 * @batch: batch of the caller's
 * @class: out: class of the objects
 * @n: out: how many there are
 *
 * Return: the objects.
 */
static inline void **pm_batch_open(struct pm_batch *batch, unsigned int *class,
				   unsigned int *n)
{
	*class = batch->class;
	*n = batch->nr;
	return batch->obj;
}

struct pm_batch *pm_batch_get(void);
void pm_batch_put(struct pm_batch *batch);
void pm_batch_provide(gfp_t gfp);
void pm_batch_lock_all(void);
void pm_batch_unlock_all(void);
void pm_batch_keep(struct pm_batch *batch);
void pm_batch_restart_all(bool inside);
void pm_batch_exit(void);

#endif /* PM_BATCH_H */
