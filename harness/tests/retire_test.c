// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Retiring arenas: what they owned is adopted, and no object is lost however
 * the steps of retiring interleave with those of others.
 *
 * The comment at the top of lib/upkeep/retire.c lists what would be lost without
 * each step of the protocol. The directed cases here put two threads into
 * just these positions; the crowds meet them by chance.
 */
#include "pm_test.h"
#include "base/options.h"
#include "base/testing.h"
#include "arena/decay.h"
#include "arena/depot.h"
#include "back/pagemap.h"
#include "front/drain.h"

#define RETIRE_KEPT_SIZE	1000
#define RETIRE_KEPT		((24UL << 20) / RETIRE_KEPT_SIZE)

static bool retire_exists(unsigned int id)
{
	int idx = pm_test_read_lock();
	bool exists = pm_arena_at(id);

	srcu_read_unlock(&pm_srcu, idx);
	return exists;
}

static bool retire_is_retired(struct pm_arena *arena)
{
	bool retired;

	mutex_lock(&arena->lock);
	retired = arena->retired;
	mutex_unlock(&arena->lock);
	return retired;
}

/* Everything that an arena has goes to another, live objects included. */
static void retire_adopts(struct pm_test *t)
{
	static void *objs[200];
	struct pm_arena *arena;
	unsigned int i, id;

	if (!pm_test_two_arenas(t, &arena, NULL))
		return;
	id = arena->id;
	for (i = 0; i < ARRAY_SIZE(objs); i++) {
		objs[i] = pm_test_malloc_lock(1 + i % 40);
		PM_REQUIRE(t, objs[i]);
		pm_test_fill(objs[i], pm_classes[1 + i % 40].size, i);
	}
	PM_EXPECT_EQ(t, pm_arena_retire(id), 0);
	PM_EXPECT(t, retire_is_retired(arena));
	PM_EXPECT(t, !retire_exists(id));
	PM_EXPECT_EQ(t, READ_ONCE(arena->nr_heaps), 0);
	for (i = 0; i < ARRAY_SIZE(objs); i++) {
		PM_EXPECT(t, pm_pagemap_heap(objs[i])->arena != arena);
		PM_EXPECT(t, pm_test_filled(objs[i],
					    pm_classes[1 + i % 40].size, i));
		PM_EXPECT_EQ(t, pm_test_free_lock(objs[i]), PM_SLAB_OK);
	}
	/* The number gets a new arena as soon as somebody wants one. */
	arena = pm_test_arena(0);
	PM_REQUIRE(t, arena);
	PM_EXPECT_EQ(t, arena->id, id);
	PM_EXPECT(t, !arena->retired);
}

static void retire_errors(struct pm_test *t)
{
	struct pm_arena *arena;
	unsigned int id;

	if (!pm_test_two_arenas(t, &arena, NULL))
		return;
	id = arena->id;
	PM_EXPECT_EQ(t, pm_arena_retire(pm_arena_table_size), -ENOENT);
	PM_EXPECT_EQ(t, pm_arena_retire(~0U), -ENOENT);
	PM_EXPECT_EQ(t, pm_arena_retire(id), 0);
	PM_EXPECT_EQ(t, pm_arena_retire(id), -ENOENT);
}

/* The last one stays: there is nobody to adopt. */
static void retire_last(struct pm_test *t)
{
	unsigned int id, left = 0, busy = 0;

	PM_REQUIRE(t, pm_test_arena(0));
	for (id = 0; id < pm_arena_table_size; id++)
		busy += pm_arena_retire(id) == -EBUSY;
	for (id = 0; id < pm_arena_table_size; id++)
		left += retire_exists(id);
	PM_EXPECT_EQ(t, busy, 1);
	PM_EXPECT(t, left >= 1);
}

/* ---- directed ---------------------------------------------------------- */

struct retire_thread {
	struct pm_thread thread;
	struct pm_event done;
	unsigned int id;
	int err;
};

static void retire_main(void *arg)
{
	struct retire_thread *r = arg;

	WRITE_ONCE(r->err, pm_arena_retire(r->id));
	pm_event_set(&r->done);
}

static bool retire_start(struct retire_thread *r, unsigned int id)
{
	pm_event_init(&r->done);
	r->id = id;
	r->err = 1;
	return pm_thread_start(&r->thread, retire_main, r);
}

static void retire_wait(struct pm_test *t, struct retire_thread *r)
{
	pm_event_wait(&r->done);
	pm_thread_join(&r->thread);
	PM_EXPECT_EQ(t, r->err, 0);
}

/*
 * A free between adoption and grace period: it read the old owner before,
 * and adds its slab to the old owner's list after that was emptied. Only the
 * second look, after the grace period, can find it.
 */
static void retire_late_remote_free(struct pm_test *t)
{
	struct retire_thread retiring;
	struct pm_test_ref ref;
	struct pm_arena *old;
	void *p;
	int idx;

	if (!pm_test_two_arenas(t, &old, NULL))
		return;
	p = pm_test_malloc_lock(30);
	PM_REQUIRE(t, p && pm_test_resolve(p, &ref));

	idx = pm_test_read_lock();
	PM_EXPECT(t, READ_ONCE(ref.heap->arena) == old);
	if (PM_EXPECT(t, retire_start(&retiring, old->id))) {
		while (READ_ONCE(ref.heap->arena) == old)
			pm_test_pause();
		/* Adopted. What pm_free_remote() does, with the old owner: */
		(void)atomic_long_inc_return(&ref.heap->remote_refs);
		PM_EXPECT_EQ(t, pm_slab_put_remote(ref.slab, ref.index),
			     PM_SLAB_OK);
		PM_EXPECT_EQ(t, xchg(&ref.slab->queued, 1), 0);
		llist_add(&ref.slab->remote_node, &old->remote);
		/* The grace period waits for us. */
		pm_test_sleep_ms(5);
		PM_EXPECT_EQ(t, READ_ONCE(retiring.err), 1);
		PM_EXPECT(t, test_bit(ref.index, ref.slab->remote));
		srcu_read_unlock(&pm_srcu, idx);
		retire_wait(t, &retiring);
	} else {
		srcu_read_unlock(&pm_srcu, idx);
	}
	/* It went to the survivor's list: the next look there finds it. */
	PM_EXPECT(t, llist_empty(&old->remote));
	pm_arena_trim_all();
	PM_EXPECT_EQ(t, pm_pagemap_class(p), 0);
}

/* An arena that pm_arena_retire() would choose as the heir. */
static struct pm_arena *retire_heir(unsigned int id)
{
	struct pm_arena *arena = NULL;
	unsigned int i;

	for (i = 1; !arena && i < pm_arena_table_size; i++)
		arena = pm_arena_at((id + i) % pm_arena_table_size);
	return arena;
}

/* Free memory of @arena that stays for an hour, if nobody takes it. */
static bool retire_make_kept(struct pm_test *t, struct pm_arena *arena)
{
	void **objs = pm_test_zalloc(RETIRE_KEPT * sizeof(*objs));
	unsigned int i;

	if (!PM_EXPECT(t, objs))
		return false;
	WRITE_ONCE(pm_options.keep, 1UL << 30);
	WRITE_ONCE(pm_options.decay_ms, 3600 * 1000);
	pm_test_pick(arena->id);
	for (i = 0; i < RETIRE_KEPT; i++)
		objs[i] = pm_malloc(RETIRE_KEPT_SIZE);
	for (i = 0; i < RETIRE_KEPT; i++)
		pm_free(objs[i]);
	pm_test_release(objs, RETIRE_KEPT * sizeof(*objs));
	pm_mag_drain_all();
	return true;
}

/*
 * While an arena is retired there is a moment when nobody counts what it keeps.
 * Who comes by just then, and only hits after it, gives it back all the same.
 */
static void retire_uncounted(struct pm_test *t)
{
	struct retire_thread retiring;
	struct pm_test_holder holder;
	struct pm_arena *old, *heir;
	unsigned int tries;
	bool started;
	void *p;

	PM_NEED_MAGAZINES(t);
	if (!pm_test_two_arenas(t, &old, NULL))
		return;
	heir = retire_heir(old->id);
	p = pm_malloc(RETIRE_KEPT_SIZE / 4);
	PM_REQUIRE(t, p && heir && retire_make_kept(t, old));
	PM_REQUIRE(t, pm_test_hold(&holder, heir));
	started = PM_EXPECT(t, retire_start(&retiring, old->id));
	while (started && retire_exists(old->id))
		pm_test_pause();
	pm_free(p);
	pm_test_release_lock(&holder);
	if (started)
		retire_wait(t, &retiring);
	pm_test_pick(heir->id);
	WRITE_ONCE(pm_options.decay_ms, 20);
	for (tries = 0; tries < 2000 && pm_arenas_kept() > (8UL << 20); tries++) {
		pm_free(pm_malloc(RETIRE_KEPT_SIZE / 4));
		pm_test_sleep_ms(5);
	}
	PM_EXPECT(t, pm_arenas_kept() <= (8UL << 20));
}

/*
 * The cases from here on stop a thread at a point of the core, see what
 * others can do meanwhile, and let it go on. Debug builds have such points.
 */
static void retire_stop_free(struct pm_test_stop *stop)
{
	pm_test_free_lock(stop->p);
}

static void retire_stop_free_batch(struct pm_test_stop *stop)
{
	pm_free_lock_batch(30, stop->objs, stop->n);
}

static void retire_stop_malloc(struct pm_test_stop *stop)
{
	stop->p = pm_test_malloc_lock(30);
}

static void retire_stop_collect(struct pm_test_stop *stop)
{
	pm_arena_trim_all();
}

/*
 * A free that read the old owner before the adoption and gets its lock after
 * it: it must not touch what is the new owner's.
 */
static void retire_stale_owner(struct pm_test *t)
{
	struct pm_test_stop stop = { .p = NULL };
	struct pm_test_ref ref;
	struct pm_arena *old;
	void *p, *q;

	PM_NEED_POINTS(t);
	if (!pm_test_two_arenas(t, &old, NULL))
		return;
	p = pm_test_malloc_lock(30);
	q = pm_test_malloc_lock(30);
	PM_REQUIRE(t, p && q && pm_test_resolve(p, &ref));
	stop.p = p;
	PM_REQUIRE(t, pm_test_stop_at(&stop, PM_STOP_FREE_OWNER, 0,
				      retire_stop_free));
	/* It is in no read-side section: the whole retirement passes. */
	PM_EXPECT_EQ(t, pm_arena_retire(old->id), 0);
	PM_EXPECT(t, READ_ONCE(ref.heap->arena) != old);
	pm_test_go_on(&stop);
	PM_EXPECT(t, test_bit(ref.index, ref.slab->free));
	PM_EXPECT_EQ(t, pm_test_free_lock(q), PM_SLAB_OK);
	pm_arena_trim_all();
	PM_EXPECT_EQ(t, pm_pagemap_class(p), 0);
}

/*
 * A depot gives back another arena's object, in no read-side section: it read
 * the owner before, and adds its entry after, all of that one's retirement.
 */
static void retire_stale_depot(struct pm_test *t)
{
	unsigned int capacity = pm_depot_capacity(30), i, n;
	struct pm_arena *depot, *old;
	struct pm_test_stop stop;
	static void *objs[4096];
	void *mixed[2];

	PM_NEED_ARENAS(t, 3);
	PM_NEED_POINTS(t);
	/* The depot's lock is held meanwhile: somebody else must adopt. */
	PM_REQUIRE(t, pm_test_arena(2));
	if (!pm_test_two_arenas(t, &old, &depot))
		return;
	PM_REQUIRE(t, capacity < ARRAY_SIZE(objs));
	pm_test_pick(depot->id);
	/* A full depot passes on at once what it is given. */
	for (n = 0; n <= capacity; n++) {
		objs[n] = pm_test_malloc_lock(30);
		PM_REQUIRE(t, objs[n]);
	}
	for (i = 0; i < capacity; i++)
		pm_free_lock_batch(30, objs + i, 1);
	PM_REQUIRE(t, READ_ONCE(depot->depot[30].nr) == capacity);
	pm_test_pick(old->id);
	mixed[0] = objs[capacity];
	mixed[1] = pm_test_malloc_lock(30);
	PM_REQUIRE(t, mixed[1]);
	PM_EXPECT_EQ(t, pm_test_owner(mixed[1]), old->id);
	stop.objs = mixed;
	stop.n = 2;
	PM_REQUIRE(t, pm_test_stop_at(&stop, PM_STOP_REMOTE_OWNER, 0,
				      retire_stop_free_batch));
	PM_EXPECT_EQ(t, pm_arena_retire(old->id), 0);
	pm_test_go_on(&stop);
	PM_EXPECT(t, llist_empty(&old->remote));
	pm_trim();
	PM_EXPECT_EQ(t, pm_pagemap_class(mixed[1]), 0);
}

/* A thread that picked an arena, and then it was retired: it picks again. */
static void retire_stale_pick(struct pm_test *t)
{
	struct retire_thread retiring;
	struct pm_test_stop stop = { .p = NULL };
	struct pm_test_holder holder;
	struct pm_arena *old;

	PM_NEED_POINTS(t);
	if (!pm_test_two_arenas(t, &old, NULL))
		return;
	/* With its lock busy the first try, which needs no section, fails. */
	PM_REQUIRE(t, pm_test_hold(&holder, old));
	if (!PM_EXPECT(t, pm_test_stop_at(&stop, PM_STOP_MALLOC_PICKED, 1,
					  retire_stop_malloc))) {
		pm_test_release_lock(&holder);
		return;
	}
	pm_test_release_lock(&holder);
	/* It is in a read-side section: adopted, but not beyond. */
	if (PM_EXPECT(t, retire_start(&retiring, old->id))) {
		while (!retire_is_retired(old))
			pm_test_pause();
		pm_test_sleep_ms(5);
		PM_EXPECT_EQ(t, READ_ONCE(retiring.err), 1);
		pm_event_set(&stop.go);
		retire_wait(t, &retiring);
	}
	pm_test_go_on(&stop);
	if (PM_EXPECT(t, stop.p)) {
		PM_EXPECT(t, !retire_is_retired(pm_pagemap_heap(stop.p)->arena));
		PM_EXPECT_EQ(t, pm_test_free_lock(stop.p), PM_SLAB_OK);
	}
}

/* The same before the first try: all of the retirement passes. */
static void retire_stale_first_pick(struct pm_test *t)
{
	struct pm_test_stop stop = { .p = NULL };
	struct pm_arena *old;

	PM_NEED_POINTS(t);
	if (!pm_test_two_arenas(t, &old, NULL))
		return;
	PM_REQUIRE(t, pm_test_stop_at(&stop, PM_STOP_MALLOC_PICKED, 0,
				      retire_stop_malloc));
	PM_EXPECT_EQ(t, pm_arena_retire(old->id), 0);
	pm_test_go_on(&stop);
	if (PM_EXPECT(t, stop.p)) {
		PM_EXPECT(t, !retire_is_retired(pm_pagemap_heap(stop.p)->arena));
		PM_EXPECT(t, retire_exists(pm_test_owner(stop.p)));
		PM_EXPECT_EQ(t, pm_test_free_lock(stop.p), PM_SLAB_OK);
	}
}

/*
 * @stop's thread frees an object and stops when its bit can be collected and
 * its slab is not on the list yet. Then the slab, with nothing live in it, comes
 * onto the list by another free, and is collected.
 *
 * Return: whether all that took place, and the thread is to go on.
 */
static bool retire_overtake(struct pm_test *t, struct pm_test_stop *stop,
			    struct pm_test_ref *ref)
{
	struct pm_arena *own = pm_test_arena(0);
	struct pm_test_holder holder;
	bool stopped;
	void *q;

	stop->p = pm_test_malloc_lock(30);
	q = pm_test_malloc_lock(30);
	if (!PM_EXPECT(t, own && stop->p && q && pm_test_resolve(stop->p, ref)) ||
	    !PM_EXPECT(t, pm_test_hold(&holder, own)))
		return false;
	stopped = PM_EXPECT(t, pm_test_stop_at(stop, PM_STOP_REMOTE_BIT, 0,
					       retire_stop_free));
	if (stopped)
		PM_EXPECT_EQ(t, pm_test_free_lock(q), PM_SLAB_OK);
	pm_test_release_lock(&holder);
	if (stopped)
		pm_arena_trim_all();
	return stopped;
}

/*
 * Between the moment in which an object's bit can be collected and that in
 * which its slab is on the list, its heap may be all free: it must stay.
 */
static void retire_heap_stays(struct pm_test *t)
{
	struct pm_test_stop stop = { .p = NULL };
	struct pm_test_ref ref;

	PM_NEED_POINTS(t);
	if (!retire_overtake(t, &stop, &ref))
		return;
	PM_EXPECT(t, !test_bit(ref.index, ref.slab->remote));
	PM_EXPECT(t, pm_pagemap_heap(stop.p) == ref.heap);
	pm_test_go_on(&stop);
	pm_arena_trim_all();
	PM_EXPECT(t, !pm_pagemap_heap(stop.p));
}

/*
 * The same, and the slab's place is used again before the free puts it onto the
 * list: the entry is of a former life, brings nothing in and harms nobody.
 */
static void retire_slab_begins_again(struct pm_test *t)
{
	struct pm_test_ref ref, again = { .slab = NULL };
	struct pm_test_stop stop = { .p = NULL };
	static void *objs[512];
	unsigned int n = 0;

	PM_NEED_POINTS(t);
	if (!retire_overtake(t, &stop, &ref))
		return;
	do {
		objs[n] = pm_test_malloc_lock(30);
		if (!PM_EXPECT(t, objs[n]) ||
		    !PM_EXPECT(t, pm_test_resolve(objs[n], &again)))
			break;
	} while (++n < ARRAY_SIZE(objs) && again.slab != ref.slab);
	pm_test_go_on(&stop);
	pm_arena_trim_all();
	if (PM_EXPECT(t, again.slab == ref.slab))
		PM_EXPECT(t, !test_bit(again.index, again.slab->free));
	while (n)
		PM_EXPECT_EQ(t, pm_test_free_lock(objs[--n]), PM_SLAB_OK);
	pm_arena_trim_all();
	PM_EXPECT(t, !pm_pagemap_heap(stop.p));
}

/*
 * A free that comes while the collector has the slab off the list, and has
 * not yet looked at its bits: it queues the slab again, or is collected.
 */
static void retire_free_while_collected(struct pm_test *t)
{
	struct pm_test_stop stop = { .p = NULL };
	struct pm_test_holder holder;
	struct pm_arena *own;
	void *p, *q;

	PM_NEED_POINTS(t);
	own = pm_test_arena(0);
	p = pm_test_malloc_lock(30);
	q = pm_test_malloc_lock(30);
	PM_REQUIRE(t, own && p && q);
	PM_REQUIRE(t, pm_test_hold(&holder, own));
	PM_EXPECT_EQ(t, pm_test_free_lock(p), PM_SLAB_OK);
	pm_test_release_lock(&holder);
	PM_REQUIRE(t, pm_test_stop_at(&stop, PM_STOP_COLLECT, 0,
				      retire_stop_collect));
	PM_EXPECT_EQ(t, pm_test_free_lock(q), PM_SLAB_OK);
	pm_test_go_on(&stop);
	pm_arena_trim_all();
	PM_EXPECT_EQ(t, pm_pagemap_class(p), 0);
	PM_EXPECT_EQ(t, pm_pagemap_class(q), 0);
}

/* The same for a batch that goes into the old owner's inbox. */
static void retire_late_batch(struct pm_test *t)
{
	struct retire_thread retiring;
	struct pm_batch *batch;
	struct pm_arena *old;
	struct pm_heap *heap;
	unsigned int i, n;
	int idx;

	if (!pm_test_two_arenas(t, &old, NULL))
		return;
	pm_batch_provide(GFP_KERNEL);
	batch = pm_batch_get();
	PM_REQUIRE(t, batch);
	batch->class = 30;
	batch->nr = 8;
	n = __pm_malloc_lock(30, batch->obj, 8, GFP_KERNEL);
	PM_REQUIRE(t, n == 8);
	heap = pm_pagemap_heap(batch->obj[0]);

	idx = pm_test_read_lock();
	PM_EXPECT(t, READ_ONCE(heap->arena) == old);
	if (PM_EXPECT(t, retire_start(&retiring, old->id))) {
		void *objs[8];

		memcpy(objs, batch->obj, sizeof(objs));
		while (READ_ONCE(heap->arena) == old)
			pm_test_pause();
		llist_add(&batch->node, &old->inbox);
		srcu_read_unlock(&pm_srcu, idx);
		retire_wait(t, &retiring);
		PM_EXPECT(t, llist_empty(&old->inbox));
		pm_arena_trim_all();
		for (i = 0; i < 8; i++)
			PM_EXPECT_EQ(t, pm_pagemap_class(objs[i]), 0);
	} else {
		srcu_read_unlock(&pm_srcu, idx);
	}
}

/* The same through the front door, with the survivor's lock free and busy. */
static void retire_free_in_grace_period(struct pm_test *t)
{
	struct retire_thread retiring;
	struct pm_test_holder holder;
	struct pm_arena *old, *now;
	struct pm_test_ref ref;
	void *p, *q;
	int idx;

	if (!pm_test_two_arenas(t, &old, NULL))
		return;
	p = pm_test_malloc_lock(30);
	q = pm_test_malloc_lock(31);
	PM_REQUIRE(t, p && q && pm_test_resolve(p, &ref));

	idx = pm_test_read_lock();
	if (PM_EXPECT(t, retire_start(&retiring, old->id))) {
		while (READ_ONCE(ref.heap->arena) == old)
			pm_test_pause();
		now = READ_ONCE(ref.heap->arena);
		PM_EXPECT_EQ(t, pm_test_free_lock(p), PM_SLAB_OK);
		if (PM_EXPECT(t, pm_test_hold(&holder, now))) {
			PM_EXPECT_EQ(t, pm_test_free_lock(q), PM_SLAB_OK);
			PM_EXPECT_EQ(t, pm_test_free_lock(q),
				     PM_SLAB_DOUBLE_FREE);
			pm_test_release_lock(&holder);
		}
		srcu_read_unlock(&pm_srcu, idx);
		retire_wait(t, &retiring);
	} else {
		srcu_read_unlock(&pm_srcu, idx);
	}
	pm_arena_trim_all();
	PM_EXPECT_EQ(t, pm_pagemap_class(p), 0);
	PM_EXPECT_EQ(t, pm_pagemap_class(q), 0);
}

/*
 * A reader that picked the arena before it was unlinked, and gets its lock
 * after the adoption: it must build nothing there.
 */
struct retire_reader {
	struct pm_thread thread;
	void *p;
};

static void retire_reader_main(void *arg)
{
	struct retire_reader *reader = arg;

	reader->p = pm_test_malloc_lock(30);
}

static void retire_late_malloc(struct pm_test *t)
{
	struct retire_reader reader[4];
	struct retire_thread retiring;
	struct pm_test_holder holder;
	struct pm_arena *old;
	unsigned int round, i, n;

	for (round = 0; round < 20; round++) {
		if (!pm_test_two_arenas(t, &old, NULL))
			return;
		/* Readers wait for the lock, all others being busy, too ... */
		PM_REQUIRE(t, pm_test_hold(&holder, NULL));
		for (n = 0; n < ARRAY_SIZE(reader); n++)
			if (!PM_EXPECT(t, pm_thread_start(&reader[n].thread,
							  retire_reader_main,
							  &reader[n])))
				break;
		while (atomic_long_read(&old->waits.waiters) < (long)n)
			pm_test_pause();
		/* ... and so does who retires it. Who is first is chance. */
		PM_EXPECT(t, retire_start(&retiring, old->id));
		pm_test_sleep_ms(1);
		pm_test_release_lock(&holder);
		retire_wait(t, &retiring);
		for (i = 0; i < n; i++) {
			pm_thread_join(&reader[i].thread);
			if (!PM_EXPECT(t, reader[i].p))
				continue;
			/* Its owner is one that can be found. */
			PM_EXPECT(t, !retire_is_retired(
					pm_pagemap_heap(reader[i].p)->arena));
			PM_EXPECT(t, retire_exists(pm_test_owner(reader[i].p)));
			PM_EXPECT_EQ(t, pm_test_free_lock(reader[i].p),
				     PM_SLAB_OK);
		}
	}
}

/* While somebody may still look at it a retired arena is not reused. */
static void retire_grace_period(struct pm_test *t)
{
	struct retire_thread retiring;
	struct pm_arena *old;
	int idx;

	if (!pm_test_two_arenas(t, &old, NULL))
		return;
	idx = pm_test_read_lock();
	if (PM_EXPECT(t, retire_start(&retiring, old->id))) {
		while (!retire_is_retired(old))
			pm_test_pause();
		pm_test_sleep_ms(10);
		PM_EXPECT_EQ(t, READ_ONCE(retiring.err), 1);
		PM_EXPECT(t, retire_is_retired(old));
		srcu_read_unlock(&pm_srcu, idx);
		retire_wait(t, &retiring);
	} else {
		srcu_read_unlock(&pm_srcu, idx);
	}
}

/* An arena that is retired again and again keeps nothing of former lives. */
static void retire_again(struct pm_test *t)
{
	struct pm_arena *arena;
	unsigned int round;
	void *p;

	for (round = 0; round < 50; round++) {
		if (!pm_test_two_arenas(t, &arena, NULL))
			return;
		p = pm_test_malloc_lock(1 + round);
		PM_REQUIRE(t, p);
		PM_EXPECT_EQ(t, pm_arena_retire(arena->id), 0);
		PM_EXPECT_EQ(t, READ_ONCE(arena->heap_bytes), 0);
		PM_EXPECT_EQ(t, READ_ONCE(arena->slab_bytes), 0);
		PM_EXPECT_EQ(t, READ_ONCE(arena->nr_out[1 + round]), 0);
		PM_EXPECT_EQ(t, pm_test_free_lock(p), PM_SLAB_OK);
	}
}

/* A depot's objects are the survivor's, as those in slabs are. */
static void retire_depot(struct pm_test *t)
{
	struct pm_arena *arena;
	void *objs[64];
	unsigned int i;

	if (!pm_test_two_arenas(t, &arena, NULL))
		return;
	PM_EXPECT_EQ(t, __pm_malloc_lock(20, objs, 64, GFP_KERNEL), 64);
	pm_free_lock_batch(20, objs, 64);
	PM_EXPECT_EQ(t, READ_ONCE(arena->depot[20].nr), 64);
	PM_EXPECT_EQ(t, pm_arena_retire(arena->id), 0);
	PM_EXPECT_EQ(t, READ_ONCE(arena->depot[20].nr), 0);
	pm_trim();
	for (i = 0; i < 64; i++)
		PM_EXPECT_EQ(t, pm_pagemap_class(objs[i]), 0);
}

/* ---- crowds ------------------------------------------------------------ */

#define RETIRE_MAIL	256

struct retire_env {
	void *mail[RETIRE_MAIL];
	atomic_long_t taken;
	atomic_long_t freed;
	bool locked;
	unsigned int retired;
};

static struct retire_env retire_env;

static void *retire_take(struct retire_env *env, struct pm_rnd *rnd)
{
	unsigned int class = 1 + pm_rnd_below(rnd, 40);
	void *p;

	if (env->locked)
		p = pm_test_malloc_lock(class);
	else
		p = pm_malloc(pm_classes[class].size);
	if (p)
		atomic_long_inc(&env->taken);
	return p;
}

static void retire_give(struct pm_test *t, struct retire_env *env, void *p)
{
	if (!p)
		return;
	if (env->locked)
		PM_EXPECT_EQ(t, pm_test_free_lock(p), PM_SLAB_OK);
	else
		pm_free(p);
	atomic_long_inc(&env->freed);
}

/* Objects are swapped into shared slots: the one who frees is chance. */
static void retire_crowd_main(struct pm_test_crowd *crowd, unsigned int n)
{
	struct retire_env *env = crowd->arg;
	struct pm_rnd rnd;
	void *p;

	pm_rnd_init(&rnd, crowd->t->seed, n + 1);
	while (!pm_test_crowd_done(crowd)) {
		p = retire_take(env, &rnd);
		if (!PM_EXPECT(crowd->t, p))
			break;
		WRITE_ONCE(*(void **)p, p);
		p = xchg(&env->mail[pm_rnd_below(&rnd, RETIRE_MAIL)], p);
		if (p)
			PM_EXPECT(crowd->t, READ_ONCE(*(void **)p) == p);
		retire_give(crowd->t, env, p);
		pm_test_yield();
	}
}

static void retire_crowd_retire(struct pm_test_crowd *crowd)
{
	struct retire_env *env = crowd->arg;
	struct pm_rnd *rnd = &crowd->t->rnd;
	unsigned int more = 1000;

	/* On a busy machine the crowd may be done before our first turn. */
	while (!pm_test_crowd_done(crowd) || (!env->retired && --more)) {
		env->retired += !pm_arena_retire(pm_rnd_below(rnd,
							pm_arena_table_size));
		if (!pm_rnd_below(rnd, 16))
			pm_trim();
		pm_test_pause();
	}
}

static void retire_crowd_run(struct pm_test *t, bool locked)
{
	struct retire_env *env = &retire_env;
	struct pm_test_crowd crowd = {
		.t = t, .fn = retire_crowd_main, .arg = env,
		.nr = 2 * min_t(unsigned int, pm_test_cpus(), 8) + 1,
	};
	unsigned int i;

	PM_NEED_ARENAS(t, 2);
	memset(env, 0, sizeof(*env));
	env->locked = locked;
	WRITE_ONCE(pm_options.decay_ms, 20);
	pm_test_pick(PM_TEST_ROAM);
	pm_test_crowd_run(&crowd, retire_crowd_retire);
	for (i = 0; i < RETIRE_MAIL; i++)
		retire_give(t, env, env->mail[i]);
	PM_EXPECT(t, env->retired > 0);
	PM_EXPECT(t, atomic_long_read(&env->taken) > 0);
	PM_EXPECT_EQ(t, atomic_long_read(&env->taken),
		     atomic_long_read(&env->freed));
}

static void retire_crowd(struct pm_test *t)
{
	retire_crowd_run(t, false);
}

static void retire_crowd_locked(struct pm_test *t)
{
	retire_crowd_run(t, true);
}

static const struct pm_test_case retire_cases[] = {
	PM_CASE(retire, adopts),
	PM_CASE(retire, errors),
	PM_CASE(retire, last),
	PM_CASE(retire, late_remote_free),
	PM_CASE(retire, uncounted),
	PM_CASE(retire, late_batch),
	PM_CASE(retire, stale_owner),
	PM_CASE(retire, stale_depot),
	PM_CASE(retire, stale_pick),
	PM_CASE(retire, stale_first_pick),
	PM_CASE(retire, heap_stays),
	PM_CASE(retire, slab_begins_again),
	PM_CASE(retire, free_while_collected),
	PM_CASE(retire, free_in_grace_period),
	PM_CASE(retire, late_malloc),
	PM_CASE(retire, grace_period),
	PM_CASE(retire, again),
	PM_CASE(retire, depot),
	PM_CASE(retire, crowd),
	PM_CASE(retire, crowd_locked),
};
PM_SUITE(retire);
