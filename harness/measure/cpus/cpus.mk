# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# What allocators hold on machines with few and with many CPUs.

.PHONY: bench-cpus

$(eval $(call pm-compile,$(B)/cpus,harness/measure/cpus/%.c,$(bench-cc) -pthread))
$(eval $(call pm-link,$(B)/cpus/crowd,$(B)/cpus/crowd.o,$(bench-cc) -pthread))

CPUS ?= 4 16

bench-cpus: lib $(B)/cpus/crowd ## memory with 4 and 16 CPUs (CPUS="...") beside peers, in VMs (5 min)
	@harness/measure/cpus/measure $(CPUS)
