# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Test of the bench itself, as TAP: every workload once with little work, and
the arithmetic on made-up figures."""
import json
import tempfile
import traceback

import allocators
import picture
import programs
import report
import rows
import schedule

KEYS = {"workload", "threads", "ops", "seed", "seconds", "ops_per_second",
        "ns_per_op", "samples", "p50", "p99", "p999", "max", "peak_rss",
        "final_rss", "user", "system", "faults", "switches", "wrong",
        "malloc"}
OPS = 4000


def plain():
    """glibc, as in a program without preload."""
    return next(p for p in allocators.peers() if p.name == "glibc")


def small(row):
    """Operations that take no time."""
    return {"buffer": 40, "large": 40, "churn": 2 * row.threads}.get(
        row.arguments[0], OPS)


def check_row(row, allocator):
    """One row runs, and says all that it should."""
    result = schedule.run_workload(row, allocator, small(row), 1, 20)
    assert KEYS <= set(result), KEYS - set(result)
    assert result["ops"] == small(row) // row.threads * row.threads
    assert result["threads"] == row.threads
    assert result["seconds"] > 0
    assert result["samples"] > 0
    assert 0 <= result["p50"] <= result["p99"] <= result["p999"] \
        <= result["max"]
    assert result["peak_rss"] >= result["final_rss"] > 0
    assert result["wrong"] == 0


def check_same_work(_row, allocator):
    """The same seed gives the same memory, another a different order."""
    row = next(r for r in rows.catalogue() if r.name == "phases/1")
    peaks = [schedule.run_workload(row, allocator, 50000, 7, 20)["peak_rss"]
             for _ in range(2)]
    assert abs(peaks[0] - peaks[1]) < 256 << 10, peaks


def check_program(name, allocator):
    """A real program runs."""
    result = programs.PROGRAMS[name](allocator, 1, 60)
    assert result["seconds"] > 0 and result["peak_rss"] > 1 << 20


def check_failure(command, words):
    """A run that fails is noticed."""
    try:
        programs.run(command, plain().environment(), 0.3)
    except programs.Failed as failure:
        assert words in str(failure), failure
        return
    raise AssertionError("no failure")


def check_preload():
    """A library that cannot be preloaded is noticed."""
    env = plain().environment() | {"LD_PRELOAD": "/no/such/library.so"}
    try:
        programs.run([str(allocators.PROGRAM), "pair", "-n", "1"], env, 5)
    except programs.Failed as failure:
        assert "preload" in str(failure)
        return
    raise AssertionError("no failure")


def made_up():
    """Three rounds, two rows, two peers; the second round is disturbed."""
    def runs(times, rss):
        return [{"time": t, "peak_rss": m, "final_rss": m / 2}
                for t, m in zip(times, rss)]

    return report.Results({
        "a/1": {"pmalloc": runs([9, 30, 11], [100, 100, 100]),
                "x": runs([10, 20, 10], [50, 50, 50]),
                "y": runs([20, 5, 21], [200, 200, 200])},
        "b/2": {"pmalloc": runs([8, 8, 8], [10, 10, 10]),
                "x": [None, None, None],
                "y": runs([4, 2, 4], [40, 40, 40])},
    }, "pmalloc", ["x", "y"])


def near(a, b):
    """Equal but for rounding."""
    return abs(a - b) < 1e-9


def check_ratios():
    """Best peer by median, ratio per round, then the median of these."""
    results = made_up()
    assert results.best_peer("a/1", "time") == "x"
    assert near(results.ratio("a/1", "time"), 1.1)      # 0.9, 1.5, 1.1
    assert results.best_peer("b/2", "time") == "y"      # x has no figures
    assert near(results.ratio("b/2", "time"), 2.0)      # 2, 4, 2
    time = results.summary("time")
    assert near(time["geomean"], 2.2 ** 0.5)
    assert (time["worst"], time["rows"]) == ("b/2", 2)
    rss = results.summary("peak_rss")
    assert near(rss["geomean"], (2 * 0.25) ** 0.5)
    assert rss["worst"] == "a/1"
    alone = results.summary("time", other="x")
    assert (alone["rows"], alone["worst"]) == (1, "a/1")


def check_closing():
    """The last four lines have the form that scripts look for."""
    assert report.closing_lines(made_up())[-4:] == [
        "time geomean vs best peer: 1.483",
        "time worst workload: b/2 2.000",
        "rss geomean vs best peer: 0.707",
        "rss worst workload: a/1 2.000"]


def check_tables():
    """Tables and JSON can be made, also from gaps."""
    results = made_up()
    text = report.time_table(results, ["pmalloc", "x", "y"])
    assert len(text.splitlines()) == 3 and "0.90-1.50" in text
    report.memory_table(results, ["pmalloc", "x", "y"])
    report.latency_table(results, ["pmalloc", "x", "y"])
    assert "pmalloc vs y" in report.against_peers(results)
    data = json.loads(json.dumps(report.as_json(
        results, {}, {("b/2", "x"): "ended"})))
    assert near(data["rows"]["a/1"]["ratio"]["time"], 1.1)
    assert data["failures"] == {"b/2 x": "ended"}


def check_formats():
    """Units."""
    assert report.format_time(9.24e-9) == "9.24 ns"
    assert report.format_time(0.0215) == "21.5 ms"
    assert report.format_time(2.5) == "2500 ms"
    assert report.format_ns(95.4) == "95"
    assert report.format_ns(2345) == "2.3k"
    assert report.format_mib(3 << 20) == "3.0"


def made_up_plan(budget):
    """Three rows, three allocators; running one only counts."""
    columns = [allocators.Allocator(n, allocators.PEER, "", "")
               for n in "abc"]
    settings = type("Settings", (), {
        "factor": 1, "limit_on_pair_only": True, "rounds": 4,
        "budget": budget})
    plan = schedule.Schedule(rows.catalogue()[:3], columns, settings,
                             lambda text: None)
    plan.ran = []
    plan.run_job = lambda row, column, number: plan.ran.append(
        (number, row.name, column.name))
    return plan


def check_budget():
    """All rounds when there is time, else the first one whole."""
    plan = made_up_plan(60)
    plan.run()
    assert (plan.rounds, len(set(plan.ran))) == (4, 36)
    plan = made_up_plan(-1)
    plan.run()
    assert (plan.rounds, len(set(plan.ran))) == (1, 9)


def check_order():
    """Every allocator is first equally often, and all of them run."""
    plan = made_up_plan(60)
    firsts = [plan.order(i, n)[0].name for i in range(3) for n in range(3)]
    assert sorted(firsts) == sorted("abc" * 3)
    assert len(plan.jobs(0)) == 9


def check_picture():
    """The picture is drawn where gnuplot is, with all rows."""
    if not picture.shutil.which("gnuplot"):
        return
    with tempfile.TemporaryDirectory() as directory:
        path = directory + "/picture.svg"
        problem = picture.draw(made_up(), ["pmalloc", "x", "y"], "made up",
                               path)
        assert problem is None, problem
        with open(path, encoding="utf-8") as drawn:
            text = drawn.read()
        assert "a/1" in text and "pmalloc" in text


def cases():
    """Name, function and arguments of each test."""
    found = [("histogram and sizes", programs.run,
              ([str(allocators.PROGRAM), "check"], plain().environment(), 5)),
             ("ratios", check_ratios, ()),
             ("closing lines", check_closing, ()),
             ("tables and JSON", check_tables, ()),
             ("formats", check_formats, ()),
             ("order of runs", check_order, ()),
             ("rounds and time", check_budget, ()),
             ("picture", check_picture, ()),
             ("failing run is noticed", check_failure,
              ([str(allocators.PROGRAM), "nonsense"], "no such workload")),
             ("hanging run is noticed", check_failure,
              (["sleep", "60"], "took more than")),
             ("missing preload is noticed", check_preload, ()),
             ("same seed, same memory", check_same_work, (None, plain()))]
    for row in rows.catalogue():
        if not row.program:
            found.append((f"{row.name} with glibc", check_row, (row, plain())))
        elif programs.present(row.program):
            found.append((f"{row.name} with glibc", check_program,
                          (row.program, plain())))
    limit = allocators.limit()
    if limit:
        for row in rows.catalogue():
            if row.threads == 2:
                found.append((f"{row.name} with the limit", check_row,
                              (row, limit)))
    return found


def main():
    """Run all tests."""
    tests = cases()
    failed = 0
    print(f"TAP version 13\n1..{len(tests)}", flush=True)
    for number, (name, function, arguments) in enumerate(tests, 1):
        try:
            function(*arguments)
            print(f"ok {number} - {name}", flush=True)
        except Exception:  # a test may fail in any way
            failed += 1
            print(f"not ok {number} - {name}")
            for line in traceback.format_exc().splitlines():
                print(f"# {line}", flush=True)
    return 1 if failed else 0
