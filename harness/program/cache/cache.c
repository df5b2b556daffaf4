// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Caches by the library's public header: what a program sees of them that the
 * suites, which are on both sides, do not.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "child.h"
#include "cpu.h"
#include "pmalloc.h"
#include "tap.h"

enum { THREADS = 8, ROUNDS = 100000, SHELF = 64, MANY = 300, CACHES = 64 };

struct thing {
	unsigned long magic;
	struct thing *self;
	unsigned long used;
};

#define MAGIC	0x7468696e67UL

static atomic_int made;

static void thing_init(void *obj)
{
	struct thing *t = obj;

	t->magic = MAGIC;
	t->self = t;
	t->used = 0;
	made++;
}

/* ---- what errno says --------------------------------------------------- */

static bool refused(const char *name, size_t size, size_t align,
		    unsigned int flags, void (*ctor)(void *), int error)
{
	errno = 0;
	return !pm_cache_create(name, size, align, flags, ctor) &&
	       errno == error;
}

static void errors(void)
{
	struct pm_cache *all[CACHES + 1];
	int n = 0;

	OK(refused("none", 0, 0, 0, NULL, EINVAL), "no size: EINVAL");
	OK(refused(NULL, 8, 0, 0, NULL, EINVAL), "no name: EINVAL");
	OK(refused("odd", 8, 12, 0, NULL, EINVAL), "align 12: EINVAL");
	OK(refused("flag", 8, 0, 128, NULL, EINVAL), "unknown flag: EINVAL");
	OK(refused("both", 8, 0, PM_CACHE_ZERO, thing_init, EINVAL),
	   "zeroes and a constructor: EINVAL");
	OK(refused("large", 32769, 0, 0, NULL, E2BIG), "32769 bytes: E2BIG");
	while (n <= CACHES && (all[n] = pm_cache_create("all", 64, 0, 0, NULL)))
		n++;
	OK(n == CACHES && errno == ENOSPC, "%d caches, then ENOSPC", n);
	while (n--)
		if (pm_cache_destroy(all[n]))
			break;
	OK(n == -1, "all are destroyed");
}

/* ---- threads ----------------------------------------------------------- */

static struct pm_cache *cache;
static _Atomic(struct thing *) shelf[SHELF];
static atomic_int wrong;

static void give(struct thing *t)
{
	if (!t)
		return;
	if (t->magic != MAGIC || t->self != t || t->used != 1)
		wrong++;
	t->used = 0;
	pm_cache_free(cache, t);
}

static void *work(void *arg)
{
	unsigned int x = 2463534242u + (unsigned int)(size_t)arg;

	for (int i = 0; i < ROUNDS; i++) {
		struct thing *t = pm_cache_alloc(cache);

		if (!t || t->magic != MAGIC || t->used)
			wrong++;
		if (!t)
			continue;
		t->used = 1;
		x = x * 1664525 + 1013904223;
		give(atomic_exchange(&shelf[x >> 16 & (SHELF - 1)], t));
	}
	return NULL;
}

static void threads(void)
{
	pthread_t thread[THREADS];
	static char report[65536];

	cache = pm_cache_create("things", sizeof(struct thing), 0, 0,
				thing_init);
	for (size_t i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, work, (void *)i);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	OK(!wrong, "%d threads hand constructed objects to each other", THREADS);
	OK(made < THREADS * ROUNDS / 10, "few are constructed: %d", made);
	pm_report(report, sizeof(report), true);
	OK(strstr(report, "\"cache\":\"things\",\"object_size\":24"),
	   "the report names the cache");
	for (int i = 0; i < SHELF; i++)
		give(atomic_exchange(&shelf[i], NULL));
	OK(!pm_cache_destroy(cache), "all came back: it is destroyed");
}

/* ---- fork -------------------------------------------------------------- */

static struct thing *kept[MANY];

static int child_uses(void *arg)
{
	(void)arg;
	for (int i = 0; i < MANY; i++)
		if (kept[i]->self != kept[i])
			return 1;
	for (int i = 0; i < MANY; i++) {
		kept[i]->used = 1;
		give(kept[i]);
		kept[i] = pm_cache_alloc(cache);
		if (!kept[i] || kept[i]->magic != MAGIC)
			return 2;
	}
	if (pm_cache_destroy(cache) != -EBUSY)
		return 3;
	for (int i = 0; i < MANY; i++)
		pm_cache_free(cache, kept[i]);
	return pm_cache_destroy(cache) ? 4 : 0;
}

static void forks(void)
{
	struct child child;

	cache = pm_cache_create("forked", sizeof(struct thing), 0, 0,
				thing_init);
	for (int i = 0; i < MANY; i++)
		kept[i] = pm_cache_alloc(cache);
	child_run(&child, child_uses, NULL);
	OK(WIFEXITED(child.status) && !WEXITSTATUS(child.status),
	   "a child uses its parent's cache, and destroys it");
	OK(strstr(child.said, "pm_cache_destroy(\"forked\"): objects in use: 300"),
	   "and is told of objects in use: %.60s", child.said);
	for (int i = 0; i < MANY; i++)
		pm_cache_free(cache, kept[i]);
	OK(!pm_cache_destroy(cache), "the parent has it still");
}

/* ---- a sandbox without membarrier() ------------------------------------ */

static bool refuse_membarrier(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {
		.len = sizeof(filter) / sizeof(filter[0]),
		.filter = filter,
	};

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

/*
 * Its magazine cannot be emptied, so a cache that is destroyed leaves objects there:
 * its number is not used again, and whoever makes other caches gets none of them.
 */
static int sandboxed(void *arg)
{
	void *objs[20];
	int n = 0;

	(void)arg;
	if (!refuse_membarrier())
		return 9;
	cache = pm_cache_create("boxed", 64, 0, 0, NULL);
	for (int i = 0; i < 20; i++)
		objs[i] = pm_cache_alloc(cache);
	if (pm_cache_destroy(cache) != -EBUSY)
		return 1;
	for (int i = 0; i < 20; i++)
		pm_cache_free(cache, objs[i]);
	if (pm_cache_destroy(cache))
		return 2;
	for (; n <= CACHES; n++) {
		cache = pm_cache_create("more", 4096, 0, 0, NULL);
		if (!cache)
			break;
		objs[0] = pm_cache_alloc(cache);
		if (!objs[0])
			return 3;
		memset(objs[0], 1, 4096);
	}
	return n == CACHES - 1 ? 0 : 4;
}

static void sandboxes(void)
{
	struct child child;

	child_run(&child, sandboxed, NULL);
	if (WIFEXITED(child.status) && WEXITSTATUS(child.status) == 9) {
		tap_skip("a sandbox", "no filter may be set here");
		return;
	}
	OK(WIFEXITED(child.status) && !WEXITSTATUS(child.status),
	   "a magazine that cannot be emptied costs a number: status %#x",
	   child.status);
}

int main(void)
{
	tap_begin();
	errors();
	threads();
	forks();
	sandboxes();
	return tap_end();
}
