"""What n items can show, against textbook values, simulation and each other."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tpru.evaluation.power import detectable_paired, detectable_unpaired
from tpru.evaluation.statistics import mcnemar_exact

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
