/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Duplicated: what is said to the compiler.
 */
#ifndef PM_WORDS_COMPILER_H
#define PM_WORDS_COMPILER_H

#include <stddef.h>

#ifndef container_of
#define container_of(p, type, m) ((type *)((char *)(p) - offsetof(type, m)))
#endif
#ifndef static_assert
#define static_assert		_Static_assert
#endif

#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#undef __always_inline
#define __always_inline		inline __attribute__((always_inline))
#undef noinline
#define noinline		__attribute__((noinline))
#define __cold			__attribute__((cold))
/* clang knows neither cold labels nor what an alias copies. */
#ifdef __clang__
#define __cold_label
#define __copy(name)
#else
#define __cold_label		__attribute__((cold))
#define __copy(name)		__attribute__((copy(name)))
#endif
#define __section(name)		__attribute__((section(name)))
#define __maybe_unused		__attribute__((unused))
#define __printf(f, a)		__attribute__((format(printf, f, a)))
#define __must_check		__attribute__((warn_unused_result))
#define fallthrough		__attribute__((fallthrough))
#define SMP_CACHE_BYTES		64
#define ____cacheline_aligned	__attribute__((aligned(SMP_CACHE_BYTES)))
#define ____cacheline_aligned_in_smp ____cacheline_aligned

#endif /* PM_WORDS_COMPILER_H */
