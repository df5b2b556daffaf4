/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Customised: memory order and atomics.
 *
 * The kernel's rule: an operation that reads, changes and returns a value is a
 * full barrier before and after itself (xchg(), cmpxchg() and try_cmpxchg()
 * that succeed, atomic_long_add_return(), test_and_set_bit()); one that
 * returns nothing orders nothing (atomic_long_add()). C's strongest order,
 * sequentially consistent, is less than a full barrier: it orders such
 * operations among themselves, and a plain load behind one may be carried out
 * before its store is. The table says what makes up for that.
 *
 *	architecture	operation		what is needed around it
 *	x86-64		a locked instruction	nothing: it is a full barrier
 *	arm64		ldaxr and stlxr, or	a fence on both sides: an
 *			swpal			earlier store may pass ldaxr, a
 *						later load stlxr
 *	riscv64		lr and sc, or		a fence on both sides: gcc 12
 *			amoswap.aq		makes lr and sc.aq, without a
 *						release, of a compare-and-swap
 *
 * An architecture about which nobody has thought does not compile.
 */
#ifndef PM_WORDS_ATOMIC_H
#define PM_WORDS_ATOMIC_H

#include "compiler.h"
#include "types.h"

#define barrier()		__asm__ __volatile__("" : : : "memory")
#define smp_mb()		__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_wmb()		__atomic_thread_fence(__ATOMIC_RELEASE)

#if defined(__x86_64__)
#define cpu_relax()		__builtin_ia32_pause()
#define pm_rmw_fence()		do { } while (0)
#elif defined(__aarch64__) || (defined(__riscv) && __riscv_xlen == 64)
#define cpu_relax()		barrier()
#define pm_rmw_fence()		smp_mb()
#else
#error "pmalloc: what is a full barrier around an atomic operation here?"
#endif

/*
 * One access is one instruction: of a word, or of what is shorter. The kernel
 * refuses others, too. An expression, for the code around it to stay the same.
 */
#define pm_assert_word(x)						\
	((void)sizeof(struct {						\
		char unused;						\
		static_assert(sizeof(x) == 1 || sizeof(x) == 2 ||	\
			      sizeof(x) == 4 || sizeof(x) == sizeof(long), \
			      "one access to more than a word");	\
	}))

/*
 * A load by READ_ONCE() comes before whatever depends on the address that it
 * found: all architectures above keep that order, and the compiler does for
 * a volatile access.
 */
#define READ_ONCE(x)							\
	(pm_assert_word(x), *(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, v)						\
	do {								\
		pm_assert_word(x);					\
		*(volatile typeof(x) *)&(x) = (v);			\
	} while (0)
#define smp_load_acquire(p)						\
	(pm_assert_word(*(p)), __atomic_load_n(p, __ATOMIC_ACQUIRE))
#define smp_store_release(p, v)						\
	do {								\
		pm_assert_word(*(p));					\
		__atomic_store_n(p, v, __ATOMIC_RELEASE);		\
	} while (0)

/* @op(@p, ...), an operation that returns something: a full barrier. */
#define pm_rmw(op, p, ...)						\
	({								\
		typeof(op(p, __VA_ARGS__, __ATOMIC_SEQ_CST)) __ret;	\
									\
		pm_assert_word(*(p));					\
		pm_rmw_fence();						\
		__ret = op(p, __VA_ARGS__, __ATOMIC_SEQ_CST);		\
		pm_rmw_fence();						\
		__ret;							\
	})

#define xchg(p, v)		pm_rmw(__atomic_exchange_n, p, v)

/* One that fails orders nothing, as in the kernel: nobody may rely on it. */
#define try_cmpxchg(p, op, n)						\
	({								\
		bool __won;						\
									\
		pm_assert_word(*(p));					\
		pm_rmw_fence();						\
		__won = __atomic_compare_exchange_n(p, op, n, false,	\
						    __ATOMIC_SEQ_CST,	\
						    __ATOMIC_RELAXED);	\
		pm_rmw_fence();						\
		__won;							\
	})
#define cmpxchg(p, o, n)						\
	({								\
		typeof(*(p)) __o = (o);					\
									\
		(void)try_cmpxchg(p, &__o, n);				\
		__o;							\
	})

typedef struct { long counter; } atomic_long_t;

/* Volatile, as READ_ONCE() is: the compiler joins no two of them. */
static inline long atomic_long_read(const atomic_long_t *v)
{
	const volatile long *counter = &v->counter;

	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static inline void atomic_long_set(atomic_long_t *v, long n)
{
	volatile long *counter = &v->counter;

	__atomic_store_n(counter, n, __ATOMIC_RELAXED);
}

static inline void atomic_long_add(long n, atomic_long_t *v)
{
	__atomic_fetch_add(&v->counter, n, __ATOMIC_RELAXED);
}

static inline long atomic_long_add_return(long n, atomic_long_t *v)
{
	return pm_rmw(__atomic_add_fetch, &v->counter, n);
}

#define atomic_long_sub(n, v)	atomic_long_add(-(long)(n), v)
#define atomic_long_inc(v)	atomic_long_add(1, v)
#define atomic_long_inc_return(v) atomic_long_add_return(1, v)
#define atomic_long_dec_return(v) atomic_long_add_return(-1, v)

/* Return: what it is then, or would be; below 0 nothing was changed. */
static inline long atomic_long_dec_if_positive(atomic_long_t *v)
{
	long n = atomic_long_read(v);

	do {
		if (n <= 0)
			break;
	} while (!try_cmpxchg(&v->counter, &n, n - 1));
	return n - 1;
}

#endif /* PM_WORDS_ATOMIC_H */
