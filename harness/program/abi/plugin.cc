// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A C++ plugin, for plugin_host.c: what it says of new that fails.
 */
#include <new>
#include <cstddef>

static int calls;

static void handler()
{
	if (++calls == 2)
		std::set_new_handler(nullptr);
}

/* Allocates and frees; @return 0, or which step went wrong. */
extern "C" int plugin_run(size_t impossible)
{
	void *p = ::operator new(1000);

	::operator delete(p, (size_t)1000);
	try {
		(void)::operator new(impossible);
		return 1;
	} catch (const std::bad_alloc &) {
	} catch (...) {
		return 2;
	}
	if (::operator new(impossible, std::nothrow))
		return 3;
	std::set_new_handler(handler);
	try {
		(void)::operator new(impossible);
		return 4;
	} catch (const std::bad_alloc &) {
	}
	if (calls != 2)
		return 5;
	calls = 0;
	std::set_new_handler(handler);
	if (::operator new(impossible, std::nothrow))
		return 6;
	return calls == 2 ? 0 : 7;
}
