// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Restartable sequences under fire.
 *
 *	stress [--seed=N] [--seconds=N] MODE
 *
 * The core is linked into this program, compiled with inject.h: at each
 * numbered point of each section a thread can be made to linger. Meanwhile it
 * is preempted (there are more threads than CPUs), moved to other CPUs, and
 * gets signals, while others drain magazines, trim, and retire arenas. Each
 * object is filled with a pattern and handed from thread to thread.
 *
 * A mode is a way to be without what one would like to have:
 *
 *	libc		nothing is missing: the C library registered rseq
 *	left		it was told not to: the library does without, too
 *	own		... and the library was told to register its own area
 *	mm_cid		magazines are numbered by compact ids; some threads
 *			have no area, whose id would then be 0
 *	off		magazine=off
 *	rseqoff		rseq=off
 *	norseq		the kernel refuses rseq
 *	nofence		the kernel refuses membarrier
 *	latefence	it begins to refuse membarrier when threads are running;
 *			arenas cannot be retired then, for liburcu gives up
 *	unregister	threads unregister their area now and then
 *	ownunregister	the same with the library's own
 *	fork		processes fork, and their children go on
 *
 * In a first part every point is aimed at until a section was really aborted
 * there; in a second a trap at a point aborts the section every time, and all
 * goes on without it; then everything happens at once. At the end, when all objects were
 * freed and the allocator trimmed, nothing may be left: no live object, none
 * in a magazine or depot, no slab, no heap.
 */
#include <fcntl.h>
#include <getopt.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include "pmalloc.h"
#include "arena/arena.h"
#include "arena/registry.h"
#include "front/magazine.h"
#include "base/options.h"
#include "user.h"

#define SLOTS		256	/* places where objects change hands */
#define MAX_THREADS	32
#define MAX_SIZE	3000
#define BURN_LONG	(4UL << 20)
#define AIM_TRIES	4000

__thread unsigned long pm_inject_burn[PM_INJECT_POINTS];
__thread unsigned long pm_inject_trap[PM_INJECT_POINTS];
__thread unsigned long pm_inject_aborts[PM_INJECT_POINTS];
__thread unsigned long pm_inject_at;

static const unsigned char points[] = {
	11, 12, 13, 14, 15,
	21, 22, 23, 24, 25,
	31, 32, 33, 34, 35, 36,
	41, 42, 43, 44, 45, 46,
};

static const struct mode {
	const char *name;
	const char *options;	/* PMALLOC_OPTIONS */
	bool no_tunable;	/* the C library shall not register rseq */
	long refuse;		/* a system call that fails, or 0 */
	bool late;		/* from some moment on only */
	bool unregister;
	bool without;		/* some threads never have an area */
	bool fork;
	const char *expect;	/* what the report must say */
} modes[] = {
	{ .name = "libc", .expect = "by CPU (rseq area of the C library)" },
	{ .name = "left", .no_tunable = true,
	  .expect = "magazines off: rseq is left to the program" },
	{ .name = "own", .options = "rseq=own", .no_tunable = true,
	  .expect = "(own rseq area)" },
	{ .name = "mm_cid", .options = "cpu_id=mm_cid", .without = true,
	  .expect = "by mm_cid (rseq area of the C library)" },
	{ .name = "off", .options = "magazine=off",
	  .expect = "magazines off, as chosen" },
	{ .name = "rseqoff", .options = "rseq=off",
	  .expect = "magazines off, as chosen" },
	{ .name = "norseq", .no_tunable = true, .refuse = SYS_rseq,
	  .expect = "the kernel offers no rseq" },
	{ .name = "nofence", .refuse = SYS_membarrier,
	  .expect = "membarrier has no rseq fence here" },
	{ .name = "latefence", .refuse = SYS_membarrier, .late = true,
	  .expect = "by CPU (rseq area of the C library)" },
	{ .name = "unregister", .unregister = true,
	  .expect = "by CPU (rseq area of the C library)" },
	{ .name = "ownunregister", .options = "rseq=own", .unregister = true, .no_tunable = true,
	  .expect = "(own rseq area)" },
	{ .name = "fork", .fork = true,
	  .expect = "by CPU (rseq area of the C library)" },
};

struct object {
	u32 words;		/* of the body */
	u32 size;
	u64 tag;
	u64 body[];
};

struct worker {
	pthread_t thread;
	pid_t tid;
	u64 seed;
	bool running;
};

static const struct mode *mode;
static u64 seed;
static unsigned int seconds = 4;
static struct object *slots[SLOTS];
static struct worker workers[MAX_THREADS];
static unsigned int nr_workers;
static unsigned long aborts[PM_INJECT_POINTS];
static atomic_long_t faults, operations, generations;
static volatile bool stop;
static pthread_key_t leftover;
static cpu_set_t allowed;
static int results, failed;

/* ---- what malloc.c answers in the library ------------------------------ */

const char *pm_host_options(void)
{
	return getenv("PMALLOC_OPTIONS");
}

void pm_host_started(void)
{
	pm_fork_init();
}

/* ---- small things ------------------------------------------------------ */

static u64 rnd(u64 *state)
{
	u64 x = *state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static unsigned int below(u64 *state, unsigned int n)
{
	return (rnd(state) >> 32) * n >> 32;
}

static __printf(2, 3) bool ok(bool good, const char *fmt, ...)
{
	char what[200];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	printf("%sok %d - %s: %s\n", good ? "" : "not ", ++results, mode->name,
	       what);
	fflush(stdout);
	failed += !good;
	return good;
}

static double now(void)
{
	return pm_host_clock_ns() / 1e9;
}

static void say_fault(const char *what, const struct object *o)
{
	if (atomic_long_inc_return(&faults) > 10)
		return;
	printf("# %s: object %p of %u bytes\n", what, (const void *)o, o->size);
	fflush(stdout);
}

/* ---- objects ----------------------------------------------------------- */

static void fill(struct object *o, u32 size, u64 tag)
{
	u32 i;

	o->size = size;
	o->words = (size - sizeof(*o)) / 8;
	o->tag = tag;
	for (i = 0; i < o->words; i++)
		o->body[i] = tag + i;
}

static void check(const struct object *o)
{
	u32 i;

	if (o->words != (o->size - sizeof(*o)) / 8 || o->size > MAX_SIZE * 20) {
		say_fault("somebody wrote on the head", o);
		return;
	}
	for (i = 0; i < o->words; i++)
		if (o->body[i] != o->tag + i) {
			say_fault("somebody wrote on it", o);
			return;
		}
}

static struct object *take(u64 *state)
{
	u32 size = sizeof(struct object);
	struct object *o;

	/* Few classes, so that stacks run empty and full; some of all. */
	if (below(state, 4))
		size += 40 << below(state, 3);
	else
		size += below(state, below(state, 100) ? MAX_SIZE :
						     MAX_SIZE * 19);
	o = pm_malloc(size);
	if (!o) {
		atomic_long_inc(&faults);
		return NULL;
	}
	fill(o, size, rnd(state));
	return o;
}

static void give(struct object *o)
{
	if (!o)
		return;
	check(o);
	o->tag = ~o->tag;
	pm_free(o);
}

/* ---- lingering --------------------------------------------------------- */

static void arm(u64 *state)
{
	pm_inject_burn[points[below(state, sizeof(points))]] =
		1 + (rnd(state) >> 46 >> below(state, 14));
}

static void disarm(void)
{
	memset(pm_inject_burn, 0, sizeof(pm_inject_burn));
}

static void add_aborts(void)
{
	unsigned int i;

	for (i = 0; i < PM_INJECT_POINTS; i++) {
		__atomic_fetch_add(&aborts[i], pm_inject_aborts[i],
				   __ATOMIC_RELAXED);
		pm_inject_aborts[i] = 0;
	}
}

/* ---- what a thread does ------------------------------------------------ */

/* Unregister the area that the C library or pmalloc registered, or undo it. */
static void rseq_registered(bool registered)
{
	struct rseq *area = mode->no_tunable ? &pm_tls.rseq :
		(struct rseq *)((char *)__builtin_thread_pointer() +
				__rseq_offset);

	if (mode->no_tunable && pm_tls.area != area)
		return;
	if (syscall(SYS_rseq, area, sizeof(struct rseq),
		    registered ? 0 : RSEQ_FLAG_UNREGISTER, RSEQ_SIG) &&
	    atomic_long_inc_return(&faults) == 1)
		printf("# rseq: %s\n", strerror(errno));
}

#define RUN_MAX		600

/* A run of one size, longer than a stack's room: refills, then flushes. */
static void run_of_one(u64 *state, bool lingers)
{
	struct object *run[RUN_MAX];
	unsigned int n = 1 + below(state, ARRAY_SIZE(run)), i;
	u32 size = sizeof(struct object) + (16U << below(state, 4));

	for (i = 0; i < n; i++) {
		if (lingers && !below(state, 16))
			arm(state);
		run[i] = pm_malloc(size);
		if (run[i])
			fill(run[i], size, rnd(state));
	}
	for (i = 0; i < n; i++) {
		if (lingers && !below(state, 16))
			arm(state);
		give(run[i]);
	}
}

static void step(u64 *state)
{
	struct object *o;

	switch (below(state, 512)) {
	case 0:
		run_of_one(state, true);
		break;
	case 1:
		if (mode->unregister) {
			rseq_registered(false);
			give(take(state));
			run_of_one(state, true);
			rseq_registered(true);
		}
		break;
	}
	o = below(state, 2) ? take(state) : NULL;
	give(__atomic_exchange_n(&slots[below(state, SLOTS)], o,
				 __ATOMIC_ACQ_REL));
}

/* A thread's last words, when its own area may be gone already. */
static void leave(void *p)
{
	u64 state = (unsigned long)p;

	give(p);
	run_of_one(&state, true);
	disarm();
	add_aborts();
}

static void *work(void *arg)
{
	struct worker *w = arg;
	u64 state = w->seed;
	unsigned long n, end = 2000 + below(&state, 20000);

	WRITE_ONCE(w->tid, pm_host_tid());
	if (mode->without && !below(&state, 4))
		rseq_registered(false);
	pthread_setspecific(leftover, take(&state));
	for (n = 0; n < end && !stop; n++) {
		if (!below(&state, 8))
			arm(&state);
		step(&state);
		disarm();
	}
	atomic_long_add(n, &operations);
	atomic_long_inc(&generations);
	add_aborts();
	WRITE_ONCE(w->tid, 0);
	__atomic_store_n(&w->running, false, __ATOMIC_RELEASE);
	return NULL;
}

static void start(struct worker *w, u64 s)
{
	w->seed = s;
	w->running = true;
	if (pthread_create(&w->thread, NULL, work, w)) {
		w->running = false;
		atomic_long_inc(&faults);
	}
}

/* ---- tormentors -------------------------------------------------------- */

static void nothing(int sig)
{
	(void)sig;
}

static void annoy(u64 *state)
{
	pid_t tid = READ_ONCE(workers[below(state, nr_workers)].tid);

	if (tid > 0)
		syscall(SYS_tgkill, getpid(), tid, SIGUSR1);
}

/* To one CPU, or anywhere. */
static void move(u64 *state)
{
	pid_t tid = READ_ONCE(workers[below(state, nr_workers)].tid);
	cpu_set_t one;
	int n, cpu;

	CPU_ZERO(&one);
	n = below(state, CPU_COUNT(&allowed) + 1);
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed) && !n--)
			CPU_SET(cpu, &one);
	if (tid > 0)
		sched_setaffinity(tid, sizeof(one),
				  CPU_COUNT(&one) ? &one : &allowed);
}

static void *torment(void *arg)
{
	struct timespec pause = { 0, 10000 };
	u64 state = seed ^ (unsigned long)arg;
	struct pm_totals totals;

	while (!stop) {
		switch (below(&state, 32)) {
		case 0:
			pm_trim();
			break;
		case 1:
			pm_mag_drain_all();
			break;
		case 2:
		case 3:
			pm_mag_drain(below(&state, pm_percpu_count()));
			break;
		case 4:
			/* Without membarrier liburcu has no grace periods. */
			if (!mode->late)
				pm_arena_retire(below(&state,
						      pm_arena_table_size));
			break;
		case 5:
			pm_get_totals(&totals);
			break;
		case 6 ... 12:
			move(&state);
			break;
		default:
			annoy(&state);
		}
		if (below(&state, 4))
			nanosleep(&pause, NULL);
	}
	add_aborts();
	return NULL;
}

/* Signals for whichever thread runs. */
static timer_t start_timer(long ns)
{
	struct sigevent event = {
		.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM,
	};
	struct itimerspec every = {
		.it_value = { 0, ns }, .it_interval = { 0, ns },
	};
	timer_t timer;

	if (timer_create(CLOCK_MONOTONIC, &event, &timer))
		return NULL;
	timer_settime(timer, 0, &every, NULL);
	return timer;
}

/* ---- refusing system calls --------------------------------------------- */

static bool refuse(long nr)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { ARRAY_SIZE(code), code };

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			SECCOMP_FILTER_FLAG_TSYNC, &prog);
}

/* ---- part one: every point --------------------------------------------- */

static pid_t aimed_at;

static void *shoot(void *arg)
{
	struct timespec pause = { 0, 50000 };

	(void)arg;
	while (!stop) {
		syscall(SYS_tgkill, getpid(), aimed_at, SIGUSR1);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static void aim(u64 *state)
{
	unsigned int i, tries, missed = 0;
	pthread_t shooter;

	aimed_at = pm_host_tid();
	stop = false;
	if (pthread_create(&shooter, NULL, shoot, NULL))
		return;
	for (i = 0; i < sizeof(points); i++) {
		unsigned int point = points[i];

		pm_inject_aborts[point] = 0;
		for (tries = 0; tries < AIM_TRIES; tries++) {
			pm_inject_burn[point] = BURN_LONG;
			run_of_one(state, false);
			pm_inject_burn[point] = 0;
			if (pm_inject_aborts[point])
				break;
			pm_mag_drain_all();
		}
		if (tries == AIM_TRIES) {
			printf("# no abort at point %u\n", point);
			missed++;
		}
	}
	stop = true;
	pthread_join(shooter, NULL);
	add_aborts();
	ok(!missed, "each of %zu points was aborted when aimed at",
	   sizeof(points));
}

/* ---- part two: a point that nobody gets past ---------------------------- */

/*
 * An operation goes through at most three sections: of the fast half, of the
 * slow path that follows, and one more where that has made room.
 */
#define SECTIONS	3

/* A run pops a batch or does not, by its length: so many that one does. */
#define BLOCK_TRIES	64

static void block(u64 *state)
{
	unsigned int i, free_pass = 0, endless = 0;
	unsigned long most = 0, some;

	for (i = 0; i < sizeof(points); i++) {
		unsigned int point = points[i], round;

		for (round = 0; round < BLOCK_TRIES; round++) {
			pm_mag_drain_all();
			pm_inject_aborts[point] = 0;
			pm_inject_trap[point] = 1;
			run_of_one(state, false);
			pm_inject_trap[point] = 0;
			some = pm_inject_aborts[point];
			if (some)
				break;
		}
		free_pass += !some;
		endless += some > 2 * RUN_MAX * SECTIONS * PM_RSEQ_TRIES;
		most = max_t(unsigned long, most, some);
	}
	add_aborts();
	ok(!free_pass, "each of %zu points was closed: %lu aborts at most",
	   sizeof(points), most);
	ok(!endless, "and every operation came to its end without");
}

/*
 * The first operation gives way after its tries, each that follows after one:
 * none that gave way goes into another section. The abort behind the last try
 * is the one that gives way.
 *
 * A miss that is none of this, as on a CPU that the thread was moved to, ends the
 * standing aside, and the tries are counted anew: that is right, and rare. So the
 * best of some turns counts.
 */
#define IN_A_ROW	40
#define TURNS		5

/* Return: how many aborts there were. */
static unsigned long stand_aside_at(unsigned int point, u64 *state)
{
	bool pops = point < 20;
	void *p[IN_A_ROW];
	unsigned long n;

	run_of_one(state, false);
	for (n = 0; !pops && n < IN_A_ROW; n++)
		p[n] = pm_malloc(64);
	pm_inject_aborts[point] = 0;
	pm_inject_trap[point] = 1;
	for (n = 0; n < IN_A_ROW; n++)
		if (pops)
			p[n] = pm_malloc(64);
		else
			pm_free(p[n]);
	pm_inject_trap[point] = 0;
	for (n = 0; pops && n < IN_A_ROW; n++)
		pm_free(p[n]);
	return pm_inject_aborts[point];
}

static void stand_aside(u64 *state)
{
	unsigned long most = PM_RSEQ_TRIES + 1 + 2 * (IN_A_ROW - 1);
	unsigned long worst = 0, best;
	unsigned int i, turn;

	for (i = 0; i < sizeof(points); i++) {
		if (points[i] > 30)
			continue;
		best = stand_aside_at(points[i], state);
		for (turn = 1; turn < TURNS && best > most; turn++)
			best = min_t(unsigned long, best,
				     stand_aside_at(points[i], state));
		worst = max_t(unsigned long, worst, best);
	}
	add_aborts();
	ok(worst && worst <= most,
	   "%d operations in a row stand aside: %lu aborts, at most %lu",
	   IN_A_ROW, worst, most);
}

/* ---- part three: everything at once -------------------------------------- */

static void empty_slots(void)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++)
		give(__atomic_exchange_n(&slots[i], NULL, __ATOMIC_ACQ_REL));
}

static void crowd(u64 *state, double duration, void (*meanwhile)(u64 *state))
{
	double end = now() + duration;
	pthread_t tormentor[2];
	bool refused = false;
	unsigned int i;

	stop = false;
	for (i = 0; i < nr_workers; i++)
		start(&workers[i], rnd(state));
	for (i = 0; i < 2; i++)
		if (pthread_create(&tormentor[i], NULL, torment,
				   (void *)(rnd(state) | 1)))
			abort();
	while (now() < end) {
		struct timespec pause = { 0, 3000000 };

		nanosleep(&pause, NULL);
		for (i = 0; i < nr_workers; i++) {
			struct worker *w = &workers[i];

			if (__atomic_load_n(&w->running, __ATOMIC_ACQUIRE))
				continue;
			pthread_join(w->thread, NULL);
			start(w, rnd(state));
		}
		if (mode->late && !refused && now() > end - duration / 2)
			refused = ok(refuse(mode->refuse),
				     "from here on membarrier is refused");
		if (meanwhile)
			meanwhile(state);
	}
	stop = true;
	for (i = 0; i < nr_workers; i++)
		pthread_join(workers[i].thread, NULL);
	for (i = 0; i < 2; i++)
		pthread_join(tormentor[i], NULL);
	add_aborts();
}

#define MAX_IN_FLIGHT	64	/* as many threads as the parent may have */

/*
 * What other threads held when we forked stays as it was; what is in the
 * slots is ours now, and so is everything that we make.
 */
static int child(u64 *state)
{
	struct pm_totals before, after;

	alarm(20);
	atomic_long_set(&faults, 0);
	memset(workers, 0, sizeof(workers));
	empty_slots();
	pm_trim();
	pm_get_totals(&before);
	nr_workers = min_t(unsigned int, nr_workers, 4);
	crowd(state, 0.15, NULL);
	empty_slots();
	pm_trim();
	pm_get_totals(&after);
	/*
	 * An object whose free another thread had just begun may come home with
	 * the next one of its slab.
	 */
	if (after.live_objects > before.live_objects ||
	    after.live_objects + MAX_IN_FLIGHT < before.live_objects ||
	    after.magazine || after.depot) {
		printf("# child: %zu objects live, were %zu\n",
		       after.live_objects, before.live_objects);
		atomic_long_inc(&faults);
	}
	pm_batch_provide(GFP_KERNEL);
	if (!pm_batch_get()) {
		printf("# child: no batch is to be had\n");
		atomic_long_inc(&faults);
	}
	fflush(stdout);
	return atomic_long_read(&faults) != 0;
}

static unsigned int children, bad_children;

static void fork_one(u64 *state)
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(child(state));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	children++;
	if (status) {
		printf("# a child ended with status 0x%x\n", status);
		bad_children++;
	}
}

static void judge(void)
{
	struct pm_totals t;
	u64 hits, misses;
	int tries;

	ok(!atomic_long_read(&faults), "no object had two owners");
	empty_slots();
	for (tries = 0; tries < 3; tries++) {
		pm_trim();
		pm_get_totals(&t);
	}
	if (mode->late)
		return;		/* magazines cannot be drained any more */
	if (!ok(!t.live_objects && !t.live && !t.magazine && !t.depot &&
		!t.slab_free && !t.heaps && !t.mapped,
		"nothing is left at the end"))
		printf("# live %zu (%zu), magazine %zu, depot %zu, slab %zu, heaps %zu, mapped %zu\n",
		       t.live_objects, t.live, t.magazine, t.depot,
		       t.slab_free, t.heaps, t.mapped);
	pm_mag_get_counts(&hits, &misses);
	if (pm_options.magazine)
		ok(hits > misses, "%llu operations in magazines, %llu misses",
		   (unsigned long long)hits, (unsigned long long)misses);
	else
		ok(!hits, "no operation used a magazine");
}

static void count_aborts(void)
{
	unsigned long all = aborts[0];
	unsigned int i, never = 0;

	printf("# aborts per point:");
	for (i = 0; i < sizeof(points); i++) {
		printf(" %u:%lu", points[i], aborts[points[i]]);
		all += aborts[points[i]];
		never += !aborts[points[i]];
	}
	printf(", elsewhere %lu\n", aborts[0]);
	if (pm_options.magazine)
		ok(!never, "%lu aborts, some at every point", all);
	else
		ok(!all, "no section was aborted, for none was registered");
}

static void check_mode(void)
{
	char report[400];

	pm_report(report, sizeof(report), false);
	report[strcspn(report, "\n")] = 0;
	if (!ok(strstr(report, mode->expect), "the report says so"))
		printf("# %s\n", report);
}

/* ---- begin ------------------------------------------------------------- */

/* The environment that the mode needs is there from the start. */
static void begin_anew(char **argv)
{
	if (getenv("STRESS_BEGUN"))
		return;
	setenv("STRESS_BEGUN", "1", 1);
	if (mode->no_tunable)
		setenv("GLIBC_TUNABLES", "glibc.pthread.rseq=0", 1);
	if (mode->options)
		setenv("PMALLOC_OPTIONS", mode->options, 1);
	if (mode->refuse && !mode->late && !refuse(mode->refuse)) {
		printf("1..0 # SKIP seccomp filters cannot be set here\n");
		exit(0);
	}
	execv("/proc/self/exe", argv);
	perror("stress: /proc/self/exe");
	exit(2);
}

static bool parse(int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "seconds", required_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 },
	};
	const char *text = getenv("RSEQ_SEED");
	unsigned int i;
	int c;

	seed = text && *text ? strtoull(text, NULL, 0) :
			       pm_host_clock_ns() ^ (u64)getpid() << 32;
	while ((c = getopt_long(argc, argv, "", longopts, NULL)) >= 0) {
		if (c == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (c == 't')
			seconds = strtoul(optarg, NULL, 0);
		else
			return false;
	}
	for (i = 0; optind + 1 == argc && i < ARRAY_SIZE(modes); i++)
		if (!strcmp(argv[optind], modes[i].name))
			mode = &modes[i];
	return mode;
}

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = nothing,
				 .sa_flags = SA_RESTART };
	timer_t timer;
	u64 state;

	if (!parse(argc, argv)) {
		fprintf(stderr, "usage: stress [--seed=N] [--seconds=N] MODE\n");
		return 2;
	}
	begin_anew(argv);
	printf("# %s: seed 0x%llx\n", mode->name, (unsigned long long)seed);
	state = seed;
	sigaction(SIGUSR1, &act, NULL);
	sigaction(SIGALRM, &act, NULL);
	sigaction(SIGTRAP, &act, NULL);
	pthread_key_create(&leftover, leave);
	sched_getaffinity(0, sizeof(allowed), &allowed);
	nr_workers = min_t(unsigned int, 3 * CPU_COUNT(&allowed) + 1,
			   MAX_THREADS);
	/* A small object: a large one does not make the arenas. */
	pm_free(pm_malloc(1));
	check_mode();
	if (pm_options.magazine) {
		aim(&state);
		block(&state);
		stand_aside(&state);
	}
	timer = start_timer(300000);
	crowd(&state, seconds, mode->fork ? fork_one : NULL);
	if (timer)
		timer_delete(timer);
	printf("# %ld operations, %ld threads\n",
	       atomic_long_read(&operations), atomic_long_read(&generations));
	if (mode->fork)
		ok(children && !bad_children, "%u children went on as well",
		   children);
	count_aborts();
	judge();
	printf("1..%d\n", results);
	return failed != 0;
}
