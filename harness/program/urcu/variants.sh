#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The library with a private liburcu and with the shared one: what make chooses,
# what it says, and that both work. The argument is make.
set -u

# shellcheck source=harness/program/tap.sh
. "$(dirname "$0")/../tap.sh"
make=${1:-make}
unset MAKEFLAGS MAKELEVEL MFLAGS PMALLOC_LIBURCU URCU
cd "$top" || exit 1

# A machine without package lists, where liburcu's source was never fetched.
mkdir "$tmp/bin"
printf '#!/bin/sh\nexit 100\n' > "$tmp/bin/apt-get"
cp "$tmp/bin/apt-get" "$tmp/bin/apt-cache"
chmod +x "$tmp"/bin/*
offline() {
	PATH=$tmp/bin:$PATH PMALLOC_LIBURCU=$tmp/liburcu \
		"$make" --no-print-directory -n B="$tmp/build" "$@" \
		> "$tmp/plan" 2>&1
}

plan_has() {
	grep -q -e "$1" "$tmp/plan" || { cat "$tmp/plan"; false; }
}

refuses() {
	! offline lib URCU=private
}

# A program under it comes to its end.
works() {
	LD_PRELOAD=$PWD/$1 perl -e 'print "works\n"' | grep -q works
}

needs() {
	readelf -d "$1" | grep NEEDED | grep -q "$2"
}

needs_not() {
	! needs "$@"
}

try "without a source, make builds" offline lib
try "and says that liburcu is shared" plan_has "shares liburcu with the program"
try "with the shared one" plan_has "urcu-shared.o"
try "which it links" plan_has "-lurcu-bp"
try "once more, without asking again" offline lib
try "says it again" plan_has "shares liburcu with the program"
try "make URCU=private fails" refuses
try "help asks for nothing" offline help PMALLOC_LIBURCU="$tmp/none"
try "nothing was fetched for it" [ ! -e "$tmp/none" ]
try "make URCU=shared" "$make" --no-print-directory URCU=shared lib
try "needs liburcu-bp" needs build/shared/libpmalloc.so liburcu-bp
try "a program runs on it" works build/shared/libpmalloc.so
try "make URCU=private" "$make" --no-print-directory URCU=private lib
try "needs no liburcu" needs_not build/libpmalloc.so liburcu
try "a program runs on it" works build/libpmalloc.so
plan
