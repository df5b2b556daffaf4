#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Start and end of a process: lifecycle with early.so preloaded before and
# after the library, bound lazily and at once, without an environment,
# without descriptors, without rseq.
set -u

# shellcheck source=harness/program/tap.sh
. "$(dirname "$0")/../tap.sh"

# Runs lifecycle and passes its results on, renumbered.
lifecycle() { # name command...
	name=$1
	shift
	timeout -k 5 30 "$@" "$build/lifecycle" > "$tmp/out" 2> "$tmp/err"
	status=$?
	pass_on "$tmp/out" " ($name)"
	grep -q '^ok - objects of a constructor last' "$tmp/out"
	result $? "came to its very end ($name)"
	[ $status -eq 0 ]
	result $? "exit status $status ($name)"
	[ ! -s "$tmp/err" ]
	result $? "nothing on stderr ($name)"
	remark "$tmp/err"
}

lifecycle "library first" env LD_PRELOAD="$preload:$build/early.so"
lifecycle "library last" env LD_PRELOAD="$build/early.so:$preload"
lifecycle "bound at once" env LD_BIND_NOW=1 \
	LD_PRELOAD="$preload:$build/early.so"
lifecycle "no rseq" env GLIBC_TUNABLES=glibc.pthread.rseq=0 \
	LD_PRELOAD="$preload:$build/early.so"
lifecycle "no environment" env -i PMALLOC_LIB="$lib" \
	LD_PRELOAD="$build/early.so:$preload"

LD_PRELOAD="$preload" EARLY_QUIET=1 "$build/lifecycle" <&- >&- 2>&-
result $? "no descriptor is open"
LD_PRELOAD="$preload:$build/early.so" EARLY_QUIET=1 PMALLOC_OPTIONS=stats=exit \
	"$build/lifecycle" <&- >&- 2>&-
result $? "no descriptor is open, and a report is wanted"
(
	# shellcheck disable=SC3045 # dash and bash have it
	ulimit -s 256
	LD_PRELOAD="$preload:$build/early.so" "$build/lifecycle" > "$tmp/out"
)
result $? "a stack of 256 KiB"
for program in true "cat /dev/null" "ls /" "sh -c :" "env"; do
	# shellcheck disable=SC2086
	LD_PRELOAD="$preload" $program > "$tmp/out" 2> "$tmp/err" &&
		[ ! -s "$tmp/err" ]
	result $? "$program"
done
if [ "$lib" != none ]; then
	PMALLOC_OPTIONS=stats=exit LD_PRELOAD="$preload" "$build/forkexit" \
		> "$tmp/out" 2> "$tmp/err"
	result $? "a program that forks, and asks for a report"
	grep -q '^pmalloc:' "$tmp/err"
	result $? "stats=exit prints a report at exit"
fi
plan
