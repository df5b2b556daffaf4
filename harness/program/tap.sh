# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=sh
# shellcheck disable=SC2034 # what the tests use
#
# TAP for tests that are shell scripts, and what else they have in common. A
# test sources this file, calls result(), try() and their kin, and ends with
# plan(). It finds in
#
#	$top	the source tree
#	$tmp	a directory that goes when the test ends
#	$n	the number of the last result
#	$lib	the library under test, or none: glibc's malloc
#	$preload	the same for LD_PRELOAD, empty for none
#	$build	what was built for the test
#
# harness/program/run sets PMALLOC_LIB and ABI_BUILD; without it they are those
# of a plain `make check-abi`.

top=$(cd "$(dirname "$0")" && pwd)
until [ -e "$top/lib/Kbuild" ] || [ -z "$top" ]; do
	top=${top%/*}
done
lib=${PMALLOC_LIB:-$top/build/libpmalloc.so}
build=${ABI_BUILD:-$top/build/abi}
preload=$lib
[ "$lib" != none ] || preload=
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
n=0
failed=0

# result STATUS NAME: one result; the status is a command's, so 0 is good
result()
{
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		failed=$((failed + 1))
	fi
}

# remark FILE [WORDS]: its lines as remarks, each after the words
remark()
{
	sed "s/^/# ${2-}/" "$1"
}

# try NAME COMMAND...: the command succeeds; what it said is shown when not
try()
{
	name=$1
	shift
	status=0
	"$@" >"$tmp/try" 2>&1 || status=$?
	result "$status" "$name"
	[ "$status" -eq 0 ] || remark "$tmp/try"
}

# pass_on FILE [WORDS]: another program's results, renumbered, and its remarks;
# each result's name is followed by the words
pass_on()
{
	while read -r line; do
		case $line in
		"ok "*)		result 0 "${line#*- }${2-}" ;;
		"not ok "*)	result 1 "${line#*- }${2-}" ;;
		"#"*)		echo "$line" ;;
		esac
	done <"$1"
}

# skip_all WHY: there is nothing to test here
skip_all()
{
	echo "1..0 # SKIP $1"
	exit 0
}

# plan: what comes last; the status says whether all was well
plan()
{
	echo "1..$n"
	[ "$failed" -eq 0 ]
}
