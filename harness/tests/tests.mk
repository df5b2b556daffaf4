# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The suites in userspace: one program per kind of build, a name per suite.
#
#	normal	the objects of the library
#	debug	validators, locks that know their owner
#	asan	AddressSanitizer and UndefinedBehaviorSanitizer
#	tsan	ThreadSanitizer; harness/tests/user/tsan.h tells it about liburcu
#
# The programs contain the core and the userspace host without the C names
# (malloc.o, new.o), so that neither the sanitizers' malloc nor the harness's
# own allocations get into the figures.

include harness/tests/Kbuild

tests-names := $(filter %_test,$(pmalloc-suites:.o=))
tests-unlisted := $(filter-out $(tests-names:%=harness/tests/%.c), \
	$(wildcard harness/tests/*_test.c))
$(if $(tests-unlisted),$(error PM_SUITES in pm_test.h lacks $(tests-unlisted)))
tests-flags := -Iharness/tests -Iharness/tests/user

# $(1) kind, $(2) directory of the core's objects, $(3) flags more, $(4) glue.
define tests-build
$(B)/tests/$(1)-objs := $(addprefix $(B)/tests/$(1)/,$(pmalloc-suites) $(4:%=user/%))
$(call pm-compile,$(B)/tests/$(1),harness/tests/%.c,\
	$(CC) $(PM_CPPFLAGS) $(tests-flags) $(PM_CFLAGS) $(3))
$(call pm-link,$(B)/tests/$(1)/pmalloc_test,$$($(B)/tests/$(1)-objs) \
	$(call pm-core,$(2)),$(CC) $(PM_CFLAGS) $(3),$(PM_LIBS))
$(tests-names:%=$(B)/tests/$(1)/%): $(B)/tests/$(1)/pmalloc_test
	@ln -sf pmalloc_test $$@
endef

# Alignment is not checked, as in the kernel on this architecture: a list's
# end is a member of no element, and list_for_each_entry() computes one; and
# liburcu 0.13 declares its readers aligned to 128 and lays them at 32.
asan-flags := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize=alignment -fno-sanitize-recover=undefined \
	-DPM_DEBUG_BUILD
tsan-flags := -O1 -fsanitize=thread --param tsan-distinguish-volatile=1 \
	-Wno-tsan -include harness/tests/user/tsan.h
tsan-options := die_after_fork=0:halt_on_error=1:suppressions=harness/tests/user/tsan.supp

$(eval $(call pm-build,$(B)/asan,$(asan-flags)))
$(eval $(call pm-build,$(B)/tsan,$(tsan-flags)))
$(eval $(call tests-build,normal,$(B)/lib,,main.o))
$(eval $(call tests-build,debug,$(B)/debug,-DPM_DEBUG_BUILD -O1,main.o))
$(eval $(call tests-build,asan,$(B)/asan,$(asan-flags),main.o))
$(eval $(call tests-build,tsan,$(B)/tsan,$(tsan-flags),main.o tsan.o))

# The programs of one kind.
tests-of = $(tests-names:%=$(B)/tests/$(1)/%)

# Verbose, so that a log holds every result; one program at a time, for each
# uses all CPUs.
tests-prove = prove -v -e '$(2)' $(tests-of)

.PHONY: tests check-tests check-asan check-tsan check-core core-identity \
	compare-ktap

tests: $(call tests-of,normal) $(call tests-of,debug)

check-tests: tests ## run the suites in userspace, normal and debug build
	@rm -f $(B)/tests/user.ktap
	@PMALLOC_TEST_LOG=$(B)/tests/user.ktap $(call tests-prove,normal)
	@$(call tests-prove,debug)

check-asan: $(call tests-of,asan) ## run the suites under ASan and UBSan
	@ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=1 \
		UBSAN_OPTIONS=print_stacktrace=1 $(call tests-prove,asan)

# ThreadSanitizer wants its shadow where address space randomisation may put
# something else: setarch -R. Without magazines: that a section orders what
# runs on one CPU is not to be seen in its instructions.
check-tsan: $(call tests-of,tsan) ## run the suites under ThreadSanitizer
	@PMALLOC_OPTIONS=arenas=16,magazine=off \
		TSAN_OPTIONS=$(tsan-options) $(call tests-prove,tsan,setarch -R)

check-core: lib debug ## the core names no host, nothing above it, no other file's fields
	@scripts/check-core --selftest $(B)/lib "$(PM_CPPFLAGS)"
	@scripts/check-core
	@scripts/check-core --floors $(B)/lib $(B)/debug
	@scripts/check-core --fields "$(PM_CPPFLAGS)" $(core-srcs) $(user-srcs)

core-identity: ## both builds compiled the very same core files
	@scripts/core-identity --selftest
	@scripts/core-identity

compare-ktap: ## both sides ran the same tests, and all passed
	@scripts/compare-ktap --selftest
	@scripts/compare-ktap --all
