# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The programs that the README and the book show, built as a user builds them.

.PHONY: check-install

check-install: lib ## install below build/, build and run the examples there
	@harness/program/examples/install
