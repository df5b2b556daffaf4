# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The contention study. scripts/pmalloc is its command; see
# Documentation/study.rst.

.PHONY: study check-study

study: ## what other arena policies would cost a workload: a page with pictures (5 min)
	@scripts/deps study
	@$(MAKE) --no-print-directory lib bench-programs
	@scripts/pmalloc study --replace --output $(B)/study/larson larson

check-study: lib bench-programs ## the study measures, resumes and shows what it says (2 min)
	@harness/study/check
