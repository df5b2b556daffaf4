// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Caches: what they hand out, what they keep between a free and the next
 * allocation, and what is left of one that is destroyed: nothing.
 */
#include "pm_test.h"
#include "api/cache.h"
#include "api/stats.h"
#include "base/options.h"
#include "front/magazine.h"

#define CACHE_OBJECTS	600

static void *cache_objs[CACHE_OBJECTS];

static struct pm_cache *cache_make(const char *name, size_t size,
				   void (*ctor)(void *obj))
{
	return pm_cache_create(name, size, 0, 0, ctor);
}

/* @n objects into cache_objs; how many there were. */
static unsigned int cache_take(struct pm_cache *cache, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		cache_objs[i] = pm_cache_alloc(cache);
		if (!cache_objs[i])
			break;
	}
	return i;
}

static void cache_give(struct pm_cache *cache, unsigned int n)
{
	while (n--)
		pm_cache_free(cache, cache_objs[n]);
}

/* ---- sizes ------------------------------------------------------------- */

/* Objects of any size are apart from each other, and come back. */
static void cache_sizes(struct pm_test *t)
{
	struct pm_cache *cache;
	unsigned int i, n;
	size_t size;

	for (size = 1; size <= PM_SMALL_MAX; size += 1 + size / 9) {
		cache = cache_make("sizes", size, NULL);
		PM_REQUIRE(t, cache);
		n = cache_take(cache, 20);
		PM_EXPECT_EQ(t, n, 20);
		for (i = 0; i < n; i++)
			pm_test_fill(cache_objs[i], size, size + i);
		for (i = 0; i < n; i++) {
			PM_EXPECT(t, IS_ALIGNED((unsigned long)cache_objs[i],
						16));
			PM_EXPECT(t, pm_test_filled(cache_objs[i], size,
						    size + i));
		}
		cache_give(cache, n);
		PM_EXPECT_EQ(t, pm_cache_destroy(cache), 0);
	}
}

/* Of all addresses in a slab those of its objects are taken for such. */
static void cache_starts(struct pm_test *t)
{
	const struct pm_class *c;
	struct pm_cache *cache;
	unsigned long offset, end;
	bool is_start;
	size_t size;

	for (size = 16; size <= PM_SMALL_MAX; size += 16) {
		cache = cache_make("starts", size, NULL);
		PM_REQUIRE(t, cache);
		c = &pm_classes[cache->class];
		end = (unsigned long)c->capacity * size;
		PM_EXPECT_EQ(t, c->size, size);
		PM_EXPECT(t, end <= c->units * PM_UNIT_SIZE);
		PM_EXPECT(t, end + size > c->units * PM_UNIT_SIZE);
		PM_EXPECT(t, c->capacity <= PM_SLAB_MAX_OBJECTS);
		for (offset = 0; offset < c->units * PM_UNIT_SIZE; offset += 8) {
			is_start = pm_cache_is_start(cache, cache->class,
						     (void *)offset);
			if (is_start != (offset < end && !(offset % size)) ||
			    pm_class_index(cache->class, offset) != offset / size)
				pm_test_fail(t, __FILE__, __LINE__,
					     "size %zu, offset %lu", size,
					     offset);
		}
		PM_EXPECT_EQ(t, pm_cache_destroy(cache), 0);
	}
}

static void cache_ctor_none(void *obj)
{
}

static void cache_align(struct pm_test *t)
{
	struct pm_cache *cache;
	unsigned int i, n;
	size_t align;

	for (align = 1; align <= 16384; align *= 2) {
		cache = pm_cache_create("align", 40, align, 0,
					align % 3 == 1 ? cache_ctor_none : NULL);
		PM_REQUIRE(t, cache);
		n = cache_take(cache, 30);
		PM_EXPECT_EQ(t, n, 30);
		for (i = 0; i < n; i++)
			PM_EXPECT(t, IS_ALIGNED((unsigned long)cache_objs[i],
						align));
		cache_give(cache, n);
		PM_EXPECT_EQ(t, pm_cache_destroy(cache), 0);
	}
	cache = pm_cache_create("lines", 40, 0, PM_CACHE_HWALIGN, NULL);
	PM_REQUIRE(t, cache);
	n = cache_take(cache, 30);
	for (i = 0; i < n; i++)
		PM_EXPECT(t, IS_ALIGNED((unsigned long)cache_objs[i],
					SMP_CACHE_BYTES));
	cache_give(cache, n);
	PM_EXPECT_EQ(t, pm_cache_destroy(cache), 0);
}

/* What makes no sense, and what is too much. */
static void cache_refused(struct pm_test *t)
{
	static struct pm_cache *all[PM_CACHES_MAX + 1];
	unsigned int n, i;

	PM_EXPECT(t, !pm_cache_create(NULL, 16, 0, 0, NULL));
	PM_EXPECT(t, !pm_cache_create("", 16, 0, 0, NULL));
	PM_EXPECT(t, !pm_cache_create("none", 0, 0, 0, NULL));
	PM_EXPECT(t, !pm_cache_create("odd", 16, 24, 0, NULL));
	PM_EXPECT(t, !pm_cache_create("far", 16, 32768, 0, NULL));
	PM_EXPECT(t, !pm_cache_create("flag", 16, 0, 64, NULL));
	PM_EXPECT(t, !pm_cache_create("both", 16, 0, PM_CACHE_ZERO,
				      cache_ctor_none));
	PM_EXPECT(t, !pm_cache_create("large", 32769, 0, 0, NULL));
	PM_EXPECT(t, !pm_cache_create("large", ~0UL, 0, 0, NULL));
	PM_EXPECT(t, !pm_cache_create("large", 32768 - 15, 0, 0,
				      cache_ctor_none));
	for (n = 0; n < ARRAY_SIZE(all); n++) {
		all[n] = cache_make("many", 16 + 16 * n, NULL);
		if (!all[n])
			break;
		cache_objs[n] = pm_cache_alloc(all[n]);
		PM_EXPECT(t, cache_objs[n]);
	}
	PM_EXPECT(t, n > 0 && n <= PM_CACHES_MAX);
	for (i = 0; i < n; i++) {
		pm_cache_free(all[i], cache_objs[i]);
		PM_EXPECT_EQ(t, pm_cache_destroy(all[i]), 0);
	}
	pm_cache_free(all[0], NULL);
	PM_EXPECT_EQ(t, pm_cache_destroy(NULL), 0);
}

/* ---- state ------------------------------------------------------------- */

struct cache_thing {
	u64 magic;
	void *self;
	u64 uses;
};

#define CACHE_MAGIC	0x6d6167696bULL

static atomic_long_t cache_made;

static void cache_construct(void *obj)
{
	struct cache_thing *thing = obj;

	memset(thing, 0x5a, sizeof(*thing));
	thing->magic = CACHE_MAGIC;
	thing->self = thing;
	thing->uses = 0;
	atomic_long_inc(&cache_made);
}

/* Objects are taken and given back, five times. Return: how often they came back. */
static u64 cache_use_things(struct pm_test *t, struct pm_cache *cache)
{
	unsigned int round, i, n;
	struct cache_thing *thing;
	u64 uses = 0;

	for (round = 1; round <= 5; round++) {
		n = cache_take(cache, CACHE_OBJECTS);
		PM_EXPECT_EQ(t, n, CACHE_OBJECTS);
		for (i = 0; i < n; i++) {
			thing = cache_objs[i];
			PM_EXPECT_EQ(t, thing->magic, CACHE_MAGIC);
			PM_EXPECT(t, thing->self == thing);
			thing->uses++;
		}
		if (round == 5)
			for (i = 0; i < n; i++)
				uses += ((struct cache_thing *)cache_objs[i])->uses;
		cache_give(cache, n);
	}
	PM_EXPECT(t, uses <= 5 * CACHE_OBJECTS);
	return uses;
}

/* Every object is constructed once, and is handed out as it came back. */
static void cache_ctor(struct pm_test *t)
{
	struct pm_cache *cache = cache_make("things", sizeof(struct cache_thing),
					    cache_construct);
	unsigned int tries, n;
	bool kept = false;
	u64 uses;

	PM_REQUIRE(t, cache);
	/* A CPU that goes offline takes its magazine and its arena along. */
	for (tries = 0; tries < 50 && !kept; tries++) {
		pm_cache_shrink(cache);
		atomic_long_set(&cache_made, 0);
		uses = cache_use_things(t, cache);
		PM_EXPECT(t, atomic_long_read(&cache_made) >= CACHE_OBJECTS);
		/* Slabs go back at once where nothing lies in between. */
		kept = !pm_options.magazine ||
		       (uses > 2 * CACHE_OBJECTS &&
			atomic_long_read(&cache_made) < 3 * CACHE_OBJECTS &&
			pm_cache_shrink(cache) > 0);
	}
	PM_EXPECT(t, kept);
	/* With its memory it loses its state. */
	pm_cache_shrink(cache);
	atomic_long_set(&cache_made, 0);
	n = cache_take(cache, 10);
	PM_EXPECT_EQ(t, atomic_long_read(&cache_made), n);
	cache_give(cache, n);
	PM_EXPECT_EQ(t, pm_cache_destroy(cache), 0);
}

/*
 * The memory of a number's former cache is no object of the present one, whatever
 * marks it has; and what was constructed by another constructor is constructed anew.
 */
static void cache_ctor_again(struct pm_test *t)
{
	struct pm_cache *cache;
	unsigned int round, i, n;

	for (round = 0; round < 20; round++) {
		cache = cache_make("again", 24 + 16 * (round % 3),
				   round & 1 ? cache_construct : NULL);
		PM_REQUIRE(t, cache);
		atomic_long_set(&cache_made, 0);
		n = cache_take(cache, 300);
		PM_EXPECT_EQ(t, n, 300);
		PM_EXPECT_EQ(t, atomic_long_read(&cache_made),
			     round & 1 ? n : 0);
		for (i = 0; i < n; i++)
			memset(cache_objs[i], 0xff, 24);
		cache_give(cache, n);
		PM_EXPECT_EQ(t, pm_cache_destroy(cache), 0);
	}
}

static struct pm_cache *cache_outer;
static unsigned int cache_depth;
static void *cache_inner[2];

/* Takes another object of the same cache, and one of another size. */
static void cache_construct_more(void *obj)
{
	if (cache_depth++)
		return;
	cache_inner[0] = pm_cache_alloc(cache_outer);
	cache_inner[1] = pm_malloc(4000);
}

static void cache_ctor_allocates(struct pm_test *t)
{
	void *p;

	cache_depth = 0;
	cache_outer = cache_make("outer", 64, cache_construct_more);
	PM_REQUIRE(t, cache_outer);
	p = pm_cache_alloc(cache_outer);
	PM_EXPECT(t, p && cache_inner[0] && p != cache_inner[0]);
	PM_EXPECT(t, cache_inner[1]);
	pm_cache_free(cache_outer, p);
	pm_cache_free(cache_outer, cache_inner[0]);
	pm_free(cache_inner[1]);
	PM_EXPECT_EQ(t, pm_cache_destroy(cache_outer), 0);
}

static void cache_zero(struct pm_test *t)
{
	struct pm_cache *cache = pm_cache_create("zero", 100, 0, PM_CACHE_ZERO,
						 NULL);
	unsigned int round, i, n;

	PM_REQUIRE(t, cache);
	for (round = 0; round < 3; round++) {
		n = cache_take(cache, 200);
		for (i = 0; i < n; i++) {
			PM_EXPECT(t, pm_test_is_zero(cache_objs[i], 100));
			memset(cache_objs[i], 0xee, 100);
		}
		cache_give(cache, n);
	}
	PM_EXPECT_EQ(t, pm_cache_destroy(cache), 0);
}

/* ---- shrunk and destroyed ---------------------------------------------- */

/* Memory without objects in use goes, objects in use stay as they are. */
static void cache_shrink(struct pm_test *t)
{
	struct pm_cache *cache = cache_make("shrink", 1000, NULL);
	struct pm_class_figures fig;
	unsigned int i, n;
	size_t bytes;

	PM_REQUIRE(t, cache);
	n = cache_take(cache, CACHE_OBJECTS);
	PM_EXPECT_EQ(t, n, CACHE_OBJECTS);
	pm_test_fill(cache_objs[0], 1000, 7);
	for (i = 1; i < n; i++)
		pm_cache_free(cache, cache_objs[i]);
	bytes = pm_cache_shrink(cache);
	PM_EXPECT(t, bytes > 0 || !pm_options.magazine);
	PM_EXPECT(t, bytes % PM_UNIT_SIZE == 0);
	pm_class_figures(cache->class, &fig);
	PM_EXPECT_EQ(t, fig.out, 1);
	PM_EXPECT_EQ(t, fig.magazine, 0);
	PM_EXPECT_EQ(t, fig.depot, 0);
	PM_EXPECT(t, pm_test_filled(cache_objs[0], 1000, 7));
	PM_EXPECT_EQ(t, pm_cache_shrink(cache), 0);
	pm_cache_free(cache, cache_objs[0]);
	PM_EXPECT(t, pm_cache_shrink(cache) > 0);
	PM_EXPECT_EQ(t, pm_cache_destroy(cache), 0);
}

/* One in use holds a cache, which then is as it was. */
static void cache_leak(struct pm_test *t)
{
	struct pm_cache *cache = cache_make("kept", 72, cache_construct);
	unsigned int i, n;

	PM_REQUIRE(t, cache);
	n = cache_take(cache, 50);
	PM_EXPECT_EQ(t, n, 50);
	PM_EXPECT_EQ(t, pm_cache_destroy(cache), (u64)-EBUSY);
	for (i = 3; i < n; i++)
		pm_cache_free(cache, cache_objs[i]);
	PM_EXPECT_EQ(t, pm_cache_destroy(cache), (u64)-EBUSY);
	n = 3 + cache_take(cache, 0);
	cache_objs[n] = pm_cache_alloc(cache);
	PM_EXPECT(t, cache_objs[n]);
	cache_give(cache, n + 1);
	PM_EXPECT_EQ(t, pm_cache_destroy(cache), 0);
}

/* Free objects are in magazines of all CPUs and in depots of several arenas. */
static void cache_spread_main(void *arg)
{
	struct pm_cache *cache = arg;
	void *objs[200];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(objs); i++)
		objs[i] = pm_cache_alloc(cache);
	for (i = 0; i < ARRAY_SIZE(objs); i++)
		pm_cache_free(cache, objs[i]);
}

static void cache_spread(struct pm_test *t)
{
	struct pm_cache *cache;
	unsigned int cpu, round;

	for (round = 0; round < 10; round++) {
		cache = cache_make("spread", 48 + 64 * round, NULL);
		PM_REQUIRE(t, cache);
		for (cpu = 0; cpu < pm_test_cpus(); cpu++) {
			pm_test_pin(cpu);
			pm_test_pick(pm_test_id(cpu % 2));
			cache_spread_main(cache);
		}
		pm_test_unpin();
		PM_EXPECT_EQ(t, pm_cache_destroy(cache), 0);
	}
}

/* Objects came back while their arena's lock was held: nothing is lost. */
static void cache_busy(struct pm_test *t)
{
	struct pm_cache *cache = cache_make("busy", 96, NULL);
	struct pm_test_holder holder;
	struct pm_arena *arena;
	unsigned int n;

	PM_REQUIRE(t, cache);
	pm_test_pick(pm_test_id(0));
	n = cache_take(cache, CACHE_OBJECTS);
	PM_EXPECT_EQ(t, n, CACHE_OBJECTS);
	arena = pm_test_arena(0);
	PM_REQUIRE(t, arena);
	PM_REQUIRE(t, pm_test_hold(&holder, arena));
	cache_give(cache, n);
	pm_test_release_lock(&holder);
	PM_EXPECT_EQ(t, pm_cache_destroy(cache), 0);
}

/* An arena is retired: its heir has the cache's objects. */
static void cache_retire(struct pm_test *t)
{
	struct pm_cache *cache = cache_make("retire", 80, cache_construct);
	struct pm_arena *own, *other;
	unsigned int i, n;

	PM_REQUIRE(t, cache);
	if (pm_test_two_arenas(t, &own, &other)) {
		n = cache_take(cache, 300);
		for (i = 0; i < n; i += 2)
			pm_cache_free(cache, cache_objs[i]);
		PM_EXPECT_EQ(t, pm_arena_retire(own->id), 0);
		for (i = 1; i < n; i += 2) {
			PM_EXPECT_EQ(t, ((struct cache_thing *)cache_objs[i])->magic,
				     CACHE_MAGIC);
			pm_cache_free(cache, cache_objs[i]);
		}
	}
	PM_EXPECT_EQ(t, pm_cache_destroy(cache), 0);
}

/* ---- figures ----------------------------------------------------------- */

static bool cache_report_has(bool json, const char *text)
{
	size_t size = pm_report(NULL, 0, json) + 4096, i, len = strlen(text);
	char *buf = pm_test_zalloc(size);
	bool found = false;

	if (!buf)
		return false;
	pm_report(buf, size, json);
	for (i = 0; buf[i] && !found; i++)
		found = !strncmp(buf + i, text, len);
	pm_test_release(buf, size);
	return found;
}

static void cache_figures(struct pm_test *t)
{
	struct pm_cache *cache = cache_make("fig\"ures\n", 200, NULL);
	struct pm_class_figures fig;
	unsigned int n;

	PM_REQUIRE(t, cache);
	n = cache_take(cache, 100);
	pm_class_figures(cache->class, &fig);
	PM_EXPECT_EQ(t, pm_class_live(&fig), n);
	PM_EXPECT(t, fig.taken >= n);
	PM_EXPECT(t, cache_report_has(false, "fig_ures_ "));
	PM_EXPECT(t, cache_report_has(true,
				      "\"cache\":\"fig_ures_\",\"object_size\":200"));
	cache_give(cache, n);
	pm_class_figures(cache->class, &fig);
	PM_EXPECT_EQ(t, pm_class_live(&fig), 0);
	PM_EXPECT_EQ(t, pm_cache_destroy(cache), 0);
	PM_EXPECT(t, !cache_report_has(false, "fig_ures_"));
	/* The number's next user begins at 0. */
	cache = cache_make("next", 32, NULL);
	PM_REQUIRE(t, cache);
	pm_class_figures(cache->class, &fig);
	PM_EXPECT_EQ(t, fig.taken, 0);
	PM_EXPECT_EQ(t, fig.out, 0);
	PM_EXPECT_EQ(t, pm_cache_destroy(cache), 0);
}

/* ---- misuse ------------------------------------------------------------ */

struct cache_pair {
	struct pm_cache *mine;
	struct pm_cache *other;
};

static struct cache_pair cache_pair;

static void *cache_other_obj(void)
{
	return pm_cache_alloc(cache_pair.other);
}

static void misuse_foreign_cache(void *arg)
{
	void *p = cache_other_obj();

	pm_cache_free(cache_pair.mine, p);
	pm_cache_free(cache_pair.other, p);
}

static void misuse_foreign_class(void *arg)
{
	void *p = pm_malloc(100);

	pm_cache_free(cache_pair.mine, p);
	pm_free(p);
}

static void misuse_foreign_stack(void *arg)
{
	static u64 words[16];

	pm_cache_free(cache_pair.mine, words);
}

static void misuse_free(void *arg)
{
	void *p = cache_other_obj();

	pm_free(p);
	pm_cache_free(cache_pair.other, p);
}

static void misuse_free_constructed(void *arg)
{
	void *p = pm_cache_alloc(cache_pair.mine);

	pm_free(p);
	pm_cache_free(cache_pair.mine, p);
}

static void misuse_free_lock(void *arg)
{
	void *p = cache_other_obj();

	pm_free_lock(p);
	pm_cache_free(cache_pair.other, p);
}

static void misuse_free_sized(void *arg)
{
	void *p = cache_other_obj();

	pm_free_sized(p, 48);
	pm_cache_free(cache_pair.other, p);
}

static void misuse_realloc(void *arg)
{
	void *p = cache_other_obj();

	pm_realloc(p, 1000);
	pm_cache_free(cache_pair.other, p);
}

static void misuse_usable(void *arg)
{
	void *p = cache_other_obj();

	pm_usable_size(p);
	pm_cache_free(cache_pair.other, p);
}

static void misuse_twice(void *arg)
{
	void *p = pm_cache_alloc(cache_pair.mine);

	pm_cache_free(cache_pair.mine, p);
	pm_cache_free(cache_pair.mine, p);
}

static void misuse_inside(void *arg)
{
	char *p = pm_cache_alloc(cache_pair.mine);

	pm_cache_free(cache_pair.mine, p + 8);
	pm_cache_free(cache_pair.mine, p);
}

static void misuse_destroyed(void *arg)
{
	pm_cache_destroy(arg);
}

static void misuse_alloc_destroyed(void *arg)
{
	pm_cache_alloc(arg);
}

static void cache_misuse(struct pm_test *t)
{
	struct pm_cache *gone = cache_make("gone", 48, NULL);

	cache_pair.mine = cache_make("mine", 48, cache_construct);
	cache_pair.other = cache_make("other", 48, NULL);
	PM_REQUIRE(t, gone && cache_pair.mine && cache_pair.other);
	PM_EXPECT_EQ(t, pm_cache_destroy(gone), 0);
	pm_test_pin(0);
	pm_test_misuse(t, misuse_foreign_cache, NULL,
		       "not of cache \"mine\": object of cache \"other\" (48 bytes");
	pm_test_misuse(t, misuse_foreign_class, NULL,
		       "not of cache \"mine\": object of 112 bytes (class 7)");
	pm_test_misuse(t, misuse_foreign_stack, NULL, "not a pmalloc object");
	pm_test_misuse(t, misuse_free, NULL,
		       "only pm_cache_free() may have it: object of cache \"other\"");
	pm_test_misuse(t, misuse_free_constructed, NULL,
		       "only pm_cache_free() may have it: object of cache \"mine\"");
	pm_test_misuse(t, misuse_free_lock, NULL, "of cache \"other\"");
	pm_test_misuse(t, misuse_free_sized, NULL, "of cache \"other\"");
	pm_test_misuse(t, misuse_realloc, NULL, "pm_realloc(0x");
	pm_test_misuse(t, misuse_usable, NULL, "pm_usable_size(0x");
	pm_test_misuse(t, misuse_twice, NULL,
		       "double free: object of cache \"mine\"");
	pm_test_misuse(t, misuse_inside, NULL,
		       "inside an object of cache \"mine\"");
	pm_test_misuse(t, misuse_inside, NULL, ", 8 bytes after its start");
	pm_test_misuse(t, misuse_destroyed, gone, "no cache, or it was destroyed");
	pm_test_misuse(t, misuse_alloc_destroyed, gone,
		       "no cache, or it was destroyed");
	pm_test_unpin();
	PM_EXPECT_EQ(t, pm_cache_destroy(cache_pair.mine), 0);
	PM_EXPECT_EQ(t, pm_cache_destroy(cache_pair.other), 0);
}

/* ---- all at once ------------------------------------------------------- */

#define CACHE_STRESS_SLOTS	256
#define CACHE_STRESS_CACHES	3

static const size_t cache_stress_size[CACHE_STRESS_CACHES] = { 40, 200, 3000 };

struct cache_stress {
	struct pm_cache *cache[CACHE_STRESS_CACHES];
	struct cache_thing *slot[CACHE_STRESS_CACHES][CACHE_STRESS_SLOTS];
	atomic_long_t taken;
	atomic_long_t freed;
};

static struct cache_stress cache_stress_env;

static void cache_stress_give(struct pm_test *t, struct cache_stress *env,
			      unsigned int which, struct cache_thing *thing)
{
	if (!thing)
		return;
	PM_EXPECT_EQ(t, thing->uses, 1);
	PM_EXPECT(t, thing->self == thing);
	thing->uses = 0;
	pm_cache_free(env->cache[which], thing);
	atomic_long_inc(&env->freed);
}

static void cache_stress_step(struct pm_test *t, struct cache_stress *env,
			      struct pm_rnd *rnd)
{
	unsigned int which = pm_rnd_below(rnd, CACHE_STRESS_CACHES);
	struct cache_thing *thing = NULL, **slot;

	slot = &env->slot[which][pm_rnd_below(rnd, CACHE_STRESS_SLOTS)];
	if (pm_rnd_below(rnd, 2)) {
		thing = pm_cache_alloc(env->cache[which]);
		if (!PM_EXPECT(t, thing))
			return;
		PM_EXPECT_EQ(t, thing->magic, CACHE_MAGIC);
		PM_EXPECT_EQ(t, thing->uses, 0);
		thing->uses = 1;
		atomic_long_inc(&env->taken);
	}
	cache_stress_give(t, env, which, xchg(slot, thing));
}

/* A cache of the thread's own comes and goes: its number is soon another's. */
static void cache_stress_own(struct pm_test *t, struct pm_rnd *rnd)
{
	size_t size = 1 + pm_rnd_below(rnd, 2000);
	struct pm_cache *cache = cache_make("own", size, NULL);
	unsigned int i, n = 1 + pm_rnd_below(rnd, 64);
	void *objs[64];

	if (!PM_EXPECT(t, cache))
		return;
	for (i = 0; i < n; i++) {
		objs[i] = pm_cache_alloc(cache);
		if (PM_EXPECT(t, objs[i]))
			pm_test_fill(objs[i], size, i);
	}
	for (i = 0; i < n; i++) {
		PM_EXPECT(t, pm_test_filled(objs[i], size, i));
		pm_cache_free(cache, objs[i]);
	}
	PM_EXPECT_EQ(t, pm_cache_destroy(cache), 0);
}

static void cache_stress_main(struct pm_test_crowd *crowd, unsigned int n)
{
	struct cache_stress *env = crowd->arg;
	unsigned int steps;
	struct pm_rnd rnd;

	pm_rnd_init(&rnd, crowd->t->seed, n + 1);
	for (steps = 1; !pm_test_crowd_done(crowd); steps++) {
		cache_stress_step(crowd->t, env, &rnd);
		if (steps % 512 == 0 && n < 3)
			cache_stress_own(crowd->t, &rnd);
		if (steps % 512 == 256 && n == 3)
			pm_cache_shrink(env->cache[steps % CACHE_STRESS_CACHES]);
		if (steps % 2048 == 0 && n == 4)
			pm_trim();
		if (steps % 64 == 0 && n % 2)
			pm_test_pin(pm_rnd_next(&rnd) >> 40);
		pm_test_yield();
	}
	pm_test_unpin();
}

static void cache_stress_look(struct pm_test_crowd *crowd)
{
	while (!pm_test_crowd_done(crowd)) {
		pm_report(NULL, 0, true);
		pm_report(NULL, 0, false);
		pm_test_sleep_ms(5);
	}
}

/* More threads than CPUs; at the end all that was taken came back. */
static void cache_stress(struct pm_test *t)
{
	struct cache_stress *env = &cache_stress_env;
	struct pm_test_crowd crowd = {
		.t = t, .fn = cache_stress_main, .arg = env,
		.nr = 3 * min_t(unsigned int, pm_test_cpus(), 8) + 1,
	};
	unsigned int which, i;

	memset(env, 0, sizeof(*env));
	WRITE_ONCE(pm_options.decay_ms, 20);
	for (which = 0; which < CACHE_STRESS_CACHES; which++) {
		env->cache[which] = cache_make("stress",
					       cache_stress_size[which],
					       cache_construct);
		PM_REQUIRE(t, env->cache[which]);
	}
	pm_test_crowd_run(&crowd, cache_stress_look);
	for (which = 0; which < CACHE_STRESS_CACHES; which++) {
		for (i = 0; i < CACHE_STRESS_SLOTS; i++)
			cache_stress_give(t, env, which, env->slot[which][i]);
		PM_EXPECT_EQ(t, pm_cache_destroy(env->cache[which]), 0);
	}
	PM_EXPECT(t, atomic_long_read(&env->taken) > 0);
	PM_EXPECT_EQ(t, atomic_long_read(&env->taken),
		     atomic_long_read(&env->freed));
}

static const struct pm_test_case cache_cases[] = {
	PM_CASE(cache, sizes),
	PM_CASE(cache, starts),
	PM_CASE(cache, align),
	PM_CASE(cache, refused),
	PM_CASE(cache, ctor),
	PM_CASE(cache, ctor_again),
	PM_CASE(cache, ctor_allocates),
	PM_CASE(cache, zero),
	PM_CASE(cache, shrink),
	PM_CASE(cache, leak),
	PM_CASE(cache, spread),
	PM_CASE(cache, busy),
	PM_CASE(cache, retire),
	PM_CASE(cache, figures),
	PM_CASE(cache, misuse),
	PM_CASE(cache, stress),
};
PM_SUITE(cache);
