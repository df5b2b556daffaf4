# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Caches, as a program has them.

$(eval $(call pm-compile,$(B)/cache,harness/program/cache/%.c,$(program-cc) \
	-Iharness/program/misuse))
$(eval $(call pm-link,$(B)/cache/cache,$(B)/cache/cache.o,$(program-cc),\
	$(B)/libpmalloc.so $(program-libs)))
$(B)/cache/cache: $(B)/libpmalloc.so

.PHONY: check-cache

check-cache: $(B)/cache/cache ## caches in a program: errno, state, threads, fork, a sandbox
	@ABI_BUILD=$(B)/cache PMALLOC_LIB=$(B)/libpmalloc.so \
		prove $(if $(V),-v) -e harness/program/run $(B)/cache/cache
