// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What magazines hold, for figures: snapshots, since magazines move.
 */
#include "back/resident.h"
#include "front/drain.h"

/**
 * pm_mag_objects() - objects of a class in all magazines
 * @class: class number
 *
 * Return: a snapshot; magazines move while it is taken.
 */
size_t pm_mag_objects(unsigned int class)
{
	struct pm_magazine *mag;
	unsigned int index;
	size_t n = 0;

	for (index = 0; index < pm_percpu_count(); index++) {
		mag = pm_mag_at(index);
		if (mag)
			n += (READ_ONCE(mag->stack[class].top) -
			      pm_mag_base[class]) / 8;
	}
	return n;
}

/**
 * pm_mag_held() - bytes of the objects that a CPU's magazine holds
 * @index: the CPU's number
 * @bytes: where to put them
 * @resident: where to put those of them that have pages
 *
 * Context: any lock held. A snapshot: the magazine moves while it is taken, so
 * what is looked at may be anybody's.
 * Return: false when the CPU has no magazine.
 */
bool pm_mag_held(unsigned int index, size_t *bytes, size_t *resident)
{
	struct pm_magazine *mag = pm_mag_at(index);
	unsigned int class, n;
	size_t size;

	*bytes = 0;
	*resident = 0;
	if (!mag)
		return false;
	pm_for_each_class(class) {
		size = pm_class_bytes(class);
		n = (READ_ONCE(mag->stack[class].top) - pm_mag_base[class]) / 8;
		*bytes += n * size;
		*resident += pm_resident_objects((void **)((char *)mag +
							   pm_mag_base[class]),
						 n, size);
	}
	return true;
}
