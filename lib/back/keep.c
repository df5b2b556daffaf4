// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * How much free memory is kept, and how fast it may go back to the host.
 *
 * The idea. Memory that was just freed is the likeliest to be wanted again, so
 * it stays for the decay time. But a program that frees much and then calls
 * nothing more would keep all of it. So what is free beyond a bound goes back
 * on the very path that freed it; the bound follows what is live.
 *
 * The trick. A program that frees and takes the same memory again and again
 * would pay for its pages every time. So giving back has an allowance: every
 * byte that the host has given may go back once, and from then on as many as
 * time allows: what went back and is given again is not counted as new. What is
 * lost that way is a small part of the time, whatever the program does.
 *
 * The limits. What the allowance leaves stays for the decay time, and then until
 * somebody comes along. Nobody counts live bytes on a fast path: those who look
 * at all arenas say now and then how many there are.
 */
#include "back/keep.h"
#include "base/limit.h"
#include "base/options.h"

#define PM_KEEP_LIVE_PART	4	/* of what is live may be kept free */

/*
 * Bytes in a millisecond that may go back beyond the first time. Where a fault
 * is dear, under some hypervisors, a page that is given back and got again costs
 * more than ten microseconds: four pages are a twentieth of the time there, and
 * next to nothing elsewhere.
 */
#define PM_KEEP_PER_MS		(4L * PAGE_SIZE)

#define PM_KEEP_LEAST		(1L << 20)	/* less is not worth a look */

/* The most bytes that we ever had of the host, when somebody asked. [atomic] */
static unsigned long pm_keep_peak;

/* Bytes that may go back now. [atomic] */
static atomic_long_t pm_keep_allowance;

/* Coarse time up to which it was added to. [atomic: exchanged] */
static u64 pm_keep_at;

/* Live bytes when somebody last looked. */
static size_t pm_keep_live;

/**
 * pm_keep_set_live() - somebody has looked how much is live
 * @live: bytes
 *
 * Context: any.
 */
void pm_keep_set_live(size_t live)
{
	WRITE_ONCE(pm_keep_live, live);
}

/**
 * pm_keep_bound() - how much free memory is kept for the decay time
 *
 * Context: any.
 * Return: bytes.
 */
size_t pm_keep_bound(void)
{
	return max_t(size_t, pm_options.keep,
		     READ_ONCE(pm_keep_live) / PM_KEEP_LIVE_PART);
}

/* The host has given more than ever before: so much may go back once. */
static void pm_keep_note_peak(void)
{
	unsigned long used = pm_limit_used(), peak = READ_ONCE(pm_keep_peak);

	if (used > peak && cmpxchg(&pm_keep_peak, peak, used) == peak)
		atomic_long_add(used - peak, &pm_keep_allowance);
}

/* Time has gone by: more may go back, but no more than the host has given. */
static void pm_keep_grow_allowance(void)
{
	u64 now = pm_host_clock_coarse_ns(), at = READ_ONCE(pm_keep_at);
	u64 ms = at ? (now - at) / 1000000 : 0;
	long more, most;

	if ((at && !ms) || cmpxchg(&pm_keep_at, at, now) != at)
		return;
	most = max_t(long, READ_ONCE(pm_keep_peak) -
			   atomic_long_read(&pm_keep_allowance), 0);
	more = ms < (u64)most / PM_KEEP_PER_MS ? (long)ms * PM_KEEP_PER_MS : most;
	atomic_long_add(more, &pm_keep_allowance);
}

/**
 * pm_keep_allow() - how much may go back before its decay time is over
 * @want: bytes that are free beyond the bound
 *
 * Two that ask at once may get the same bytes; what was too much then is missing
 * later.
 *
 * Context: any.
 * Return: bytes that may go back, at most @want; pm_keep_spend() takes them.
 */
size_t pm_keep_allow(size_t want)
{
	long allowance;

	pm_keep_note_peak();
	pm_keep_grow_allowance();
	allowance = atomic_long_read(&pm_keep_allowance);
	return allowance < PM_KEEP_LEAST ? 0 : min_t(size_t, want, allowance);
}

/**
 * pm_keep_spend() - so much has gone back before its decay time was over
 * @bytes: how much; more than was allowed where it goes in large pieces
 *
 * Context: any.
 */
void pm_keep_spend(size_t bytes)
{
	atomic_long_sub(bytes, &pm_keep_allowance);
}
