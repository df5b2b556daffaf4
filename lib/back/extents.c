// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Questions about all extents: whether a request would find pages, and how many
 * pages there are.
 */
#include "back/pagemap.h"
#include "back/pool.h"

#define PM_LOOK_EXTENTS		16	/* places noted at once */

/**
 * pm_extents_are_warm() - whether a request would get pages that are there
 * @size: bytes, a multiple of the page size
 *
 * Context: may sleep.
 */
bool pm_extents_are_warm(size_t size)
{
	bool warm;

	mutex_lock(&pm_pool.lock);
	pm_pool_prepare();
	pm_pool_collect();
	warm = pm_pool_is_warm(size);
	mutex_unlock(&pm_pool.lock);
	return warm;
}

/* Where some of the extents in use lie. */
struct pm_extent_places {
	struct {
		const void *addr;
		size_t size;
	} at[PM_LOOK_EXTENTS];
	unsigned int nr;
};

/* Those that begin at @unit or later; @unit goes on. */
static void pm_extents_find(struct pm_extent_places *places, unsigned long *unit)
{
	const struct pm_extent *e;

	places->nr = 0;
	mutex_lock(&pm_pool.lock);
	while (places->nr < PM_LOOK_EXTENTS && (e = pm_pagemap_next_large(unit))) {
		places->at[places->nr].addr = e->addr;
		places->at[places->nr].size = READ_ONCE(e->size);
		places->nr++;
	}
	mutex_unlock(&pm_pool.lock);
}

/* All of a free extent is looked at: of a huge page some lies where nobody wrote. */
static size_t pm_pool_resident(void)
{
	struct pm_extent *e;
	unsigned int bin;
	size_t bytes = 0;

	lockdep_assert_held(&pm_pool.lock);
	for (bin = pm_bin_next(0); bin < PM_NR_BINS; bin = pm_bin_next(bin + 1))
		list_for_each_entry(e, &pm_pool.bin[bin], node)
			bytes += pm_resident_bytes(e->addr, e->size);
	return bytes;
}

/**
 * pm_extents_resident() - add up what of the extents has pages
 * @sum: what is added to
 *
 * Those in use are looked at without the lock: there can be very many, and a
 * range that has become another's meanwhile is as good as one that will a moment
 * later.
 *
 * Context: within an SRCU section, may sleep.
 */
void pm_extents_resident(struct pm_resident *sum)
{
	struct pm_extent_places places;
	unsigned long unit = 0;
	unsigned int i;

	do {
		pm_extents_find(&places, &unit);
		for (i = 0; i < places.nr; i++)
			sum->out += pm_resident_bytes(places.at[i].addr,
						      places.at[i].size);
	} while (places.nr == PM_LOOK_EXTENTS);
	mutex_lock(&pm_pool.lock);
	pm_pool_prepare();
	pm_pool_collect();
	sum->cached += pm_pool_resident();
	mutex_unlock(&pm_pool.lock);
}
