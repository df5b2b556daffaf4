#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# What the shared object shows to the dynamic linker: the exact list of
# symbols, its thread-local storage, and its flags.
set -u

# shellcheck source=harness/program/tap.sh
. "$(dirname "$0")/../tap.sh"
header=${PMALLOC_HEADER:-$top/lib/include/pmalloc.h}

[ "$lib" != none ] || skip_all "no library to look at"
shares=no
[ "${PMALLOC_URCU:-private}" = private ] || shares=yes

tr ' ' '\n' > "$tmp/abi" <<END
malloc free calloc realloc reallocarray memalign posix_memalign
aligned_alloc valloc pvalloc malloc_usable_size malloc_trim malloc_stats
malloc_info mallinfo mallinfo2 mallopt cfree free_sized free_aligned_sized
vfork clone __clone syscall prctl
__libc_malloc __libc_free __libc_calloc __libc_realloc __libc_reallocarray
__libc_memalign __libc_valloc __libc_pvalloc __posix_memalign
__libc_mallinfo __libc_mallopt
_Znwm _Znam _ZnwmRKSt9nothrow_t _ZnamRKSt9nothrow_t
_ZnwmSt11align_val_t _ZnamSt11align_val_t
_ZnwmSt11align_val_tRKSt9nothrow_t _ZnamSt11align_val_tRKSt9nothrow_t
_ZdlPv _ZdaPv _ZdlPvm _ZdaPvm _ZdlPvRKSt9nothrow_t _ZdaPvRKSt9nothrow_t
_ZdlPvSt11align_val_t _ZdaPvSt11align_val_t
_ZdlPvmSt11align_val_t _ZdaPvmSt11align_val_t
_ZdlPvSt11align_val_tRKSt9nothrow_t _ZdaPvSt11align_val_tRKSt9nothrow_t
END

# The public API: every function that the header declares to a program.
gcc -E -P "$header" |
	grep -oE '\bpm_[a-z0-9_]+ ?\(' | tr -d ' (' > "$tmp/api"
# What those read who look at a process from outside.
echo pmalloc_figures > "$tmp/block"
sort -u "$tmp/abi" "$tmp/api" "$tmp/block" > "$tmp/want"
nm -D --defined-only "$lib" | awk '$2 != "A" { print $3 }' |
	sed 's/@.*//' | sort -u > "$tmp/have"

[ "$(wc -l < "$tmp/api")" -ge 10 ]
result $? "the header declares a public API"
comm -23 "$tmp/want" "$tmp/have" > "$tmp/missing"
[ ! -s "$tmp/missing" ]
result $? "every name of the malloc ABI and of pmalloc.h is exported"
remark "$tmp/missing" "missing: "
comm -13 "$tmp/want" "$tmp/have" > "$tmp/extra"
[ ! -s "$tmp/extra" ]
result $? "and no other"
remark "$tmp/extra" "should be hidden: "

# glibc's own names of its allocator: whatever its table of symbols has that is
# at the address of a name of ours or looks like one, each with our name for it.
libc=$(ldd "$lib" | awk '$1 ~ /^libc\.so/ { print $3 }')
nm -D --defined-only "$libc" | awk 'BEGIN {
		split("malloc free calloc realloc reallocarray memalign aligned_alloc " \
			"posix_memalign valloc pvalloc cfree malloc_usable_size " \
			"malloc_trim malloc_stats malloc_info mallinfo mallinfo2 " \
			"mallopt", names, " ")
		for (i in names)
			ours[names[i]] = 1
	}
	$2 ~ /^[TWi]$/ {
		name = $3
		sub(/@.*/, "", name)
		at[name] = $1
	}
	END {
		for (name in at)
			if (name in ours)
				print name, name
		for (name in at) {
			if (name in ours)
				continue
			plain = name
			sub(/^_+(libc_)?/, "", plain)
			if (plain in ours)
				print name, plain
			else for (n in ours)
				if (at[n] == at[name]) {
					print name, n
					break
				}
		}
	}' | sort > "$tmp/aliases"
nm -D --defined-only "$lib" | awk '{ sub(/@.*/, "", $3); print $3, $1 }' |
	sort > "$tmp/at"
[ "$(grep -c '^__libc_' "$tmp/aliases")" -ge 7 ] &&
	[ "$(wc -l < "$tmp/aliases")" -ge 24 ]
result $? "the C library exports its allocator under other names, too"
awk 'NR == FNR { at[$1] = $2; next }
	!($1 in at) || at[$1] != at[$2] { print "#", $1, "is not", $2; bad = 1 }
	END { exit bad }' "$tmp/at" "$tmp/aliases"
result $? "each of $(wc -l < "$tmp/aliases") names that the C library has leads to ours"

nm -D "$lib" | awk '$1 ~ /^[0-9a-f]+$/ && $2 !~ /^[TWA]$/ &&
	$3 != "pmalloc_figures"' > "$tmp/data"
[ ! -s "$tmp/data" ]
result $? "functions alone are exported, and the block of figures"
nm -D "$lib" | grep -q ' [DR] pmalloc_figures$'
result $? "which nobody writes to after the start"
remark "$tmp/data"

tls=$(readelf -lW "$lib" | awk '$1 == "TLS" { print $6 }')
size=$((${tls:-0}))
[ "$size" -le 64 ]
result $? "thread-local storage takes $size bytes, at most 64"
readelf -dW "$lib" > "$tmp/dynamic"
[ "$size" -eq 0 ] || grep -q STATIC_TLS "$tmp/dynamic"
result $? "and is of the initial-exec model (STATIC_TLS)"
# A shared liburcu's reader is reached the dynamic way.
foreign=none
[ $shares = no ] || foreign=urcu_bp_reader
! readelf -rW "$lib" | grep -E 'R_X86_64_(DTPMOD|DTPOFF|TLSDESC)' |
	grep -qv $foreign
result $? "and of no other (no DTPMOD, DTPOFF or TLSDESC of ours)"
# An initial-exec access to another library's variable makes all of that
# library's thread-local storage static, too.
readelf -rW "$lib" | awk '/R_X86_64_TPOFF64/ && $5 != "" && $5 ~ /[a-z]/ {
	print $5 }' > "$tmp/tpoff"
[ ! -s "$tmp/tpoff" ]
result $? "and makes no other library's thread-local storage static"
remark "$tmp/tpoff" "initial-exec: "
! grep -q TEXTREL "$tmp/dynamic"
result $? "no text relocation"
grep FLAGS_1 "$tmp/dynamic" | grep -q NODELETE
result $? "marked NODELETE"
grep FLAGS_1 "$tmp/dynamic" | grep -q NOW && readelf -lW "$lib" |
	grep -q GNU_RELRO
result $? "bound at once, tables read-only (NOW, RELRO)"
readelf -lW "$lib" | grep GNU_STACK | grep -q 'RW '
result $? "no executable stack"
! readelf -lW "$lib" | awk '$1 == "LOAD"' | grep -q 'RWE'
result $? "no segment is both writable and executable"
grep -q 'SONAME.*libpmalloc\.so' "$tmp/dynamic"
result $? "has a soname"
! grep NEEDED "$tmp/dynamic" | grep -qE 'libstdc\+\+|libgcc_s|libdl|librt'
result $? "a C program gets no C++ library along with it"
grep NEEDED "$tmp/dynamic" | sed 's/.*Shared library: /# needs /'
if [ $shares = no ]; then
	[ "$(grep -c NEEDED "$tmp/dynamic")" = 1 ] &&
		grep NEEDED "$tmp/dynamic" | grep -q '\[libc\.so\.6\]'
	result $? "needs the C library and nothing else"
	ldd "$lib" | grep -vE '^[[:space:]]*(linux-vdso|libc|/.*/ld-linux)' \
		> "$tmp/others"
	[ ! -s "$tmp/others" ]
	result $? "ldd says so, too"
	remark "$tmp/others"
	# A name of liburcu's in the archive would meet the program's liburcu.
	nm -g --defined-only "${lib%.so}.a" | awk '$3 ~ /urcu|rcu_/ &&
		$3 !~ /^pm_/' > "$tmp/urcu"
	[ -s "${lib%.so}.a" ] && [ ! -s "$tmp/urcu" ]
	result $? "the archive has no name that liburcu has"
	remark "$tmp/urcu"
	! nm -D "$lib" | grep urcu
	result $? "the dynamic linker sees no symbol of liburcu"
else
	result 0 "needs the C library alone # SKIP liburcu is shared"
fi
ldd -r "$lib" > "$tmp/ldd" 2>&1
! grep -q 'undefined symbol' "$tmp/ldd"
result $? "no symbol is left undefined"
grep 'undefined symbol' "$tmp/ldd" | sed 's/^/# /'

# fputs() is called with cancellation disabled, close to where it says so.
for f in accept close connect creat epoll_wait fcntl fcntl64 fdatasync fsync \
	getrandom lockf msync nanosleep clock_nanosleep open open64 openat pause \
	poll ppoll pread pread64 pselect pwrite pwrite64 read readv recv recvfrom \
	select send sendto sigpause sigsuspend sigtimedwait sleep system tcdrain \
	usleep wait waitpid write writev fwrite fprintf fflush puts; do
	echo "$f"
done | sort > "$tmp/points"
nm -D --undefined-only "$lib" | awk '{ sub(/@.*/, "", $2); print $2 }' |
	sort | comm -12 - "$tmp/points" > "$tmp/used"
[ ! -s "$tmp/used" ]
result $? "no function is called that is a cancellation point"
sed 's/^/# /' "$tmp/used"

plan
