# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# What probes cost.

.PHONY: probe-cost

# Not a part of `make check`, which judges no times.
probe-cost: lib bench-programs ## what probes cost that nobody listens to (1 min)
	@$(MAKE) --no-print-directory PROBES=0 lib
	@harness/measure/probes/cost
