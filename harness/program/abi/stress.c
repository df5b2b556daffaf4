// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Concurrency stress: more threads than CPUs, random sizes and functions,
 * objects handed from thread to thread, contents checked by whoever gets one.
 *
 *	stress [SECONDS [THREADS]]
 *
 * Objects travel through a table of slots. A thread exchanges what it has
 * for what is there (one atomic exchange) and owns what it got. A header
 * within the object carries its size and the tag of its contents, and is
 * itself part of what is checked: an object with two owners shows as a wrong
 * header or a wrong byte.
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include "pattern.h"
#include "pmalloc.h"

enum { MAX_THREADS = 64, SLOTS = 3000, OWN = 64 };

struct object {
	uint64_t tag;
	size_t size;		/* of the whole object */
	uint64_t check;		/* tag ^ size ^ address */
	unsigned char data[];
};

static struct object *slots[SLOTS];
static uint64_t seed;
static volatile bool stop;
static size_t steps[MAX_THREADS];

static void seal(struct object *o, size_t size, uint64_t tag)
{
	o->tag = tag;
	o->size = size;
	o->check = tag ^ size ^ (uintptr_t)o;
	pattern_fill(o->data, size - sizeof(*o), tag);
}

static bool whole(const struct object *o)
{
	return o->check == (o->tag ^ o->size ^ (uintptr_t)o) &&
		pattern_holds(o->data, o->size - sizeof(*o), o->tag);
}

static struct object *make(struct rng *rng)
{
	size_t size = sizeof(struct object) +
		rng_size(rng, rng_below(rng, 200) ? 11 : 19);
	struct object *o = NULL;

	switch (rng_below(rng, 16)) {
	case 0:
		o = calloc(1, size);
		if (o && !all_zero(o, size))
			return NULL;
		break;
	case 1:
		if (posix_memalign((void **)&o, 64, size))
			return NULL;
		break;
	case 2:
		o = memalign((size_t)16 << rng_below(rng, 10), size);
		break;
	default:
		o = malloc(size);
		break;
	}
	if (o)
		seal(o, size, rng_next(rng));
	return o;
}

static bool destroy(struct object *o)
{
	bool good = !o || whole(o);

	free(o);
	return good;
}

static struct object *resize(struct object *o, struct rng *rng, size_t *bad)
{
	size_t old = o->size - sizeof(*o), size = rng_size(rng, 14), least;
	uint64_t tag = o->tag;

	*bad += !whole(o);
	o = realloc(o, sizeof(*o) + size);
	if (!o) {
		++*bad;
		return NULL;
	}
	least = old < size ? old : size;
	*bad += o->tag != tag || !pattern_holds(o->data, least, tag);
	seal(o, sizeof(*o) + size, rng_next(rng));
	return o;
}

static void *work(void *arg)
{
	size_t me = (size_t)arg, bad = 0, n;
	struct object *own[OWN] = { NULL };
	struct rng rng = rng_make(seed, me);
	unsigned int i;

	for (n = 0; !stop; n++) {
		struct object **at = &own[rng_below(&rng, OWN)];
		unsigned int dice = (unsigned int)rng_below(&rng, 100);

		if (dice < 45) {
			bad += !destroy(*at);
			*at = make(&rng);
			bad += !*at;
		} else if (dice < 80) {
			/* Full barrier: contents go with the pointer. */
			*at = __atomic_exchange_n(
				&slots[rng_below(&rng, SLOTS)], *at,
				__ATOMIC_ACQ_REL);
			bad += *at && !whole(*at);
		} else if (dice < 90 && *at) {
			*at = resize(*at, &rng, &bad);
		} else {
			bad += !destroy(*at);
			*at = NULL;
		}
	}
	for (i = 0; i < OWN; i++)
		bad += !destroy(own[i]);
	steps[me] = n;
	return (void *)bad;
}

static size_t live_objects(void)
{
	void (*get)(struct pm_totals *) =
		(void (*)(struct pm_totals *))dlsym(RTLD_DEFAULT,
						    "pm_get_totals");
	struct pm_totals totals = { 0 };

	if (get)
		get(&totals);
	return totals.live_objects;
}

int main(int argc, char **argv)
{
	unsigned int seconds = argc > 1 ? (unsigned int)atoi(argv[1]) : 5;
	size_t nr = argc > 2 ? (size_t)atoi(argv[2]) : 8, i, bad = 0, total = 0;
	pthread_t threads[MAX_THREADS];
	size_t before, after;
	void *ret;

	if (nr > MAX_THREADS)
		nr = MAX_THREADS;
	tap_begin();
	alarm(seconds + 60);
	seed = seed_from_env();
	/* glibc keeps a thread's stack and its TLS: let it have done so. */
	for (i = 0; i < nr; i++)
		pthread_create(&threads[i], NULL, work, (void *)i);
	stop = true;
	for (i = 0; i < nr; i++)
		pthread_join(threads[i], &ret);
	for (i = 0; i < SLOTS; i++)
		bad += !destroy(__atomic_exchange_n(&slots[i], NULL,
						    __ATOMIC_ACQ_REL));
	before = live_objects();
	stop = false;
	for (i = 0; i < nr; i++)
		pthread_create(&threads[i], NULL, work, (void *)i);
	sleep(seconds);
	stop = true;
	for (i = 0; i < nr; i++) {
		pthread_join(threads[i], &ret);
		bad += (size_t)ret;
		total += steps[i];
	}
	for (i = 0; i < SLOTS; i++)
		bad += !destroy(slots[i]);
	after = live_objects();
	OK(!bad, "every object had one owner (%zu faults)", bad);
	OK(total > 1000 * nr, "%zu steps by %zu threads", total, nr);
	/* Stacks and TLS that glibc keeps may differ by a few. */
	PM_OK(after <= before + nr, "objects made and freed are as many: %zu live before, %zu after",
	      before, after);
	return tap_end();
}
