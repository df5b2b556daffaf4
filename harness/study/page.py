# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The page of a study: one file with everything in it, and its pictures.

Nothing is loaded from anywhere, so it works from a disk, in a mail and behind
a slow line. The template page.html.j2 says how it looks, page.js draws its
charts; here stands what is on it. On top are three sentences; all else is
folded, section by section.
"""
import json
import pathlib
import shutil

import jinja2

import charts
import colours
import data
import findings
import flame
import judge
import kernelpart
import matrix
import stacks
import vega
from common import shown

HERE = pathlib.Path(__file__).resolve().parent

# Figures that are always there, and those of events that a machine may lack.
ALWAYS = ("rate", "wait_us", "waits", "heat", "contended", "futex", "switches",
          "memory")
MORE = ("acquired", "waited", "long_waits", "longest", "fallback", "free_busy",
        "kernel_locks", "migrations", "faults", "restarts", "cpu_ms",
        "instructions", "cache_misses")

# What each figure is for.
WORDS = {
    "rate": "Marks are medians, bars reach from the lowest to the highest of "
            "all rounds. Peers are grey. Here and in what follows a step "
            "upwards is a factor.",
    "wait_us": "All waits for arenas' locks added up: what meeting at a lock "
               "really costs.",
    "waited": "How often a thread had to wait since all arenas were locked.",
    "contended": "How often a thread that wanted an arena's lock found it "
                 "held. With several arenas it goes to another one; with one "
                 "it waits. A thread that goes elsewhere loses little.",
    "waits": "Read a curve at 1 ms: so many waits were that long or longer. "
             "A tail at milliseconds is a holder that lost its CPU.",
    "heat": "Which arena the waiting belongs to, and whether it is many "
            "short waits or a few long ones. Darker is more time in total.",
    "futex": "Counted by the kernel at the system call. A lock that is "
             "handed over between sleeping threads needs two of them.",
    "switches": "Threads that sleep for a lock, and threads that had to make "
                "room for others.",
    "memory": "Peak resident memory of the whole process, the workload's own "
              "arrays included.",
    "acquired": "What magazines save: with them an arena's lock is taken "
                "once for a batch of objects.",
    "fallback": "A busy arena that was passed over for another one.",
    "free_busy": "free() never waits: the object is left for the holder's "
                 "successor.",
    "long_waits": "A wait that long is for a holder that lost its CPU.",
    "longest": "The longest of each run.",
    "kernel_locks": "lock:contention_begin; for futexes this is the bucket "
                    "of the kernel's hash table, held by all who come to "
                    "sleep or to wake.",
    "migrations": "A thread that comes to another CPU finds another "
                  "magazine, and with policy cpu another arena.",
    "faults": "Memory that was fresh from the kernel, or had been given "
              "back to it.",
    "restarts": "rseq:rseq_ip_fixup: how often a per-CPU section was "
                "interrupted and began again.",
    "cpu_ms": "Time on all CPUs, user and kernel.",
}


class Part:
    """A title, a banner, sentences on top, and sections; below them blocks.

    A block is a dict for the template; `kind` says what else is in it. @name
    keeps the charts of several parts of one page apart.
    """

    def __init__(self, title, name=""):
        self.title = title
        self.name = name
        self.about = []
        self.banner = []
        self.top = []
        self.sections = []
        self.pictures = {}
        self.blocks = None

    def section(self, name, title, **more):
        """What is added from now on belongs here."""
        self.blocks = []
        self.sections.append({"name": self.name + name, "title": title,
                              "blocks": self.blocks, **more})

    def note(self, text, label=""):
        """A sentence that stands out, such as what stands for a figure."""
        self.blocks.append({"kind": "note", "text": text, "label": label})

    def text(self, text, soft=False):
        """A paragraph."""
        self.blocks.append({"kind": "text", "text": text, "soft": soft})

    def list(self, lines):
        """Sentences."""
        self.blocks.append({"kind": "list", "lines": list(lines)})

    def figure(self, name, drawn, words, title=None):
        """A figure, or the sentence that stands for it."""
        name = self.name + name
        if isinstance(drawn, str):
            self.blocks.append({"kind": "absent", "name": name,
                                "text": drawn})
            return
        title = title or drawn.title
        self.pictures[name] = (title, drawn.spec)
        padding = drawn.spec["padding"]
        self.blocks.append({
            "kind": "figure", "name": name, "title": title, "words": words,
            "label": drawn.spec["description"], "height":
            drawn.spec["height"] + padding["top"] + padding["bottom"]})

    def table(self, heads, rows, numbers=(), fold=None):
        """A table; @numbers are columns of figures, @fold its summary."""
        self.blocks.append({
            "kind": "table", "heads": heads, "numbers": list(numbers),
            "rows": [[self.cell(x) for x in row] for row in rows],
            "fold": fold})

    @staticmethod
    def cell(content):
        """A cell; a variant has its mark before its name."""
        if not isinstance(content, matrix.Variant):
            return {"text": str(content)}
        path, filled = colours.key(content.series)
        return {"text": findings.name_of(content), "path": path,
                "filled": filled, "series": content.series}


class Page(Part):
    """What is told of one study."""

    def __init__(self, results, name=""):
        super().__init__(results.study.title, name)
        self.r = results
        self.last = results.study.points[-1]
        self.find = findings.Findings(results)
        self.head()
        self.found()
        self.figures()
        self.where()
        self.classes()
        kernelpart.add(self, self.r.kernel)
        self.numbers()
        self.foot()

    # ---- sections -------------------------------------------------------

    def head(self):
        """Question, doubts, the three sentences, machine, what is missing."""
        study, m, s = self.r.study, self.r.machine, self.r.settings
        self.about.append(study.about)
        if study.expects:
            self.about.append(study.expects)
        self.banner = list(self.find.doubts)
        if self.banner:
            self.banner.insert(0, "This study claims nothing: counts and "
                               "figures are what was measured, no difference "
                               "between them is called one.")
        elif not self.find.judge.any_real():
            self.banner = ["No difference between variants is certain: "
                           "whatever the figures show may be chance."]
        if not self.r.kept["complete"]:
            self.banner.append("The study was interrupted; this is what "
                               "there is so far.")
        self.banner += self.find.warnings()
        self.top = self.find.top()
        self.machine = f"{len(self.r.runs)} runs in {self.r.rounds()} " \
            f"interleaved rounds, order shuffled with seed {s['seed']}. " \
            f"{m['cpu']}, {m['cpus']} CPUs, {m['memory_mib']} MiB, " \
            f"{m['kernel']}."

    def found(self):
        """Sentences and the table of limits."""
        self.section("found", "What was found")
        self.list(self.find.sentences())
        axis = self.r.study.axis
        where = "" if axis == "program" else f" at {self.last.label} {axis}"
        self.table(("variant", f"{self.r.metrics['rate'].unit}{where}",
                    "scaling", "first limit", "class", "would help"),
                   self.find.table())
        self.text("The first limit is what costs most at the last point: "
                  "time waited while CPUs have nothing to do, meeting at "
                  "locks, taking them at all, or page faults, if that is at "
                  f"least {100 * findings.MATTERS:.0f} % of the CPU time, at "
                  f"{self.find.costs_text()}. The rule is one for all "
                  "variants; a peer that does not tell of its locks is known "
                  "by its futex calls. What would help is named only if the "
                  "test finds its throughput really higher.", soft=True)
        rows = [(a, b, what, f"{v.ratio:.3g} ({v.low:.3g} to {v.high:.3g})",
                 findings.chance(v.adjusted), "yes" if v.differs and
                 self.find.claims() else "no")
                for a, b, what, v in self.find.comparisons()]
        if rows:
            self.table(("variant", "against", "figure", "ratio",
                        "corrected chance", "differs"), rows, fold=
                       f"All {len(rows)} comparisons of variants: "
                       f"{judge.TEST}, intervals that hold together with "
                       f"{100 - 100 * judge.ERROR:.0f} %")

    def figures(self):
        """The curves, the waits, the heat map."""
        self.section("figures", "Figures")
        if any("peer_locks" in run for run in self.r.runs):
            self.text("jemalloc tells of its own mutexes; its curves in the "
                      "figures of locks are these, all of them together. "
                      "What counts as contended there was taken after "
                      "spinning.", soft=True)
        for name in ALWAYS:
            if name == "waits":
                drawn = charts.waits(self.r, self._busiest())
            elif name == "heat":
                drawn = charts.heat(self.r, self._busiest())
            else:
                drawn = charts.curves(self.r, name)
            self.figure(name, drawn, WORDS[name])
        known = [n for n in MORE if self.r.has(n)]
        if known:
            self.section("more", "More counts")
        for name in known:
            self.figure(name, charts.curves(self.r, name),
                        WORDS.get(name, "Medians and ranges."))

    def _busiest(self):
        """The point at which most was waited."""
        best, most = self.last, -1.0
        for point in self.r.study.points:
            total = sum(
                value.median for v in self.r.ours()
                if (value := self.r.value("wait_us", v, point)))
            if total >= most:
                best, most = point, total
        return best

    def where(self):
        """Flame graphs."""
        self.section("where", "Where threads wait, and where they run")
        if not [s for s in self.r.stacks if s["kind"] == "waiting"]:
            self.note("No call graphs of waiting: "
                      f"{self._why_no_stacks()}.")
        for stack in self.r.stacks:
            self._flame(stack)

    def _why_no_stacks(self):
        for missing in self.r.kept["missing"]:
            if missing["what"] == "perf" or "record" in missing["what"]:
                return f"{missing['what']}: {missing['why']}; " \
                    f"{missing['remedy']}"
        if not self.r.settings["records"]:
            return "the study was asked for none (--no-record)"
        if self.r.kept["complete"]:
            return "perf record failed, as was said when it ran"
        return "the study ended before they were recorded"

    def _flame(self, stack):
        variant = next(v for v in self.r.study.variants
                       if v.id == stack["variant"])
        folded = self.r.folded(stack)
        who = findings.name_of(variant)
        at = f"{stack['point']} {self.r.study.axis}"
        waiting = stack["kind"] == "waiting"
        title = f"Where threads {'wait' if waiting else 'run'}: {who}, {at}"
        total = flame.weight_text(stack["total"], stack["unit"])
        drawn = flame.draw(title, folded, stack["unit"],
                           f"all: {total}")
        words = (
            "Time off the CPU by the call that led there, of all threads "
            "together. At the bottom of each stack: asleep, or preempted and "
            "waiting for a CPU. "
            f"{flame.weight_text(stack['left_out'], stack['unit'])} of "
            "waiting that the program means (for its threads to begin and "
            "to end) is left out." if waiting else
            "Samples of the CPU clock, 1997 per second of CPU time.")
        self.figure(f"flame-{stack['kind']}-{stack['variant']}", drawn,
                    words + f" A click on a box makes it as wide as the "
                    f"picture, a double click shows all. From "
                    f"{stack['perf_data']}.")
        if waiting and folded:
            self._owners(folded, stack["unit"])

    def _owners(self, folded, unit):
        """The program's own locks beside ours."""
        owners = stacks.owners(folded)
        whole = sum(owners.values())
        self.table(("off a CPU for", "time", "share"), [
            (stacks.OWNERS[kind], flame.weight_text(weight, unit),
             f"{100 * weight / whole:.1f} %")
            for kind, weight in sorted(owners.items(),
                                       key=lambda o: -o[1])], (1, 2))

    def classes(self):
        """Contention by class, of the variant that waits most."""
        rated = [(sum(c["wait_ns"] for c in found), v, found)
                 for v in self.r.ours()
                 if (found := self.r.classes(v, self.last))]
        self.section("classes", "By class")
        if not rated:
            self.note("Not known: pmalloc's report (stats=json) was missing, "
                      "or no lock was taken.")
            return
        _, variant, found = max(rated, key=lambda x: x[0])
        ops = self.r.ops(variant, self.last)
        per = self.r.per
        self.text(f"{findings.name_of(variant)} at {self.last.label} "
                  f"{self.r.study.axis}, the variant that waited most; "
                  f"figures {self.find.per_text()}.")
        self.table(
            ("class", "bytes", "acquired", "waited", "time waited",
             "longest wait", "contended"),
            [(c["class"], c["size"],
              *(charts.short(c[k] * per / ops) for k in ("acquired",
                                                         "waited")),
              charts.nanoseconds(c["wait_ns"] * per / ops),
              charts.nanoseconds(c["wait_max_ns"]),
              charts.short(c["contended"] * per / ops))
             for c in found[:12]], range(7))

    def numbers(self):
        """Every median as a table, for those who cannot see figures."""
        self.section("numbers", "All numbers")
        for name, metric in self.r.metrics.items():
            if not self.r.has(name):
                continue
            rows = []
            for variant in self.r.study.variants:
                cells = [self.r.value(name, variant, p)
                         for p in self.r.study.points]
                rows.append((variant, *(
                    f"{charts.short(c.median)} ±{100 * c.spread():.0f} %"
                    if c else "" for c in cells)))
            self.table((self.r.study.axis,
                        *(p.label for p in self.r.study.points)), rows,
                       range(1, 1 + len(self.r.study.points)),
                       f"{metric.title}, {metric.unit}")

    def foot(self):
        """How it was done."""
        s = self.r.settings
        self.section("how", "How this was done")
        study = self.r.study
        what = shown(" ".join(study.command))
        ops = ", ".join(f"{n} at {p}" for p, n in s.get("ops", {}).items())
        facts = [
            ("runs", self.machine),
            ("program" if study.program else "workload", what),
            ("operations", ops or "whole runs"),
            ("rounds, seed", f"{self.r.rounds()}, {s['seed']}"),
            ("events", ", ".join(self.r.kept["events"]) or "none"),
            ("load before", f"{self.r.machine['load_before']:.2f}"),
            ("perf_event_paranoid",
             "unknown" if self.r.machine["perf_event_paranoid"] is None else
             str(self.r.machine["perf_event_paranoid"])),
            ("raw data", "study.json, study.csv, runs.jsonl, raw/ beside "
             "this page"),
        ]
        for missing in self.r.kept["missing"]:
            facts.append(("missing", f"{missing['what']}: {missing['why']}; "
                          f"{missing['remedy']}"))
        self.blocks.append({"kind": "facts", "facts": facts})


# ---- the whole page -----------------------------------------------------------

def script_json(thing):
    """JSON that may stand in a script element."""
    return json.dumps(thing).replace("<", "\\u003c")


def html(title, parts):
    """The page of these parts."""
    pictures = {}
    for part in parts:
        pictures.update(part.pictures)
    lost = vega.missing()
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True,
        trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined)
    return env.get_template("page.html.j2").render(
        title=title, parts=parts, colours=colours,
        several=len(parts) > 1, library="" if lost else vega.bundle(),
        package=vega.PACKAGE,
        drawing=(HERE / "page.js").read_text(encoding="utf-8"),
        charts=script_json({n: s for n, (_, s) in pictures.items()}),
        config=script_json(vega.config()),
        themes=script_json({t: colours.theme(t) for t in colours.THEMES}))


def write_parts(directory, title, parts, tools, say):
    """index.html and pictures/ in a directory."""
    directory = pathlib.Path(directory)
    (directory / "index.html").write_text(html(title, parts),
                                          encoding="utf-8")
    shutil.rmtree(directory / "pictures", ignore_errors=True)
    if vega.missing():
        say(f"no charts: {vega.PACKAGE} is not installed; `apt-get install "
            f"{vega.PACKAGE}`, then `pmalloc study --render "
            f"{shown(str(directory))}`")
        return
    pictures = {}
    for part in parts:
        pictures.update(part.pictures)
    why = vega.write(directory / "pictures", pictures, tools.converter)
    if why:
        say(why)


def write(results, tools, say):
    """index.html and pictures/ of a study."""
    made = Page(results)
    data.write_csv(results, results.directory / "study.csv")
    write_parts(results.directory, results.study.title, [made], tools, say)
    return made
