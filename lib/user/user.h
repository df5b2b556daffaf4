/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What the files of the userspace host tell each other.
 */
#ifndef PM_USER_H
#define PM_USER_H

#include "platform.h"
#include "api/stats.h"

#ifdef __x86_64__
#include "syscall-x86_64.h"
#else
#error "pmalloc: no system calls for this architecture yet: write lib/user/syscall-ARCH.h"
#endif

#define PM_POPULATE_WRITE	23	/* MADV_POPULATE_WRITE of newer headers */

/**
 * struct pm_text - a report
 * @at: where it is
 * @len: bytes
 */
struct pm_text {
	char *at;
	size_t len;
};

bool pm_text_get(struct pm_text *text, enum pm_format format);
void pm_text_put(struct pm_text *text);
int pm_write_all(int fd, const char *text, size_t len);
void pm_say_init(void);
void pm_exit_init(void);
void pm_filter_init(void);
void pm_filter_comes(void);
bool pm_filter_allows(bool listed);
char *pm_map_aligned(size_t size, size_t align);
void pm_refuse_huge(void *addr, size_t size);
void pm_pages_lock(void);
void pm_pages_unlock(bool child);
void pm_fork_init(void);
bool pm_has_threads(void);
bool pm_call_shares(long nr, const void *arg, size_t size);
void pm_vfork_begin(void);
void pm_vfork_stays(void);
long pm_vfork_end(long pid);
long pm_rseq_call(struct rseq *area, u32 len, int flags, u32 sig);
void pm_user_init(void);
void pm_publish(void);
void pm_reclaim_start(bool again);

extern size_t pm_meta_total;

/*
 * What others call. Each begins a cache line: a hit of malloc() or free() is so
 * short that the number of lines it is fetched from is what it takes.
 */
#define PM_EXPORT __attribute__((visibility("default"), aligned(64)))

#endif /* PM_USER_H */
