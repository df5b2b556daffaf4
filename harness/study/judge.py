# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Which differences of a study are real: one test for all of its page.

Two cells are compared by Welch's t-test on the logarithms of their runs'
figures. Logarithms, since disturbances act by factors and a ratio is what is
told; Welch's, since a variant that waits spreads more than one that does not.
Rank tests would ask less of the figures, but with seven rounds their least
probability is too high to survive the correction.

A page compares many cells, and picks what it tells of by the figures: the
fastest, the one that would help. So all comparisons that it could pick belong
to one family, and Holm's correction keeps the chance that any of them is
called a difference without being one below 5 %. SciPy 1.10 has no correction
of that kind; it is the six lines of holm().
"""
import itertools
import math
import statistics
import warnings

import common
import data

try:
    import numpy
    from scipy import stats
except ImportError as err:
    stats, ABSENT = None, common.no_module(err)

ERROR = 0.05            # over all comparisons of a page
ROUNDS = 5              # less than that says nothing about spread
FIGURES = ("rate", "memory")
TEST = "Welch's t-test on logarithms, Holm's correction"


class Verdict:
    """What the test says of two cells: @ratio is a's figure over b's."""

    def __init__(self, ratio=None, low=None, high=None, p=1.0):
        self.ratio, self.low, self.high = ratio, low, high
        self.p = p
        self.adjusted = 1.0

    @property
    def judged(self):
        """Were there runs enough of both?"""
        return self.low is not None

    @property
    def differs(self):
        """Is the difference real?"""
        return self.judged and self.adjusted < ERROR

    def other_way(self):
        """The same, of b over a."""
        if not self.judged:
            return self
        found = Verdict(1 / self.ratio, 1 / self.high, 1 / self.low, self.p)
        found.adjusted = self.adjusted
        return found


def holm(chances):
    """These probabilities, corrected for being so many."""
    found, worst = [0.0] * len(chances), 0.0
    order = sorted(range(len(chances)), key=lambda i: chances[i])
    for done, i in enumerate(order):
        worst = max(worst, min(1.0, chances[i] * (len(chances) - done)))
        found[i] = worst
    return found


def welch(a, b, family):
    """The Verdict on two lists of positive figures, not corrected yet.

    The interval is corrected for @family comparisons, by Bonferroni: it holds
    together with those of all others.
    """
    x, y = numpy.log(a), numpy.log(b)
    ratio = math.exp(x.mean() - y.mean())
    parts = x.var(ddof=1) / len(x), y.var(ddof=1) / len(y)
    if not sum(parts):
        # Figures without any spread, such as counted pages.
        return Verdict(ratio, ratio, ratio, 1.0 if ratio == 1 else 0.0)
    with warnings.catch_warnings():
        # One side may have no spread; the test is right all the same.
        warnings.simplefilter("ignore")
        p = float(stats.ttest_ind(x, y, equal_var=False).pvalue)
    free = sum(parts) ** 2 / (parts[0] ** 2 / (len(x) - 1) +
                              parts[1] ** 2 / (len(y) - 1))
    reach = float(stats.t.ppf(1 - ERROR / 2 / family, free)) * \
        math.sqrt(sum(parts))
    return Verdict(ratio, ratio * math.exp(-reach),
                   ratio * math.exp(reach), p)


class Judge:
    """The verdicts on all pairs of cells that a page may compare.

    Of each figure: all variants against each other at the last point; and of
    throughput each variant's points against each other.
    """

    def __init__(self, results):
        self.results = results
        self.verdicts = {}
        last = results.study.points[-1]
        pairs = [(name, (v, last), (w, last)) for name in FIGURES for v, w in
                 itertools.combinations(results.study.variants, 2)]
        pairs += [("rate", (v, p), (v, q)) for v in results.study.variants
                  for p, q in itertools.combinations(results.study.points, 2)]
        pairs = [(name, a, b) for name, a, b in pairs
                 if self._enough(name, a) and self._enough(name, b)]
        self.family = len(pairs)
        for name, a, b in pairs if stats else ():
            self.verdicts[self._key(name, a, b)] = welch(
                self._values(name, a), self._values(name, b), self.family)
        adjusted = holm([v.p for v in self.verdicts.values()])
        for verdict, chance in zip(self.verdicts.values(), adjusted):
            verdict.adjusted = chance

    @staticmethod
    def _key(name, a, b):
        return (name, *((v.id, p.label) for v, p in (a, b)))

    def _values(self, name, cell):
        value = self.results.value(name, *cell)
        return [n for n in value.values if n > 0] if value else []

    def _enough(self, name, cell):
        return len(self._values(name, cell)) >= ROUNDS

    def of(self, name, a, b):
        """The verdict on cells @a and @b, each (variant, point)."""
        found = self.verdicts.get(self._key(name, a, b))
        if found:
            return found
        found = self.verdicts.get(self._key(name, b, a))
        return found.other_way() if found else Verdict()

    def any_real(self):
        """Is any difference between variants real?"""
        return any(v.differs for (name, a, b), v in self.verdicts.items()
                   if name == "rate" and a[1] == b[1])


def doubts(results):
    """Why a page claims nothing, in sentences; none when it may."""
    found = []
    if not stats:
        found.append("Differences are not tested, for that is SciPy's part: "
                     f"{ABSENT}; then `pmalloc study --render` with this "
                     "directory.")
    last = results.study.points[-1]
    counts = [len(results.cell(v, last)) for v in results.study.variants
              if results.cell(v, last)]
    if not counts:
        return found
    if results.rounds() < ROUNDS:
        found.append(f"Of {results.rounds()} rounds nobody can tell a "
                     f"difference from chance; {ROUNDS} are the least.")
    disturbed = results.disturbed()
    if len(disturbed) > len(results.runs) / 10:
        found.append(f"Others used more than {100 * data.DISTURBED:.0f} % "
                     f"of the CPUs during {len(disturbed)} of "
                     f"{len(results.runs)} runs; on a machine that does "
                     "nothing else the same command tells more.")
    elif results.rounds() >= ROUNDS and statistics.median(counts) < ROUNDS:
        found.append(f"Fewer than {ROUNDS} runs of most variants count at "
                     "the last point, since others failed or were "
                     "disturbed.")
    return found
