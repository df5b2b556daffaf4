// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Volatile accesses, as the compiler reports them to ThreadSanitizer before
 * it makes them, become relaxed atomic ones. A store is announced by an
 * exchange that changes nothing; the store itself follows.
 */
#include <sanitizer/tsan_interface_atomic.h>

#define PM_VOLATILE(bytes, bits)					\
void __tsan_volatile_read##bytes(void *p);				\
void __tsan_volatile_read##bytes(void *p)				\
{									\
	__tsan_atomic##bits##_load(p, __tsan_memory_order_relaxed);	\
}									\
void __tsan_volatile_write##bytes(void *p);				\
void __tsan_volatile_write##bytes(void *p)				\
{									\
	__tsan_atomic##bits##_fetch_or(p, 0,				\
				       __tsan_memory_order_relaxed);	\
}

PM_VOLATILE(1, 8)
PM_VOLATILE(2, 16)
PM_VOLATILE(4, 32)
PM_VOLATILE(8, 64)
