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

tests-core = $(filter-out %/malloc.o %/new.o,$($(1)-objs))
tests-names := $(filter %_test,$(pmalloc-suites:.o=))
tests-cppflags := -Iharness/tests -Iharness/tests/user

# $(1) kind, $(2) directory of the core's objects, $(3) flags more, $(4) glue.
define tests-build
$(B)/tests/$(1)-objs := $$(pmalloc-suites:%=$(B)/tests/$(1)/%) \
	$(4:%=$(B)/tests/$(1)/user/%)
$(B)/tests/$(1)/%.o: harness/tests/%.c | $(B)/tests/$(1)/user
	@echo "  CC      $$@"
	@$$(CC) $$(PM_CPPFLAGS) $$(tests-cppflags) $$(PM_CFLAGS) $(3) -MMD -MP -c -o $$@ $$<
$(B)/tests/$(1)/user:
	@mkdir -p $$@
$(B)/tests/$(1)/pmalloc_test: $$($(B)/tests/$(1)-objs) $$(call tests-core,$(2))
	@echo "  LD      $$@"
	@$$(CC) $$(PM_CFLAGS) $(3) -o $$@ $$^ $$(PM_LIBS)
	@for name in $$(tests-names); do ln -sf pmalloc_test $$(@D)/$$$$name; done
-include $$(wildcard $(B)/tests/$(1)/*.d $(B)/tests/$(1)/user/*.d)
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

# Other flags, other objects.
$($(B)/asan-objs) $($(B)/tsan-objs) $($(B)/tests/asan-objs) \
	$($(B)/tests/tsan-objs): harness/tests/tests.mk

# Verbose, so that a log holds every result; one program at a time, for each
# uses all CPUs.
tests-prove = prove -v -e '$(2)' $(addprefix $(B)/tests/$(1)/,$(tests-names))

.PHONY: tests check-tests check-asan check-tsan check-core core-identity \
	compare-ktap

tests: $(B)/tests/normal/pmalloc_test $(B)/tests/debug/pmalloc_test

check-tests: tests ## run the suites in userspace, normal and debug build
	@rm -f $(B)/tests/user.ktap
	@PMALLOC_TEST_LOG=$(B)/tests/user.ktap $(call tests-prove,normal)
	@$(call tests-prove,debug)

check-asan: $(B)/tests/asan/pmalloc_test ## run the suites under ASan and UBSan
	@ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=1 \
		UBSAN_OPTIONS=print_stacktrace=1 $(call tests-prove,asan)

# ThreadSanitizer wants its shadow where address space randomisation may put
# something else: setarch -R. Without magazines: that a section orders what
# runs on one CPU is not to be seen in its instructions.
check-tsan: $(B)/tests/tsan/pmalloc_test ## run the suites under ThreadSanitizer
	@PMALLOC_OPTIONS=arenas=16,magazine=off \
		TSAN_OPTIONS=$(tsan-options) $(call tests-prove,tsan,setarch -R)

check-core: ## no core file names a host, and that would be noticed
	@scripts/check-core --selftest
	@scripts/check-core

core-identity: ## both builds compiled the very same core files
	@scripts/core-identity --selftest
	@scripts/core-identity

compare-ktap: ## both sides ran the same tests, and all passed
	@scripts/compare-ktap --selftest
	@scripts/compare-ktap --all
