// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The library loaded late: dlopen() in a running program, used from several
 * threads, which existed before, and closed again. late.sh runs this, bare:
 *
 *	late LIBRARY			load, use, close
 *	late LIBRARY EATER...		first load the eaters, each of which
 *					takes a little of the static TLS that
 *					is left for late libraries
 *	late -k LIBRARY			first take all keys there are for
 *					thread-specific data
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include "pattern.h"

static void *(*l_malloc)(size_t);
static void *(*l_realloc)(void *, size_t);
static void (*l_free)(void *);
static size_t (*l_usable)(void *);
static pthread_barrier_t loaded, used;

/* Objects live in a ring; each step replaces one and checks it. */
static void *use(void *arg)
{
	struct rng rng = rng_make((uintptr_t)arg, 1);
	struct { void *p; size_t size; uint64_t tag; } ring[100] = { 0 };
	size_t i, step, faults = 0;

	for (step = 0; step < 20000; step++) {
		i = rng_below(&rng, 100);
		if (ring[i].p &&
		    !pattern_holds(ring[i].p, ring[i].size, ring[i].tag))
			faults++;
		if (ring[i].p && step % 5 == 0) {
			void *p = l_realloc(ring[i].p, ring[i].size + 100);

			faults += !pattern_holds(p, ring[i].size, ring[i].tag);
			ring[i].p = p;
		}
		l_free(ring[i].p);
		ring[i].size = rng_size(&rng, 17);
		ring[i].tag = rng_next(&rng);
		ring[i].p = l_malloc(ring[i].size);
		if (!ring[i].p || l_usable(ring[i].p) < ring[i].size) {
			faults++;
			continue;
		}
		pattern_fill(ring[i].p, ring[i].size, ring[i].tag);
	}
	for (i = 0; i < 100; i++)
		l_free(ring[i].p);
	return (void *)faults;
}

/* Older than the library: its TLS block is there, the library's joins. */
static void *early_thread(void *arg)
{
	void *faults;

	pthread_barrier_wait(&loaded);
	faults = use(arg);
	pthread_barrier_wait(&used);
	return faults;
}

static void get_symbols(void *lib)
{
	l_malloc = (void *(*)(size_t))dlsym(lib, "malloc");
	l_realloc = (void *(*)(void *, size_t))dlsym(lib, "realloc");
	l_free = (void (*)(void *))dlsym(lib, "free");
	l_usable = (size_t (*)(void *))dlsym(lib, "malloc_usable_size");
}

static size_t load_and_use(const char *path)
{
	enum { EARLY = 3, LATE = 3 };
	pthread_t threads[EARLY + LATE];
	size_t faults = 0;
	uintptr_t i;
	void *lib, *ret;

	pthread_barrier_init(&loaded, NULL, EARLY + 1);
	pthread_barrier_init(&used, NULL, EARLY + 1);
	for (i = 0; i < EARLY; i++)
		pthread_create(&threads[i], NULL, early_thread, (void *)i);
	lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!OK(lib, "dlopen"))
		tap_diag("%s", dlerror());
	if (!lib) {
		tap_end();
		_exit(1);
	}
	get_symbols(lib);
	OK(l_malloc && l_realloc && l_free && l_usable &&
	   l_malloc != malloc, "its malloc is another than the program's");
	pthread_barrier_wait(&loaded);
	for (; i < EARLY + LATE; i++)
		pthread_create(&threads[i], NULL, use, (void *)i);
	faults += (uintptr_t)use((void *)i);
	pthread_barrier_wait(&used);
	for (i = 0; i < EARLY + LATE; i++) {
		pthread_join(threads[i], &ret);
		faults += (uintptr_t)ret;
	}
	OK(!faults, "used by threads older and younger (%zu faults)", faults);

	ret = l_malloc(100);
	OK(dlclose(lib) == 0, "dlclose");
	pattern_fill(ret, 100, 1);
	l_free(ret);
	ret = l_malloc(1000);
	OK(ret, "code and objects are there after dlclose");
	lib = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
	OK(lib && dlsym(lib, "malloc") == (void *)l_malloc,
	   "it has not been unloaded");
	l_free(ret);
	return faults;
}

static void take_keys(void)
{
	pthread_key_t key;
	int keys = 0;

	while (!pthread_key_create(&key, NULL))
		keys++;
	tap_diag("%d keys taken", keys);
}

int main(int argc, char **argv)
{
	static const char version[] = "TAP version 13\n";
	int i;

	if (argc > 2 && !strcmp(argv[1], "-k")) {
		take_keys();
		argc--;
		argv++;
	}
	if (argc < 2)
		return 2;
	tap_write(version, sizeof(version) - 1);
	for (i = 2; i < argc; i++) {
		if (!dlopen(argv[i], RTLD_NOW | RTLD_LOCAL)) {
			tap_diag("eater %d: %s", i - 1, dlerror());
			return 77;
		}
	}
	if (i > 2)
		tap_diag("%d bytes of static TLS eaten", (i - 2) * 64);
	load_and_use(argv[1]);
	return tap_end();
}
