# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The instructions that a hit in a magazine executes, held against a file.

.PHONY: check-golden golden-accept

check-golden: $(B)/libpmalloc.so ## hold the fast paths' instructions against the golden mix
	@prove -v -e '' harness/measure/golden/mix :: $(B)/libpmalloc.so

golden-accept: $(B)/libpmalloc.so ## take the library's instruction mix for the golden one
	@harness/measure/golden/mix --accept $(B)/libpmalloc.so
