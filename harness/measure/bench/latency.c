// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Latency histogram.
 *
 * Values below LATENCY_STEPS have a bucket each; above, every doubling is cut
 * into LATENCY_STEPS buckets of equal width.
 */
#include "bench.h"

#define STEPS_LOG 5

_Static_assert(LATENCY_STEPS == 1 << STEPS_LOG, "steps per doubling");

static unsigned int latency_index(uint64_t ticks)
{
	unsigned int shift;

	if (ticks < LATENCY_STEPS)
		return ticks;
	shift = 63 - __builtin_clzll(ticks) - STEPS_LOG;
	return (shift + 1) * LATENCY_STEPS + (ticks >> shift) % LATENCY_STEPS;
}

/* The largest value that falls into a bucket. */
static uint64_t latency_upper(unsigned int index)
{
	unsigned int shift;

	if (index < LATENCY_STEPS)
		return index;
	shift = index / LATENCY_STEPS - 1;
	return ((LATENCY_STEPS + index % LATENCY_STEPS + 1ULL) << shift) - 1;
}

void latency_add(struct latency *lat, uint64_t ticks)
{
	lat->samples++;
	if (ticks > lat->max)
		lat->max = ticks;
	lat->bucket[latency_index(ticks)]++;
}

void latency_merge(struct latency *into, const struct latency *from)
{
	into->samples += from->samples;
	if (from->max > into->max)
		into->max = from->max;
	for (unsigned int i = 0; i < LATENCY_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
}

/* The value that @percent of the samples do not exceed. */
uint64_t latency_percentile(const struct latency *lat, double percent)
{
	uint64_t want = lat->samples * percent / 100.0;
	uint64_t seen = 0;

	for (unsigned int i = 0; i < LATENCY_BUCKETS; i++) {
		seen += lat->bucket[i];
		if (seen && seen >= want) {
			uint64_t upper = latency_upper(i);

			return upper < lat->max ? upper : lat->max;
		}
	}
	return 0;
}
