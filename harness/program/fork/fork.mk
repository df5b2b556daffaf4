# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# fork() while another thread is at one of the points of the core. Linked with
# the debug build's objects, which have such points.

$(eval $(call program-inside,fork,points,$(B)/debug,-DPM_DEBUG_BUILD -O1))

.PHONY: check-fork

check-fork: $(B)/fork/points ## fork while a thread is in the middle of a free or a refill
	@prove -v -e '' $(B)/fork/points
