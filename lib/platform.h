/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The contract between the core and its host.
 *
 * The core (all of lib/ but kernel/ and user/) is kernel C. Words that the kernel
 * has (mutex_lock, READ_ONCE, list_head ...) are used as the kernel means them; a
 * host's pm_env.h brings them along. This header holds what the hosts answer
 * differently: memory, CPUs, threads, time, and what to do about bad input.
 * Each function is answered once in lib/kernel/ and once in lib/user/.
 *
 * Constants, which pm_env.h defines:
 *   PM_HEAP_SHIFT	log2 of the size and alignment of a heap
 *   PM_HEAP_ALIGN_SHIFT	log2 of the least alignment of one that is shorter
 *   PM_STEP_SHIFT	log2 of the steps in which slabs are opened, 12 to 14: of
 *			what is given to a class that is hardly used
 *   PM_ADDR_BASE	lowest address that the host can give us
 *   PM_ADDR_BITS	bits of (address - PM_ADDR_BASE)
 *   PM_CACHE_SLOTS	most objects of a cache that a CPU's magazine may hold; a
 *			magazine has slots for all caches that there can be
 *   PM_EXTENT_GRAIN	bytes; extents start at multiples of it, and have as many
 *   PM_CHUNK_CUTS	1: what pm_host_large_map() gave can go back in pieces, and
 *			neighbours together; 0: only as it was given
 *   PM_CHUNK_MIN	least bytes to map for large objects, 0 for as many as asked
 *   PM_CHUNK_MAX	most bytes to map at once for large objects, beyond what is
 *			asked
 *   PM_HUGE_BYTES	bytes of a huge page, where heaps may have some
 *   PM_LARGE_MAX	largest single object in bytes
 *   __pm_local		hidden visibility, where there is such a thing
 *   PM_MARK		1: free objects carry a mark; 0 in a build that is made to
 *			measure what that costs
 *   PM_DEBUG		1 in builds that run the validators, else 0
 *
 * Other words of the host, from pm_env.h:
 *   pm_context_may_lock()	whether the caller may take a mutex, or even try
 *   pm_mutex_lock_sleep()	mutex_lock(), and returns what the wait was like:
 *   pm_sleep		struct: calls to the host to sleep, and times it did
 *   pm_mutex_halt()	take a mutex for a fork(), unless this thread has it already
 *			(a fork() in a signal handler), or who has it may wait for
 *			this thread; whether it was taken
 *   pm_mutex_is_halted()	whether it was
 *   pm_mutex_is_mine()	whether this thread has it, be it for a fork()
 *   pm_mutex_is_others()	whether another thread has it
 *   pm_mutex_resume()	let go of it, if it was
 *   pm_mutex_restart()	in the child: nobody has it, unless this thread had it
 *			before the fork(); whether it is free now
 *   pm_inside_begin()	this thread begins what a child must not undo
 *   pm_inside_end()	... and has ended it
 *   pm_srcu_read_trylock()	bool: srcu_read_lock(), the index goes where one
 *			says; false when there is no section to be had. Without
 *			one a caller may use an arena that the table or a heap names,
 *			for its memory stays an arena's; the list of arenas may
 *			not be walked. srcu_read_unlock() is behind true only.
 *
 * pm_trace.h defines trace_NAME() and trace_NAME_enabled() for each event of the
 * table in trace.h; pm_percpu.h what magazine.h lists.
 *
 * The words of the kernel that the core uses, with the kernel's meaning:
 *   compiler	likely unlikely noinline __always_inline __cold __printf
 *		static_assert container_of EXPORT_SYMBOL_GPL __read_mostly
 *		____cacheline_aligned_in_smp SMP_CACHE_BYTES
 *   types	u8 u16 u32 u64 s64
 *   errors	EBUSY EINVAL ENOENT ENOMEM ENOSPC EPERM E2BIG
 *   numbers	ALIGN ALIGN_DOWN IS_ALIGNED DIV_ROUND_UP ARRAY_SIZE min_t max_t
 *		SIZE_MAX is_power_of_2 ilog2 check_mul_overflow PAGE_SHIFT PAGE_SIZE
 *   bits	BITS_PER_LONG BITS_TO_LONGS __ffs hweight_long __set_bit
 *		__clear_bit test_bit test_and_set_bit
 *   text	memcpy memmove memset strchr strcmp strcspn strlen strncmp
 *		strspn kstrtoul scnprintf vsnprintf
 *   lists	list_head LIST_HEAD INIT_LIST_HEAD list_add list_add_tail
 *		list_del list_splice_init list_empty list_is_singular
 *		list_first_entry list_for_each_entry
 *		list_for_each_entry_reverse list_for_each_entry_safe
 *		list_for_each_entry_safe_reverse
 *		llist_head llist_node llist_add llist_del_all llist_empty
 *   order	READ_ONCE WRITE_ONCE smp_mb smp_wmb smp_load_acquire
 *		smp_store_release xchg cmpxchg try_cmpxchg cpu_relax
 *   atomics	atomic_long_t atomic_long_read atomic_long_set atomic_long_add
 *		atomic_long_sub atomic_long_inc atomic_long_inc_return
 *		atomic_long_dec_return atomic_long_dec_if_positive
 *   mutexes	mutex DEFINE_MUTEX __MUTEX_INITIALIZER mutex_init mutex_lock
 *		mutex_lock_nested SINGLE_DEPTH_NESTING mutex_trylock
 *		mutex_unlock
 *   existence	srcu_struct DEFINE_SRCU srcu_read_unlock
 *		synchronize_srcu list_add_tail_rcu list_del_rcu
 *		list_for_each_entry_srcu
 *   checks	BUG_ON lockdep_assert_held lockdep_is_held srcu_read_lock_held
 *   requests	gfp_t GFP_KERNEL GFP_NOWAIT __GFP_ACCOUNT __GFP_ZERO
 *		gfpflags_allow_blocking want_init_on_alloc want_init_on_free
 *
 * scripts/check-seam compares these lists, the functions below, and the list of
 * the per-CPU section with what the core uses, both ways.
 */
#ifndef PM_PLATFORM_H
#define PM_PLATFORM_H

#include "pm_env.h"

/* Most pages that a host is asked about at once. */
#define PM_PAGES_AT_ONCE	1024UL

/**
 * pm_host_heap_map() - get the memory of a heap
 * @size: in: bytes wanted, a multiple of 16 KiB up to 1 << PM_HEAP_SHIFT.
 *	out: bytes given, which may be fewer when the host is short of memory
 * @least: fewer bytes than that are of no use, a power of two
 * @gfp: context
 *
 * The memory starts at a multiple of 1 << PM_HEAP_SHIFT. Where it is shorter
 * than that, and PM_HEAP_ALIGN_SHIFT less, a multiple of its own size will do,
 * a power of two; then other short heaps may lie in the same slot.
 *
 * Context: arena lock held, sleeps as @gfp allows.
 * Return: zeroed memory, or NULL.
 */
void *pm_host_heap_map(size_t *size, size_t least, gfp_t gfp);

/**
 * pm_host_heap_unmap() - give a heap's memory back
 * @addr: as pm_host_heap_map() returned it
 * @size: bytes given then
 *
 * Context: arena lock held.
 */
void pm_host_heap_unmap(void *addr, size_t size);

/**
 * pm_host_huge() - ask for huge pages, or let memory have none
 * @addr: start, a multiple of the size of a huge page
 * @size: bytes, likewise
 * @yes: ask
 *
 * Pages that are there stay as they are.
 *
 * Context: any lock held.
 * Return: whether the host was asked for huge pages and knows of them.
 */
bool pm_host_huge(void *addr, size_t size, bool yes);

/**
 * struct pm_huge_cost - what fresh memory costs
 * @small_ns: as much of it as a huge page is, by the pages that heaps get otherwise
 * @huge_ns: ... by one huge page
 */
struct pm_huge_cost {
	u32 small_ns;
	u32 huge_ns;
};

/**
 * pm_host_huge_cost() - measure what a huge page costs, and what it stands for
 * @cost: result
 *
 * Context: any lock held. Takes a millisecond or so.
 * Return: false when the host gives none, or cannot be asked.
 */
bool pm_host_huge_cost(struct pm_huge_cost *cost);

/**
 * pm_host_purge() - let the host take back pages whose content is not needed
 * @addr: start, a multiple of the page size
 * @size: bytes, likewise
 *
 * Context: any lock held.
 * Return: whether the pages went back (they read as zero then). A host
 * whose memory cannot be given back in parts returns false.
 */
bool pm_host_purge(void *addr, size_t size);

/**
 * pm_host_populate() - give memory its pages
 * @addr: start, a multiple of the page size
 * @size: bytes, likewise
 *
 * For memory that is about to be written throughout: where pages come by
 * fault, one request for all of them takes a fraction of a fault for each. A
 * host may do nothing.
 *
 * Context: any lock held.
 */
void pm_host_populate(void *addr, size_t size);

/**
 * pm_host_resident() - how much of a range has pages
 * @addr: start, a multiple of the page size
 * @size: bytes, likewise, up to PM_PAGES_AT_ONCE pages
 *
 * Context: no lock held. The range may be anybody's by now.
 * Return: bytes, all of @size where memory always has pages; negative when the
 * host cannot tell.
 */
long pm_host_resident(const void *addr, size_t size);

/**
 * pm_host_pages() - which pages of a range are there
 * @addr: start, a multiple of the page size
 * @pages: how many, up to PM_PAGES_AT_ONCE
 * @has: out: a bit for each, set where it is there
 *
 * For figures: a page may come or go meanwhile.
 *
 * Context: any lock held. The range may be anybody's by now.
 * Return: whether @has was written; false when the host cannot tell.
 */
bool pm_host_pages(const void *addr, size_t pages, unsigned long *has);

/**
 * pm_host_large_map() - get the memory of a large object
 * @size: bytes, a multiple of PM_EXTENT_GRAIN; the host may round it up
 * @align: power of two, at least PM_EXTENT_GRAIN
 * @gfp: context; __GFP_ACCOUNT has the caller charged for the pages until they go back
 *
 * Return: zeroed memory, or NULL.
 */
void *pm_host_large_map(size_t *size, size_t align, gfp_t gfp);

/**
 * pm_host_has_room() - whether pm_host_large_map() would give so much now
 * @size: bytes, a multiple of the page size
 * @align: power of two, at least the page size
 *
 * Context: no lock held, may sleep.
 * Return: false where it is known that it would not.
 */
bool pm_host_has_room(size_t size, size_t align);

/**
 * pm_host_large_unmap() - give memory of large objects back
 * @addr: start
 * @size: bytes; with PM_CHUNK_CUTS any run of whole pages
 *
 * Context: any that pm_free() may be called in.
 */
void pm_host_large_unmap(void *addr, size_t size);

/**
 * pm_host_large_remap() - move pages to another mapping, and let them be more
 * @addr: start of a run of whole pages
 * @old_size: bytes of it
 * @new_size: bytes wanted
 * @to: a mapping of @new_size bytes that the old one's pages are moved to;
 *	its own are dropped
 *
 * Return: true, then bytes beyond @old_size are zero and nothing is left at
 * @addr; or false, then all is as before. A host need not be able to do this,
 * and may refuse a run that does not lie in one mapping.
 */
bool pm_host_large_remap(void *addr, size_t old_size, size_t new_size,
			 void *to);

/**
 * pm_meta_alloc() - memory for the core's own descriptors
 * @size: bytes
 * @gfp: context
 *
 * Context: innermost: may be called with an arena lock held.
 * Return: zeroed memory aligned to a cache line, or NULL.
 */
void *pm_meta_alloc(size_t size, gfp_t gfp);

/**
 * pm_meta_free() - give a descriptor back
 * @ptr: as pm_meta_alloc() returned it, or NULL
 * @size: bytes asked for then
 *
 * A reader within an SRCU read-side section that began before may still look
 * at the memory: it stays readable until that section ends.
 */
void pm_meta_free(void *ptr, size_t size);

/**
 * pm_meta_bytes() - bytes that descriptors take
 *
 * Return: bytes, free ones kept for reuse included.
 */
size_t pm_meta_bytes(void);

/**
 * pm_meta_resident() - bytes of them that have pages
 *
 * Context: any lock held.
 * Return: bytes, negative when the host cannot tell.
 */
long pm_meta_resident(void);

/**
 * pm_host_nr_cpus() - CPU numbers that can ever occur
 *
 * Possible CPUs, not online ones and not those of the affinity mask; numbers
 * may have holes, hence highest possible number plus one.
 *
 * Return: at least 1.
 */
unsigned int pm_host_nr_cpus(void);

/**
 * pm_host_cpu() - the CPU that runs the caller, as far as one can know
 *
 * A hint: the caller may be elsewhere when it looks at the answer. Nothing
 * but speed may depend on it.
 *
 * Return: below pm_host_nr_cpus().
 */
unsigned int pm_host_cpu(void);

/**
 * pm_host_thread_slot() - a word that belongs to the calling thread
 *
 * Policies keep the thread's arena number there. A host without storage per
 * thread may let threads share words: nothing but speed depends on it.
 *
 * Return: pointer to a word that was 0 when the thread began.
 */
unsigned int *pm_host_thread_slot(void);

/**
 * pm_host_tid() - number of the calling thread for reports
 */
unsigned int pm_host_tid(void);

/**
 * pm_host_clock_ns() - monotonic time
 *
 * Return: nanoseconds since some start.
 */
u64 pm_host_clock_ns(void);

/**
 * pm_host_clock_coarse_ns() - monotonic time, cheap, within a few ms
 */
u64 pm_host_clock_coarse_ns(void);

/**
 * pm_host_can_synchronize() - whether synchronize_srcu() would return
 *
 * A process may have locked itself into a sandbox that refuses what a grace
 * period needs, and the library that waits for it then ends the process.
 *
 * Context: may sleep.
 * Return: true where nothing forbids it.
 */
bool pm_host_can_synchronize(void);

/**
 * pm_host_nap() - sleep for a moment, some tens of microseconds
 *
 * For those who wait for another thread to finish what it began.
 *
 * Context: may sleep, and a thread of any priority gets to run.
 */
void pm_host_nap(void);

/**
 * pm_host_random() - a number that nobody can guess
 *
 * Context: once, at start.
 */
u64 pm_host_random(void);

/**
 * pm_host_refuse() - a function of ours is about to return NULL: let it be known why
 * @err: negative error number
 * @line: what was asked for
 *
 * Userspace has errno. The kernel's log gets the line.
 *
 * Context: any that may sleep.
 */
void pm_host_refuse(int err, const char *line);

/**
 * pm_host_say() - say one line to the operator
 * @line: text without newline
 *
 * Context: any. Allocates nothing.
 */
void pm_host_say(const char *line);

/**
 * pm_host_misuse() - bad input was found
 * @line: one line that names function, address, arena, class and fault
 *
 * Userspace says the line and aborts. The kernel warns and returns: then the
 * core drops the request, so that at worst an object leaks.
 *
 * Context: any, no core lock held.
 */
void pm_host_misuse(const char *line);

/**
 * pm_host_options() - options that the operator chose
 *
 * Return: text for pm_options_parse(), or NULL.
 */
const char *pm_host_options(void);

/**
 * pm_host_ceiling() - how much memory the host lets us have
 *
 * Where passing it has somebody killed, and not a request fail.
 *
 * Context: once, at start.
 * Return: bytes, 0 when there is no such bound, or none is known.
 */
size_t pm_host_ceiling(void);

/**
 * pm_host_started() - the allocator works from now on
 *
 * Called once, after the table of arenas was made; the host may allocate.
 *
 * Context: no core lock held.
 */
void pm_host_started(void);

/**
 * pm_host_describe() - how this host runs us, for the report's first line
 * @buf: where to write
 * @size: bytes of @buf
 *
 * Return: characters written.
 */
int pm_host_describe(char *buf, size_t size);

#endif /* PM_PLATFORM_H */
