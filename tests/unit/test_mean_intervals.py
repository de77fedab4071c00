"""Intervals of means and tests of paired differences by clusters: coverage by simulation, limits by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tpru.evaluation.statistics import Interval, clustered_mean_interval, sign_flip_p_value, wilson_interval

rows = st.lists(
    st.tuples(st.floats(0, 1, allow_subnormal=False), st.sampled_from("abcde")), min_size=1, max_size=30
)


def beta_clusters(
    rng: np.random.Generator, k: int, size: int, a: float = 2.0, b: float = 2.0
) -> tuple[list[float], list[str]]:
    """Values of a mean of a / (a + b) in ``k`` clusters, which explain half of the variance."""
    centre = rng.beta(a, b, k)
    values = 0.5 * centre[:, None] + 0.5 * rng.beta(a, b, (k, size))
    return values.ravel().tolist(), [str(i) for i in range(k) for _ in range(size)]


@pytest.mark.parametrize("shape", [(2.0, 2.0), (0.3, 1.2)])
@pytest.mark.parametrize(("k", "size", "least"), [(5, 4, 0.88), (10, 4, 0.93), (40, 3, 0.93)])
def test_mean_intervals_cover_the_truth(k: int, size: int, least: float, shape: tuple[float, float]) -> None:
    rng, truth, repeats = np.random.default_rng(k), shape[0] / sum(shape), 500
    drawn = [beta_clusters(rng, k, size, *shape) for _ in range(repeats)]
    ends = [clustered_mean_interval(values, clusters, n_resamples=1000) for values, clusters in drawn]
    covered = np.mean([e.low <= truth <= e.high for e in ends])
    # Three standard errors of the simulation.
    noise = 3 * (0.95 * 0.05 / repeats) ** 0.5
    assert least - noise < covered < 0.95 + noise


def test_intervals_that_ignore_the_clusters_do_not_cover_it() -> None:
    rng = np.random.default_rng(3)
    hit = 0
    for _ in range(300):
        values, _ = beta_clusters(rng, 15, 12)
        made = clustered_mean_interval(values, [str(i) for i in range(len(values))], n_resamples=200)
        hit += made.low <= 0.5 <= made.high
    assert hit / 300 < 0.8


def test_values_that_are_all_alike_are_not_certain() -> None:
    # One in ten clusters unseen may be anything: the Wilson bound w of 0 in 10 moves 0.7 to 0.7(1-w), or + w.
    w = wilson_interval(0, 10).high
    made = clustered_mean_interval([0.7] * 20, [str(i // 2) for i in range(20)])
    assert (made.low, made.high) == pytest.approx((0.7 * (1 - w), 0.7 * (1 - w) + w))
    assert clustered_mean_interval([0.0] * 20, ["a"] * 20).high == pytest.approx(wilson_interval(0, 1).high)
    assert clustered_mean_interval([0.2, 0.9], ["a", "a"]).low < 0.2


def test_no_values_know_nothing_within_the_bounds() -> None:
    assert clustered_mean_interval([], []) == Interval(0.0, 1.0)
    assert clustered_mean_interval([], [], bounds=(-1.0, 1.0)) == Interval(-1.0, 1.0)


@pytest.mark.parametrize(
    ("values", "clusters", "resamples", "message"),
    [
        ([0.5], ["a", "b"], 10, "differ in length"),
        ([0.5, 1.5], ["a", "b"], 10, r"1\.5 is not within"),
        ([float("nan")], ["a"], 10, "nan is not within"),
        ([0.5], ["a"], 0, "0 resamples"),
    ],
)
def test_impossible_input_is_refused(
    values: list[float], clusters: list[str], resamples: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        clustered_mean_interval(values, clusters, n_resamples=resamples)


@settings(max_examples=40, deadline=None)
@given(rows, st.randoms())
def test_mean_intervals_hold_the_mean_and_know_no_order(
    rows: list[tuple[float, str]], random: object
) -> None:
    values, clusters = [v for v, _ in rows], [c for _, c in rows]
    made = clustered_mean_interval(values, clusters, n_resamples=200)
    assert 0 <= made.low <= np.mean(values) + 1e-9
    assert np.mean(values) - 1e-9 <= made.high <= 1 + 1e-12
    random.shuffle(rows)  # type: ignore[attr-defined]
    again = clustered_mean_interval([v for v, _ in rows], [c for _, c in rows], n_resamples=200)
    assert again == made


def test_a_p_value_by_hand() -> None:
    # Three clusters of sums 3, 2, 1: of 8 flips only +++ and --- are as far from 0 as 6.
    assert sign_flip_p_value([1, 2, 2, 1], ["a", "a", "b", "c"]) == 2 / 8
    # Sums 2, -1, 1 give 2; |+-2 +-1 +-1| is 4, 2, 2, 0 with either sign: 6 of 8 are at least 2.
    assert sign_flip_p_value([2, -1, 1], ["a", "b", "c"]) == 6 / 8
    assert sign_flip_p_value([], []) == 1.0
    assert sign_flip_p_value([0.0, 0.0], ["a", "b"]) == 1.0


def test_drawn_flips_agree_with_all_flips() -> None:
    rng = np.random.default_rng(1)
    differences, clusters = rng.normal(0.3, 1, 13).tolist(), [str(i) for i in range(13)]
    every = sign_flip_p_value(differences, clusters, n_resamples=2**13)
    assert sign_flip_p_value(differences, clusters, n_resamples=2**13 - 1) == pytest.approx(every, abs=0.02)


def test_p_values_of_no_difference_are_uniform() -> None:
    rng = np.random.default_rng(2)
    clusters = [str(i // 3) for i in range(30)]
    found = []
    for _ in range(400):
        together = np.repeat(rng.normal(0, 1, 10), 3)
        found.append(sign_flip_p_value((together + rng.normal(0, 1, 30)).tolist(), clusters, 2**10))
    assert np.mean(np.array(found) <= 0.05) == pytest.approx(0.05, abs=0.033)
    assert np.mean(np.array(found) <= 0.5) == pytest.approx(0.5, abs=0.075)


def test_differences_and_clusters_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        sign_flip_p_value([1.0], [])
