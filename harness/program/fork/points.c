// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * fork() while another thread is in the middle of something.
 *
 * A thread of the parent is stopped at a point of the core. The parent forks,
 * and the child, in which that thread is not, has to live with what it left:
 * it frees all that the others know of, allocates, looks for a free object,
 * trims, and then nothing may be left but what the thread had in its hands. Then
 * the thread goes on, and the parent's books must balance, too.
 *
 * Then the same with one thread, which forks at the point itself, as a signal
 * handler may. Parent and child both go on from there, and nothing is lost to
 * either.
 *
 * At last a thread has a lock and has half changed what that guards, and another,
 * which is in the middle of something as well, forks: neither can wait for the
 * other. The child does without what the lock guards.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include "tap.h"
#include "user.h"
#include "api/start.h"
#include "arena/arena.h"
#include "arena/free_lock.h"
#include "arena/malloc_lock.h"
#include "arena/registry.h"
#include "base/testing.h"
#include "back/heap.h"
#include "front/magazine.h"
#include "cpu.h"
#include "back/pool.h"
#include "front/drain.h"
#include "upkeep/trim.h"
#include "base/options.h"
#include "back/pagemap.h"
#include "pmalloc.h"

/* One object from an arena. */
static void *take_locked(unsigned int class)
{
	void *obj;

	return pm_start(GFP_KERNEL) &&
	       __pm_malloc_lock(class, &obj, 1, GFP_KERNEL) ? obj : NULL;
}

enum { CLASS = 30, OBJS = 300, BATCH = 8, PATIENCE = 20 };

/* What the library's malloc.c answers in the library. */
const char *pm_host_options(void)
{
	return "arenas=2,decay_ms=3600000";
}

void pm_host_started(void)
{
	pm_fork_init();
}

/* Everybody uses the arena that the test says. */
static unsigned int picked;

static unsigned int pick(void)
{
	return picked;
}

static unsigned int two(void)
{
	return 2;
}

static const struct pm_policy policy = {
	.name = "test", .arenas = two, .pick = pick,
};

static void *objs[OBJS];

static enum pm_slab_fault free_one(void *p)
{
	unsigned int class = pm_pagemap_class(p), index;
	struct pm_heap *heap = pm_pagemap_heap(p);
	struct pm_slab *slab;

	if (!class || !heap)
		return PM_SLAB_DOUBLE_FREE;
	slab = pm_heap_slab(heap, p, class);
	pm_slab_index(slab, p, &index);
	return __pm_free_lock(heap, slab, index);
}

/* ---- the thread that stops ---------------------------------------------- */

struct actor {
	pthread_t thread;
	void (*fn)(void);
	enum pm_stop_point point;
	unsigned int stops;
	unsigned int goes;
	bool ended;
};

static struct actor actor;
static __thread bool is_actor;

static void doze(void)
{
	usleep(100);
}

/* ---- the thread that forks there itself --------------------------------- */

static struct {
	enum pm_stop_point point;
	bool reached;
	bool is_child;
	int status;
} self;

static void fork_here(enum pm_stop_point point)
{
	pid_t pid;

	if (point != self.point || self.reached)
		return;
	self.reached = true;
	pid = fork();
	self.is_child = !pid;
	if (self.is_child)
		alarm(PATIENCE);
	self.status = -1;
	if (pid > 0)
		waitpid(pid, &self.status, 0);
}

static void hook(enum pm_stop_point point)
{
	unsigned int stop;

	if (!is_actor || point != READ_ONCE(actor.point))
		return;
	WRITE_ONCE(actor.point, (enum pm_stop_point)-1);
	stop = __atomic_add_fetch(&actor.stops, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&actor.goes, __ATOMIC_SEQ_CST) < stop)
		doze();
}

static void *actor_main(void *unused)
{
	is_actor = true;
	actor.fn();
	__atomic_store_n(&actor.ended, true, __ATOMIC_SEQ_CST);
	return unused;
}

/* Whether it stops for the @nth time, rather than ends. */
static bool stops(unsigned int nth)
{
	while (__atomic_load_n(&actor.stops, __ATOMIC_SEQ_CST) < nth &&
	       !__atomic_load_n(&actor.ended, __ATOMIC_SEQ_CST))
		doze();
	return actor.stops == nth;
}

static bool act(enum pm_stop_point point, void (*fn)(void))
{
	actor = (struct actor){ .fn = fn, .point = point };
	WRITE_ONCE(pm_stop_hook, hook);
	if (pthread_create(&actor.thread, NULL, actor_main, NULL))
		return false;
	return stops(1);
}

static bool act_on(enum pm_stop_point point)
{
	WRITE_ONCE(actor.point, point);
	__atomic_add_fetch(&actor.goes, 1, __ATOMIC_SEQ_CST);
	return stops(2);
}

static void go_on(void)
{
	__atomic_store_n(&actor.goes, 2, __ATOMIC_SEQ_CST);
	pthread_join(actor.thread, NULL);
	WRITE_ONCE(pm_stop_hook, NULL);
}

/* ---- what it does --------------------------------------------------------- */

static void free_first(void)
{
	free_one(objs[0]);
}

static void free_batch(void)
{
	pm_free_lock_batch(CLASS, objs, BATCH);
}

static unsigned int freed;

static void free_until_flush(void)
{
	for (freed = 0; freed < OBJS; freed++)
		pm_free(objs[freed]);
}

static void *taken;

static void take_with_refill(void)
{
	taken = pm_malloc(pm_classes[CLASS].size);
}

/* ---- the cases ------------------------------------------------------------ */

/**
 * struct fork_case - where the thread is
 * @name: in words
 * @point: the point
 * @fn: what it does there
 * @busy: its object's arena is locked when it comes along
 * @magazine: this takes magazines
 * @first: the first object that is still the program's
 * @lost: objects that the child never gets, at most
 */
struct fork_case {
	const char *name;
	enum pm_stop_point point;
	void (*fn)(void);
	bool busy;
	bool magazine;
	unsigned int first;
	unsigned int lost;
};

static const struct fork_case cases[] = {
	{ "has read an object's owner", PM_STOP_FREE_OWNER, free_first,
	  .first = 0 },
	{ "has picked an arena", PM_STOP_MALLOC_PICKED, take_with_refill,
	  .first = 0 },
	{ "has referenced a heap for a remote free", PM_STOP_REMOTE_REF,
	  free_first, .busy = true },
	{ "has set a remote bit", PM_STOP_REMOTE_BIT, free_first,
	  .busy = true, .first = 1 },
	{ "has marked a slab as queued, and not yet put it on the list",
	  PM_STOP_REMOTE_OWNER, free_first, .busy = true, .first = 1 },
	{ "has filled a batch for an inbox", PM_STOP_BATCH, free_batch,
	  .busy = true, .first = BATCH, .lost = BATCH },
	{ "carries a batch of a flush", PM_STOP_FLUSH, free_until_flush,
	  .magazine = true, .lost = PM_BATCH_MAX + 1 },
	{ "carries a batch of a refill", PM_STOP_REFILL, take_with_refill,
	  .magazine = true, .lost = PM_BATCH_MAX },
};

static unsigned int count_spare_batches(void)
{
	struct pm_batch *batch, *all = NULL;
	unsigned int n = 0;

	while ((batch = pm_batch_get())) {
		batch->node.next = all ? &all->node : NULL;
		all = batch;
		n++;
	}
	while (all) {
		batch = all;
		all = batch->node.next ? container_of(batch->node.next,
						      struct pm_batch, node) :
					 NULL;
		pm_batch_put(batch);
	}
	return n;
}

static void get_objects(void)
{
	unsigned int i;

	for (i = 0; i < OBJS; i++)
		objs[i] = take_locked(CLASS);
	/* As pm_malloc() would have it. */
	for (i = 0; i < OBJS; i++)
		(void)pm_spend_mark(objs[i]);
}

static bool churn(void)
{
	void *p[200];
	unsigned int i;

	for (i = 0; i < 200; i++) {
		p[i] = pm_malloc(16 << i % 10);
		if (!p[i])
			return false;
	}
	for (i = 0; i < 200; i++)
		pm_free(p[i]);
	return true;
}

/* A live object with a mark: whoever asks stops the traffic, and goes on. */
static bool look(void)
{
	void *p = pm_malloc(100);
	bool live;

	pm_set_mark(p);
	live = pm_usable_size(p) == 112;
	pm_free(p);
	return live;
}

static void free_the_rest(unsigned int first)
{
	for (; first < OBJS; first++)
		free_one(objs[first]);
}

/* What is left, and what was there before. */
static bool balanced(const struct pm_totals *before, unsigned int lost)
{
	struct pm_totals now;

	pm_trim();
	pm_get_totals(&now);
	if (now.live_objects <= before->live_objects + lost &&
	    (lost || now.mapped == before->mapped) && !now.magazine &&
	    !now.depot)
		return true;
	tap_diag("objects %zu, were %zu; mapped %zu, were %zu; magazines %zu, depots %zu",
		 now.live_objects, before->live_objects, now.mapped,
		 before->mapped, now.magazine, now.depot);
	return false;
}

static int child(const struct fork_case *c, const struct pm_totals *before,
		 unsigned int batches)
{
	int status;

	alarm(PATIENCE);
	/* In a flush the current one is in the thread's hands, too. */
	free_the_rest(c->fn == free_until_flush ? freed + 1 : c->first);
	if (!churn() || !look())
		return 1;
	if (!balanced(before, c->lost))
		return 2;
	if (count_spare_batches() != batches)
		return 3;
	/* A child of it does as well. */
	if (!fork())
		_exit(!churn() || !look() || !balanced(before, c->lost));
	wait(&status);
	return status ? 4 : 0;
}

static int fork_and_wait(const struct fork_case *c,
			 const struct pm_totals *before, unsigned int batches)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		_exit(child(c, before, batches));
	if (pid > 0)
		waitpid(pid, &status, 0);
	return status;
}

/* Nobody else is there: all that the parent has is ours to give back. */
static void parent_cleans(const struct fork_case *c)
{
	if (c->fn == take_with_refill) {
		pm_free(taken);
		free_the_rest(0);
	} else if (c->fn != free_until_flush) {
		free_the_rest(c->fn == free_batch ? BATCH : 1);
	}
}

static void run(const struct fork_case *c)
{
	struct pm_arena *arena;
	struct pm_totals before;
	unsigned int batches;
	bool reached;
	int status;

	if (c->magazine && !pm_options.magazine) {
		tap_skip(c->name, "magazines are off here");
		return;
	}
	pm_batch_provide(GFP_KERNEL);
	batches = count_spare_batches();
	pm_trim();
	pm_get_totals(&before);
	get_objects();
	arena = pm_pagemap_heap(objs[0])->arena;
	if (c->busy)
		pm_arena_lock_uncounted(arena);
	reached = act(c->point, c->fn);
	if (c->busy)
		pm_arena_unlock(arena);
	if (!OK(reached, "a thread %s", c->name)) {
		go_on();
		return;
	}
	status = fork_and_wait(c, &before, batches);
	OK(!status, "... while its process forks: the child lives (status 0x%x)",
	   (unsigned int)status);
	go_on();
	parent_cleans(c);
	OK(balanced(&before, 0), "... and the parent's books balance");
}

static void collect(void)
{
	struct pm_arena *arena = pm_pagemap_heap(objs[0])->arena;

	pm_arena_lock_uncounted(arena);
	free_one(objs[0]);
	pm_arena_unlock(arena);
	pm_free(take_locked(CLASS));
}

static const struct fork_case self_cases[] = {
	{ "collects a slab from the remote list", PM_STOP_COLLECT, collect,
	  .first = 1 },
};

/* Parent and child: what remains to be done, and whether all is well. */
static bool self_ends(const struct fork_case *c,
		      const struct pm_totals *before, unsigned int batches)
{
	bool well;

	parent_cleans(c);
	well = churn() && look() && balanced(before, 0);
	if (count_spare_batches() != batches) {
		tap_diag("%u spare batches, were %u", count_spare_batches(),
			 batches);
		well = false;
	}
	return well;
}

static void run_self(const struct fork_case *c)
{
	struct pm_totals before;
	struct pm_arena *arena;
	unsigned int batches;
	bool well;

	if (c->magazine && !pm_options.magazine) {
		tap_skip(c->name, "magazines are off here");
		return;
	}
	pm_batch_provide(GFP_KERNEL);
	batches = count_spare_batches();
	pm_trim();
	pm_get_totals(&before);
	get_objects();
	arena = pm_pagemap_heap(objs[0])->arena;
	if (c->busy)
		pm_arena_lock_uncounted(arena);
	self.reached = false;
	self.point = c->point;
	WRITE_ONCE(pm_stop_hook, fork_here);
	c->fn();
	WRITE_ONCE(pm_stop_hook, NULL);
	if (c->busy)
		pm_arena_unlock(arena);
	well = self_ends(c, &before, batches);
	if (self.is_child)
		_exit(!well);
	OK(self.reached && !self.status,
	   "the only thread %s and forks: the child goes on (status 0x%x)",
	   c->name, (unsigned int)self.status);
	OK(well, "... and so does the parent");
}

/* Between the look at the owner and the lock the arena is retired. */
static void retire_then_fork(enum pm_stop_point point)
{
	static bool retired;

	if (point == PM_STOP_FREE_OWNER && !retired) {
		retired = true;
		pm_arena_retire(pm_pagemap_heap(objs[0])->arena->id);
	}
	fork_here(point);
}

static void self_stale(void)
{
	void *p;

	picked = 0;
	p = take_locked(CLASS);
	picked = 1;
	objs[0] = take_locked(CLASS);
	self.reached = false;
	self.point = PM_STOP_FREE_STALE;
	WRITE_ONCE(pm_stop_hook, retire_then_fork);
	free_one(objs[0]);
	WRITE_ONCE(pm_stop_hook, NULL);
	free_one(p);
	p = take_locked(CLASS);
	if (self.is_child)
		_exit(!p);
	OK(self.reached && !self.status && p,
	   "the only thread holds a retired arena's lock and forks (status 0x%x)",
	   (unsigned int)self.status);
	free_one(p);
	picked = 0;
}

/*
 * A free that read an arena as the owner holds its lock for a moment although
 * it was retired. The child may want the arena for another number.
 */
static void spare_arena(void)
{
	void *p, *q;
	int status = -1;
	struct pm_arena *arena;
	pid_t pid;

	picked = 1;
	p = take_locked(CLASS);
	arena = pm_pagemap_heap(p)->arena;
	picked = 0;
	q = take_locked(CLASS);
	objs[0] = p;
	if (!OK(act(PM_STOP_FREE_OWNER, free_first) &&
		!pm_arena_retire(arena->id) && act_on(PM_STOP_FREE_STALE),
		"a thread holds the lock of an arena that was retired")) {
		go_on();
		return;
	}
	pid = fork();
	if (!pid) {
		alarm(PATIENCE);
		picked = 1;
		_exit(!take_locked(CLASS));
	}
	waitpid(pid, &status, 0);
	OK(!status, "... while its process forks: the child can use the arena (status 0x%x)",
	   (unsigned int)status);
	go_on();
	free_one(q);
}

/* ---- half changed ---------------------------------------------------------- */

static struct pm_arena *half_arena;
static struct pm_magazine *half_mag;
static void *half_large[4];
static size_t half_meta;

static void lock_arena(void)
{
	pm_arena_lock_uncounted(half_arena);
}

static void unlock_arena(void)
{
	pm_arena_unlock(half_arena);
}

static struct list_head half_heaps;

static void spoil_arena(void)
{
	half_heaps = half_arena->heaps;
	memset(&half_arena->heaps, 0, sizeof(half_heaps));
}

static void mend_arena(void)
{
	half_arena->heaps = half_heaps;
}

/* Whoever goes into the arena falls over its list. */
static int child_of_arena(void)
{
	struct pm_totals totals;
	void *p = take_locked(CLASS);
	int status;

	if (!p || pm_pagemap_heap(p)->arena == half_arena)
		return 1;
	free_one(p);
	free_the_rest(0);
	if (!churn() || !look())
		return 2;
	pm_trim();
	pm_get_totals(&totals);
	pm_arena_retire(pm_arena_id(half_arena));
	if (!fork())
		_exit(!churn() || !look());
	wait(&status);
	return status ? 3 : 0;
}

static void lock_pool(void)
{
	mutex_lock(&pm_pool.lock);
}

static void unlock_pool(void)
{
	mutex_unlock(&pm_pool.lock);
}

static struct pm_pool half_pool;

static void spoil_pool(void)
{
	half_pool = pm_pool;
	memset(pm_pool.bin, 0, sizeof(pm_pool.bin));
	memset(pm_pool.map, 0xff, sizeof(pm_pool.map));
	memset(&pm_pool.age, 0, sizeof(pm_pool.age));
	memset(&pm_pool.spare, 0, sizeof(pm_pool.spare));
}

static void mend_pool(void)
{
	struct mutex lock = pm_pool.lock;

	pm_pool = half_pool;
	pm_pool.lock = lock;
}

static int child_of_pool(void)
{
	void *p = pm_malloc(200000), *q;

	q = pm_realloc(p, 900000);
	if (!p || !q || !churn())
		return 1;
	/* Its neighbour was free, who knows where. */
	pm_free(half_large[1]);
	pm_free(half_large[3]);
	pm_free(q);
	pm_trim();
	return pm_malloc(200000) ? 0 : 2;
}

static void unlock_pages(void)
{
	pm_pages_unlock(false);
}

/* The rest of a chunk is not used any more. No descriptor has that size. */
static int child_of_pages(void)
{
	return !pm_meta_alloc(61 * SMP_CACHE_BYTES, GFP_KERNEL) ||
	       pm_meta_bytes() <= half_meta || !churn();
}

/* Nor is what was spare. */
static int child_of_magazines(void)
{
	pm_free(pm_malloc(100));
	return pm_percpu_get(0) == half_mag || !churn();
}

static void lock_registry(void)
{
	mutex_lock(&pm_registry);
}

static void unlock_registry(void)
{
	mutex_unlock(&pm_registry);
}

static int child_of_registry(void)
{
	void *p = take_locked(CLASS);

	return !p || pm_pagemap_heap(p)->arena == half_arena || !churn();
}

static const struct half_case {
	const char *name;
	void (*lock)(void);
	void (*unlock)(void);
	void (*spoil)(void);
	void (*mend)(void);
	int (*child)(void);
} half_cases[] = {
	{ "an arena", lock_arena, unlock_arena, spoil_arena, mend_arena,
	  child_of_arena },
	{ "the pool of large objects", lock_pool, unlock_pool, spoil_pool,
	  mend_pool, child_of_pool },
	{ "what descriptors are cut from", pm_pages_lock, unlock_pages, NULL,
	  NULL, child_of_pages },
	{ "the spare magazines", pm_mag_lock_all, pm_mag_unlock_all, NULL,
	  NULL, child_of_magazines },
	{ "the spare arenas", lock_registry, unlock_registry, NULL, NULL,
	  child_of_registry },
};

static const struct half_case *half;

static void hold(void)
{
	half->lock();
	hook(PM_STOP_FLUSH);
	half->unlock();
}

static void half_begin(void)
{
	unsigned int i;
	void *p;

	pin(0);
	for (i = 0; i < 4; i++)
		half_large[i] = pm_malloc(100000);
	pm_free(half_large[0]);
	pm_free(half_large[2]);
	pm_free(pm_malloc(100));
	half_mag = pm_percpu_get(0);
	pm_mag_drain_all();
	/* One that is spare, one that has objects. */
	picked = half->lock == lock_registry;
	p = take_locked(CLASS);
	half_arena = pm_pagemap_heap(p)->arena;
	free_one(p);
	if (picked)
		pm_arena_retire(pm_arena_id(half_arena));
	else
		get_objects();
	half_meta = pm_meta_bytes();
}

static void half_end(void)
{
	if (!picked)
		free_the_rest(0);
	picked = 0;
	pm_free(half_large[1]);
	pm_free(half_large[3]);
}

static void run_half(const struct half_case *c)
{
	int status = -1;
	pid_t pid;

	half = c;
	if (c->child == child_of_magazines && !pm_options.magazine) {
		tap_skip(c->name, "magazines are off here");
		return;
	}
	half_begin();
	if (!OK(act(PM_STOP_FLUSH, hold), "a thread changes %s", c->name)) {
		go_on();
		return;
	}
	if (c->spoil)
		c->spoil();
	/* As in a handler that came over something of this thread's. */
	pm_inside_begin();
	pid = fork();
	pm_inside_end();
	if (!pid) {
		alarm(PATIENCE);
		_exit(c->child());
	}
	if (pid > 0)
		waitpid(pid, &status, 0);
	OK(!status, "... while one that is inside forks: the child does without (status 0x%x)",
	   (unsigned int)status);
	if (c->mend)
		c->mend();
	go_on();
	half_end();
	OK(churn() && look(), "... and the parent goes on");
}

int main(void)
{
	unsigned int i;

	pm_free(pm_malloc(1));
	pm_options.policy = &policy;
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		run(&cases[i]);
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		run_self(&cases[i]);
	for (i = 0; i < ARRAY_SIZE(self_cases); i++)
		run_self(&self_cases[i]);
	self_stale();
	spare_arena();
	for (i = 0; i < ARRAY_SIZE(half_cases); i++)
		run_half(&half_cases[i]);
	return tap_end();
}
