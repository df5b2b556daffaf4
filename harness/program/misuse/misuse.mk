# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Tests of bad input, under LD_PRELOAD. MISUSE_TESTS names what to run.

misuse-dir	:= harness/program/misuse
misuse-programs	:= survive useafter again sandbox twice
misuse-helpers	:= misuse
misuse-scripts	:= misuse.sh options.sh

$(eval $(call program-rules,misuse,$(misuse-programs) $(misuse-helpers)))

MISUSE_TESTS	?= $(misuse-programs:%=$(B)/misuse/%) \
		   $(misuse-scripts:%=$(misuse-dir)/%)

.PHONY: check-misuse

check-misuse: $(addprefix $(B)/misuse/,$(misuse-programs) $(misuse-helpers))
check-misuse: $(filter-out none,$(PMALLOC_LIB)) abi-build ## test bad input
	@ABI_TIMEOUT=300 ABI_BUILD=$(B)/misuse PMALLOC_LIB=$(PMALLOC_LIB) \
		prove --timer $(if $(V),-v) -j$(ABI_JOBS) -e harness/program/run \
		$(MISUSE_TESTS)
