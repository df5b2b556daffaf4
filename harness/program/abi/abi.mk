# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Tests of the malloc ABI and of real programs, under LD_PRELOAD.
# ABI_TESTS names what to run.

abi-dir		:= harness/program/abi

# What harness/program/run preloads the library into; the longest come first.
abi-programs	:= stress fork forkhandler forkpairs vfork oracle threads signals \
		   malloc realloc aligned legacy report cxx plugin_host clone names \
		   step descriptors rseq sandbox resident parts reclaim thp
# What the scripts start, and how.
abi-scripts	:= limit.sh reclaim.sh startup.sh late.sh elf.sh step.sh cpus.sh
abi-helpers	:= late limit lifecycle forkexit filter
abi-libs	:= early.so eater.so plugin.so witness.so

$(eval $(call program-rules,abi,$(abi-programs) $(abi-helpers) $(abi-libs)))
$(eval $(call pm-link,$(B)/abi/urcu,$(B)/abi/urcu.o,$(program-cc),\
	-lurcu-bp -lurcu-common $(program-libs)))

ABI_TESTS	?= $(addprefix $(B)/abi/,$(abi-programs) urcu) \
		   $(abi-scripts:%=$(abi-dir)/%)
abi-prove	= ABI_BUILD=$(B)/abi PMALLOC_LIB=$(PMALLOC_LIB) PMALLOC_URCU=$(urcu) \
		  prove --timer $(if $(V),-v) -e harness/program/run

.PHONY: abi-build check-abi check-programs

abi-build: $(addprefix $(B)/abi/,$(abi-programs) urcu $(abi-helpers) $(abi-libs))

check-abi: $(filter-out none,$(PMALLOC_LIB)) debug abi-build ## test the malloc ABI
	@$(abi-prove) -j$(ABI_JOBS) $(ABI_TESTS)

check-programs: $(filter-out none,$(PMALLOC_LIB)) abi-build ## run real programs
	@ABI_TIMEOUT=600 $(abi-prove) $(abi-dir)/filters.sh $(abi-dir)/programs.sh
