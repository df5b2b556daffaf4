// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * C++'s operators: objects of random sizes, made by operator new and given
 * back by the operator delete that is told their size, which is the one that
 * compilers emit since C++14. Otherwise as replace.
 *
 * The C++ library is loaded by this workload alone: it allocates when it
 * starts, and would be in the memory of all others.
 */
#include "bench.h"

#include <dlfcn.h>

/**
 * struct operators - those of the allocator that is measured
 * @new: operator new(size_t)
 * @delete: operator delete(void *, size_t)
 */
struct operators {
	void *(*new)(size_t size);
	void (*delete)(void *object, size_t size);
};

/**
 * struct sized - an object and what was asked for
 * @object: the object
 * @size: bytes
 */
struct sized {
	void *object;
	size_t size;
};

static void new_prepare(struct run *run)
{
	struct operators *operators = pages(sizeof(*operators));

	if (!dlopen("libstdc++.so.6", RTLD_NOW | RTLD_GLOBAL))
		die("there is no libstdc++.so.6: apt-get install libstdc++6");
	/* An allocator that was preloaded comes before the library. */
	*(void **)&operators->new = dlsym(RTLD_DEFAULT, "_Znwm");
	*(void **)&operators->delete = dlsym(RTLD_DEFAULT, "_ZdlPvm");
	if (!operators->new || !operators->delete)
		die("the C++ library has no operators");
	run->shared = operators;
}

static size_t new_own_bytes(const struct run *run)
{
	return slots_per_worker(run) * sizeof(struct sized);
}

static void new_take(struct worker *worker, struct sized *s, uint64_t random)
{
	const struct operators *operators = worker->run->shared;

	s->size = pick_size(worker->run, random);
	SAMPLED(worker, s->object = operators->new(s->size));
	touch(s->object, s->size);
}

static void new_give(struct worker *worker, struct sized *s)
{
	const struct operators *operators = worker->run->shared;

	SAMPLED(worker, operators->delete(s->object, s->size));
}

static void new_work(struct worker *worker)
{
	size_t slots = slots_per_worker(worker->run);
	struct sized *own = worker->own;

	if (slots > worker->ops)
		slots = worker->ops;
	for (size_t i = 0; i < slots; i++)
		new_take(worker, &own[i], prng_next(&worker->rng));
	for (uint64_t i = slots; i < worker->ops; i++) {
		uint64_t random = prng_next(&worker->rng);
		struct sized *s = &own[prng_below(random, slots)];

		new_give(worker, s);
		new_take(worker, s, random);
	}
	rendezvous(worker);
	for (size_t i = 0; i < slots; i++)
		new_give(worker, &own[i]);
}

const struct workload new_workload = {
	.name = "new",
	.what = "replace by C++'s operator new and sized operator delete; an operation is both",
	.defaults = { .ops = 1000000, .min = 16, .max = 256, .set = 1000 },
	.prepare = new_prepare,
	.work = new_work,
	.own_bytes = new_own_bytes,
};
