# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Test of the contention study.

.PHONY: check-study

check-study: lib bench-programs $(B)/cli/contend ## the study measures, resumes and shows what it says (2 min)
	@harness/program/study/check
