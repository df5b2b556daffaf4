#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# CPUs whose numbers are large, or have holes. The machine is what it is, but the
# list of possible CPUs can be another: a file that is mounted over the kernel's, in
# a mount namespace. The library makes room for the last number, and touches nothing
# for the CPUs that it does not see.
set -u

# shellcheck source=harness/program/tap.sh
. "$(dirname "$0")/../tap.sh"
[ "$lib" != none ] || skip_all "a list that only pmalloc reads"

list=/sys/devices/system/cpu/possible
namespace="unshare -m"
$namespace true 2>/dev/null || namespace="unshare -rm"
$namespace true 2>/dev/null ||
	skip_all "no mount namespace for this user: root has one"

# among LIST COMMAND...: with that list of possible CPUs
among() {
	echo "$1" >"$tmp/possible"
	shift
	# shellcheck disable=SC2016 # the inner shell's
	$namespace sh -c 'mount --bind "$1" "$2" && shift 2 && exec "$@"' sh \
		"$tmp/possible" "$list" "$@"
}

# resident LIST: KiB of a program that does nothing, and how many CPUs there are
resident() {
	among "$1" env LD_PRELOAD="$preload" PMALLOC_OPTIONS=stats=exit \
		grep VmRSS /proc/self/status >"$tmp/out" 2>"$tmp/err"
	kib=$(tr -dc 0-9 <"$tmp/out")
	cpus=$(sed -n 's/^pmalloc:.* \([0-9]*\) CPUs possible;.*/\1/p' "$tmp/err")
}

own=$(cat "$list")
resident "$own"
plain=$kib
echo "# $own: $cpus CPUs, $plain KiB resident"

# trial LIST COUNT NAME
trial() {
	resident "$1"
	[ "$cpus" = "$2" ]
	result $? "$3: $2 CPUs"
	echo "# $cpus CPUs, $kib KiB resident"
	# A word for each number in three tables that are looked over as a whole.
	[ "$kib" -le $((plain + 256)) ]
	result $? "$3: nothing is resident for CPUs that are not there"
	try "$3: threads allocate and free" \
		among "$1" env LD_PRELOAD="$preload" "$build/stress" 1 2
}

trial 0-1023 1024 "as many as a mask of the C library holds"
trial 0-2047 2048 "numbers above 1024"
trial 0,2,5-7,1500-4095 4096 "numbers with holes"
trial "$(seq -s, 0 2 8190)" 8191 "a list of 20 KiB"
trial 0-8191 8192 "as many as there can be"

plan
