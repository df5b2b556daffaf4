// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Misuse, and life after it. A handler of SIGABRT jumps out of the report,
 * so the process goes on, thousands of times: no misuse may damage anything,
 * none may go unseen (by the call, or by a malloc_trim() right after it), and
 * no object may be handed to two owners afterwards.
 *
 * The oracle knows what is live. Random frees of what is not live (freed
 * before, inside an object, foreign) are mixed with random good requests.
 * Nothing is written to freed objects here; useafter.c does that.
 */
#include <malloc.h>
#include <setjmp.h>
#include <signal.h>
#include "ranges.h"

#define STEPS	120000
#define OLD	512

static sigjmp_buf again;
static volatile bool expected;	/* misuse is under way */
static int report;		/* where stderr goes */
static size_t lost, unseen[6], later[6], done[6], crashes;
static const char *kinds;	/* digits: those to try */
static uintptr_t old[OLD];	/* starts of objects that were freed */

enum kind { TWICE, TWICE_AT_ONCE, INSIDE, FOREIGN, REALLOC_FREED, NEIGHBOUR };

static const char *const kind_name[] = {
	"free of what was freed before", "free twice in a row",
	"free inside an object", "free of foreign memory",
	"realloc of what was freed", "free of what was never handed out",
};

static void on_abort(int sig)
{
	char line[300] = "";

	if (expected)
		siglongjmp(again, sig);
	/* A good request was refused, or crashed: what followed misuse? */
	if (pread(report, line, sizeof(line) - 1, 0) > 0)
		line[strcspn(line, "\n")] = 0;
	OK(false, "signal %d in a good request: %s", sig, line);
	tap_end();
	_exit(1);
}

static void enter(void *p, size_t asked, struct rng *rng)
{
	struct range *r = ranges_enter((uintptr_t)p, malloc_usable_size(p),
				       asked, rng);

	pattern_fill(p, asked, r->tag);
}

static void release(struct rng *rng)
{
	struct range *r = ranges_leave((unsigned int)rng_below(rng, nr_live));

	if (!pattern_holds((void *)r->start, r->asked, r->tag))
		lost++;
	old[rng_below(rng, OLD)] = r->start;
	free((void *)r->start);
}

static uintptr_t pick(enum kind kind, struct rng *rng)
{
	static char foreign[65536];
	struct range *r = &ranges[live[rng_below(rng, nr_live)]];
	uintptr_t p;

	switch (kind) {
	case TWICE:
	case REALLOC_FREED:
		return old[rng_below(rng, OLD)];
	case TWICE_AT_ONCE:
		r = ranges_leave(nr_live - 1);
		p = r->start;
		free((void *)p);
		return p;
	case INSIDE:
		return r->start + 1 + rng_below(rng, r->size - 1);
	case NEIGHBOUR:
		return r->start + r->size * (1 + rng_below(rng, 8));
	default:
		return (uintptr_t)foreign + rng_below(rng, sizeof(foreign));
	}
}

/* Hands a pointer to free() that is no live object's start. */
static void abuse(struct rng *rng)
{
	volatile enum kind kind = (enum kind)rng_below(rng, 6);
	volatile uintptr_t p;
	int sig;

	if (!strchr(kinds, '0' + (int)kind))
		return;
	p = pick(kind, rng);
	if (!p || ranges_starts_at(p))
		return;
	done[kind]++;
	if (ftruncate(report, 0) || lseek(report, 0, SEEK_SET))
		return;
	expected = true;
	sig = sigsetjmp(again, 1);
	if (!sig) {
		if (kind == REALLOC_FREED)
			free(realloc((void *)p, 100));
		else
			free((void *)p);
		/*
		 * It was not on top of its magazine, and no other look
		 * showed it: it must be found when the copies come home.
		 */
		if (kind != INSIDE && kind != FOREIGN) {
			later[kind]++;
			malloc_trim(0);
		}
		unseen[kind]++;
	} else if (sig != SIGABRT) {
		crashes++;
	}
	expected = false;
}

static void run(struct rng *rng)
{
	size_t step, size;

	for (step = 0; step < STEPS; step++) {
		unsigned int dice = (unsigned int)rng_below(rng, 100);
		unsigned int grow = step / 10000 % 2 ? 40 : 60;

		if (nr_live > 100 && dice >= 96) {
			abuse(rng);
		} else if (nr_live < 10 || (dice < grow &&
					    nr_live < RANGES_MAX)) {
			size = rng_size(rng, rng_below(rng, 100) ? 12 : 19);
			enter(malloc(size), size, rng);
		} else {
			release(rng);
		}
	}
	while (nr_live)
		release(rng);
}

static void test(const char *digits, struct rng *rng)
{
	size_t i;

	kinds = digits;
	run(rng);
	OK(!overlaps, "kinds %s: no object had two owners (%zu)", kinds,
	   overlaps);
	OK(!lost, "kinds %s: contents hold (%zu lost)", kinds, lost);
	OK(!crashes, "kinds %s: no report ended in a crash (%zu)", kinds,
	   crashes);
	for (i = 0; i < 6; i++)
		if (strchr(kinds, '0' + (int)i))
			OK(!unseen[i] && done[i] > 50,
			   "%s: %zu times, %zu by malloc_trim(), %zu not reported",
			   kind_name[i], done[i], later[i], unseen[i]);
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_abort };
	struct rng rng;

	tap_begin();
	if (!tap_on_pmalloc()) {
		tap_skip("misuse survived", "pmalloc's promise");
		return tap_end();
	}
	alarm(60);
	rng = rng_make(seed_from_env(), 0);
	report = memfd_create("report", MFD_CLOEXEC);
	dup2(report, STDERR_FILENO);
	sigaction(SIGABRT, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	ranges_init();
	test("01234", &rng);
	/* Last, since whatever follows may suffer. */
	test("5", &rng);
	return tap_end();
}
