// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Arenas: which one serves when the picked one is free, busy, empty or out
 * of memory, and how objects come home.
 *
 * These cases work on the locked layer, pm_malloc_lock() and __pm_free_lock():
 * a magazine in front of it would serve the request before it gets there.
 * A policy of the tests' own picks the arena.
 */
#include "pm_test.h"
#include "base/testing.h"
#include "base/options.h"
#include "back/pagemap.h"

static void arena_table(struct pm_test *t)
{
	struct pm_arena *arena;
	int idx;

	PM_EXPECT(t, pm_arena_ready());
	PM_EXPECT(t, pm_arena_table_size >= 1);
	arena = pm_test_arena(0);
	PM_REQUIRE(t, arena);
	PM_EXPECT_EQ(t, arena->id, pm_test_id(0));
	PM_EXPECT(t, !arena->retired);
	PM_EXPECT(t, pm_test_arena(0) == arena);
	idx = pm_test_read_lock();
	PM_EXPECT(t, !pm_arena_at(pm_arena_table_size));
	PM_EXPECT(t, !pm_arena_at(~0U));
	srcu_read_unlock(&pm_srcu, idx);
}

/* The picked arena serves, every class, and its objects are its own. */
static void arena_serves(struct pm_test *t)
{
	struct pm_arena *arena = pm_test_arena(0);
	struct pm_test_ref ref;
	unsigned int class;
	void *p;

	PM_REQUIRE(t, arena);
	for (class = 1; class < PM_NR_SLAB_CLASSES; class++) {
		p = pm_test_malloc_lock(class);
		PM_REQUIRE(t, p && pm_test_resolve(p, &ref));
		PM_EXPECT_EQ(t, ref.class, class);
		PM_EXPECT(t, ref.heap->arena == arena);
		pm_test_fill(p, pm_classes[class].size, class);
		PM_EXPECT_EQ(t, pm_test_free_lock(p), PM_SLAB_OK);
		PM_EXPECT_EQ(t, pm_test_free_lock(p), PM_SLAB_DOUBLE_FREE);
	}
}

/* An object goes home to its owner, whatever arena the thread uses now. */
static void arena_goes_home(struct pm_test *t)
{
	struct pm_arena *home, *away;
	u64 before;
	void *p;

	if (!pm_test_two_arenas(t, &home, &away))
		return;
	p = pm_test_malloc_lock(3);
	PM_REQUIRE(t, p);
	PM_EXPECT_EQ(t, pm_test_owner(p), home->id);
	pm_test_pick(away->id);
	before = READ_ONCE(home->stats.local_free);
	PM_EXPECT_EQ(t, pm_test_free_lock(p), PM_SLAB_OK);
	PM_EXPECT(t, READ_ONCE(home->stats.local_free) > before);
}

/* Own lock busy, another free: that one serves, and nobody waits. */
static void arena_falls_back(struct pm_test *t)
{
	struct pm_test_holder holder;
	struct pm_arena *own;
	u64 contended, waited;
	long out;
	void *p;

	if (!pm_test_two_arenas(t, &own, NULL))
		return;
	contended = pm_lockwait_contended(&own->waits);
	out = atomic_long_read(&own->waits.class[7].fallback_out);
	PM_REQUIRE(t, pm_test_hold(&holder, own));
	waited = own->waits.class[7].waited;
	p = pm_test_malloc_lock(7);
	PM_EXPECT_EQ(t, own->waits.class[7].waited, waited);
	pm_test_release_lock(&holder);
	PM_REQUIRE(t, p);
	PM_EXPECT(t, pm_test_owner(p) != own->id);
	PM_EXPECT(t, pm_lockwait_contended(&own->waits) > contended);
	PM_EXPECT(t, atomic_long_read(&own->waits.class[7].fallback_out) > out);
	PM_EXPECT_EQ(t, pm_test_free_lock(p), PM_SLAB_OK);
}

/* The walk begins behind the busy one, and comes round. */
static void arena_falls_back_onward(struct pm_test *t)
{
	struct pm_test_holder first, second;
	struct pm_arena *arena[3];
	unsigned int i;
	void *p;

	PM_NEED_ARENAS(t, 3);
	for (i = 0; i < 3; i++) {
		arena[i] = pm_test_arena(i);
		PM_REQUIRE(t, arena[i]);
	}
	PM_REQUIRE(t, pm_test_hold(&first, arena[1]));
	if (PM_EXPECT(t, pm_test_hold(&second, arena[2]))) {
		pm_test_pick(arena[1]->id);
		p = pm_test_malloc_lock(7);
		if (PM_EXPECT(t, p)) {
			PM_EXPECT(t, pm_test_owner(p) != arena[1]->id);
			PM_EXPECT(t, pm_test_owner(p) != arena[2]->id);
			PM_EXPECT_EQ(t, pm_test_free_lock(p), PM_SLAB_OK);
		}
		pm_test_release_lock(&second);
	}
	pm_test_release_lock(&first);
}

struct arena_wait {
	struct pm_thread thread;
	struct pm_event done;
	void *p;
};

static void arena_wait_main(void *arg)
{
	struct arena_wait *wait = arg;

	WRITE_ONCE(wait->p, pm_test_malloc_lock(7));
	pm_event_set(&wait->done);
}

/* All locks busy: the request waits for its own, and is served then. */
static void arena_waits(struct pm_test *t)
{
	struct arena_wait wait = { .p = NULL };
	struct pm_test_holder holder;
	struct pm_arena *own;
	u64 contended, waited, ns;

	own = pm_test_arena(0);
	PM_REQUIRE(t, own);
	pm_event_init(&wait.done);
	contended = pm_lockwait_contended(&own->waits);
	PM_REQUIRE(t, pm_test_hold(&holder, NULL));
	waited = own->waits.class[7].waited;
	ns = own->waits.class[7].wait_ns;
	if (PM_EXPECT(t, pm_thread_start(&wait.thread, arena_wait_main,
					 &wait))) {
		/* A thread may lose its CPU after it has tried, before it waits. */
		while (pm_lockwait_contended(&own->waits) == contended ||
		       !atomic_long_read(&own->waits.waiters))
			pm_test_pause();
		pm_test_sleep_ms(5);
		PM_EXPECT(t, !READ_ONCE(wait.p));
		pm_test_release_lock(&holder);
		pm_event_wait(&wait.done);
		pm_thread_join(&wait.thread);
		PM_REQUIRE(t, wait.p);
		PM_EXPECT_EQ(t, pm_test_owner(wait.p), own->id);
		PM_EXPECT(t, READ_ONCE(own->waits.class[7].waited) > waited);
		PM_EXPECT(t, READ_ONCE(own->waits.class[7].wait_ns) - ns > 1000000);
		PM_EXPECT(t, READ_ONCE(own->waits.wait_max_ns) > 1000000);
		PM_EXPECT_EQ(t, pm_test_free_lock(wait.p), PM_SLAB_OK);
	} else {
		pm_test_release_lock(&holder);
	}
}

/* Own arena cannot grow, another has room: that one serves. */
static void arena_borrows(struct pm_test *t)
{
	struct pm_arena *own, *other;
	void *keep, *p;

	if (!pm_test_two_arenas(t, &own, &other))
		return;
	pm_test_pick(other->id);
	keep = pm_test_malloc_lock(7);
	pm_test_pick(own->id);
	PM_REQUIRE(t, keep);
	pm_trim();
	PM_EXPECT_EQ(t, READ_ONCE(own->nr_heaps), 0);
	WRITE_ONCE(pm_inject.heap_map, 1);
	p = pm_test_malloc_lock(7);
	WRITE_ONCE(pm_inject.heap_map, 0);
	if (PM_EXPECT(t, p)) {
		PM_EXPECT(t, pm_test_owner(p) != own->id);
		PM_EXPECT_EQ(t, pm_test_free_lock(p), PM_SLAB_OK);
	}
	PM_EXPECT_EQ(t, pm_test_free_lock(keep), PM_SLAB_OK);
}

/* The same with a lock that is busy: being out of memory is worth a wait. */
static void arena_borrows_from_busy(struct pm_test *t)
{
	struct arena_wait wait = { .p = NULL };
	struct pm_test_holder holder;
	struct pm_arena *own, *other;
	void *keep;

	if (!pm_test_two_arenas(t, &own, &other))
		return;
	pm_test_pick(other->id);
	keep = pm_test_malloc_lock(7);
	pm_test_pick(own->id);
	PM_REQUIRE(t, keep);
	pm_trim();
	pm_event_init(&wait.done);
	PM_REQUIRE(t, pm_test_hold(&holder, other));
	WRITE_ONCE(pm_inject.heap_map, 1);
	if (PM_EXPECT(t, pm_thread_start(&wait.thread, arena_wait_main,
					 &wait))) {
		pm_test_sleep_ms(5);
		pm_test_release_lock(&holder);
		pm_event_wait(&wait.done);
		pm_thread_join(&wait.thread);
	} else {
		pm_test_release_lock(&holder);
	}
	WRITE_ONCE(pm_inject.heap_map, 0);
	if (PM_EXPECT(t, wait.p))
		PM_EXPECT_EQ(t, pm_test_free_lock(wait.p), PM_SLAB_OK);
	PM_EXPECT_EQ(t, pm_test_free_lock(keep), PM_SLAB_OK);
}

/* Nobody has room: NULL; nothing is lost, and later there is memory. */
static void arena_out_of_memory(struct pm_test *t)
{
	struct pm_arena *own = pm_test_arena(0);
	unsigned int class;
	void *p;

	PM_REQUIRE(t, own);
	for (class = 1; class < PM_NR_SLAB_CLASSES; class += 7) {
		pm_trim();
		WRITE_ONCE(pm_inject.heap_map, 1);
		p = pm_test_malloc_lock(class);
		WRITE_ONCE(pm_inject.heap_map, 0);
		PM_EXPECT(t, !p);
		p = pm_test_malloc_lock(class);
		if (PM_EXPECT(t, p))
			PM_EXPECT_EQ(t, pm_test_free_lock(p), PM_SLAB_OK);
	}
}

/* Where the caller may not sleep the locked layer has nothing to give. */
static void arena_may_not_sleep(struct pm_test *t)
{
	void *obj;

	PM_REQUIRE(t, pm_test_arena(0));
	PM_EXPECT(t, !__pm_malloc_lock(1, &obj, 1, GFP_NOWAIT));
}

/* ---- remote frees ------------------------------------------------------ */

/* The owner's lock is busy: free goes on, and the next holder collects. */
static void arena_free_when_busy(struct pm_test *t)
{
	struct pm_test_holder holder;
	struct pm_test_ref ref;
	struct pm_arena *own;
	void *p, *q;
	u64 before;

	own = pm_test_arena(0);
	PM_REQUIRE(t, own);
	p = pm_test_malloc_lock(20);
	PM_REQUIRE(t, p && pm_test_resolve(p, &ref));
	PM_REQUIRE(t, pm_test_hold(&holder, own));
	before = own->stats.remote_in;
	PM_EXPECT_EQ(t, pm_test_free_lock(p), PM_SLAB_OK);
	PM_EXPECT(t, test_bit(ref.index, ref.slab->remote));
	PM_EXPECT(t, !test_bit(ref.index, ref.slab->free));
	PM_EXPECT(t, !llist_empty(&own->remote));
	PM_EXPECT_EQ(t, atomic_long_read(&ref.heap->remote_refs), 1);
	/* It is free, although it is not home. */
	PM_EXPECT_EQ(t, pm_test_free_lock(p), PM_SLAB_DOUBLE_FREE);
	PM_EXPECT_EQ(t, atomic_long_read(&ref.heap->remote_refs), 1);
	pm_test_release_lock(&holder);
	q = pm_test_malloc_lock(20);
	PM_EXPECT(t, !test_bit(ref.index, ref.slab->remote));
	PM_EXPECT(t, llist_empty(&own->remote));
	PM_EXPECT_EQ(t, atomic_long_read(&ref.heap->remote_refs), 0);
	PM_EXPECT(t, READ_ONCE(own->stats.remote_in) > before);
	/* The lowest free object is the one that came home. */
	PM_EXPECT(t, q == p);
	if (PM_EXPECT(t, q))
		PM_EXPECT_EQ(t, pm_test_free_lock(q), PM_SLAB_OK);
}

/* Many objects of many slabs: each slab is on the list once. */
static void arena_many_remote(struct pm_test *t)
{
	enum { OBJECTS = 400 };
	static void *objs[OBJECTS];
	struct pm_test_holder holder;
	struct pm_arena *own;
	unsigned int i, n;
	u64 before;

	own = pm_test_arena(0);
	PM_REQUIRE(t, own);
	for (n = 0; n < OBJECTS; n++) {
		objs[n] = pm_test_malloc_lock(1 + n % (PM_NR_SLAB_CLASSES / 2));
		if (!PM_EXPECT(t, objs[n]))
			break;
	}
	PM_REQUIRE(t, pm_test_hold(&holder, own));
	before = own->stats.remote_in;
	for (i = 0; i < n; i++)
		PM_EXPECT_EQ(t, pm_test_free_lock(objs[i]), PM_SLAB_OK);
	for (i = 0; i < n; i++)
		PM_EXPECT_EQ(t, pm_test_free_lock(objs[i]),
			     PM_SLAB_DOUBLE_FREE);
	pm_test_release_lock(&holder);
	PM_REQUIRE(t, pm_test_arena(0) == own);
	PM_EXPECT(t, READ_ONCE(own->stats.remote_in) >= before + n);
	PM_EXPECT(t, llist_empty(&own->remote));
}

/* ---- policies ---------------------------------------------------------- */

static unsigned int arena_pick(void)
{
	unsigned int id = READ_ONCE(pm_options.policy)->pick();

	return id % pm_arena_table_size;
}

static void arena_policy_single(struct pm_test *t)
{
	unsigned int i;

	pm_test_policy("single");
	PM_EXPECT_EQ(t, pm_options.policy->arenas(), 1);
	for (i = 0; i < 2 * pm_test_cpus(); i++) {
		pm_test_pin(i);
		PM_EXPECT_EQ(t, arena_pick(), 0);
	}
}

struct arena_policy_env {
	unsigned int first[8];
	atomic_long_t moved;
};

static void arena_policy_main(struct pm_test_crowd *crowd, unsigned int n)
{
	struct arena_policy_env *env = crowd->arg;
	unsigned int i;

	env->first[n] = arena_pick();
	for (i = 0; i < 100; i++) {
		pm_test_pin(i);
		if (arena_pick() != env->first[n])
			atomic_long_inc(&env->moved);
	}
	pm_test_unpin();
}

/* Threads are dealt arenas in turn, and keep them wherever they run. */
static void arena_policy_thread(struct pm_test *t)
{
	struct arena_policy_env env = { .moved = { 0 } };
	struct pm_test_crowd crowd = {
		.t = t, .fn = arena_policy_main, .arg = &env,
		.nr = ARRAY_SIZE(env.first),
	};
	unsigned int i, different = 0;

	pm_test_policy("thread");
	PM_EXPECT(t, pm_options.policy->arenas() >= pm_test_cpus());
	pm_test_crowd_run(&crowd, NULL);
	for (i = 1; i < crowd.nr; i++)
		different += env.first[i] != env.first[0];
	PM_EXPECT_EQ(t, atomic_long_read(&env.moved), 0);
	PM_EXPECT(t, different || pm_arena_table_size == 1);
}

static void arena_policy_pool(struct pm_test *t)
{
	pm_test_policy("pool");
	PM_EXPECT(t, pm_options.policy->arenas() <= 4);
	PM_EXPECT(t, pm_options.policy->arenas() >= 1);
}

/* A thread that met a busy arena stays with the one that served it. */
static void arena_policy_moves(struct pm_test *t)
{
	struct pm_test_holder holder;
	struct pm_arena *own;
	unsigned int id, owner;
	void *p, *q;

	if (!pm_test_two_arenas(t, &own, NULL))
		return;
	pm_test_policy("thread");
	PM_EXPECT(t, pm_options.policy->moved);
	id = arena_pick();
	own = pm_test_arena(pm_arena_table_size - 1 - id);
	PM_REQUIRE(t, own && own->id == id);
	pm_test_policy("thread");
	PM_REQUIRE(t, pm_test_hold(&holder, own));
	p = pm_test_malloc_lock(7);
	pm_test_release_lock(&holder);
	PM_REQUIRE(t, p);
	owner = pm_test_owner(p);
	PM_EXPECT(t, owner != id);
	/* Threads of a host without storage of their own share the word. */
	PM_EXPECT_EQ(t, arena_pick(), owner);
	q = pm_test_malloc_lock(7);
	if (PM_EXPECT(t, q)) {
		PM_EXPECT_EQ(t, pm_test_owner(q), owner);
		PM_EXPECT_EQ(t, pm_test_free_lock(q), PM_SLAB_OK);
	}
	PM_EXPECT_EQ(t, pm_test_free_lock(p), PM_SLAB_OK);
}

static void arena_policy_cpu(struct pm_test *t)
{
	unsigned int i, id, again, tries;
	void *p;

	pm_test_policy("cpu");
	PM_EXPECT(t, !pm_options.policy->moved);
	PM_EXPECT_EQ(t, pm_options.policy->arenas(), pm_host_nr_cpus());
	for (i = 0; i < pm_test_cpus(); i++) {
		pm_test_pin(i);
		/* Where CPUs go a pinned thread may be moved, but not often. */
		for (tries = 0; tries < 20; tries++) {
			id = arena_pick();
			p = pm_test_malloc_lock(7);
			if (!PM_EXPECT(t, p))
				return;
			again = pm_test_owner(p);
			PM_EXPECT_EQ(t, pm_test_free_lock(p), PM_SLAB_OK);
			if (again == id)
				break;
			pm_test_sleep_ms(2);
		}
		PM_EXPECT(t, tries < 20);
		PM_EXPECT(t, pm_host_cpu() < pm_host_nr_cpus());
	}
}

static void arena_policy_names(struct pm_test *t)
{
	static const char *const name[] = { "single", "thread", "pool", "cpu" };
	const struct pm_policy *policy;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(name); i++) {
		policy = pm_test_policy_find(name[i]);
		PM_EXPECT(t, policy && !strcmp(policy->name, name[i]));
	}
	PM_EXPECT(t, !pm_test_policy_find("best"));
	PM_EXPECT(t, !pm_test_policy_find(""));
}

/* CPU numbers with holes: a pick beyond the table is served all the same. */
static void arena_ids_beyond(struct pm_test *t)
{
	static const unsigned int beyond[] = { 0, 1, 7, 1000, 1U << 31 };
	unsigned int i, id;
	void *p;

	for (i = 0; i < ARRAY_SIZE(beyond); i++) {
		id = pm_arena_table_size + beyond[i];
		pm_test_pick(id);
		p = pm_test_malloc_lock(7);
		if (!PM_EXPECT(t, p))
			return;
		PM_EXPECT(t, pm_test_owner(p) < pm_arena_table_size);
		PM_EXPECT_EQ(t, pm_test_free_lock(p), PM_SLAB_OK);
	}
}

/* ---- trim, validators -------------------------------------------------- */

/* What is free goes back to the host; what is live stays. */
static void arena_trim(struct pm_test *t)
{
	struct pm_arena *own = pm_test_arena(0);
	struct pm_heap *heap;
	void *keep, *p;

	PM_REQUIRE(t, own);
	keep = pm_test_malloc_lock(9);
	p = pm_test_malloc_lock(PM_NR_SLAB_CLASSES - 1);
	PM_REQUIRE(t, keep && p);
	heap = pm_pagemap_heap(keep);
	pm_test_fill(keep, pm_classes[9].size, 1);
	PM_EXPECT_EQ(t, pm_test_free_lock(p), PM_SLAB_OK);
	pm_trim();
	PM_EXPECT(t, pm_test_filled(keep, pm_classes[9].size, 1));
	PM_EXPECT(t, pm_pagemap_heap(keep) == heap);
	PM_EXPECT_EQ(t, pm_pagemap_class(p), 0);
	PM_EXPECT_EQ(t, READ_ONCE(own->nr_heaps), 1);
	PM_EXPECT_EQ(t, pm_test_free_lock(keep), PM_SLAB_OK);
	PM_EXPECT(t, pm_trim() > 0);
	PM_EXPECT_EQ(t, READ_ONCE(own->nr_heaps), 0);
	PM_EXPECT_EQ(t, pm_pagemap_class(keep), 0);
}

static const char *arena_fault(const void *object)
{
	return pm_arena_fault(object);
}

#define ARENA_CLOBBER(t, arena, field)					\
	pm_test_clobber(t, 0xff, "arena." #field, &(arena)->field,		\
			sizeof((arena)->field), arena_fault, arena)

static void arena_clobbered(struct pm_test *t)
{
	struct pm_arena *own = pm_test_arena(0);
	struct pm_test_ref ref;
	unsigned int i;
	void *p[8];
	u64 acquired;

	PM_REQUIRE(t, own);
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = pm_test_malloc_lock(1 + i * 9);
		PM_REQUIRE(t, p[i] && pm_test_resolve(p[i], &ref));
	}
	mutex_lock(&own->lock);
	/* The whole arena is walked at each sixteenth acquisition only. */
	acquired = own->lockstat.acquired;
	own->lockstat.acquired = ALIGN(acquired, (u64)16);
	ARENA_CLOBBER(t, own, nr_heaps);
	ARENA_CLOBBER(t, own, heap_bytes);
	ARENA_CLOBBER(t, own, slab_bytes);
	ARENA_CLOBBER(t, own, dirty_units);
	ARENA_CLOBBER(t, own, nr_out[1]);
	ARENA_CLOBBER(t, own, nr_out[PM_NR_SLAB_CLASSES - 1]);
	pm_test_clobber(t, 0xff, "arena.heap.arena", &ref.heap->arena,
			sizeof(ref.heap->arena), arena_fault, own);
	pm_test_clobber(t, 0xff, "arena.slab.nr_free", &ref.slab->nr_free,
			sizeof(ref.slab->nr_free), arena_fault, own);
	own->lockstat.acquired = acquired;
	mutex_unlock(&own->lock);
	for (i = 0; i < ARRAY_SIZE(p); i++)
		PM_EXPECT_EQ(t, pm_test_free_lock(p[i]), PM_SLAB_OK);
}

static const struct pm_test_case arena_cases[] = {
	PM_CASE(arena, table),
	PM_CASE(arena, serves),
	PM_CASE(arena, goes_home),
	PM_CASE(arena, falls_back),
	PM_CASE(arena, falls_back_onward),
	PM_CASE(arena, waits),
	PM_CASE(arena, borrows),
	PM_CASE(arena, borrows_from_busy),
	PM_CASE(arena, out_of_memory),
	PM_CASE(arena, may_not_sleep),
	PM_CASE(arena, free_when_busy),
	PM_CASE(arena, many_remote),
	PM_CASE(arena, policy_single),
	PM_CASE(arena, policy_thread),
	PM_CASE(arena, policy_pool),
	PM_CASE(arena, policy_moves),
	PM_CASE(arena, policy_cpu),
	PM_CASE(arena, policy_names),
	PM_CASE(arena, ids_beyond),
	PM_CASE(arena, trim),
	PM_CASE(arena, clobbered),
};
PM_SUITE(arena);
