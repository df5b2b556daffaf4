# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The contention study. scripts/pmalloc is its command; see
# Documentation/study.rst. The part in an emulated machine is in kernel/.

.PHONY: study study-kernel check-study-kernel

study: ## what other arena policies would cost a workload: a page with pictures (5 min)
	@scripts/deps study
	@$(MAKE) --no-print-directory lib bench-programs
	@scripts/pmalloc study --time 285 --replace --output $(B)/study/larson larson

# Every page that `pmalloc study` makes in build/study from then on shows it;
# with STUDY_DIR=DIRECTORY only the page of the study there.
study-kernel: ## contention under each policy in a VM with 8 CPUs (8 min)
	@harness/study/kernel/study $(if $(STUDY_DIR),--output $(STUDY_DIR))

check-study-kernel: ## the study in the kernel in short: tracepoints equal counters, policies differ
	@harness/study/kernel/study --check
