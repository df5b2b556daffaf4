/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The test harness, as a suite sees it.
 *
 * Every suite is compiled twice: into programs that print TAP, and into
 * pmalloc_test.ko, which prints the same lines to the kernel's log. A suite
 * includes this header and headers of the core, all of them quoted, and uses
 * the words of the core's own language; what the two sides do differently
 * (threads, sleep, output, what happens after misuse) is in pm_test_env.h,
 * one per side.
 *
 * The reporter allocates nothing: it formats on the stack. Buffers of tests
 * come from pm_test_zalloc(), which is not the allocator under test.
 *
 * A case leaves nothing behind: after each one the runner trims and compares
 * the allocator's figures with those from before.
 */
#ifndef PM_TEST_H
#define PM_TEST_H

#include "platform.h"
#include "pmalloc.h"
#include "back/class.h"
#include "back/slab.h"
#include "back/heap.h"
#include "arena/arena.h"
#include "arena/check.h"
#include "arena/free_lock.h"
#include "arena/malloc_lock.h"
#include "arena/policy.h"
#include "arena/registry.h"
#include "base/misuse.h"
#include "base/testing.h"
#include "upkeep/standstill.h"
#include "upkeep/trim.h"
#include "pm_test_env.h"

/*
 * The suites, in the order in which they run: what others stand on first. This
 * is the only list: Kbuild reads it, and so name_test.c is compiled for a name.
 */
#define PM_SUITES(X)							\
	X(class)							\
	X(pagemap)							\
	X(slab)								\
	X(heap)								\
	X(depot)							\
	X(arena)							\
	X(lockstat)							\
	X(large)							\
	X(growth)							\
	X(magazine)							\
	X(span)								\
	X(inflight)							\
	X(api)								\
	X(giveback)							\
	X(cache)							\
	X(gfp)								\
	X(oom)								\
	X(limit)							\
	X(retire)							\
	X(stress)

/**
 * struct pm_rnd - pseudo-random numbers, one stream per thread
 * @state: never 0
 */
struct pm_rnd {
	u64 state;
};

/**
 * struct pm_test - a case that runs
 * @suite: name of its suite
 * @name: its name
 * @seed: of all its random numbers; printed at the start of the run
 * @ns: how long a case without an end of its own runs
 * @failures: expectations that did not hold
 * @skip: why the case was left out, or NULL
 * @rnd: random numbers for the thread that runs the case
 */
struct pm_test {
	const char *suite;
	const char *name;
	u64 seed;
	u64 ns;
	atomic_long_t failures;
	const char *skip;
	struct pm_rnd rnd;
};

struct pm_test_case {
	const char *name;
	void (*run)(struct pm_test *t);
};

struct pm_test_suite {
	const char *name;
	const struct pm_test_case *cases;
	unsigned int nr_cases;
};

#define PM_DECLARE_SUITE(suite)	extern const struct pm_test_suite pm_suite_##suite;
PM_SUITES(PM_DECLARE_SUITE)

/* The case NAME of SUITE is the function SUITE_NAME(). */
#define PM_CASE(suite, case)	{ #case, suite##_##case }
#define PM_SUITE(suite)							\
	const struct pm_test_suite pm_suite_##suite = {			\
		#suite, suite##_cases, ARRAY_SIZE(suite##_cases)	\
	}

/* ---- expectations ------------------------------------------------------ */

bool pm_test_fail(struct pm_test *t, const char *file, int line,
		  const char *fmt, ...) __printf(4, 5);
bool pm_test_equal(struct pm_test *t, u64 a, u64 b, const char *file, int line,
		   const char *what);
void pm_test_say(const char *fmt, ...) __printf(1, 2);

/* Each is true when the expectation holds. Any thread may use them. */
#define PM_EXPECT(t, cond)						\
	({								\
		bool pm_holds = (cond);					\
									\
		if (unlikely(!pm_holds))				\
			pm_test_fail(t, __FILE__, __LINE__,		\
				     "expected: %s", #cond);		\
		pm_holds;						\
	})
#define PM_EXPECT_EQ(t, a, b)						\
	pm_test_equal(t, (u64)(a), (u64)(b), __FILE__, __LINE__, #a " == " #b)

/* As PM_EXPECT(), in a void function that cannot go on without it. */
#define PM_REQUIRE(t, cond)						\
	do {								\
		if (!PM_EXPECT(t, cond))				\
			return;						\
	} while (0)

/* Ends a case, named as left out, where @cond does not hold. */
#define PM_NEED(t, cond, why)						\
	do {								\
		if (!(cond)) {						\
			(t)->skip = (why);				\
			return;						\
		}							\
	} while (0)

/* ---- random numbers ---------------------------------------------------- */

void pm_rnd_init(struct pm_rnd *r, u64 seed, u64 stream);

/* Marsaglia's xorshift64 with Vigna's multiplier. */
static inline u64 pm_rnd_next(struct pm_rnd *r)
{
	u64 x = r->state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	r->state = x;
	return x * 0x2545f4914f6cdd1dULL;
}

/* 0 .. @n - 1 */
static inline unsigned int pm_rnd_below(struct pm_rnd *r, unsigned int n)
{
	return (pm_rnd_next(r) >> 32) * n >> 32;
}

/* ---- the runner -------------------------------------------------------- */

/**
 * struct pm_test_options - what to run
 * @suite: name of the only suite to run, or NULL for all
 * @seed: seed of all random numbers
 * @seconds: how long each case without an end of its own runs
 */
struct pm_test_options {
	const char *suite;
	u64 seed;
	unsigned int seconds;
};

unsigned int pm_test_run(const struct pm_test_options *opt);

/* ---- helpers of suites (util.c) ---------------------------------------- */

/**
 * struct pm_test_ref - where an object of a class lives
 */
struct pm_test_ref {
	struct pm_heap *heap;
	struct pm_slab *slab;
	unsigned int class;
	unsigned int index;
};

bool pm_test_resolve(const void *p, struct pm_test_ref *ref);
enum pm_slab_fault pm_test_free_lock(void *p);
unsigned int pm_test_owner(const void *p);

void pm_test_fill(void *p, size_t n, u64 tag);
bool pm_test_filled(const void *p, size_t n, u64 tag);
bool pm_test_is_zero(const void *p, size_t n);

#define PM_TEST_ROAM	(~0U)	/* another arena with each request */

void pm_test_pick(unsigned int id);
void pm_test_policy(const char *name);
unsigned int pm_test_id(unsigned int n);
struct pm_arena *pm_test_arena(unsigned int n);
bool pm_test_two_arenas(struct pm_test *t, struct pm_arena **own,
			struct pm_arena **other);

#define PM_NEED_ARENAS(t, n)						\
	PM_NEED(t, pm_arena_table_size >= (n), "not enough arenas")
#define PM_NEED_MAGAZINES(t)						\
	PM_NEED(t, pm_options.magazine, "magazines are off")

bool pm_test_has(size_t size);

/**
 * struct pm_test_object - an object that is filled, and looked at when it is freed
 */
struct pm_test_object {
	void *p;
	size_t size;
	u64 tag;
};

bool pm_test_take(struct pm_test_object *obj, size_t size, u64 tag);
void pm_test_give(struct pm_test *t, struct pm_test_object *obj);

const struct pm_policy *pm_test_policy_find(const char *name);
void *pm_test_malloc_lock(unsigned int class);
struct pm_slab *pm_test_cut_slab(struct pm_heap *heap, unsigned int class);
unsigned int pm_test_slab_take(struct pm_slab *slab, void **objs,
			       unsigned int n);
struct pm_arena *pm_test_arena_make(void);
void pm_test_arena_drop(struct pm_arena *arena);

/**
 * struct pm_test_holder - a thread that holds a lock until told otherwise
 */
struct pm_test_holder {
	struct pm_thread thread;
	struct pm_arena *arena;
	unsigned int tid;
	struct pm_event held;
	struct pm_event release;
};

bool pm_test_hold(struct pm_test_holder *h, struct pm_arena *arena);
void pm_test_release_lock(struct pm_test_holder *h);

/**
 * struct pm_test_stop - a thread that stops at a point of the core
 * @fn: what it does
 * @p: an object, for @fn
 * @objs: some objects, for @fn
 * @n: how many, or how far @fn has come
 */
struct pm_test_stop {
	struct pm_thread thread;
	void (*fn)(struct pm_test_stop *stop);
	enum pm_stop_point point;
	unsigned int skip;
	bool reached;
	struct pm_event there;
	struct pm_event go;
	unsigned int tid;
	void *p;
	void **objs;
	unsigned int n;
};

#define PM_NEED_POINTS(t)						\
	PM_NEED(t, PM_DEBUG, "no points to stop at in this build")

u64 pm_test_sum(size_t offset);

/* The sum of @figure over all arenas. */
#define PM_TEST_SUM(figure)						\
	pm_test_sum(offsetof(struct pm_arena_figures, figure))

bool pm_test_stop_at(struct pm_test_stop *stop, enum pm_stop_point point,
		     unsigned int skip, void (*fn)(struct pm_test_stop *stop));
void pm_test_go_on(struct pm_test_stop *stop);

void pm_test_clobber(struct pm_test *t, u8 flip, const char *what, void *field,
		     size_t size, const char *(*fault)(const void *),
		     const void *object);

/**
 * struct pm_test_crowd - some threads that do the same
 * @t: the case
 * @fn: what each does
 * @arg: argument for all of them
 * @nr: threads
 * @until: time at which they stop
 * @stop: true: they stop at once
 */
struct pm_test_crowd {
	struct pm_test *t;
	void (*fn)(struct pm_test_crowd *crowd, unsigned int n);
	void *arg;
	unsigned int nr;
	u64 until;
	bool stop;
};

void pm_test_meet(atomic_long_t *met, unsigned int nr);
bool pm_test_crowd_run(struct pm_test_crowd *crowd,
		       void (*meanwhile)(struct pm_test_crowd *crowd));

void pm_test_churn(struct pm_test_crowd *crowd, unsigned int n,
		   size_t (*size)(struct pm_rnd *rnd));

static inline bool pm_test_crowd_done(const struct pm_test_crowd *crowd)
{
	return READ_ONCE(crowd->stop) || pm_host_clock_ns() >= crowd->until;
}

/* Begin a read-side section: a test's thread has one for the asking. */
static inline int pm_test_read_lock(void)
{
	int idx;

	BUG_ON(!pm_srcu_read_trylock(&pm_srcu, &idx));
	return idx;
}

#endif /* PM_TEST_H */
