# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Others are short of memory: a machine with little of it, and a memory cgroup.

$(eval $(call program-rules,pressure,churn))

.PHONY: check-pressure

check-pressure: lib $(B)/pressure/churn ## memory is short, in a VM: shrinker, __GFP_ACCOUNT, cgroup
	@harness/program/pressure/run
