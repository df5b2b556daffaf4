#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The library comes late, by dlopen(): into a plain program, into one whose
# libraries have used up what static TLS there is for latecomers, but for the
# 64 bytes that the library may take, and into one that has taken all keys for
# thread-specific data.
set -u

# shellcheck source=harness/program/tap.sh
. "$(dirname "$0")/../tap.sh"
[ "$lib" != none ] || skip_all "no library to load"

# Copies of the eater that fit beside a library that is loaded late.
i=0
eaters=
while [ $i -lt 100 ]; do
	cp "$build/eater.so" "$tmp/eater$i.so"
	# shellcheck disable=SC2086
	"$build/late" "$build/eater.so" $eaters "$tmp/eater$i.so" \
		> "$tmp/out" 2>&1
	[ $? -ne 77 ] || break
	eaters="$eaters $tmp/eater$i.so"
	i=$((i + 1))
done

# Two slots free: one that the library may take, one to round up to.
few=
k=0
for eater in $eaters; do
	k=$((k + 1))
	[ $k -gt $((i - 2)) ] || few="$few $eater"
done

[ $i -gt 4 ] && [ $i -lt 100 ]
result $? "static TLS for latecomers ends after $i eaters"

# load_late WORDS ARGUMENT...: its results, each followed by the words
load_late()
{
	words=$1
	shift
	status=0
	"$build/late" "$@" > "$tmp/out" 2>&1 || status=$?
	pass_on "$tmp/out" "$words"
	what="ended well"
	[ $status -eq 0 ] || what="ended with status $status"
	result $status "$what$words"
}

load_late "" "$lib"
# shellcheck disable=SC2086
load_late " (little TLS left)" "$lib" $few
if [ "${PMALLOC_URCU:-private}" = private ]; then
	load_late " (no key left)" -k "$lib"
else
	result 0 "no key left # SKIP a shared liburcu ends the process"
fi
plan
