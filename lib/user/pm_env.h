/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The kernel's words in userspace.
 *
 * The core is written in the kernel's language. This header gives it that
 * language in a process, in three parts:
 *
 *   customised	words whose meaning is kept but whose making differs
 *		(mutex, SRCU, atomics, lockdep)
 *   duplicated	words that are plain C and mean the same everywhere
 *   stubbed	words that have no meaning in a process (GFP flags, __init)
 *
 * No word here promises less than the kernel's word of the same name.
 */
#ifndef PM_ENV_H
#define PM_ENV_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef _LGPL_SOURCE
#define _LGPL_SOURCE		/* inline read-side functions */
#endif
#include <urcu/urcu-bp.h>
#include <urcu/list.h>
#include <urcu/rculist.h>

#ifdef PM_NO_MARK
#define PM_MARK 0
#else
#define PM_MARK 1
#endif

#ifdef PM_DEBUG_BUILD
#define PM_DEBUG 1
#else
#define PM_DEBUG 0
#endif

#define PM_HEAP_SHIFT	22
#define PM_HEAP_ALIGN_SHIFT	PM_HEAP_SHIFT
#define PM_STEP_SHIFT	13
#define PM_ADDR_BASE	0UL
#define PM_ADDR_BITS	47
#define PM_LARGE_MAX	((size_t)PTRDIFF_MAX)
#define PM_CHUNK_MIN	(1UL << 20)	/* chunks may be cut in pieces */
#define PM_CHUNK_MAX	(32UL << 20)
#define PAGE_SHIFT	12
#define PAGE_SIZE	(1UL << PAGE_SHIFT)

/* ---- duplicated -------------------------------------------------------- */

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;
typedef int32_t s32;

#define BITS_PER_LONG		64
#define BITS_TO_LONGS(n)	(((n) + BITS_PER_LONG - 1) / BITS_PER_LONG)
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define ALIGN(x, a)		(((x) + (a) - 1) & ~((typeof(x))(a) - 1))
#define ALIGN_DOWN(x, a)	((x) & ~((typeof(x))(a) - 1))
#define IS_ALIGNED(x, a)	(((x) & ((typeof(x))(a) - 1)) == 0)
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define min_t(t, a, b)		((t)(a) < (t)(b) ? (t)(a) : (t)(b))
#define max_t(t, a, b)		((t)(a) > (t)(b) ? (t)(a) : (t)(b))
#define is_power_of_2(n)	((n) && !((n) & ((n) - 1)))
#define ilog2(n)		(63 - __builtin_clzl(n))
#define __ffs(w)		((unsigned long)__builtin_ctzl(w))
#define hweight_long(w)		((unsigned int)__builtin_popcountl(w))
#ifndef container_of
#define container_of(p, type, m) ((type *)((char *)(p) - offsetof(type, m)))
#endif
#ifndef static_assert
#define static_assert		_Static_assert
#endif
#define check_add_overflow(a, b, d) __builtin_add_overflow(a, b, d)
#define check_mul_overflow(a, b, d) __builtin_mul_overflow(a, b, d)

#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#undef __always_inline
#define __always_inline		inline __attribute__((always_inline))
#undef noinline
#define noinline		__attribute__((noinline))
#define __cold			__attribute__((cold))
#define __section(name)		__attribute__((section(name)))
#define __maybe_unused		__attribute__((unused))
#define __printf(f, a)		__attribute__((format(printf, f, a)))
#define fallthrough		__attribute__((fallthrough))
/* Data of ours that the compiler may reach without the offset table. */
#define __pm_local		__attribute__((visibility("hidden")))
#define SMP_CACHE_BYTES		64
#define ____cacheline_aligned	__attribute__((aligned(SMP_CACHE_BYTES)))
#define ____cacheline_aligned_in_smp ____cacheline_aligned

static inline __printf(3, 4) int scnprintf(char *buf, size_t size,
					   const char *fmt, ...)
{
	va_list args;
	int n;

	if (!size)
		return 0;
	va_start(args, fmt);
	n = vsnprintf(buf, size, fmt, args);
	va_end(args);
	if (n < 0)
		return 0;
	return (size_t)n < size ? n : (int)size - 1;
}

static inline int kstrtoul(const char *s, unsigned int base, unsigned long *res)
{
	unsigned long v = 0;

	if (base != 10 || !*s)
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		if (check_mul_overflow(v, 10UL, &v) ||
		    check_add_overflow(v, (unsigned long)(*s - '0'), &v))
			return -ERANGE;
	}
	*res = v;
	return 0;
}

/* ---- customised: lists (liburcu's) ------------------------------------- */

#define list_head		cds_list_head
#define INIT_LIST_HEAD(l)	CDS_INIT_LIST_HEAD(l)
#define LIST_HEAD(l)		CDS_LIST_HEAD(l)
#define list_add(n, l)		cds_list_add(n, l)
#define list_add_tail(n, l)	cds_list_add_tail(n, l)
#define list_del(n)		cds_list_del(n)
#define list_del_init(n)	cds_list_del_init(n)
#define list_move(n, l)		cds_list_move(n, l)
#define list_empty(l)		cds_list_empty(l)
#define list_splice_init(l, h)	\
	do { cds_list_splice(l, h); CDS_INIT_LIST_HEAD(l); } while (0)
#define list_entry(p, t, m)	cds_list_entry(p, t, m)
#define list_first_entry(l, t, m) cds_list_first_entry(l, t, m)
#define list_last_entry(l, t, m) cds_list_entry((l)->prev, t, m)
#define list_is_singular(l)	(!cds_list_empty(l) && (l)->next == (l)->prev)
#define list_for_each_entry(p, l, m) cds_list_for_each_entry(p, l, m)
#define list_for_each_entry_reverse(p, l, m) \
	cds_list_for_each_entry_reverse(p, l, m)
#define list_for_each_entry_safe(p, n, l, m) \
	cds_list_for_each_entry_safe(p, n, l, m)
#define list_add_tail_rcu(n, l)	cds_list_add_tail_rcu(n, l)
#define list_del_rcu(n)		cds_list_del_rcu(n)
/* Pairs with the release in cds_list_add_tail_rcu(). */
#define list_for_each_entry_srcu(p, l, m, cond) \
	for (p = cds_list_entry(rcu_dereference((l)->next), typeof(*p), m); \
	     &p->m != (l); \
	     p = cds_list_entry(rcu_dereference(p->m.next), typeof(*p), m))

/* ---- customised: memory order and atomics ------------------------------ */

#define READ_ONCE(x)		(*(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, v)	do { *(volatile typeof(x) *)&(x) = (v); } while (0)
#define barrier()		__asm__ __volatile__("" : : : "memory")
#if defined(__x86_64__)
#define cpu_relax()		__builtin_ia32_pause()
#else
#define cpu_relax()		barrier()
#endif
#define smp_mb()		__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_wmb()		__atomic_thread_fence(__ATOMIC_RELEASE)
#define smp_load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)
#define xchg(p, v)		__atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
#define cmpxchg(p, o, n)						\
	({								\
		typeof(*(p)) __o = (o);					\
		__atomic_compare_exchange_n(p, &__o, n, false,		\
					    __ATOMIC_SEQ_CST,		\
					    __ATOMIC_SEQ_CST);		\
		__o;							\
	})
#define try_cmpxchg(p, op, n)						\
	__atomic_compare_exchange_n(p, op, n, false, __ATOMIC_SEQ_CST,	\
				    __ATOMIC_SEQ_CST)

typedef struct { long counter; } atomic_long_t;

static inline long atomic_long_read(const atomic_long_t *v)
{
	return __atomic_load_n(&v->counter, __ATOMIC_RELAXED);
}

static inline void atomic_long_set(atomic_long_t *v, long n)
{
	__atomic_store_n(&v->counter, n, __ATOMIC_RELAXED);
}

static inline void atomic_long_add(long n, atomic_long_t *v)
{
	__atomic_fetch_add(&v->counter, n, __ATOMIC_RELAXED);
}

static inline long atomic_long_add_return(long n, atomic_long_t *v)
{
	return __atomic_add_fetch(&v->counter, n, __ATOMIC_SEQ_CST);
}

#define atomic_long_sub(n, v)	atomic_long_add(-(long)(n), v)
#define atomic_long_inc(v)	atomic_long_add(1, v)
#define atomic_long_dec(v)	atomic_long_add(-1, v)
#define atomic_long_inc_return(v) atomic_long_add_return(1, v)
#define atomic_long_dec_return(v) atomic_long_add_return(-1, v)

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

	return __atomic_fetch_or(&map[nr / BITS_PER_LONG], bit,
				 __ATOMIC_SEQ_CST) & bit;
}

/* Lock-less list: any number of producers, one consumer takes it whole. */
struct llist_node { struct llist_node *next; };
struct llist_head { struct llist_node *first; };

static inline bool llist_empty(const struct llist_head *h)
{
	return !READ_ONCE(h->first);
}

/* The release half of the exchange pairs with llist_del_all(). */
static inline bool llist_add(struct llist_node *n, struct llist_head *h)
{
	struct llist_node *first = READ_ONCE(h->first);

	do {
		n->next = first;
	} while (!try_cmpxchg(&h->first, &first, n));
	return !first;
}

static inline struct llist_node *llist_del_all(struct llist_head *h)
{
	return xchg(&h->first, NULL);
}

/* ---- customised: what a thread has (initial-exec, at most 64 bytes) ---- */

/**
 * struct pm_tls - the library's storage per thread
 * @rseq: rseq area for threads that the C library registered none for
 * @area: the thread's rseq area; before the thread's first slow path, and
 *	where there is none, one that is shared and says "unregistered"
 * @index: the field in it that numbers magazines: cpu_id, or mm_cid
 * @slot: the policy's arena number plus one, 0 when none
 * @tid: kernel thread id, 0 until asked for
 * @in_urcu: within liburcu's registration, which may call malloc
 * @no_rseq: no (further) registration of @rseq in this thread
 * @urcu_seen: the reader TLS of liburcu is allocated in this thread
 * @vforks: children of vfork() that run on this thread's behalf
 * @aborts: aborts of sections since the last miss, see rseq-x86_64.h
 */
struct pm_tls {
	struct rseq rseq;
	struct rseq *area;
	s32 *index;
	unsigned int slot;
	unsigned int tid;
	u8 in_urcu;
	u8 no_rseq;
	u8 urcu_seen;
	u8 vforks;
	u8 aborts;
};

extern __thread struct pm_tls pm_tls
	__attribute__((tls_model("initial-exec")));

/* ---- customised: mutex ------------------------------------------------- */

/*
 * Three states in one futex word, after Drepper, "Futexes Are Tricky": 0 free,
 * 1 held, 2 held and somebody may sleep. Own code rather than pthread_mutex_t
 * because trylock and unlock stand in the path of every slow operation and
 * are inlined to one exchange each, because a child of fork() may reset it,
 * and because the owner must be known to lockdep_assert_held().
 */
struct mutex {
	u32 state;
#if PM_DEBUG
	struct pm_tls *owner;
#endif
};

#define DEFINE_MUTEX(m)		struct mutex m = { .state = 0 }

/**
 * struct pm_sleep - what waiting for a mutex was like
 * @calls: times that the kernel was asked to put the thread to sleep
 * @sleeps: times that it did; else the mutex had changed hands meanwhile
 */
struct pm_sleep {
	u32 calls;
	u32 sleeps;
};

void pm_mutex_lock_slow(struct mutex *m, struct pm_sleep *sleep);

static inline void mutex_init(struct mutex *m)
{
	memset(m, 0, sizeof(*m));
}

static inline void pm_mutex_acquired(struct mutex *m __maybe_unused)
{
#if PM_DEBUG
	__atomic_store_n(&m->owner, &pm_tls, __ATOMIC_RELAXED);
#endif
}

/* Acquire: pairs with the release in mutex_unlock(). */
static inline bool mutex_trylock(struct mutex *m)
{
	u32 free = 0;

	if (!__atomic_compare_exchange_n(&m->state, &free, 1, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
	pm_mutex_acquired(m);
	return true;
}

static inline struct pm_sleep mutex_lock_sleep(struct mutex *m)
{
	struct pm_sleep sleep = { 0 };

	if (unlikely(!mutex_trylock(m))) {
		pm_mutex_lock_slow(m, &sleep);
		pm_mutex_acquired(m);
	}
	return sleep;
}

#define mutex_lock(m)		((void)mutex_lock_sleep(m))

static inline void mutex_unlock(struct mutex *m)
{
#if PM_DEBUG
	__atomic_store_n(&m->owner, NULL, __ATOMIC_RELAXED);
#endif
	if (unlikely(__atomic_exchange_n(&m->state, 0, __ATOMIC_RELEASE) == 2))
		syscall(SYS_futex, &m->state, FUTEX_WAKE | FUTEX_PRIVATE_FLAG,
			1, NULL, NULL, 0);
}

static inline bool mutex_is_locked(struct mutex *m)
{
	return READ_ONCE(m->state) != 0;
}

#define mutex_lock_nested(m, sub)	mutex_lock(m)
#define SINGLE_DEPTH_NESTING		1

/* ---- customised: lockdep ----------------------------------------------- */

void pm_bug(const char *what, const char *file, int line)
	__attribute__((noreturn, cold));

#if PM_DEBUG
#define lockdep_assert_held(m)						\
	do {								\
		if (__atomic_load_n(&(m)->owner, __ATOMIC_RELAXED) != &pm_tls) \
			pm_bug("lock not held: " #m, __FILE__, __LINE__); \
	} while (0)
#else
#define lockdep_assert_held(m)	do { } while (0)
#endif
#define BUG_ON(c)							\
	do {								\
		if (unlikely(c))					\
			pm_bug(#c, __FILE__, __LINE__);			\
	} while (0)

/* ---- customised: SRCU (liburcu's bulletproof flavour) ------------------ */

/*
 * A process needs one domain only, and liburcu has one: the struct is a
 * name. Index -1 says that there is no read-side section, because this very
 * thread is inside liburcu's registration (which may call malloc), or there
 * is no memory for that: then the list may not be walked. Arenas found in the
 * table and owners of live objects may be used all the same, for their memory
 * stays arenas'.
 */
struct srcu_struct { char unused; };
#define DEFINE_SRCU(name)	struct srcu_struct name
#define DEFINE_STATIC_SRCU(name) static struct srcu_struct name

int pm_urcu_register(void);

static inline int srcu_read_lock(struct srcu_struct *s __maybe_unused)
{
	if (unlikely(!pm_tls.urcu_seen || !URCU_TLS(urcu_bp_reader)))
		return pm_urcu_register();
	_urcu_bp_read_lock();
	return 0;
}

static inline void srcu_read_unlock(struct srcu_struct *s __maybe_unused,
				    int idx)
{
	if (likely(idx >= 0))
		_urcu_bp_read_unlock();
}

#define srcu_read_lock_held(s)	true
#define synchronize_srcu(s)	urcu_bp_synchronize_rcu()
#define srcu_dereference(p, s)	rcu_dereference(p)
#define RCU_INIT_POINTER(p, v)	WRITE_ONCE(p, v)
#define cond_resched()		do { } while (0)

/* ---- stubbed ----------------------------------------------------------- */

typedef unsigned int gfp_t;
#define GFP_KERNEL	0x1u
#define GFP_NOWAIT	0x0u
#define __GFP_ZERO	0x2u
#define __init
#define __exit
#define __read_mostly		__attribute__((section(".data.read_mostly")))
#define __rcu
#define EXPORT_SYMBOL_GPL(x)

/*
 * A thread may always wait for a mutex: malloc is not for signal handlers.
 */
#define gfpflags_allow_blocking(gfp)	(((gfp) & GFP_KERNEL) != 0)

/* init_on_alloc and init_on_free are the kernel's; a program says calloc(). */
#define want_init_on_alloc(gfp)	(((gfp) & __GFP_ZERO) != 0)
#define want_init_on_free()	false
/* The one context in the kernel that may not even try a mutex. */
#define pm_context_may_lock()	true

#endif /* PM_ENV_H */
