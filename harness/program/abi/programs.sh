#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Real programs on the library. Each job runs twice, without and with it, and
# must print the same; a witness preloaded before the library says from
# within every process which malloc it ran on (see witness.c).
#
# Debian packages: python3 sqlite3 redis-server redis-tools gcc g++ git perl
# coreutils xz-utils stress-ng. What is missing is a failure, not a skip.
#
# usage: programs.sh [JOB...]; ABI_SCALE=10 does a tenth of the work.
set -u

# shellcheck source=harness/program/tap.sh
. "$(dirname "$0")/../tap.sh"
scale=${ABI_SCALE:-1}
redis_pid=
finish() {
	[ -z "$redis_pid" ] || kill "$redis_pid" 2> /dev/null
	rm -rf "$tmp"
}
trap finish EXIT

preload=$build/witness.so${preload:+:$preload}

on_library() { # command...
	WITNESS=$tmp/witness LD_PRELOAD=$preload "$@"
}

# All processes that ended while the job ran had both malloc and free from
# the library, and NAME at least was among them.
witnessed() { # job name...
	job=$1
	shift
	if [ "$lib" = none ]; then
		rm -f "$tmp/witness"
		return
	fi
	for name; do
		grep -q "^$name " "$tmp/witness" 2> /dev/null
		result $? "$job: $name ran on the library"
	done
	awk -v lib="$lib" '$3 != lib || $4 != lib || (lib ~ /libpmalloc/ &&
		$5 == 0) { print "#", $0; bad = 1 } END { exit bad }' \
		"$tmp/witness" 2> /dev/null
	result $? "$job: so did each of $(wc -l < "$tmp/witness") processes"
	rm -f "$tmp/witness"
}

# Runs job_NAME twice and compares what it printed.
compare() { # job name...
	job=$1
	shift
	work=$tmp/work
	mkdir "$work"
	"job_$job" > "$tmp/$job.want" 2> "$tmp/$job.err"
	want=$?
	rm -rf "$work"
	mkdir "$work"
	on_library "job_$job" > "$tmp/$job.have" 2> "$tmp/$job.err"
	have=$?
	[ $want -eq 0 ] && [ $have -eq 0 ]
	result $? "$job: exit status $have, without the library $want"
	[ $have -eq 0 ] || tail -n 5 "$tmp/$job.err" | sed 's/^/# /'
	[ -s "$tmp/$job.have" ] && cmp -s "$tmp/$job.want" "$tmp/$job.have"
	ret=$?
	result $ret "$job: prints what it prints without"
	[ $ret -eq 0 ] || diff "$tmp/$job.want" "$tmp/$job.have" |
		head -n 6 | cut -c1-200 | sed 's/^/# /'
	! grep '^pmalloc:' "$tmp/$job.err" > "$tmp/reports"
	result $? "$job: no report of misuse"
	remark "$tmp/reports"
	rm -rf "$work"
	witnessed "$job" "$@"
}

# ---- the jobs: run in $work, print what must be the same -------------------

job_python() {
	PYTHONMALLOC=malloc PYTHONHASHSEED=0 /usr/bin/python3 - "$scale" <<'END'
import collections, hashlib, json, multiprocessing, queue, re, sys, threading

scale = int(sys.argv[1])

def digest(thing):
    return hashlib.sha256(repr(thing).encode()).hexdigest()[:16]

def work(seed):
    x, words = seed, collections.Counter()
    for _ in range(30000 // scale):
        x = (x * 6364136223846793005 + 1442695040888963407) % 2 ** 64
        words[f'w{x >> 48}'] += x % 7
    text = json.dumps(words, sort_keys=True)
    again = json.loads(text)
    found = re.findall(r'"w(\d\d\d)":', text)
    return digest((sorted(again.items()), len(found)))

def threads():
    todo, done = queue.Queue(), []
    def run():
        while (seed := todo.get()) is not None:
            done.append((seed, work(seed)))
    pool = [threading.Thread(target=run) for _ in range(8)]
    for t in pool:
        t.start()
    for seed in list(range(24)) + [None] * 8:
        todo.put(seed)
    for t in pool:
        t.join()
    return digest(sorted(done))

if __name__ == '__main__':
    print('threads', threads())
    with multiprocessing.get_context('fork').Pool(4) as pool:
        print('processes', digest(pool.map(work, range(24))))
    trees = [[i] * 50 for i in range(100000 // scale)]
    del trees[::2]
    print('lists', digest(trees))
    print('big numbers', digest(hex(3 ** 100000)))
    print('strings', digest(''.join(str(i) for i in range(500000 // scale))))
END
}

job_sqlite() {
	rows=$((1000000 / scale))
	sqlite3 "$work/db" <<END
PRAGMA journal_mode = MEMORY;
CREATE TABLE t(id INTEGER PRIMARY KEY, k INTEGER, name TEXT, v REAL);
INSERT INTO t WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c
	WHERE i < $rows)
	SELECT i, (i * 7919) % 10007, 'name' || (i % 5003) || hex(i), i / 7.0
	FROM c;
CREATE INDEX by_k ON t(k);
SELECT count(*), sum(k), min(name), max(name), round(sum(v)) FROM t;
SELECT k, count(*), group_concat(id % 10, '') FROM t WHERE k < 5 GROUP BY k;
UPDATE t SET name = name || 'x' WHERE k % 11 = 3;
DELETE FROM t WHERE k % 13 = 5;
SELECT count(*), sum(length(name)) FROM t;
SELECT a.k, count(*) FROM t a JOIN t b ON a.k = b.k AND b.id < 1000
	GROUP BY a.k ORDER BY 2 DESC, 1 LIMIT 5;
SELECT name FROM t ORDER BY name DESC LIMIT 3;
VACUUM;
PRAGMA integrity_check;
END
}

# Commands that leave every kind of value, some overwritten, some deleted.
redis_commands() {
	awk -v n=$((60000 / scale)) 'BEGIN {
		for (i = 0; i < n; i++) {
			v = sprintf("%0*d", 10 + i * 7 % 300, i)
			print "SET key:" i % 20011, v
			print "HSET hash:" i % 101, "field" i % 977, v
			print "ZADD zset:" i % 11, i * 31 % 1009, "member" i % 4001
			print "RPUSH list:" i % 53, i
			print "SADD set:" i % 17, i % 5003
			if (i % 3 == 0)
				print "DEL key:" i % 20011
			if (i % 5 == 0)
				print "APPEND key:" i % 20011, "more" v
			if (i % 7 == 0)
				print "LPOP list:" i % 53
		}
	}'
}

redis_cli() {
	LD_PRELOAD='' redis-cli -s "$work/socket" "$@"
}

redis_start() {
	redis-server --port 0 --unixsocket "$work/socket" --dir "$work" \
		--save '' --daemonize no --enable-debug-command yes \
		--logfile "$work/log" > "$work/server.out" 2>&1 &
	redis_pid=$!
	tries=0
	until redis_cli ping > "$work/ping" 2>&1; do
		tries=$((tries + 1))
		[ $tries -lt 100 ] || return 1
		sleep 0.1
	done
}

redis_stop() {
	redis_cli shutdown "$1" > "$work/stop" 2>&1
	wait "$redis_pid"
	status=$?
	redis_pid=
	return $status
}

job_redis() {
	redis_start || return 1
	redis_commands | redis_cli > "$work/answers"
	md5sum < "$work/answers"
	redis_cli dbsize
	redis_cli debug digest
	LD_PRELOAD='' redis-benchmark -s "$work/socket" -q -P 16 -c 30 \
		-n $((100000 / scale)) -r 10000 \
		-t set,get,incr,lpush,rpop,hset,zadd,spop,mset \
		> "$work/bench" || return 1
	grep -c 'requests per second' "$work/bench"
	redis_cli flushall
	redis_commands | redis_cli > "$work/answers"
	redis_cli debug digest
	redis_cli save
	redis_cli debug reload
	redis_cli debug digest
	redis_stop save || return 1
	redis_start || return 1
	redis_cli debug digest
	redis_cli memory usage key:1 > "$work/usage" || return 1
	redis_cli bgsave > "$work/bgsave"
	redis_stop nosave
}

job_gcc() {
	cat > "$work/all.cc" <<'END'
#include <bits/stdc++.h>
using table = std::map<std::string, std::vector<std::unique_ptr<int>>>;
int main()
{
	table t;
	std::regex re("([a-z]+)([0-9]*)");
	std::smatch m;
	std::string s = "abc123";
	if (std::regex_match(s, m, re))
		t[m[1]].push_back(std::make_unique<int>(std::stoi(m[2])));
	std::cout << std::get<0>(std::make_tuple(t.size(), 2.0)) << '\n';
}
END
	cp "$top"/harness/program/abi/*.c "$top"/harness/program/*.h "$work"
	(
		cd "$work" || exit 1
		g++ -std=c++17 -O1 -frandom-seed=1 -c -o all.o all.cc &&
		gcc -D_GNU_SOURCE -O2 -g -frandom-seed=1 -I"$top/lib/include" -c \
			-o stress.o stress.c &&
		gcc -D_GNU_SOURCE -O3 -frandom-seed=1 -I"$top/lib/include" -S \
			-o oracle.s oracle.c &&
		g++ -o all all.o && ./all && md5sum all.o stress.o oracle.s
	)
}

job_git() {
	git init -q -b main "$work/repo" && awk -v n=$((400 / scale)) 'BEGIN {
		for (c = 1; c <= n; c++) {
			print "commit refs/heads/main"
			print "mark :" c
			print "committer A <a@example.invalid> " 1500000000 + c * 60 " +0000"
			m = "change " c
			print "data " length(m) "\n" m
			if (c > 1)
				print "from :" c - 1
			for (f = 0; f < 5; f++) {
				text = ""
				for (l = 0; l < 200; l++)
					text = text "line " l " of " (c * l + f) % 997 "\n"
				print "M 100644 inline d" f "/f" (c + f) % 40 ".txt"
				print "data " length(text) "\n" text
			}
		}
	}' | git -C "$work/repo" fast-import --quiet &&
	git -c gc.auto=0 clone -q --no-local "$work/repo" "$work/clone" &&
	git -C "$work/clone" log -p --stat | md5sum &&
	git -C "$work/clone" repack -adfq --depth=20 --window=20 --threads=2 &&
	git -C "$work/clone" fsck --full --strict --no-progress &&
	git -C "$work/clone" rev-parse HEAD &&
	git -C "$work/clone" blame d1/f7.txt | md5sum &&
	git -C "$work/clone" grep -c 'line 19[0-9]' HEAD | md5sum &&
	git -C "$work/clone" diff HEAD~5 HEAD | md5sum
}

job_perl() {
	PERL_HASH_SEED=0 perl - "$((200000 / scale))" <<'END'
use strict;
use warnings;
my ($n) = @ARGV;
my (%count, @lines, $text);
for my $i (1 .. $n) {
	my $word = "w" . ($i * 7919 % 10007);
	$count{$word}{n}++;
	push @{ $count{$word}{at} }, $i if $i % 5 == 0;
	push @lines, sprintf("%08d %s %s", $i * 31 % $n, $word, "x" x ($i % 60));
}
$text = join "\n", sort @lines;
my $found = () = $text =~ /w(\d)\1+\d* x{20,}/g;
$text =~ s/(w\d+) (x+)/length($2) . $1/ge;
my %copy = map { $_ => { %{ $count{$_} } } } keys %count;
delete $copy{$_} for grep { $count{$_}{n} % 2 } keys %count;
print "$found ", length($text), " ", unpack("%32C*", $text), " ",
	scalar(keys %copy), "\n";
print join(" ", map { "$_=$count{$_}{n}" } (sort keys %count)[0 .. 9]), "\n";
END
}

job_sort() {
	awk -v n=$((1500000 / scale)) 'BEGIN { for (i = 0; i < n; i++)
		print i * 1103515245 % 2147483647, "line", i }' > "$work/in"
	LC_ALL=C sort --parallel=4 -S 24M -T "$work" -k1,1n "$work/in" \
		> "$work/out" && LC_ALL=C sort -c -k1,1n "$work/out" &&
	md5sum < "$work/out" &&
	LC_ALL=C sort --parallel=2 -r -u "$work/in" | md5sum
}

job_xz() {
	awk -v n=$((600000 / scale)) 'BEGIN { for (i = 0; i < n; i++)
		print i * 16807 % 99991, "some text that repeats", i % 77 }' \
		> "$work/in"
	xz -2 -k -T2 --block-size=4MiB -c "$work/in" > "$work/out.xz" &&
	md5sum < "$work/out.xz" &&
	xz -dc -T2 "$work/out.xz" | cmp - "$work/in" && echo same
}

job_stressng() {
	(
		cd "$work" || exit 1
		stress-ng --malloc 2 --malloc-ops $((30000 / scale)) \
			--malloc-bytes 32M --malloc-max 4096 --malloc-pthreads 4 \
			--verify --timeout 60 --no-rand-seed > out 2>&1
	)
	status=$?
	grep -q 'successful run completed' "$work/out" && echo successful
	! grep -iE 'fail|corrupt|mismatch' "$work/out" || return 1
	return $status
}

# ---- which processes must have been on the library --------------------------

export GIT_CONFIG_NOSYSTEM=1 HOME="$tmp" GIT_AUTHOR_DATE='1500000000 +0000'
[ $# -gt 0 ] || set -- python sqlite redis gcc git perl sort xz stressng
for job; do
	begun=$(date +%s)
	case $job in
	python)		names=python3 ;;
	sqlite)		names=sqlite3 ;;
	redis)		names=redis-server ;;
	gcc)		names="gcc g++ cc1 cc1plus as ld" ;;
	git)		names=git ;;
	stressng)	names=stress-ng ;;
	*)		names=$job ;;
	esac
	# shellcheck disable=SC2086
	compare $job $names
	echo "# $job: $(($(date +%s) - begun)) s, both runs"
done
plan
