"""What a number of items can show: least differences, intervals over seeds, published accuracies compared."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from tpru.evaluation.statistics import Interval, score_interval

POWER = 0.8
LEVEL = 0.05


@dataclass(frozen=True)
class OverSeeds:
    """Mean of the same figure over seeds; the interval is None with one seed, which shows no spread."""

    n: int
    mean: float
    interval: Interval | None


@dataclass(frozen=True)
class PublishedDifference:
    """Accuracy of A minus that of B as a share, with its interval; ``distinguishable`` if 0 is outside."""

    difference: float
    interval: Interval
    distinguishable: bool


def detectable_paired(
    n: float, discordance: float, power: float = POWER, level: float = LEVEL
) -> float | None:
    """Smallest difference in accuracy that a test on the same items finds with this power.

    Args:
        n: items; of clustered items the effective number, n over the design effect of the differences.
        discordance: share of the items that exactly one of the two models gets right.
        power: probability to find it.
        level: two-sided level of McNemar's test.

    Returns:
        The difference as a share; None where even a difference as large as the discordance would be missed.

    The difference d solves d sqrt(n) = z_level sqrt(discordance) + z_power sqrt(discordance - d^2): R. J.
    Connor, "Sample size for testing differences in proportions for the paired-sample design", Biometrics
    43 (1987), 207-211. The exact test needs slightly more.
    """
    a, b = _quantiles(power, level)
    if not 0 <= discordance <= 1:
        raise ValueError(f"discordance {discordance} is no share")
    left = n - a * a + b * b
    if left < 0 or discordance == 0:
        return None
    difference = math.sqrt(discordance) * (a * math.sqrt(n) + b * math.sqrt(left)) / (n + b * b)
    return difference if difference <= discordance else None


def detectable_unpaired(
    n: float, accuracy: float, power: float = POWER, level: float = LEVEL
) -> float | None:
    """Smallest gain over ``accuracy`` that two models, each on its own ``n`` items, show with this power.

    The usual formula of the two-proportion z-test: J. L. Fleiss, "Statistical methods for rates and
    proportions" (1981), chapter 3, without continuity correction. None where even all right is too little.
    """
    a, b = _quantiles(power, level)
    if not 0 <= accuracy <= 1:
        raise ValueError(f"accuracy {accuracy} is no share")

    def surplus(difference: float) -> float:
        better = accuracy + difference
        mean = accuracy + difference / 2
        needed = a * math.sqrt(2 * mean * (1 - mean))
        needed += b * math.sqrt(accuracy * (1 - accuracy) + max(0.0, better * (1 - better)))
        return difference * math.sqrt(n) - needed

    most = 1 - accuracy
    return float(optimize.brentq(surplus, 0.0, most)) if surplus(most) >= 0 and most > 0 else None


def seed_interval(values: Sequence[float], confidence: float = 0.95) -> OverSeeds:
    """Mean over seeds and Student's t interval of it: how much another run of the same recipe may differ.

    It says nothing of other items: that is what the intervals over items are for.
    """
    if not values:
        raise ValueError("no seed")
    mean = math.fsum(values) / len(values)
    if len(values) == 1:
        return OverSeeds(1, mean, None)
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    half = float(special.stdtrit(len(values) - 1, 0.5 + confidence / 2)) * error
    return OverSeeds(len(values), mean, Interval(mean - half, mean + half))


def published_difference(
    accuracy_a: float, accuracy_b: float, n: int, cluster_size: float = 1.0, confidence: float = 0.95
) -> PublishedDifference:
    """Two published accuracies on the same ``n`` items, of which nothing but the shares is known.

    The models answered the same items, but who got which one right is not published, so that they are
    compared as if each had had its own items: R. G. Newcombe, "Interval estimation for the difference
    between independent proportions", Statistics in Medicine 17 (1998), 873-890, method 10. Models that find
    the same items easy differ less by chance than that, so the interval is rather too wide. Items in
    clusters work the other way: ``cluster_size`` divides n, and the mean size of the clusters (2 for
    counterpart pairs) gives the widest, as if a cluster were right or wrong as a whole.
    """
    for share in (accuracy_a, accuracy_b):
        if not 0 <= share <= 1:
            raise ValueError(f"accuracy {share} is no share: divide percentages by 100")
    if n < 1 or cluster_size < 1:
        raise ValueError(f"{n} items in clusters of {cluster_size}")
    difference = accuracy_a - accuracy_b
    a, b = (score_interval(share, n / cluster_size, confidence) for share in (accuracy_a, accuracy_b))
    low = difference - math.hypot(accuracy_a - a.low, b.high - accuracy_b)
    high = difference + math.hypot(a.high - accuracy_a, accuracy_b - b.low)
    return PublishedDifference(difference, Interval(low, high), not low <= 0 <= high)


def _quantiles(power: float, level: float) -> tuple[float, float]:
    if not 0 < level < 0.5 or not 0.5 <= power < 1:
        raise ValueError(f"level {level} must be in (0, 0.5), power {power} in [0.5, 1)")
    return float(special.ndtri(1 - level / 2)), float(special.ndtri(power))
