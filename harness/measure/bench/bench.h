/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The bench program: one process runs one workload with a fixed amount of
 * work against whatever malloc the process has, and prints one JSON line.
 *
 * Fixed work, not fixed time: every allocator sees the same requests in the
 * same order on each thread, so memory can be compared as well as time.
 *
 * The program's own arrays come from mmap and are touched before the clock
 * starts. What a workload calls between the barriers is malloc's interface
 * and nothing else that allocates.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define CACHE_LINE 64

/**
 * struct params - what the command line chooses
 * @threads: threads that work at the same time
 * @ops: operations of all threads together; each workload says what one is
 * @seed: seed that every thread's generator is derived from
 * @min: smallest object in bytes
 * @max: largest object in bytes; sizes between are log-uniform
 * @set: objects alive at the same time, all threads together
 * @chunk: operations in one step: a thread's life, a batch, writes per object
 * @pinned: threads stay on the CPUs that they are dealt in turn
 */
struct params {
	unsigned int threads;
	uint64_t ops;
	uint64_t seed;
	size_t min;
	size_t max;
	size_t set;
	size_t chunk;
	bool pinned;
};

/* Private generator of a thread: a counter and a mixing function. */
struct prng {
	uint64_t state;
};

static inline uint64_t prng_next(struct prng *rng)
{
	uint64_t x = rng->state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

/* A number below @limit from the upper half of @random. */
static inline size_t prng_below(uint64_t random, size_t limit)
{
	return ((random >> 32) * limit) >> 32;
}

/*
 * Latency of single operations: a histogram with 32 steps per doubling, so
 * that a percentile is right within 3 %.
 */
#define LATENCY_STEPS 32
#define LATENCY_BUCKETS (60 * LATENCY_STEPS)

struct latency {
	uint64_t samples;
	uint64_t max;
	uint32_t bucket[LATENCY_BUCKETS];
};

void latency_add(struct latency *lat, uint64_t ticks);
void latency_merge(struct latency *into, const struct latency *from);
uint64_t latency_percentile(const struct latency *lat, double percent);

/* The clock for single operations; latency_ns_per_tick() gives its unit. */
static inline uint64_t ticks_before(void)
{
#if defined(__x86_64__)
	uint64_t t;

	_mm_lfence();
	t = __rdtsc();
	_mm_lfence();
	return t;
#else
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
#endif
}

static inline uint64_t ticks_after(void)
{
#if defined(__x86_64__)
	unsigned int cpu;
	uint64_t t = __rdtscp(&cpu);

	_mm_lfence();
	return t;
#else
	return ticks_before();
#endif
}

struct run;

/**
 * struct worker - a thread, or a chain of threads that hand over to the next
 * @run: the run that it belongs to
 * @id: number, from 0
 * @ops: this worker's share of the operations
 * @rng: private generator
 * @countdown: operations until the next one that is timed
 * @latency: what was timed
 * @own: the workload's memory for this worker, zeroed
 * @wrong: objects that were not what was asked for
 * @begin: when it passed the barrier, nanoseconds
 * @end: when it had done its share, nanoseconds
 */
struct worker {
	struct run *run;
	unsigned int id;
	uint64_t ops;
	struct prng rng;
	uint32_t countdown;
	struct latency *latency;
	void *own;
	uint64_t wrong;
	uint64_t begin;
	uint64_t end;
} __attribute__((aligned(CACHE_LINE)));

/**
 * struct workload - one entry of the table
 * @name: name on the command line
 * @what: one line that says what it does, and what an operation is
 * @defaults: parameters that the command line can replace
 * @prepare: allocates what the workers share; not timed, may be NULL
 * @work: a worker's share; timed
 * @finish: frees what is left; not timed, may be NULL
 * @own_bytes: how much memory of its own a worker needs, may be NULL
 * @even: threads come in pairs
 * @time_all: operations are so long that each can be timed
 */
struct workload {
	const char *name;
	const char *what;
	struct params defaults;
	void (*prepare)(struct run *run);
	void (*work)(struct worker *worker);
	void (*finish)(struct run *run);
	size_t (*own_bytes)(const struct run *run);
	bool even;
	bool time_all;
};

#define SIZE_TABLE 1024

/**
 * struct run - one workload with its parameters
 * @workload: what to do
 * @par: parameters
 * @sizes: SIZE_TABLE sizes of the chosen distribution
 * @shared: what the workload's prepare left for its workers
 * @workers: one per thread
 */
struct run {
	const struct workload *workload;
	struct params par;
	uint32_t sizes[SIZE_TABLE];
	void *shared;
	struct worker *workers;
};

void die(const char *what) __attribute__((noreturn));
void *pages(size_t bytes);
uint64_t now_ns(void);
void run_workers(struct run *run);
void rendezvous(struct worker *worker);
size_t slots_per_worker(const struct run *run);
size_t own_slots(const struct run *run);
void pin_to_cpu(unsigned int n);

/* A size of the run's distribution, from the lower bits of @random. */
static inline size_t pick_size(const struct run *run, uint64_t random)
{
	return run->sizes[random % SIZE_TABLE];
}

/*
 * What a program at least does with an object: writes its first and its last
 * byte. Volatile, so that the compiler cannot see through it.
 */
static inline void *touch(void *object, size_t size)
{
	volatile char *p = object;

	if (unlikely(!p))
		die("out of memory");
	p[0] = 1;
	p[size - 1] = 1;
	return object;
}

/*
 * On average every 512th operation is timed, or every one where the workload
 * says so. The distance is random, so that it cannot fall into step with the
 * batches of an allocator. It is long because to look at the clock means to
 * wait for all that is under way, 50 ns in all: with every 64th a pair took
 * 8.0 ns instead of 6.5, and a fifth of what was compared was the clock.
 */
static inline bool sample_due(struct worker *worker)
{
	if (likely(--worker->countdown))
		return false;
	worker->countdown = 1;
	if (!worker->run->workload->time_all)
		worker->countdown = 257 + prng_next(&worker->rng) % 511;
	return true;
}

/* Run @statement, timed when it is this operation's turn. */
#define SAMPLED(worker, statement)					\
	do {								\
		if (sample_due(worker)) {				\
			uint64_t ticks_ = ticks_before();		\
									\
			statement;					\
			latency_add((worker)->latency,			\
				    ticks_after() - ticks_);		\
		} else {						\
			statement;					\
		}							\
	} while (0)

static inline void *sampled_malloc(struct worker *worker, size_t size)
{
	void *object;

	SAMPLED(worker, object = malloc(size));
	return touch(object, size);
}

static inline void sampled_free(struct worker *worker, void *object)
{
	SAMPLED(worker, free(object));
}


size_t memory_peak(void);
size_t memory_now(void);
void wait_for_one_thread(void);

int exec_main(int argc, char **argv);

extern const struct workload pair_workload;
extern const struct workload replace_workload;
extern const struct workload new_workload;
extern const struct workload larson_workload;
extern const struct workload channel_workload;
extern const struct workload xmalloc_workload;
extern const struct workload swap_workload;
extern const struct workload scratch_workload;
extern const struct workload thrash_workload;
extern const struct workload churn_workload;
extern const struct workload phases_workload;
extern const struct workload vector_workload;
extern const struct workload buffer_workload;
extern const struct workload large_workload;
extern const struct workload aligned_workload;
extern const struct workload calloc_workload;
extern const struct workload lifo_workload;
extern const struct workload fifo_workload;
extern const struct workload shuffled_workload;
extern const struct workload trim_workload;
extern const struct workload retire_workload;
extern const struct workload fork_workload;

#endif /* BENCH_H */
