# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The seam between the core and its hosts: whether userspace's words keep what
# the kernel's promise.

.PHONY: check-seam

check-seam: ## userspace's words are as strong as the kernel's
	@prove $(if $(V),-v) -e '' harness/prove/seam/words :: $(B)/seam
