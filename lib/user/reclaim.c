// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * reclaim=thread: a thread that gives back what nobody uses.
 *
 * Whoever allocates gives back by the way. A process that frees much and then calls
 * nothing any more keeps what is below the bound; with this thread it keeps nothing.
 *
 * The thread is one that a program did not ask for, so it is off unless asked
 * for: the C library takes locks in earnest that it leaves out with one thread, and
 * calls that want a process with one thread (unshare(), setns()) fail.
 *
 * It starts when the program's own constructors run, or with the first request if
 * that is later: before, the C library cannot make threads. fork() leaves it behind.
 * The child starts one of its own as the last thing of our handler, with no lock
 * held; the C library has made its own locks new by then. A child of a fork()
 * in a signal handler that came over malloc() or free() goes without, for making a
 * thread would allocate. So does a process that may make no thread.
 */
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>
#include "user.h"
#include "api/start.h"
#include "base/options.h"
#include "front/visit.h"

#define PM_RECLAIM_STACK	(128UL << 10)	/* bytes, what is thread-local included */

/* Threads can be made. */
static bool pm_reclaim_can_start;

/* Sleep without being a cancellation point. */
static void pm_reclaim_sleep(unsigned int ms)
{
	struct timespec ts = {
		.tv_sec = ms / 1000,
		.tv_nsec = ms % 1000 * 1000000,
	};

	pm_syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &ts, NULL);
}

static void *pm_reclaim_main(void *unused)
{
	prctl(PR_SET_NAME, "pmalloc-reclaim");
	for (;;)
		pm_reclaim_sleep(pm_mag_reclaim());
	return NULL;
}

static int pm_reclaim_make(size_t stack)
{
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	err = pthread_attr_init(&attr);
	if (err)
		return err;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (stack)
		pthread_attr_setstacksize(&attr, stack);
	err = pthread_create(&thread, &attr, pm_reclaim_main, NULL);
	pthread_attr_destroy(&attr);
	return err;
}

/**
 * pm_reclaim_start() - make the thread, if it is wanted and can be made
 * @again: in a child, whose parent has said what there was to say
 *
 * errno and the mask of signals stay as they are; the thread takes none.
 *
 * Context: no lock held, not in the middle of an operation.
 */
void pm_reclaim_start(bool again)
{
	int saved = errno, err;
	sigset_t all, mask;

	if (!pm_options.reclaim || !pm_reclaim_can_start)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	err = pm_reclaim_make(PM_RECLAIM_STACK);
	/* What is thread-local in this program may not fit. */
	if (err == EINVAL)
		err = pm_reclaim_make(0);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	if (err && !again)
		pm_host_say("pmalloc: reclaim=thread: this process may make no thread; memory goes back with what is allocated and freed");
	errno = saved;
}

static void __attribute__((constructor)) pm_reclaim_init(void)
{
	pm_reclaim_can_start = true;
	if (pm_is_started())
		pm_reclaim_start(false);
}
