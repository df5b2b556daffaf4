# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Measure what other arena policies would cost a workload, and show why.

    pmalloc study                        the workload "larson"
    pmalloc study WORKLOAD               another workload of the bench
    pmalloc study NAME                   a ready-made study (--list)
    pmalloc study -- PROGRAM ARGS        a program; {threads} in an argument
                                         becomes the number of threads

Each policy, with magazines and without, runs at each number of threads, with
the installed peers beside it; rounds are shuffled and interleaved. The result
is a directory with one page, index.html, its pictures, and all data. Ctrl-C
stops cleanly; the same command again, or --resume DIR, goes on.
"""
import argparse
import importlib
import pathlib
import shlex
import sys
import time

import common
import costs
import data
import findings
import identity
import matrix
import measure
import places
import readymade
import stacks
import tools
from common import Failure


HELP = "compare arena policies on a workload or program, with pictures"

RECORD_SWITCHES = 4000
BEGAN = time.monotonic()
LEAST_ROUNDS = 2        # a range wants two
# Of a study's time, what the rounds may take, and what there has to be left to
# record once more, to read that and to make the page.
ROUNDS_SHARE, RECORD_SHARE = 0.6, 0.25


def pages():
    """The module that makes pages, with the libraries that it wants, those of
    what is shown in the terminal at the end among them."""
    importlib.import_module("terminal")
    try:
        return importlib.import_module("page")
    except ImportError as err:
        raise Failure(common.no_module(err)) from None


def seconds(text):
    """A time of at least some seconds."""
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not 5 <= number < 1e6:
        raise argparse.ArgumentTypeError("wants seconds, 5 or more")
    return number


def number_list(text):
    """A list such as 1,2,8."""
    try:
        numbers = sorted({int(n) for n in text.split(",")})
    except ValueError:
        numbers = []
    if not numbers or numbers[0] < 1 or numbers[-1] > 1024:
        raise argparse.ArgumentTypeError("wants numbers such as 1,2,8")
    return numbers


def choice_list(*choices):
    """A list of some of these words."""
    def parse(text):
        words = text.split(",")
        for word in words:
            if word not in choices:
                raise argparse.ArgumentTypeError(
                    f"knows {', '.join(choices)}, not {word!r}")
        return words
    return parse


def arguments(parser):
    """The command line."""
    parser.add_argument("what", nargs="*", metavar="WORKLOAD|NAME|-- PROGRAM",
                        help="what to study")
    parser.add_argument("--list", action="store_true",
                        help="name the ready-made studies and workloads")
    parser.add_argument("--quick", action="store_true",
                        help="fewer threads and rounds, under 40 seconds "
                        "where little else runs")
    parser.add_argument("--threads", type=number_list, metavar="N,N...",
                        help="numbers of threads")
    parser.add_argument("--policies", default=list(matrix.POLICIES),
                        type=choice_list(*matrix.POLICIES),
                        metavar="P,P...", help="policies to compare")
    parser.add_argument("--magazine", default=["on", "off"],
                        type=choice_list("on", "off"), metavar="on,off",
                        help="with magazines, without, or both")
    parser.add_argument("--rounds", type=int, metavar="N",
                        help="rounds (default 7)")
    parser.add_argument("--seed", type=int, metavar="N",
                        help="seed of the order of runs")
    parser.add_argument("--seconds", type=float, metavar="S",
                        help="length of a single run (default 0.25)")
    parser.add_argument("--limit", type=float, metavar="S",
                        help="end a run that takes longer, and all that it "
                        "started (default 120, 30 with --quick)")
    parser.add_argument("--time", type=seconds, metavar="S",
                        help="end within this time, with as many rounds as "
                        "there is time for")
    parser.add_argument("--per-thread", action="store_true",
                        help="each thread of the program does the whole work: "
                        "count it for each")
    parser.add_argument("--args", default="", metavar="'-w 100 ...'",
                        help="more options for the workload")
    parser.add_argument("--no-peers", action="store_true",
                        help="pmalloc only")
    parser.add_argument("--no-record", action="store_true",
                        help="no call graphs")
    parser.add_argument("--perf", default="perf", metavar="PATH",
                        help="the perf to use")
    parser.add_argument("--output", type=pathlib.Path, metavar="DIR",
                        help="where the result goes")
    parser.add_argument("--resume", type=pathlib.Path, metavar="DIR",
                        help="go on with an interrupted study")
    parser.add_argument("--replace", action="store_true",
                        help="begin again where a result is already")
    parser.add_argument("--render", type=pathlib.Path, metavar="DIR",
                        help="only make the page of a study again")
    parser.add_argument("--compare", type=pathlib.Path, nargs=2,
                        metavar=("EARLIER", "LATER"),
                        help="what changed between two studies")
    parser.add_argument("--together", type=pathlib.Path, nargs="+",
                        metavar="DIR", help="one page of several studies")


def say(text):
    """A line of news."""
    common.say("study", text)


class Progress:
    """One line: how much is done, how long it will take."""

    def __init__(self):
        self.tty = sys.stderr.isatty()
        self.last = time.monotonic()

    def show(self, done, total, left, what):
        """Show it, if the last time is long enough ago."""
        now = time.monotonic()
        if now - self.last < (0.2 if self.tty else 4.0):
            return
        self.last = now
        rest = f"{left / 60:.0f} min" if left >= 120 else f"{left:.0f} s"
        line = f"{done} of {total} runs, about {rest} left, {what}"
        if self.tty:
            sys.stderr.write(f"\r\033[K{line}")
            sys.stderr.flush()
        else:
            say(line)

    def clear(self):
        """Take the line away."""
        if self.tty:
            sys.stderr.write("\r\033[K")


class Campaign:
    """A study being run into its directory."""

    def __init__(self, own, directory, plan, found):
        self.directory = directory
        self.plan = plan
        self.tools = found
        self.study = matrix.Study.from_json(plan["study"])
        self.raw = directory / "raw"
        self.raw.mkdir(parents=True, exist_ok=True)
        self.runs = data.read_runs(directory / "runs.jsonl")
        # Once more, without a line that was cut off.
        (directory / "runs.jsonl").write_text(
            "".join(data.json.dumps(r) + "\n" for r in self.runs),
            encoding="utf-8")
        self.stacks = []
        if (directory / "stacks.json").exists():
            self.stacks = data.read_json(directory / "stacks.json")
        self.runner = measure.Runner(own, self.study, found, self.raw,
                                     plan["settings"]["timeout"])
        self.progress = Progress()
        self.took = {}
        self.late = None
        self.began = BEGAN
        length = plan["settings"].get("time")
        self.end = self.began + length if length else None
        self.repeats = len(matrix.cells(self.study)) * \
            plan["settings"]["rounds"] // 2

    def save_plan(self):
        """Keep the plan."""
        data.write_json(self.directory / "plan.json", self.plan)

    def calibrate(self):
        """How much work each point is, once."""
        settings = self.plan["settings"]
        settings.setdefault("ops", {})
        for point in self.study.points:
            if point.label in settings["ops"]:
                continue
            self.progress.show(0, 0, 0, f"looks how fast {point.label} "
                               f"{self.study.axis} is")
            settings["ops"][point.label] = self.runner.calibrate(
                point, settings["seconds"] * point.weight)
            self.save_plan()

    def expect(self, job):
        """Seconds that a run is expected to take."""
        known = self.took.get((job.variant.id, job.point.label))
        if known:
            return known
        if self.took:
            return sum(self.took.values()) / len(self.took)
        return self.plan["settings"]["seconds"] * 2

    def _append(self, run):
        path = self.directory / "runs.jsonl"
        with common.about(path), open(path, "a", encoding="utf-8") as log:
            log.write(data.json.dumps(run) + "\n")
        self.runs.append(run)

    def _undisturbed(self, job, keep):
        """Run a cell; again, when others used the CPUs meanwhile.

        On a machine that is always busy this ends: a study repeats at most
        half as many runs as it has, and none in a hurry when half of its
        time is over.
        """
        settings = self.plan["settings"]
        best = None
        for _ in range(3):
            found = self.runner.once(
                job.variant, job.point, settings["ops"][job.point.label],
                settings["seed"] + job.round, keep)
            if best is None or found["others"] < best["others"]:
                best = found
            if best["others"] < data.DISTURBED or self.repeats <= 0 or \
                    self._over(0.5):
                break
            self.repeats -= 1
            time.sleep(0.1)
        return best

    def _once(self, job):
        run = {"key": job.key, "variant": job.variant.id,
               "point": job.point.label, "round": job.round,
               "order": job.order}
        begin = time.monotonic()
        keep = f"{job.variant.id}-{job.point.label}" if job.round == 0 else ""
        try:
            run.update(self._undisturbed(job, keep))
        except measure.Failed as failed:
            run["failed"] = str(failed)
        if run.get("pmalloc") is None:
            run.pop("pmalloc", None)
        self._append(run)
        self.took[job.variant.id, job.point.label] = time.monotonic() - begin

    def _over(self, share):
        """Is that share of the time over, if there is a limit to it?"""
        return self.late is not None and time.monotonic() > self.late - \
            (1 - share) * self.plan["settings"]["budget"]

    def time_left(self, todo):
        """Seconds that the rest will take, as far as one can know.

        Whatever the limit, the first rounds are made; those behind them only
        while there is time.
        """
        must = sum(self.expect(j) for j in todo if j.round < LEAST_ROUNDS)
        may = sum(self.expect(j) for j in todo if j.round >= LEAST_ROUNDS)
        if self.late is not None:
            may = min(may, max(0.0, self.late - time.monotonic() - must))
        return must + may + 2.5 * self.plan["settings"]["records"]

    def _given_up(self, job):
        """Has this cell failed too often?"""
        return sum(1 for r in self.runs if "failed" in r and
                   r["variant"] == job.variant.id and
                   r["point"] == job.point.label) >= 2

    def measure(self):
        """All runs that are not done yet."""
        settings = self.plan["settings"]
        todo = matrix.jobs(self.study, settings["rounds"], settings["seed"])
        done = {r["key"] for r in self.runs}
        todo = [j for j in todo if j.key not in done]
        if settings["budget"]:
            self.late = settings["budget"] + \
                (self.began if self.end else time.monotonic())
        for i, job in enumerate(todo):
            if self._given_up(job):
                continue
            if self._over(1) and (self.end or job.round >= LEAST_ROUNDS):
                say(f"time is up: {job.round} whole rounds")
                if job.round:
                    settings["rounds"] = job.round
                    self.runs = [r for r in self.runs
                                 if r["round"] < job.round]
                break
            self._once(job)
            self.progress.show(
                len(self.runs), len(done) + len(todo),
                self.time_left(todo[i + 1:]),
                f"round {job.round + 1} of {settings['rounds']}, "
                f"{job.variant.label} at {job.point.label} "
                f"{self.study.axis}")
        self.progress.clear()

    def slowest(self):
        """The variant of pmalloc that waited most, or is slowest."""
        results = data.Results(self.directory)
        point = results.study.points[-1]
        name = "wait_us" if results.has("wait_us") else "rate"
        sign = 1 if name == "wait_us" else -1
        rated = [(sign * v.median, variant) for variant in results.ours()
                 if (v := results.value(name, variant, point))]
        return max(rated, key=lambda r: r[0])[1] if rated else None

    def to_record(self):
        """(kind, variant) of the call graphs that are wanted."""
        if not self.tools.perf or not self.plan["settings"]["records"]:
            return []
        first = self.study.variants[0]
        slow = self.slowest()
        wanted = []
        if self.tools.can_record["waiting"]:
            wanted += [("waiting", v) for v in (slow, first) if v]
            glibc = [v for v in self.study.variants if v.peer == "glibc"]
            if not self.plan["settings"]["quick"]:
                wanted += [("waiting", v) for v in glibc]
        if self.tools.can_record["running"] and slow:
            wanted.append(("running", slow))
        return list(dict.fromkeys(wanted))[:self.plan["settings"]["records"]]

    def record(self):
        """Record what is wanted and not there yet."""
        done = {(s["kind"], s["variant"]) for s in self.stacks}
        for kind, variant in self.to_record():
            if self.end and self.end - time.monotonic() < \
                    RECORD_SHARE * self.plan["settings"]["time"]:
                self.progress.clear()
                say(f"time is up: no call graph of {kind} with "
                    f"{variant.label}")
            elif (kind, variant.id) not in done:
                self.progress.last = 0
                self.progress.show(len(self.runs), len(self.runs), 3,
                                   f"records {kind}, {variant.label}")
                self._record(kind, variant)
        self.progress.clear()

    def _record(self, kind, variant):
        point = self.study.points[-1]
        ops = self._record_ops(kind, variant, point)
        path = self.raw / f"{kind}-{variant.id}.perf.data"
        try:
            self.runner.record(variant, point, ops,
                               self.plan["settings"]["seed"], kind, path)
        except measure.Failed as failed:
            say(f"no call graph of {kind} with {variant.label}: {failed}")
            return
        fold = stacks.fold_file(self.tools.perf, path, kind)
        folded = self.raw / f"{kind}-{variant.id}.folded"
        folded.write_text(fold.text())
        self.stacks.append({
            "kind": kind, "variant": variant.id, "point": point.label,
            "unit": fold.unit, "ops": ops,
            "perf_data": str(path.relative_to(self.directory)),
            "folded": str(folded.relative_to(self.directory)),
            "total": fold.total(), "left_out": fold.left_out,
            "allocator": fold.allocator(),
            "allocator_by_end": fold.allocator_by_end()})
        data.write_json(self.directory / "stacks.json", self.stacks)

    def _record_ops(self, kind, variant, point):
        """Few enough operations that unwinding takes seconds at most."""
        ops = self.plan["settings"]["ops"][point.label]
        if self.study.program or kind == "running":
            return ops
        switches = [r["perf"]["context-switches"] / r["ops"]
                    for r in self.runs if r["variant"] == variant.id and
                    r["point"] == point.label and
                    r.get("perf", {}).get("context-switches")]
        if switches:
            ops = min(ops, RECORD_SWITCHES / max(switches))
        return max(int(ops), 64 * point.threads)

    def save(self, complete):
        """study.json: everything in one file."""
        data.write_json(self.directory / "study.json", {
            "format": data.FORMAT, "title": self.study.title,
            "study": self.study.as_json(), "machine": self.plan["machine"],
            "settings": self.plan["settings"], "costs": self.plan["costs"],
            "missing": self.plan["missing"], "events": self.tools.events,
            "complete": complete, "runs": self.runs, "stacks": self.stacks})

    def run(self):
        """Everything; returns the exit status."""
        complete, status = False, 0
        try:
            self.calibrate()
            self.measure()
            self.save(False)
            self.record()
            complete = True
        except KeyboardInterrupt as stop:
            status = getattr(stop, "status", 130)
            self.progress.clear()
            say(f"interrupted after {len(self.runs)} runs; go on with "
                "`pmalloc study --resume "
                f"{common.shown(shlex.quote(str(self.directory)))}`")
        if self.runner.group.left:
            say(f"the program left {self.runner.group.left} processes running; "
                "they were ended with its run")
        self.save(complete)
        if not any("failed" not in r for r in self.runs):
            if self.runs:
                raise Failure("no run succeeded; the first one: " +
                              self.runs[0]["failed"])
            return status
        render(self.directory, self.tools)
        return status


def say_rates(find):
    """Every variant's throughput at the last point, as a table."""
    rows = [(findings.name_of(variant), rate, limit)
            for variant, rate, _, limit, *_ in find.table()]
    lines = importlib.import_module("terminal").lines(
        ("", "per second (lowest to highest)", "first limit"), rows, (0, 2),
        sys.stderr)
    print(f"\n{find.r.study.title}, {find.last.label} {find.r.study.axis}:",
          *lines, "", sep="\n", file=sys.stderr, flush=True)


def render(directory, found):
    """The page and the pictures of a directory."""
    results = data.Results(directory)
    with common.about(directory):
        made = pages().write(results, found, say)
    say_rates(made.find)
    for text in made.banner[:1] + made.top:
        say(text)
    say(f"the page is {common.shown(str(directory))}/index.html")


def compare(args, found):
    """The page of two studies against each other."""
    module = pages() and importlib.import_module("compare")
    before, after = map(data.Results, args.compare)
    made = module.Comparison(before, after)
    directory = args.output or places.output(
        f"{before.study.name}-compared")
    directory.mkdir(parents=True, exist_ok=True)
    for line in made.banner + made.top:
        print(line)
    pages().write_parts(directory, made.title, [made], found, say)
    say(f"the page is {common.shown(str(directory))}/index.html")


def together(args, found):
    """One page of several studies."""
    results = [data.Results(d) for d in args.together]
    directory = args.output or places.output("together")
    directory.mkdir(parents=True, exist_ok=True)
    parts = [pages().Page(r, f"s{n}-") for n, r in enumerate(results, 1)]
    for part in parts:
        print(f"{part.title}: {part.top[0]}")
    pages().write_parts(directory, f"{len(parts)} studies", parts, found, say)
    say(f"the page is {common.shown(str(directory))}/index.html")


def define(args):
    """The study that the command line asks for, and the name of its place."""
    program = "--" in sys.argv and bool(args.what)
    if args.per_thread and not (program and any(
            "{threads}" in word for word in args.what)):
        raise Failure("--per-thread is for a program with {threads} in one "
                      "of its arguments", 2)
    if program:
        return readymade.of_program(args, args.what)
    if len(args.what) > 1:
        raise Failure("one workload or study at a time; a program follows "
                      "after --")
    name = args.what[0] if args.what else "larson"
    if name in readymade.STUDIES:
        return readymade.STUDIES[name](args)
    workloads = readymade.workloads()
    if name not in workloads:
        raise Failure(f"there is no workload or study {name!r}; `pmalloc "
                      "study --list` names them, and a program follows "
                      "after --")
    return readymade.of_workload(args, name)


def settings_of(args):
    """How much is done."""
    quick = args.quick
    return {
        "seed": args.seed if args.seed is not None
        else int(time.time()) % 100000,
        "rounds": args.rounds or (5 if quick else 7),
        "seconds": args.seconds or (0.06 if quick else 0.25),
        "budget": ROUNDS_SHARE * args.time if args.time else
        24 if quick and not args.rounds else 0,
        "time": args.time,
        "records": 0 if args.no_record else 2 if quick else 4,
        "quick": quick,
        "timeout": args.limit or (30.0 if quick else 120.0),
    }


def same_question(plan, study, settings):
    """Was the interrupted study the same one?"""
    keys = ("quick", "seconds")
    return plan["study"] == data.json.loads(
        data.json.dumps(study.as_json())) and \
        all(plan["settings"][k] == settings[k] for k in keys)


def identity_of(study):
    """What this study measures, as it is now."""
    used = {v.peer for v in study.variants}
    return identity.of(study, places.library(), places.bench_program(),
                       [p for p in places.peers() if p.name in used])


def not_the_same(plan):
    """Why an interrupted study cannot go on here, or None."""
    now = identity_of(matrix.Study.from_json(plan["study"]))
    changed = identity.changes(plan.get("identity", now), now)
    if not changed:
        return None
    return "since then there is another " + ", another ".join(
        name.removeprefix("the ") for name in changed)


def place(args, study, settings):
    """(directory, plan or None): a new place, or one to go on in."""
    directory = args.output or places.output(study.name)
    if args.replace or not (directory / "plan.json").exists():
        return directory, None
    plan = data.read_json(directory / "plan.json")
    kept = directory / "study.json"
    complete = kept.exists() and data.read_json(kept).get("complete")
    name = common.shown(str(directory))
    if not complete and same_question(plan, study, settings):
        why = not_the_same(plan)
        if not why:
            say(f"goes on with {name}")
            return directory, plan
        say(f"does not go on with {name}: {why}")
    if args.output:
        raise Failure(f"{name} has a study already; name another "
                      "directory, or add --replace")
    for n in range(2, 1000):
        other = directory.with_name(f"{directory.name}-{n}")
        if not other.exists():
            return other, None
    raise Failure(f"{name}-2 to -999 are taken; remove some")


def clean(directory):
    """Take away what an earlier study left in our place."""
    for name in ("runs.jsonl", "stacks.json", "study.json", "index.html"):
        (directory / name).unlink(missing_ok=True)
    for old in list((directory / "raw").glob("*")) + \
            list((directory / "pictures").glob("*")):
        old.unlink()


def main(args):
    """Do it; returns the exit status."""
    if args.list:
        print(readymade.listing())
        return 0
    found = tools.Tools(args.perf)
    if args.render or args.compare or args.together:
        if args.render:
            render(args.render, found)
        if args.compare:
            compare(args, found)
        if args.together:
            together(args, found)
        return 0
    places.library()
    pages()             # what is missing is better said now than at the end
    for missing in found.missing:
        say(f"goes without {missing}")
    if args.resume:
        directory = args.resume
        if not (directory / "plan.json").exists():
            raise Failure(f"{common.shown(str(directory))} has no plan.json: "
                          "no study was begun there")
        plan = data.read_json(directory / "plan.json")
        why = not_the_same(plan)
        if why:
            raise Failure(f"{common.shown(str(directory))} cannot be resumed: "
                          f"{why}; begin anew with --replace or elsewhere")
    else:
        study = define(args)
        settings = settings_of(args)
        directory, plan = place(args, study, settings)
        if plan is None:
            clean(directory)
            plan = {"study": study.as_json(), "settings": settings,
                    "identity": identity_of(study),
                    "machine": tools.machine()}
    if "costs" not in plan:
        plan["costs"] = costs.measure()
    plan["missing"] = [m.as_json() for m in found.missing]
    directory.mkdir(parents=True, exist_ok=True)
    campaign = Campaign(args.own, directory, plan, found)
    if not campaign.runner.reports:
        say("goes without pmalloc's own figures: this libpmalloc.so does "
            "not know stats=json; build it anew")
    campaign.save_plan()
    settings = plan["settings"]
    say(f"{campaign.study.title}; {len(campaign.study.variants)} variants at "
        f"{len(campaign.study.points)} points, {settings['rounds']} rounds, "
        f"seed {settings['seed']}, into {common.shown(str(directory))}")
    return campaign.run()
