/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Duplicated: numbers and text.
 */
#ifndef PM_WORDS_TEXT_H
#define PM_WORDS_TEXT_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "compiler.h"
#include "types.h"

static inline __printf(3, 4) int scnprintf(char *buf, size_t size,
					   const char *fmt, ...)
{
	va_list args;
	int n;

	if (!size)
		return 0;
	va_start(args, fmt);
	n = vsnprintf(buf, size, fmt, args);
	va_end(args);
	if (n < 0)
		return 0;
	return (size_t)n < size ? n : (int)size - 1;
}

static inline int kstrtoul(const char *s, unsigned int base, unsigned long *res)
{
	unsigned long v = 0;

	if (base != 10 || !*s)
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		if (check_mul_overflow(v, 10UL, &v) ||
		    check_add_overflow(v, (unsigned long)(*s - '0'), &v))
			return -ERANGE;
	}
	*res = v;
	return 0;
}

#endif /* PM_WORDS_TEXT_H */
