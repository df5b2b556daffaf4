# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The pmalloc command: what its tests need, and the tests.

contend	:= $(B)/cli/contend

$(eval $(call program-rules,cli,contend))

check-cli-needs := lib bench-programs $(contend)

.PHONY: check-agree check-breaks check-cli

check-agree: lib $(contend) ## waits that the report tells of are those that the kernel saw (100 s)
	@harness/program/cli/agree

check-cli: $(check-cli-needs) ## the pmalloc command on programs, without permission, without tools
	@harness/program/cli/check

check-breaks: lib bench-programs $(contend) ## what might break the pmalloc command (5 min)
	@harness/program/cli/breaks
