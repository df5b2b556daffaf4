/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Writers: text that is written as far as there is room, and measured.
 */
#ifndef PM_WRITER_H
#define PM_WRITER_H

#include "platform.h"

/**
 * struct pm_writer - where text goes
 * @buf: its place
 * @size: bytes of that
 * @len: bytes of the whole text so far, without the final NUL
 */
struct pm_writer {
	char *buf;
	size_t size;
	size_t len;
};

/* Kernel and C library disagree about what a u64 is to printf(). */
#define PM_LLU(n)	((unsigned long long)(n))

__printf(2, 3) void pm_write(struct pm_writer *w, const char *fmt, ...);
void pm_write_ns(struct pm_writer *w, u64 ns);
const char *pm_comma(bool *first);

#endif /* PM_WRITER_H */
