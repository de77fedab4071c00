"""Intervals of clustered items: coverage by simulation, limits by hand; corrections for many comparisons."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tpru.evaluation.statistics import (
    clustered_ends,
    clustered_interval,
    design_effect,
    holm,
    wilson_interval,
)

REPEATS = 3000
# Three standard errors of a simulated coverage.
NOISE = 3 * math.sqrt(0.95 * 0.05 / REPEATS)


def width(interval: Any) -> float:
    return float(interval.high - interval.low)


# Independent items: exact coverage, no simulation needed.


@pytest.mark.parametrize("n", [20, 64, 100, 461])
def test_wilson_covers_the_truth_in_95_of_100_samples(n: int) -> None:
    ends = [wilson_interval(k, n) for k in range(n + 1)]
    covered = [
        sum(stats.binom.pmf(k, n, p) for k, e in enumerate(ends) if e.low <= p <= e.high)
        for p in np.linspace(0.05, 0.95, 37)
    ]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.01)
    assert min(covered) > 0.91


# Clustered items, drawn from a beta-binomial distribution of this mean and correlation within clusters.


def draw(
    k: int, size: int, p: float, correlation: float, equal: bool
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    rng = np.random.default_rng([k, size, int(1000 * p), int(1000 * correlation)])
    sizes = np.full((REPEATS, k), size) if equal else rng.integers(1, 2 * size, (REPEATS, k))
    spread = 1 / correlation - 1 if correlation else 0
    each = rng.beta(p * spread, (1 - p) * spread, (REPEATS, k)) if correlation else np.full((REPEATS, k), p)
    return rng.binomial(sizes, each), sizes


@pytest.mark.parametrize("equal", [True, False])
@pytest.mark.parametrize(("k", "size"), [(5, 10), (10, 5), (30, 5), (100, 2), (100, 10)])
def test_clustered_intervals_cover_the_truth(k: int, size: int, equal: bool) -> None:
    """95% less noise and a point; a little less where the few right answers come in whole clusters."""
    for p in (0.03, 0.2, 0.5, 0.9):
        for correlation in (0.0, 0.1, 0.4, 0.8):
            low, high = clustered_ends(*draw(k, size, p, correlation, equal), 0.95)
            slack = 0.015 if p < 0.1 and correlation == 0.8 else 0.01
            covered = np.mean((low <= p) & (p <= high))
            assert covered > 0.95 - slack - NOISE, (p, correlation, covered)


def test_intervals_that_ignore_the_clusters_do_not_cover_it() -> None:
    sums, sizes = draw(30, 5, 0.5, 0.8, True)
    ends = [wilson_interval(int(s), int(n)) for s, n in zip(sums.sum(1), sizes.sum(1), strict=True)]
    assert np.mean([e.low <= 0.5 <= e.high for e in ends]) < 0.75


def test_many_independent_clusters_cost_no_width() -> None:
    low, high = clustered_ends(*draw(200, 3, 0.4, 0.0, True), 0.95)
    assert np.mean(high - low) == pytest.approx(width(wilson_interval(240, 600)), rel=0.06)


# By hand.


def test_a_design_effect_by_hand() -> None:
    # Three clusters of two: (1, 1), (0, 0), (1, 0). Share 1/2, residuals 1, -1, 0: variance
    # (1 + 1 + 0) / 36 * 3/2 = 1/12; of independent items 1/4 / 5 = 1/20.
    sums, sizes = np.array([2, 0, 1]), np.array([2, 2, 2])
    assert design_effect(sums, sizes, np.array(3)) == pytest.approx(20 / 12)
    # Differences +1, -1 | 0, 0 | +1, 0 sum to 1: mean 1/6, residuals -1/3, -1/3, 2/3, variance
    # (6/9) / 36 * 3/2 = 1/36; of independent items (3/6 - 1/36) / 5 = 17/180.
    assert design_effect(np.array([0, 0, 1]), sizes, np.array(3)) == pytest.approx(180 / 17 / 36)


def test_an_interval_by_hand() -> None:
    # The clusters above, ten times: 30 of 60 right, residuals 1, -1, 0 ten times each: variance
    # 20/3600 * 30/29, of independent items 1/4/59; 20 clusters hold a right answer and 20 a wrong one, so
    # that it is mixed with the largest effect 2 with weights 20 and 1.
    answers = [True, True, False, False, True, False] * 10
    clusters = [str(i // 2) for i in range(60)]
    effect = (20 * (20 / 3600 * 30 / 29) / (0.25 / 59) + 2) / 21
    n = 60 / effect * (stats.t.ppf(0.975, 59) / stats.t.ppf(0.975, 29)) ** 2
    z = stats.norm.ppf(0.975)
    half = z * math.sqrt(0.25 / n + z * z / (4 * n * n)) / (1 + z * z / n)
    made = clustered_interval(answers, clusters)
    assert (made.low, made.high) == pytest.approx((0.5 - half, 0.5 + half))


@given(st.lists(st.booleans(), max_size=60), st.floats(0.5, 0.99))
def test_items_of_their_own_are_plain_wilson(answers: list[bool], confidence: float) -> None:
    made = clustered_interval(answers, [str(i) for i in range(len(answers))], confidence)
    assert made == wilson_interval(sum(answers), len(answers), confidence)


def test_copies_of_an_item_say_nothing_new() -> None:
    answers = [i % 3 == 0 for i in range(60)]
    once = clustered_interval(answers, [str(i) for i in range(60)])
    copied = clustered_interval(answers * 4, [str(i) for i in range(60)] * 4)
    # Slightly wider: of clusters, unlike of items, the correlation has to be estimated.
    assert 1.0 <= width(copied) / width(once) < 1.03
    assert width(wilson_interval(80, 240)) < 0.6 * width(copied)


def test_nothing_right_in_few_clusters_is_not_certain() -> None:
    few = clustered_interval([False] * 100, [str(i // 10) for i in range(100)])
    assert few == wilson_interval(0, 10)
    # Nor does one right answer make it so.
    one = clustered_interval([True] + [False] * 99, [str(i // 10) for i in range(100)])
    assert 0.6 * few.high < one.high


def test_one_cluster_is_one_item() -> None:
    assert clustered_interval([True] * 50, ["x"] * 50) == wilson_interval(1, 1)
    assert width(clustered_interval([True, False] * 25, ["x"] * 50)) > 0.85


def test_a_model_that_always_refuses_pairs_is_not_certain_of_its_half() -> None:
    """One of two counterparts is right in every pair: no variance between pairs, yet n counts as n."""
    made = clustered_interval([True, False] * 50, [str(i // 2) for i in range(100)])
    plain = wilson_interval(50, 100)
    assert made.low <= plain.low
    assert plain.high <= made.high


def test_no_items_know_nothing() -> None:
    assert clustered_interval([], []) == wilson_interval(0, 0)


def test_lists_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        clustered_interval([True], ["a", "b"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abcde")), min_size=1, max_size=40), st.randoms())
def test_intervals_hold_the_share_mirror_and_know_no_order(rows: list[tuple[bool, str]], random: Any) -> None:
    answers, clusters = [a for a, _ in rows], [c for _, c in rows]
    made = clustered_interval(answers, clusters)
    assert 0 <= made.low <= sum(answers) / len(answers) <= made.high <= 1
    turned = clustered_interval([not a for a in answers], clusters)
    assert (turned.low, turned.high) == pytest.approx((1 - made.high, 1 - made.low))
    random.shuffle(rows)
    again = clustered_interval([a for a, _ in rows], [c for _, c in rows])
    assert (again.low, again.high) == pytest.approx((made.low, made.high), abs=1e-12)


# Holm.


def test_holm_by_hand() -> None:
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1: 0.02, 0.03, 0.06, 0.04, which may not fall: 0.06.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


def test_holm_refuses_what_is_no_probability() -> None:
    with pytest.raises(ValueError, match=r"1\.5"):
        holm([0.1, 1.5])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_the_p_value_and_bonferroni(values: list[float]) -> None:
    adjusted = holm(values)
    for p, a in zip(values, adjusted, strict=True):
        assert p <= a <= min(1.0, p * len(values)) + 1e-12
    order = sorted(range(len(values)), key=lambda i: values[i])
    assert [adjusted[i] for i in order] == sorted(adjusted)


def test_holm_keeps_false_findings_rare() -> None:
    rng = np.random.default_rng(5)
    found = np.mean([min(holm(list(rng.random(10)))) < 0.05 for _ in range(2000)])
    assert found == pytest.approx(0.05, abs=0.015)
