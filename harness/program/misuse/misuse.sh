#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# One misuse, one run of misuse.c, one expected message: one line on stderr
# that names function, address, fault, and the object with its class and
# arena where there is one; then SIGABRT.
set -u

# shellcheck source=harness/program/tap.sh
. "$(dirname "$0")/../tap.sh"
[ "$lib" != none ] || skip_all "these are reports of pmalloc's"

# The shell says "Aborted" of each: kept from the terminal.
exec 2> "$tmp/shell"

number='[0-9]+'
small() { # size: an object of a class
	echo "object of $1 bytes \\(class $number\\) in arena $number"
}
large="object of $number bytes \\(large\\) in arena -"
foreign='not a pmalloc object'
seen=" "

# BAD and OBJ in the expected message stand for the addresses.
expect() { # case regex
	seen="$seen$1 "
	( PMALLOC_OPTIONS='' LD_PRELOAD="$lib" exec "$build/misuse" "$1" \
		> "$tmp/out" 2> "$tmp/err" )
	status=$?
	bad=$(sed -n 's/^bad //p' "$tmp/out")
	obj=$(sed -n 's/^obj //p' "$tmp/out")
	regex=$(echo "^pmalloc: $2" | sed "s/BAD/$bad/; s/OBJ/$obj/")
	[ $status -eq 134 ] && [ "$(wc -l < "$tmp/err")" -eq 1 ] &&
		grep -Eq "$regex" "$tmp/err"
	ret=$?
	result $ret "$1"
	if [ $ret -ne 0 ]; then
		echo "# status $status, expected 134 and: $regex"
		remark "$tmp/err" "said: "
		remark "$tmp/out"
	fi
}

for case in stack static code mmap sbrk glibc small_number noncanonical \
	kernel_address unmapped; do
	expect free_$case "free\\(BAD\\): $foreign"
done
expect realloc_stack "realloc\\(BAD(, $number)?\\): $foreign"
expect realloc_noncanonical "realloc\\(BAD(, $number)?\\): $foreign"
expect realloc_mmap "realloc\\(BAD(, $number)?\\): $foreign"
expect usable_stack "malloc_usable_size\\(BAD\\): $foreign"

inside() { # function, size, offset
	echo "$1\\(BAD(, $number)?\\): inside an $(small "$2"), $3 bytes after its start OBJ"
}
inside_large="free\\(BAD\\): .*inside .*large"
expect free_inside "$(inside free 64 16)"
expect free_inside_by_one "$(inside free 64 1)"
expect free_last_byte "$(inside free 64 63)"
expect free_inside_big "$(inside free 20480 4096)"
expect free_inside_aligned "$(inside free 1024 512)"
expect realloc_inside "$(inside realloc 64 32)"
expect free_inside_large "$inside_large"
# The page map knows the unit in which a large object starts, no other.
expect free_page_of_large "free\\(BAD\\): (.*inside .*large|$foreign)"
expect free_middle_of_large "free\\(BAD\\): (.*inside .*large|$foreign)"

twice="free\\(BAD\\): double free: $(small 64)"
expect double_free "$twice"
expect double_tiny "free\\(BAD\\): double free: $(small 16)"
expect double_page "free\\(BAD\\): double free: $(small 4096)"
expect double_big "free\\(BAD\\): double free: $(small 32768)"
for case in calloc aligned after_one after_64 after_malloc \
	other_thread in_thread two_threads after_trim realloc_zero; do
	expect double_$case "$twice"
done
if [ "$(nproc)" -gt 1 ]; then
	expect double_remote "$twice"
	expect double_remote_and_home "$twice"
else
	seen="${seen}double_remote double_remote_and_home "
fi
# Memory that went back to the system is no object any more.
gone="(double free: ($(small 64)|$large)|$foreign)"
for case in large mib huge after_1000 after_all; do
	expect double_$case "free\\(BAD\\): $gone"
done
expect free_after_realloc_moved "$twice"
expect free_never_allocated "$twice"
expect realloc_freed "realloc\\(BAD(, $number)?\\): double free: $(small 64)"
expect realloc_freed_shrink "realloc\\(BAD(, $number)?\\): double free: $(small 64)"
expect realloc_freed_zero "realloc\\(BAD(, $number)?\\): double free: $(small 64)"
expect realloc_freed_large "realloc\\(BAD(, $number)?\\): $gone"
expect reallocarray_freed "realloc(array)?\\(BAD(, $number)*\\): double free: $(small 64)"

expect sized_too_long "free_sized\\(BAD, 100\\): .*object (of|has) 64 bytes \\(class $number\\) in arena $number"
expect sized_too_short "free_sized\\(BAD, 8\\): .*object (of|has) 4096 bytes \\(class $number\\) in arena $number"
expect sized_max "free_sized\\(BAD, $number\\): .*object (of|has) 64 bytes"
expect sized_large "free_sized\\(BAD, $number\\): .*object (of|has) $number bytes \\(large\\) in arena -"
expect sized_small_for_large "free_sized\\(BAD, 100\\): .*object (of|has) $number bytes \\(large\\) in arena -"
expect sized_double "free_sized\\(BAD(, 64)?\\): double free: $(small 64)"
expect sized_foreign "free_sized\\(BAD(, 64)?\\): $foreign"
expect aligned_sized_wrong "free_aligned_sized\\(BAD, (64, )?1000\\): .*object (of|has) 64 bytes"
expect cfree_double "cfree\\(BAD\\): double free: $(small 64)"
expect delete_double "operator delete\\(BAD\\): double free: $(small 64)"
expect delete_sized_wrong "operator delete\\(BAD, 5000\\): .*object (of|has) 64 bytes"
expect usable_freed "malloc_usable_size\\(BAD\\): double free: $(small 64)"

( LD_PRELOAD="$lib" exec "$build/misuse" double_silent > "$tmp/out" )
[ $? -eq 134 ]
result $? "double_silent: ends without a stderr, too"

# No case is forgotten here.
LD_PRELOAD="$lib" "$build/misuse" > "$tmp/cases"
while read -r case; do
	case "$seen double_silent " in
	*" $case "*) ;;
	*)	result 1 "no message is expected of $case" ;;
	esac
done < "$tmp/cases"
grep -v '^Aborted' "$tmp/shell" | sed 's/^/# /'
plan
