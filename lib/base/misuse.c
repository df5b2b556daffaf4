// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The note of an object that came home twice.
 */
#include "base/misuse.h"

struct pm_misuse_note pm_misuse_noted;
atomic_long_t pm_misuse_count;

/**
 * pm_misuse_note() - an object came home that was there already
 * @obj: the object, which was dropped
 * @class: its class
 *
 * Context: any.
 */
__cold void pm_misuse_note(void *obj, unsigned int class)
{
	if (READ_ONCE(pm_misuse_noted.obj))
		return;
	WRITE_ONCE(pm_misuse_noted.class, class);
	(void)cmpxchg(&pm_misuse_noted.obj, NULL, obj);
}

/**
 * pm_misuse_take_note() - take the note, to report it
 * @class: out: class of the object
 *
 * Context: any.
 * Return: the object, or NULL when somebody else has taken it.
 */
__cold void *pm_misuse_take_note(unsigned int *class)
{
	*class = READ_ONCE(pm_misuse_noted.class);
	return xchg(&pm_misuse_noted.obj, NULL);
}
