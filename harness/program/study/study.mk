# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Test of the contention study.

.PHONY: check-study

check-study-needs := lib bench-programs $(B)/cli/contend

check-study: $(check-study-needs) ## the study measures, resumes and shows what it says (6 min)
	@harness/program/study/check
