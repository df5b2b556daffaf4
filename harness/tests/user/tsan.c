// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Volatile accesses, as the compiler reports them to ThreadSanitizer before
 * it makes them, become relaxed atomic ones. A store is announced by an
 * atomic operation that changes nothing; the store itself follows.
 */
#include <stdint.h>

/* Stands for all read-side sections; see tsan.h. */
char pm_tsan_sections;

#define PM_VOLATILE(bytes, type)					\
void __tsan_volatile_read##bytes(void *p);				\
void __tsan_volatile_read##bytes(void *p)				\
{									\
	(void)__atomic_load_n((type *)p, __ATOMIC_RELAXED);		\
}									\
void __tsan_volatile_write##bytes(void *p);				\
void __tsan_volatile_write##bytes(void *p)				\
{									\
	(void)__atomic_fetch_or((type *)p, 0, __ATOMIC_RELAXED);	\
}

PM_VOLATILE(1, uint8_t)
PM_VOLATILE(2, uint16_t)
PM_VOLATILE(4, uint32_t)
PM_VOLATILE(8, uint64_t)
