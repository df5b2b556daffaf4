// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The registry.
 *
 * The trick: the memory of an arena never becomes anything but an arena again
 * (the idea of the kernel's SLAB_TYPESAFE_BY_RCU). Whoever holds a pointer of
 * the past finds a lock there, and under it @retired.
 */
#include "arena/registry.h"
#include "arena/arena.h"
#include "back/share.h"
#include "base/trace.h"

DEFINE_SRCU(pm_srcu);
DEFINE_MUTEX(pm_registry);
LIST_HEAD(pm_arenas);

/* Slots of the table; 0 until pm_arena_init(), constant after. */
unsigned int pm_arena_table_size __read_mostly;

/* Arenas by number. [written under the registry; readers SRCU] */
struct pm_arena **pm_arena_table __read_mostly;

/* Arenas in the table. [registry] */
static unsigned int pm_nr_arenas;

/* Odd while an arena's figures move to its heir. [registry] */
u32 pm_arenas_seq;

/*
 * The arena that is being retired: neither in the table nor spare. [written
 * under the registry]
 */
static struct pm_arena *pm_retiring;

/*
 * Retired arenas after their grace period, for reuse. [registry] Their
 * memory never becomes anything but an arena again, so that a look at a
 * stale one finds a lock and @retired.
 */
static LIST_HEAD(pm_spare_arenas);

/**
 * pm_registry_init() - make the table of arenas
 * @slots: how many arenas there can be, at least 1
 * @gfp: context
 *
 * Context: pm_registry held; once.
 * Return: false when there is no memory for it.
 */
bool pm_registry_init(unsigned int slots, gfp_t gfp)
{
	struct pm_arena **table;

	lockdep_assert_held(&pm_registry);
	table = pm_meta_alloc(slots * sizeof(struct pm_arena *), gfp);
	if (!table)
		return false;
	pm_arena_table = table;
	/* Publishes the table to pm_arena_ready(). */
	smp_store_release(&pm_arena_table_size, slots);
	return true;
}

/**
 * pm_arena_ready() - whether the table exists
 *
 * Return: true after pm_registry_init().
 */
bool pm_arena_ready(void)
{
	/* Pairs with pm_registry_init(): the table is there before its length. */
	return smp_load_acquire(&pm_arena_table_size) != 0;
}

/**
 * pm_arena_at() - arena of a number
 * @id: number
 *
 * Context: SRCU section, or pm_registry held.
 * Return: arena, or NULL when there is none now.
 */
struct pm_arena *pm_arena_at(unsigned int id)
{
	if (!pm_arena_ready() || id >= pm_arena_table_size)
		return NULL;
	/* Pairs with pm_arena_create(): the arena is complete. */
	return smp_load_acquire(&pm_arena_table[id]);
}

/* A spare arena, or one that was just made. */
static struct pm_arena *pm_arena_new(gfp_t gfp)
{
	struct pm_arena *arena;

	lockdep_assert_held(&pm_registry);
	if (list_empty(&pm_spare_arenas))
		return pm_arena_make(gfp);
	arena = list_first_entry(&pm_spare_arenas, struct pm_arena, node);
	list_del(&arena->node);
	return arena;
}

/**
 * pm_arena_create() - make the arena of a number
 * @id: number
 * @gfp: context
 *
 * Context: not within an SRCU section.
 * Return: whether there is such an arena now.
 */
bool pm_arena_create(unsigned int id, gfp_t gfp)
{
	struct pm_arena *arena;

	mutex_lock(&pm_registry);
	arena = pm_arena_table[id];
	if (arena)
		goto out;
	arena = pm_arena_new(gfp);
	if (!arena)
		goto out;
	pm_arena_lock_uncounted(arena);
	arena->id = id;
	WRITE_ONCE(arena->retired, false);
	pm_arena_unlock(arena);
	list_add_tail_rcu(&arena->node, &pm_arenas);
	/* Pairs with pm_arena_at(): the arena is complete before its number. */
	smp_store_release(&pm_arena_table[id], arena);
	pm_share_set_arenas(++pm_nr_arenas);
	trace_arena_create(id, 0, 0, 0);
out:
	mutex_unlock(&pm_registry);
	return arena;
}

/**
 * pm_registry_moves() - figures are going to move from an arena to another one
 *
 * A reader outside of the process is told, until pm_registry_moved().
 *
 * Context: pm_registry held.
 */
void pm_registry_moves(void)
{
	lockdep_assert_held(&pm_registry);
	/* For readers from outside: odd before anything moves ... */
	WRITE_ONCE(pm_arenas_seq, pm_arenas_seq + 1);
	/* ... which is this barrier. Its partner is in pm_registry_moved(). */
	smp_wmb();
}

/**
 * pm_registry_unlink() - take an arena out of table and list
 * @arena: arena that is going to be retired
 *
 * Context: pm_registry held.
 */
void pm_registry_unlink(struct pm_arena *arena)
{
	pm_registry_moves();
	WRITE_ONCE(pm_retiring, arena);
	WRITE_ONCE(pm_arena_table[arena->id], NULL);
	list_del_rcu(&arena->node);
	pm_share_set_arenas(--pm_nr_arenas);
}

/**
 * pm_registry_moved() - figures have moved to their new owner
 *
 * Context: pm_registry held.
 */
void pm_registry_moved(void)
{
	lockdep_assert_held(&pm_registry);
	/* Even again when all has moved. */
	smp_store_release(&pm_arenas_seq, pm_arenas_seq + 1);
}

/**
 * pm_registry_spare() - keep a retired arena for the next number
 * @arena: arena whose grace period is over
 *
 * Context: pm_registry held.
 */
void pm_registry_spare(struct pm_arena *arena)
{
	lockdep_assert_held(&pm_registry);
	list_add_tail(&arena->node, &pm_spare_arenas);
	WRITE_ONCE(pm_retiring, NULL);
}

/**
 * pm_registry_each_used() - visit the arenas that are in use, or are being retired
 * @visit: what to do with one; it may come twice
 *
 * Context: any. Others may come and go meanwhile if pm_registry is not held.
 */
void pm_registry_each_used(void (*visit)(struct pm_arena *arena))
{
	struct pm_arena *arena;
	unsigned int id;

	for (id = 0; id < pm_arena_table_size; id++) {
		arena = pm_arena_at(id);
		if (arena)
			visit(arena);
	}
	/* It may have left the table a moment ago: look behind the table. */
	smp_mb();
	arena = READ_ONCE(pm_retiring);
	if (arena)
		visit(arena);
}

/**
 * pm_registry_forget() - the numbers of forsaken arenas are free
 *
 * The arenas stay on the list: the forking thread may be about to change it.
 * Spare ones are forgotten if another thread may have been.
 *
 * Context: the child's one thread; the registry's lock is still as it was.
 */
void pm_registry_forget(void)
{
	unsigned int id;

	for (id = 0; id < pm_arena_table_size; id++)
		if (pm_arena_table[id] && pm_arena_table[id]->forsaken)
			WRITE_ONCE(pm_arena_table[id], NULL);
	if (pm_mutex_is_others(&pm_registry))
		INIT_LIST_HEAD(&pm_spare_arenas);
}

/**
 * pm_registry_each_spare() - visit the spare arenas
 * @visit: what to do with one
 *
 * Context: pm_registry held, or the child's one thread.
 */
void pm_registry_each_spare(void (*visit)(struct pm_arena *arena))
{
	struct pm_arena *arena;

	list_for_each_entry(arena, &pm_spare_arenas, node)
		visit(arena);
}

/**
 * pm_registry_forget_class() - spare arenas have no memory for a class any more
 * @class: class number
 *
 * Context: pm_registry held.
 */
void pm_registry_forget_class(unsigned int class)
{
	struct pm_arena *arena;

	lockdep_assert_held(&pm_registry);
	list_for_each_entry(arena, &pm_spare_arenas, node) {
		pm_arena_lock_uncounted(arena);
		pm_arena_forget_class(arena, class);
		pm_arena_unlock(arena);
	}
}

/**
 * pm_registry_has_forsaken() - whether there are arenas that nobody enters
 *
 * Context: pm_registry held.
 */
bool pm_registry_has_forsaken(void)
{
	struct pm_arena *arena;

	lockdep_assert_held(&pm_registry);
	list_for_each_entry(arena, &pm_arenas, node)
		if (pm_arena_is_forsaken(arena))
			return true;
	return false;
}

static void pm_registry_delete_all(struct list_head *arenas)
{
	struct pm_arena *arena, *next;

	list_for_each_entry_safe(arena, next, arenas, node) {
		pm_arena_abandon(arena);
		list_del(&arena->node);
		pm_arena_delete(arena);
	}
}

/**
 * pm_registry_exit() - free all arenas and what they hold
 *
 * Heaps with live objects go too: nobody is left to use them.
 *
 * Context: nobody uses the allocator any more.
 */
void pm_registry_exit(void)
{
	pm_registry_delete_all(&pm_arenas);
	pm_registry_delete_all(&pm_spare_arenas);
	pm_meta_free(pm_arena_table,
		     pm_arena_table_size * sizeof(struct pm_arena *));
	pm_arena_table = NULL;
	pm_arena_table_size = 0;
}
