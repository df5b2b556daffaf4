/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * How many objects a magazine may hold, class by class.
 */
#ifndef PM_CAPACITY_H
#define PM_CAPACITY_H

#include "front/magazine.h"

/**
 * enum pm_miss - what a section found
 * @PM_MISS_EMPTY: nothing to pop
 * @PM_MISS_FULL: no room to push
 */
enum pm_miss { PM_MISS_EMPTY, PM_MISS_FULL };

unsigned int pm_mag_max_slots(unsigned int class);
size_t pm_mag_lay_out(void);
unsigned int pm_mag_room(const struct pm_magazine *mag, unsigned int class);
unsigned int pm_mag_excess(const struct pm_magazine *mag, unsigned int class);
bool pm_mag_take_excess(struct pm_magazine *mag);
bool pm_mag_has_room(const struct pm_magazine *mag, unsigned int class);
bool pm_mag_room_left(const struct pm_magazine *mag, unsigned int class);
bool pm_mag_has_object(const struct pm_magazine *mag, unsigned int class);
bool pm_mag_grow(struct pm_magazine *mag, unsigned int class,
		 enum pm_miss miss);
void pm_mag_take_all_room(struct pm_magazine *mag, unsigned int class);
void pm_mag_shrink(struct pm_magazine *mag);

#endif /* PM_CAPACITY_H */
