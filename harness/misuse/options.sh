#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# PMALLOC_OPTIONS: what is not known costs one clear line and leaves the
# default; what is known works, every policy included.
set -u

lib=${PMALLOC_LIB:?}
abi=$(dirname "${ABI_BUILD:?}")/abi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

if [ "$lib" = none ]; then
	echo "1..0 # SKIP options are pmalloc's"
	exit 0
fi

n=0
result() { # status name
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
	fi
}

run() { # options command...
	options=$1
	shift
	PMALLOC_OPTIONS=$options LD_PRELOAD="$lib" "$@" \
		> "$tmp/out" 2> "$tmp/err"
}

lines() { # options, number of lines expected, text in each
	run "$1" seq 3
	status=$?
	shown=$(printf '%.40s' "$1")
	[ $status -eq 0 ] && [ "$(wc -l < "$tmp/out")" -eq 3 ]
	result $? "\"$shown\": the program works"
	[ "$(wc -l < "$tmp/err")" -eq "$2" ] &&
		[ "$(grep -c "^pmalloc: .*$3" "$tmp/err")" -eq "$2" ]
	result $? "\"$shown\": $2 lines"
	sed 's/^/# said: /' "$tmp/err"
}

lines "" 0 ""
lines "," 0 ""
lines ",,," 0 ""
lines "bogus=1" 1 'unknown option "bogus=1"'
lines "bogus" 1 'unknown option "bogus"'
lines "=1" 1 'unknown option "=1"'
lines "=" 1 'unknown option "="'
lines "arena" 1 'option "arena"'
lines "arenax=cpu" 1 'unknown option "arenax=cpu"'
lines "bogus=1,arena=cpu" 1 'unknown option "bogus=1"'
lines "arena=cpu,bogus=1," 1 'unknown option "bogus=1"'
lines "bogus=1,other=2,arena=single" 2 'unknown option "'
lines "arena=bogus" 1 'arena=bogus'
lines "arena=" 1 'arena='
lines "ARENA=cpu" 1 'unknown option "ARENA=cpu"'
lines "%s%n%d=1" 1 'unknown option "%s%n%d=1"'
lines "$(head -c 100000 /dev/zero | tr '\0' x)" 1 'unknown option "x'
lines "stats=bogus" 1 'stats=bogus'
for policy in single thread pool cpu; do
	lines "arena=$policy" 0 ""
done

for options in arena=single arena=thread arena=pool arena=cpu bogus=1; do
	run "$options" "$abi/stress" 1 6
	result $? "\"$options\": concurrency stress"
	grep '^not ok' "$tmp/out" | sed 's/^/# /'
	run "$options" "$abi/fork"
	result $? "\"$options\": fork among threads"
	grep '^not ok' "$tmp/out" | sed 's/^/# /'
done

run stats=exit seq 3
grep -q '^pmalloc:' "$tmp/err" || run stats=exit python3 -c 'print(3)'
grep -q '^pmalloc: .*arena=cpu' "$tmp/err"
result $? "stats=exit names the default policy, cpu"
for policy in single thread pool cpu; do
	run "stats=exit,arena=$policy" python3 -c 'print(3)'
	grep -q "^pmalloc: .*arena=$policy" "$tmp/err"
	result $? "stats=exit names the policy $policy"
done

echo "1..$n"
