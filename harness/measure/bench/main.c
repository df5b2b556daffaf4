// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Command line, table of workloads, and the JSON line.
 *
 *   bench WORKLOAD [-t threads] [-n ops] [-s seed] [-w set] [-a min] [-b max]
 *         [-k chunk] [-p]	-p: each thread stays on a CPU
 *   bench exec ...	see exec.c
 *   bench list		the workloads and their defaults
 *   bench check	test of the program's own arithmetic
 */
#define _GNU_SOURCE
#include "bench.h"

#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const struct workload *const workloads[] = {
	&pair_workload,
	&replace_workload,
	&new_workload,
	&larson_workload,
	&channel_workload,
	&xmalloc_workload,
	&swap_workload,
	&scratch_workload,
	&thrash_workload,
	&churn_workload,
	&phases_workload,
	&vector_workload,
	&buffer_workload,
	&large_workload,
	&aligned_workload,
	&calloc_workload,
	&lifo_workload,
	&fifo_workload,
	&shuffled_workload,
	&trim_workload,
	&retire_workload,
	&fork_workload,
};

static const struct workload *workload_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(workloads); i++)
		if (!strcmp(workloads[i]->name, name))
			return workloads[i];
	die("no such workload; \"bench list\" prints them");
}

static uint64_t number(const char *text)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || end == text || *end)
		die("a number is expected");
	return value;
}

static void parse(struct params *par, int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "t:n:s:w:a:b:k:p")) != -1) {
		switch (opt) {
		case 't':
			par->threads = number(optarg);
			break;
		case 'n':
			par->ops = number(optarg);
			break;
		case 's':
			par->seed = number(optarg);
			break;
		case 'w':
			par->set = number(optarg);
			break;
		case 'a':
			par->min = number(optarg);
			break;
		case 'b':
			par->max = number(optarg);
			break;
		case 'k':
			par->chunk = number(optarg);
			break;
		case 'p':
			par->pinned = true;
			break;
		default:
			die("unknown option");
		}
	}
}

static void check_params(const struct run *run)
{
	const struct params *par = &run->par;
	const struct params *defaults = &run->workload->defaults;

	if (!par->threads || par->threads > 1024)
		die("threads: 1 to 1024");
	if (run->workload->even && par->threads % 2)
		die("this workload wants an even number of threads");
	if (!par->min || par->min > par->max || par->max >= 1UL << 31)
		die("sizes: 1 <= min <= max < 2 GiB");
	if (defaults->set && par->set < par->threads)
		die("set: at least one object per thread");
	if (defaults->chunk && !par->chunk)
		die("chunk: at least 1");
}

/*
 * Log-uniform sizes: every doubling gets the same share, as the sizes of real
 * programs roughly do. The table comes in random but fixed order.
 */
static void fill_sizes(struct run *run)
{
	struct prng rng = { 1 };
	double ratio = ((double)run->par.max + 1) / run->par.min;

	for (size_t i = 0; i < SIZE_TABLE; i++)
		run->sizes[i] = run->par.min *
				pow(ratio, (double)i / SIZE_TABLE);
	for (size_t i = SIZE_TABLE; i > 1; i--) {
		size_t j = prng_below(prng_next(&rng), i);
		uint32_t swap = run->sizes[i - 1];

		run->sizes[i - 1] = run->sizes[j];
		run->sizes[j] = swap;
	}
}

/* What reading the clock twice costs; it is taken off each sample. */
static uint64_t clock_cost(void)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 1000; i++) {
		uint64_t before = ticks_before();
		uint64_t ticks = ticks_after() - before;

		if (ticks < least)
			least = ticks;
	}
	return least;
}

static double elapsed(const struct run *run)
{
	uint64_t begin = UINT64_MAX;
	uint64_t end = 0;

	for (unsigned int i = 0; i < run->par.threads; i++) {
		if (run->workers[i].begin < begin)
			begin = run->workers[i].begin;
		if (run->workers[i].end > end)
			end = run->workers[i].end;
	}
	return (end - begin) / 1e9;
}

static const char *malloc_library(void)
{
	Dl_info info;
	void *symbol = dlsym(RTLD_DEFAULT, "malloc");

	if (!symbol || !dladdr(symbol, &info) || !info.dli_fname)
		return "unknown";
	return info.dli_fname;
}

struct latency_ns {
	double cost;
	double per_tick;
};

static double percentile_ns(const struct latency *lat, double percent,
			    const struct latency_ns *unit)
{
	double ticks = latency_percentile(lat, percent) - unit->cost;

	return ticks > 0 ? ticks * unit->per_tick : 0;
}

static double seconds(const struct timeval *tv)
{
	return tv->tv_sec + tv->tv_usec / 1e6;
}

static void report(const struct run *run, const struct latency_ns *unit,
		   const struct rusage *usage, size_t peak, size_t final)
{
	struct latency *all = run->workers[0].latency;
	const struct params *par = &run->par;
	double time = elapsed(run);
	uint64_t wrong = run->workers[0].wrong;

	for (unsigned int i = 1; i < par->threads; i++) {
		latency_merge(all, run->workers[i].latency);
		wrong += run->workers[i].wrong;
	}
	printf("{\"workload\": \"%s\", \"threads\": %u, \"ops\": %llu, \"seed\": %llu, ",
	       run->workload->name, par->threads, (unsigned long long)par->ops,
	       (unsigned long long)par->seed);
	printf("\"seconds\": %.6f, \"ops_per_second\": %.0f, \"ns_per_op\": %.3f, ",
	       time, par->ops / time, time * 1e9 / par->ops);
	printf("\"samples\": %llu, \"p50\": %.1f, \"p99\": %.1f, \"p999\": %.1f, \"max\": %.1f, ",
	       (unsigned long long)all->samples, percentile_ns(all, 50, unit),
	       percentile_ns(all, 99, unit), percentile_ns(all, 99.9, unit),
	       percentile_ns(all, 100, unit));
	printf("\"peak_rss\": %zu, \"final_rss\": %zu, ", peak, final);
	printf("\"user\": %.6f, \"system\": %.6f, \"faults\": %ld, \"switches\": %ld, ",
	       seconds(&usage->ru_utime), seconds(&usage->ru_stime),
	       usage->ru_minflt, usage->ru_nvcsw + usage->ru_nivcsw);
	printf("\"wrong\": %llu, \"malloc\": \"%s\"}\n",
	       (unsigned long long)wrong, malloc_library());
}

static void run_and_report(struct run *run)
{
	uint64_t ticks = ticks_before();
	uint64_t ns = now_ns();
	struct latency_ns unit = { .cost = clock_cost() };
	struct rusage usage;
	size_t peak, final;

	if (run->workload->prepare)
		run->workload->prepare(run);
	run_workers(run);
	if (run->workload->finish)
		run->workload->finish(run);
	wait_for_one_thread();
	unit.per_tick = (double)(now_ns() - ns) / (ticks_after() - ticks);
	getrusage(RUSAGE_SELF, &usage);
	final = memory_now();
	/* the kernel's peak lags behind by a few pages per CPU */
	peak = memory_peak();
	if (peak < final)
		peak = final;
	report(run, &unit, &usage, peak, final);
}

static void list(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(workloads); i++) {
		const struct workload *w = workloads[i];
		const struct params *d = &w->defaults;

		printf("%-9s %s\n          -t %u -n %llu -a %zu -b %zu -w %zu -k %zu\n",
		       w->name, w->what, d->threads ? d->threads : 1,
		       (unsigned long long)d->ops, d->min, d->max, d->set,
		       d->chunk);
	}
}

/* Percentiles of known samples, and sizes within their bounds. */
static void check(void)
{
	struct latency *lat = pages(sizeof(*lat));
	struct run run = { .par = { .min = 16, .max = 1024 } };
	size_t small = 0;

	for (uint64_t i = 1; i <= 100000; i++)
		latency_add(lat, i);
	for (double percent = 1; percent <= 100; percent++) {
		double want = percent * 1000;
		double got = latency_percentile(lat, percent);

		if (got < want * 0.999 || got > want * 1.04)
			die("check: percentile is wrong");
	}
	latency_add(lat, UINT64_MAX);
	if (latency_percentile(lat, 100) != UINT64_MAX)
		die("check: maximum is wrong");
	fill_sizes(&run);
	for (size_t i = 0; i < SIZE_TABLE; i++) {
		if (run.sizes[i] < run.par.min || run.sizes[i] > run.par.max)
			die("check: size out of bounds");
		small += run.sizes[i] < 128;
	}
	if (small < SIZE_TABLE * 45 / 100 || small > SIZE_TABLE * 55 / 100)
		die("check: sizes are not log-uniform");
	printf("{\"check\": \"ok\"}\n");
}

int main(int argc, char **argv)
{
	static struct run run;

	if (argc < 2)
		die("usage: bench WORKLOAD|exec|list|check [option ...]");
	if (!strcmp(argv[1], "exec"))
		return exec_main(argc - 1, argv + 1);
	if (!strcmp(argv[1], "list")) {
		list();
		return 0;
	}
	if (!strcmp(argv[1], "check")) {
		check();
		return 0;
	}
	run.workload = workload_find(argv[1]);
	run.par = run.workload->defaults;
	run.par.seed = 1;
	if (!run.par.threads)
		run.par.threads = 1;
	if (!run.par.max)
		run.par.min = run.par.max = 16;
	parse(&run.par, argc - 1, argv + 1);
	check_params(&run);
	/* the same share for each thread, so that the count is true */
	run.par.ops -= run.par.ops % run.par.threads;
	fill_sizes(&run);
	run_and_report(&run);
	return 0;
}
