# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# How often magazines do the work: the debug build counts.

$(B)/counts/counts: harness/program/counts/counts.c \
		$(filter-out %/malloc.o %/new.o,$($(B)/debug-objs))
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(CC) $(PM_CPPFLAGS) $(PM_CFLAGS) -DPM_DEBUG_BUILD -o $@ $^ $(PM_LIBS)

.PHONY: check-counts

check-counts: $(B)/counts/counts ## 99 of 100 operations commit in a magazine
	@prove -v -e '' $(B)/counts/counts
