// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Writers: text that is written as far as there is room, and measured.
 */
#include "api/writer.h"

/**
 * pm_write() - write on
 * @w: the writer
 * @fmt: as for printf(); up to 319 characters come of it
 */
void pm_write(struct pm_writer *w, const char *fmt, ...)
{
	char piece[320];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(piece, sizeof(piece), fmt, args);
	va_end(args);
	if (n < 0)
		return;
	n = min_t(int, n, sizeof(piece) - 1);
	if (w->len < w->size) {
		size_t room = w->size - w->len - 1;
		size_t copy = min_t(size_t, n, room);

		memcpy(w->buf + w->len, piece, copy);
		w->buf[w->len + copy] = 0;
	}
	w->len += n;
}

/**
 * pm_write_ns() - write a duration as a person reads it
 * @w: the writer
 * @ns: nanoseconds; what is written is a whole number of the largest unit
 */
void pm_write_ns(struct pm_writer *w, u64 ns)
{
	static const char *const unit[] = { "ns", "us", "ms", "s" };
	unsigned int u = 0;

	for (; ns >= 1000 && u < ARRAY_SIZE(unit) - 1; u++)
		ns /= 1000;
	pm_write(w, "%llu %s", PM_LLU(ns), unit[u]);
}

/**
 * pm_comma() - a comma before all but the first of a list
 * @first: true before the first, set to false
 */
const char *pm_comma(bool *first)
{
	const char *comma = *first ? "" : ",";

	*first = false;
	return comma;
}
