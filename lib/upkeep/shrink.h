/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Giving back what is free of one class, and giving up the class.
 */
#ifndef PM_SHRINK_H
#define PM_SHRINK_H

#include "platform.h"

/**
 * struct pm_left - what is left of a class
 * @objects: objects that somebody has
 * @first: one of them, or NULL when none was found
 * @anywhere: whether some may be where nobody can look, so that the class number
 *	cannot be another's
 */
struct pm_left {
	size_t objects;
	void *first;
	bool anywhere;
};

size_t pm_class_shrink(unsigned int class);
void pm_class_give_up(unsigned int class, struct pm_left *left);

#endif /* PM_SHRINK_H */
