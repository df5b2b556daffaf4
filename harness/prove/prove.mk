# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The protocols, verified by Spin.

.PHONY: check-models check-steps

check-models: ## verify the protocols, and that each step of them is needed (Spin, 3 min)
	@MODELS_BUILD=$(abspath $(B))/models \
		prove -v -e harness/prove/run $(wildcard harness/prove/*.pml)

check-steps: ## source, book and models name the same steps of the protocols (1 s)
	@harness/prove/steps --selftest
	@harness/prove/steps
