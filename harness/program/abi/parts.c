// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What the report says is resident, held against what the kernel says.
 *
 * The kernel counts the whole process, and we count our memory. The rest is the
 * program, its libraries and its stacks, which is the same at any time: all that
 * this program itself uses is static and was written before the first look. So
 * growth since then is compared. /proc/self/smaps_rollup walks page tables;
 * the counters of /proc/self/statm lag behind by some pages per CPU. Where our
 * memory lies /proc/self/smaps does not tell: the kernel merges neighbouring
 * mappings, ours with those of a library.
 *
 * Under load memory comes and goes between two looks. So the kernel is asked
 * before and after.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include "tap.h"

#define MIB		(1L << 20)
#define SMALL		500
#define SMALLS		200000L		/* 95 MiB */
#define SLABBED		9000		/* three pages, of which a free one has one */
#define SLABBEDS	5000L		/* 43 MiB */
#define SPAN		100000
#define SPANS		500L		/* 48 MiB */
#define LARGE		(64 * MIB)
#define THREADS		4
#define STACK		(256L << 10)
#define SLOTS		1000L
#define BALLAST		200		/* so many MiB stay while others come and go */
#define LOOKS		20

struct bytes {
	long bytes;
	long resident;
};

static const char *const names[] = {
	"live", "magazine", "depot", "slab_free", "heap_free", "large_cached",
	"meta",
};

enum { LIVE, MAGAZINE, DEPOT, SLAB_FREE, HEAP_FREE, LARGE_CACHED, META, PARTS };

/* What one look has seen: the kernel's figure before and after ours. */
struct look {
	struct bytes part[PARTS];
	struct bytes sum;
	long cpus;		/* resident bytes of all CPUs' magazines */
	long before;
	long after;
};

static size_t (*p_report)(char *buf, size_t size, bool json);
static char text[1 << 19];
static char stacks[THREADS][STACK] __attribute__((aligned(4096)));
static void **small, **slabbed, **span;
static long others;		/* resident bytes that are not ours */
static atomic_bool done;

static long rollup(void)
{
	int fd = open("/proc/self/smaps_rollup", O_RDONLY);
	char buf[1024];
	const char *rss;
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

	close(fd);
	if (n <= 0)
		abort();
	buf[n] = 0;
	rss = strstr(buf, "Rss:");
	return rss ? strtol(rss + 4, NULL, 10) * 1024 : 0;
}

static struct bytes bytes_at(const char *at)
{
	struct bytes b = { -1, -1 };

	if (at)
		sscanf(strstr(at, "\"bytes\":"),
		       "\"bytes\":%ld,\"resident\":%ld", &b.bytes, &b.resident);
	return b;
}

/* The magazines by CPU, added up. */
static long all_cpus(void)
{
	const char *at = strstr(text, "\"cpus\":["), *end = strchr(at, ']');
	long sum = 0;

	while ((at = strstr(at, "{\"cpu\":")) && at < end) {
		sum += bytes_at(at).resident;
		at++;
	}
	return sum;
}

static struct look look(void)
{
	struct look l = { .before = rollup() };
	char key[64];
	int i;

	if (p_report(text, sizeof(text), true) >= sizeof(text))
		abort();
	l.after = rollup();
	for (i = 0; i < PARTS; i++) {
		snprintf(key, sizeof(key), "{\"part\":\"%s\"", names[i]);
		l.part[i] = bytes_at(strstr(text, key));
	}
	l.sum = bytes_at(strstr(text, "\"memory_sum\""));
	l.cpus = all_cpus();
	return l;
}

/* How far our sum is from the kernel's, in bytes beyond what lies between. */
static long distance(const struct look *l)
{
	long low = l->before < l->after ? l->before : l->after;
	long high = l->before < l->after ? l->after : l->before;
	long mine = l->sum.resident + others;

	return mine < low ? low - mine : mine > high ? mine - high : 0;
}

static bool adds_up(const struct look *l)
{
	long bytes = 0, resident = 0;
	int i;

	for (i = 0; i < PARTS; i++) {
		if (l->part[i].bytes < 0 || l->part[i].resident < 0)
			return false;
		bytes += l->part[i].bytes;
		resident += l->part[i].resident;
	}
	return bytes == l->sum.bytes && resident == l->sum.resident;
}

static struct look compare(const char *when)
{
	struct look l = look();
	int i;

	tap_diag("%s: kernel %ld KiB, without the rest %ld, sum %ld", when,
		 l.after >> 10, (l.after - others) >> 10,
		 l.sum.resident >> 10);
	for (i = 0; i < PARTS; i++)
		tap_diag("  %-12s %8ld KiB, resident %8ld", names[i],
			 l.part[i].bytes >> 10, l.part[i].resident >> 10);
	OK(adds_up(&l), "%s: the parts are there, and add up to the sum", when);
	OK(distance(&l) * 50 <= l.after - others,
	   "%s: the sum is the kernel's within 2 %%", when);
	OK(l.cpus == l.part[MAGAZINE].resident,
	   "%s: the magazines by CPU add up, too", when);
	return l;
}

static void **many(long n, size_t size)
{
	void **objs = malloc(n * sizeof(*objs));
	long i;

	for (i = 0; objs && i < n; i++) {
		objs[i] = malloc(size);
		if (!objs[i])
			abort();
		memset(objs[i], 1, size);
	}
	return objs ? objs : (abort(), NULL);
}

/* Every @step-th from the first on, which is gone if it was freed before. */
static void drop(void **objs, long n, long step)
{
	long i;

	for (i = 0; i < n; i += step) {
		free(objs[i]);
		objs[i] = NULL;
	}
}

static bool is_near(long a, long b)
{
	return labs(a - b) * 50 <= b;
}

static void at_rest(void)
{
	const long built = SMALLS * SMALL + SLABBEDS * SLABBED + SPANS * SPAN;
	struct look l, last;
	char *large;

	last = look();
	small = many(SMALLS, SMALL);
	slabbed = many(SLABBEDS, SLABBED);
	span = many(SPANS, SPAN);
	l = compare("built");
	/* As long as it is large, the rest of the process is within that, too. */
	OK(labs(l.after - l.sum.resident) * 50 <= l.after,
	   "built: within 2 %% of the whole process");
	OK(l.part[LIVE].resident - last.part[LIVE].resident >= built,
	   "built: all that was written is live, and resident");

	last = l;
	large = malloc(LARGE);
	memset(large, 1, LARGE / 4);
	l = compare("a large object, a quarter written");
	OK(l.part[LIVE].bytes - last.part[LIVE].bytes >= LARGE,
	   "it is live with all of its bytes");
	OK(is_near(l.part[LIVE].resident - last.part[LIVE].resident, LARGE / 4),
	   "and resident with a quarter");
	free(large);

	last = compare("the large object freed");
	drop(small, SMALLS, 2);
	l = compare("every other small object freed");
	OK(l.part[SLAB_FREE].resident - last.part[SLAB_FREE].resident >=
	   SMALLS / 2 * SMALL * 9 / 10, "they are free in slabs, and resident");

	drop(slabbed, SLABBEDS, 1);
	drop(small, SMALLS, 1);
	l = compare("the others freed");
	OK(l.part[HEAP_FREE].resident >= 4 * MIB, "some of it is free in heaps");

	last = l;
	drop(span, SPANS, 1);
	l = compare("spans freed");
	OK(l.part[LIVE].resident <= last.part[LIVE].resident -
	   SPANS * SPAN * 9 / 10, "nobody has them");
	OK(l.part[MAGAZINE].resident + l.part[DEPOT].resident +
	   l.part[LARGE_CACHED].resident >= 8 * MIB,
	   "some are resident in magazines, depots and free extents");
	free(small);
	free(slabbed);
	free(span);
}

/*
 * An extent that is freed while we are looked at can be seen twice, in use and
 * free, or not at all. So all spans that come and go are less than 2 % of what is
 * there: 32 of 137 KiB on average.
 */
static size_t size_of(unsigned int r)
{
	return r % 128 == 0 ? 40000 + r / 128 % 200000 :
	       r % 8 == 0 ? 2000 + r / 8 % 20000 : 16 + r / 8 % 1000;
}

/* Objects of all sizes, each written whole, that come and go. */
static void *churn(void *arg)
{
	unsigned int seed = 1 + (unsigned int)(long)arg;
	void **slot = calloc(SLOTS, sizeof(*slot));
	size_t size;
	long at;

	while (!done) {
		at = rand_r(&seed) % SLOTS;
		size = size_of((unsigned int)rand_r(&seed));
		free(slot[at]);
		slot[at] = malloc(size);
		if (!slot[at])
			abort();
		memset(slot[at], 1, size);
	}
	drop(slot, SLOTS, 1);
	free(slot);
	return NULL;
}

static void under_load(void)
{
	pthread_t thread[THREADS];
	long i, worst = 0, bad = 0, sums = 0;
	pthread_attr_t attr;
	void **ballast = many(BALLAST, MIB);
	struct look l;

	for (i = 0; i < THREADS; i++) {
		pthread_attr_init(&attr);
		if (pthread_attr_setstack(&attr, stacks[i], STACK) ||
		    pthread_create(&thread[i], &attr, churn, (void *)i))
			abort();
		pthread_attr_destroy(&attr);
	}
	do
		l = look();
	while (l.after < others + (BALLAST + 8) * MIB);
	for (i = 0; i < LOOKS; i++) {
		l = look();
		sums += !adds_up(&l);
		bad += distance(&l) * 50 > l.after - others;
		if (distance(&l) > worst)
			worst = distance(&l);
	}
	done = true;
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	tap_diag("%d looks under load, the last at %ld KiB: off by %ld KiB at most",
		 LOOKS, (l.after - others) >> 10, worst >> 10);
	OK(!sums, "under load: the parts add up to the sum");
	OK(!bad, "under load: the sum is the kernel's within 2 %%, each time");
	compare("after the load");
	drop(ballast, BALLAST, 1);
	free(ballast);
}

/* Again, with nothing that goes back because time has gone by. */
static void without_decay(char **argv)
{
	const char *had = getenv("PMALLOC_OPTIONS");
	char options[256];

	if (had && strstr(had, "decay_ms=60000"))
		return;
	snprintf(options, sizeof(options), "%s%sdecay_ms=60000", had ? had : "",
		 had && *had ? "," : "");
	setenv("PMALLOC_OPTIONS", options, 1);
	execv("/proc/self/exe", argv);
	abort();
}

int main(int argc, char **argv)
{
	struct look first;

	(void)argc;
	without_decay(argv);
	tap_begin();
	p_report = (size_t (*)(char *, size_t, bool))dlsym(RTLD_DEFAULT,
							   "pm_report");
	if (!p_report) {
		tap_skip("parts", "pm_report() is pmalloc's alone");
		return tap_end();
	}
	memset(text, 1, sizeof(text));
	memset(stacks, 1, sizeof(stacks));
	free(malloc(1));
	look();
	first = look();
	others = first.after - first.sum.resident;
	tap_diag("at start: kernel %ld KiB, sum %ld", first.after >> 10,
		 first.sum.resident >> 10);
	at_rest();
	under_load();
	return tap_end();
}
