// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What malloc says of itself: mallinfo, mallinfo2, malloc_info, malloc_stats;
 * and mallopt and malloc_trim. Figures are compared with what was really
 * asked for; python3's parser reads the XML.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sys/wait.h>
#include "pattern.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MIB ((size_t)1 << 20)

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static void *kept[40000];

static size_t in_use(void)
{
	return mallinfo2().uordblks;
}

/* Figures move by what is allocated, not by much more, and move back. */
static void test_small(size_t size, size_t n)
{
	size_t before, with, after, i, bytes = 0;
	struct mallinfo2 info;
	struct mallinfo old;

	before = in_use();
	for (i = 0; i < n; i++) {
		kept[i] = malloc(size);
		bytes += malloc_usable_size(kept[i]);
	}
	info = mallinfo2();
	old = mallinfo();
	with = info.uordblks;
	for (i = 0; i < n; i++)
		free(kept[i]);
	after = in_use();
	OK(with >= before + n * size, "%zu x %zu: uordblks grew by %zu",
	   n, size, with - before);
	PM_OK(with - before >= bytes && with - before <= bytes + MIB / 4,
	      "%zu x %zu: which is what can be used, %zu", n, size, bytes);
	OK(info.arena + info.hblkhd >= with,
	   "%zu x %zu: no more in use than obtained", n, size);
	OK(old.uordblks == (int)info.uordblks && old.arena == (int)info.arena,
	   "%zu x %zu: mallinfo says what mallinfo2 says", n, size);
	OK(after <= before + n * size / 50 + 65536,
	   "%zu x %zu: uordblks came back, %zu more than before", n, size,
	   after - before);
}

static void test_large(void)
{
	struct mallinfo2 before, with, after;
	size_t i, n = 8, size = 10 * MIB;

	before = mallinfo2();
	for (i = 0; i < n; i++) {
		kept[i] = malloc(size);
		*(volatile char *)kept[i] = 1;
	}
	with = mallinfo2();
	for (i = 0; i < n; i++)
		free(kept[i]);
	after = mallinfo2();
	OK(with.uordblks + with.hblkhd >=
	   before.uordblks + before.hblkhd + n * size,
	   "large: uordblks and hblkhd hold them");
	OK(after.uordblks + after.hblkhd <=
	   before.uordblks + before.hblkhd + MIB,
	   "large: and let go of them");
	OK(with.arena + with.hblkhd >= with.uordblks,
	   "large: no more in use than obtained (%zu + %zu, %zu)", with.arena,
	   with.hblkhd, with.uordblks);
	OK(with.hblks >= 1 && with.hblkhd >= n * size,
	   "large: hblks counts mappings (%zu), hblkhd their bytes",
	   with.hblks);
	PM_OK(with.hblks - before.hblks == n, "large: hblks rose by %zu, not %zu",
	      with.hblks - before.hblks, n);
	PM_OK(with.fordblks <= with.arena,
	      "fordblks, what is free, is part of arena (%zu of %zu)",
	      with.fordblks, with.arena);
}

/* The XML in @file, read by python3; prints a line for each fault. */
static int xml_faults(const char *file, size_t live)
{
	static const char script[] =
		"import sys, xml.etree.ElementTree as e\n"
		"root = e.parse(sys.argv[1]).getroot()\n"
		"live = int(sys.argv[2])\n"
		"faults = []\n"
		"if root.tag != 'malloc' or not root.get('version'):\n"
		"    faults.append('root is not <malloc version=...>')\n"
		"system = [int(s.get('size')) for s in root.findall('system')\n"
		"          if s.get('type') == 'current']\n"
		"mapped = [int(s.get('size')) for s in root.findall('total')\n"
		"          if s.get('type') == 'mmap']\n"
		"if not system:\n"
		"    faults.append('no <system type=\"current\" size=...>')\n"
		"elif sum(system) + sum(mapped) < live:\n"
		"    faults.append(f'{system} {mapped} hold less than {live}')\n"
		"for f in faults:\n"
		"    print('#', f)\n"
		"sys.exit(len(faults))\n";
	char number[24];
	int status;
	pid_t pid;

	snprintf(number, sizeof(number), "%zu", live);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		execl("/usr/bin/python3", "python3", "-c", script, file,
		      number, (char *)NULL);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static void test_malloc_info(void)
{
	char name[] = "/tmp/malloc-info-XXXXXX";
	int fd = mkstemp(name), ret;
	FILE *out = fdopen(fd, "w");
	size_t i, n = 20000, size = 1000;
	char *text = NULL;
	size_t len = 0;

	for (i = 0; i < n; i++)
		kept[i] = malloc(size);
	errno = 12345;
	OK(malloc_info(0, out) == 0, "malloc_info answers 0");
	fclose(out);
	for (i = 0; i < n; i++)
		free(kept[i]);
	OK(xml_faults(name, n * size) == 0,
	   "malloc_info is well-formed and holds what is live");
	unlink(name);

	/* open_memstream allocates while malloc_info writes. */
	out = open_memstream(&text, &len);
	ret = malloc_info(0, out);
	fclose(out);
	OK(ret == 0 && len > 50 && strstr(text, "<malloc "),
	   "malloc_info to a stream in memory (%zu bytes)", len);
	free(text);
	errno = 0;
	ret = malloc_info(1, stdout);
	OK(ret == EINVAL || (ret == -1 && errno == EINVAL),
	   "malloc_info(1, ...) is EINVAL");
}

static void test_malloc_stats(void)
{
	char name[] = "/tmp/malloc-stats-XXXXXX";
	int fd = mkstemp(name), saved = dup(STDERR_FILENO);
	char text[8192] = "";
	ssize_t len;

	dup2(fd, STDERR_FILENO);
	errno = 12345;
	malloc_stats();
	dup2(saved, STDERR_FILENO);
	close(saved);
	len = pread(fd, text, sizeof(text) - 1, 0);
	OK(len > 50, "malloc_stats writes to stderr (%zd bytes)", len);
	PM_OK(!strncmp(text, "pmalloc:", 8), "it begins with pmalloc:");
	PM_OK(strstr(text, "arena"), "it speaks of arenas");
	close(fd);
	unlink(name);
}

static void test_mallopt(void)
{
	static const struct {
		const char *name;
		int param, value;
	} known[] = {
		{ "M_MXFAST", M_MXFAST, 64 },
		{ "M_TRIM_THRESHOLD", M_TRIM_THRESHOLD, 128 * 1024 },
		{ "M_TOP_PAD", M_TOP_PAD, 128 * 1024 },
		{ "M_MMAP_THRESHOLD", M_MMAP_THRESHOLD, 128 * 1024 },
		{ "M_MMAP_MAX", M_MMAP_MAX, 65536 },
		{ "M_CHECK_ACTION", M_CHECK_ACTION, 3 },
		{ "M_PERTURB", M_PERTURB, 0 },
		{ "M_ARENA_TEST", -7, 8 },
		{ "M_ARENA_MAX", -8, 8 },
	};
	static const int unknown[] = { 1234, -100, 0x7fffffff, 100 };
	size_t i;
	void *p;

	for (i = 0; i < COUNT(known); i++)
		OK(mallopt(known[i].param, known[i].value) == 1,
		   "mallopt(%s) is 1", known[i].name);
	for (i = 0; i < COUNT(unknown); i++)
		PM_OK(mallopt(unknown[i], 1) == 0, "mallopt(%d) is 0",
		      unknown[i]);
	p = malloc(100000);
	OK(p, "malloc works after all of them");
	free(p);
}

static size_t resident(void)
{
	char text[128] = "";
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	unsigned long pages = 0;

	if (read(fd, text, sizeof(text) - 1) > 0)
		sscanf(text, "%*u %lu", &pages);
	close(fd);
	return pages * 4096;
}

static void test_trim(void)
{
	size_t i, before, with, after, second;
	int ret;

	malloc_trim(0);
	before = resident();
	for (i = 0; i < COUNT(kept); i++) {
		kept[i] = malloc(1600);
		memset(kept[i], 1, 1600);
	}
	with = resident();
	for (i = 0; i < COUNT(kept); i++)
		free(kept[i]);
	ret = malloc_trim(0);
	after = resident();
	OK(ret == 1 || with - before < MIB, "malloc_trim says 1");
	OK(after < before + (with - before) / 10,
	   "malloc_trim gives back: %zu KiB, %zu with objects, %zu after",
	   before >> 10, with >> 10, after >> 10);

	/* One object in 4096 lives on: what is between goes all the same. */
	for (i = 0; i < COUNT(kept); i++) {
		kept[i] = malloc(1600);
		memset(kept[i], 2, 1600);
	}
	for (i = 0; i < COUNT(kept); i++)
		if (i % 4096)
			free(kept[i]);
	malloc_trim(0);
	second = resident();
	OK(second < before + (with - before) / 4,
	   "also around objects that live on: %zu KiB", second >> 10);
	for (i = 0; i < COUNT(kept); i += 4096) {
		OK(*(char *)kept[i] == 2 && ((char *)kept[i])[1599] == 2,
		   "object %zu is whole after the trim", i);
		free(kept[i]);
	}
	malloc_trim(0);
	ret = malloc_trim(0);
	OK(ret == 0 || ret == 1, "malloc_trim with nothing to give: %d", ret);
}

int main(void)
{
	tap_begin();
	/* Above what glibc keeps in a thread's cache and counts as used. */
	test_small(1100, 20000);
	test_small(9000, 2000);
	test_small(30000, 800);
	if (tap_on_pmalloc())
		test_small(48, 40000);
	test_large();
	test_malloc_info();
	test_malloc_stats();
	test_mallopt();
	test_trim();
	return tap_end();
}
