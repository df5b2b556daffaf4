// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Batches, and the stack of spare ones.
 *
 * Spare batches are a stack that free() pops without waiting. The head is an
 * index and a count of changes in one word. Indices, not pointers, so that both
 * halves fit on every host.
 *
 * Steps, as in batch.pml:
 *
 *	A  pm_batch_get() reads the head: an index and a count of changes
 *	B  it reads next of the batch at the head
 *	C  it makes that the head, if neither half of the head has changed
 *	D  pm_free_inbox() copies the objects into the batch
 *	E  it adds the batch to the inbox
 *	F  pm_arena_collect_inbox() takes the inbox
 *	G  it reads of a batch which is the next and what the objects are
 *	H  pm_batch_put() writes what the head is into next
 *	I  it makes the batch the head, if neither half has changed
 *
 * What is lost without each:
 *
 *   - Without the count this would happen:
 *
 *	one thread			another
 *	----------			-------
 *	A reads head X
 *	B reads that Y is next
 *					A B C take X, A B C take Y
 *					H I give X back
 *	C finds X at the head and makes
 *	Y the head, which the other has
 *
 *   - With H after I somebody could find a batch whose next is one of the past.
 *   - With D after E, or G after I, one would read what another writes: a batch
 *     has an owner from C to E, and from F to I.
 */
#include "arena/batch.h"

#define PM_BATCH_CHUNK		14		/* batches in one piece of memory */
#define PM_BATCH_CHUNKS		256
#define PM_BATCH_FIRST		3		/* as many as a page has room for */
#define PM_BATCH_CHUNK_BYTES	(PM_BATCH_CHUNK * sizeof(struct pm_batch))

static struct pm_batch *pm_batch_chunk[PM_BATCH_CHUNKS];
static unsigned int pm_batch_made;	/* [pm_batch_lock] */
static u64 pm_batch_head;		/* changes << 32 | index + 1 */
static DEFINE_MUTEX(pm_batch_lock);

static struct pm_batch *pm_batch_at(u32 index)
{
	return &pm_batch_chunk[index / PM_BATCH_CHUNK][index % PM_BATCH_CHUNK];
}

/**
 * pm_batch_get() - take a spare batch
 *
 * Context: any. Never waits.
 * Return: batch, or NULL when there is none.
 */
struct pm_batch *pm_batch_get(void)
{
	u64 head = READ_ONCE(pm_batch_head), next;	/* batch A */
	struct pm_batch *batch;

	do {
		if (!(u32)head)
			return NULL;
		batch = pm_batch_at((u32)head - 1);
		/* batch B */
		next = ((head >> 32) + 1) << 32 | READ_ONCE(batch->next);
	} while (!try_cmpxchg(&pm_batch_head, &head, next));	/* batch C */
	return batch;
}

/**
 * pm_batch_put() - give a batch back
 * @batch: batch whose objects have gone elsewhere
 *
 * Context: any.
 */
void pm_batch_put(struct pm_batch *batch)
{
	u64 head = READ_ONCE(pm_batch_head), next;

	do {
		WRITE_ONCE(batch->next, (u32)head);		/* batch H */
		next = ((head >> 32) + 1) << 32 | (batch->self + 1);
		/* batch I. Publishes @next: pairs with batch B. */
	} while (!try_cmpxchg(&pm_batch_head, &head, next));
}

/* Make one more. Return: false when there is no memory for it. */
static bool pm_batch_make(gfp_t gfp)
{
	unsigned int index = pm_batch_made;
	struct pm_batch **chunk = &pm_batch_chunk[index / PM_BATCH_CHUNK];
	struct pm_batch *batch;

	lockdep_assert_held(&pm_batch_lock);
	if (index == PM_BATCH_CHUNK * PM_BATCH_CHUNKS)
		return false;
	/* It may be there already: pm_batch_restart_all(). */
	if (!*chunk)
		*chunk = pm_meta_alloc(PM_BATCH_CHUNK_BYTES, gfp);
	if (!*chunk)
		return false;
	batch = pm_batch_at(index);
	batch->self = index;
	/* Before it is spare: whoever counts those that are missing misses it. */
	WRITE_ONCE(pm_batch_made, index + 1);
	/* Published by the exchange in pm_batch_put(). */
	pm_batch_put(batch);
	return true;
}

/**
 * pm_batch_provide() - allocate spare batches, if there are few
 * @gfp: context
 *
 * Called by allocation, which may wait, for free, which may not. A batch that is
 * made is written to: most programs do with the first few, so it begins with these.
 *
 * Context: no lock held.
 */
void pm_batch_provide(gfp_t gfp)
{
	unsigned int more;

	if (likely((u32)READ_ONCE(pm_batch_head)) ||
	    !mutex_trylock(&pm_batch_lock))
		return;
	more = min_t(unsigned int, PM_BATCH_CHUNK,
		     max_t(unsigned int, pm_batch_made, PM_BATCH_FIRST));
	while (more-- && pm_batch_make(gfp))
		;
	mutex_unlock(&pm_batch_lock);
}

/**
 * pm_batch_lock_all() - keep batches from being made, for fork()
 *
 * One that is made and not yet spare would look like one that was in the hands of
 * a thread that is not in the child.
 */
void pm_batch_lock_all(void)
{
	pm_mutex_halt(&pm_batch_lock);
}

/**
 * pm_batch_unlock_all() - let that go on
 */
void pm_batch_unlock_all(void)
{
	pm_mutex_resume(&pm_batch_lock);
}

#define PM_BATCH_KEPT	(~0U)	/* no spare one has that for @next */

/* Batches in inboxes, counted by pm_batch_keep(). [a child's one thread] */
static unsigned int pm_batch_kept;

/**
 * pm_batch_keep() - a batch is in an inbox, in the child of a fork()
 * @batch: the batch
 *
 * Context: one thread.
 */
void pm_batch_keep(struct pm_batch *batch)
{
	batch->next = PM_BATCH_KEPT;
	pm_batch_kept++;
}

static unsigned int pm_batch_count_spare(void)
{
	u32 index = (u32)pm_batch_head;
	unsigned int n = 0;

	for (; index; index = pm_batch_at(index - 1)->next)
		n++;
	return n;
}

/**
 * pm_batch_restart_all() - begin again in the child of a fork()
 * @inside: the forking thread was inside of the allocator, and goes on there
 *
 * A batch that is neither spare nor in an inbox was in the hands of a thread
 * that is not here. It is spare again; its objects, if it held some already,
 * are lost to the child, as is everything that such a thread owned. But it may
 * be in the hands of the forking thread, if that was inside; then all stay as
 * they are.
 *
 * Context: one thread; pm_batch_keep() was called for all that are in inboxes.
 */
void pm_batch_restart_all(bool inside)
{
	unsigned int total = pm_batch_made, i;

	/* Mostly none is missing, and nothing is written to. */
	if (!inside && pm_batch_count_spare() + pm_batch_kept < total) {
		pm_batch_head = 0;
		for (i = 0; i < total; i++)
			if (pm_batch_at(i)->next != PM_BATCH_KEPT)
				pm_batch_put(pm_batch_at(i));
	}
	pm_batch_kept = 0;
	pm_mutex_restart(&pm_batch_lock);
}

/**
 * pm_batch_exit() - free all batches
 *
 * Context: nobody uses the allocator any more.
 */
void pm_batch_exit(void)
{
	unsigned int i;

	for (i = 0; i < PM_BATCH_CHUNKS && pm_batch_chunk[i]; i++) {
		pm_meta_free(pm_batch_chunk[i], PM_BATCH_CHUNK_BYTES);
		pm_batch_chunk[i] = NULL;
	}
	pm_batch_made = 0;
	pm_batch_head = 0;
}
