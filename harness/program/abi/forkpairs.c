// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * fork() beside what holds a lock of the C library's and allocates.
 *
 * Some of these locks the C library takes inside of fork(), behind the handlers
 * of pthread_atfork(), that is, with all of ours held. Whoever has one of them
 * and waits for one of ours must not be there then. Each pair is an own process,
 * so that a hang ends with an alarm and is named.
 */
#include <dlfcn.h>
#include <errno.h>
#include <locale.h>
#include <netdb.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>
#include "pattern.h"

enum { FORKS = 100, SECONDS = 2, READERS = 3, PATIENCE = 30 };

static volatile bool stop;
static char name[64] = "/tmp/forkpairs-XXXXXX";

/*
 * There is a bound in time as well: how many forks a second has, beside threads
 * that take such a lock without a pause, is the C library's matter.
 */

/* Allocates with its stream locked. */
static void *read_lines(void *unused)
{
	FILE *f = fopen(name, "r");

	while (f && !stop) {
		char *line = NULL;
		size_t n = 0;

		rewind(f);
		if (getline(&line, &n, f) < 0)
			break;
		free(line);
	}
	if (f)
		fclose(f);
	return unused;
}

static void *flush_all(void *unused)
{
	while (!stop) {
		fflush(NULL);
		/*
		 * The C library's list of streams has a lock that is not fair,
		 * and its fork() waits for it with whatever malloc: without a
		 * pause here one fork() takes seconds.
		 */
		usleep(20);
	}
	return unused;
}

static void *open_close(void *unused)
{
	while (!stop) {
		FILE *f = fopen(name, "r");

		if (f)
			fclose(f);
	}
	return unused;
}

static void *load(void *unused)
{
	while (!stop) {
		void *lib = dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);

		if (lib)
			dlclose(lib);
	}
	return unused;
}

static void *names(void *unused)
{
	while (!stop) {
		getpwnam("nobody");
		setpwent();
		getpwent();
		endpwent();
	}
	return unused;
}

static void *resolve(void *unused)
{
	struct addrinfo hints = { .ai_family = AF_INET }, *found;

	while (!stop)
		if (!getaddrinfo("localhost", NULL, &hints, &found))
			freeaddrinfo(found);
	return unused;
}

static void *environment(void *unused)
{
	char text[40];
	unsigned int i;

	for (i = 0; !stop; i++) {
		snprintf(text, sizeof(text), "%u", i);
		setenv("FORKPAIRS", text, 1);
		unsetenv("FORKPAIRS");
	}
	return unused;
}

static void nothing(void)
{
}

/* Their list is never shortened: a bounded number. */
static void *at_exit(void *unused)
{
	unsigned int i;

	for (i = 0; !stop && i < 200000; i++)
		atexit(nothing);
	return unused;
}

static void *locales(void *unused)
{
	while (!stop) {
		locale_t l = newlocale(LC_ALL_MASK, "C.UTF-8", NULL);

		if (l)
			freelocale(l);
		setlocale(LC_ALL, "C.UTF-8");
		setlocale(LC_ALL, "C");
	}
	return unused;
}

static void *log_lines(void *unused)
{
	openlog("forkpairs", LOG_NDELAY, LOG_USER);
	while (!stop)
		syslog(LOG_DEBUG, "%s", "a line");
	return unused;
}

/* Keeps arenas' locks busy, so that others have to wait. */
static void *churn(void *unused)
{
	struct rng rng = rng_make(1, (uintptr_t)unused);
	void *p[300] = { 0 };
	unsigned int i;

	while (!stop) {
		i = rng_below(&rng, 300);
		free(p[i]);
		p[i] = malloc(rng_size(&rng, 17));
	}
	for (i = 0; i < 300; i++)
		free(p[i]);
	return unused;
}

static const struct pair {
	const char *name;
	void *(*fn)(void *unused);
} pairs[] = {
	{ "fflush(NULL)", flush_all },
	{ "fopen() and fclose()", open_close },
	{ "dlopen()", load },
	{ "getpwnam()", names },
	{ "getaddrinfo()", resolve },
	{ "setenv()", environment },
	{ "atexit()", at_exit },
	{ "newlocale() and setlocale()", locales },
	{ "syslog()", log_lines },
};

/* A child may use the streams: nobody has their list. */
static int child(void)
{
	FILE *f;

	alarm(PATIENCE);
	f = fopen(name, "r");
	if (!f || fclose(f))
		return 1;
	free(malloc(100000));
	return fflush(NULL) ? 2 : 0;
}

static int beside(const struct pair *pair)
{
	pthread_t thread[READERS + 2];
	int i, status, failed = 0;
	struct timespec now, begin;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	now = begin;
	alarm(PATIENCE);
	for (i = 0; i < READERS; i++)
		pthread_create(&thread[i], NULL, read_lines, NULL);
	pthread_create(&thread[i++], NULL, churn, NULL);
	pthread_create(&thread[i++], NULL, pair->fn, NULL);
	for (i = 0; i < FORKS && now.tv_sec <= begin.tv_sec + SECONDS; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(child());
		status = -1;
		if (pid > 0)
			waitpid(pid, &status, 0);
		failed += status != 0;
		clock_gettime(CLOCK_MONOTONIC, &now);
	}
	stop = true;
	for (i = 0; i < READERS + 2; i++)
		pthread_join(thread[i], NULL);
	return failed != 0;
}

int main(void)
{
	int fd = mkstemp(name), i, status;
	size_t n;

	tap_begin();
	for (i = 0; i < 50000; i++)
		if (write(fd, i < 49999 ? "x" : "\n", 1) != 1)
			return 1;
	for (n = 0; n < sizeof(pairs) / sizeof(*pairs); n++) {
		pid_t pid;

		fflush(stdout);
		pid = fork();
		if (!pid)
			_exit(beside(&pairs[n]));
		status = -1;
		if (pid > 0)
			waitpid(pid, &status, 0);
		OK(!status, "up to %d forks beside %s (status 0x%x)", FORKS,
		   pairs[n].name, (unsigned int)status);
	}
	close(fd);
	unlink(name);
	return tap_end();
}
