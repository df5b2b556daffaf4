// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Says from within a program which malloc it ran on: preloaded before the
 * library, it adds a line to the file WITNESS when a process exits:
 *
 *	NAME PID FILE-OF-MALLOC FILE-OF-FREE BYTES-MAPPED-BY-PMALLOC
 *
 * Unlike a report on stderr this survives programs that close it first.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "pmalloc.h"

extern char *program_invocation_short_name;

/*
 * RTLD_NEXT, with the witness preloaded first: an executable that is not
 * position-independent answers for its own PLT entry otherwise.
 */
static const char *file_of(const char *symbol)
{
	void *addr = dlsym(RTLD_NEXT, symbol);
	Dl_info info;

	return addr && dladdr(addr, &info) ? info.dli_fname : "-";
}

__attribute__((destructor)) static void testify(void)
{
	void (*totals)(struct pm_totals *) =
		(void (*)(struct pm_totals *))dlsym(RTLD_DEFAULT,
						    "pm_get_totals");
	const char *file = getenv("WITNESS");
	struct pm_totals t = { 0 };
	char line[1024];
	int fd, n;

	if (!file)
		return;
	if (totals)
		totals(&t);
	n = snprintf(line, sizeof(line), "%s %d %s %s %zu\n",
		     program_invocation_short_name, (int)getpid(),
		     file_of("malloc"), file_of("free"), t.mapped);
	fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	if (write(fd, line, (size_t)n) != n)
		_exit(99);
	close(fd);
}
