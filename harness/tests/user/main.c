// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The suites as a program that prints TAP.
 *
 *	pmalloc_test [--suite=NAME] [--seed=N] [--seconds=N]
 *
 * Under the name NAME_test it runs the suite NAME, so that `prove` sees a
 * program per suite. PMALLOC_TEST_SEED and PMALLOC_TEST_SECONDS stand in for
 * the options where prove calls. With PMALLOC_TEST_LOG all output is
 * appended to that file too, for scripts/compare-ktap.
 *
 * The program contains the core and the userspace host, but not the C
 * library's names: what the harness and the C library allocate comes from
 * elsewhere, and the allocator's figures show the tests' objects only.
 */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include "pm_test.h"
#include "user.h"

static int log_fd = -1;

/* ---- what the library's malloc.c answers in the library ---------------- */

const char *pm_host_options(void)
{
	const char *options = getenv("PMALLOC_OPTIONS");

	/* More arenas than CPUs, so that tests find some on any machine. */
	return options ? options : "arenas=16";
}

void pm_host_started(void)
{
	pm_fork_init();
	pm_publish();
}

/* ---- threads ----------------------------------------------------------- */

static void *thread_main(void *arg)
{
	struct pm_thread *thread = arg;

	thread->fn(thread->arg);
	return NULL;
}

bool pm_thread_start(struct pm_thread *thread, void (*fn)(void *), void *arg)
{
	thread->fn = fn;
	thread->arg = arg;
	return !pthread_create(&thread->pthread, NULL, thread_main, thread);
}

void pm_thread_join(struct pm_thread *thread)
{
	pthread_join(thread->pthread, NULL);
}

void pm_event_init(struct pm_event *event)
{
	pthread_mutex_init(&event->lock, NULL);
	pthread_cond_init(&event->cond, NULL);
	event->set = false;
}

void pm_event_set(struct pm_event *event)
{
	pthread_mutex_lock(&event->lock);
	event->set = true;
	pthread_cond_broadcast(&event->cond);
	pthread_mutex_unlock(&event->lock);
}

void pm_event_wait(struct pm_event *event)
{
	pthread_mutex_lock(&event->lock);
	while (!event->set)
		pthread_cond_wait(&event->cond, &event->lock);
	pthread_mutex_unlock(&event->lock);
}

static cpu_set_t allowed;

unsigned int pm_test_cpus(void)
{
	return CPU_COUNT(&allowed);
}

void pm_test_pin(unsigned int n)
{
	cpu_set_t one;
	int cpu;

	n %= pm_test_cpus();
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed) && !n--)
			break;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

void pm_test_unpin(void)
{
	sched_setaffinity(0, sizeof(allowed), &allowed);
}

/* A long loop does not keep others from running. */
void pm_test_yield(void)
{
}

/* A waiting loop lets others run. */
void pm_test_pause(void)
{
	sched_yield();
}

void pm_test_sleep_ms(unsigned int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

/* ---- memory and output ------------------------------------------------- */

void pm_test_in_context(unsigned int context, void (*fn)(void *arg), void *arg)
{
	fn(arg);
}

void *pm_test_zalloc(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void pm_test_release(void *p, size_t size)
{
	if (p)
		munmap(p, size);
}

static void write_all(int fd, const char *buf, size_t len)
{
	ssize_t n;

	while (fd >= 0 && len) {
		n = write(fd, buf, len);
		if (n <= 0)
			return;
		buf += n;
		len -= n;
	}
}

void pm_test_print(const char *line)
{
	char buf[PM_TEST_LINE + 2];
	int n = scnprintf(buf, sizeof(buf), "%s\n", line);

	write_all(STDOUT_FILENO, buf, n);
	write_all(log_fd, buf, n);
}

/* ---- misuse ------------------------------------------------------------ */

static void misuse_child(int out, void (*fn)(void *), void *arg)
{
	dup2(out, STDERR_FILENO);
	fn(arg);
	_exit(0);
}

/*
 * Do what must not be done in a child of fork(): it is expected to say one
 * line that contains @expected, and to be ended by SIGABRT.
 */
void pm_test_misuse(struct pm_test *t, void (*fn)(void *arg), void *arg,
		    const char *expected)
{
	char said[4096];
	size_t len = 0;
	int fd[2], status = 0;
	ssize_t n;
	pid_t pid;

	PM_REQUIRE(t, !pipe(fd));
	pid = fork();
	if (!pid)
		misuse_child(fd[1], fn, arg);
	close(fd[1]);
	while (len < sizeof(said) - 1) {
		n = read(fd[0], said + len, sizeof(said) - 1 - len);
		if (n <= 0)
			break;
		len += n;
	}
	said[len] = 0;
	close(fd[0]);
	PM_REQUIRE(t, pid > 0 && waitpid(pid, &status, 0) == pid);
	if (!strstr(said, expected) || strncmp(said, "pmalloc: ", 9) ||
	    strchr(said, '\n') != said + len - 1)
		pm_test_fail(t, __FILE__, __LINE__,
			     "expected one line with \"%s\", got: %.*s",
			     expected, (int)strcspn(said, "\n"), said);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
		pm_test_fail(t, __FILE__, __LINE__,
			     "expected SIGABRT after \"%s\", status is 0x%x",
			     expected, status);
}

/* ---- main -------------------------------------------------------------- */

static u64 number(const char *text, u64 otherwise)
{
	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

/* NAME where the program is called NAME_test; pmalloc_test runs all. */
static const char *suite_of(char *program)
{
	char *base = strrchr(program, '/');
	char *tail;

	base = base ? base + 1 : program;
	tail = strstr(base, "_test");
	if (!tail || !strncmp(base, "pmalloc_test", 12))
		return NULL;
	*tail = 0;
	return base;
}

static int usage(void)
{
	fputs("usage: pmalloc_test [--suite=NAME] [--seed=N] [--seconds=N]\n",
	      stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "suite", required_argument, NULL, 'u' },
		{ "seed", required_argument, NULL, 's' },
		{ "seconds", required_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 },
	};
	const char *log = getenv("PMALLOC_TEST_LOG");
	struct pm_test_options opt = {
		.suite = suite_of(argv[0]),
		.seed = number(getenv("PMALLOC_TEST_SEED"),
			       pm_host_clock_ns() ^ getpid()),
		.seconds = number(getenv("PMALLOC_TEST_SECONDS"), 1),
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longopts, NULL)) >= 0) {
		switch (c) {
		case 'u':
			opt.suite = optarg;
			break;
		case 's':
			opt.seed = number(optarg, 0);
			break;
		case 't':
			opt.seconds = number(optarg, 1);
			break;
		default:
			return usage();
		}
	}
	if (optind < argc)
		return usage();
	sched_getaffinity(0, sizeof(allowed), &allowed);
	if (log)
		log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
			      0644);
	/* Whatever hangs is ended, and named by its missing result. */
	alarm(120 + 30 * opt.seconds);
	return pm_test_run(&opt) != 0;
}
