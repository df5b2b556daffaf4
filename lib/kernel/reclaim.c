// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * reclaim=thread: a work item that gives back what nobody uses.
 *
 * Users of the module give back by the way. When they all go quiet what is below
 * the bound stays, until the kernel is short of memory; with this nothing does.
 * It may be late, so that a CPU that sleeps is not woken for it.
 */
#include <linux/workqueue.h>
#include "base/options.h"
#include "front/visit.h"
#include "host.h"

static void pm_reclaim(struct work_struct *work);
static DECLARE_DEFERRABLE_WORK(pm_reclaim_work, pm_reclaim);

static void pm_reclaim(struct work_struct *work)
{
	queue_delayed_work(system_unbound_wq, &pm_reclaim_work,
			   msecs_to_jiffies(pm_mag_reclaim()));
}

/**
 * pm_reclaim_init() - begin, if it is wanted
 *
 * Context: the allocator has started.
 */
void pm_reclaim_init(void)
{
	if (pm_options.reclaim)
		queue_delayed_work(system_unbound_wq, &pm_reclaim_work, 0);
}

/**
 * pm_reclaim_exit() - end
 *
 * Context: may sleep.
 */
void pm_reclaim_exit(void)
{
	cancel_delayed_work_sync(&pm_reclaim_work);
}
