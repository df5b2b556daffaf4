// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What several suites need.
 */
#include "pm_test.h"
#include "api/stats.h"
#include "arena/registry.h"
#include "base/options.h"
#include "back/pagemap.h"

/**
 * pm_test_sum() - a figure of all arenas together, see PM_TEST_SUM()
 * @offset: where it is in struct pm_arena_figures
 */
u64 pm_test_sum(size_t offset)
{
	struct pm_arena_figures fig;
	unsigned int id;
	u64 sum = 0;

	for (id = 0; id < pm_arena_table_size; id++)
		if (pm_arena_figures(id, &fig))
			sum += *(u64 *)((char *)&fig + offset);
	return sum;
}

/* ---- objects ----------------------------------------------------------- */

/**
 * pm_test_resolve() - find out where an object of a class lives
 * @p: any bit pattern
 * @ref: out
 *
 * Return: whether @p is the start of an object in a slab.
 */
bool pm_test_resolve(const void *p, struct pm_test_ref *ref)
{
	ref->class = pm_pagemap_class(p);
	if (!ref->class || ref->class >= PM_CLASS_LARGE)
		return false;
	ref->heap = pm_pagemap_heap(p);
	ref->slab = pm_heap_slab(ref->heap, p, ref->class);
	return pm_slab_index(ref->slab, p, &ref->index);
}

/**
 * pm_test_free_lock() - free behind the magazines
 * @p: object from pm_malloc_lock()
 */
enum pm_slab_fault pm_test_free_lock(void *p)
{
	struct pm_test_ref ref;

	if (!pm_test_resolve(p, &ref))
		return PM_SLAB_DOUBLE_FREE;
	return __pm_free_lock(ref.heap, ref.slab, ref.index);
}

/**
 * pm_test_owner() - number of the arena that an object belongs to now
 * @p: live object of a class
 */
unsigned int pm_test_owner(const void *p)
{
	return READ_ONCE(READ_ONCE(pm_pagemap_heap(p)->arena)->id);
}

/* ---- content ----------------------------------------------------------- */

static u64 pm_test_word(u64 tag, size_t i)
{
	return (tag + i) * 0x9e3779b97f4a7c15ULL;
}

/**
 * pm_test_fill() - write a pattern that says whose an object is
 * @p: the object
 * @n: bytes
 * @tag: the owner
 */
void pm_test_fill(void *p, size_t n, u64 tag)
{
	u64 *words = p, last;
	size_t i;

	for (i = 0; i < n / 8; i++)
		words[i] = pm_test_word(tag, i);
	last = pm_test_word(tag, i);
	memcpy(words + i, &last, n % 8);
}

/**
 * pm_test_filled() - whether an object still has its pattern
 * @p: the object
 * @n: bytes
 * @tag: as pm_test_fill() was told
 */
bool pm_test_filled(const void *p, size_t n, u64 tag)
{
	const u64 *words = p;
	u64 last;
	size_t i;

	for (i = 0; i < n / 8; i++)
		if (words[i] != pm_test_word(tag, i))
			return false;
	last = pm_test_word(tag, i);
	return !memcmp(words + i, &last, n % 8);
}

bool pm_test_is_zero(const void *p, size_t n)
{
	const u8 *bytes = p;
	size_t i;

	for (i = 0; i < n; i++)
		if (bytes[i])
			return false;
	return true;
}

/* ---- arenas ------------------------------------------------------------ */

static unsigned int pm_test_picked;
static unsigned int pm_test_roaming;

static unsigned int pm_test_pick_arenas(void)
{
	return pm_arena_table_size;
}

static unsigned int pm_test_pick_now(void)
{
	unsigned int id = READ_ONCE(pm_test_picked);

	if (id != PM_TEST_ROAM)
		return id;
	id = READ_ONCE(pm_test_roaming);
	WRITE_ONCE(pm_test_roaming, id + 1);
	return id;
}

/**
 * pm_test_pick() - let every thread use one arena until the case ends
 * @id: its number, or PM_TEST_ROAM
 */
void pm_test_pick(unsigned int id)
{
	static const struct pm_policy policy = {
		.name = "test",
		.arenas = pm_test_pick_arenas,
		.pick = pm_test_pick_now,
	};

	WRITE_ONCE(pm_test_picked, id);
	WRITE_ONCE(pm_options.policy, &policy);
}

/**
 * pm_test_policy() - use a policy until the case ends
 * @name: its name
 */
void pm_test_policy(const char *name)
{
	WRITE_ONCE(pm_options.policy, pm_test_policy_find(name));
}

/**
 * pm_test_id() - number of an arena for tests
 * @n: 0, 1, 2 ...
 *
 * From the end of the table: where there are more numbers than CPUs no CPU
 * has these, so none is retired because its CPU goes.
 */
unsigned int pm_test_id(unsigned int n)
{
	return pm_arena_table_size - 1 - n;
}

/**
 * pm_test_arena() - an arena for tests; all threads use it
 * @n: 0, 1, 2 ...
 *
 * Return: the arena, made when missing, or NULL.
 */
struct pm_arena *pm_test_arena(unsigned int n)
{
	struct pm_arena *arena;
	void *p;
	int idx;

	pm_test_pick(pm_test_id(n));
	p = pm_test_malloc_lock(1);
	if (!p || pm_test_free_lock(p))
		return NULL;
	idx = pm_test_read_lock();
	arena = pm_arena_at(pm_test_id(n));
	srcu_read_unlock(&pm_srcu, idx);
	return arena;
}

/**
 * pm_test_two_arenas() - two arenas for tests; all threads use the first
 * @t: the case, which is left out where there can be but one
 * @own: out: pm_test_arena(0)
 * @other: out: pm_test_arena(1), which takes the requests that @own does not
 *	serve, and adopts what it owned; or NULL
 *
 * Return: whether both are there; else the case has nothing more to do.
 */
bool pm_test_two_arenas(struct pm_test *t, struct pm_arena **own,
			struct pm_arena **other)
{
	struct pm_arena *second;

	if (pm_arena_table_size < 2) {
		t->skip = "not enough arenas";
		return false;
	}
	second = pm_test_arena(1);
	*own = pm_test_arena(0);
	if (other)
		*other = second;
	return PM_EXPECT(t, *own && second);
}

/**
 * pm_test_arena_make() - an arena that the allocator does not know
 *
 * For tests of heaps and slabs, which need an owner.
 *
 * Return: arena with its lock held, or NULL.
 */
struct pm_arena *pm_test_arena_make(void)
{
	struct pm_arena *arena = pm_test_zalloc(sizeof(*arena));
	unsigned int class;

	if (!arena)
		return NULL;
	mutex_init(&arena->lock);
	INIT_LIST_HEAD(&arena->heaps);
	for (class = 0; class < PM_CLASS_END; class++)
		INIT_LIST_HEAD(&arena->partial[class]);
	pm_arena_watch(arena);
	mutex_lock(&arena->lock);
	return arena;
}

/**
 * pm_test_arena_drop() - end what pm_test_arena_make() began
 * @arena: the arena, its lock held, or NULL; all of its slabs are put back
 */
void pm_test_arena_drop(struct pm_arena *arena)
{
	struct pm_heap *heap, *next;

	if (!arena)
		return;
	list_for_each_entry_safe(heap, next, &arena->heaps, node)
		pm_arena_unmap_heap(heap->arena, heap);
	mutex_unlock(&arena->lock);
	pm_test_release(arena, sizeof(*arena));
}

/**
 * pm_test_has() - whether the host has memory for an object
 * @size: its bytes
 *
 * With five levels of page tables vmalloc lies beyond the page map: a kernel has no
 * objects above 4 MiB then, and cases try shorter ones.
 */
bool pm_test_has(size_t size)
{
	void *p = pm_malloc(size);

	pm_free(p);
	return p;
}

/**
 * pm_test_policy_find() - policy of a name
 * @name: name
 *
 * Return: policy, or NULL when there is none of that name.
 */
const struct pm_policy *pm_test_policy_find(const char *name)
{
	const struct pm_policy *policy;

	for (policy = pm_policies; policy->name; policy++)
		if (!strcmp(policy->name, name))
			return policy;
	return NULL;
}

/**
 * pm_test_malloc_lock() - one object from an arena, its mark as it was
 * @class: its class
 *
 * Return: object, or NULL.
 */
void *pm_test_malloc_lock(unsigned int class)
{
	void *obj;

	return __pm_malloc_lock(class, &obj, 1, GFP_KERNEL) ? obj : NULL;
}

/**
 * pm_test_cut_slab() - cut a slab whose class counts as one hardly used
 * @heap: heap of an arena from pm_test_arena_make()
 * @class: class of its objects
 *
 * Return: slab, or NULL.
 */
struct pm_slab *pm_test_cut_slab(struct pm_heap *heap, unsigned int class)
{
	return pm_arena_cut_slab(heap->arena, heap, class);
}

/**
 * pm_test_slab_take() - take objects out of a slab, opening it as need be
 * @slab: the slab
 * @objs: where they go
 * @n: how many
 *
 * Return: how many there were.
 */
unsigned int pm_test_slab_take(struct pm_slab *slab, void **objs,
			       unsigned int n)
{
	return pm_heap_take(slab, objs, n, PM_CLASS_RARE);
}

/* ---- a thread that holds a lock ---------------------------------------- */

static void pm_test_holder_main(void *arg)
{
	struct pm_test_holder *h = arg;

	h->tid = pm_host_tid();
	if (h->arena) {
		pm_arena_lock_uncounted(h->arena);
	} else {
		mutex_lock(&pm_registry);
		pm_arena_lock_all();
	}
	pm_event_set(&h->held);
	pm_event_wait(&h->release);
	if (h->arena) {
		pm_arena_unlock(h->arena);
	} else {
		pm_arena_unlock_all();
		mutex_unlock(&pm_registry);
	}
}

/**
 * pm_test_hold() - let another thread hold an arena's lock
 * @h: the thread to be
 * @arena: the arena, or NULL: all of them, and the registry
 *
 * Return: whether the lock is held now.
 */
bool pm_test_hold(struct pm_test_holder *h, struct pm_arena *arena)
{
	h->arena = arena;
	pm_event_init(&h->held);
	pm_event_init(&h->release);
	if (!pm_thread_start(&h->thread, pm_test_holder_main, h))
		return false;
	pm_event_wait(&h->held);
	return true;
}

void pm_test_release_lock(struct pm_test_holder *h)
{
	pm_event_set(&h->release);
	pm_thread_join(&h->thread);
}

/* ---- a thread that stops at a point of the core ------------------------ */

static struct pm_test_stop *pm_test_stopped;

static void pm_test_point(enum pm_stop_point point)
{
	struct pm_test_stop *stop = READ_ONCE(pm_test_stopped);

	if (!stop || point != stop->point || stop->reached ||
	    pm_host_tid() != READ_ONCE(stop->tid))
		return;
	if (stop->skip) {
		stop->skip--;
		return;
	}
	stop->reached = true;
	pm_event_set(&stop->there);
	pm_event_wait(&stop->go);
}

static void pm_test_stop_main(void *arg)
{
	struct pm_test_stop *stop = arg;

	WRITE_ONCE(stop->tid, pm_host_tid());
	stop->fn(stop);
	WRITE_ONCE(stop->tid, 0);
	pm_event_set(&stop->there);
}

/**
 * pm_test_stop_at() - start a thread and wait until it is at a point
 * @stop: the thread to be, one at a time
 * @point: the point
 * @skip: how many times it goes on there first
 * @fn: what it does
 *
 * Return: false when it never was there; then it has ended.
 */
bool pm_test_stop_at(struct pm_test_stop *stop, enum pm_stop_point point,
		     unsigned int skip, void (*fn)(struct pm_test_stop *stop))
{
	stop->fn = fn;
	stop->point = point;
	stop->skip = skip;
	stop->reached = false;
	stop->tid = 0;
	pm_event_init(&stop->there);
	pm_event_init(&stop->go);
	WRITE_ONCE(pm_test_stopped, stop);
	WRITE_ONCE(pm_stop_hook, pm_test_point);
	if (!pm_thread_start(&stop->thread, pm_test_stop_main, stop)) {
		WRITE_ONCE(pm_stop_hook, NULL);
		return false;
	}
	pm_event_wait(&stop->there);
	if (!stop->reached) {
		pm_thread_join(&stop->thread);
		WRITE_ONCE(pm_stop_hook, NULL);
	}
	return stop->reached;
}

/**
 * pm_test_go_on() - let a stopped thread go on, and wait for its end
 * @stop: the thread
 */
void pm_test_go_on(struct pm_test_stop *stop)
{
	pm_event_set(&stop->go);
	pm_thread_join(&stop->thread);
	WRITE_ONCE(pm_stop_hook, NULL);
	WRITE_ONCE(pm_test_stopped, NULL);
}

/* ---- clobbering -------------------------------------------------------- */

/**
 * pm_test_clobber() - damage each byte of a field in turn
 * @t: the case
 * @flip: bits of the byte that change; in a bitmap one, for as many bits
 *	might be set before and after
 * @what: name of the field
 * @field: where it is
 * @size: bytes it has
 * @fault: the validator that is to notice
 * @object: what to give to it
 *
 * Context: whatever lock the validator wants is held.
 */
void pm_test_clobber(struct pm_test *t, u8 flip, const char *what, void *field,
		     size_t size, const char *(*fault)(const void *),
		     const void *object)
{
	volatile u8 *bytes = field;
	const char *said;
	size_t i;

	said = fault(object);
	if (said)
		pm_test_fail(t, __FILE__, __LINE__, "%s: whole, yet: %s", what,
			     said);
	for (i = 0; i < size; i++) {
		bytes[i] ^= flip;
		said = fault(object);
		bytes[i] ^= flip;
		if (!said)
			pm_test_fail(t, __FILE__, __LINE__,
				     "byte %zu of %s was clobbered, not noticed",
				     i, what);
	}
	said = fault(object);
	if (said)
		pm_test_fail(t, __FILE__, __LINE__, "%s: restored, yet: %s",
			     what, said);
}

/* ---- crowds ------------------------------------------------------------ */

/**
 * pm_test_meet() - wait until all threads of a crowd are here
 * @met: 0 at first, and touched by nobody else
 * @nr: how many they are
 *
 * Orders all that was before in any of them before all that comes after.
 */
void pm_test_meet(atomic_long_t *met, unsigned int nr)
{
	long all = atomic_long_inc_return(met) + nr - 1;

	all -= all % nr;
	while (atomic_long_add_return(0, met) < all)
		pm_test_pause();
}

struct pm_test_member {
	struct pm_thread thread;
	struct pm_test_crowd *crowd;
	unsigned int n;
};

static void pm_test_member_main(void *arg)
{
	struct pm_test_member *member = arg;

	member->crowd->fn(member->crowd, member->n);
}

/**
 * pm_test_crowd_run() - run some threads and wait for their end
 * @crowd: @fn, @arg, @nr and @t are set
 * @meanwhile: what the caller does while they run, or NULL
 *
 * Return: whether all threads could be started.
 */
bool pm_test_crowd_run(struct pm_test_crowd *crowd,
		       void (*meanwhile)(struct pm_test_crowd *crowd))
{
	size_t bytes = crowd->nr * sizeof(struct pm_test_member);
	struct pm_test_member *members = pm_test_zalloc(bytes);
	unsigned int n = 0;

	if (!PM_EXPECT(crowd->t, members))
		return false;
	crowd->until = pm_host_clock_ns() + crowd->t->ns;
	crowd->stop = false;
	for (; n < crowd->nr; n++) {
		members[n].crowd = crowd;
		members[n].n = n;
		if (!pm_thread_start(&members[n].thread, pm_test_member_main,
				     &members[n])) {
			pm_test_fail(crowd->t, __FILE__, __LINE__,
				     "thread %u did not start", n);
			WRITE_ONCE(crowd->stop, true);
			break;
		}
	}
	if (meanwhile)
		meanwhile(crowd);
	while (n--)
		pm_thread_join(&members[n].thread);
	pm_test_release(members, bytes);
	return !crowd->stop;
}

/* ---- objects that are looked at ---------------------------------------- */

/**
 * pm_test_take() - allocate an object and fill it
 * @obj: where it is noted
 * @size: its bytes
 * @tag: what it is filled by
 *
 * Return: false when there is no memory; then @obj->p is NULL.
 */
bool pm_test_take(struct pm_test_object *obj, size_t size, u64 tag)
{
	obj->p = pm_malloc(size);
	obj->size = size;
	obj->tag = tag;
	if (obj->p)
		pm_test_fill(obj->p, size, tag);
	return obj->p;
}

/**
 * pm_test_give() - look whether an object is as it was filled, and free it
 * @t: the case
 * @obj: where it is noted; NULL there is fine
 */
void pm_test_give(struct pm_test *t, struct pm_test_object *obj)
{
	if (!obj->p)
		return;
	PM_EXPECT(t, pm_test_filled(obj->p, obj->size, obj->tag));
	pm_free(obj->p);
	obj->p = NULL;
}

/**
 * pm_test_churn() - a thread of a crowd takes and gives objects at random
 * @crowd: the crowd
 * @n: which thread of it
 * @size: bytes of the next one
 *
 * A request may be refused.
 */
void pm_test_churn(struct pm_test_crowd *crowd, unsigned int n,
		   size_t (*size)(struct pm_rnd *rnd))
{
	struct pm_test_object own[64] = { };
	struct pm_rnd rnd;
	unsigned int i;

	pm_rnd_init(&rnd, crowd->t->seed, n + 1);
	while (!pm_test_crowd_done(crowd)) {
		i = pm_rnd_below(&rnd, ARRAY_SIZE(own));
		if (own[i].p)
			pm_test_give(crowd->t, &own[i]);
		else
			pm_test_take(&own[i], size(&rnd), pm_rnd_next(&rnd));
		pm_test_yield();
	}
	for (i = 0; i < ARRAY_SIZE(own); i++)
		pm_test_give(crowd->t, &own[i]);
}
