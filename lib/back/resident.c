// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Resident bytes: what of our memory has pages now.
 *
 * What was mapped, or handed out, says little about that: pages come when they
 * are written, and the host takes some back by itself. So the host is asked, and a
 * page that several objects share counts for each with the bytes that lie in it.
 *
 * The limits. This is for reports: a system call for each 1024 pages.
 */
#include "back/resident.h"

/**
 * pm_pages_look() - ask which pages of a range are there
 * @pages: where to note it
 * @addr: start, a multiple of the page size
 * @size: bytes, up to PM_PAGES_AT_ONCE pages
 *
 * Context: any lock held.
 * Return: false when the host cannot tell, or nothing is mapped there.
 */
bool pm_pages_look(struct pm_pages *pages, const void *addr, size_t size)
{
	pages->base = addr;
	return pm_host_pages(addr, DIV_ROUND_UP(size, PAGE_SIZE), pages->has);
}

/**
 * pm_pages_bytes() - bytes of an address range that are resident
 * @pages: as pm_pages_look() filled it
 * @addr: start, in the range that was looked at
 * @size: bytes, all of them in it
 */
size_t pm_pages_bytes(const struct pm_pages *pages, const void *addr,
		      size_t size)
{
	size_t at = (const char *)addr - pages->base, end = at + size, next;
	size_t bytes = 0;

	for (; at < end; at = next) {
		next = min_t(size_t, ALIGN_DOWN(at, PAGE_SIZE) + PAGE_SIZE, end);
		if (test_bit(at >> PAGE_SHIFT, pages->has))
			bytes += next - at;
	}
	return bytes;
}

/**
 * pm_resident_bytes() - bytes of an address range that are resident
 * @addr: start
 * @size: bytes, any number of them
 *
 * Context: any lock held. The range may be anybody's by now.
 * Return: bytes, 0 for what the host cannot tell of.
 */
size_t pm_resident_bytes(const void *addr, size_t size)
{
	const char *at = addr, *end = at + size, *page, *next;
	struct pm_pages pages;
	size_t bytes = 0;

	for (; at < end; at = next) {
		page = (const char *)ALIGN_DOWN((unsigned long)at, PAGE_SIZE);
		next = min_t(const char *, end,
			     page + PM_PAGES_AT_ONCE * PAGE_SIZE);
		if (pm_pages_look(&pages, page, next - page))
			bytes += pm_pages_bytes(&pages, at, next - at);
	}
	return bytes;
}

/**
 * pm_resident_objects() - resident bytes of free objects of one class
 * @objs: the objects; one may be anybody's by now
 * @n: how many
 * @size: bytes of each
 *
 * An object of up to a page has all of its pages, for it has a mark, in its first
 * bytes, and the next one has, too. So those are counted, and longer ones are
 * looked at.
 *
 * Context: any lock held.
 */
size_t pm_resident_objects(void *const *objs, unsigned int n, size_t size)
{
	size_t bytes = 0;

	if (size <= PAGE_SIZE)
		return n * size;
	while (n--)
		bytes += pm_resident_bytes(READ_ONCE(objs[n]), size);
	return bytes;
}
