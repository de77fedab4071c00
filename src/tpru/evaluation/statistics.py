"""Intervals and tests for shares of right answers: pure functions on counts and 0/1 lists."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

RESAMPLE_CELLS = 1 << 21


@dataclass(frozen=True)
class Interval:
    """A confidence interval, both ends included."""

    low: float
    high: float


@dataclass(frozen=True)
class PairedResult:
    """How two models differ on the same items.

    ``only_a`` and ``only_b`` count the items that only one of them got right; ``difference`` is the
    accuracy of A minus that of B as a share (0.05 is five points), from ``low`` to ``high``.
    """

    n: int
    only_a: int
    only_b: int
    difference: float
    low: float
    high: float
    p_value: float


def wilson_interval(correct: int, n: int, confidence: float = 0.95) -> Interval:
    """Score interval of a share, which keeps its coverage for small ``n`` and shares near 0 and 1.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    Journal of the American Statistical Association 22 (1927), 209-212. No item (``n == 0``) leaves
    the share unknown: (0, 1).
    """
    _check_confidence(confidence)
    if not 0 <= correct <= n:
        raise ValueError(f"{correct} right answers of {n} items")
    if n == 0:
        return Interval(0.0, 1.0)
    z = float(special.ndtri(0.5 + confidence / 2))
    share = correct / n
    scale = 1 + z * z / n
    centre = (share + z * z / (2 * n)) / scale
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / scale
    # rounding may leave an end a hair inside a share of exactly 0 or 1
    low = max(0.0, min(share, centre - half))
    return Interval(low, min(1.0, max(share, centre + half)))


def mcnemar_exact(only_a: int, only_b: int) -> float:
    """Two-sided p-value that A and B are equally often the only one that is right.

    Source: Q. McNemar, "Note on the sampling error of the difference between correlated proportions
    or percentages", Psychometrika 12 (1947), 153-157, with the exact binomial distribution of the
    discordant pairs in place of its chi-square approximation: twice the smaller tail of
    Binomial(only_a + only_b, 1/2), at most 1. Without discordant pairs it is 1.
    """
    if min(only_a, only_b) < 0:
        raise ValueError(f"negative counts: {only_a}, {only_b}")
    tail = float(special.bdtr(min(only_a, only_b), only_a + only_b, 0.5))
    return min(1.0, 2 * tail)


def paired_difference(
    correct_a: Sequence[bool],
    correct_b: Sequence[bool],
    clusters: Sequence[str],
    confidence: float = 0.95,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> PairedResult:
    """Difference in accuracy on the same items, with an interval that resamples whole clusters.

    Source: E. Miller, "Adding error bars to evals", arXiv:2411.00640 (2024): compare models on the
    same items, and cluster the errors, since items of one episode are not independent. Resampling
    of clusters: C. A. Field and A. H. Welsh, "Bootstrapping clustered data", Journal of the Royal
    Statistical Society B 69 (2007), 369-390. The interval is the percentile one (B. Efron and
    R. Tibshirani, "An introduction to the bootstrap", 1993, chapter 13); with fewer than about ten
    clusters it is too narrow. ``p_value`` is :func:`mcnemar_exact` over items, which does not know
    of clusters. The order of the items does not matter; the same seed gives the same interval.

    Where every cluster shows the same difference d (no discordant item, one model right everywhere,
    one single cluster, or no item at all), resampling would claim certainty. Then the share w of
    unseen clusters that may deviate is bounded by the Wilson interval of 0 in k clusters, and d may
    move by that share to either extreme: [(1-w)d - w, (1-w)d + w]. Without items this is [-1, 1].
    """
    _check_confidence(confidence)
    if not len(correct_a) == len(correct_b) == len(clusters):
        lengths = f"{len(correct_a)}, {len(correct_b)} and {len(clusters)}"
        raise ValueError(f"answers of A, of B and clusters differ in length: {lengths}")
    if n_resamples < 1:
        raise ValueError(f"{n_resamples} resamples")
    only_a = sum(a and not b for a, b in zip(correct_a, correct_b, strict=True))
    only_b = sum(b and not a for a, b in zip(correct_a, correct_b, strict=True))
    n = len(clusters)
    difference = (only_a - only_b) / n if n else 0.0
    sums, sizes = _per_cluster(correct_a, correct_b, clusters)
    if len(np.unique(sums / sizes)) < 2:
        interval = _interval_without_spread(difference, len(sums), confidence)
    else:
        interval = _bootstrap(sums, sizes, confidence, n_resamples, seed)
    p_value = mcnemar_exact(only_a, only_b)
    return PairedResult(n, only_a, only_b, difference, interval.low, interval.high, p_value)


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence} is not between 0 and 1")


def _per_cluster(
    correct_a: Sequence[bool], correct_b: Sequence[bool], clusters: Sequence[str]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Summed difference and number of items of each cluster, in the order of the cluster names."""
    totals: dict[str, list[int]] = {}
    for a, b, cluster in zip(correct_a, correct_b, clusters, strict=True):
        entry = totals.setdefault(cluster, [0, 0])
        entry[0] += int(a) - int(b)
        entry[1] += 1
    table = np.array([totals[name] for name in sorted(totals)], dtype=np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _interval_without_spread(difference: float, n_clusters: int, confidence: float) -> Interval:
    deviating = wilson_interval(0, n_clusters, confidence).high
    kept = (1 - deviating) * difference
    return Interval(kept - deviating, kept + deviating)


def _bootstrap(
    sums: npt.NDArray[np.int64],
    sizes: npt.NDArray[np.int64],
    confidence: float,
    n_resamples: int,
    seed: int,
) -> Interval:
    generator = np.random.default_rng(seed)
    batch = max(1, RESAMPLE_CELLS // len(sums))
    parts = []
    for start in range(0, n_resamples, batch):
        shape = (min(batch, n_resamples - start), len(sums))
        drawn = generator.integers(0, len(sums), shape)
        parts.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.concatenate(parts), [tail, 1 - tail])
    return Interval(float(low), float(high))
