// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Objects in flight: how many carry some, and how to wait for them.
 */
#include "front/inflight.h"

#define PM_INFLIGHT_COUNTS	64

/* Per CPU, or shared by a few: threads that carry a batch now. [atomic] */
static struct {
	atomic_long_t carriers;
} ____cacheline_aligned_in_smp pm_inflight_count[PM_INFLIGHT_COUNTS];

static bool pm_inflight_gate __read_mostly;	/* closed [inflight lock] */

/* One at a time may look. Outside of every other lock. */
static DEFINE_MUTEX(pm_inflight_lock);

/**
 * pm_inflight_begin() - ask to carry objects
 *
 * Context: any.
 * Return: what pm_inflight_end() wants to know, or -1: no object may be on its
 * way now.
 */
int pm_inflight_begin(void)
{
	int carrier = pm_host_cpu() % PM_INFLIGHT_COUNTS;

	/* inflight A. Full barrier between count and gate: pairs with F, G. */
	(void)atomic_long_inc_return(&pm_inflight_count[carrier].carriers);
	if (likely(!READ_ONCE(pm_inflight_gate)))	/* inflight B */
		return carrier;
	pm_inflight_end(carrier);
	return -1;
}

/**
 * pm_inflight_end() - the objects are where others can find them
 * @carrier: as pm_inflight_begin() returned it
 *
 * The count is 0 already in a child that was forked by a signal handler over
 * this carrier. Nobody was there to look meanwhile.
 *
 * Context: any.
 */
void pm_inflight_end(int carrier)
{
	/* inflight E. Full barrier: a reader of the lower count finds the objects. */
	(void)atomic_long_dec_if_positive(&pm_inflight_count[carrier].carriers);
}

/**
 * pm_inflight_stop() - wait until nobody carries anything, and keep it so
 *
 * Context: may sleep; no lock held, for carriers may wait for any.
 */
void pm_inflight_stop(void)
{
	unsigned int carrier;

	mutex_lock(&pm_inflight_lock);
	WRITE_ONCE(pm_inflight_gate, true);			/* inflight F */
	/* Between gate and counts: pairs with inflight A, B. */
	smp_mb();
	/* inflight G */
	for (carrier = 0; carrier < PM_INFLIGHT_COUNTS; carrier++)
		while (atomic_long_read(&pm_inflight_count[carrier].carriers))
			pm_host_nap();
	/* Between counts and objects: pairs with inflight E. */
	smp_mb();
}

/**
 * pm_inflight_resume() - let the traffic go on
 */
void pm_inflight_resume(void)
{
	WRITE_ONCE(pm_inflight_gate, false);			/* inflight L */
	mutex_unlock(&pm_inflight_lock);
}

/**
 * pm_inflight_stopped() - whether somebody has stopped the traffic, for tests
 */
bool pm_inflight_stopped(void)
{
	return READ_ONCE(pm_inflight_gate);
}

/**
 * pm_inflight_forget() - begin again in the child of a fork()
 *
 * Threads that carried something are not there, nor is one that stopped them. What
 * was carried
 * is lost to the child: a batch per thread at most.
 *
 * Context: one thread.
 */
void pm_inflight_forget(void)
{
	unsigned int carrier;

	for (carrier = 0; carrier < PM_INFLIGHT_COUNTS; carrier++)
		atomic_long_set(&pm_inflight_count[carrier].carriers, 0);
	/* Unless it is this thread that has stopped it, and goes on. */
	if (pm_mutex_restart(&pm_inflight_lock))
		WRITE_ONCE(pm_inflight_gate, false);
}
