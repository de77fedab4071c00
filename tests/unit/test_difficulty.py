"""Wrong orders: real orders, all different, and no rule about orders alone finds the right one."""

from collections import Counter
from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tpru.synthesis.difficulty import kendall, order_difficulty, wrong_orders

LABELS = st.integers(3, 6).flatmap(lambda n: st.permutations("12345678"[:n])).map("".join)
SEEDS = st.integers(0, 2**32 - 1)
DRAWS = 3000


@given(LABELS, st.randoms(use_true_random=False))
def test_the_distance_of_two_orders_is_a_distance(right: str, random: object) -> None:
    mixed = list(right)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    other = "".join(mixed)
    pairs = len(right) * (len(right) - 1) // 2
    assert kendall(right, right) == 0
    assert kendall(right, right[::-1]) == pairs
    assert kendall(right, other) == kendall(other, right)
    assert kendall(right, other) + kendall(right, other[::-1]) == pairs
    assert (kendall(right, other) == 0) == (right == other)


@pytest.mark.parametrize(
    ("wrong", "distance"), [("1243", 1), ("2143", 2), ("2341", 3), ("4123", 3), ("4312", 5), ("4321", 6)]
)
def test_the_distance_by_hand(wrong: str, distance: int) -> None:
    assert kendall("1234", wrong) == distance


@pytest.mark.parametrize(
    ("wrong", "difficulty"),
    [
        (["4321"], 0.0),
        (["1243"], 5 / 6),
        (["1243", "2134", "1324"], 5 / 6),
        (["1243", "4321"], 5 / 12),
    ],
)
def test_close_orders_are_hard(wrong: list[str], difficulty: float) -> None:
    assert order_difficulty("1234", wrong) == pytest.approx(difficulty)


@settings(deadline=None)
@given(LABELS, st.integers(1, 5), st.booleans(), SEEDS)
def test_wrong_orders_are_orders_of_the_same_labels_all_different_and_wrong(
    right: str, count: int, close: bool, seed: int
) -> None:
    made = wrong_orders(right, count, close, np.random.default_rng(seed))
    assert len(made) == count
    assert len({right, *made}) == count + 1
    assert {"".join(sorted(order)) for order in made} == {"".join(sorted(right))}
    assert 0.0 <= order_difficulty(right, made) < 1.0


@settings(deadline=None)
@given(LABELS, SEEDS)
def test_wrong_orders_depend_on_the_generator_alone(right: str, seed: int) -> None:
    first, second = (wrong_orders(right, 4, True, np.random.default_rng(seed)) for _ in range(2))
    assert first == second


@settings(deadline=None)
@given(LABELS, LABELS, st.booleans(), SEEDS)
def test_the_names_of_the_labels_do_not_matter(right: str, other: str, close: bool, seed: int) -> None:
    """Only which place a label has in the right order counts, so the labels cannot tell."""
    if len(right) != len(other):
        return
    renamed = dict(zip(right, other, strict=True))
    first, second = (wrong_orders(r, 4, close, np.random.default_rng(seed)) for r in (right, other))
    assert ["".join(renamed[label] for label in order) for order in first] == second


def mean_difficulty(close: bool) -> float:
    rng = np.random.default_rng(0)
    made = [order_difficulty("1234", wrong_orders("1234", 4, close, rng)) for _ in range(500)]
    return float(np.mean(made))


def test_close_orders_come_with_their_reverse_so_they_are_no_harder_in_the_mean() -> None:
    """A reverse in the set is what keeps the right order from being the one in the middle."""
    assert mean_difficulty(False) == pytest.approx(0.48, abs=0.04)
    assert mean_difficulty(True) == pytest.approx(mean_difficulty(False), abs=0.12)


def test_any_order_may_be_drawn() -> None:
    rng = np.random.default_rng(1)
    drawn = Counter(w for _ in range(600) for w in wrong_orders("1234", 4, False, rng))
    assert set(drawn) == {"".join(p) for p in permutations("1234")} - {"1234"}


def test_close_orders_are_a_swap_or_two_away_from_the_right_one_or_its_reverse() -> None:
    rng = np.random.default_rng(1)
    drawn = Counter(w for _ in range(1500) for w in wrong_orders("1234", 4, True, rng))
    others = {"".join(p) for p in permutations("1234")} - {"1234"}
    swapped = {o for o in others if min(kendall(o, "1234"), kendall(o, "4321")) <= 1}
    assert swapped <= set(drawn)
    assert all(min(kendall(o, "1234"), kendall(o, "4321")) <= 2 for o in drawn)


# Rules that see the orders and nothing else.

Rule = Callable[[str, list[str]], float]  # an order and the other ones: the higher, the likelier right


def near(order: str, others: list[str]) -> float:
    return -sum(kendall(order, o) for o in others)


def far(order: str, others: list[str]) -> float:
    return -near(order, others)


def nearest_one(order: str, others: list[str]) -> float:
    return -min(kendall(order, o) for o in others)


def reversed_among(order: str, others: list[str]) -> float:
    return float(order[::-1] in others)


def not_reversed_among(order: str, others: list[str]) -> float:
    return -reversed_among(order, others)


def neighbours(order: str, others: list[str]) -> float:
    return float(sum(kendall(order, o) == 1 for o in others))


def agreeing_ends(order: str, others: list[str]) -> float:
    return float(sum((order[0] == o[0]) + (order[-1] == o[-1]) for o in others))


RULES: tuple[Rule, ...] = (
    *(near, far, nearest_one, reversed_among, not_reversed_among, neighbours, agreeing_ends),
)


def share_right(rule: Rule, close: bool, shown: int, n: int = 4) -> float:
    """How often a rule finds the right order among it and the first ``shown`` wrong ones; ties share."""
    rng = np.random.default_rng(7)
    right = "4213"[:n] if n <= 4 else "42135"
    total = 0.0
    for _ in range(DRAWS):
        orders = [right, *wrong_orders(right, 4, close, rng)[:shown]]
        scores = [rule(o, [other for other in orders if other != o]) for o in orders]
        best = [o for o, s in zip(orders, scores, strict=True) if s == max(scores)]
        total += (right in best) / len(best)
    return total / DRAWS


@pytest.mark.parametrize("close", [False, True])
@pytest.mark.parametrize("rule", RULES, ids=[r.__name__ for r in RULES])
def test_no_rule_about_all_five_orders_finds_the_right_one(rule: Rule, close: bool) -> None:
    # Four standard errors of a share of 3,000 draws.
    assert share_right(rule, close, shown=4) == pytest.approx(1 / 5, abs=0.03)


@pytest.mark.parametrize("close", [False, True])
@pytest.mark.parametrize("rule", RULES, ids=[r.__name__ for r in RULES])
def test_no_rule_about_the_four_orders_of_an_answerable_item_finds_the_right_one(
    rule: Rule, close: bool
) -> None:
    # One of the wrong orders is left out where the right one is shown.
    assert share_right(rule, close, shown=3) == pytest.approx(1 / 4, abs=0.032)


def test_five_pictures_give_no_rule_either() -> None:
    for rule in (near, far, reversed_among):
        assert share_right(rule, True, shown=4, n=5) == pytest.approx(1 / 5, abs=0.03)
