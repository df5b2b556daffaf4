// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * C++'s operators new and delete, by their mangled names.
 *
 * What they need of the C++ library (the new-handler, the throw of
 * std::bad_alloc) is asked for when memory is short, and by name: a C program
 * may have got the library along with a plugin, where neither weak references
 * nor RTLD_NEXT would find it. A new-handler may throw, and only C++ code can
 * catch that; so the nothrow forms, when there is a handler, go to the C++
 * library's own, which calls the throwing form here within a try block.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include "user.h"
#include "api/core.h"

typedef void (*pm_new_handler)(void);

/* A function of the C++ library that this process has, or NULL. */
static noinline __cold void *pm_cxx(const char *name)
{
	void *lib, *fn = dlsym(RTLD_NEXT, name);

	if (fn)
		return fn;
	lib = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD);
	if (!lib)
		lib = dlopen("libc++.so.1", RTLD_LAZY | RTLD_NOLOAD);
	return lib ? dlsym(lib, name) : NULL;
}

static pm_new_handler pm_handler(void)
{
	pm_new_handler (*get)(void) = pm_cxx("_ZSt15get_new_handlerv");

	return get ? get() : NULL;
}

static noinline __cold void *pm_new_slow(size_t size, size_t align)
{
	void (*throw_bad_alloc)(void);
	pm_new_handler handler;
	void *obj;

	while (!(obj = pm_alloc(size, align, GFP_KERNEL))) {
		handler = pm_handler();
		if (handler) {
			handler();
			continue;
		}
		throw_bad_alloc = pm_cxx("_ZSt17__throw_bad_allocv");
		if (throw_bad_alloc)
			throw_bad_alloc();
		pm_host_say("pmalloc: operator new: out of memory, and no C++ library to throw");
		abort();
	}
	return obj;
}

static noinline void *pm_new_miss(size_t size, size_t align, void *unmarked)
{
	void *obj = pm_alloc_miss(size, align, GFP_KERNEL, unmarked);

	return likely(obj) ? obj : pm_new_slow(size, align);
}

static __always_inline void *pm_new(size_t size)
{
	void *unmarked, *obj = pm_malloc_fast(size, &unmarked);

	return likely(obj) ? obj : pm_new_miss(size, 1, unmarked);
}

static __always_inline void *pm_new_aligned(size_t size, size_t align)
{
	void *unmarked, *obj = pm_malloc_aligned_fast(size, align, &unmarked);

	return likely(obj) ? obj : pm_new_miss(size, align, unmarked);
}

PM_EXPORT void *pm_op_new(size_t n) __asm__("_Znwm");
PM_EXPORT void *pm_op_new_array(size_t n) __asm__("_Znam");
PM_EXPORT void *pm_op_new_aligned(size_t n, size_t a)
	__asm__("_ZnwmSt11align_val_t");
PM_EXPORT void *pm_op_new_array_aligned(size_t n, size_t a)
	__asm__("_ZnamSt11align_val_t");

void *pm_op_new(size_t n) { return pm_new(n); }
void *pm_op_new_array(size_t n) { return pm_new(n); }
void *pm_op_new_aligned(size_t n, size_t a) { return pm_new_aligned(n, a); }
void *pm_op_new_array_aligned(size_t n, size_t a) { return pm_new_aligned(n, a); }

#define PM_NEW_NOTHROW(fn, symbol)					\
PM_EXPORT void *fn(size_t n, const void *tag) __asm__(symbol);		\
void *fn(size_t n, const void *tag)					\
{									\
	void *(*next)(size_t, const void *);				\
	void *obj = pm_alloc(n, 1, GFP_KERNEL);				\
									\
	if (likely(obj) || !pm_handler())				\
		return obj;						\
	next = pm_cxx(symbol);						\
	return next ? next(n, tag) : NULL;				\
}

#define PM_NEW_ALIGNED_NOTHROW(fn, symbol)				\
PM_EXPORT void *fn(size_t n, size_t a, const void *tag) __asm__(symbol);\
void *fn(size_t n, size_t a, const void *tag)				\
{									\
	void *(*next)(size_t, size_t, const void *);			\
	void *obj = pm_alloc(n, a, GFP_KERNEL);				\
									\
	if (likely(obj) || !pm_handler())				\
		return obj;						\
	next = pm_cxx(symbol);						\
	return next ? next(n, a, tag) : NULL;				\
}

PM_NEW_NOTHROW(pm_op_new_nothrow, "_ZnwmRKSt9nothrow_t")
PM_NEW_NOTHROW(pm_op_new_array_nothrow, "_ZnamRKSt9nothrow_t")
PM_NEW_ALIGNED_NOTHROW(pm_op_new_aligned_nothrow,
		       "_ZnwmSt11align_val_tRKSt9nothrow_t")
PM_NEW_ALIGNED_NOTHROW(pm_op_new_array_aligned_nothrow,
		       "_ZnamSt11align_val_tRKSt9nothrow_t")

/* Delete: plain, nothrow, sized, aligned, and what of these goes together. */
#define PM_DELETE(fn, symbol)						\
PM_EXPORT void fn(void *p) __asm__(symbol);				\
void fn(void *p) { pm_free_named(p, "operator delete"); }

#define PM_DELETE_TAG(fn, symbol)					\
PM_EXPORT void fn(void *p, size_t tag) __asm__(symbol);			\
void fn(void *p, size_t tag __maybe_unused)				\
{									\
	pm_free_from(p, "operator delete");				\
}

#define PM_DELETE_TAGS(fn, symbol)					\
PM_EXPORT void fn(void *p, size_t a, const void *tag) __asm__(symbol);	\
void fn(void *p, size_t a __maybe_unused, const void *tag __maybe_unused)\
{									\
	pm_free_from(p, "operator delete");				\
}

#define PM_DELETE_SIZED(fn, symbol)					\
PM_EXPORT void fn(void *p, size_t n) __asm__(symbol);			\
void fn(void *p, size_t n)						\
{									\
	pm_free_sized_named(p, n, pm_class_of_small(n), false,		\
			    "operator delete");				\
}

#define PM_DELETE_SIZED_ALIGNED(fn, symbol)				\
PM_EXPORT void fn(void *p, size_t n, size_t a) __asm__(symbol);		\
void fn(void *p, size_t n, size_t a)					\
{									\
	pm_free_sized_named(p, n, pm_class_of_aligned(n, a), true,	\
			    "operator delete");				\
}

PM_DELETE(pm_op_delete, "_ZdlPv")
PM_DELETE(pm_op_delete_array, "_ZdaPv")
PM_DELETE_TAG(pm_op_delete_nothrow, "_ZdlPvRKSt9nothrow_t")
PM_DELETE_TAG(pm_op_delete_array_nothrow, "_ZdaPvRKSt9nothrow_t")
PM_DELETE_TAG(pm_op_delete_aligned, "_ZdlPvSt11align_val_t")
PM_DELETE_TAG(pm_op_delete_array_aligned, "_ZdaPvSt11align_val_t")
PM_DELETE_TAGS(pm_op_delete_aligned_nothrow,
	       "_ZdlPvSt11align_val_tRKSt9nothrow_t")
PM_DELETE_TAGS(pm_op_delete_array_aligned_nothrow,
	       "_ZdaPvSt11align_val_tRKSt9nothrow_t")
PM_DELETE_SIZED(pm_op_delete_sized, "_ZdlPvm")
PM_DELETE_SIZED(pm_op_delete_array_sized, "_ZdaPvm")
PM_DELETE_SIZED_ALIGNED(pm_op_delete_sized_aligned, "_ZdlPvmSt11align_val_t")
PM_DELETE_SIZED_ALIGNED(pm_op_delete_array_sized_aligned,
			"_ZdaPvmSt11align_val_t")
