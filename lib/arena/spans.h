/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Spans in an arena: its depots hold some, and that is all it knows of them.
 */
#ifndef PM_SPANS_H
#define PM_SPANS_H

#include "arena/arena.h"

bool pm_arena_has_spans(const struct pm_arena *arena, unsigned int class);
bool pm_arena_wants_spans(const struct pm_arena *arena, unsigned int class);
unsigned int pm_arena_take_spans(struct pm_arena *arena, unsigned int class,
				 void **objs, unsigned int n);
unsigned int pm_arena_keep_spans(struct pm_arena *arena, unsigned int class,
				 void **objs, unsigned int n);
size_t pm_arena_span_bytes(const struct pm_arena *arena);

#endif /* PM_SPANS_H */
