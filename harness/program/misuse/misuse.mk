# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Tests of bad input, under LD_PRELOAD; see harness/program/abi/abi.mk for PMALLOC_LIB
# and the flags.

misuse-dir	:= harness/program/misuse
misuse-build	:= $(B)/misuse
misuse-programs	:= survive useafter again sandbox twice
misuse-helpers	:= misuse
misuse-scripts	:= misuse.sh options.sh
misuse-built	:= $(misuse-programs:%=$(misuse-build)/%) \
		   $(misuse-helpers:%=$(misuse-build)/%)

MISUSE_TESTS	?= $(misuse-programs:%=$(misuse-build)/%) \
		   $(misuse-scripts:%=$(misuse-dir)/%)

$(misuse-build):
	@mkdir -p $@

$(misuse-build)/%: $(misuse-dir)/%.c $(abi-headers) $(wildcard $(misuse-dir)/*.h) | $(misuse-build)
	@echo "  CC      $@"
	@$(CC) $(ABI_CFLAGS) -Wno-free-nonheap-object -o $@ $<

.PHONY: check-misuse

check-misuse: $(filter-out none,$(PMALLOC_LIB)) $(misuse-built) abi-build ## test bad input
	@ABI_BUILD=$(misuse-build) PMALLOC_LIB=$(PMALLOC_LIB) \
		prove --timer $(if $(V),-v) -j$(ABI_JOBS) -e harness/program/run \
		$(MISUSE_TESTS)
