// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Transparent huge pages: asking for them, refusing them, and what they cost here.
 */
#include <sys/mman.h>
#include "base/options.h"
#include "user.h"

#define PM_HUGE_TRIES	3	/* the median counts */
#define PM_HUGE_UNITS	8	/* so many units are a sample of the small pages */

/*
 * A filter of system calls that was in force at the start was tried with the
 * refusal, and not with the request. Who wants thp=on has it.
 */
static bool pm_huge_allowed(bool yes)
{
	if (yes)
		return pm_options.thp == PM_THP_ON || pm_filter_allows(false);
	return pm_filter_allows(true);
}

/*
 * A kernel without huge pages does not know the request, and need not be asked
 * again.
 */
bool pm_host_huge(void *addr, size_t size, bool yes)
{
	static bool unknown;
	int saved = errno, err;

	if (READ_ONCE(unknown) || !pm_huge_allowed(yes))
		return false;
	err = madvise(addr, size, yes ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	if (err && errno == EINVAL)
		WRITE_ONCE(unknown, true);
	errno = saved;
	return !err && yes;
}

/*
 * Where the system's setting is `always`, a program gets huge pages unless it
 * says no: 2 MiB where it writes to a few bytes. So it says no, for each mapping.
 */
void pm_refuse_huge(void *addr, size_t size)
{
	if (pm_options.thp != PM_THP_ON)
		pm_host_huge(addr, size, false);
}

/* Write to each page, or to the first one of many. */
static void pm_huge_touch(char *from, size_t size, size_t step)
{
	size_t at;

	for (at = 0; at < size; at += step)
		WRITE_ONCE(from[at], 0);
}

/* Nanoseconds for PM_HUGE_BYTES as heaps get it otherwise: unit by unit. */
static u64 pm_huge_time_small(char *p)
{
	u64 begin = pm_host_clock_ns();
	unsigned int unit;

	for (unit = 0; unit < PM_HUGE_UNITS; unit++, p += PM_UNIT_SIZE) {
		if (pm_options.populate)
			pm_host_populate(p, PM_UNIT_SIZE);
		pm_huge_touch(p, PM_UNIT_SIZE, PAGE_SIZE);
	}
	return (pm_host_clock_ns() - begin) *
	       (PM_HUGE_BYTES / PM_UNIT_SIZE / PM_HUGE_UNITS);
}

/* Nanoseconds for one huge page. */
static u64 pm_huge_time_one(char *p)
{
	u64 begin = pm_host_clock_ns();

	pm_huge_touch(p, PM_HUGE_BYTES, PM_HUGE_BYTES);
	return pm_host_clock_ns() - begin;
}

/* Both, in fresh memory. Return: whether the one was a huge page. */
static bool pm_huge_time(u64 *small, u64 *huge)
{
	char *p = pm_map_aligned(2 * PM_HUGE_BYTES, PM_HUGE_BYTES);
	bool told = false;

	if (!p)
		return false;
	pm_host_huge(p, PM_HUGE_BYTES, false);
	if (pm_host_huge(p + PM_HUGE_BYTES, PM_HUGE_BYTES, true)) {
		*small = pm_huge_time_small(p);
		*huge = pm_huge_time_one(p + PM_HUGE_BYTES);
		/* One write, and the pages of all of it are there. */
		told = pm_host_resident(p + PM_HUGE_BYTES, PM_HUGE_BYTES) ==
		       (long)PM_HUGE_BYTES;
	}
	munmap(p, 2 * PM_HUGE_BYTES);
	return told;
}

static u32 pm_huge_median(const u64 *t)
{
	u64 low = min_t(u64, t[0], t[1]), high = max_t(u64, t[0], t[1]);

	return min_t(u64, max_t(u64, low, min_t(u64, high, t[2])), (u32)-1);
}

bool pm_host_huge_cost(struct pm_huge_cost *cost)
{
	u64 small[PM_HUGE_TRIES], huge[PM_HUGE_TRIES];
	int saved = errno, i;
	bool told = true;

	for (i = 0; i < PM_HUGE_TRIES && told; i++)
		told = pm_huge_time(&small[i], &huge[i]);
	errno = saved;
	if (!told)
		return false;
	cost->small_ns = pm_huge_median(small);
	cost->huge_ns = pm_huge_median(huge);
	return true;
}
