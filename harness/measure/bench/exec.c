// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * "bench exec": run another program once and report its time and its peak
 * memory like a workload's.
 *
 *   bench exec [-p LIBRARY] [-i INPUT] -- PROGRAM [ARGUMENT ...]
 *
 * LIBRARY is preloaded into PROGRAM only. The kernel counts the memory of the
 * process that calls exec as the child's first peak; that is why a small
 * program stands between the driver, which is written in Python, and PROGRAM.
 */
#define _GNU_SOURCE
#include "bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void redirect(const char *path, int flags, int fd)
{
	int opened = open(path, flags);

	if (opened < 0 || dup2(opened, fd) < 0)
		die(path);
	close(opened);
}

static pid_t start(char **argv, const char *library, const char *input)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid)
		return pid;
	redirect(input, O_RDONLY, STDIN_FILENO);
	redirect("/dev/null", O_WRONLY, STDOUT_FILENO);
	if (library && setenv("LD_PRELOAD", library, 1))
		die("setenv");
	execvp(argv[0], argv);
	die(argv[0]);
}

static double seconds(const struct timeval *tv)
{
	return tv->tv_sec + tv->tv_usec / 1e6;
}

int exec_main(int argc, char **argv)
{
	const char *library = NULL;
	const char *input = "/dev/null";
	struct rusage usage;
	uint64_t begin, end;
	int opt, status;
	pid_t pid;

	while ((opt = getopt(argc, argv, "+p:i:")) != -1) {
		if (opt == 'p')
			library = optarg;
		else if (opt == 'i')
			input = optarg;
		else
			die("exec: unknown option");
	}
	if (optind == argc)
		die("exec: no program");
	begin = now_ns();
	pid = start(argv + optind, library, input);
	if (wait4(pid, &status, 0, &usage) != pid)
		die("wait4");
	end = now_ns();
	printf("{\"workload\": \"exec\", \"ops\": 1, \"seconds\": %.6f, \"user\": %.6f, \"system\": %.6f, \"peak_rss\": %ld, \"faults\": %ld, \"switches\": %ld, \"status\": %d}\n",
	       (end - begin) / 1e9, seconds(&usage.ru_utime),
	       seconds(&usage.ru_stime), usage.ru_maxrss << 10,
	       usage.ru_minflt, usage.ru_nvcsw + usage.ru_nivcsw,
	       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return 0;
}
