#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Little address space (ulimit -v): the library starts, gives nearly all of
# it to the program, says ENOMEM at the end, loses nothing, and goes on when
# something was freed.
#
# The share is: bytes of blocks obtained / (limit - VmSize at the start of
# main of the same program on glibc). What the library takes for itself, its
# own mapping included, is the program's loss and counts against it.
set -u

# shellcheck source=harness/program/tap.sh
. "$(dirname "$0")/../tap.sh"
least=90
# Memory cut for one size and asked for in another, and shared by threads:
# goes on well, but no share is promised.
least_other=75

value() { # name: from the latest run's output
	sed -n "s/^$1=//p" "$tmp/out"
}

# Runs limit under a limit in KiB; what it said is in $tmp/out.
limited() { # KiB arguments...
	kib=$1
	shift
	(
		# shellcheck disable=SC3045 # dash and bash have it
		ulimit -v "$kib"
		LD_PRELOAD="$preload" exec "$build/limit" "$@"
	) > "$tmp/out" 2> "$tmp/err"
}

"$build/limit" base > "$tmp/out"
base=$(value base)
"$build/limit" base 8 > "$tmp/out"
base8=$(value base)
echo "# VmSize of the program alone: $base bytes, $base8 with eight threads"

mode=fill
fill() { # KiB size other
	what="$mode, $2 bytes in $1 KiB"
	limited "$1" $mode "$2" "$3"
	result $? "$what: starts, and comes to its end"
	remark "$tmp/err"
	first=$(value first)
	room=$(($1 * 1024 - base))
	share=$((${first:-0} * 1000 / room))
	[ $share -ge $((least * 10)) ]
	result $? "$what: serves $((share / 10)).$((share % 10)) %, at least $least"
	[ "$(value error)" = ENOMEM ]
	result $? "$what: then ENOMEM"
	[ "$(value bad)" = 0 ]
	result $? "$what: all contents hold"
	again=$(value again)
	wanted=$(value wanted)
	[ $((${again:-0} * 100)) -ge $((${wanted:-1} * 97)) ]
	result $? "$what: half freed, and had again"
	second=$(value second)
	[ $((${second:-0} * 100)) -ge $((${first:-1} * 97)) ]
	result $? "$what: all freed, and had again"
	other=$(value other)
	share=$((${other:-0} * 1000 / room))
	[ $share -ge $((least_other * 10)) ]
	result $? "$what: then $((share / 10)).$((share % 10)) % in blocks of $3"
}

fill 32768 64 1048576
fill 32768 1024 102400
# Slabs of 24 KiB objects have a sixteenth left over at their end, and the
# library's own tables are a few percent of so small a limit.
least=87
fill 32768 24576 64
least=90
fill 32768 102400 24576
fill 32768 1048576 1024
fill 65536 64 24576
least=88
fill 65536 24576 102400
least=90
fill 65536 1048576 64
fill 262144 1024 1048576
fill 262144 102400 1024

# An arena and a magazine more; and the last heap may have no room for a
# descriptor beside it.
mode=wander
fill 32768 64 1048576
fill 32768 1024 102400
fill 65536 64 24576

for kib in 32768 65536; do
	for size in 200 5000; do
		limited "$kib" threads "$size" 8
		result $? "8 threads, $size bytes in $kib KiB: comes to its end"
		remark "$tmp/err"
		first=$(value first)
		share=$((${first:-0} * 1000 / (kib * 1024 - base8)))
		[ $share -ge $((least_other * 10)) ]
		result $? "8 threads, $size bytes in $kib KiB: $((share / 10)).$((share % 10)) %"
		[ "$(value bad)" = 0 ]
		result $? "8 threads, $size bytes in $kib KiB: ENOMEM, contents, later success"
	done
done

# A thread's first request comes when there is nothing left.
for threads in 8 60; do
	limited 65536 late 0 $threads
	result $? "$threads threads come late: comes to its end"
	remark "$tmp/err"
	[ "$(value bad)" = 0 ]
	result $? "$threads threads come late: ENOMEM, later success"
done

# Where two of them register with a shared liburcu at once, one may take the
# address space that the other has seen free, and liburcu ends the process. A
# private one answers. More runs than CPUs, so that they are preempted there.
late() { # number of the run
	for _ in 1 2 3 4 5; do
		(
			# shellcheck disable=SC3045 # dash and bash have it
			ulimit -v 65536
			LD_PRELOAD="$preload" exec "$build/limit" late 0 60
		) >> "$tmp/late$1" 2>&1 || echo "died=$?" >> "$tmp/late$1"
	done
}

for run in 1 2 3 4; do
	late $run &
done
wait
cat "$tmp"/late? > "$tmp/out"
[ "$(grep -c '^bad=0$' "$tmp/out")" = 20 ]
result $? "twenty times 60 threads, four runs at a time: no one is ended"
grep '^died=' "$tmp/out" | sed 's/^/# /'

# What giving back cannot make room for gives nothing back. By the report's own
# count of heaps, over a thousand requests.
hopeless() { # KiB bytes options
	what="$3, a thousand requests of $2 bytes in $1 KiB"
	PMALLOC_OPTIONS="$3,stats=json,stats_file=$tmp/json" \
		limited "$1" hopeless "$2" 1000
	[ "$(value bad)" = 0 ]
	result $? "$what: ENOMEM each time"
	remark "$tmp/err"
	[ "$lib" = none ] && return
	unmaps=$(python3 -c 'import json, sys
print(sum(a["heap_unmaps"] for a in json.load(open(sys.argv[1]))["arenas"]))' \
		"$tmp/json")
	[ "${unmaps:-1000}" -le 10 ]
	result $? "$what: $unmaps heaps given back"
}

for magazine in on off; do
	hopeless 65536 1073741824 magazine=$magazine
	hopeless unlimited 70368744177664 magazine=$magazine
done

for kib in 16384 12288 8192; do
	limited "$kib" base
	result $? "starts in $kib KiB"
done
# A limit of the library's own, which counts what it maps and nothing else.
for size in 64 24576 102400; do
	[ "$lib" != none ] || break
	PMALLOC_OPTIONS=hard_limit=67108864 LD_PRELOAD="$preload" \
		"$build/limit" fill $size 1000 > "$tmp/out" 2> "$tmp/err"
	result $? "hard_limit, blocks of $size: comes to its end"
	remark "$tmp/err"
	first=$(value first)
	share=$((${first:-0} / 67109))
	[ $share -ge 850 ] && [ $share -le 1000 ]
	result $? "hard_limit, blocks of $size: serves $((share / 10)).$((share % 10)) % of it"
	[ "$(value error)" = ENOMEM ] && [ "$(value bad)" = 0 ]
	result $? "hard_limit, blocks of $size: then ENOMEM, and all contents hold"
done

plan
