"""Intervals and tests against hand-made numbers, degenerate cases and symmetries."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tpru.evaluation.statistics import mcnemar_exact, paired_difference, wilson_interval

counts = st.integers(0, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
answers = st.lists(
    st.tuples(st.booleans(), st.booleans(), st.sampled_from("abcdef")), min_size=1, max_size=40
)


@pytest.mark.parametrize(
    ("correct", "n", "low", "high"),
    [
        # z = 1.959964, worked by hand: (p + z2/2n -+ z sqrt(p(1-p)/n + z2/4n2)) / (1 + z2/n);
        # 81 of 263 is the worked example of R. G. Newcombe, Statistics in Medicine 17 (1998)
        (5, 10, 0.236593, 0.763407),
        (0, 10, 0.0, 0.277533),
        (10, 10, 0.722467, 1.0),
        (81, 263, 0.255289, 0.366208),
        (1, 1, 0.206543, 1.0),
    ],
)
def test_wilson_known_values(correct: int, n: int, low: float, high: float) -> None:
    interval = wilson_interval(correct, n)
    assert interval.low == pytest.approx(low, abs=1e-4)
    assert interval.high == pytest.approx(high, abs=1e-4)


def test_wilson_knows_nothing_without_items() -> None:
    interval = wilson_interval(0, 0)
    assert (interval.low, interval.high) == (0.0, 1.0)


@pytest.mark.parametrize(("correct", "n", "confidence"), [(3, 2, 0.9), (-1, 2, 0.9), (1, 2, 1.0)])
def test_wilson_rejects_impossible_input(correct: int, n: int, confidence: float) -> None:
    with pytest.raises(ValueError, match=r"right answers|confidence"):
        wilson_interval(correct, n, confidence)


@given(counts, st.floats(0.01, 0.999))
def test_wilson_contains_the_share_and_stays_in_range(count: tuple[int, int], confidence: float) -> None:
    correct, n = count
    interval = wilson_interval(correct, n, confidence)
    share = correct / n if n else 0.5
    assert 0 <= interval.low <= share <= interval.high <= 1


@given(counts)
def test_wilson_mirrors_success_and_failure(count: tuple[int, int]) -> None:
    correct, n = count
    right, wrong = wilson_interval(correct, n), wilson_interval(n - correct, n)
    assert right.low == pytest.approx(1 - wrong.high, abs=1e-12)
    assert right.high == pytest.approx(1 - wrong.low, abs=1e-12)


@given(counts)
def test_wilson_widens_with_confidence(count: tuple[int, int]) -> None:
    narrow, wide = wilson_interval(*count, 0.8), wilson_interval(*count, 0.99)
    assert wide.low <= narrow.low
    assert narrow.high <= wide.high


@pytest.mark.parametrize(
    ("only_a", "only_b", "expected"),
    [
        (0, 0, 1.0),
        (5, 5, 1.0),
        (1, 0, 1.0),
        (5, 0, 2 / 32),
        (0, 6, 2 / 64),
        (8, 2, 2 * (1 + 10 + 45) / 1024),
    ],
)
def test_mcnemar_known_values(only_a: int, only_b: int, expected: float) -> None:
    assert mcnemar_exact(only_a, only_b) == pytest.approx(expected)


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_is_symmetric_and_a_probability(only_a: int, only_b: int) -> None:
    p_value = mcnemar_exact(only_a, only_b)
    assert p_value == mcnemar_exact(only_b, only_a)
    assert 0 <= p_value <= 1


def test_paired_counts_and_difference() -> None:
    a = [True, True, True, False, False, True]
    b = [True, False, False, True, False, True]
    result = paired_difference(a, b, list("uuvvww"), n_resamples=500)
    assert (result.n, result.only_a, result.only_b) == (6, 2, 1)
    assert result.difference == pytest.approx(1 / 6)
    assert result.low <= result.difference <= result.high
    assert result.p_value == 1.0


def test_paired_interval_matches_the_normal_one_when_every_item_is_a_cluster() -> None:
    n, only_a, only_b = 1000, 200, 100
    a = [i < only_a for i in range(n)]
    b = [only_a <= i < only_a + only_b for i in range(n)]
    result = paired_difference(a, b, [str(i) for i in range(n)], n_resamples=4000)
    deviation = (((only_a + only_b) / n - 0.1**2) / n) ** 0.5
    assert result.low == pytest.approx(0.1 - 1.96 * deviation, abs=0.003)
    assert result.high == pytest.approx(0.1 + 1.96 * deviation, abs=0.003)


def test_paired_interval_widens_when_items_of_a_cluster_agree() -> None:
    a = [i % 4 == 0 for i in range(40) for _ in range(10)]
    b = [i % 8 == 1 for i in range(40) for _ in range(10)]
    clustered = paired_difference(a, b, [str(i) for i in range(40) for _ in range(10)])
    single = paired_difference(a, b, [str(i) for i in range(400)])
    assert clustered.high - clustered.low > 2.5 * (single.high - single.low)


def test_paired_is_deterministic_by_seed_and_blind_to_order() -> None:
    a, b = [True, False, True, True, False], [False, False, True, False, True]
    clusters = list("xyzxy")
    first = paired_difference(a, b, clusters, n_resamples=300, seed=3)
    back = paired_difference(a[::-1], b[::-1], clusters[::-1], n_resamples=300, seed=3)
    assert first == back


def test_paired_without_items_knows_nothing() -> None:
    result = paired_difference([], [], [])
    assert (result.n, result.difference, result.p_value) == (0, 0.0, 1.0)
    assert (result.low, result.high) == (-1.0, 1.0)


def test_paired_all_equal_is_not_certain() -> None:
    few = paired_difference([True] * 4, [True] * 4, list("abcd"))
    many = paired_difference([True] * 400, [True] * 400, [str(i) for i in range(400)])
    assert few.difference == 0
    assert few.low == -few.high < 0
    assert many.high == pytest.approx(wilson_interval(0, 400).high)
    assert many.high < 0.01


def test_paired_one_cluster_is_almost_no_evidence() -> None:
    result = paired_difference([True] * 50 + [False] * 50, [False] * 100, ["x"] * 100)
    assert result.low < -0.5
    assert result.high > 0.85


def test_paired_one_model_right_everywhere() -> None:
    result = paired_difference([True] * 10, [False] * 10, list("abcdefghij"))
    assert result.difference == result.high == pytest.approx(1.0)
    assert 0 < result.low < 1


def test_paired_rejects_lists_of_different_length() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        paired_difference([True], [True, False], ["x", "y"])


@settings(max_examples=50, deadline=None)
@given(answers, st.integers(0, 5))
def test_paired_is_antisymmetric(rows: list[tuple[bool, bool, str]], seed: int) -> None:
    a, b, clusters = map(list, zip(*rows, strict=True))
    forward = paired_difference(a, b, clusters, n_resamples=200, seed=seed)
    backward = paired_difference(b, a, clusters, n_resamples=200, seed=seed)
    assert forward.difference == -backward.difference
    assert forward.p_value == backward.p_value
    assert forward.low == pytest.approx(-backward.high, abs=1e-12)
    assert forward.high == pytest.approx(-backward.low, abs=1e-12)
    assert -1 <= forward.low <= forward.high <= 1
