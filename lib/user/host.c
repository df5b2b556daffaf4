// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * CPUs, threads, locks, time, and the operator's terminal.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <time.h>
#include "user.h"
#include "magazine.h"

/* ---- CPUs and threads -------------------------------------------------- */

/*
 * /sys/devices/system/cpu/possible, a list such as "0-3" or "0,2-7": the last
 * number plus one. Read with system calls, for stdio allocates.
 */
static unsigned int pm_read_possible(void)
{
	unsigned int cpus = 0;
	char buf[256];
	ssize_t n;
	char *p;
	int fd;

	fd = syscall(SYS_openat, AT_FDCWD, "/sys/devices/system/cpu/possible",
		     O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = syscall(SYS_read, fd, buf, sizeof(buf) - 1);
	syscall(SYS_close, fd);
	if (n <= 0)
		return 0;
	buf[n] = 0;
	for (p = buf; *p; p++) {
		if (*p < '0' || *p > '9') {
			cpus = 0;
			continue;
		}
		cpus = cpus * 10 + (*p - '0');
		if (!p[1] || p[1] == '\n')
			break;
	}
	return *p ? cpus + 1 : 0;
}

/* Without /sys: the width of the kernel's CPU masks bounds every number. */
static unsigned int pm_mask_width(void)
{
	unsigned long mask[1024 / sizeof(long)];
	long n = syscall(SYS_sched_getaffinity, 0, sizeof(mask), mask);

	return n > 0 ? (unsigned int)n * 8 : 1024;
}

unsigned int pm_host_nr_cpus(void)
{
	static unsigned int cpus;
	unsigned int n = READ_ONCE(cpus);
	int saved = errno;

	if (likely(n))
		return n;
	n = pm_read_possible();
	if (!n)
		n = pm_mask_width();
	WRITE_ONCE(cpus, n);
	errno = saved;
	return n;
}

/*
 * The number that the kernel keeps in the thread's rseq area; sched_getcpu()
 * where there is none (the area then holds -1 or -2).
 */
unsigned int pm_host_cpu(void)
{
	int cpu = (int)READ_ONCE(pm_tls.area->cpu_id);

	if (likely(cpu >= 0))
		return cpu;
	cpu = sched_getcpu();
	return cpu >= 0 ? cpu : 0;
}

unsigned int *pm_host_thread_slot(void)
{
	return &pm_tls.slot;
}

unsigned int pm_host_tid(void)
{
	if (unlikely(!pm_tls.tid))
		pm_tls.tid = syscall(SYS_gettid);
	return pm_tls.tid;
}

/* ---- time -------------------------------------------------------------- */

static u64 pm_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (u64)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

u64 pm_host_clock_ns(void)
{
	return pm_clock(CLOCK_MONOTONIC);
}

u64 pm_host_clock_coarse_ns(void)
{
	return pm_clock(CLOCK_MONOTONIC_COARSE);
}

/* By the system call itself: free() must not be a cancellation point. */
void pm_host_nap(void)
{
	struct timespec ts = { 0, 50000 };
	int saved = errno;

	syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &ts, NULL);
	errno = saved;
}

/* ---- locks ------------------------------------------------------------- */

/*
 * Whoever comes here leaves the word at 2, so that the holder knows that it
 * has to wake somebody. One waiter is woken per unlock; it takes the lock
 * with 2 again, for there may be others.
 */
__cold void pm_mutex_lock_slow(struct mutex *m, struct pm_sleep *sleep)
{
	int saved = errno;
	long err;

	while (__atomic_exchange_n(&m->state, 2, __ATOMIC_ACQUIRE)) {
		err = syscall(SYS_futex, &m->state,
			      FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 2, NULL, NULL, 0);
		sleep->calls++;
		sleep->sleeps += !err || errno != EAGAIN;
	}
	errno = saved;
}

/*
 * liburcu ends the process when it cannot map memory for a reader, so nobody
 * may register unless there is room for it, and nobody may take that room
 * before liburcu does. Two threads can: another one that registers, and one
 * that maps memory for a heap or an object. Hence one registers at a time
 * (@turn), and whoever maps says so (@mappers) and looks for the turn behind
 * it, as who has the turn looks for mappers behind that: of two stores and
 * two loads in sequential order, at least one thread sees the other.
 *
 * When there is no room left, a part of the address space that is held in
 * reserve from the start is let go of; then the turn is "tight", and who
 * maps is told at once that there is nothing, as before. Otherwise it waits,
 * but not for ever: registering may call malloc, and that may wait for an
 * arena's lock, which the mapping thread holds.
 *
 * liburcu doubles what it has, so the reserve is enough for 256 threads.
 * What others map cannot be kept out. They would have to take all of
 * PM_URCU_ROOM in the few microseconds between two system calls.
 *
 * None of this is done while address space is without limit and no mapping
 * has ever failed: threads that live but 30 us would feel it.
 */
#define PM_URCU_ROOM	(1UL << 20)
#define PM_URCU_RESERVE	(64UL << 10)
#define PM_URCU_NAPS	200	/* 10 ms */

enum pm_urcu_turn { PM_URCU_NOBODY, PM_URCU_TURN, PM_URCU_TIGHT };

static enum pm_urcu_turn pm_urcu_turn;
static atomic_long_t pm_urcu_mappers;
static void *pm_urcu_reserve; /* [turn] */
static bool pm_urcu_failed; /* a mapping did, once */

static void *pm_urcu_map(size_t size)
{
	void *p = mmap(NULL, size, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/**
 * pm_urcu_map_begin() - be about to take address space
 *
 * Return: true when the caller may do so, and has to call
 * pm_urcu_map_end() then; false when there is none.
 */
bool pm_urcu_map_begin(void)
{
	enum pm_urcu_turn turn;
	int naps;

	for (naps = 0;; naps++) {
		atomic_long_inc_return(&pm_urcu_mappers);
		turn = __atomic_load_n(&pm_urcu_turn, __ATOMIC_SEQ_CST);
		if (likely(turn == PM_URCU_NOBODY) || pm_tls.in_urcu ||
		    naps == PM_URCU_NAPS)
			return true;
		atomic_long_dec_return(&pm_urcu_mappers);
		if (turn == PM_URCU_TIGHT)
			return false;
		pm_host_nap();
	}
}

/**
 * pm_urcu_map_end() - have taken it, or failed to
 * @taken: which of the two
 */
void pm_urcu_map_end(bool taken)
{
	atomic_long_dec_return(&pm_urcu_mappers);
	if (unlikely(!taken))
		WRITE_ONCE(pm_urcu_failed, true);
}

static bool pm_urcu_may_fail(void)
{
	struct rlimit limit;

	return READ_ONCE(pm_urcu_failed) || getrlimit(RLIMIT_AS, &limit) ||
	       limit.rlim_cur != RLIM_INFINITY;
}

/* Wait until no mapper is left of those who did not see our turn. */
static bool pm_urcu_alone(void)
{
	int naps;

	for (naps = 0; naps < PM_URCU_NAPS; naps++) {
		if (!__atomic_load_n(&pm_urcu_mappers.counter,
				     __ATOMIC_SEQ_CST))
			return true;
		pm_host_nap();
	}
	return false;
}

static bool pm_urcu_begin(void)
{
	void *room;
	int naps;

	for (naps = 0; cmpxchg(&pm_urcu_turn, PM_URCU_NOBODY, PM_URCU_TURN) !=
	     PM_URCU_NOBODY; naps++) {
		if (naps == PM_URCU_NAPS)
			return false;
		pm_host_nap();
	}
	if (!pm_urcu_reserve)
		pm_urcu_reserve = pm_urcu_map(PM_URCU_RESERVE);
	room = pm_urcu_map(PM_URCU_ROOM);
	if (!room)
		xchg(&pm_urcu_turn, PM_URCU_TIGHT);
	if (pm_urcu_alone()) {
		if (room) {
			munmap(room, PM_URCU_ROOM);
			return true;
		}
		room = xchg(&pm_urcu_reserve, NULL);
		if (room) {
			munmap(room, PM_URCU_RESERVE);
			return true;
		}
	} else if (room) {
		munmap(room, PM_URCU_ROOM);
	}
	xchg(&pm_urcu_turn, PM_URCU_NOBODY);
	return false;
}

static void pm_urcu_end(void)
{
	if (!pm_urcu_reserve)
		pm_urcu_reserve = pm_urcu_map(PM_URCU_RESERVE);
	xchg(&pm_urcu_turn, PM_URCU_NOBODY);
}

/**
 * pm_urcu_restart() - in a forked child: nobody registers, nobody maps
 */
void pm_urcu_restart(void)
{
	pm_urcu_turn = PM_URCU_NOBODY;
	atomic_long_set(&pm_urcu_mappers, 0);
}

/**
 * pm_urcu_register() - enter a read-side section for the first time
 *
 * liburcu keeps its reader in thread-local storage that the C library may
 * have to allocate, and sets a thread-specific key, which may allocate too.
 * Either calls malloc, hence us, on the same thread: @in_urcu says so, and
 * the inner call does without a section. So does one for whose registration
 * there is no address space left.
 *
 * Return: 0 within a section, -1 when there is none.
 */
__cold int pm_urcu_register(void)
{
	int saved = errno;
	bool careful;

	if (pm_tls.in_urcu)
		return -1;
	pm_tls.in_urcu = 1;
	if (!URCU_TLS(urcu_bp_reader)) {
		careful = pm_urcu_may_fail();
		if (careful && !pm_urcu_begin()) {
			pm_tls.in_urcu = 0;
			errno = saved;
			return -1;
		}
		urcu_bp_register();
		if (careful)
			pm_urcu_end();
	}
	pm_tls.in_urcu = 0;
	pm_tls.urcu_seen = 1;
	_urcu_bp_read_lock();
	errno = saved;
	return 0;
}

/* ---- the operator ------------------------------------------------------ */

void pm_host_say(const char *line)
{
	struct iovec iov[2] = {
		{ (void *)line, strlen(line) },
		{ (void *)"\n", 1 },
	};
	int saved = errno;

	if (writev(STDERR_FILENO, iov, 2) < 0)
		errno = saved;
	errno = saved;
}

__cold void pm_host_misuse(const char *line)
{
	pm_host_say(line);
	abort();
}

__cold void pm_bug(const char *what, const char *file, int line)
{
	char text[200];

	scnprintf(text, sizeof(text), "pmalloc: bug at %s:%d: %s", file, line,
		  what);
	pm_host_say(text);
	abort();
}

int pm_host_describe(char *buf, size_t size)
{
	return scnprintf(buf, size, "userspace, pid %d, %s", (int)getpid(),
			 pm_percpu_mode());
}

u64 pm_host_random(void)
{
	u64 n = 0;

	if (getrandom(&n, sizeof(n), GRND_NONBLOCK) == sizeof(n))
		return n;
	/* Sixteen random bytes that the kernel gave the process at start. */
	memcpy(&n, (const void *)getauxval(AT_RANDOM), sizeof(n));
	return n ^ pm_host_clock_ns();
}
