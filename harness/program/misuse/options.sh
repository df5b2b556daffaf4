#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# PMALLOC_OPTIONS: what is not known costs one clear line and leaves the
# default; what is known works, every policy included.
set -u

# shellcheck source=harness/program/tap.sh
. "$(dirname "$0")/../tap.sh"
[ "$lib" != none ] || skip_all "options are pmalloc's"
abi=$(dirname "$build")/abi

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
	remark "$tmp/err" "said: "
}

lines "" 0 ""
lines "," 0 ""
lines ",,," 0 ""
lines "bogus=1" 1 'unknown option "bogus=1"'
lines "bogus" 1 'unknown option "bogus"'
lines "=1" 1 'unknown option "=1"'
lines "=" 1 'unknown option "="'
lines "arena" 1 'option "arena" wants single, thread, pool or cpu;'
lines "stats" 1 'option "stats" wants exit, json or off;'
lines "arenas=99999" 1 'option "arenas=99999" wants a number of arenas, 64 per CPU at most'
lines "arenas=-1" 1 'option "arenas=-1" wants'
lines "arenas=64" 0 ""
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
lines "stats_file=" 1 'option "stats_file="'
lines "stats_file=/$(head -c 5000 /dev/zero | tr '\0' x)" 1 'option "stats_file=/x'
for delay in "" 500ns arena arena:500 arena:ns arena:2s arena:1001ms arena:-1ms \
	arena:1000000001ns arena:99999999999999999999999ns mutex:1us; do
	lines "delay=$delay" 1 "option \"delay=$(printf '%.30s' "$delay")"
done
lines "rseq=mine" 1 'option "rseq=mine"'
for rseq in auto own off; do
	lines "rseq=$rseq" 0 ""
done
lines "misuse=bogus" 1 'option "misuse=bogus"'
for misuse in abort report ignore; do
	lines "misuse=$misuse" 0 ""
done
lines "delay=arena:0ns" 0 ""
lines "delay=arena:1us" 0 ""
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

# ---- where the report goes ---------------------------------------------------

# json FILE: whether it is a report
json() {
	python3 -c 'import json, sys
r = json.load(open(sys.argv[1]))
sys.exit(not (r["arenas"] and r["total"]["mapped"]))' "$1"
}

run stats=json perl -e 1
json "$tmp/err"
result $? "stats=json writes JSON to standard error"

run "stats=json,stats_file=$tmp/report-%p-%p%%" perl -e 'print $$'
pid=$(cat "$tmp/out")
json "$tmp/report-$pid-$pid%%"
result $? "stats_file: %p is the process"
[ ! -s "$tmp/err" ]
result $? "stats_file: standard error has nothing"

run "stats_file=$tmp/text" perl -e 1
grep -q '^pmalloc: arena=cpu' "$tmp/text"
result $? "stats_file alone: the text goes there"
echo "longer than the report will ever be" > "$tmp/text"
head -c 1000000 /dev/zero >> "$tmp/text"
run "stats=json,stats_file=$tmp/text" perl -e 1
json "$tmp/text"
result $? "stats_file: what was there is gone"

run "stats_file=/nonexistent/report" seq 3
status=$?
[ $status -eq 0 ] &&
	head -n 1 "$tmp/err" | grep -q '^pmalloc: .*/nonexistent/report: No such file' &&
	[ "$(grep -c '^pmalloc: arena=' "$tmp/err")" -eq 1 ]
result $? "stats_file: a line says why it cannot be written, and the report follows"

# ---- delay -------------------------------------------------------------------

# A process is at least as long under way as the locks that its one thread holds:
# a lower bound, which no noise can break.
for us in 0 1000; do
	PMALLOC_LIB=$lib python3 - "$us" "$tmp/held" <<-'END'
	import json, os, subprocess, sys, time
	us, report = int(sys.argv[1]), sys.argv[2]
	options = "magazine=off,delay=arena:%dus,stats=json,stats_file=%s" % (us, report)
	start = time.monotonic()
	subprocess.run(["perl", "-e", "1"], check=True,
	               env=dict(os.environ, PMALLOC_OPTIONS=options,
	                        LD_PRELOAD=os.environ["PMALLOC_LIB"]))
	took = time.monotonic() - start
	with open(report) as f:
	    holds = sum(a["acquired"] for a in json.load(f)["arenas"])
	print("# %d holds, %.0f ms" % (holds, took * 1e3))
	sys.exit(holds < 100 or took < holds * us / 1e6)
	END
	result $? "delay=arena:${us}us: no hold is shorter"
done

plan
