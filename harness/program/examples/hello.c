// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A program that calls pmalloc by its own names.
 *
 *	cc hello.c $(pkg-config --cflags --libs pmalloc) -o hello
 *
 * Linking the library also makes malloc() and free() pmalloc's, so both
 * families of names may be mixed.
 */
#include <pmalloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
	struct pm_totals totals;
	char *text, *copy;

	text = pm_malloc(100);
	if (!text)
		return 1;
	snprintf(text, 100, "per-CPU arenas");
	printf("100 bytes asked for, %zu to use\n", pm_usable_size(text));

	text = pm_realloc(text, 5000);
	copy = strdup(text);		/* the C library calls our malloc() */
	if (!text || !copy)
		return 1;
	printf("%s: %zu and %zu bytes\n", copy, pm_usable_size(text),
	       pm_usable_size(copy));

	pm_free(copy);
	free(text);

	pm_get_totals(&totals);
	printf("arenas: %zu, bytes obtained: %s\n", totals.arenas,
	       totals.mapped ? "some" : "none");
	return 0;
}
