// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * thp=off means off: the mapping of every object refuses huge pages (flag `nh`
 * in /proc/self/smaps), so that a system which gives them to all gives it none.
 * With thp=on no mapping refuses them.
 */
#include <errno.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "pattern.h"

/* Flags of the mapping at @p as /proc/self/smaps has them. */
static bool refuses(const void *p)
{
	unsigned long at = (unsigned long)p, from, to;
	bool here = false, nh = false;
	char line[512];
	FILE *f = fopen("/proc/self/smaps", "re");

	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = from <= at && at < to;
		else if (here && !strncmp(line, "VmFlags:", 8))
			nh = strstr(line, " nh") != NULL;
	}
	fclose(f);
	return nh;
}

/* How many of five objects lie where huge pages are refused; -1 without memory. */
static int refusals(void)
{
	void *o[5], *between;
	int n = 0;

	o[0] = malloc(100);
	o[1] = malloc(300000);
	o[2] = malloc(50UL << 20);
	o[3] = malloc(5UL << 20);
	between = malloc(100000);	/* so that what grows has to move */
	o[3] = realloc(o[3], 20UL << 20);
	if (posix_memalign(&o[4], 2UL << 20, 3UL << 20) || !between)
		return -1;
	for (int i = 0; i < 5; i++) {
		if (!o[i])
			return -1;
		n += refuses(o[i]);
		free(o[i]);
	}
	free(between);
	return n;
}

static int refusals_of_child(char *self)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		setenv("PMALLOC_OPTIONS", "thp=on", 1);
		execl("/proc/self/exe", self, "count", NULL);
		_exit(99);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return refusals();
	tap_begin();
	if (access("/sys/kernel/mm/transparent_hugepage", F_OK))
		tap_skip("thp", "a kernel without huge pages");
	else if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0))
		tap_skip("thp", "under a filter of system calls: see sandbox.c");
	else {
		PM_OK(refusals() == 5, "all five refuse huge pages");
		PM_OK(refusals_of_child(argv[0]) == 0, "with thp=on none does");
	}
	return tap_end();
}
