# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# How often magazines do the work: the debug build counts.

$(eval $(call program-inside,counts,counts,$(B)/debug,-DPM_DEBUG_BUILD -O1))

.PHONY: check-counts

check-counts: $(B)/counts/counts ## 99 of 100 operations commit in a magazine
	@prove -v -e '' $(B)/counts/counts
