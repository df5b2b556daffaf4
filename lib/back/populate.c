// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Pages before their use.
 *
 * Fresh memory has no pages: each comes by a fault, when it is first written.
 * To ask the host for many at once takes a fraction of that. But pages that
 * nobody uses are memory lost, and a caller that asks for a megabyte may be about
 * to write a few bytes of it.
 *
 * So it is a matter of credit. A fresh range is handed out as it is, and
 * looked at a while later, when some others have been handed out after it: has
 * it got all of its pages by now? Then a few times as many bytes get theirs
 * at once; when those are used up the next range is left alone again. A single
 * one that was not used to the end, and all credit is gone. What can be wasted
 * is therefore bounded by what was used, and by a constant.
 *
 * The look comes late so that a thread that was preempted while it filled its
 * range is not taken for one that does not. What was unmapped meanwhile tells
 * nothing.
 */
#include "back/populate.h"
#include "base/options.h"

#define PM_POPULATE_WAITING	4	/* ranges that wait to be looked at */
#define PM_POPULATE_TIMES	8	/* a byte that was used is good for */
#define PM_POPULATE_CREDIT_MAX	(16L << 20)
#define PM_POPULATE_MIN_PAGES	4
#define PM_POPULATE_MAX_PAGES	1024
#define PM_POPULATE_PAGES_BITS	16

/*
 * Ranges that were handed out without pages: number of the first page, and
 * below it how many there are; 0 for none. [atomic: exchanged]
 */
static u64 pm_populate_waiting[PM_POPULATE_WAITING];

/* How many have waited so far; it decides who is next, and may be a bit off. */
static unsigned int pm_populate_turn;

/* Bytes that may get pages at once, 0 or less for none. [atomic] */
static atomic_long_t pm_populate_credit;

static void pm_populate_earn(long used)
{
	long credit = atomic_long_read(&pm_populate_credit);

	atomic_long_set(&pm_populate_credit,
			min_t(long, max_t(long, credit, 0) +
				    used * PM_POPULATE_TIMES,
			      PM_POPULATE_CREDIT_MAX));
}

/* Look at what waited longest, and let another range wait in its place. */
static void pm_populate_learn(const char *from, unsigned long pages)
{
	unsigned int turn = READ_ONCE(pm_populate_turn);
	unsigned long page;
	long size, used;
	u64 range;

	WRITE_ONCE(pm_populate_turn, turn + 1);
	range = (u64)((unsigned long)from / PAGE_SIZE) << PM_POPULATE_PAGES_BITS |
		pages;
	range = xchg(&pm_populate_waiting[turn % PM_POPULATE_WAITING], range);
	if (!range)
		return;
	page = range >> PM_POPULATE_PAGES_BITS;
	size = (range & ((1U << PM_POPULATE_PAGES_BITS) - 1)) * PAGE_SIZE;
	used = pm_host_resident((void *)(page * PAGE_SIZE), size);
	if (used == size)
		pm_populate_earn(used);
	else if (used >= 0)
		atomic_long_set(&pm_populate_credit, 0);
}

/**
 * pm_populate() - pages for memory that is about to be written throughout
 * @from: start, a multiple of the page size
 * @to: end, likewise; not above @from for none
 *
 * Context: any lock held.
 */
void pm_populate(char *from, char *to)
{
	if (from < to && pm_options.populate)
		pm_host_populate(from, to - from);
}

/**
 * pm_populate_on_credit() - pages for memory that its caller will probably use
 * @from: start, a multiple of the page size
 * @to: end, likewise; not above @from for none
 *
 * Context: no lock held.
 */
void pm_populate_on_credit(char *from, char *to)
{
	unsigned long pages = from < to ? (to - from) / PAGE_SIZE : 0;

	if (pages < PM_POPULATE_MIN_PAGES || pages > PM_POPULATE_MAX_PAGES ||
	    !pm_options.populate)
		return;
	if (atomic_long_read(&pm_populate_credit) < to - from) {
		pm_populate_learn(from, pages);
		return;
	}
	atomic_long_sub(to - from, &pm_populate_credit);
	pm_host_populate(from, to - from);
}
