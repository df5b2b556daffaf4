// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What all workloads share: threads between barriers, the clock, pages of
 * our own, and what the kernel says about the process's memory.
 *
 * Nothing here calls malloc, and nothing buffered by stdio is used: either
 * would add to the memory that is measured.
 */
#define _GNU_SOURCE
#include "bench.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void say(const char *text)
{
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		_exit(3);
}

void die(const char *what)
{
	say("bench: ");
	say(what);
	say("\n");
	_exit(2);
}

/* Zeroed pages of the program's own, present before the clock starts. */
void *pages(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED)
		die("no memory for the bench itself");
	return p;
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* Run on the @n-th of the CPUs that this process may use, counted round. */
void pin_to_cpu(unsigned int n)
{
	cpu_set_t allowed, one;
	int cpu;

	/* the set of the main thread: nobody has pinned that */
	if (sched_getaffinity(getpid(), sizeof(allowed), &allowed))
		die("sched_getaffinity");
	n %= CPU_COUNT(&allowed);
	for (cpu = 0; !CPU_ISSET(cpu, &allowed) || n--; cpu++)
		;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		die("sched_setaffinity");
}

size_t slots_per_worker(const struct run *run)
{
	return run->par.set / run->par.threads;
}

size_t own_slots(const struct run *run)
{
	return slots_per_worker(run) * sizeof(void *);
}

static pthread_barrier_t barrier;

/*
 * Wait for all workers. Where memory is at its fullest they wait for each
 * other: with more threads than CPUs one would otherwise be done before the
 * next has begun, and the peak would tell how the threads were scheduled.
 */
void rendezvous(struct worker *worker)
{
	(void)worker;
	pthread_barrier_wait(&barrier);
}

static void worker_init(struct worker *worker, struct run *run,
			unsigned int id)
{
	const struct params *par = &run->par;
	size_t own = 0;

	worker->run = run;
	worker->id = id;
	worker->ops = par->ops / par->threads;
	worker->rng.state = par->seed * 1000003 + id * 0x632be59bd9b4e019ULL;
	worker->countdown = 1 + prng_next(&worker->rng) % 64;
	worker->latency = pages(sizeof(*worker->latency));
	if (run->workload->own_bytes)
		own = run->workload->own_bytes(run);
	if (own)
		worker->own = pages(own);
}

static void *worker_thread(void *arg)
{
	struct worker *worker = arg;

	if (worker->run->par.pinned)
		pin_to_cpu(worker->id);
	rendezvous(worker);
	worker->begin = now_ns();
	worker->run->workload->work(worker);
	worker->end = now_ns();
	return NULL;
}

/*
 * A single worker is the main thread: a program without threads has no
 * second one, and an allocator may know.
 */
void run_workers(struct run *run)
{
	unsigned int threads = run->par.threads;
	pthread_t *thread = pages(threads * sizeof(*thread));

	run->workers = pages(threads * sizeof(*run->workers));
	for (unsigned int i = 0; i < threads; i++)
		worker_init(&run->workers[i], run, i);
	pthread_barrier_init(&barrier, NULL, threads);
	if (threads == 1) {
		worker_thread(&run->workers[0]);
		return;
	}
	for (unsigned int i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, worker_thread,
				   &run->workers[i]))
			die("pthread_create");
	for (unsigned int i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
}

/* Detached threads may still be on their way out; wait, at most 1 s. */
void wait_for_one_thread(void)
{
	struct stat st;

	for (int i = 0; i < 1000; i++) {
		if (stat("/proc/self/task", &st) || st.st_nlink <= 3)
			return;
		usleep(1000);
	}
}

/* Bytes of the line "@key  N kB" in a file of /proc. */
static size_t proc_kilobytes(const char *path, const char *key)
{
	static char text[8192];
	ssize_t n;
	char *at;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	at = strstr(text, key);
	return at ? strtoull(at + strlen(key), NULL, 10) << 10 : 0;
}

size_t memory_peak(void)
{
	return proc_kilobytes("/proc/self/status", "VmHWM:");
}

size_t memory_now(void)
{
	return proc_kilobytes("/proc/self/smaps_rollup", "\nRss:");
}
