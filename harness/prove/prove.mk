# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The protocols, verified by Spin.

.PHONY: check-models

check-models: ## verify the protocols, and that each step of them is needed (Spin, 40 s)
	@MODELS_BUILD=$(abspath $(B))/models \
		prove -v -e harness/prove/run $(wildcard harness/prove/*.pml)
