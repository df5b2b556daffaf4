# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# What the tests of this room have in common.
#
# PMALLOC_LIB=PATH tries another library, PMALLOC_LIB=none glibc's malloc;
# ABI_JOBS says how many tests run at a time.

PMALLOC_LIB	?= $(B)/libpmalloc.so
ABI_JOBS	?= 2

# Calls of malloc are what is tested: none may be optimised away.
program-flags	:= -D_GNU_SOURCE -O2 -g -Wall -Wextra -Wno-alloc-size-larger-than \
		   -pthread -fno-builtin -Ilib/include -Iharness/program
program-cc	:= $(CC) -std=gnu11 $(program-flags) -Wno-use-after-free \
		   -Wno-free-nonheap-object
program-cxx	:= $(CXX) -std=c++17 $(program-flags) -fno-allocation-dce
program-libs	:= -pthread

# Those of the names $(3) in directory $(1) whose source has the suffix $(2).
program-of = $(foreach n,$(3),$(if \
	$(wildcard harness/program/$(1)/$(basename $(n))$(2)),$(B)/$(1)/$(n)))

# Programs of one source each: $(1) directory, here and below build/, $(2) their
# names; NAME.so is a shared object.
define program-rules
$(call program-rules-in,$(1),$(program-cc),.c,$(call program-of,$(1),.c,$(2)))
$(call program-rules-in,$(1),$(program-cxx),.cc,$(call program-of,$(1),.cc,$(2)))
endef

# Those in one language: $(2) its compiler, $(3) suffix, $(4) what is made.
define program-rules-in
$(call pm-compile,$(B)/$(1),harness/program/$(1)/%$(3),$(2))
$(call pm-compile,$(B)/$(1)/shared,harness/program/$(1)/%$(3),$(2) -fPIC)
$(if $(filter-out %.so,$(4)),$(call \
	pm-link,$(filter-out %.so,$(4)),%: %.o,$(2),$(program-libs)))
$(if $(filter %.so,$(4)),$(call \
	pm-link,$(filter %.so,$(4)),$(B)/$(1)/%.so: $(B)/$(1)/shared/%.o,$(2) -shared))
endef

# A program with the core inside, which it looks at: $(1) directory below build/,
# $(2) name, $(3) the build whose objects it takes, $(4) flags more, $(5) where
# its source is when not in directory $(1) here.
define program-inside
$(call pm-compile,$(B)/$(1)/program,$(or $(5),harness/program/$(1))/%.c,\
	$(CC) $(PM_CPPFLAGS) -Iharness/program $(PM_CFLAGS) $(4))
$(call pm-link,$(B)/$(1)/$(2),$(B)/$(1)/program/$(2).o $(call pm-core,$(3)),\
	$(CC) $(PM_CFLAGS) $(4),$(PM_LIBS))
endef
