"""What a number of items can show: the smallest difference that it finds."""

import math

from scipy import optimize, special

POWER = 0.8
LEVEL = 0.05


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


def _quantiles(power: float, level: float) -> tuple[float, float]:
    if not 0 < level < 0.5 or not 0.5 <= power < 1:
        raise ValueError(f"level {level} must be in (0, 0.5), power {power} in [0.5, 1)")
    return float(special.ndtri(1 - level / 2)), float(special.ndtri(power))
