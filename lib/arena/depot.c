// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Depots.
 */
#include "arena/depot.h"

/**
 * pm_depot_capacity() - objects that a depot may hold
 * @class: class number
 */
unsigned int pm_depot_capacity(unsigned int class)
{
	if (pm_class_is_span(class))
		return PM_DEPOT_MAX_SPANS;
	return min_t(size_t, PM_DEPOT_MAX_BYTES / pm_classes[class].size,
		     PM_DEPOT_MAX_OBJECTS);
}

/**
 * pm_depot_put() - put objects into a depot
 * @depot: the depot
 * @class: its class
 * @objs: objects
 * @n: how many
 *
 * Context: arena lock held.
 * Return: how many had room: the first of @objs.
 */
unsigned int pm_depot_put(struct pm_depot *depot, unsigned int class,
			  void **objs, unsigned int n)
{
	unsigned int capacity = pm_depot_capacity(class);

	if (unlikely(!depot->objs)) {
		depot->objs = pm_meta_alloc(capacity * sizeof(void *),
					    GFP_NOWAIT);
		if (!depot->objs)
			return 0;
	}
	if (n > capacity - depot->nr)
		n = capacity - depot->nr;
	memcpy(depot->objs + depot->nr, objs, n * sizeof(void *));
	WRITE_ONCE(depot->nr, depot->nr + n);
	return n;
}

/**
 * pm_depot_take() - take objects out of a depot, the latest first
 * @depot: the depot
 * @objs: where they go
 * @n: how many are wanted
 *
 * Context: arena lock held.
 * Return: how many there were.
 */
unsigned int pm_depot_take(struct pm_depot *depot, void **objs,
			   unsigned int n)
{
	if (n > depot->nr)
		n = depot->nr;
	if (!n)
		return 0;
	WRITE_ONCE(depot->nr, depot->nr - n);
	memcpy(objs, depot->objs + depot->nr, n * sizeof(void *));
	if (depot->nr < depot->low)
		depot->low = depot->nr;
	return n;
}

/**
 * pm_depot_take_oldest() - take objects out of a depot from the other end
 * @depot: the depot
 * @objs: where they go
 * @n: how many are wanted
 *
 * Context: arena lock held.
 * Return: how many there were.
 */
unsigned int pm_depot_take_oldest(struct pm_depot *depot, void **objs,
				  unsigned int n)
{
	if (n > depot->nr)
		n = depot->nr;
	if (!n)
		return 0;
	memcpy(objs, depot->objs, n * sizeof(void *));
	WRITE_ONCE(depot->nr, depot->nr - n);
	memmove(depot->objs, depot->objs + n, depot->nr * sizeof(void *));
	depot->low = min_t(u32, depot->low, depot->nr);
	return n;
}

/**
 * pm_depot_destroy() - free an empty depot's memory
 * @depot: the depot
 * @class: its class
 */
void pm_depot_destroy(struct pm_depot *depot, unsigned int class)
{
	if (!depot->objs)
		return;
	pm_meta_free(depot->objs, pm_depot_capacity(class) * sizeof(void *));
	depot->objs = NULL;
	depot->nr = 0;
	depot->low = 0;
}
