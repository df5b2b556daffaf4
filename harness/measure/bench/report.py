# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""From single runs to medians, ratios, tables and JSON.

The ratio of a row is the median over the rounds of what pmalloc took in a
round divided by what the best peer took in the same round. The best peer of a
row is the one with the lowest median.
"""
import math
import statistics

TIME, PEAK, FINAL = "time", "peak_rss", "final_rss"


def geomean(values):
    """Geometric mean."""
    return math.exp(statistics.fmean(math.log(v) for v in values))


class Results:
    """Runs of rows: runs[row][allocator] is a list, one entry per round."""

    def __init__(self, runs, subject, peers):
        self.runs = runs
        self.subject = subject
        self.peers = peers

    def values(self, row, name, key):
        """A figure of all rounds, None where there is none."""
        return [run.get(key) if run else None
                for run in self.runs[row].get(name, [])]

    def median(self, row, name, key):
        """Median over the rounds, or None."""
        values = [v for v in self.values(row, name, key) if v is not None]
        return statistics.median(values) if values else None

    def best_peer(self, row, key):
        """Name of the peer with the lowest median, or None."""
        medians = [(self.median(row, p, key), p) for p in self.peers]
        medians = [m for m in medians if m[0] is not None]
        return min(medians)[1] if medians else None

    def ratios(self, row, name, other, key):
        """Ratio of two allocators in each round that has both."""
        pairs = zip(self.values(row, name, key), self.values(row, other, key))
        return [a / b for a, b in pairs if a is not None and b]

    def ratio(self, row, key, name=None, other=None):
        """Median of the ratios to the best peer, or to another."""
        other = other or self.best_peer(row, key)
        values = self.ratios(row, name or self.subject, other, key)
        return statistics.median(values) if values else None

    def all_ratios(self, key, name=None, other=None):
        """Ratio of each row that has one."""
        found = {row: self.ratio(row, key, name, other) for row in self.runs}
        return {row: r for row, r in found.items() if r is not None}

    def summary(self, key, name=None, other=None):
        """Geometric mean and worst row, or None."""
        ratios = self.all_ratios(key, name, other)
        if not ratios:
            return None
        worst = max(ratios, key=ratios.get)
        return {"rows": len(ratios), "geomean": geomean(ratios.values()),
                "worst": worst, "worst_ratio": ratios[worst]}


def format_time(seconds):
    """Time with its unit, three digits."""
    for unit, factor in (("ns", 1e9), ("us", 1e6), ("ms", 1e3)):
        if seconds * factor < 1000:
            break
    value = seconds * factor
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f} {unit}"


def format_ns(ns):
    """Nanoseconds, short."""
    for suffix in ("", "k", "M"):
        if ns < 1000 or suffix == "M":
            return f"{ns:.{1 if suffix and ns < 10 else 0}f}{suffix}"
        ns /= 1000
    return ""


def format_mib(size):
    """MiB, three digits."""
    mib = size / 2**20
    return f"{mib:.{0 if mib >= 100 else 1}f}"


def table(head, lines):
    """Aligned columns, the first to the left."""
    widths = [max(len(str(line[i])) for line in [head, *lines])
              for i in range(len(head))]
    out = []
    for line in [head, *lines]:
        cells = [str(c).rjust(w) for c, w in zip(line, widths)]
        cells[0] = str(line[0]).ljust(widths[0])
        out.append("  ".join(cells).rstrip())
    return "\n".join(out)


def ratio_cells(results, row, key):
    """Ratio, its range over the rounds, and the best peer."""
    best = results.best_peer(row, key)
    values = results.ratios(row, results.subject, best, key) if best else []
    if not values:
        return ["-", "-", best or "-"]
    return [f"{statistics.median(values):.2f}",
            f"{min(values):.2f}-{max(values):.2f}", best]


def cells(results, row, names, keys, form):
    """Medians of each allocator, several figures in one cell."""
    out = []
    for name in names:
        values = [results.median(row, name, key) for key in keys]
        out.append("/".join("-" if v is None else form(v) for v in values))
    return out


def time_table(results, names):
    """Time per operation."""
    return table(["time per operation", *names, "ratio", "range", "best"],
                 [[row, *cells(results, row, names, [TIME], format_time),
                   *ratio_cells(results, row, TIME)]
                  for row in results.runs])


def memory_table(results, names):
    """Peak and final memory."""
    return table(["RSS peak/final, MiB", *names, "ratio", "range", "best"],
                 [[row, *cells(results, row, names, [PEAK, FINAL], format_mib),
                   *ratio_cells(results, row, PEAK)]
                  for row in results.runs])


def latency_table(results, names):
    """Latency of single operations."""
    rows = [row for row in results.runs
            if any(results.median(row, n, "p99") is not None for n in names)]
    return table(["latency p99/p99.9, ns", *names],
                 [[row, *cells(results, row, names, ["p99", "p999"],
                               format_ns)] for row in rows])


def against_peers(results):
    """Geometric means against each peer alone."""
    lines = []
    for peer in results.peers:
        time = results.summary(TIME, other=peer)
        rss = results.summary(PEAK, other=peer)
        final = results.summary(FINAL, other=peer)
        if time and rss:
            lines.append([f"{results.subject} vs {peer}",
                          f"{time['geomean']:.3f}", f"{rss['geomean']:.3f}",
                          f"{final['geomean']:.3f}" if final else "-",
                          f"{time['worst']} {time['worst_ratio']:.2f}"])
    return table(["geometric mean", "time", "peak RSS", "final RSS",
                  "worst time"], lines)


def against_subject(results, names):
    """Variants and the limit, with pmalloc as 1."""
    lines = []
    for name in names:
        time = results.summary(TIME, name, results.subject)
        rss = results.summary(PEAK, name, results.subject)
        if time and rss:
            lines.append([name, time["rows"], f"{time['geomean']:.3f}",
                          f"{rss['geomean']:.3f}",
                          f"{time['worst']} {time['worst_ratio']:.2f}"])
    if not lines:
        return ""
    return table([f"{results.subject} = 1", "rows", "time", "peak RSS",
                  "worst time"], lines)


def above_floor(results, floor):
    """How far pmalloc's pair is from the limit's."""
    lines = []
    for row in results.runs:
        if row.split("/")[0] != "pair" or floor not in results.runs[row]:
            continue
        ratio = results.ratio(row, TIME, other=floor)
        if ratio is not None:
            lines.append(f"{row} time vs {floor}: {ratio:.2f}")
    return "\n".join(lines)


def closing_lines(results):
    """The last lines of a run."""
    lines = []
    final = results.summary(FINAL)
    if final:
        lines.append(f"final rss geomean vs best peer: {final['geomean']:.3f}")
        lines.append(f"final rss worst workload: {final['worst']} "
                     f"{final['worst_ratio']:.3f}")
    for word, key in (("time", TIME), ("rss", PEAK)):
        summary = results.summary(key)
        if summary:
            lines.append(f"{word} geomean vs best peer: "
                         f"{summary['geomean']:.3f}")
            lines.append(f"{word} worst workload: {summary['worst']} "
                         f"{summary['worst_ratio']:.3f}")
    return lines


def as_json(results, header, failures):
    """Everything, for other programs."""
    rows = {}
    for row, by_name in results.runs.items():
        rows[row] = {
            "best_peer": {"time": results.best_peer(row, TIME),
                          "rss": results.best_peer(row, PEAK)},
            "ratio": {"time": results.ratio(row, TIME),
                      "rss": results.ratio(row, PEAK),
                      "final_rss": results.ratio(row, FINAL)},
            "median": {name: {key: results.median(row, name, key)
                              for key in (TIME, PEAK, FINAL, "p99", "p999")}
                       for name in by_name},
            "runs": by_name,
        }
    against = {peer: {"time": results.summary(TIME, other=peer),
                      "rss": results.summary(PEAK, other=peer)}
               for peer in results.peers}
    return {"header": header, "rows": rows, "against": against,
            "summary": {"time": results.summary(TIME),
                        "rss": results.summary(PEAK),
                        "final_rss": results.summary(FINAL)},
            "failures": {f"{row} {name}": text
                         for (row, name), text in failures.items()}}
