#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# System calls: the usual filters let through all that the library needs, from
# the first instruction on, and what it makes is what pmalloc(7) says. The lists
# in filters/ name their sources; what is not in a list ends the process.
set -u

# shellcheck source=harness/program/tap.sh
. "$(dirname "$0")/../tap.sh"
here=$top/harness/program/abi
man=$top/Documentation/man/pmalloc.7

# Large blocks, fresh ones that are used to the end, and one that grows.
blocks='
kept = [bytearray(300000) for _ in range(40)]
for block in kept:
    block[:] = b"x" * len(block)
grown = bytearray()
for _ in range(300):
    grown += b"y" * 40000
print(len(kept), len(grown))'

# ---- under the lists -----------------------------------------------------------

echo '#include <asm/unistd.h>' | gcc -E -dM - |
	awk '$2 ~ /^__NR_/ { print substr($2, 6), $3 }' | sort > "$tmp/numbers"

under() { # list command...
	list=$1
	shift
	"$build/filter" "$tmp/$list" env LD_PRELOAD="$preload" \
		PMALLOC_LIB="$lib" "$@" > "$tmp/out" 2> "$tmp/err"
	status=$?
	[ $status -eq 0 ]
	result $? "$list: $(basename "$1")"
	[ $status -eq 0 ] || sed 's/^/# /' "$tmp/err" | head -n 5
	grep '^not ok' "$tmp/out" | sed 's/^/# /'
}

for list in system-service docker; do
	grep -v '^#' "$here/filters/$list" | tr -s ' ' '\n' | sort -u |
		join - "$tmp/numbers" | cut -d ' ' -f 2 > "$tmp/$list"
	[ "$(wc -l < "$tmp/$list")" -gt 200 ]
	result $? "$list: $(wc -l < "$tmp/$list") calls are let through"
	under "$list" python3 -c 'print(1)'
	under "$list" sort "$here/filters.sh"
	under "$list" python3 -c "$blocks"
	for program in threads names; do
		under "$list" "$build/$program"
	done
done
# A container's filter, and one that the program brings; see sandbox.c. systemd's
# set does not let a program bring one by seccomp(2).
under docker "$build/sandbox"
# The filter works at all.
grep -v "^$(awk '$1 == "mmap" { print $2 }' "$tmp/numbers")\$" "$tmp/docker" \
	> "$tmp/without-mmap"
! "$build/filter" "$tmp/without-mmap" env true > "$tmp/out" 2>&1
result $? "and where a call is missing in the list the process ends"

# ---- what is made ----------------------------------------------------------------

calls() { # preload command...
	env=LD_PRELOAD=$1
	shift
	strace -f -c -o "$tmp/count" -E "$env" "$@" \
		> "$tmp/out" 2> "$tmp/err"
	awk '$1 ~ /^[0-9.]+$/ && $NF != "total" { print $NF }' "$tmp/count" |
		sort -u
}

# The names in the man page's section, one of which each paragraph begins with.
awk '/^\.SH/ { in_section = /SYSTEM CALLS/ }
	in_section && /^\.BR? / {
		for (i = 2; i <= NF; i++)
			if ($i ~ /^[a-z_0-9]+$/ && $(i + 1) ~ /^"?\(2\)/)
				print $i
	}' "$man" | sort -u > "$tmp/listed"
[ "$(wc -l < "$tmp/listed")" -ge 20 ]
result $? "pmalloc(7) lists $(wc -l < "$tmp/listed") system calls"

if [ "$lib" = none ]; then
	plan
	exit
fi

made() { # options command...
	options=$1
	shift
	[ -s "$tmp/without-$(basename "$1")" ] ||
		calls '' "$@" > "$tmp/without-$(basename "$1")"
	PMALLOC_OPTIONS=$options calls "$lib" "$@" > "$tmp/with"
	comm -13 "$tmp/without-$(basename "$1")" "$tmp/with" > "$tmp/made"
	comm -23 "$tmp/made" "$tmp/listed" > "$tmp/unlisted"
	[ -s "$tmp/with" ] && [ ! -s "$tmp/unlisted" ]
	result $? "$(basename "$1"), \"${options%%=/*}\": of $(wc -l < "$tmp/made") more kinds of calls all are listed"
	remark "$tmp/unlisted" "not in pmalloc(7): "
	cat "$tmp/made" >> "$tmp/all"
}

made '' python3 -c "$blocks"
made '' "$build/names"
made '' "$build/stress" 1 2
made populate=off python3 -c "$blocks"
! grep -q '^mincore$' "$tmp/made"
result $? "populate=off goes without mincore()"
made magazine=off python3 -c "$blocks"
made stats=exit "$build/names"
made "stats_file=$tmp/report" "$build/names"
for call in membarrier prctl mincore; do
	grep -q "^$call\$" "$tmp/all"
	result $? "$call() was seen, so they are not missed"
done
plan
