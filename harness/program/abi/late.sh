#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The library comes late, by dlopen(): into a plain program, and into one
# whose libraries have used up what static TLS there is for latecomers, but
# for the 64 bytes that the library may take.
set -u

lib=${PMALLOC_LIB:?}
build=${ABI_BUILD:?}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

if [ "$lib" = none ]; then
	echo "1..0 # SKIP no library to load"
	exit 0
fi

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

n=1
if [ $i -gt 4 ] && [ $i -lt 100 ]; then
	echo "ok $n - static TLS for latecomers ends after $i eaters"
else
	echo "not ok $n - static TLS for latecomers ends after $i eaters"
fi
for eaters in "" "$few"; do
	# shellcheck disable=SC2086
	"$build/late" "$lib" $eaters > "$tmp/out" 2>&1
	status=$?
	while read -r line; do
		case $line in
		"ok "*|"not ok "*)
			n=$((n + 1))
			text=${line#*- }
			[ -z "$eaters" ] || text="$text (little TLS left)"
			echo "${line%%ok *}ok $n - $text"
			;;
		"#"*)	echo "$line" ;;
		esac
	done < "$tmp/out"
	n=$((n + 1))
	if [ $status -eq 0 ]; then
		echo "ok $n - ended well"
	else
		echo "not ok $n - ended with status $status"
	fi
done
echo "1..$n"
