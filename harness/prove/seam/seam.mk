# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The seam between the core and its hosts: whether userspace's words keep what
# the kernel's promise.

sections-flags := -DPM_DEBUG_BUILD -O1 -Wl,--wrap=pm_urcu_register

$(eval $(call program-inside,seam,sections,$(B)/debug,$(sections-flags),\
	harness/prove/seam))

.PHONY: check-contract check-seam

contract-objs := $(filter-out $(B)/lib/user/%,$($(B)/lib-objs))

check-contract: $(contract-objs) ## the lists of the contract are what the core uses
	@CC="$(CC)" CPPFLAGS="$(PM_CPPFLAGS)" scripts/check-seam --selftest
	@CC="$(CC)" CPPFLAGS="$(PM_CPPFLAGS)" scripts/check-seam $(contract-objs)

check-seam: $(B)/seam/sections ## userspace's words are as strong as the kernel's
	@prove $(if $(V),-v) -e '' harness/prove/seam/words :: $(B)/seam
	@prove $(if $(V),-v) -e '' $(B)/seam/sections
