"""What a published figure, and a difference of two, can say given its number of items."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scipy import optimize, special

from tpru.evaluation.statistics import Interval, holm, mcnemar_exact, wilson_interval
from tpru.reporting.published import Published

Parts = Sequence[tuple[float, int, int]]
Verdict = Literal["clear", "open", "noise"]
LEVEL = 0.05
Z_95 = float(special.ndtri(0.975))
# beyond it 1 - p is not told from 1 any more
LARGEST_Z = 8.0


@dataclass(frozen=True)
class Gain:
    """A published difference of two models in one column, as shares.

    ``p`` takes the two as unpaired; ``least_p`` is of the pairing of answers that would favour the
    difference most. Both are corrected for all gains of the table. ``verdict``: "clear" where ``p`` is
    below 0.05, "noise" where not even ``least_p`` is, else "open": the answers, which are not published,
    would decide.
    """

    base: str
    trained: str
    column: str
    n: int
    difference: float
    interval: Interval
    p: float
    least_p: float

    @property
    def verdict(self) -> Verdict:
        if self.p < LEVEL:
            return "clear"
        return "noise" if self.least_p >= LEVEL else "open"


def estimate(parts: Parts, z: float = Z_95) -> tuple[float, Interval]:
    """Sum of weight times share over independent groups (weight, right, items), with its limits.

    One group of weight 1 gives the Wilson interval; weights 1 and -1 the hybrid score interval of a
    difference (R. G. Newcombe, "Interval estimation for the difference between independent proportions",
    Statistics in Medicine 17 (1998), 873-890, method 10); other weights its generalisation (G. Y. Zou and
    A. Donner, "Construction of confidence limits about effect measures", Statistics in Medicine 27 (2008),
    1693-1702). ``z`` is the normal quantile of the limits.
    """
    confidence = math.erf(z / math.sqrt(2))
    value, below, above = 0.0, 0.0, 0.0
    for weight, right, n in parts:
        share, wilson = right / n, wilson_interval(right, n, confidence)
        low, high = sorted((weight * (wilson.low - share), weight * (wilson.high - share)))
        value += weight * share
        below += low**2
        above += high**2
    return value, Interval(value - math.sqrt(below), value + math.sqrt(above))


def p_value(parts: Parts) -> float:
    """Two-sided p-value that :func:`estimate` is 0: the level at which its interval just reaches 0."""

    def reach(z: float) -> float:
        value, interval = estimate(parts, z)
        return interval.low if value > 0 else -interval.high

    if abs(estimate(parts)[0]) < 1e-9:
        return 1.0
    z = LARGEST_Z if reach(LARGEST_Z) > 0 else float(optimize.brentq(reach, 1e-9, LARGEST_Z))
    return math.erfc(z / math.sqrt(2))


def gains(table: Published) -> list[Gain]:
    """Every published gain and loss whose number of items is known, by column and pair."""
    found: list[tuple[str, str, str, Parts, Parts]] = []
    for base, trained in table.gains:
        for column in table.names:
            before, after = table.counts(base, column), table.counts(trained, column)
            if before and after:
                found.append((base, trained, column, before, after))
    differences = [[*after, *((-w, right, n) for w, right, n in before)] for *_, before, after in found]
    p_values = holm([p_value(parts) for parts in differences])
    least = holm([least_p(before, after) for *_, before, after in found])
    return [
        Gain(base, trained, column, sum(n for _, _, n in after), *estimate(parts), p, best)
        for (base, trained, column, _, after), parts, p, best in zip(
            found, differences, p_values, least, strict=True
        )
    ]


def least_p(before: Parts, after: Parts) -> float:
    """P-value of McNemar's test if one model had right all that the other had, its least possible value."""
    change = sum(right for _, right, _ in after) - sum(right for _, right, _ in before)
    return mcnemar_exact(max(change, 0), max(-change, 0))
