/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Remote frees: an object goes back to an arena whose lock is not to be had.
 *
 * The object's bit in its slab's second bitmap says that it is free; the slab
 * stands on the remote list of the arena that owns it, and whoever gets that
 * arena's lock next collects the bits. Nobody waits.
 */
#ifndef PM_REMOTE_H
#define PM_REMOTE_H

#include "back/slab.h"

struct pm_arena;
struct pm_heap;

void pm_remote_queue(struct pm_slab *slab);
enum pm_slab_fault pm_remote_free(struct pm_heap *heap, struct pm_slab *slab,
				  unsigned int index);
void pm_remote_restart(struct pm_arena *arena, struct pm_heap *heap);

#endif /* PM_REMOTE_H */
