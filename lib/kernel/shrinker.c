// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The shrinker: when memory is short the kernel asks everybody for theirs.
 *
 * It may ask in the middle of an allocation of our own, with an arena's lock
 * held: then that arena is left alone (upkeep/pressure.c), and so are those that
 * others use at that moment. If that was not enough a work item trims, which waits
 * for the locks. It has a thread of its own to fall back on: when memory is short
 * there may be none for another.
 *
 * The kernel asks for so many pages by how short it is of them, and goes on asking.
 */
#include <linux/mm.h>
#include <linux/shrinker.h>
#include <linux/version.h>
#include <linux/workqueue.h>
#include "host.h"
#include "pmalloc.h"
#include "upkeep/pressure.h"

#define PM_SHRINK_BATCH	512	/* pages: less is not worth the locks of all arenas */

static struct workqueue_struct *pm_trim_queue;

static void pm_trim_late(struct work_struct *work)
{
	pm_trim();
}

static DECLARE_WORK(pm_trim_work, pm_trim_late);

static unsigned long pm_shrink_count(struct shrinker *shrinker,
				     struct shrink_control *sc)
{
	unsigned long pages = pm_pressure_free() >> PAGE_SHIFT;

	return pages ? pages : SHRINK_EMPTY;
}

static unsigned long pm_shrink_scan(struct shrinker *shrinker,
				    struct shrink_control *sc)
{
	size_t want = sc->nr_to_scan << PAGE_SHIFT, bytes;
	bool busy = false;

	bytes = pm_pressure_give_back(want, &busy);
	if (bytes < want && busy)
		queue_work(pm_trim_queue, &pm_trim_work);
	if (!bytes)
		return SHRINK_STOP;
	sc->nr_scanned = max(sc->nr_to_scan, bytes >> PAGE_SHIFT);
	return bytes >> PAGE_SHIFT;
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)

static struct shrinker *pm_shrinker;

static int pm_shrinker_register(void)
{
	pm_shrinker = shrinker_alloc(0, "pmalloc");
	if (!pm_shrinker)
		return -ENOMEM;
	pm_shrinker->count_objects = pm_shrink_count;
	pm_shrinker->scan_objects = pm_shrink_scan;
	pm_shrinker->batch = PM_SHRINK_BATCH;
	shrinker_register(pm_shrinker);
	return 0;
}

static void pm_shrinker_unregister(void)
{
	shrinker_free(pm_shrinker);
}

#else

static struct shrinker pm_shrinker = {
	.count_objects = pm_shrink_count,
	.scan_objects = pm_shrink_scan,
	.batch = PM_SHRINK_BATCH,
	.seeks = DEFAULT_SEEKS,
};

static int pm_shrinker_register(void)
{
	return register_shrinker(&pm_shrinker, "pmalloc");
}

static void pm_shrinker_unregister(void)
{
	unregister_shrinker(&pm_shrinker);
}

#endif

/**
 * pm_shrinker_init() - let the kernel ask us for memory
 *
 * Return: 0 or an error.
 */
int pm_shrinker_init(void)
{
	int err;

	pm_trim_queue = alloc_workqueue("pmalloc", WQ_UNBOUND | WQ_MEM_RECLAIM, 1);
	if (!pm_trim_queue)
		return -ENOMEM;
	err = pm_shrinker_register();
	if (err)
		destroy_workqueue(pm_trim_queue);
	return err;
}

/**
 * pm_shrinker_exit() - no longer
 *
 * Context: may sleep.
 */
void pm_shrinker_exit(void)
{
	pm_shrinker_unregister();
	destroy_workqueue(pm_trim_queue);
}
