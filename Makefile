# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# pmalloc: a per-CPU arena allocator for userspace and the kernel.
# `make help` lists what there is.

VERSION	:= 0.1.0
PREFIX	?= /usr/local
LIBDIR	?= $(PREFIX)/lib
DESTDIR	?=
CC	?= gcc

# PROBES=0: a library without probes, below a directory of its own, to measure
# what probes cost that nobody listens to. MARK=0: likewise, one whose free
# objects carry no mark, so that double frees go unnoticed.
PROBES	?= 1
MARK	?= 1
# URCU=shared: likewise, one that shares liburcu with the program that it
# serves. URCU=private: stop where the private copy cannot be had.
URCU	?= auto
B	:= build$(if $(filter 0,$(PROBES)),/noprobes)$(if $(filter 0,$(MARK)),/nomark)$(if \
	$(filter shared,$(URCU)),/shared)

# make takes a path with a space for two. Said before anything is written.
spaced	:= $(strip $(foreach name,CURDIR DESTDIR PREFIX LIBDIR MANDIR PMALLOC_LIBURCU B, \
	$(if $(word 2,$($(name))),$(name))))
ifneq ($(spaced),)
$(error $(firstword $(spaced)) is "$($(firstword $(spaced)))": make cannot work with a \
path that has spaces)
endif

# Rules that are made below come before the first one that is written out.
.DEFAULT_GOAL := all

# The list of core objects, shared with the kernel's build.
include lib/Kbuild

# Which liburcu: make makes the file that says so before anything else, and
# begins again. What builds nothing does not ask.
PMALLOC_LIBURCU ?= build/liburcu
urcu-dir	:= $(PMALLOC_LIBURCU)
export PMALLOC_LIBURCU
ifeq ($(URCU),shared)
urcu	:= shared
else ifneq ($(filter-out clean help deps run check style deb uninstall,$(or \
	$(MAKECMDGOALS),all)),)
ifeq ($(shell command -v $(firstword $(CC))),)
$(error no compiler $(firstword $(CC)) here: `make deps` installs what is needed)
endif
ifneq ($(PROBES),0)
ifeq ($(shell echo '\#include <sys/sdt.h>' | $(CC) -E -x c - >/dev/null 2>&1 && echo yes),)
$(error no <sys/sdt.h> here (package systemtap-sdt-dev): `make deps` installs what is \
needed, PROBES=0 goes without)
endif
endif
include $(urcu-dir)/choice.mk
ifeq ($(urcu),shared)
ifeq ($(URCU),private)
$(error no private copy of liburcu; `scripts/liburcu choose private` tells why)
endif
$(info No source of liburcu: the library shares liburcu with the program; see two-builds.rst.)
endif
endif

user-objs	:= host.o urcu-$(urcu).o percpu.o pages.o huge.o fork.o vfork.o calls.o \
	   filter.o cgroup.o publish.o malloc.o reclaim.o report.o new.o \
	   trace.o
core-srcs	:= $(pmalloc-core:%.o=lib/%.c)
user-srcs	:= $(user-objs:%.o=lib/user/%.c)

WARN	:= -Wall -Wextra -Wno-unused-parameter -Wmissing-prototypes \
	   -Wstrict-prototypes -Wvla -Wshadow -Wimplicit-fallthrough \
	   -Wno-sign-compare
OPT	?= -O2
# CPPFLAGS, CFLAGS and LDFLAGS are the user's, a packager's above all.
PM_CPPFLAGS := -D_GNU_SOURCE -Ilib -Ilib/include -Ilib/user \
	   $(if $(filter shared,$(urcu)),-DPM_URCU_SHARED,-I$(urcu-dir)/include \
	   -I$(urcu-dir)/src) \
	   $(if $(filter 0,$(PROBES)),-DPM_NO_PROBES) \
	   $(if $(filter 0,$(MARK)),-DPM_NO_MARK)
PM_CFLAGS := -std=gnu11 -g $(OPT) $(CPPFLAGS) $(CFLAGS) $(WARN) -fPIC -fvisibility=hidden \
	   -fno-builtin-malloc -fno-builtin-calloc \
	   -fno-builtin-realloc -fno-builtin-free -fno-strict-aliasing \
	   -fno-semantic-interposition -fexceptions
PM_LIBS	:= $(if $(filter shared,$(urcu)),-lurcu-bp -lurcu-common )-pthread
PM_LDFLAGS := -shared $(LDFLAGS) -Wl,-soname,libpmalloc.so.0 -Wl,-z,nodelete \
	   -Wl,-z,relro -Wl,-z,now -Wl,-z,defs \
	   -Wl,--version-script=lib/user/pmalloc.map

# ---- one recipe ------------------------------------------------------------
#
# Whatever is compiled for userspace is compiled by pm-compile and linked by
# pm-link. The command is kept in a file that changes with it and at no other
# time: what was made by another command is made again.

# $(1) file, $(2) command
define pm-command
$(1): FORCE
	@mkdir -p $$(@D)
	@echo '$(2)' | cmp -s - $$@ || echo '$(2)' >$$@
endef

# $(1) directory of the objects, $(2) pattern of their sources, $(3) command
define pm-compile
$(1)/%.o: $(2) $(1)/command$(subst .,-,$(suffix $(2)))
	@echo "  CC      $$@"
	@mkdir -p $$(@D)
	@$(3) -MMD -MP -c -o $$@ $$<
$(call pm-command,$(1)/command$(subst .,-,$(suffix $(2))),$(3))
-include $$(wildcard $(1)/*.d $(1)/*/*.d)
endef

# $(1) what is linked, $(2) what it needs, $(3) command, $(4) libraries
define pm-link
$(1): $(2) $(firstword $(1)).command
	@echo "  LD      $$@"
	@$(3) -o $$@ $$(filter %.o %.a,$$^) $(4)
$(call pm-command,$(firstword $(1)).command,$(3) $(4))
endef

# One kind of build: $(1) directory, $(2) flags more.
define pm-build
$(1)-objs := $$(core-srcs:lib/%.c=$(1)/%.o) $$(user-srcs:lib/user/%.c=$(1)/user/%.o)
$(call pm-compile,$(1),lib/%.c,$(CC) $(PM_CPPFLAGS) $(PM_CFLAGS) $(2))
endef

# What programs contain that bring no malloc() along: $(1) directory of a build.
pm-core = $(filter-out %/malloc.o %/new.o,$($(1)-objs))

$(eval $(call pm-build,$(B)/lib,))
$(eval $(call pm-build,$(B)/debug,-DPM_DEBUG_BUILD -O1))

$(urcu-dir)/choice.mk: scripts/liburcu
	@scripts/liburcu choose $(URCU)

.PHONY: all lib debug clean help FORCE

all: lib

lib: $(B)/libpmalloc.so $(B)/libpmalloc.a ## build the userspace library

debug: $(B)/libpmalloc-debug.so ## build it with validators and checked locks

$(eval $(call pm-link,$(B)/libpmalloc.so,$($(B)/lib-objs) lib/user/pmalloc.map,\
	$(CC) $(PM_LDFLAGS),$(PM_LIBS)))
$(eval $(call pm-link,$(B)/libpmalloc-debug.so,$($(B)/debug-objs) lib/user/pmalloc.map,\
	$(CC) $(PM_LDFLAGS),$(PM_LIBS)))

$(B)/libpmalloc.a: $($(B)/lib-objs)
	@echo "  AR      $@"
	@rm -f $@
	@ar rcs $@ $^

clean: ## remove everything that was built
	rm -rf $(B)

# What other directories bring along: tests, bench, study, commands.
include $(wildcard harness/*/*.mk harness/*/*/*.mk scripts/*.mk)

help: ## list what there is
	@echo "pmalloc $(VERSION). Targets:"
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | \
		awk -F':.*## ' '{ printf "  make %-16s %s\n", $$1, $$2 }'
