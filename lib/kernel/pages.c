// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Memory in the kernel: heaps are compound pages, large objects come from
 * vmalloc or are runs of pages, descriptors come from the slab allocator.
 *
 * Reclaim. Heaps and descriptors are allocated with an arena's lock held, and
 * whoever waits for that lock may itself be in the middle of writing pages
 * back. So these allocations never start I/O nor enter a filesystem, whatever
 * the caller's flags allow; the reclaim that remains cannot wait for anybody
 * who waits for us. Our own shrinker only tries arenas' locks for the same reason.
 *
 * Cgroups. What is got under a lock serves all, so nobody is charged for it. A large
 * object's pages are its own as long as it has them, and __GFP_ACCOUNT is the page
 * allocator's to look at.
 *
 * Atomic contexts. free() is for any context, but vfree() may sleep, and
 * call_srcu() takes a lock that sleeps on PREEMPT_RT. In such a context
 * memory is put on a lock-less list, and a work item frees it.
 */
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include "arena/registry.h"
#include "back/heap.h"
#include "host.h"
#include "back/pagemap.h"

/* Bytes that we hold, descriptors not counted. */
static atomic_long_t pm_mapped_bytes;
/* Bytes of descriptors, those that wait for the end of a grace period too. */
static atomic_long_t pm_meta_total;

static gfp_t pm_gfp_under_lock(gfp_t gfp)
{
	return (gfp & ~(__GFP_IO | __GFP_FS | __GFP_ACCOUNT)) | __GFP_ZERO | __GFP_NOWARN;
}

/* ---- heaps ------------------------------------------------------------- */

/*
 * For a block that could be shorter, or of pages that do not follow each other.
 * Memory that has been up for long is in pieces, and then the kernel takes tenths of
 * a second to find one, or, up to order 3, does not return without one.
 */
static gfp_t pm_gfp_no_effort(gfp_t gfp)
{
	return (gfp & ~__GFP_RECLAIM) | __GFP_NORETRY | __GFP_NOMEMALLOC |
	       __GFP_NOWARN;
}

/* Rather a heap of one slab than none. */
void *pm_host_heap_map(size_t *size, size_t least, gfp_t gfp)
{
	int order = get_order(*size), last = get_order(least);
	struct page *page = NULL;

	gfp = pm_gfp_under_lock(gfp) | __GFP_COMP | __GFP_NORETRY;
	for (; !page && order >= last; order--) {
		page = alloc_pages(order > last ? pm_gfp_no_effort(gfp) : gfp,
				   order);
		*size = PAGE_SIZE << order;
	}
	if (!page)
		return NULL;
	atomic_long_add(*size, &pm_mapped_bytes);
	return page_address(page);
}

void pm_host_heap_unmap(void *addr, size_t size)
{
	atomic_long_sub(size, &pm_mapped_bytes);
	__free_pages(virt_to_page(addr), get_order(size));
}

/* A compound page comes and goes as a whole. */
bool pm_host_purge(void *addr, size_t size)
{
	return false;
}

/* The kernel maps all of its memory by the largest pages that there are. */
bool pm_host_huge(void *addr, size_t size, bool yes)
{
	return false;
}

bool pm_host_huge_cost(struct pm_huge_cost *cost)
{
	return false;
}

/* It has them. */
void pm_host_populate(void *addr, size_t size)
{
}

long pm_host_resident(const void *addr, size_t size)
{
	return size;
}

bool pm_host_pages(const void *addr, size_t pages, unsigned long *has)
{
	bitmap_fill(has, pages);
	return true;
}

/* ---- what cannot be freed here and now --------------------------------- */

/**
 * struct pm_late - memory that waits to be freed
 * @node: place in a lock-less list
 * @size: bytes
 */
struct pm_late {
	struct llist_node node;
	size_t size;
};

static LLIST_HEAD(pm_late_large);
static LLIST_HEAD(pm_late_meta);

static void pm_late_free(struct work_struct *work);
static DECLARE_WORK(pm_late_work, pm_late_free);

static void pm_free_late(struct pm_late *late, struct llist_head *list)
{
	if (llist_add(&late->node, list))
		schedule_work(&pm_late_work);
}

/* ---- large objects ----------------------------------------------------- */

/* Whether all of vmalloc's addresses can be in the page map. */
static bool pm_vmalloc_fits(void)
{
	return (VMALLOC_END - PM_ADDR_BASE) >> PM_ADDR_BITS == 0;
}

/*
 * A run of pages, for what vmalloc cannot give: alignment beyond a page. The
 * buddy allocator's blocks are aligned to their size; the pages beyond @size
 * go back at once.
 */
static void *pm_map_pages(size_t size, size_t align, gfp_t gfp)
{
	unsigned int order = get_order(max(size, align));
	unsigned long addr, at, end;

	addr = __get_free_pages(gfp, order);
	if (!addr)
		return NULL;
	split_page(virt_to_page((void *)addr), order);
	end = addr + (PAGE_SIZE << order);
	for (at = addr + size; at < end; at += PAGE_SIZE)
		free_page(at);
	return (void *)addr;
}

/* No lock is held here: the caller's flags hold as they are. */
void *pm_host_large_map(size_t *size, size_t align, gfp_t gfp)
{
	void *addr;

	gfp |= __GFP_ZERO | __GFP_NOWARN;
	if (align <= PAGE_SIZE && pm_vmalloc_fits())
		addr = __vmalloc(*size, gfp);
	else
		addr = pm_map_pages(*size, align, gfp);
	if (addr)
		atomic_long_add(*size, &pm_mapped_bytes);
	return addr;
}

/* What is free changes all the time, what there is does not. */
bool pm_host_has_room(size_t size, size_t align)
{
	return size >> PAGE_SHIFT <= totalram_pages();
}

/*
 * The list runs through the freed memory itself; nothing else could hold it
 * without asking for memory. It is short-lived: the work item empties it.
 */
void pm_host_large_unmap(void *addr, size_t size)
{
	struct pm_late *late;

	atomic_long_sub(size, &pm_mapped_bytes);
	if (likely(pm_context_may_lock())) {
		if (is_vmalloc_addr(addr))
			vfree(addr);
		else
			free_pages_exact(addr, size);
		return;
	}
	late = addr;
	late->size = size;
	pm_free_late(late, &pm_late_large);
}

/* The kernel's page tables are not ours to move pages in. */
bool pm_host_large_remap(void *addr, size_t old_size, size_t new_size,
			 void *to)
{
	return false;
}

/* ---- descriptors ------------------------------------------------------- */

/**
 * struct pm_meta_tail - what stands behind a descriptor
 * @rcu: its grace period
 * @late: its place in the list of what cannot be freed at once
 * @base: its first byte
 */
struct pm_meta_tail {
	union {
		struct rcu_head rcu;
		struct pm_late late;
	};
	void *base;
};

/*
 * kmalloc() aligns sizes that are a power of two to their size; its other
 * classes, 96 and 192, are never hit by what is rounded up to one. Above a
 * page whole pages are taken. What is longer still, or not to be had, comes from
 * vmalloc() where the context may sleep.
 */
#define PM_META_PAGES	(64UL << 10)

static size_t pm_meta_room(size_t size)
{
	size = ALIGN(size, sizeof(long)) + sizeof(struct pm_meta_tail);
	return size < PAGE_SIZE ? roundup_pow_of_two(size) : PAGE_ALIGN(size);
}

static void *pm_meta_get(size_t room, gfp_t gfp)
{
	void *ptr = NULL;

	if (room <= PAGE_SIZE)
		return kmalloc(room, gfp);
	if (!gfpflags_allow_blocking(gfp))
		return alloc_pages_exact(room, gfp);
	if (room <= PM_META_PAGES)
		ptr = alloc_pages_exact(room, pm_gfp_no_effort(gfp));
	return ptr ? ptr : __vmalloc(room, gfp);
}

static void pm_meta_put(void *ptr, size_t room)
{
	if (is_vmalloc_addr(ptr))
		vfree(ptr);
	else if (room <= PAGE_SIZE)
		kfree(ptr);
	else
		free_pages_exact(ptr, room);
}

static struct pm_meta_tail *pm_meta_tail(void *ptr, size_t size)
{
	return ptr + ALIGN(size, sizeof(long));
}

void *pm_meta_alloc(size_t size, gfp_t gfp)
{
	size_t room = pm_meta_room(size);
	void *ptr;

	ptr = pm_meta_get(room, pm_gfp_under_lock(gfp));
	if (!ptr)
		return NULL;
	pm_meta_tail(ptr, size)->base = ptr;
	atomic_long_add(room, &pm_meta_total);
	return ptr;
}

static void pm_meta_release(struct rcu_head *rcu)
{
	struct pm_meta_tail *tail = container_of(rcu, struct pm_meta_tail, rcu);
	size_t room = pm_meta_room((char *)tail - (char *)tail->base);

	atomic_long_sub(room, &pm_meta_total);
	pm_meta_put(tail->base, room);
}

void pm_meta_free(void *ptr, size_t size)
{
	struct pm_meta_tail *tail;

	if (!ptr)
		return;
	tail = pm_meta_tail(ptr, size);
	if (likely(pm_context_may_lock()))
		call_srcu(&pm_srcu, &tail->rcu, pm_meta_release);
	else
		pm_free_late(&tail->late, &pm_late_meta);
}

size_t pm_meta_bytes(void)
{
	return atomic_long_read(&pm_meta_total);
}

long pm_meta_resident(void)
{
	return pm_meta_bytes();
}

/* ---- late frees, and the end ------------------------------------------- */

static void pm_late_free(struct work_struct *work)
{
	struct llist_node *large = llist_del_all(&pm_late_large);
	struct llist_node *meta = llist_del_all(&pm_late_meta);
	struct pm_meta_tail *tail;
	struct pm_late *late;

	while (large) {
		late = llist_entry(large, struct pm_late, node);
		large = large->next;
		if (is_vmalloc_addr(late))
			vfree(late);
		else
			free_pages_exact(late, late->size);
	}
	while (meta) {
		tail = llist_entry(meta, struct pm_meta_tail, late.node);
		meta = meta->next;
		call_srcu(&pm_srcu, &tail->rcu, pm_meta_release);
	}
}

/**
 * pm_pages_flush() - wait until everything that was freed is really free
 *
 * Context: may sleep; nobody frees any more.
 */
void pm_pages_flush(void)
{
	flush_work(&pm_late_work);
	srcu_barrier(&pm_srcu);
}

/**
 * pm_pages_mapped() - bytes of heaps and large objects that the host gave
 *
 * Return: bytes; 0 when the core gave everything back.
 */
size_t pm_pages_mapped(void)
{
	return atomic_long_read(&pm_mapped_bytes);
}
