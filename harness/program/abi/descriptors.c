// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Where reports go: never into a file that the program opened for itself, and
 * all of the text, whatever became of the descriptors, on a small stack, and in
 * a thread that is being cancelled.
 *
 * Each trial is this program again (argv[1] names it), for the library looks at
 * its descriptors once, at the start.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "pattern.h"

enum { MANY = 200, ROUNDS = 100 };

static char dir[40] = "/tmp/descriptors-XXXXXX";
static char stats_path[PATH_MAX];

/* ---- what a trial does ----------------------------------------------------- */

/* Data files, until none of the numbers that the library may know is left. */
static int fill_numbers(int from)
{
	char name[PATH_MAX];
	int fd = 0;

	closefrom(from);
	for (int i = 0; i < MANY && fd >= 0; i++) {
		snprintf(name, sizeof(name), "%s/data%d", getenv("TRIAL_DIR"), i);
		fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	}
	return fd < 0;
}

static int trial_daemon(void)
{
	return fill_numbers(3);
}

static int trial_closed(void)
{
	return fill_numbers(0);
}

/* Standard error was never open: the first file gets its number. */
static int trial_mute(void)
{
	void *p = malloc(100);

	if (fill_numbers(2))
		return 1;
	free(p);
	free(p);
	return 2;
}

/* Not a single number is left, and no way to get more. */
static int trial_full(void)
{
	struct rlimit limit = { 300, 300 };
	int fd;

	if (setrlimit(RLIMIT_NOFILE, &limit))
		return 1;
	do {
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	} while (fd >= 0);
	return errno != EMFILE;
}

static int trial_nothing(void)
{
	return 0;
}

static void *say_all(void *arg)
{
	malloc_stats();
	malloc_info(0, stderr);
	return arg;
}

static void *say_all_and_leave(void *arg)
{
	(void)arg;
	say_all(NULL);
	exit(0);
}

static int on_small_stack(void *(*fn)(void *))
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	if (pthread_attr_setstacksize(&attr, 16384) ||
	    pthread_create(&thread, &attr, fn, NULL))
		return 1;
	pthread_join(thread, NULL);
	return 0;
}

static int trial_small(void)
{
	return on_small_stack(say_all_and_leave) || 2;
}

static void *free_twice(void *p)
{
	free(p);
	free(p);
	return NULL;
}

static void *misuse_small(void *arg)
{
	(void)arg;
	return free_twice(malloc(64));
}

static int trial_small_misuse(void)
{
	return on_small_stack(misuse_small) || 2;
}

static volatile int returned;

static void *say_cancelled(void *arg)
{
	pthread_cancel(pthread_self());
	say_all(NULL);
	returned++;
	pthread_testcancel();
	return arg;
}

static size_t live(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static int trial_cancelled(void)
{
	size_t before = 0;
	pthread_t thread;

	for (int i = 0; i < ROUNDS + 10; i++) {
		if (i == 10) {
			returned = 0;
			before = live();
		}
		if (pthread_create(&thread, NULL, say_cancelled, NULL))
			return 1;
		pthread_join(thread, NULL);
	}
	if (returned != ROUNDS)
		return 3;
	return live() > before + 65536 ? 4 : 0;
}

static void *leave_cancelled(void *arg)
{
	(void)arg;
	pthread_cancel(pthread_self());
	exit(0);
}

static int trial_exit_cancelled(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, leave_cancelled, NULL))
		return 1;
	pthread_join(thread, NULL);
	return 2;
}

static void *misuse_cancelled(void *arg)
{
	(void)arg;
	pthread_cancel(pthread_self());
	return free_twice(malloc(64));
}

static int trial_misuse_cancelled(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, misuse_cancelled, NULL))
		return 1;
	pthread_join(thread, NULL);
	return 2;
}

static const struct trial {
	const char *name;
	int (*fn)(void);
} trials[] = {
	{ "daemon", trial_daemon },
	{ "closed", trial_closed },
	{ "mute", trial_mute },
	{ "full", trial_full },
	{ "nothing", trial_nothing },
	{ "small", trial_small },
	{ "small_misuse", trial_small_misuse },
	{ "cancelled", trial_cancelled },
	{ "exit_cancelled", trial_exit_cancelled },
	{ "misuse_cancelled", trial_misuse_cancelled },
};

static int run_trial(const char *name)
{
	alarm(50);
	free(malloc(100));	/* from here on the library is there */
	for (size_t i = 0; i < sizeof(trials) / sizeof(trials[0]); i++)
		if (!strcmp(name, trials[i].name))
			return trials[i].fn();
	return 99;
}

/* ---- what is looked at ----------------------------------------------------- */

static char said[4 << 20];

/* Start a trial with @err as its standard error, -1 for none. */
static pid_t start(const char *name, const char *options, int err)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	setenv("PMALLOC_OPTIONS", options, 1);
	setenv("TRIAL_DIR", dir, 1);
	if (err < 0)
		close(STDERR_FILENO);
	else
		dup2(err, STDERR_FILENO);
	closefrom(3);
	execl("/proc/self/exe", "descriptors", name, NULL);
	_exit(98);
}

static int await(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static void drain(int fd, unsigned int nap)
{
	size_t len = 0;
	ssize_t n;

	while (len < sizeof(said) - 1 &&
	       (n = read(fd, said + len, nap ? 512 : sizeof(said) - 1 - len)) > 0) {
		len += (size_t)n;
		usleep(nap);
	}
	said[len] = 0;
}

/* Return: its status; what it said is in said[]. */
static int run(const char *name, const char *options, bool slowly)
{
	int fd[2], status;
	pid_t pid;

	if (pipe(fd))
		return -1;
	if (slowly) {
		fcntl(fd[1], F_SETPIPE_SZ, 4096);
		fcntl(fd[1], F_SETFL, O_NONBLOCK);
	}
	pid = start(name, options, fd[1]);
	close(fd[1]);
	drain(fd[0], slowly ? 1000 : 0);
	close(fd[0]);
	status = await(pid);
	if (status && status != SIGABRT)
		tap_diag("%s: status %#x, said %.300s", name, (unsigned int)status,
			 said);
	return status;
}

static bool whole_report(const char *text)
{
	size_t len = strlen(text);
	const char *last = strstr(text, "total (KiB)");

	return !strncmp(text, "pmalloc: ", 9) && last && text[len - 1] == '\n';
}

/* Bytes that somebody wrote to the trial's own files. */
static long intruded(void)
{
	char name[PATH_MAX];
	long bytes = 0, files = 0;
	struct stat st;

	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "%s/data%d", dir, i);
		if (stat(name, &st))
			continue;
		files++;
		bytes += st.st_size;
		unlink(name);
	}
	return files == MANY ? bytes : -1;
}

static void test_other_files(void)
{
	OK(!run("daemon", "stats=exit", false) && whole_report(said),
	   "a daemon that keeps standard error: it gets the report");
	OK(!intruded(), "and none of its files does");
	OK(!run("closed", "stats=exit", false) && !said[0],
	   "a daemon that closes all: nothing is said");
	OK(!intruded(), "nor written to any of its files");
	OK(await(start("mute", "", -1)) == SIGABRT,
	   "misuse where there is no standard error");
	OK(!intruded(), "is not written to the file with its number");
	OK(!await(start("daemon", "stats=exit", -1)), "nor is a report");
	OK(!intruded(), "and none of the files has it");
}

static void test_full(void)
{
	char options[PATH_MAX + 20];
	int fd;

	OK(!run("full", "stats=exit", false) && whole_report(said),
	   "no descriptor is left: the report comes");
	snprintf(options, sizeof(options), "stats_file=%s", stats_path);
	OK(!run("full", options, false) && !said[0],
	   "no descriptor is left: nothing to complain of");
	fd = open(stats_path, O_RDONLY);
	said[0] = 0;
	if (fd >= 0)
		drain(fd, 0);
	close(fd);
	unlink(stats_path);
	OK(whole_report(said), "and the file has the report");
}

static void test_pipes(void)
{
	int fd[2];

	OK(!run("nothing", "stats=exit", true) && whole_report(said),
	   "a pipe that is full, and does not block: all of it comes");
	if (pipe(fd))
		return;
	close(fd[0]);
	signal(SIGPIPE, SIG_DFL);
	OK(!await(start("nothing", "stats=exit", fd[1])),
	   "a pipe that nobody reads: the program ends well");
	close(fd[1]);
	fd[1] = open("/dev/full", O_WRONLY);
	OK(!await(start("nothing", "stats=exit", fd[1])),
	   "a device that is full: the program ends well");
	close(fd[1]);
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

static void test_threads(void)
{
	OK(!run("small", "stats=exit", false) && whole_report(said) &&
	   count(said, "pmalloc: ") == 2 && strstr(said, "</malloc>"),
	   "a stack of 16 KiB: all three reports");
	OK(run("small_misuse", "", false) == SIGABRT &&
	   strstr(said, "double free"), "a stack of 16 KiB: misuse is named");
	OK(!run("cancelled", "", false) &&
	   count(said, "pmalloc: ") == ROUNDS + 10 &&
	   count(said, "</malloc>") == ROUNDS + 10,
	   "%d threads that are being cancelled: all text comes, nothing is lost",
	   ROUNDS);
	OK(!run("exit_cancelled", "stats=exit", false) && whole_report(said),
	   "a thread that is being cancelled calls exit(): a report");
	OK(run("misuse_cancelled", "", false) == SIGABRT &&
	   strstr(said, "double free"),
	   "a thread that is being cancelled: misuse is named and stopped");
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return run_trial(argv[1]);
	tap_begin();
	if (!tap_on_pmalloc()) {
		tap_skip("reports", "pmalloc's own");
		return tap_end();
	}
	if (!mkdtemp(dir))
		return 1;
	snprintf(stats_path, sizeof(stats_path), "%s/stats", dir);
	test_other_files();
	test_full();
	test_pipes();
	test_threads();
	rmdir(dir);
	return tap_end();
}
