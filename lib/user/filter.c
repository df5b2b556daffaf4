// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Filters of system calls, and the calls that one can do without.
 *
 * A filter (seccomp) may answer a call that it does not know by ending the
 * process. Those that are in use let through what every allocator needs, mmap(),
 * munmap(), madvise(MADV_DONTNEED), futex(), and what the library asks for at its
 * start. Four calls are a gain and no need:
 *
 *	madvise(MADV_POPULATE_WRITE)	browsers allow some of madvise() only
 *	madvise(MADV_NOHUGEPAGE)	likewise
 *	mremap() to a given place	likewise
 *	mincore()			systemd's @system-service leaves it out
 *
 * They are made only where they are known to do no harm:
 *
 *	no filter at the start	while the kernel says that the calling thread
 *				has none; that question (PR_GET_SECCOMP) is asked
 *				at the start, too, and before each such call
 *	a filter at the start	(a service manager's, a container's) the first three
 *				are tried then, so that a filter which ends the
 *				process does it at once; and no longer, when the
 *				program brings a filter of its own
 *
 * A filter that is brought by a system call instruction of the program's own,
 * into a process that had one before, is not seen. Between question and call
 * another thread may bring a filter for all: when it does that by syscall() or
 * prctl(), we are told a moment before. With PMALLOC_OPTIONS=populate=off,thp=on
 * and a realloc() that copies (after PR_SET_SECCOMP) none of the four is made.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include "user.h"

static enum {
	PM_FILTER_UNKNOWN,
	PM_FILTER_NONE,		/* ask again each time */
	PM_FILTER_GENTLE,	/* there was one, and it minded none of them */
	PM_FILTER_STRICT,	/* there is one that minds, or may */
} pm_filter;

static bool pm_is_filtered(void)
{
	return pm_syscall(SYS_prctl, PR_GET_SECCOMP) != 0;
}

/* The first three, on pages of our own. */
static bool pm_filter_lets_pass(void)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	const size_t size = 2 * PAGE_SIZE;
	long err, at;

	at = pm_syscall(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE, flags, -1,
			0);
	if (at < 0 && at > -PAGE_SIZE)
		return false;
	err = pm_syscall(SYS_madvise, at, PAGE_SIZE, PM_POPULATE_WRITE);
	if (!err || err == -EINVAL)
		err = pm_syscall(SYS_madvise, at, size, MADV_NOHUGEPAGE);
	if (!err || err == -EINVAL)
		err = pm_syscall(SYS_mremap, at, PAGE_SIZE, PAGE_SIZE,
				 MREMAP_MAYMOVE | MREMAP_FIXED, at + PAGE_SIZE);
	pm_syscall(SYS_munmap, at, size);
	return err > 0;
}

/**
 * pm_filter_init() - see whether there is a filter, and what it minds
 *
 * Context: at the start.
 */
void pm_filter_init(void)
{
	if (READ_ONCE(pm_filter) != PM_FILTER_UNKNOWN)
		return;
	if (!pm_is_filtered())
		WRITE_ONCE(pm_filter, PM_FILTER_NONE);
	else
		WRITE_ONCE(pm_filter, pm_filter_lets_pass() ?
			   PM_FILTER_GENTLE : PM_FILTER_STRICT);
}

/**
 * pm_filter_comes() - the program is about to bring a filter
 */
void pm_filter_comes(void)
{
	WRITE_ONCE(pm_filter, PM_FILTER_STRICT);
}

/**
 * pm_filter_allows() - whether a call that is no need may be made
 * @listed: it is in the lists of service managers and containers
 *
 * Return: true where it is known to do no harm.
 */
bool pm_filter_allows(bool listed)
{
	/* Large objects come before the start of all else. */
	if (unlikely(READ_ONCE(pm_filter) == PM_FILTER_UNKNOWN))
		pm_filter_init();
	switch (READ_ONCE(pm_filter)) {
	case PM_FILTER_NONE:
		return !pm_is_filtered();
	case PM_FILTER_GENTLE:
		return listed;
	case PM_FILTER_UNKNOWN:
	case PM_FILTER_STRICT:
	default:
		return false;
	}
}
