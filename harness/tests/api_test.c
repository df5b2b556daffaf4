// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The public interface: C's rules at the edges, and what happens to those
 * who break them.
 */
#include "pm_test.h"
#include "back/large.h"
#include "front/magazine.h"
#include "back/pagemap.h"

static void api_null(struct pm_test *t)
{
	pm_free(NULL);
	pm_free_sized(NULL, 0);
	pm_free_sized(NULL, 100);
	PM_EXPECT_EQ(t, pm_usable_size(NULL), 0);
	PM_EXPECT(t, !pm_realloc(pm_realloc(NULL, 100), 0));
}

/* Zero bytes are an object, and each one another. */
static void api_zero(struct pm_test *t)
{
	void *a = pm_malloc(0), *b = pm_malloc(0), *c = pm_calloc(0, 8);
	void *d = pm_calloc(8, 0), *e = pm_aligned_alloc(64, 0);
	void *f = pm_realloc(NULL, 0);

	PM_EXPECT(t, a && b && c && d && e && f);
	PM_EXPECT(t, a != b && b != c && c != d && d != e && e != f && a != f);
	pm_free(a);
	pm_free(b);
	pm_free(c);
	pm_free(d);
	pm_free(e);
	pm_free(f);
}

static void api_huge(struct pm_test *t)
{
	static const size_t huge[] = {
		~0UL, ~0UL - 1, ~0UL - 15, ~0UL - 4095, ~0UL - 4096,
		(~0UL >> 1) + 1, ~0UL >> 1, 1UL << 63, (1UL << 63) - 4096,
	};
	void *p = pm_malloc(100), *q;
	unsigned int i;

	PM_REQUIRE(t, p);
	pm_test_fill(p, 100, 1);
	for (i = 0; i < ARRAY_SIZE(huge); i++) {
		PM_EXPECT(t, !pm_malloc(huge[i]));
		PM_EXPECT(t, !pm_calloc(1, huge[i]));
		PM_EXPECT(t, !pm_calloc(huge[i], 1));
		PM_EXPECT(t, !pm_aligned_alloc(16, huge[i]));
		PM_EXPECT(t, !pm_aligned_alloc(1UL << 16, huge[i]));
		q = pm_realloc(p, huge[i]);
		PM_EXPECT(t, !q);
		PM_EXPECT(t, pm_test_filled(p, 100, 1));
	}
	pm_free(p);
}

static void api_overflow(struct pm_test *t)
{
	PM_EXPECT(t, !pm_calloc(1UL << 32, 1UL << 32));
	PM_EXPECT(t, !pm_calloc((1UL << 32) + 1, 1UL << 32));
	PM_EXPECT(t, !pm_calloc(~0UL, ~0UL));
	PM_EXPECT(t, !pm_calloc(~0UL, 2));
	PM_EXPECT(t, !pm_calloc(2, ~0UL));
	PM_EXPECT(t, !pm_calloc(~0UL / 8 + 2, 8));
}

static void api_alignment(struct pm_test *t)
{
	size_t align, size;
	void *p;

	for (size = 0; size <= 4096; size++) {
		p = pm_malloc(size);
		if (!PM_EXPECT(t, p) ||
		    !PM_EXPECT(t, IS_ALIGNED((unsigned long)p, 16)))
			return;
		pm_free(p);
	}
	for (align = 1; align <= 1UL << 16; align *= 2) {
		for (size = 1; size <= 40000; size += size / 2 + 1) {
			p = pm_aligned_alloc(align, size);
			if (!PM_EXPECT(t, p))
				return;
			PM_EXPECT(t, IS_ALIGNED((unsigned long)p, align));
			PM_EXPECT(t, pm_usable_size(p) >= size);
			pm_free(p);
		}
		PM_EXPECT(t, !pm_aligned_alloc(align * 3, 8));
		pm_test_yield();
	}
	PM_EXPECT(t, !pm_aligned_alloc(0, 8));
	PM_EXPECT(t, !pm_aligned_alloc(~0UL, 8));
}

/* All that is usable is the caller's, to the last byte. */
static void api_usable(struct pm_test *t)
{
	char *p[3];
	size_t size, usable;
	unsigned int i;

	for (size = 0; size <= 40000; size += 1 + size / 64) {
		for (i = 0; i < 3; i++) {
			p[i] = pm_malloc(size);
			if (!PM_EXPECT(t, p[i]))
				return;
			usable = pm_usable_size(p[i]);
			if (size <= PM_SMALL_MAX)
				PM_EXPECT_EQ(t, usable,
					     pm_classes[pm_class_of(size)].size);
			PM_EXPECT(t, usable >= size);
			pm_test_fill(p[i], usable, size + i);
		}
		for (i = 0; i < 3; i++) {
			PM_EXPECT(t, pm_test_filled(p[i], pm_usable_size(p[i]),
						    size + i));
			pm_free(p[i]);
		}
	}
}

static void api_calloc(struct pm_test *t)
{
	size_t size;
	char *p;

	for (size = 1; size <= 70000; size += 1 + size / 8) {
		/* Memory that has been used before. */
		p = pm_malloc(size);
		PM_REQUIRE(t, p);
		memset(p, 0xff, pm_usable_size(p));
		pm_free(p);
		p = pm_calloc(1, size);
		PM_REQUIRE(t, p);
		PM_EXPECT(t, pm_test_is_zero(p, size));
		pm_free(p);
		p = pm_calloc(size, 3);
		PM_REQUIRE(t, p);
		PM_EXPECT(t, pm_test_is_zero(p, size * 3));
		pm_free(p);
	}
}

/*
 * Objects start as zeroes, or are cleared when they are freed, where the
 * host's init_on_alloc and init_on_free ask for that; calloc's start as zeroes
 * everywhere. Each has been written to before.
 */
static void api_init(struct pm_test *t)
{
	static const size_t sizes[] = { 16, 100, 2048, 30000, 100000, 500000 };
	unsigned int i, round;
	size_t usable;
	u64 *p;

	for (i = 0; i < 3 * ARRAY_SIZE(sizes); i++) {
		round = i % 3;
		p = round == 2 ? pm_calloc(1, sizes[i / 3]) :
				 pm_malloc(sizes[i / 3]);
		PM_REQUIRE(t, p);
		usable = pm_usable_size(p);
		if (want_init_on_alloc(0))
			PM_EXPECT(t, pm_test_is_zero(p, usable));
		else if (round == 2)
			PM_EXPECT(t, pm_test_is_zero(p, sizes[i / 3]));
		pm_test_fill(p, usable, 0xa5);
		pm_free(p);
		/* Its second word is the mark, as long as it is free. */
		if (want_init_on_free() && usable <= PM_SMALL_MAX &&
		    pm_is_marked(p)) {
			PM_EXPECT_EQ(t, p[0], 0);
			PM_EXPECT(t, pm_test_is_zero(p + 2, usable - 16));
		}
	}
}

/* Any size to any size: what fits of the content stays. */
static void api_realloc(struct pm_test *t)
{
	size_t size, next, keep;
	unsigned int i;
	char *p, *q;

	for (i = 0; i < 2000; i++) {
		size = 1 + pm_rnd_below(&t->rnd, 1 << pm_rnd_below(&t->rnd, 18));
		next = 1 + pm_rnd_below(&t->rnd, 1 << pm_rnd_below(&t->rnd, 18));
		p = pm_malloc(size);
		PM_REQUIRE(t, p);
		keep = min_t(size_t, size, next);
		pm_test_fill(p, keep, i);
		q = pm_realloc(p, next);
		if (!PM_EXPECT(t, q)) {
			pm_free(p);
			return;
		}
		PM_EXPECT(t, pm_test_filled(q, keep, i));
		PM_EXPECT(t, pm_usable_size(q) >= next);
		pm_test_fill(q, pm_usable_size(q), i);
		pm_free(q);
		if (i % 64 == 0)
			pm_test_yield();
	}
}

static void api_free_sized(struct pm_test *t)
{
	size_t size;
	void *p;

	for (size = 0; size <= 100000; size += 1 + size / 32) {
		p = pm_malloc(size);
		PM_REQUIRE(t, p);
		pm_free_sized(p, size);
	}
}

/* The figures tell of objects that callers hold, to the byte. */
static void api_totals(struct pm_test *t)
{
	struct pm_totals before, now;
	void *small, *large;

	pm_trim();
	pm_get_totals(&before);
	small = pm_malloc(100);
	large = pm_malloc(2000000);
	PM_REQUIRE(t, small && large);
	pm_trim();
	pm_get_totals(&now);
	PM_EXPECT_EQ(t, now.live_objects, before.live_objects + 2);
	PM_EXPECT_EQ(t, now.live, before.live + pm_usable_size(small) +
		     pm_usable_size(large));
	PM_EXPECT_EQ(t, now.large, before.large + pm_usable_size(large));
	PM_EXPECT_EQ(t, now.mapped, now.live + now.magazine + now.depot +
		     now.slab_free + now.heap_free + now.large_cached);
	pm_free(small);
	pm_free(large);
}

/* A report that is cut says how long it would have been. */
static void api_report(struct pm_test *t)
{
	static char buf[256 << 10];
	size_t len, cut;

	PM_REQUIRE(t, pm_test_arena(0));
	len = pm_report(buf, sizeof(buf), false);
	PM_EXPECT(t, len && len < sizeof(buf));
	PM_EXPECT_EQ(t, strlen(buf), len);
	PM_EXPECT(t, strstr(buf, "arena"));
	memset(buf, 'x', 100);
	cut = pm_report(buf, 50, false);
	PM_EXPECT(t, cut >= 50);
	PM_EXPECT_EQ(t, strlen(buf), 49);
	PM_EXPECT_EQ(t, buf[50], 'x');
	PM_EXPECT(t, pm_report(NULL, 0, true) > 50);
	len = pm_report(buf, sizeof(buf), true);
	PM_EXPECT(t, len && len < sizeof(buf));
	PM_EXPECT_EQ(t, buf[0], '{');
	PM_EXPECT_EQ(t, buf[len - 2], '}');
}

/* The report splits memory into its parts, in their order, of which each is known. */
static void api_parts(struct pm_test *t)
{
	static const char *const part[] = {
		"live", "magazine", "depot", "slab_free", "heap_free",
		"large_cached", "meta",
	};
	static char buf[256 << 10];
	void *p = pm_malloc(100);
	const char *at = buf;
	char key[64];
	unsigned int i;

	PM_REQUIRE(t, p);
	PM_REQUIRE(t, pm_report(buf, sizeof(buf), true) < sizeof(buf));
	for (i = 0; i < ARRAY_SIZE(part) && at; i++) {
		scnprintf(key, sizeof(key), "{\"part\":\"%s\",\"bytes\":",
			  part[i]);
		at = strstr(at, key);
		PM_EXPECT(t, at);
	}
	PM_EXPECT(t, strstr(buf, "\"memory_sum\":{\"bytes\":"));
	PM_EXPECT(t, !strstr(buf, "\"resident\":null"));
	PM_REQUIRE(t, pm_report(buf, sizeof(buf), false) < sizeof(buf));
	for (at = buf, i = 0; i < ARRAY_SIZE(part) && at; i++) {
		scnprintf(key, sizeof(key), "\n%-12s ", part[i]);
		at = strstr(at, key);
		PM_EXPECT(t, at);
	}
	pm_free(p);
}

/* ---- misuse ------------------------------------------------------------ */

/*
 * Each function misuses the allocator once and leaves nothing behind where
 * that is survived.
 */
static void misuse_double(void *arg)
{
	void *p = pm_malloc(100);

	pm_free(p);
	pm_free(p);
}

static void misuse_double_later(void *arg)
{
	void *p[70];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = pm_malloc(100);
	for (i = 0; i < ARRAY_SIZE(p); i++)
		pm_free(p[i]);
	pm_free(p[0]);
	/* Found when both copies come home, if nobody took one before. */
	pm_trim();
}

static void misuse_free_main(void *arg)
{
	pm_free(arg);
}

static void misuse_double_thread(void *arg)
{
	struct pm_thread thread;
	void *p = pm_malloc(100);

	if (pm_thread_start(&thread, misuse_free_main, p))
		pm_thread_join(&thread);
	pm_free(p);
	pm_trim();
}

/* The second of its copies to be handed out is nobody's. */
static void misuse_double_taken(void *arg)
{
	void *p = pm_malloc(100), *q = pm_malloc(100), *again[3];
	unsigned int i;

	pm_free(p);
	pm_free(q);
	pm_free(p);
	for (i = 0; i < ARRAY_SIZE(again); i++)
		again[i] = pm_malloc(100);
	/* A kernel goes on: each object has one owner, and goes back. */
	for (i = 0; i < ARRAY_SIZE(again); i++)
		pm_free(again[i]);
}

/* Written to and freed again, at once and later. */
static void misuse_double_written(void *arg)
{
	void *p = pm_malloc(100), *q = pm_malloc(100), *r;

	pm_free(p);
	pm_free(q);
	memset(p, 0x55, 100);
	pm_free(p);
	p = pm_malloc(100);
	q = pm_malloc(100);
	memset(p, 0x55, 100);
	r = pm_malloc(100);
	pm_free(p);
	pm_free(q);
	pm_free(r);
}

static void misuse_written(void *arg)
{
	u64 *p = pm_malloc(100);

	pm_free(p);
	p[1] = 1;
	pm_free(pm_malloc(100));
	/* A kernel goes on, and nobody has got it: give it back once more. */
	pm_free(p);
}

static void misuse_double_large(void *arg)
{
	void *p = pm_malloc(100000);

	pm_free(p);
	pm_free(p);
}

static void misuse_interior(void *arg)
{
	char *p = pm_malloc(100);

	pm_free(p + 16);
	pm_free(p);
}

static void misuse_odd(void *arg)
{
	char *p = pm_malloc(100);

	pm_free(p + 1);
	pm_free(p);
}

static void misuse_interior_large(void *arg)
{
	char *p = pm_malloc(2000000);

	pm_free(p + PAGE_SIZE);
	pm_free(p);
}

static void misuse_foreign(void *arg)
{
	static int foreign;

	pm_free(&foreign);
}

static void misuse_wild(void *arg)
{
	pm_free((void *)0x1234567);
}

static void misuse_stack(void *arg)
{
	int local;

	pm_free(&local);
}

static void misuse_size(void *arg)
{
	void *p = pm_malloc(100);

	pm_free_sized(p, 1000);
	pm_free(p);
}

static void misuse_size_small(void *arg)
{
	void *p = pm_malloc(1000);

	pm_free_sized(p, 10);
	pm_free(p);
}

static void misuse_realloc_freed(void *arg)
{
	void *p = pm_malloc(100);

	pm_free(p);
	pm_realloc(p, 1000);
}

static void misuse_realloc_interior(void *arg)
{
	char *p = pm_malloc(100);

	pm_realloc(p + 8, 1000);
	pm_free(p);
}

static void misuse_usable_foreign(void *arg)
{
	static int foreign;

	pm_usable_size(&foreign);
}

/* On one CPU: which of two objects comes next is then known, and who finds it. */
static void api_double_free(struct pm_test *t)
{
	pm_test_pin(0);
	pm_test_misuse(t, misuse_double, NULL, "double free");
	pm_test_misuse(t, misuse_double, NULL, "pm_free(0x");
	pm_test_misuse(t, misuse_double, NULL, "class 7");
	pm_test_misuse(t, misuse_double, NULL, "in arena ");
	pm_test_misuse(t, misuse_double_later, NULL, "double free");
	pm_test_misuse(t, misuse_double_thread, NULL, "double free");
	if (pm_options.magazine) {
		pm_test_misuse(t, misuse_double_taken, NULL,
			       "freed twice: object of 112 bytes");
		pm_test_misuse(t, misuse_double_written, NULL,
			       "freed twice: object of 112 bytes");
	}
	pm_test_misuse(t, misuse_written, NULL, "written to after it was freed");
	pm_test_misuse(t, misuse_double_large, NULL, "pm_free(0x");
	pm_test_misuse(t, misuse_realloc_freed, NULL, "pm_realloc(0x");
	pm_test_unpin();
}

static void api_interior(struct pm_test *t)
{
	pm_test_misuse(t, misuse_interior, NULL,
		       "inside an object of 112 bytes (class 7)");
	pm_test_misuse(t, misuse_odd, NULL, "1 bytes after its start");
	pm_test_misuse(t, misuse_interior_large, NULL, "not a pmalloc object");
	pm_test_misuse(t, misuse_realloc_interior, NULL, "pm_realloc(0x");
}

static void api_foreign(struct pm_test *t)
{
	pm_test_misuse(t, misuse_foreign, NULL, "not a pmalloc object");
	pm_test_misuse(t, misuse_wild, NULL,
		       "pm_free(0x1234567): not a pmalloc object");
	pm_test_misuse(t, misuse_stack, NULL, "not a pmalloc object");
	pm_test_misuse(t, misuse_usable_foreign, NULL, "pm_usable_size(0x");
}

static void api_wrong_size(struct pm_test *t)
{
	pm_test_misuse(t, misuse_size, NULL, "wrong size");
	pm_test_misuse(t, misuse_size, NULL, ", 1000): ");
	pm_test_misuse(t, misuse_size_small, NULL, "pm_free_sized(0x");
}

static const struct pm_test_case api_cases[] = {
	PM_CASE(api, null),
	PM_CASE(api, zero),
	PM_CASE(api, huge),
	PM_CASE(api, overflow),
	PM_CASE(api, alignment),
	PM_CASE(api, usable),
	PM_CASE(api, calloc),
	PM_CASE(api, init),
	PM_CASE(api, realloc),
	PM_CASE(api, free_sized),
	PM_CASE(api, totals),
	PM_CASE(api, report),
	PM_CASE(api, parts),
	PM_CASE(api, double_free),
	PM_CASE(api, interior),
	PM_CASE(api, foreign),
	PM_CASE(api, wrong_size),
};
PM_SUITE(api);
