// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Reports: made whole, and written where they belong when the program ends.
 *
 * Our handler was registered first, so it runs last, and by then many a program
 * has closed standard error. So a descriptor of that is kept from the start.
 * The program may close that, too, and open a file that gets its number:
 * whoever closes all descriptors to become a daemon does so. Therefore it is
 * known which file was open, by device and inode, and what is written to is a
 * fresh descriptor, whose file is compared first: nobody closes that between
 * the look and the write.
 *
 * The stack may be that of a small thread, and the thread may be in the middle
 * of being cancelled: system calls are made directly, and long texts have a
 * place of their own. Exit handlers run once.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "user.h"
#include "api/core.h"
#include "base/options.h"
#include "api/stats.h"

/**
 * pm_text_get() - make a report
 * @text: out: where it is
 * @format: which
 *
 * Others allocate meanwhile, and a report may be longer than it was a moment
 * ago: ask until it fits, for half a report is none.
 *
 * Return: false when there is no memory.
 */
bool pm_text_get(struct pm_text *text, enum pm_format format)
{
	size_t size = pm_report_as(NULL, 0, format);

	for (;;) {
		size += 4096;
		text->at = pm_alloc(size, 1, GFP_KERNEL);
		if (!text->at)
			return false;
		text->len = pm_report_as(text->at, size, format);
		if (text->len < size)
			return true;
		size = text->len;
		pm_free_from(text->at, "malloc_info");
	}
}

/**
 * pm_text_put() - have done with a report
 * @text: as pm_text_get() made it
 */
void pm_text_put(struct pm_text *text)
{
	pm_free_from(text->at, "malloc_info");
}

/* ---- at the end ---------------------------------------------------------- */

/**
 * struct pm_kept - standard error as it was at the start
 * @fd: a descriptor of our own, -1 for none
 * @open: whether there was one at all
 * @dev: which file it was
 * @ino: likewise
 */
struct pm_kept {
	int fd;
	bool open;
	dev_t dev;
	ino_t ino;
};

static struct pm_kept pm_exit_stderr = { .fd = -1 };

static char pm_exit_path[PATH_MAX];
static char pm_exit_line[PATH_MAX + 128];

static bool pm_is_kept(int fd)
{
	struct stat st;

	return fd >= 0 && !pm_syscall(SYS_fstat, fd, &st) &&
	       st.st_dev == pm_exit_stderr.dev && st.st_ino == pm_exit_stderr.ino;
}

/* Write to the file that @fd was opened for, if it still is that one. */
static bool pm_kept_put(int fd, const char *text, size_t len)
{
	int own = pm_syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 0);
	bool is_kept;

	/* No number is left: then the one that we have must do. */
	is_kept = pm_is_kept(own >= 0 ? own : fd);
	if (is_kept)
		pm_write_all(own >= 0 ? own : fd, text, len);
	if (own >= 0)
		pm_syscall(SYS_close, own);
	return is_kept;
}

static void pm_exit_say(const char *text, size_t len)
{
	if (pm_exit_stderr.open && !pm_kept_put(pm_exit_stderr.fd, text, len))
		pm_kept_put(STDERR_FILENO, text, len);
}

/* pm_options.stats_file with the process's number for each "%p" in it. */
static bool pm_exit_name(char *path, size_t size)
{
	const char *from = pm_options.stats_file;
	size_t n = 0;

	for (; *from && n < size; from++) {
		if (from[0] == '%' && from[1] == 'p') {
			n += scnprintf(path + n, size - n, "%d", (int)getpid());
			from++;
		} else {
			path[n++] = *from;
		}
	}
	if (n >= size)
		return false;
	path[n] = 0;
	return true;
}

static void pm_exit_complain(const char *path, int err)
{
	int n;

	n = scnprintf(pm_exit_line, sizeof(pm_exit_line),
		      "pmalloc: cannot write the report to stats_file=%s: %s\n",
		      path, strerrordesc_np(err));
	pm_exit_say(pm_exit_line, n);
}

static int pm_exit_open(const char *path)
{
	return pm_syscall(SYS_openat, AT_FDCWD, path,
			  O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
}

/* When no number is left for the report's file, that of our copy will do. */
static bool pm_exit_make_room(void)
{
	if (!pm_is_kept(pm_exit_stderr.fd))
		return false;
	pm_syscall(SYS_close, pm_exit_stderr.fd);
	pm_exit_stderr.fd = -1;
	return true;
}

static void pm_exit_put(const char *text, size_t len)
{
	int fd, err;

	if (!pm_options.stats_file) {
		pm_exit_say(text, len);
		return;
	}
	if (!pm_exit_name(pm_exit_path, sizeof(pm_exit_path))) {
		pm_exit_complain(pm_options.stats_file, ENAMETOOLONG);
		pm_exit_say(text, len);
		return;
	}
	fd = pm_exit_open(pm_exit_path);
	if (fd == -EMFILE && pm_exit_make_room())
		fd = pm_exit_open(pm_exit_path);
	if (fd >= 0) {
		err = pm_write_all(fd, text, len);
		if (err)
			pm_exit_complain(pm_exit_path, -err);
		pm_syscall(SYS_close, fd);
	} else {
		pm_exit_complain(pm_exit_path, -fd);
		pm_exit_say(text, len);
	}
}

static void pm_exit_report(void)
{
	struct pm_text text;

	if (!pm_text_get(&text, pm_options.stats_json ? PM_JSON : PM_TEXT))
		return;
	pm_exit_put(text.at, text.len);
	pm_text_put(&text);
}

/* Out of the way of the program's own numbers, if they go so far. */
static void pm_exit_keep_stderr(void)
{
	struct stat st;
	int fd;

	if (pm_syscall(SYS_fstat, STDERR_FILENO, &st))
		return;
	pm_exit_stderr.open = true;
	pm_exit_stderr.dev = st.st_dev;
	pm_exit_stderr.ino = st.st_ino;
	fd = pm_syscall(SYS_fcntl, STDERR_FILENO, F_DUPFD_CLOEXEC, 100);
	if (fd < 0)
		fd = pm_syscall(SYS_fcntl, STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	pm_exit_stderr.fd = fd < 0 ? -1 : fd;
}

/**
 * pm_exit_init() - report at the end of the program, where that is wanted
 */
void pm_exit_init(void)
{
	if (!pm_options.stats_exit && !pm_options.stats_file)
		return;
	pm_exit_keep_stderr();
	if (pm_exit_stderr.open || pm_options.stats_file)
		atexit(pm_exit_report);
}
