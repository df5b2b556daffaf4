// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The limit of the process's memory cgroup.
 *
 * The kernel ends a process whose cgroup is full, and does not first ask for what is
 * kept for reuse. So the library reads the limit once, at its start, when there are no
 * other threads whose descriptors could come to other numbers by it. The least counts of
 * the process's own cgroup and those above it. Where /sys/fs/cgroup has not got the path, as
 * in a container that sees its own cgroup as the root, the path's end is what there is.
 *
 * Read with system calls, for stdio allocates.
 */
#include <fcntl.h>
#include "user.h"

#define PM_CGROUP_PATH	1024	/* bytes of a path; a longer one is not followed */

/* The first bytes of a file. Return: whether there are any; then a string. */
static bool pm_read_file(const char *path, char *buf, size_t size)
{
	long fd, n;

	fd = pm_syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = pm_syscall(SYS_read, fd, buf, size - 1);
	pm_syscall(SYS_close, fd);
	buf[n > 0 ? n : 0] = 0;
	return n > 0;
}

/* The limit in a file, 0 where there is none: "max", or what no machine has. */
static size_t pm_read_limit(const char *path)
{
	unsigned long limit;
	char buf[32];

	if (!pm_read_file(path, buf, sizeof(buf)))
		return 0;
	buf[strcspn(buf, "\n")] = 0;
	if (kstrtoul(buf, 10, &limit))
		return 0;
	return limit < 1UL << PM_ADDR_BITS ? limit : 0;
}

/* The least limit of a cgroup and those above it. @group ends where @size does. */
static size_t pm_least_limit(const char *mount, char *group, const char *file)
{
	char path[PM_CGROUP_PATH + 64];
	size_t least = 0, limit;
	char *slash;

	for (;;) {
		scnprintf(path, sizeof(path), "%s%s/%s", mount, group, file);
		limit = pm_read_limit(path);
		if (limit && (!least || limit < least))
			least = limit;
		if (!*group)
			return least;
		slash = strrchr(group, '/');
		*(slash ? slash : group) = 0;
	}
}

/* A line of /proc/self/cgroup: NUMBER:CONTROLLERS:PATH, with "0::" for version 2. */
static size_t pm_limit_of_line(char *line)
{
	char *controllers = strchr(line, ':'), *path;

	path = controllers ? strchr(controllers + 1, ':') : NULL;
	if (!path || path[1] != '/')
		return 0;
	*path++ = 0;
	if (!path[1])
		*path = 0;
	if (!strcmp(controllers, ":"))
		return pm_least_limit("/sys/fs/cgroup", path, "memory.max");
	if (!strcmp(controllers, ":memory"))
		return pm_least_limit("/sys/fs/cgroup/memory", path,
				      "memory.limit_in_bytes");
	return 0;
}

size_t pm_host_ceiling(void)
{
	char buf[PM_CGROUP_PATH], *line, *end;
	size_t least = 0, limit;

	if (!pm_read_file("/proc/self/cgroup", buf, sizeof(buf)))
		return 0;
	for (line = buf; *line; line = end + (*end == '\n')) {
		end = line + strcspn(line, "\n");
		/* One that the buffer has cut off has no end. */
		if (!*end)
			break;
		*end = 0;
		limit = pm_limit_of_line(line);
		*end = '\n';
		if (limit && (!least || limit < least))
			least = limit;
	}
	return least;
}
