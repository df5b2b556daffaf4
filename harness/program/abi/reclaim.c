// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * reclaim=thread: what was freed goes though nobody calls malloc() or free() any
 * more, in a process and in its child; the thread is one, has a name, takes no
 * signal, and is not there unless it is asked for. A process that may make no
 * thread says so and goes on.
 *
 * Times are only waited for.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include "tap.h"

#define MIB		(1L << 20)
#define OBJECT		500
#define OBJECTS		200000L		/* 95 MiB */
#define PATIENCE	60		/* seconds until memory is said to stay */

/* What a program with the thread says by its exit status. */
#define STAYS		1
#define CHILD_STAYS	2
#define WRONG_THREADS	4
#define TAKES_SIGNALS	8

static char *objs[OBJECTS];

/* A file of /proc, read without allocating. */
static bool read_file(const char *name, char *buf, size_t size)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	if (fd >= 0)
		close(fd);
	buf[n > 0 ? n : 0] = 0;
	return n > 0;
}

static long resident(void)
{
	long size = 0, pages = 0;
	char buf[128];

	if (read_file("/proc/self/statm", buf, sizeof(buf)))
		sscanf(buf, "%ld %ld", &size, &pages);
	return pages * sysconf(_SC_PAGESIZE);
}

/* Much is built and freed, and then there is silence. */
static bool goes(void)
{
	const struct timespec nap = { .tv_nsec = 30000000 };
	long before = resident(), peak, i;
	time_t end;

	for (i = 0; i < OBJECTS; i++) {
		objs[i] = malloc(OBJECT);
		if (!objs[i])
			abort();
		memset(objs[i], 1, OBJECT);
	}
	peak = resident();
	for (i = 0; i < OBJECTS; i++)
		free(objs[i]);
	end = time(NULL) + PATIENCE;
	while (resident() > before + 8 * MIB + peak / 20) {
		if (time(NULL) > end)
			return false;
		nanosleep(&nap, NULL);
	}
	return true;
}

/* How many threads are called pmalloc-reclaim; @blocks: how many take no signal. */
static int count_threads(int *all, int *blocks)
{
	DIR *dir = opendir("/proc/self/task");
	char name[300], buf[4096], *mask;
	struct dirent *entry;
	int ours = 0;

	*all = *blocks = 0;
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		++*all;
		snprintf(name, sizeof(name), "/proc/self/task/%s/status",
			 entry->d_name);
		if (!read_file(name, buf, sizeof(buf)) ||
		    strncmp(buf, "Name:\tpmalloc-reclaim\n", 22))
			continue;
		ours++;
		mask = strstr(buf, "SigBlk:\t");
		/* All but SIGKILL, SIGSTOP and the C library's two. */
		*blocks += mask && !strncmp(mask + 8, "fffffffe7ffbfeff", 16);
	}
	if (dir)
		closedir(dir);
	return ours;
}

/* The thread names itself when it runs. */
static bool has_one(int *blocks)
{
	const struct timespec nap = { .tv_nsec = 10000000 };
	time_t end = time(NULL) + PATIENCE;
	int all;

	while (count_threads(&all, blocks) != 1 || all != 2) {
		if (time(NULL) > end)
			return false;
		nanosleep(&nap, NULL);
	}
	return true;
}

static int wait_for(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int with_thread(void)
{
	int wrong = 0, blocks = 0;
	pid_t pid;

	wrong |= has_one(&blocks) ? 0 : WRONG_THREADS;
	wrong |= blocks == 1 ? 0 : TAKES_SIGNALS;
	wrong |= goes() ? 0 : STAYS;
	pid = fork();
	if (!pid)
		_exit(!has_one(&blocks) || !goes());
	return wrong | (wait_for(pid) ? CHILD_STAYS : 0);
}

/* From now on this process and what it executes can make nothing that runs. */
static bool make_no_thread(void)
{
	static struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {
		.len = sizeof(code) / sizeof(code[0]), .filter = code,
	};

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

/* This program again. What it says on standard error comes to @said. */
static int again(const char *what, bool may, char *said, size_t size)
{
	int fds[2];
	ssize_t n, sum = 0;
	pid_t pid;

	if (pipe(fds))
		return -1;
	pid = fork();
	if (!pid) {
		dup2(fds[1], STDERR_FILENO);
		setenv("PMALLOC_OPTIONS", "reclaim=thread,decay_ms=200", 1);
		if (may || make_no_thread())
			execl("/proc/self/exe", "reclaim", what, NULL);
		_exit(99);
	}
	close(fds[1]);
	while (sum < (ssize_t)size - 1 &&
	       (n = read(fds[0], said + sum, size - 1 - (size_t)sum)) > 0)
		sum += n;
	said[sum] = 0;
	close(fds[0]);
	return wait_for(pid);
}

int main(int argc, char **argv)
{
	int wrong, all, blocks;
	char said[512];

	if (argc > 1 && !strcmp(argv[1], "thread"))
		return with_thread();
	if (argc > 1)
		return count_threads(&all, &blocks) || all != 1;
	tap_begin();
	if (getenv("PMALLOC_LIB") && !strcmp(getenv("PMALLOC_LIB"), "none")) {
		tap_skip("reclaim", "promised by pmalloc alone");
		return tap_end();
	}
	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0)) {
		tap_skip("reclaim", "under a filter of system calls: see sandbox.c");
		return tap_end();
	}
	PM_OK(!count_threads(&all, &blocks) && all == 1, "there is no thread by default");
	wrong = again("thread", true, said, sizeof(said));
	PM_OK(wrong >= 0 && !(wrong & WRONG_THREADS), "reclaim=thread: there is one");
	PM_OK(wrong >= 0 && !(wrong & TAKES_SIGNALS), "it takes no signal");
	PM_OK(wrong >= 0 && !(wrong & STAYS), "what is freed goes, though nobody calls");
	PM_OK(wrong >= 0 && !(wrong & CHILD_STAYS), "and in a child that was forked");
	PM_OK(!said[0], "nothing is said");
	PM_OK(!again("count", false, said, sizeof(said)), "no thread may be made: it goes on");
	PM_OK(strstr(said, "pmalloc: reclaim=thread: ") && strchr(said, '\n') &&
	      !strchr(said, '\n')[1], "and says so in one line");
	return tap_end();
}
