// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Whether huge pages pay.
 *
 * A huge page spares hundreds of faults, and is cleared as a whole. Which of the
 * two costs more depends on the machine: a fault takes a tenth of a microsecond on
 * one and twenty on another, and clearing 2 MiB takes 50 microseconds or a
 * millisecond. No table of machines tells, so thp=auto measures, in this process,
 * what both cost.
 *
 * The trick is to wait until somebody could have a use for it: an arena that is
 * about to get its fifth heap. Small programs pay nothing.
 *
 * The limits. It is measured once. A huge page must cost four fifths of what it
 * stands for, or less, for it is cleared whether all of it is needed or not, and a
 * measurement on a busy machine has its errors.
 */
#include "back/huge.h"
#include "base/options.h"

/* Written by whoever made it PM_HUGE_MEASURED_NOW, before the verdict. */
static struct pm_huge_cost pm_huge_cost;
static unsigned int pm_huge_verdict;	/* enum pm_huge_verdict [atomic] */

/**
 * pm_huge_judge() - whether what was measured speaks for huge pages
 * @cost: what was measured
 */
enum pm_huge_verdict pm_huge_judge(const struct pm_huge_cost *cost)
{
	return (u64)cost->huge_ns * 5 < (u64)cost->small_ns * 4 ?
	       PM_HUGE_CHEAPER : PM_HUGE_DEARER;
}

static enum pm_huge_verdict pm_huge_measure(void)
{
	enum pm_huge_verdict verdict = PM_HUGE_NONE;

	if (pm_host_huge_cost(&pm_huge_cost))
		verdict = pm_huge_judge(&pm_huge_cost);
	/* The cost comes before it: pm_huge_known(). */
	smp_store_release(&pm_huge_verdict, verdict);
	return verdict;
}

/**
 * pm_huge_pay() - whether a heap of a large arena is to have huge pages
 *
 * The first to ask measures, which takes a millisecond or so. Who asks meanwhile
 * does without. A fork cannot come in between: it waits for the locks of all arenas.
 *
 * Context: an arena's lock held.
 */
bool pm_huge_pay(void)
{
	unsigned int verdict = READ_ONCE(pm_huge_verdict);

	if (pm_options.thp != PM_THP_AUTO)
		return pm_options.thp == PM_THP_ON;
	if (unlikely(verdict == PM_HUGE_UNKNOWN) &&
	    cmpxchg(&pm_huge_verdict, PM_HUGE_UNKNOWN,
		    PM_HUGE_MEASURED_NOW) == PM_HUGE_UNKNOWN)
		verdict = pm_huge_measure();
	return verdict == PM_HUGE_CHEAPER;
}

/**
 * pm_huge_known() - what is known of huge pages
 * @cost: what was measured, if the verdict is PM_HUGE_DEARER or PM_HUGE_CHEAPER
 *
 * Context: any.
 */
enum pm_huge_verdict pm_huge_known(struct pm_huge_cost *cost)
{
	/* Pairs with pm_huge_measure(). */
	enum pm_huge_verdict verdict = smp_load_acquire(&pm_huge_verdict);

	*cost = pm_huge_cost;
	return verdict;
}
