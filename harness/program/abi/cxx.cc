// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * C++'s operators new and delete in every form, the exception, and the
 * new-handler.
 */
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <malloc.h>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>
#include "pattern.h"

static const size_t huge = (size_t)1 << 62;
static const size_t sizes[] = {
	0, 1, 8, 16, 17, 64, 100, 1000, 4096, 32768, 32769, 1 << 20,
};

struct alignas(256) Wide {
	char bytes[300];
};

static bool aligned(const void *p, size_t align)
{
	return p && (uintptr_t)p % align == 0;
}

static void test_symbols()
{
	static const char *const names[] = {
		"_Znwm", "_Znam", "_ZnwmRKSt9nothrow_t", "_ZnamRKSt9nothrow_t",
		"_ZnwmSt11align_val_t", "_ZnamSt11align_val_t",
		"_ZnwmSt11align_val_tRKSt9nothrow_t",
		"_ZnamSt11align_val_tRKSt9nothrow_t",
		"_ZdlPv", "_ZdaPv", "_ZdlPvm", "_ZdaPvm",
		"_ZdlPvRKSt9nothrow_t", "_ZdaPvRKSt9nothrow_t",
		"_ZdlPvSt11align_val_t", "_ZdaPvSt11align_val_t",
		"_ZdlPvmSt11align_val_t", "_ZdaPvmSt11align_val_t",
		"_ZdlPvSt11align_val_tRKSt9nothrow_t",
		"_ZdaPvSt11align_val_tRKSt9nothrow_t",
	};
	for (const char *name : names)
		OK(tap_symbol_is_ours(name), "%s is that of the library", name);
}

static void test_forms()
{
	size_t bad = 0;

	for (size_t size : sizes) {
		void *p = ::operator new(size);
		void *q = ::operator new(size);

		if (!p || p == q || !aligned(p, size >= 16 ? 16 : 1))
			bad = size + 1;
		::operator delete(p);
		::operator delete(q, size);
		p = ::operator new[](size);
		q = ::operator new[](size);
		if (!p || p == q)
			bad = size + 1;
		::operator delete[](p);
		::operator delete[](q, size);
		p = ::operator new(size, std::nothrow);
		if (!p)
			bad = size + 1;
		::operator delete(p, std::nothrow);
		p = ::operator new[](size, std::nothrow);
		if (!p)
			bad = size + 1;
		::operator delete[](p, std::nothrow);
	}
	OK(!bad, "plain, array, nothrow and sized forms (%zu)", bad);
	::operator delete(nullptr);
	::operator delete[](nullptr);
	::operator delete(nullptr, (size_t)8);
	::operator delete(nullptr, std::align_val_t(64));
	::operator delete[](nullptr, (size_t)8, std::align_val_t(64));
	OK(true, "every delete takes NULL");
}

static void test_aligned_forms()
{
	size_t bad = 0;

	for (size_t a = 1; a <= 65536; a *= 2) {
		std::align_val_t align{a};

		for (size_t size : sizes) {
			void *p[6] = {
				::operator new(size, align),
				::operator new(size, align),
				::operator new[](size, align),
				::operator new[](size, align),
				::operator new(size, align, std::nothrow),
				::operator new[](size, align, std::nothrow),
			};
			for (void *q : p)
				if (!aligned(q, a) ||
				    malloc_usable_size(q) < size)
					bad = a;
			::operator delete(p[0], align);
			::operator delete(p[1], size, align);
			::operator delete[](p[2], align);
			::operator delete[](p[3], size, align);
			::operator delete(p[4], align, std::nothrow);
			::operator delete[](p[5], align, std::nothrow);
		}
	}
	OK(!bad, "aligned forms (%zu)", bad);
	Wide *one = new Wide, *many = new Wide[7];

	OK(aligned(one, 256) && aligned(many, 256),
	   "new of an over-aligned type");
	delete one;
	delete[] many;
}

static void test_containers()
{
	std::vector<std::unique_ptr<std::string>> v;
	size_t sum = 0;

	for (int i = 0; i < 100000; i++) {
		v.push_back(std::make_unique<std::string>(i % 97, 'x'));
		if (i % 3 == 0)
			v[(size_t)i / 2].reset();
	}
	for (auto &s : v)
		sum += s ? s->size() : 0;
	v.clear();
	OK(sum > 0, "vectors of strings (%zu)", sum);
	auto shared = std::make_shared<Wide>();
	std::thread t([shared] { shared->bytes[0] = 1; });

	t.join();
	OK(shared->bytes[0] == 1 && aligned(shared.get(), 256),
	   "an object shared with a thread");
}

template <class Fn> static bool throws_bad_alloc(Fn fn)
{
	try {
		fn();
	} catch (const std::bad_alloc &) {
		return true;
	} catch (...) {
		return false;
	}
	return false;
}

static void test_throws()
{
	std::align_val_t align{64};
	volatile size_t n = huge;

	OK(throws_bad_alloc([&] { (void)::operator new(n); }),
	   "new throws bad_alloc");
	OK(throws_bad_alloc([&] { (void)::operator new[](n); }),
	   "new[] throws bad_alloc");
	OK(throws_bad_alloc([&] { (void)::operator new(n, align); }),
	   "aligned new throws bad_alloc");
	OK(throws_bad_alloc([&] { (void)::operator new[](n, align); }),
	   "aligned new[] throws bad_alloc");
	OK(throws_bad_alloc([&] { (void)::operator new(SIZE_MAX); }),
	   "new of SIZE_MAX throws bad_alloc");
	OK(throws_bad_alloc([&] { (void)new Wide[n]; }),
	   "new T[] with an overflow throws");
	OK(throws_bad_alloc([&] { std::vector<char> v(n); }),
	   "a vector that is too long throws bad_alloc");
	OK(!::operator new(n, std::nothrow), "nothrow new is NULL");
	OK(!::operator new[](n, std::nothrow), "nothrow new[] is NULL");
	OK(!::operator new(n, align, std::nothrow),
	   "aligned nothrow new is NULL");
	OK(!::operator new[](n, align, std::nothrow),
	   "aligned nothrow new[] is NULL");
	int caught = 0;

	std::thread t([&] {
		for (int i = 0; i < 1000; i++)
			caught += throws_bad_alloc([&] {
				(void)::operator new(n);
			});
	});
	t.join();
	OK(caught == 1000, "a thread catches each of 1000 (%d)", caught);
}

static int handler_calls;

struct Stop : std::bad_alloc {};

static void handler_gives_up()
{
	if (++handler_calls == 3)
		std::set_new_handler(nullptr);
}

static void handler_throws()
{
	handler_calls++;
	throw Stop();
}

/* Counts the handler's calls when @fn runs under it. */
template <class Fn> static int calls_of(std::new_handler handler, Fn fn)
{
	handler_calls = 0;
	std::set_new_handler(handler);
	fn();
	std::set_new_handler(nullptr);
	return handler_calls;
}

static void test_handler()
{
	std::align_val_t align{64};
	volatile size_t n = huge;
	bool threw = false, null = false;

	int calls = calls_of(handler_gives_up, [&] {
		threw = throws_bad_alloc([&] { (void)::operator new(n); });
	});
	OK(calls == 3 && threw,
	   "new calls the handler until there is none (%d)", calls);
	calls = calls_of(handler_gives_up, [&] {
		threw = throws_bad_alloc([&] {
			(void)::operator new[](n, align);
		});
	});
	OK(calls == 3 && threw, "aligned new[] too (%d)", calls);
	calls = calls_of(handler_gives_up, [&] {
		null = !::operator new(n, std::nothrow);
	});
	OK(calls == 3 && null, "nothrow new calls it too, then NULL (%d)",
	   calls);
	calls = calls_of(handler_gives_up, [&] {
		null = !::operator new[](n, align, std::nothrow);
	});
	OK(calls == 3 && null, "and aligned nothrow new[] (%d)", calls);

	bool stop = false;

	calls = calls_of(handler_throws, [&] {
		try {
			(void)::operator new(n);
		} catch (const Stop &) {
			stop = true;
		}
	});
	OK(calls == 1 && stop, "what the handler throws reaches the caller");
	calls = calls_of(handler_throws, [&] {
		null = !::operator new(n, std::nothrow);
	});
	OK(calls == 1 && null, "but not through nothrow new: NULL");
	calls = calls_of(handler_throws, [&] {
		null = !::operator new(n, align, std::nothrow);
	});
	OK(calls == 1 && null, "nor through the aligned one: NULL");
}

/* The rules of malloc_usable_size and of mixing with free() of old code. */
static void test_with_c()
{
	void *p = malloc(100);

	free(p);
	p = ::operator new(100);
	OK(malloc_usable_size(p) >= 100, "usable size of an object from new");
	memset(p, 1, malloc_usable_size(p));
	::operator delete(p);
	errno = 12345;
	::operator delete(::operator new(70 << 20));
	OK(errno == 12345, "new and delete keep errno");
}

int main()
{
	tap_begin();
	test_symbols();
	test_forms();
	test_aligned_forms();
	test_containers();
	test_throws();
	test_handler();
	test_with_c();
	return tap_end();
}
