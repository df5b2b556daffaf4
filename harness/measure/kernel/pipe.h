/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * From a thread that allocates to one that frees: objects by the batch.
 */
#ifndef PM_PIPE_H
#define PM_PIPE_H

#include <linux/completion.h>

#define PM_PIPE_BATCH	64U	/* objects that a producer passes on at once */
#define PM_PIPE_DEPTH	4U	/* batches that may be on their way */

/**
 * struct pm_pipe - from a producer to its consumer
 * @room: completed once for each batch that may be written
 * @ready: once for each that may be read
 * @batch: the objects
 */
struct pm_pipe {
	struct completion room;
	struct completion ready;
	void *batch[PM_PIPE_DEPTH][PM_PIPE_BATCH];
};

static inline void pm_pipe_init(struct pm_pipe *pipe)
{
	unsigned int i;

	init_completion(&pipe->room);
	init_completion(&pipe->ready);
	for (i = 0; i < PM_PIPE_DEPTH; i++)
		complete(&pipe->room);
}

/* The @n-th batch, counted from 0, once it may be written; then say ready. */
static inline void **pm_pipe_write(struct pm_pipe *pipe, unsigned long n)
{
	wait_for_completion(&pipe->room);
	return pipe->batch[n % PM_PIPE_DEPTH];
}

/* The @n-th batch, once it may be read; then say room. */
static inline void **pm_pipe_read(struct pm_pipe *pipe, unsigned long n)
{
	wait_for_completion(&pipe->ready);
	return pipe->batch[n % PM_PIPE_DEPTH];
}

#endif /* PM_PIPE_H */
