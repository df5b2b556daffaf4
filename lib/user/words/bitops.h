/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Customised: single bits of a bitmap.
 */
#ifndef PM_WORDS_BITOPS_H
#define PM_WORDS_BITOPS_H

#include "atomic.h"

static inline void __set_bit(unsigned long nr, unsigned long *map)
{
	map[nr / BITS_PER_LONG] |= 1UL << (nr % BITS_PER_LONG);
}

static inline void __clear_bit(unsigned long nr, unsigned long *map)
{
	map[nr / BITS_PER_LONG] &= ~(1UL << (nr % BITS_PER_LONG));
}

static inline bool test_bit(unsigned long nr, const unsigned long *map)
{
	return READ_ONCE(map[nr / BITS_PER_LONG]) >> (nr % BITS_PER_LONG) & 1;
}

static inline bool test_and_set_bit(unsigned long nr, unsigned long *map)
{
	unsigned long bit = 1UL << (nr % BITS_PER_LONG);

	return pm_rmw(__atomic_fetch_or, &map[nr / BITS_PER_LONG], bit) & bit;
}

#endif /* PM_WORDS_BITOPS_H */
