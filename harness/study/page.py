# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The page of a study: one file with everything in it, and its pictures.

Nothing is loaded from anywhere, so it works from a disk, in a mail and behind
a slow line; there is no script in it either.
"""
import pathlib
import shutil
import subprocess
from html import escape

import charts
import findings
import flame
import kernelpart
import matrix
import stacks
import svg
from common import shown

# Figures that are always there, and those of events that a machine may lack.
ALWAYS = ("rate", "contended", "waits", "heat", "futex", "switches", "memory")
MORE = ("acquired", "fallback", "free_busy", "wait_us", "long_waits", "longest", "kernel_locks", "migrations",
        "faults", "restarts", "cpu_ms", "instructions", "cache_misses")

# What each figure is for.
WORDS = {
    "rate": "Marks are medians, bars reach from the lowest to the highest of "
            "all rounds. Peers are grey. Here and in what follows a step "
            "upwards is a factor.",
    "contended": "How often a thread that wanted an arena's lock found it "
                 "held. With several arenas it goes to another one; with one "
                 "it waits.",
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
    "wait_us": "All waits for arenas' locks added up.",
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

PAGE_CSS = """
:root{color-scheme:light dark;--g:#fff;--t:#1f2328;--s:#59636e;--l:#d1d9e0;
--b:#f6f8fa;--a:#0072b2}
@media(prefers-color-scheme:dark){:root{--g:#15191e;--t:#e6edf3;--s:#a3adb8;
--l:#333b44;--b:#1d2228;--a:#56b4e9}}
body{background:var(--g);color:var(--t);margin:0 auto;max-width:976px;
padding:28px 22px 60px;font:15px/1.55 'DejaVu Sans','Liberation Sans',
system-ui,sans-serif}
h1{font-size:27px;line-height:1.25;margin:0 0 6px}
h2{font-size:19px;margin:44px 0 10px;padding-top:14px;
border-top:1px solid var(--l)}
h3{font-size:15.5px;margin:0 0 2px}
p{margin:6px 0 10px}.soft,figcaption{color:var(--s);font-size:13.5px}
figure{margin:26px 0 30px}figcaption{margin:2px 0 10px}
svg{width:100%;height:auto;display:block}
svg.key{width:12px;height:12px;display:inline-block;margin-right:6px;
vertical-align:-1px}.v{white-space:nowrap}
.note{background:var(--b);border-left:3px solid var(--a);padding:8px 14px;
margin:12px 0;font-size:14px}
ul.found{padding-left:20px}ul.found li{margin:5px 0}
table{border-collapse:collapse;font-size:13px;margin:10px 0;width:100%}
th,td{text-align:left;padding:5px 9px 5px 0;vertical-align:top;
border-bottom:1px solid var(--l)}
th{font-weight:600;color:var(--s)}td.n,th.n{text-align:right;
font-variant-numeric:tabular-nums;white-space:nowrap}
.wide{overflow-x:auto}code{font-family:'DejaVu Sans Mono',monospace;
font-size:.9em}
details{margin:10px 0}summary{cursor:pointer;color:var(--a)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;
font-size:13.5px}dt{color:var(--s)}dd{margin:0}
nav{font-size:13.5px;margin:14px 0}nav a{margin-right:16px}
a{color:var(--a)}
@media print{h2{break-after:avoid}figure{break-inside:avoid}}
"""


class Page:
    """The page that grows section by section, and the pictures in it."""

    def __init__(self, results, say):
        self.r = results
        self.say = say
        self.parts = []
        self.pictures = {}
        self.last = results.study.points[-1]
        self.find = findings.Findings(results)

    def add(self, text):
        """Some HTML."""
        self.parts.append(text)

    def figure(self, name, drawn, words, title=None):
        """A figure, or the sentence that stands for it."""
        if isinstance(drawn, str):
            self.add(f'<figure id="fig-{name}" class="absent">'
                     f'<p class="note">{escape(drawn)}</p></figure>')
            return
        self.pictures[name] = drawn
        self.add(f'<figure id="fig-{name}"><h3>'
                 f'{escape(title or drawn.title)}</h3>'
                 f'<figcaption>{escape(words)}</figcaption>'
                 f'{drawn.inline(name)}</figure>')

    def table(self, heads, rows, numbers=()):
        """A table; @numbers are columns of figures."""
        cls = [' class="n"' if i in numbers else "" for i in
               range(len(heads))]
        head = "".join(f"<th{c}>{escape(h)}</th>"
                       for c, h in zip(cls, heads))
        body = "".join(
            "<tr>" + "".join(f"<td{c}>{self.cell(x)}</td>"
                             for c, x in zip(cls, row)) + "</tr>"
            for row in rows)
        self.add(f'<div class="wide"><table><thead><tr>{head}</tr></thead>'
                 f'<tbody>{body}</tbody></table></div>')

    @staticmethod
    def cell(content):
        """A cell; a variant has its mark before its name."""
        if not isinstance(content, matrix.Variant):
            return escape(str(content))
        mark = svg.Svg(12, 12, "")
        mark.mark(6, 6, content.series)
        return f'<span class="v"><svg class="key" viewBox="0 0 12 12" ' \
            f'aria-hidden="true">{"".join(mark.parts)}</svg>' \
            f"{escape(findings.name_of(content))}</span>"

    # ---- sections -------------------------------------------------------

    def head(self):
        """Title, question, machine, what is missing."""
        study, m, s = self.r.study, self.r.machine, self.r.settings
        self.add(f"<h1>{escape(study.title)}</h1>"
                 f'<p class="soft">{escape(study.about)}</p>')
        if study.expects:
            self.add(f"<p>{escape(study.expects)}</p>")
        whole = "" if self.r.kept["complete"] else \
            " The study was interrupted; this is what there is so far."
        self.add(
            f'<p class="soft">{len(self.r.runs)} runs in '
            f"{self.r.rounds()} interleaved rounds, order shuffled with "
            f"seed {s['seed']}. {escape(m['cpu'])}, {m['cpus']} CPUs, "
            f"{m['memory_mib']} MiB, {escape(m['kernel'])}.{whole}</p>")
        self.add('<nav><a href="#found">What was found</a>'
                 '<a href="#figures">Figures</a>'
                 '<a href="#where">Where threads wait</a>'
                 '<a href="#kernel">In the kernel</a>'
                 '<a href="#numbers">All numbers</a></nav>')

    def found(self):
        """Sentences and the table of limits."""
        self.add('<h2 id="found">What was found</h2><ul class="found">')
        for sentence in self.find.sentences():
            self.add(f"<li>{escape(sentence)}</li>")
        self.add("</ul>")
        axis = self.r.study.axis
        where = "" if axis == "program" else f" at {self.last.label} {axis}"
        rows = [(v, *rest) for v, *rest in self.find.table()]
        self.table(("variant", f"{self.r.metrics['rate'].unit}{where}",
                    "scaling", "first limit", "class", "would help"), rows)
        self.add('<p class="soft">The first limit is what the counts at the '
                 "last point say, in this order: time waited, acquisitions "
                 "that found the lock held, acquisitions, page faults, CPUs. "
                 "A count is a limit if it costs "
                 f"{100 * findings.MATTERS:.0f} % of the CPU time, at "
                 f"{self.find.costs_text()}. A variant "
                 "helps only if its range lies above.</p>")

    def figures(self):
        """The curves, the waits, the heat map."""
        self.add('<h2 id="figures">Figures</h2>')
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
            self.add('<h2 id="more">More counts</h2>')
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
        self.add('<h2 id="where">Where threads wait, and where they run'
                 "</h2>")
        if not [s for s in self.r.stacks if s["kind"] == "waiting"]:
            self.add('<p class="note">No call graphs of waiting: '
                     f"{escape(self._why_no_stacks())}.</p>")
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
        path = self.r.directory / stack["folded"]
        folded = stacks.parse_folded(path.read_text()) \
            if path.exists() else []
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
                    words + f" From {stack['perf_data']}.")

    def classes(self):
        """Contention by class, of the variant that waits most."""
        rated = [(sum(c["wait_ns"] for c in found), v, found)
                 for v in self.r.ours()
                 if (found := self.r.classes(v, self.last))]
        self.add('<h2 id="classes">By class</h2>')
        if not rated:
            self.add('<p class="note">Not known: pmalloc\'s report '
                     "(stats=json) was missing, or no lock was taken.</p>")
            return
        _, variant, found = max(rated, key=lambda x: x[0])
        ops = self.r.ops(variant, self.last)
        per = self.r.per
        self.add(f"<p>{escape(findings.name_of(variant))} at "
                 f"{self.last.label} {escape(self.r.study.axis)}, the "
                 "variant that waited most; figures "
                 f"{self.find.per_text()}.</p>")
        self.table(
            ("class", "bytes", "acquired", "contended", "waited",
             "time waited", "longest wait"),
            [(c["class"], c["size"], *(charts.short(c[k] * per / ops)
                                       for k in ("acquired", "contended",
                                                 "waited")),
              charts.nanoseconds(c["wait_ns"] * per / ops),
              charts.nanoseconds(c["wait_max_ns"])) for c in found[:12]],
            range(7))

    def numbers(self):
        """Every median as a table, for those who cannot see figures."""
        self.add('<h2 id="numbers">All numbers</h2>')
        for name, metric in self.r.metrics.items():
            if not self.r.has(name):
                continue
            self.add(f"<details><summary>{escape(metric.title)}, "
                     f"{escape(metric.unit)}</summary>")
            rows = []
            for variant in self.r.study.variants:
                cells = [self.r.value(name, variant, p)
                         for p in self.r.study.points]
                rows.append((variant, *(
                    f"{charts.short(c.median)} ±{100 * c.spread():.0f} %"
                    if c else "" for c in cells)))
            self.table((self.r.study.axis,
                        *(p.label for p in self.r.study.points)), rows,
                       range(1, 1 + len(self.r.study.points)))
            self.add("</details>")

    def foot(self):
        """How it was done."""
        s = self.r.settings
        self.add('<h2 id="how">How this was done</h2><dl>')
        study = self.r.study
        what = shown(" ".join(study.command))
        ops = ", ".join(f"{n} at {p}" for p, n in s.get("ops", {}).items())
        facts = [
            ("program" if study.program else "workload", what),
            ("operations", ops or "whole runs"),
            ("rounds, seed", f"{self.r.rounds()}, {s['seed']}"),
            ("events", ", ".join(self.r.kept["events"]) or "none"),
            ("load before", f"{self.r.machine['load_before']:.2f}"),
            ("perf_event_paranoid",
             str(self.r.machine["perf_event_paranoid"])),
            ("raw data", "study.json, runs.jsonl, raw/ beside this page"),
        ]
        for missing in self.r.kept["missing"]:
            facts.append(("missing", f"{missing['what']}: {missing['why']}; "
                          f"{missing['remedy']}"))
        for key, value in facts:
            self.add(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>")
        self.add("</dl>")

    def html(self):
        """The whole page."""
        self.head()
        self.found()
        self.figures()
        self.where()
        self.classes()
        kernelpart.add(self, self.r.kernel)
        self.numbers()
        self.foot()
        dark = "@media(prefers-color-scheme:dark){" + svg.css("dark") + "}"
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width">'
            f"<title>{escape(self.r.study.title)}</title><style>"
            f"{PAGE_CSS}{svg.css('light')}\n{dark}</style></head><body>\n"
            + "\n".join(self.parts) + "\n</body></html>\n")


def write_pictures(directory, pictures, converter):
    """SVG files, and PNG files where something can make them."""
    directory.mkdir(exist_ok=True)
    for name, picture in pictures.items():
        path = directory / f"{name}.svg"
        path.write_text(picture.standalone(), encoding="utf-8")
        if converter:
            subprocess.run([converter, "--zoom", "2", "-o",
                            str(path.with_suffix(".png")), str(path)],
                           check=True)


def write(results, tools, say):
    """index.html and pictures/ of a study."""
    made = Page(results, say)
    text = made.html()
    pathlib.Path(results.directory / "index.html").write_text(text, encoding="utf-8")
    pictures = results.directory / "pictures"
    if pictures.exists():
        shutil.rmtree(pictures)
    write_pictures(pictures, made.pictures, tools.converter)
    return made
