# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# fork() while another thread is at one of the points of the core. Linked with
# the debug build's objects, which have such points.

fork-objs := $(filter-out %/malloc.o %/new.o,$($(B)/debug-objs))

$(B)/fork/points: harness/program/fork/points.c harness/program/tap.h lib/base/testing.h $(fork-objs)
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(CC) $(PM_CPPFLAGS) -Iharness/program $(PM_CFLAGS) -DPM_DEBUG_BUILD -O1 -o $@ \
		$< $(fork-objs) $(PM_LIBS)

.PHONY: check-fork

check-fork: $(B)/fork/points ## fork while a thread is in the middle of a free or a refill
	@prove -v -e '' $(B)/fork/points
