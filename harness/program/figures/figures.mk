# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Reading the figures of running processes from outside.

figures-build	:= $(B)/figures
figures-dir	:= harness/program/figures
figures-loads	:= load load-static load-static-pie
figures-cflags	:= -std=gnu11 -O2 -g -Wall -Wextra -pthread -fno-builtin

$(figures-build):
	@mkdir -p $@

$(figures-build)/load: $(figures-dir)/load.c | $(figures-build)
	@echo "  CC      $@"
	@$(CC) $(figures-cflags) -o $@ $<

# Without the weak reference: an archive's members come for strong ones only.
$(figures-build)/load-static: $(figures-dir)/load.c $(B)/libpmalloc.a | $(figures-build)
	@echo "  CC      $@"
	@$(CC) $(figures-cflags) -static -Wl,-u,pm_report -o $@ $< $(B)/libpmalloc.a $(PM_LIBS)

$(figures-build)/load-static-pie: $(figures-dir)/load.c $(B)/libpmalloc.a | $(figures-build)
	@echo "  CC      $@"
	@$(CC) $(figures-cflags) -fPIE -static-pie -Wl,-u,pm_report -o $@ $< \
		$(B)/libpmalloc.a $(PM_LIBS)

.PHONY: check-figures

check-figures: lib $(figures-loads:%=$(figures-build)/%) ## read figures of running processes
	@$(figures-dir)/check.py $(figures-build) $(B)/libpmalloc.so
