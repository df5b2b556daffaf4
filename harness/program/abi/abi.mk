# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Tests of the malloc ABI and of real programs, under LD_PRELOAD.
# PMALLOC_LIB=PATH tries another library, PMALLOC_LIB=none glibc's malloc;
# ABI_TESTS names what to run, ABI_JOBS how many at a time.

PMALLOC_LIB	?= $(B)/libpmalloc.so
ABI_JOBS	?= 2
abi-build	:= $(B)/abi
abi-dir		:= harness/program/abi
abi-headers	:= $(wildcard harness/program/*.h)

# What harness/program/run preloads the library into; the longest come first.
abi-programs	:= stress fork vfork oracle threads signals malloc realloc aligned \
		   legacy report cxx plugin_host clone names step descriptors \
		   rseq sandbox
# What the scripts start, and how.
abi-scripts	:= limit.sh startup.sh late.sh elf.sh
abi-helpers	:= late limit lifecycle forkexit filter
abi-libs	:= early.so eater.so plugin.so witness.so

ABI_WARN	:= -Wall -Wextra -Wno-alloc-size-larger-than
# Calls of malloc are what is tested: none may be optimised away.
ABI_FLAGS	:= -D_GNU_SOURCE -O2 -g -pthread -fno-builtin \
		   -Ilib/include -Iharness/program
ABI_CFLAGS	:= -std=gnu11 $(ABI_WARN) -Wno-use-after-free $(ABI_FLAGS)
ABI_CXXFLAGS	:= -std=c++17 $(ABI_WARN) $(ABI_FLAGS) -fno-allocation-dce

ABI_TESTS	?= $(abi-programs:%=$(abi-build)/%) \
		   $(abi-scripts:%=$(abi-dir)/%)
abi-prove	= ABI_BUILD=$(abi-build) PMALLOC_LIB=$(PMALLOC_LIB) \
		  prove --timer $(if $(V),-v) -e harness/program/run
abi-built	:= $(abi-programs:%=$(abi-build)/%) \
		   $(abi-helpers:%=$(abi-build)/%) \
		   $(abi-libs:%=$(abi-build)/%)

$(abi-build):
	@mkdir -p $@

$(abi-build)/%: $(abi-dir)/%.c $(abi-headers) | $(abi-build)
	@echo "  CC      $@"
	@$(CC) $(ABI_CFLAGS) -o $@ $<

$(abi-build)/%: $(abi-dir)/%.cc $(abi-headers) | $(abi-build)
	@echo "  CXX     $@"
	@$(CXX) $(ABI_CXXFLAGS) -o $@ $<

$(abi-build)/%.so: $(abi-dir)/%.c $(abi-headers) | $(abi-build)
	@echo "  CC      $@"
	@$(CC) $(ABI_CFLAGS) -fPIC -shared -o $@ $<

$(abi-build)/%.so: $(abi-dir)/%.cc $(abi-headers) | $(abi-build)
	@echo "  CXX     $@"
	@$(CXX) $(ABI_CXXFLAGS) -fPIC -shared -o $@ $<

.PHONY: abi-build check-abi check-programs

abi-build: $(abi-built)

check-abi: $(filter-out none,$(PMALLOC_LIB)) abi-build ## test the malloc ABI
	@$(abi-prove) -j$(ABI_JOBS) $(ABI_TESTS)

check-programs: $(filter-out none,$(PMALLOC_LIB)) abi-build ## run real programs
	@ABI_TIMEOUT=300 $(abi-prove) $(abi-dir)/filters.sh $(abi-dir)/programs.sh
