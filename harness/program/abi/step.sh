#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Single steps again, on the library as it is built for debugging: the compiler
# optimises less there, and a section that gives way after so many interruptions
# must hand out nothing all the same.
set -u

# shellcheck source=harness/program/tap.sh
. "$(dirname "$0")/../tap.sh"
[ "$lib" != none ] || skip_all "no library to step through"

debug=${lib%.so}-debug.so
PMALLOC_LIB=$debug LD_PRELOAD=$debug timeout -k 5 100 "$build/step" \
	>"$tmp/out" 2>"$tmp/err"
status=$?
pass_on "$tmp/out" " (debug build)"
[ $status -eq 0 ] && [ ! -s "$tmp/err" ]
result $? "exit status $status, and nothing is said (debug build)"
remark "$tmp/err"
plan
