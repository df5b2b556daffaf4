#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# reclaim=thread in other tests: a thread that drains magazines and gives back,
# fifty times in a second and more, while threads and forks do their worst.
set -u

# shellcheck source=harness/program/tap.sh
. "$(dirname "$0")/../tap.sh"

for test in stress fork vfork threads; do
	try "$test" env LD_PRELOAD="$preload" \
		PMALLOC_OPTIONS=reclaim=thread,decay_ms=20 "$build/$test"
done
plan
