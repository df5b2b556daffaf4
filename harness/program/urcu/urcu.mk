# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The private copy of liburcu: its readers, how it is linked, and the choice
# between it and the shared one.

$(eval $(call program-inside,urcu,readers,$(B)/debug,-DPM_DEBUG_BUILD -O1))
$(eval $(call program-rules,urcu))
$(eval $(call pm-link,$(B)/urcu/static,$(B)/urcu/static.o $(B)/libpmalloc.a,\
	$(program-cc) -static,-lurcu-bp -lurcu-common $(program-libs)))

.PHONY: check-urcu

ifeq ($(urcu),shared)
check-urcu:
	@echo "1..0 # SKIP the library shares liburcu, see two-builds.rst"
else
check-urcu: $(addprefix $(B)/urcu/,readers static) ## nothing of liburcu is shared with the program
	@prove -v -e 'timeout -s KILL 200' $(addprefix $(B)/urcu/,readers static)
	@scripts/liburcu --selftest
	@harness/program/urcu/variants.sh $(MAKE)
endif
