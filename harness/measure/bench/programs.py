# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Real programs of the distribution as workloads.

Each function runs one program once with one allocator preloaded, and returns
a result like the C program's: seconds, peak_rss, perhaps final_rss.
"""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import allocators

HERE = pathlib.Path(__file__).resolve().parent
DATA = allocators.OUT / "programs"

REDIS_TESTS = "set,get,incr,lpush,rpush,lpop,sadd,hset,zadd"


class Failed(Exception):
    """A run did not do what it should; the text says what."""


def sql(work):
    """Tables, an index, updates, groups, deletes: text and numbers."""
    n = 30000 * work
    return f"""
PRAGMA journal_mode = off;
CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, grp INTEGER, data TEXT);
WITH RECURSIVE k(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < {n})
INSERT INTO item SELECT i, 'name' || (i * 7919 % {n}), i % 97,
    printf('%.*c', i % 200, 'x') FROM k;
CREATE INDEX by_name ON item(name);
UPDATE item SET data = data || name WHERE grp < 30;
SELECT count(*), group_concat(name, ',') FROM item GROUP BY grp;
SELECT a.name, b.name FROM item a JOIN item b ON b.name = 'name' || a.id
    WHERE a.grp = 5 ORDER BY b.data LIMIT 100;
DELETE FROM item WHERE id % 3 = 0;
SELECT sum(length(data)) FROM item;
"""


def c_source(work):
    """Functions with loops, branches and structures, each a bit different."""
    text = ["struct node { struct node *next; long key, value[4]; };"]
    for i in range(20 * work):
        text.append(f"""
static long mix_{i}(struct node *n, long depth)
{{
    long sum = {i};

    for (; n; n = n->next) {{
        switch ((n->key + {i}) % 7) {{
        case 0: sum += n->value[{i % 4}] * {i + 3}; break;
        case 1: sum ^= n->value[{(i + 1) % 4}] << {i % 13}; break;
        case 2: sum -= depth ? mix_{i}(n->next, depth - 1) : n->key; break;
        default:
            for (long k = 0; k < n->key % {i % 9 + 2}; k++)
                sum += n->value[k % 4] / (k + {i % 5 + 1});
        }}
        n->value[{(i + 2) % 4}] = sum;
    }}
    return sum;
}}
long entry_{i}(struct node *n) {{ return mix_{i}(n, {i % 5}); }}""")
    return "\n".join(text) + "\n"


def input_file(name, text):
    """Path of a file with this content, written when it is not there."""
    path = DATA / name
    if not path.exists() or path.read_text() != text:
        DATA.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return path


def run_exec(allocator, command, stdin="/dev/null", env=(), timeout=60):
    """Run a command through "bench exec"."""
    launch = [allocators.PROGRAM, "exec", "-i", str(stdin)]
    if allocator.preload:
        launch += ["-p", allocator.preload]
    launch += ["--", *map(str, command)]
    done = run(launch, allocator.environment() | dict(env), timeout)
    result = json.loads(done.stdout)
    if result["status"]:
        raise Failed(f"{command[0]} ended with status {result['status']}: "
                     + done.stderr.strip()[-300:])
    return result


def run(command, env, timeout):
    """Run a command, and fail when it fails or could not preload."""
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=timeout,
                              check=False)
    except subprocess.TimeoutExpired as late:
        raise Failed(f"took more than {timeout} s") from late
    if done.returncode:
        raise Failed(f"status {done.returncode}: "
                     + done.stderr.strip()[-300:])
    if "cannot be preloaded" in done.stderr:
        raise Failed(done.stderr.strip()[-300:])
    return done


def sqlite3(allocator, work, timeout):
    """The command line shell of SQLite on a database in memory."""
    script = input_file(f"input-{work}.sql", sql(work))
    return run_exec(allocator, ["sqlite3", ":memory:"], script,
                    timeout=timeout)


def python3(allocator, work, timeout):
    """Python, its small objects from malloc as well."""
    return run_exec(allocator,
                    ["python3", "-S", "-s", HERE / "load.py", 3 * work],
                    env={"PYTHONMALLOC": "malloc"}, timeout=timeout)


def gcc(allocator, work, timeout):
    """The compiler driver, the compiler and the assembler."""
    source = input_file(f"input-{work}.c", c_source(work))
    return run_exec(allocator, ["gcc", "-O1", "-c", source,
                                "-o", DATA / "output.o"], timeout=timeout)


def redis_server(allocator, directory, log):
    """Start a server on a socket in a directory of its own."""
    path = shutil.which("redis-server") or shutil.which("redis-check-rdb")
    if not path:
        raise Failed("no redis-server")
    env = allocator.environment()
    # Debian's server is linked with jemalloc, so glibc must be named too.
    env["LD_PRELOAD"] = allocator.library
    # The two names are one program; which it is follows from argv[0].
    return subprocess.Popen(
        ["redis-server", "--port", "0", "--unixsocket", directory + "/s",
         "--save", "", "--appendonly", "no", "--dir", directory],
        executable=path, env=env, stdout=log, stderr=log,
        stdin=subprocess.DEVNULL)


def redis_cli(directory, *words):
    """One command to the server; empty while it does not answer."""
    return allocators.command_output("redis-cli", "-s", directory + "/s",
                                     *words).strip()


def wait_for_redis(server, directory, log):
    """Wait until the server answers."""
    socket = pathlib.Path(directory, "s")
    for _ in range(500):
        if server.poll() is not None:
            break
        if socket.exists() and redis_cli(directory, "ping") == "PONG":
            return
        time.sleep(0.01)
    log.seek(0)
    raise Failed("redis-server does not answer: "
                 + log.read().decode(errors="replace").strip()[-300:])


def proc_bytes(pid, file, key):
    """Value of a line "key: N kB" in a file of /proc/PID."""
    for line in pathlib.Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise Failed(f"no {key} in /proc/PID/{file}")


def redis_load(directory, work, timeout):
    """Seconds that redis-benchmark takes."""
    begin = time.monotonic()
    run(["redis-benchmark", "-s", directory + "/s", "-q", "-P", "16",
         "-c", "10", "-r", "100000", "-d", "200", "-n", str(8000 * work),
         "-t", REDIS_TESTS], dict(os.environ), timeout)
    return time.monotonic() - begin


def redis(allocator, work, timeout):
    """A server under redis-benchmark; only the server has the library."""
    with tempfile.TemporaryDirectory() as directory, \
            tempfile.TemporaryFile() as log:
        server = redis_server(allocator, directory, log)
        try:
            wait_for_redis(server, directory, log)
            maps = pathlib.Path(f"/proc/{server.pid}/maps").read_text()
            if os.path.realpath(allocator.library) not in maps:
                raise Failed("redis-server runs without the library")
            seconds = redis_load(directory, work, timeout)
            peak = proc_bytes(server.pid, "status", "VmHWM")
            redis_cli(directory, "flushall", "sync")
            final = proc_bytes(server.pid, "smaps_rollup", "Rss")
        except OSError as gone:
            raise Failed(f"redis-server ended early: {gone}") from gone
        finally:
            server.kill()
            server.wait()
    return {"seconds": seconds, "peak_rss": max(peak, final),
            "final_rss": final, "ops": 1}


PROGRAMS = {"redis": redis, "sqlite3": sqlite3, "python3": python3,
            "gcc": gcc}

# Commands that a program's row needs.
COMMANDS = {"redis": ("redis-benchmark", "redis-cli"),
            "sqlite3": ("sqlite3",), "python3": ("python3",), "gcc": ("gcc",)}


def present(program):
    """True when all commands of a program's row are installed."""
    return all(shutil.which(command) for command in COMMANDS[program])
