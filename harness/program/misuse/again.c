// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Double frees that find the object anywhere but where they left it: in each
 * class, in a slab that was purged and cut again, in another CPU's magazine.
 *
 * Each is done in a child, which must say one line that names a double free
 * (or, where the memory went back to the system, that there is no object) and
 * be ended by SIGABRT: at the call where the object is the last one freed or
 * something else shows it, else when malloc_trim() brings the copies home. What
 * is no misuse must go unnoticed: a live object may hold any value where a free
 * one has its mark.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include "child.h"
#include "cpu.h"
#include "tap.h"

enum { MANY = 300 };

static char *many[MANY];

static void get_many(size_t size)
{
	for (int i = 0; i < MANY; i++)
		many[i] = malloc(size);
}

static void free_many(void)
{
	for (int i = 0; i < MANY; i++)
		free(many[i]);
}

/* ---- misuse ---------------------------------------------------------------- */

static void at_once(size_t size)
{
	char *p = malloc(size);

	free(p);
	free(p);
}

static void among_others(size_t size)
{
	get_many(size);
	free_many();
	free(many[MANY / 2]);
}

/* The slab's pages went back to the system; then it was made again. */
static void cut_again(size_t size)
{
	get_many(size);
	free_many();
	malloc_trim(0);
	many[0] = malloc(size);
	free(many[MANY / 2]);
}

static void cut_for_another_class(size_t size)
{
	get_many(size);
	free_many();
	malloc_trim(0);
	for (int i = 0; i < 8; i++)
		many[i] = malloc(size / 2 + 1);
	free(many[MANY / 2]);
}

static void *free_it(void *p)
{
	pin(1);
	free(p);
	return NULL;
}

static void by_another_cpu(size_t size)
{
	char *p = malloc(size);
	pthread_t thread;

	pthread_create(&thread, NULL, free_it, p);
	pthread_join(thread, NULL);
	free(p);
}

static void by_realloc_cut_again(size_t size)
{
	get_many(size);
	free_many();
	malloc_trim(0);
	many[0] = malloc(size);
	free(realloc(many[MANY / 2], size * 4));
}

static void by_free_sized(size_t size)
{
	void (*fn)(void *, size_t) =
		(void (*)(void *, size_t))dlsym(RTLD_DEFAULT, "free_sized");
	char *p = malloc(size);

	free(p);
	if (fn)
		fn(p, size);
}

/* Free twice with a trim in between is free of foreign memory, or double. */
static bool is_report(const struct child *child)
{
	return child_aborted(child, "pmalloc: ") && child_said_a_line(child) &&
	       (strstr(child->said, "double free") ||
		strstr(child->said, "not a pmalloc object") ||
		strstr(child->said, "inside an object"));
}

struct trial {
	void (*fn)(size_t size);
	size_t size;
	bool late;
};

static int try(void *arg)
{
	struct trial *trial = arg;

	pin(0);
	trial->fn(trial->size);
	/* Not on top of its magazine: found when the copies come home. */
	if (trial->late)
		malloc_trim(0);
	return 0;
}

static bool stopped(void (*fn)(size_t size), size_t size, bool late)
{
	struct trial trial = { fn, size, late };
	struct child child;

	child_run(&child, try, &trial);
	if (is_report(&child))
		return true;
	tap_diag("size %zu: status 0x%x, said: %s", size,
		 (unsigned int)child.status, child.said);
	return false;
}

static void in_each_class(const char *name, void (*fn)(size_t size), bool late)
{
	size_t size, step;
	int classes = 0, missed = 0;

	for (size = 16; size <= 32768; size += step) {
		step = size < 128 ? 16 : ((size_t)1 << (63 - __builtin_clzl(size))) / 8;
		missed += !stopped(fn, size, late);
		classes++;
	}
	OK(!missed, "%s: named and stopped in %d classes", name, classes);
}

/* ---- no misuse ------------------------------------------------------------- */

/* What a free object holds may be in a live one, at the same place. */
static bool chance_goes_unnoticed(size_t size)
{
	uint64_t mark, *volatile p = malloc(size), *again;
	int i;

	free(p);
	mark = p[1];
	for (i = 0; i < 5; i++) {
		again = malloc(size);
		again[1] = again == p ? mark : 0;
		if (malloc_usable_size(again) < size)
			return false;
		if (again == p)
			break;
	}
	if (i == 5)
		return true;
	free(again);
	/* It is free once: two requests get two objects. */
	for (i = 0; i < MANY; i++) {
		many[i] = malloc(size);
		for (int k = 0; k < i; k++)
			if (many[k] == many[i])
				return false;
	}
	free_many();
	return true;
}

int main(void)
{
	size_t size;
	int bad = 0;

	tap_begin();
	if (!tap_on_pmalloc()) {
		tap_skip("double frees", "pmalloc's promise");
		return tap_end();
	}
	in_each_class("at once", at_once, false);
	in_each_class("after hundreds of others", among_others, true);
	in_each_class("in a slab cut again", cut_again, true);
	in_each_class("in a slab cut for another class", cut_for_another_class, true);
	in_each_class("by realloc, in a slab cut again", by_realloc_cut_again, true);
	in_each_class("by free_sized", by_free_sized, false);
	in_each_class("freed by another CPU before", by_another_cpu, true);
	for (size = 16; size <= 32768; size *= 2)
		bad += !chance_goes_unnoticed(size);
	OK(!bad, "a value equal to the mark is no false alarm");
	return tap_end();
}
