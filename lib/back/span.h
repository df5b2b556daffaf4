/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Spans: objects of middle size, an extent each, that move like those of slabs.
 */
#ifndef PM_SPAN_H
#define PM_SPAN_H

#include "platform.h"
#include "back/class.h"
#include "back/extent.h"

/**
 * struct pm_span_counts - spans that are no free extents, wherever they are
 * @bytes: how many bytes they have
 * @objects: how many there are
 * @out: per class of spans, how many there are
 * @taken: per class of spans, how many were ever made of an extent
 * @put: how many were ever given back to the extents
 *
 * All are atomic: they change where the extent lock has just been taken.
 */
struct pm_span_counts {
	/* private: */
	atomic_long_t bytes;
	atomic_long_t objects;
	atomic_long_t out[PM_NR_SPAN_CLASSES];
	atomic_long_t taken[PM_NR_SPAN_CLASSES];
	atomic_long_t put;
};

/**
 * struct pm_span_stats - figures of one class of spans
 * @taken: spans that were ever made of an extent
 * @out: spans that are no free extents now
 */
struct pm_span_stats {
	u64 taken;
	u64 out;
};

extern struct pm_span_counts pm_span_counts;

void *pm_span_make(unsigned int class, gfp_t gfp);
bool pm_span_put(void *obj, unsigned int class);
void pm_span_put_all(unsigned int class, void **objs, unsigned int n);
struct pm_extent *pm_span_find(const void *ptr, unsigned int class);
bool pm_span_hand_out(void *obj, size_t size, size_t written, gfp_t gfp);
bool pm_span_resize(void *ptr, size_t size);
void pm_span_get_stats(unsigned int class, struct pm_span_stats *st);

/**
 * pm_span_bytes() - bytes of all spans that are no free extents
 */
static inline size_t pm_span_bytes(void)
{
	return atomic_long_read(&pm_span_counts.bytes);
}

/**
 * pm_span_objects() - how many there are
 */
static inline size_t pm_span_objects(void)
{
	return atomic_long_read(&pm_span_counts.objects);
}

/**
 * pm_span_nr_put() - how often a span was given back to the extents
 */
static inline size_t pm_span_nr_put(void)
{
	return atomic_long_read(&pm_span_counts.put);
}

#endif /* PM_SPAN_H */
