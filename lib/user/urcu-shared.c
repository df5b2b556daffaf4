// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Read-side sections with the liburcu that the program has, too.
 *
 * For those who cannot or will not compile a private copy (urcu.c). What they
 * lose is in Documentation/two-builds.rst.
 */
#include <sys/mman.h>
#include <sys/resource.h>
#include "user.h"

#define PM_URCU_ROOM	(1UL << 20)

/*
 * liburcu ends the process when it cannot map memory for a reader. Where
 * address space has a limit, look whether there is room; others may take it
 * before liburcu does, so this makes the end rare and not impossible.
 */
static bool pm_urcu_has_room(void)
{
	struct rlimit limit;
	void *room;

	if (!getrlimit(RLIMIT_AS, &limit) &&
	    limit.rlim_cur == RLIM_INFINITY)
		return true;
	room = mmap(NULL, PM_URCU_ROOM, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		return false;
	munmap(room, PM_URCU_ROOM);
	return true;
}

/**
 * pm_urcu_register() - become a reader
 *
 * liburcu keeps its reader in thread-local storage that the C library may
 * have to allocate, and sets a thread-specific key, which may allocate too.
 * Either calls malloc, hence us, on the same thread: @in_urcu says so, and
 * the inner call does without a section.
 *
 * Return: 0, or -1 when that is not possible now.
 */
__cold int pm_urcu_register(void)
{
	int saved = errno;

	if (pm_tls.in_urcu || !pm_urcu_works())
		return -1;
	pm_tls.in_urcu = 1;
	if (URCU_TLS(urcu_bp_reader) || pm_urcu_has_room()) {
		urcu_bp_register_thread();
		pm_tls.urcu_seen = 1;
	}
	pm_tls.in_urcu = 0;
	errno = saved;
	return pm_tls.urcu_seen ? 0 : -1;
}

/**
 * pm_urcu_after_fork_child() - end what urcu_bp_before_fork() began
 */
void pm_urcu_after_fork_child(void)
{
	urcu_bp_after_fork_child();
}
