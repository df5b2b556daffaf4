# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Reading the figures of running processes from outside.

figures-loads	:= $(addprefix $(B)/figures/,load load-static load-static-pie)
# Without the weak reference: an archive's members come for strong ones only.
figures-static	:= -Wl,-u,pm_report,-u,pm_cache_create,-u,pm_cache_alloc,-u,pm_cache_free

$(eval $(call program-rules,figures,load))
$(eval $(call pm-link,$(B)/figures/load-static,$(B)/figures/load.o $(B)/libpmalloc.a,\
	$(program-cc) -static $(figures-static),$(PM_LIBS)))
$(eval $(call pm-link,$(B)/figures/load-static-pie,$(B)/figures/load.o \
	$(B)/libpmalloc.a,$(program-cc) -static-pie $(figures-static),$(PM_LIBS)))

.PHONY: check-figures

check-figures: lib $(figures-loads) ## read figures of running processes
	@harness/program/figures/check.py $(B)/figures $(B)/libpmalloc.so
