# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Tools listen to the installed library and to the module.

.PHONY: check-events probe-cost

check-events: lib bench-programs ## run what the book says of events; events equal counters
	@harness/events/check

# Not a part of `make check`, which judges no times.
probe-cost: lib bench-programs ## what probes cost that nobody listens to (1 min)
	@$(MAKE) --no-print-directory PROBES=0 lib
	@harness/events/cost
