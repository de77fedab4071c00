"""What n items can show, against textbook values, simulation and each other."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tpru.evaluation.power import (
    detectable_paired,
    detectable_unpaired,
    published_difference,
    seed_interval,
)
from tpru.evaluation.statistics import mcnemar_exact, wilson_interval

Z, POWER_Z = stats.norm.ppf(0.975), stats.norm.ppf(0.8)


@given(st.floats(20, 5000), st.floats(0.01, 1.0))
def test_the_paired_difference_needs_exactly_these_items(n: float, discordance: float) -> None:
    d = detectable_paired(n, discordance)
    if d is None:
        needed = (Z * math.sqrt(discordance) + POWER_Z * math.sqrt(discordance - discordance**2)) ** 2
        assert n < needed / discordance**2 * (1 + 1e-9)
    else:
        assert 0 < d <= discordance
        needed = (Z * math.sqrt(discordance) + POWER_Z * math.sqrt(discordance - d * d)) ** 2 / d**2
        assert needed == pytest.approx(n)


@pytest.mark.parametrize(("n", "discordance"), [(461, 0.3), (1000, 0.2), (2600, 0.25)])
def test_mcnemar_finds_the_paired_difference_in_four_of_five_samples(n: int, discordance: float) -> None:
    d = detectable_paired(n, discordance)
    assert d is not None
    rng = np.random.default_rng(n)
    shares = [(discordance + d) / 2, (discordance - d) / 2, 1 - discordance]
    drawn = rng.multinomial(n, shares, 2000)
    found = np.mean([mcnemar_exact(int(a), int(b)) < 0.05 for a, b, _ in drawn])
    # The exact test is a little more careful than the formula.
    assert 0.75 < found < 0.82


def test_too_few_items_show_nothing() -> None:
    assert detectable_paired(3, 0.5) is None
    assert detectable_paired(64, 0.05) is None
    assert detectable_paired(64, 0.0) is None
    assert detectable_unpaired(5, 0.9) is None
    assert detectable_unpaired(100, 1.0) is None


@pytest.mark.parametrize(
    # Fleiss (1981), items of each group without continuity correction, rounded up there.
    ("accuracy", "better", "n"),
    [(0.5, 0.6, 388), (0.05, 0.10, 435), (0.8, 0.9, 199), (0.25, 0.5, 58)],
)
def test_the_unpaired_difference_of_textbooks(accuracy: float, better: float, n: int) -> None:
    assert detectable_unpaired(n, accuracy) == pytest.approx(better - accuracy, abs=0.002)


def test_pairs_show_more_than_models_on_items_of_their_own() -> None:
    paired, unpaired = detectable_paired(1000, 0.2), detectable_unpaired(1000, 0.5)
    assert paired is not None
    assert unpaired is not None
    assert paired < 0.7 * unpaired


@pytest.mark.parametrize(
    ("power", "level", "share"), [(0.4, 0.05, 0.5), (1.0, 0.05, 0.5), (0.8, 0.6, 0.5), (0.8, 0.05, 1.5)]
)
def test_impossible_questions_are_refused(power: float, level: float, share: float) -> None:
    for ask in (detectable_paired, detectable_unpaired):
        with pytest.raises(ValueError, match=r"power|no share"):
            ask(100, share, power, level)


# Seeds.


def test_seeds_by_hand() -> None:
    # Mean 0.42, deviations -0.02, 0, 0.02: s = 0.02, s/sqrt(3) = 0.011547, t(2) = 4.302653.
    made = seed_interval([0.40, 0.42, 0.44])
    assert (made.n, made.mean) == (3, pytest.approx(0.42))
    assert made.interval is not None
    assert made.interval.low == pytest.approx(0.42 - 0.049683, abs=1e-6)
    assert made.interval.high == pytest.approx(0.42 + 0.049683, abs=1e-6)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8).filter(lambda v: np.std(v) > 1e-6))
def test_seeds_as_scipy_has_them(values: list[float]) -> None:
    made = seed_interval(values, 0.9)
    low, high = stats.t.interval(0.9, len(values) - 1, np.mean(values), stats.sem(values))
    assert made.interval is not None
    assert (made.interval.low, made.interval.high) == pytest.approx((low, high))


def test_one_seed_has_no_interval() -> None:
    assert seed_interval([0.4]).interval is None
    with pytest.raises(ValueError, match="no seed"):
        seed_interval([])


# Published figures.


def test_newcombe_of_two_wilson_intervals() -> None:
    made = published_difference(0.8, 0.6, 70)
    a, b = wilson_interval(56, 70), wilson_interval(42, 70)
    assert made.difference == pytest.approx(0.2)
    assert made.interval.low == pytest.approx(0.2 - math.hypot(0.8 - a.low, b.high - 0.6))
    assert made.interval.high == pytest.approx(0.2 + math.hypot(a.high - 0.8, 0.6 - b.low))
    assert made.distinguishable


@pytest.mark.parametrize(
    ("a", "b", "n", "distinguishable"),
    [
        (0.7570, 0.5033, 461, True),  # a 7B model before and after, TPRU-Test
        (0.7570, 0.7267, 461, False),  # the same against one of 72B
        (0.3438, 0.1406, 64, True),  # MuirBench, ordering
        (0.2344, 0.0938, 64, True),
        (0.3462, 0.3419, 234, False),  # MuirBench, counting
        (0.08, 0.04, 100, False),  # LEGO-Puzzles, ordering, 3B
        (0.32, 0.08, 100, True),  # and 7B
        (0.40, 0.47, 100, False),  # a loss that may be none
    ],
)
def test_published_gains(a: float, b: float, n: int, distinguishable: bool) -> None:
    assert published_difference(a, b, n).distinguishable is distinguishable


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 3000))
def test_published_differences_turn_round_and_widen_with_clusters(a: float, b: float, n: int) -> None:
    made, back, wide = (
        published_difference(*two, n, size) for two, size in (((a, b), 1), ((b, a), 1), ((a, b), 2))
    )
    assert made.interval.low == pytest.approx(-back.interval.high)
    assert made.interval.low - 1e-9 <= made.difference <= made.interval.high + 1e-9
    assert made.interval.low >= -1 - 1e-9
    assert made.interval.high <= 1 + 1e-9
    assert wide.interval.high - wide.interval.low >= made.interval.high - made.interval.low - 1e-9


def test_percentages_are_refused() -> None:
    with pytest.raises(ValueError, match="divide percentages by 100"):
        published_difference(75.7, 50.33, 461)
    with pytest.raises(ValueError, match="0 items"):
        published_difference(0.5, 0.4, 0)
