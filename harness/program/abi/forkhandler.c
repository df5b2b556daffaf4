// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * fork() in a signal handler that has interrupted malloc(), free() and their
 * relatives, with one thread and with several.
 *
 * A timer of the thread's own interrupts it after some microseconds. Some
 * children end at once, others return from the handler, go on where the thread
 * was interrupted, and work for a while. What one fears is a fork() that never
 * returns, and a child that stands still: both have an alarm, the parent's from
 * one fork to the next, for how long all take is the machine's matter.
 */
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "pattern.h"

enum { RING = 100, FORKS = 400, THREADS = 4, STEPS = 60, PATIENCE = 20 };

struct worker {
	struct tagged ring[RING];
	struct rng rng;
	struct rng pauses;	/* for the handler: the other is in use */
	timer_t timer;
	unsigned int forks;
	unsigned int left;	/* of a child's steps */
	size_t faults;
	size_t failed;
	const char *volatile what;
};

static struct worker workers[THREADS];
static unsigned int forks_each, nr_threads;
static volatile bool is_child;
static uint64_t seed;
static int (*retire)(unsigned int cpu);
static __thread struct worker *me __attribute__((tls_model("initial-exec")));

static void say(const char *s)
{
	if (write(2, s, strlen(s)) < 0)
		_exit(1);
}

/* Where each thread was, by what needs neither lock nor memory. */
static void hangs(int sig)
{
	unsigned int i;

	(void)sig;
	say("# hangs in a ");
	say(is_child ? "child:" : "parent:");
	for (i = 0; i < nr_threads; i++) {
		say(" ");
		say(workers[i].what ? workers[i].what : "none");
	}
	say("\n");
	_exit(9);
}

static void arm(struct worker *w)
{
	struct itimerspec in = { .it_value = {
		0, 20000 + (long)rng_below(&w->pauses, 300000) } };

	timer_settime(w->timer, 0, &in, NULL);
}

static void on_timer(int sig)
{
	struct worker *w = me;
	int saved = errno, status = -1;
	bool stays = rng_below(&w->pauses, 2);
	pid_t pid;

	(void)sig;
	if (is_child)
		return;
	pid = fork();
	if (!pid) {
		is_child = true;
		if (!stays)
			_exit(0);
		alarm(PATIENCE);
		w->left = STEPS;
		errno = saved;
		return;
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	w->failed += status != 0;
	alarm(PATIENCE);
	if (++w->forks < forks_each)
		arm(w);
	errno = saved;
}

static void grow(struct worker *w, struct tagged *o)
{
	size_t size = o->size * 2 + 1;
	void *p;

	w->what = "realloc";
	p = realloc(o->p, size);
	if (!p)
		return;
	o->p = p;
	w->faults += !pattern_holds(o->p, o->size, o->tag);
	o->size = size;
	pattern_fill(o->p, o->size, o->tag);
}

static void step(struct worker *w)
{
	struct tagged *o = &w->ring[rng_below(&w->rng, RING)];
	unsigned int dice = rng_below(&w->rng, 400);

	if (!dice) {
		w->what = "malloc_trim";
		malloc_trim(0);
	} else if (dice == 1 && retire) {
		w->what = "pm_arena_retire";
		retire(rng_below(&w->rng, 2));
	} else if (dice < 20 && o->p && o->size < 1 << 19) {
		grow(w, o);
	} else {
		w->what = "free";
		w->faults += tagged_free(o);
		w->what = "malloc";
		w->faults += !tagged_malloc(o, rng_size(&w->rng,
						dice < 60 ? 19 : 12),
					    rng_next(&w->rng));
	}
}

static void clear(struct worker *w)
{
	unsigned int i;

	for (i = 0; i < RING; i++)
		w->faults += tagged_free(&w->ring[i]);
}

static void *work(void *arg)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID,
				  .sigev_signo = SIGUSR1 };
	struct worker *w = (struct worker *)arg;

	me = w;
	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &event, &w->timer)) {
		w->faults++;
		return NULL;
	}
	arm(w);
	while (w->forks < forks_each) {
		step(w);
		if (is_child && !w->left--) {
			clear(w);
			_exit(w->faults != 0);
		}
	}
	clear(w);
	timer_delete(w->timer);
	return NULL;
}

/* With one thread the process has never had another. */
static void storm(unsigned int threads)
{
	size_t i, faults = 0, failed = 0;
	pthread_t thread[THREADS];

	nr_threads = threads;
	forks_each = FORKS / threads;
	for (i = 0; i < threads; i++) {
		workers[i] = (struct worker){ .rng = rng_make(seed, i),
			.pauses = rng_make(seed, 100 + i) };
		if (threads == 1)
			work(&workers[0]);
		else
			pthread_create(&thread[i], NULL, work, &workers[i]);
	}
	for (i = 0; i < threads; i++) {
		if (threads > 1)
			pthread_join(thread[i], NULL);
		faults += workers[i].faults;
		failed += workers[i].failed;
	}
	OK(!failed, "%u thread(s): %d forks in a handler, each child goes on (%zu did not)",
	   threads, FORKS, failed);
	OK(!faults, "... and the parent's objects are whole (%zu faults)",
	   faults);
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_timer,
				    .sa_flags = SA_RESTART };

	tap_begin();
	retire = (int (*)(unsigned int))dlsym(RTLD_DEFAULT, "pm_arena_retire");
	seed = seed_from_env();
	sigaction(SIGUSR1, &action, NULL);
	action.sa_handler = hangs;
	sigaction(SIGALRM, &action, NULL);
	alarm(PATIENCE);
	storm(1);
	storm(THREADS);
	return tap_end();
}
