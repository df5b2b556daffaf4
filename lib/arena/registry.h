/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The registry: which arenas exist.
 *
 * Arenas hang on a list and in a table by number. Both are read under SRCU and
 * written under pm_registry. A reader may sleep on an arena's mutex within its
 * read-side section: that is why it is SRCU and not RCU.
 */
#ifndef PM_REGISTRY_H
#define PM_REGISTRY_H

#include "platform.h"

struct pm_arena;

extern struct srcu_struct pm_srcu;
extern struct mutex pm_registry;
extern struct list_head pm_arenas;
extern unsigned int pm_arena_table_size;

/* For who reads a process from outside (lib/user/publish.c), else private. */
extern struct pm_arena **pm_arena_table;
extern u32 pm_arenas_seq;

bool pm_registry_init(unsigned int slots, gfp_t gfp);
void pm_registry_exit(void);
bool pm_arena_ready(void);
struct pm_arena *pm_arena_at(unsigned int id);
bool pm_arena_create(unsigned int id, gfp_t gfp);
void pm_registry_moves(void);
void pm_registry_unlink(struct pm_arena *arena);
void pm_registry_moved(void);
void pm_registry_spare(struct pm_arena *arena);
void pm_registry_each_used(void (*visit)(struct pm_arena *arena));
void pm_registry_forget(void);
void pm_registry_each_spare(void (*visit)(struct pm_arena *arena));
void pm_registry_forget_class(unsigned int class);
bool pm_registry_has_forsaken(void);

#define pm_for_each_arena(arena)					\
	list_for_each_entry_srcu(arena, &pm_arenas, node,		\
				 srcu_read_lock_held(&pm_srcu) ||	\
				 lockdep_is_held(&pm_registry))		\
		if (!pm_arena_is_forsaken(arena))

/* The same, for those who hold pm_registry. */
#define pm_for_each_arena_locked(arena)					\
	list_for_each_entry(arena, &pm_arenas, node)			\
		if (!pm_arena_is_forsaken(arena))

#endif /* PM_REGISTRY_H */
