/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Resident bytes: what of our memory has pages now, as the host says.
 */
#ifndef PM_RESIDENT_H
#define PM_RESIDENT_H

#include "platform.h"

/**
 * struct pm_resident - resident bytes, by what they are used for
 * @out: of objects that are not in their slab, spans and large objects
 * @slab_free: of slabs, what is no such object
 * @heap_free: of units that belong to no slab
 * @cached: of free extents
 */
struct pm_resident {
	u64 out;
	u64 slab_free;
	u64 heap_free;
	u64 cached;
};

/**
 * struct pm_pages - which pages of a range are there
 * @base: its first byte, a multiple of the page size
 * @has: a bit per page
 */
struct pm_pages {
	const char *base;
	unsigned long has[BITS_TO_LONGS(PM_PAGES_AT_ONCE)];
};

bool pm_pages_look(struct pm_pages *pages, const void *addr, size_t size);
size_t pm_pages_bytes(const struct pm_pages *pages, const void *addr,
		      size_t size);
size_t pm_resident_bytes(const void *addr, size_t size);
size_t pm_resident_objects(void *const *objs, unsigned int n, size_t size);

#endif /* PM_RESIDENT_H */
