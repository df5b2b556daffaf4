# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Tools listen to the installed library and to the module.

.PHONY: check-events

check-events: lib bench-programs ## run what the book says of events; events equal counters
	@harness/program/events/check
