"""The rewards of GRPO: the default one, and the one that arXiv 2602.18884 published with its code."""

from itertools import combinations, permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tpru.config.compose import compose
from tpru.config.schema import RewardConfig
from tpru.training.rewards import pairs_in_order, reward

STRICT = RewardConfig(name="strict", accuracy_weight=1.0, format_weight=0.1, partial_credit=0.0)
PUBLISHED = compose("own_data", ["model=qwen2_5_vl_7b", "grpo=tpru"]).grpo.reward
CHOICE = "ABCDE"


def strict(**changes: Any) -> RewardConfig:
    return RewardConfig(**{**STRICT.model_dump(), **changes})


# The published reward: 0.9 accuracy + 0.1 format, a right form worth 0.2.


@pytest.mark.parametrize(
    ("text", "truth", "total"),
    [
        # A thought, then the right letter.
        ("<think>because</think><answer>C</answer>", "C", 0.92),
        ("<think>because\nof this</think>\n<answer>C</answer>\n", "C", 0.92),
        (" <think>because</think><answer>C</answer>", "C", 0.92),
        ("<think></think><answer>C</answer>", "C", 0.92),
        ("<think>because</think><answer> C </answer>", "C", 0.92),
        ("< think >because< / think >< answer >C< / answer >", "C", 0.92),
        # The wrong letter.
        ("<think>because</think><answer>D</answer>", "C", 0.02),
        ("<think>because\nof this</think>\n<answer>D</answer>\n", "C", 0.02),
        ("<think></think><answer>D</answer>", "C", 0.02),
        # The right letter in the wrong form.
        ("<answer>C</answer>", "C", 0.90),
        ("<think>because</think><answer>C</answer> I am sure.", "C", 0.90),
        ("<think>because</think><answer>'C'</answer>", "C", 0.90),
        # No tag, a full stop, lower case.
        ("C", "C", 0.0),
        ("<think>because</think>C", "C", 0.0),
        ("<think>because</think><answer>C.</answer>", "C", 0.0),
        ("<think>because</think><answer>c</answer>", "C", 0.0),
        # The first answer block counts, wherever it stands: exploitable.
        ("<think>say <answer>C</answer></think><answer>D</answer>", "C", 0.92),
        ("<think>say <answer>D</answer></think><answer>C</answer>", "C", 0.02),
        # Orders: no normalisation and no partial credit.
        ("<think>because</think><answer>CABD</answer>", "CABD", 0.92),
        ("<think>because</think><answer>C A B D</answer>", "CABD", 0.0),
        ("<think>because</think><answer>ABCD</answer>", "CABD", 0.02),
        ("<think>because</think><answer>4231</answer>", "4231", 0.90),
    ],
)
def test_the_published_reward(text: str, truth: str, total: float) -> None:
    assert PUBLISHED.name == "tpru"
    letters = CHOICE if len(truth) == 1 else ""
    assert reward(text, truth, letters, PUBLISHED).total == pytest.approx(total, abs=1e-12)


def test_the_parts_of_the_published_reward() -> None:
    made = reward("<think>x</think><answer>C</answer>", "C", CHOICE, PUBLISHED)
    assert (made.accuracy, made.format, made.parsed) == (1.0, 0.2, True)
    made = reward("<think>x</think><answer>no</answer>", "C", CHOICE, PUBLISHED)
    assert (made.accuracy, made.format, made.parsed) == (0.0, 0.0, False)


@settings(deadline=None)
@given(st.text(alphabet="ABCD<>/thinkanswer \n.", max_size=60))
def test_no_text_earns_more_than_the_published_maximum(text: str) -> None:
    wrapped = f"<think>{text}</think><answer>{text}</answer>"
    for candidate in (text, wrapped):
        assert 0.0 <= reward(candidate, "C", CHOICE, PUBLISHED).total <= 0.92 + 1e-12


# The default reward.

GOOD = "<think>because</think><answer>{}</answer>"


@pytest.mark.parametrize(
    ("text", "accuracy", "form", "parsed"),
    [
        (GOOD.format("C"), 1.0, 1.0, True),
        (GOOD.format("c."), 1.0, 1.0, True),
        (GOOD.format("D"), 0.0, 1.0, True),
        (GOOD.format("none of them"), 0.0, 1.0, False),
        ("<answer>C</answer>", 1.0, 0.0, True),
        (GOOD.format("C") + " sure", 1.0, 0.0, True),
        ("C", 0.0, 0.0, False),
        ("", 0.0, 0.0, False),
        # What the published reward can be tricked with earns nothing here.
        ("<think>say <answer>C</answer></think><answer>D</answer>", 0.0, 0.0, True),
        ("<think></think><answer>C</answer>", 1.0, 0.0, True),
    ],
)
def test_the_default_reward(text: str, accuracy: float, form: float, parsed: bool) -> None:
    made = reward(text, "C", CHOICE, STRICT)
    assert (made.accuracy, made.format, made.parsed) == (accuracy, form, parsed)
    assert made.total == pytest.approx(1.0 * accuracy + 0.1 * form)


@pytest.mark.parametrize(("accuracy_weight", "format_weight"), [(1.0, 0.0), (0.0, 1.0), (2.0, 0.5)])
def test_weights_weigh(accuracy_weight: float, format_weight: float) -> None:
    config = strict(accuracy_weight=accuracy_weight, format_weight=format_weight)
    both = reward(GOOD.format("C"), "C", CHOICE, config).total
    form = reward(GOOD.format("D"), "C", CHOICE, config).total
    assert both == pytest.approx(accuracy_weight + format_weight)
    assert form == pytest.approx(format_weight)


# Partial credit.


@pytest.mark.parametrize(
    ("order", "truth", "share"),
    [
        ("ABCD", "ABCD", 1.0),
        ("BACD", "ABCD", 5 / 6),
        ("ACBD", "ABCD", 5 / 6),
        ("BADC", "ABCD", 4 / 6),
        ("CABD", "ABCD", 4 / 6),
        ("DABC", "ABCD", 3 / 6),
        ("DCBA", "ABCD", 0.0),
        ("CABD", "CABD", 1.0),
        ("ABCD", "CABD", 4 / 6),
        ("DBAC", "CABD", 0.0),
        ("BAC", "ABC", 2 / 3),
    ],
)
def test_pairs_in_order_by_hand(order: str, truth: str, share: float) -> None:
    assert pairs_in_order(order, truth) == pytest.approx(share)


@pytest.mark.parametrize("truth", ["ABC", "CABD", "EDCBA"])
def test_an_order_and_its_reverse_share_the_pairs(truth: str) -> None:
    for order in ("".join(p) for p in permutations(truth)):
        assert pairs_in_order(order, truth) + pairs_in_order(order[::-1], truth) == pytest.approx(1.0)
        swaps = sum(truth.index(a) > truth.index(b) for a, b in combinations(order, 2))
        assert pairs_in_order(order, truth) == pytest.approx(
            1.0 - swaps / (len(truth) * (len(truth) - 1) / 2)
        )


@pytest.mark.parametrize(
    ("text", "truth", "letters", "total"),
    [
        (GOOD.format("CABD"), "CABD", "", 1.1),
        (GOOD.format("ABCD"), "CABD", "", 0.5 * 4 / 6 + 0.1),
        (GOOD.format("DBAC"), "CABD", "", 0.1),
        (GOOD.format("c, b, a, d"), "CABD", "", 0.5 * 5 / 6 + 0.1),
        ("<answer>CBAD</answer>", "CABD", "", 0.5 * 5 / 6),
        # Not an order of these pictures: nothing.
        (GOOD.format("CAB"), "CABD", "", 0.1),
        (GOOD.format("CABE"), "CABD", "", 0.1),
        ("CBAD", "CABD", "", 0.0),
        # A letter is right or wrong, also that of a permutation option.
        (GOOD.format("C"), "C", CHOICE, 1.1),
        (GOOD.format("D"), "C", CHOICE, 0.1),
    ],
)
def test_partial_credit_is_for_written_out_orders_alone(
    text: str, truth: str, letters: str, total: float
) -> None:
    config = strict(partial_credit=0.5)
    made = reward(text, truth, letters, config)
    assert made.total == pytest.approx(total)
    assert made.accuracy == float(total > 1.0)


def test_without_partial_credit_a_wrong_order_earns_its_form_alone() -> None:
    assert reward(GOOD.format("CBAD"), "CABD", "", STRICT).total == pytest.approx(0.1)


def test_a_wrong_order_never_earns_as_much_as_the_right_one() -> None:
    config = strict(partial_credit=1.0)
    totals = {
        "".join(p): reward(GOOD.format("".join(p)), "CABD", "", config).total for p in permutations("ABCD")
    }
    assert [order for order, t in totals.items() if t == max(totals.values())] == ["CABD"]
