#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# One misuse, one run of misuse.c, one expected message: one line on stderr
# that names function, address, fault, and the object with its class and
# arena where there is one; then SIGABRT. With misuse=report and misuse=ignore the
# program goes on.
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
span() { # size: an object of a class that belongs to no arena
	echo "object of $1 bytes \\(class $number\\) in arena -"
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
	regex=$(echo "^pmalloc: $2" | sed "s/BAD/$bad/g; s/OBJ/$obj/g")
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

for case in stack static static_later code mmap sbrk small_number noncanonical \
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
expect free_inside_span "free\\(BAD\\): inside an $(span 106496), 16 bytes after its start OBJ"
expect free_page_of_span "free\\(BAD\\): inside an $(span 106496), 4096 bytes after its start OBJ"
expect free_middle_of_span "free\\(BAD\\): $foreign"
expect free_middle_of_large "free\\(BAD\\): (.*inside .*large|$foreign)"

twice="free\\(BAD\\): double free: $(small 64)"
expect double_free "$twice"
expect double_tiny "free\\(BAD\\): double free: $(small 16)"
expect double_page "free\\(BAD\\): double free: $(small 4096)"
expect double_big "free\\(BAD\\): double free: $(small 32768)"
expect double_span "free\\(BAD\\): double free: $(span 40960)"
expect double_mib "free\\(BAD\\): double free: $(span 1048576)"
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
# The object is still named when the look for it has given its heap back.
expect double_with_its_heap \
	"free\\(BAD\\): double free: object of 64 bytes \\(class $number\\) in arena -\$"
# Memory that went back to the system is no object any more.
gone="(double free: ($(small 64)|$large)|$foreign)"
for case in large huge after_1000 after_all; do
	expect double_$case "free\\(BAD\\): $gone"
done
expect free_after_realloc_moved "$twice"
expect free_never_allocated "$twice"
expect realloc_freed "realloc\\(BAD(, $number)?\\): double free: $(small 64)"
expect realloc_freed_shrink "realloc\\(BAD(, $number)?\\): double free: $(small 64)"
expect realloc_freed_zero "realloc\\(BAD(, $number)?\\): double free: $(small 64)"
expect realloc_freed_span "realloc\\(BAD(, $number)?\\): double free: $(span 106496)"
expect realloc_freed_large "realloc\\(BAD(, $number)?\\): $gone"
expect reallocarray_freed "realloc(array)?\\(BAD(, $number)*\\): double free: $(small 64)"

expect sized_too_long "free_sized\\(BAD, 100\\): .*object (of|has) 64 bytes \\(class $number\\) in arena $number"
expect sized_too_short "free_sized\\(BAD, 8\\): .*object (of|has) 4096 bytes \\(class $number\\) in arena $number"
expect sized_max "free_sized\\(BAD, $number\\): .*object (of|has) 64 bytes"
expect sized_span "free_sized\\(BAD, 100000\\): wrong size: $(span 40960)"
expect sized_large "free_sized\\(BAD, $number\\): .*object (of|has) $number bytes \\(large\\) in arena -"
expect sized_small_for_large "free_sized\\(BAD, 100\\): .*object (of|has) $number bytes \\(large\\) in arena -"
expect sized_double "free_sized\\(BAD(, 64)?\\): double free: $(small 64)"
expect sized_foreign "free_sized\\(BAD(, 64)?\\): $foreign"
expect aligned_sized_wrong "free_aligned_sized\\(BAD, (64, )?1000\\): .*object (of|has) 64 bytes"
ours="object of cache \"ours\" \\(48 bytes, class $number\\) in arena $number"
expect cache_free "free\\(BAD\\): only pm_cache_free\\(\\) may have it: $ours"
expect cache_foreign "pm_cache_free\\(BAD\\): not of cache \"theirs\": $ours"
expect cache_of_malloc "pm_cache_free\\(BAD\\): not of cache \"ours\": $(small 64)"
expect cache_double "pm_cache_free\\(BAD\\): double free: $ours"
expect cfree_double "cfree\\(BAD\\): double free: $(small 64)"
expect delete_double "operator delete\\(BAD\\): double free: $(small 64)"
expect delete_sized_wrong "operator delete\\(BAD, 5000\\): .*object (of|has) 64 bytes"
expect usable_freed "malloc_usable_size\\(BAD\\): double free: $(small 64)"

# What is found when the object is next handed out. When a copy of it is still
# in a magazine that is a double free, else nobody can tell.
found="(free\\(BAD\\): double free|malloc: BAD was written to after it was freed, or freed twice): $(small 64)"
expect written_second "malloc: BAD was written to after it was freed, or freed twice: $(small 64)"
expect double_written_first "$twice"
expect double_written_second "$twice"
expect double_written_first_later "$found"
expect double_written_second_later "$found"

# ---- what may go on ------------------------------------------------------------

# survive OPTIONS CASE LINES COUNT REGEX: it goes on, says so many lines, and
# counts so much, by pm_get_totals() and in the JSON report
survive() {
	seen="$seen$2 "
	( PMALLOC_OPTIONS="$1,stats=json,stats_file=$tmp/json" LD_PRELOAD="$lib" \
		exec "$build/misuse" "$2" > "$tmp/out" 2> "$tmp/err" )
	status=$?
	bad=$(sed -n 's/^bad //p' "$tmp/out")
	[ $status -eq 3 ] && [ "$(wc -l < "$tmp/err")" -eq "$3" ] &&
		[ "$(grep -Ec "^pmalloc: $(echo "$5" | sed "s/BAD/$bad/g")" \
			"$tmp/err")" -eq "$3" ] &&
		grep -qx "survived $4" "$tmp/out" &&
		python3 -c 'import json, sys
sys.exit(json.load(open(sys.argv[1]))["total"]["misuse"] != int(sys.argv[2]))' \
			"$tmp/json" "$4"
	ret=$?
	result $ret "$1: $2: goes on, $3 lines, counted $4"
	if [ $ret -ne 0 ]; then
		echo "# status $status, expected 3"
		remark "$tmp/err" "said: "
		remark "$tmp/out"
	fi
}

# No misuse, or none that hurts anybody.
survive misuse=abort free_glibc 0 0 ""
survive misuse=abort written_first 0 0 ""

# The object is nobody's: the program exits with 7 when it is given to it, or
# given to it twice.
for mode in report ignore; do
	lines=1
	[ $mode = report ] || lines=0
	# The first call of a process, before there is anything else.
	survive misuse=$mode free_static $lines 1 "free\\(BAD\\): $foreign"
	survive misuse=$mode realloc_stack $lines 1 "realloc\\(BAD(, $number)?\\): $foreign"
	survive misuse=$mode free_static_later $lines 1 "free\\(BAD\\): $foreign"
	survive misuse=$mode free_inside $lines 1 "$(inside free 64 16 | sed 's/OBJ/0x[0-9a-f]+/')"
	survive misuse=$mode double_free $lines 1 "$twice"
	survive misuse=$mode double_after_64 $lines 1 "$twice"
	survive misuse=$mode double_after_trim $lines 1 "$twice"
	survive misuse=$mode written_second $lines 1 \
		"malloc: BAD was written to after it was freed"
	survive misuse=$mode double_written_first $lines 1 "$twice"
	survive misuse=$mode double_written_second $lines 1 "$twice"
	survive misuse=$mode double_written_first_later $lines 1 "$found"
	survive misuse=$mode double_written_second_later $lines 1 "$found"
	survive misuse=$mode sized_too_long $lines 1 "free_sized\\(BAD, 100\\)"
done

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
