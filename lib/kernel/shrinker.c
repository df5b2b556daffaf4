// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The shrinker: when memory is short the kernel asks everybody for theirs.
 *
 * It may ask in the middle of an allocation of our own, with an arena's lock
 * held. Cached large mappings can go at once, for nobody allocates under the
 * lock of that cache. The rest needs arena locks: a work item trims.
 */
#include <linux/mm.h>
#include <linux/shrinker.h>
#include <linux/version.h>
#include <linux/workqueue.h>
#include "arena/registry.h"
#include "host.h"
#include "back/large.h"
#include "pmalloc.h"

static void pm_trim_late(struct work_struct *work)
{
	pm_trim();
}

static DECLARE_WORK(pm_trim_work, pm_trim_late);

static unsigned long pm_shrink_count(struct shrinker *shrinker,
				     struct shrink_control *sc)
{
	struct pm_large_stats large;
	unsigned long pages;

	pm_large_get_stats(&large);
	pages = large.cached >> PAGE_SHIFT;
	if (pages)
		return pages;
	/* Free heaps are worth a look whenever there are any at all. */
	return pm_pages_mapped() > large.live ? 1 : SHRINK_EMPTY;
}

static unsigned long pm_shrink_scan(struct shrinker *shrinker,
				    struct shrink_control *sc)
{
	size_t bytes = pm_extents_purge();

	queue_work(system_unbound_wq, &pm_trim_work);
	return bytes ? bytes >> PAGE_SHIFT : SHRINK_STOP;
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
	return pm_shrinker_register();
}

/**
 * pm_shrinker_exit() - no longer
 *
 * Context: may sleep.
 */
void pm_shrinker_exit(void)
{
	pm_shrinker_unregister();
	cancel_work_sync(&pm_trim_work);
}
