/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * TAP for programs that test the malloc they run on.
 *
 * The reporter allocates nothing: it formats on the stack and writes with
 * write(2). Otherwise a broken malloc could not be reported, and figures read
 * around a step would hold the reporter's own objects.
 *
 * A program calls tap_begin(), then OK() and its kin, and returns tap_end()
 * from main(). The first result says whether malloc() really is that of the
 * library under test (PMALLOC_LIB): a preload that failed, which ld.so only
 * warns of, would otherwise pass on glibc's malloc.
 *
 * PMALLOC_LIB=none runs the same programs on glibc, to try the tests
 * themselves. PM_OK() states what only pmalloc promises, or only a newer
 * glibc than the one at hand; it is skipped there.
 */
#ifndef HARNESS_TAP_H
#define HARNESS_TAP_H

#include <dlfcn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int tap_count;
static int tap_failed;

static inline void tap_write(const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(STDOUT_FILENO, buf, len);

		if (n <= 0)
			return;
		buf += n;
		len -= (size_t)n;
	}
}

static inline void tap_vline(const char *head, const char *fmt, va_list args)
{
	char buf[512];
	int n = snprintf(buf, sizeof(buf), "%s", head);

	n += vsnprintf(buf + n, sizeof(buf) - (size_t)n - 1, fmt, args);
	if (n > (int)sizeof(buf) - 2)
		n = (int)sizeof(buf) - 2;
	buf[n++] = '\n';
	tap_write(buf, (size_t)n);
}

__attribute__((format(printf, 1, 2), unused))
static void tap_diag(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	tap_vline("# ", fmt, args);
	va_end(args);
}

__attribute__((format(printf, 4, 5), unused))
static bool tap_ok(bool ok, const char *file, int line, const char *fmt, ...)
{
	char head[48];
	va_list args;

	snprintf(head, sizeof(head), "%sok %d - ", ok ? "" : "not ",
		 ++tap_count);
	va_start(args, fmt);
	tap_vline(head, fmt, args);
	va_end(args);
	if (!ok) {
		tap_failed++;
		tap_diag("failed at %s:%d", file, line);
	}
	return ok;
}

__attribute__((unused))
static void tap_skip(const char *name, const char *why)
{
	char buf[256];
	int n = snprintf(buf, sizeof(buf), "ok %d - %s # SKIP %s\n",
			 ++tap_count, name, why);

	tap_write(buf, (size_t)n < sizeof(buf) ? (size_t)n : sizeof(buf) - 1);
}

#define OK(cond, ...)	tap_ok(cond, __FILE__, __LINE__, __VA_ARGS__)
#define PM_OK(cond, ...)						\
	do {								\
		if (tap_on_pmalloc())					\
			OK(cond, __VA_ARGS__);				\
		else							\
			tap_skip(#cond, "promised by pmalloc alone");	\
	} while (0)

/* Whether the malloc under test is pmalloc's, rather than glibc's or a peer's. */
__attribute__((unused))
static bool tap_on_pmalloc(void)
{
	const char *lib = getenv("PMALLOC_LIB");

	return lib && strstr(lib, "libpmalloc");
}

/* Whether @symbol is found first in the library that PMALLOC_LIB names. */
__attribute__((unused))
static bool tap_symbol_is_ours(const char *symbol)
{
	const char *lib = getenv("PMALLOC_LIB");
	void *addr = dlsym(RTLD_DEFAULT, symbol);
	const char *have, *want;
	Dl_info info;

	if (!lib || !strcmp(lib, "none"))
		return true;
	if (!addr || !dladdr(addr, &info) || !info.dli_fname)
		return false;
	have = strrchr(info.dli_fname, '/');
	want = strrchr(lib, '/');
	return !strcmp(have ? have + 1 : info.dli_fname, want ? want + 1 : lib);
}

__attribute__((unused))
static void tap_begin(void)
{
	static const char version[] = "TAP version 13\n";

	tap_write(version, sizeof(version) - 1);
	OK(tap_symbol_is_ours("malloc"), "malloc is that of the library");
}

__attribute__((unused))
static int tap_end(void)
{
	char buf[32];

	tap_write(buf, (size_t)snprintf(buf, sizeof(buf), "1..%d\n",
					tap_count));
	return tap_failed != 0;
}

#endif /* HARNESS_TAP_H */
