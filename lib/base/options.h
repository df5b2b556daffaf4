/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Options, chosen once at start.
 */
#ifndef PM_OPTIONS_H
#define PM_OPTIONS_H

#include "platform.h"

/**
 * struct pm_policy - which arena a thread uses
 * @name: what the user calls it
 * @arenas: how many arenas there are at most
 * @pick: number of the arena that the caller should use now; one that is too
 *	large stands for its remainder
 * @moved: the caller was served by another arena because its own was busy;
 *	NULL when the policy does not care
 */
struct pm_policy {
	const char *name;
	unsigned int (*arenas)(void);
	unsigned int (*pick)(void);
	void (*moved)(unsigned int id);
};

/**
 * enum pm_rseq - whose rseq area sections may use, where a host has such
 * @PM_RSEQ_AUTO: the C library's; one of our own where that knows nothing of it
 * @PM_RSEQ_OWN: one of our own also where the C library leaves it to the program
 * @PM_RSEQ_OFF: none
 */
enum pm_rseq { PM_RSEQ_AUTO, PM_RSEQ_OWN, PM_RSEQ_OFF };

/**
 * enum pm_thp - whether arenas with several heaps ask for huge pages
 * @PM_THP_OFF: no
 * @PM_THP_ON: yes
 * @PM_THP_AUTO: where they cost less than what they stand for, see back/huge.c
 */
enum pm_thp { PM_THP_OFF, PM_THP_ON, PM_THP_AUTO };

/**
 * enum pm_misuse_mode - what follows the line that names bad input
 * @PM_MISUSE_ABORT: a process ends, a kernel warns
 * @PM_MISUSE_REPORT: the request is dropped, and counted
 * @PM_MISUSE_IGNORE: likewise, and there is no line
 */
enum pm_misuse_mode {
	PM_MISUSE_ABORT,
	PM_MISUSE_REPORT,
	PM_MISUSE_IGNORE,
};

/**
 * struct pm_options - what can be chosen at start
 * @policy: which arena a thread uses; NULL before pm_options_parse()
 * @arenas: number of arenas, 0 lets the policy decide
 * @magazine: put per-CPU magazines in front of the arenas
 * @magazine_bytes: bytes of objects that a CPU's magazine may hold
 * @cache_bytes: bytes of objects that all magazines and depots may hold, or an eighth
 *	of what is live
 * @mm_cid: number magazines by the kernel's compact ids, not by CPU
 * @rseq: whose rseq area sections may use
 * @decay_ms: milliseconds that free memory stays before it is purged
 * @large_cache: bytes of freed large mappings to keep at most
 * @keep: bytes of free memory that stay for the decay time however little is
 *	live
 * @reclaim: something of the host's gives back besides, at its own time
 * @soft_limit: bytes mapped beyond which all that is free is given back, 0 for
 *	none; changed at any time
 * @hard_limit: bytes mapped beyond which requests fail, likewise
 * @populate: ask the host for many pages at once where they will be used
 * @thp: whether arenas with several heaps ask for huge pages
 * @stats_exit: write the report when the program ends
 * @stats_json: as JSON, not as text
 * @stats_file: to this file, NULL for standard error; the host says what
 *	stands for a number in it
 * @misuse: what follows the line that names bad input
 * @delay_ns: nanoseconds that every hold of an arena's lock is longer
 */
struct pm_options {
	const struct pm_policy *policy;
	unsigned long arenas;
	bool magazine;
	unsigned long magazine_bytes;
	unsigned long cache_bytes;
	bool mm_cid;
	unsigned int rseq;	/* enum pm_rseq */
	unsigned long decay_ms;
	unsigned long large_cache;
	unsigned long keep;
	bool reclaim;
	unsigned long soft_limit;
	unsigned long hard_limit;
	bool populate;
	unsigned int thp;	/* enum pm_thp */
	bool stats_exit;
	bool stats_json;
	const char *stats_file;
	unsigned int misuse;	/* enum pm_misuse_mode */
	unsigned long delay_ns;
};

extern struct pm_options pm_options;

void pm_options_parse(const char *text, const struct pm_policy *policies);

#endif /* PM_OPTIONS_H */
