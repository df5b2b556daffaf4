// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * From a size to an object, when the fast half of malloc() has found none.
 *
 *	middle size	the magazine again, by its class of spans
 *	then		pm_mag_refill() -> __pm_malloc_lock()
 *	large		pm_large_alloc()
 *	charged		pm_large_alloc_charged(), whatever its size is
 *
 * The fast half knows the classes of slabs only: those of spans are computed here. What
 * is kept for reuse comes before a request fails.
 */
#include "pmalloc.h"
#include "api/core.h"
#include "api/misuse.h"
#include "api/start.h"
#include "arena/malloc_lock.h"
#include "back/large.h"
#include "back/span.h"
#include "base/limit.h"
#include "front/magazine.h"
#include "upkeep/trim.h"

/**
 * struct pm_request - what is asked for
 * @size: bytes
 * @align: power of two
 * @gfp: context
 * @class: class that serves both; 0 for a large object
 * @written: of @size, bytes that the caller will write at once
 * @past_magazine: take the object under an arena's lock
 * @grown: realloc() wants it for an object that grew
 */
struct pm_request {
	size_t size;
	size_t align;
	gfp_t gfp;
	unsigned long class;
	size_t written;
	bool past_magazine;
	bool grown;
};

/* One object under an arena's lock. */
static void *pm_take_locked(unsigned int class, gfp_t gfp)
{
	void *obj;

	return __pm_malloc_lock(class, &obj, 1, gfp) ? obj : NULL;
}

/* @size bytes of an object of a class are zeroes, if @gfp wants that. */
static void *pm_zero(void *obj, size_t size, gfp_t gfp)
{
	if ((gfp & __GFP_ZERO) && !want_init_on_alloc(0))
		memset(obj, 0, size);
	return obj;
}

/* An object that no magazine had, whose mark is spent, is as it is asked for. */
static void *pm_hand_out(void *obj, const struct pm_request *req)
{
	if (pm_class_is_span(req->class) &&
	    pm_span_hand_out(obj, req->size, req->written, req->gfp))
		return obj;
	return pm_zero(obj, req->size, req->gfp);
}

/* Once, from whatever serves such a request. */
static void *pm_serve(const struct pm_request *req)
{
	void *obj;

	if (unlikely(req->gfp & __GFP_ACCOUNT))
		return pm_large_alloc_charged(req->size, req->align, req->gfp);
	if (unlikely(!req->class))
		return req->grown ? pm_large_alloc_grown(req->size, req->gfp) :
			pm_large_alloc(req->size, req->align, req->gfp);
	/* mark G. One without a mark is nobody's. */
	for (;;) {
		if (unlikely(req->past_magazine))
			obj = pm_take_locked(req->class, req->gfp);
		else
			obj = pm_mag_refill(req->class, req->gfp);
		pm_misuse_report_noted();
		if (unlikely(!obj))
			return NULL;
		if (likely(pm_obj_take(obj, req->class)))
			return pm_hand_out(obj, req);
		pm_misuse_unmarked(obj, req->class);
	}
}

/*
 * Whether giving back what is kept can make room for a request. One that is
 * longer than an object or the address space never has room, and one that is
 * longer than what the host has and we keep has none now; without this look a
 * program that asks for it again and again would have its heaps given back and
 * mapped once more, each time.
 */
static bool pm_request_can_be_met(const struct pm_request *req)
{
	size_t most = min_t(size_t, PM_LARGE_MAX, 1UL << PM_ADDR_BITS);

	return (req->class && !pm_class_is_span(req->class)) ||
	       (req->size < most && req->align < most &&
		pm_trim_can_make_room(req->size, req->align));
}

/* The most that may get pages by it: a magazine's batch of its class. */
static size_t pm_request_bytes(const struct pm_request *req)
{
	return req->class ? pm_class_bytes(req->class) * pm_classes[req->class].batch :
			    req->size;
}

/*
 * A request that no magazine has served: start the allocator if it has not,
 * and when memory is short let what we keep for reuse come first.
 */
static noinline void *pm_serve_slow(const struct pm_request *req)
{
	bool may_wait = gfpflags_allow_blocking(req->gfp);
	void *obj;

	if (unlikely(!pm_is_started()) && (!may_wait || !pm_start(req->gfp)))
		return NULL;
	if (unlikely(pm_limit_serve(pm_request_bytes(req))) && may_wait)
		pm_trim_below_ceiling(req->size);
	obj = pm_serve(req);
	if (unlikely(!obj) && may_wait && pm_request_can_be_met(req) &&
	    pm_trim())
		obj = pm_serve(req);
	if (unlikely(pm_limit_is_passed()) && may_wait)
		pm_trim_beyond_limit();
	return obj;
}

/*
 * A request that the fast halves have not served: @unmarked is what one took and
 * may not hand out, or NULL.
 */
static noinline void *pm_alloc_slow(const struct pm_request *req, void *unmarked)
{
	if (unlikely(unmarked))
		pm_misuse_unmarked(unmarked, req->class);
	return pm_serve_slow(req);
}

/* Class that serves both, of slabs or of spans, or 0. */
static unsigned long pm_class_of_any(size_t size, size_t align)
{
	unsigned long class = pm_class_of_middle(size, align);

	return class ? class : pm_class_of_aligned(size, align);
}

/*
 * What the caller's cgroup is charged for shares no page with what it is not, so no
 * magazine and no slab has it.
 */
static noinline void *pm_alloc_charged(size_t size, size_t align, gfp_t gfp)
{
	struct pm_request req = {
		.size = size,
		.align = align,
		.gfp = gfp,
	};

	return pm_serve_slow(&req);
}

/**
 * pm_alloc() - allocate memory, whatever is asked for
 * @size: bytes
 * @align: power of two
 * @gfp: context; __GFP_ZERO asks for zeroes: @size bytes of them, what more
 *	the object can hold is as somebody left it; __GFP_ACCOUNT has the caller's
 *	cgroup charged
 *
 * Context: as @gfp says.
 * Return: object, or NULL.
 */
void *pm_alloc(size_t size, size_t align, gfp_t gfp)
{
	void *obj, *unmarked;

	if (unlikely(gfp & __GFP_ACCOUNT))
		return pm_alloc_charged(size, align, gfp);
	obj = pm_malloc_aligned_fast(size, align, &unmarked);
	if (unlikely(!obj))
		return pm_alloc_miss(size, align, gfp, unmarked);
	return pm_zero(obj, size, gfp);
}

/**
 * pm_alloc_miss() - allocate after the fast path has found nothing
 * @size: bytes
 * @align: power of two
 * @gfp: context, as for pm_alloc()
 * @unmarked: what it took and may not hand out, or NULL
 *
 * Context: as @gfp says.
 * Return: object, or NULL.
 */
void *pm_alloc_miss(size_t size, size_t align, gfp_t gfp, void *unmarked)
{
	struct pm_request req = {
		.size = size,
		.align = align,
		.gfp = gfp,
	};
	void *obj = NULL;

	if (!unmarked)
		obj = pm_malloc_middle_fast(size, align, &unmarked);
	if (obj)
		return pm_zero(obj, size, gfp);
	req.class = pm_class_of_any(size, align);
	return pm_alloc_slow(&req, unmarked);
}

/**
 * pm_alloc_to_copy() - allocate memory for realloc() to copy an object to
 * @size: bytes
 * @written: of these, bytes that will be written at once; 0 for an object that does not
 *	grow
 * @gfp: GFP_KERNEL, with __GFP_ACCOUNT where the object's cgroup is charged
 *
 * Context: may sleep.
 * Return: object, or NULL.
 */
void *pm_alloc_to_copy(size_t size, size_t written, gfp_t gfp)
{
	struct pm_request req = {
		.size = size,
		.align = 1,
		.gfp = gfp,
		.class = gfp & __GFP_ACCOUNT ? 0 : pm_class_of_any(size, 1),
		.written = written,
		.grown = written,
	};
	void *obj, *unmarked = NULL;

	if (likely(req.class)) {
		obj = pm_malloc_class_fast(req.class, &unmarked);
		if (likely(obj))
			return obj;
	}
	obj = pm_alloc_slow(&req, unmarked);
	if (obj && !req.class)
		pm_large_will_write(obj, written);
	return obj;
}

size_t pm_trim(void)
{
	size_t bytes = pm_trim_all();

	pm_misuse_report_noted();
	return bytes;
}
EXPORT_SYMBOL_GPL(pm_trim);

void *pm_malloc_lock(size_t size)
{
	struct pm_request req = {
		.size = size,
		.align = 1,
		.gfp = GFP_KERNEL,
		.class = pm_class_of_any(size, 1),
		.past_magazine = true,
	};

	return pm_serve_slow(&req);
}
EXPORT_SYMBOL_GPL(pm_malloc_lock);
