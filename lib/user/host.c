// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * CPUs, threads, locks, time, and the operator's terminal.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <time.h>
#include "user.h"
#include "front/magazine.h"

/* ---- CPUs and threads -------------------------------------------------- */

/*
 * The last number of a list such as "0-3" or "0,2-7", plus one; 0 for none. A list
 * with many holes is long.
 */
static unsigned int pm_read_list(int fd)
{
	bool inside = false, any = false;
	unsigned int cpu = 0;
	char buf[256];
	ssize_t n, i;

	while ((n = syscall(SYS_read, fd, buf, sizeof(buf))) > 0)
		for (i = 0; i < n; i++) {
			bool digit = buf[i] >= '0' && buf[i] <= '9';

			if (digit)
				cpu = (inside ? cpu * 10 : 0) + (buf[i] - '0');
			inside = digit;
			any |= digit;
		}
	return any ? cpu + 1 : 0;
}

/* Read with system calls, for stdio allocates. */
static unsigned int pm_read_possible(void)
{
	int fd = syscall(SYS_openat, AT_FDCWD, "/sys/devices/system/cpu/possible",
			 O_RDONLY | O_CLOEXEC);
	unsigned int cpus;

	if (fd < 0)
		return 0;
	cpus = pm_read_list(fd);
	syscall(SYS_close, fd);
	return cpus;
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

#if PM_DEBUG
__thread unsigned int pm_srcu_nesting;
#endif

/* Leave the word with a flag that makes the holder wake somebody, and sleep. */
static void pm_mutex_sleep(struct mutex *m, unsigned long held,
			   struct pm_sleep *sleep)
{
	long err;

	if (!(held & PM_MUTEX_WAITERS) &&
	    !__atomic_compare_exchange_n(&m->state, &held,
					 held | PM_MUTEX_WAITERS, false,
					 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return;
	err = syscall(SYS_futex, &m->state, FUTEX_WAIT | FUTEX_PRIVATE_FLAG,
		      (u32)held | PM_MUTEX_WAITERS, NULL, NULL, 0);
	sleep->calls++;
	sleep->sleeps += !err || errno != EAGAIN;
}

/*
 * One waiter is woken per unlock; it takes the lock with the flag again, for
 * there may be others.
 */
__cold void pm_mutex_lock_slow(struct mutex *m, struct pm_sleep *sleep)
{
	unsigned long me = (unsigned long)&pm_tls | PM_MUTEX_WAITERS, held;
	int saved = errno;

	pm_inside_begin();
	for (held = 0;; held = 0) {
		if (__atomic_compare_exchange_n(&m->state, &held, me, false,
						__ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			break;
		pm_mutex_sleep(m, held, sleep);
	}
	errno = saved;
}

#define PM_HALT_NAPS	200	/* 10 ms */
#define PM_HALT_NAPS_ON	10

/**
 * pm_mutex_halt() - take a mutex for a standstill
 * @m: the mutex
 *
 * Nothing happens when this thread has it already. A hurried thread gives up after
 * a while, for it may have what the holder waits for; one that would begin again
 * then does not wait for another, and one that goes on does not wait for long.
 *
 * Return: whether it was taken.
 */
bool pm_mutex_halt(struct mutex *m)
{
	int naps, most = pm_tls.hurried == PM_HURRY_ON ? PM_HALT_NAPS_ON :
							 PM_HALT_NAPS;

	/* handler C */
	if (pm_mutex_is_mine(m) || pm_tls.hurried == PM_HURRY_AGAIN)
		return false;
	if (!pm_tls.hurried)
		mutex_lock(m);
	else
		for (naps = 0; !mutex_trylock(m); naps++) {
			if (naps == most) {		/* handler D, E */
				pm_tls.hurried = pm_tls.hurried == PM_HURRY_ALL ?
					PM_HURRY_AGAIN : PM_HURRY_ON;
				return false;
			}
			pm_host_nap();
		}
	__atomic_fetch_or(&m->state, PM_MUTEX_HALTED, __ATOMIC_RELAXED);
	return true;
}

/* ---- the operator ------------------------------------------------------ */

/*
 * Descriptor 2 was not open when we began. What has that number now is some
 * file that was opened by chance, and not the operator's.
 */
static bool pm_is_mute;

/**
 * pm_say_init() - see whether there is a standard error
 *
 * Context: at the start, before the program can have opened files.
 */
void pm_say_init(void)
{
	pm_is_mute = pm_syscall(SYS_fcntl, STDERR_FILENO, F_GETFD) < 0;
}

/* A pipe that is full takes more in a moment, if somebody reads it. */
static bool pm_await_room(int fd)
{
	struct pollfd poll = { .fd = fd, .events = POLLOUT };
	struct timespec patience = { 1, 0 };

	return pm_syscall(SYS_ppoll, &poll, 1, &patience, NULL, 0) > 0;
}

static int pm_write_on(int fd, struct iovec *iov, int parts)
{
	long n;

	while (parts) {
		n = pm_syscall(SYS_writev, fd, iov, parts);
		if (n == -EINTR || (n == -EAGAIN && pm_await_room(fd)))
			continue;
		if (n <= 0)
			return n ? (int)n : -EIO;
		for (; parts && n >= iov->iov_len; iov++, parts--)
			n -= iov->iov_len;
		if (parts) {
			iov->iov_base = (char *)iov->iov_base + n;
			iov->iov_len -= n;
		}
	}
	return 0;
}

/* Nobody reads the pipe any more: that is no reason to end the program. */
static int pm_write_parts(int fd, struct iovec *iov, int parts)
{
	static const struct timespec now;
	u64 pipe = 1ULL << (SIGPIPE - 1), saved = 0, pending = 0;
	int err;

	pm_syscall(SYS_rt_sigpending, &pending, sizeof(pending));
	pm_syscall(SYS_rt_sigprocmask, SIG_BLOCK, &pipe, &saved, sizeof(pipe));
	err = pm_write_on(fd, iov, parts);
	if (err == -EPIPE && !(pending & pipe))
		pm_syscall(SYS_rt_sigtimedwait, &pipe, NULL, &now,
			   sizeof(pipe));
	pm_syscall(SYS_rt_sigprocmask, SIG_SETMASK, &saved, NULL,
		   sizeof(saved));
	return err;
}

/**
 * pm_write_all() - write a text as a whole
 * @fd: where
 * @text: what
 * @len: bytes
 *
 * Context: any; no cancellation point, and errno is left alone.
 * Return: 0, or an error when it was not written, or not all of it.
 */
int pm_write_all(int fd, const char *text, size_t len)
{
	struct iovec iov = { (void *)text, len };

	return pm_write_parts(fd, &iov, 1);
}

void pm_host_refuse(int err, const char *line)
{
	errno = -err;
}

void pm_host_say(const char *line)
{
	struct iovec iov[2] = {
		{ (void *)line, strlen(line) },
		{ (void *)"\n", 1 },
	};

	if (!pm_is_mute)
		pm_write_parts(STDERR_FILENO, iov, 2);
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

/* Append a text. Return: where it ends, or @end when there is no room for all. */
static char *pm_put_text(char *at, const char *end, const char *text)
{
	while (*text && at < end)
		*at++ = *text++;
	return at;
}

static char *pm_put_number(char *at, const char *end, unsigned int number)
{
	char digits[12], *first = digits + sizeof(digits) - 1;

	*first = 0;
	do {
		*--first = '0' + number % 10;
		number /= 10;
	} while (number);
	return pm_put_text(at, end, first);
}

/*
 * Every process comes by here at its start: printf() would bring in pages of the C
 * library, code and tables, that a small program has no other use for.
 */
int pm_host_describe(char *buf, size_t size)
{
	char *at = buf, *end = buf + size - 1;

	at = pm_put_text(at, end, "userspace, pid ");
	at = pm_put_number(at, end, getpid());
	at = pm_put_text(at, end, ", ");
	at = pm_put_text(at, end, pm_percpu_mode());
	*at = 0;
	return at - buf;
}

u64 pm_host_random(void)
{
	u64 n = 0;

	if (pm_syscall(SYS_getrandom, &n, sizeof(n), GRND_NONBLOCK) ==
	    sizeof(n))
		return n;
	/* Sixteen random bytes that the kernel gave the process at start. */
	memcpy(&n, (const void *)getauxval(AT_RANDOM), sizeof(n));
	return n ^ pm_host_clock_ns();
}
