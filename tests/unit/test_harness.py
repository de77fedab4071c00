"""Completions as lmms-eval and VLMEvalKit read them: their published verdicts, and the accuracies side by side."""

import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.builders import make_item
from tpru.evaluation.harness import harness_rows, lmms_eval_verdict, vlmevalkit_verdict
from tpru.evaluation.statistics import wilson_interval
from tpru.records import NONE_OPTION, Item, Option, Prediction


def pictures(item_id: str = "i0", answer: str = "C", group: str = "g0") -> Item:
    """Four pictures and the reject option."""
    options = [Option(letter, "image", f"f{letter}") for letter in "ABCD"]
    made = make_item(item_id, answer=answer, group=group)
    return replace(made, options=(*options, Option("E", "none", NONE_OPTION)))


CHOICE = pictures()
ORDERS = replace(
    CHOICE,
    options=tuple(Option(x, "permutation", t) for x, t in zip("ABC", ("1234", "4321", "2413"), strict=True)),
)
SORT = make_item(options=False, answer="BDAC")
TAGGED = "<think>The cup moves.</think><answer>C</answer>"


@pytest.mark.parametrize(
    ("text", "ours", "lmms_eval", "plain", "split"),
    [
        ("C", "", "C", "C", "C"),
        (" c \n", "", "C", "", ""),
        ("C.", "", "C", "C", "C"),
        ("C. the third", "", "C", "C", "C"),
        ("(C)", "", "", "C", "C"),
        ("Answer: C", "", "", "C", "C"),
        ("The answer is C.", "", "", "C", "C"),
        ("\\boxed{C}", "", "", "C", "C"),
        (NONE_OPTION, "", "", "E", "E"),
        (f"{NONE_OPTION}.", "", "", "E", "E"),
        ("<answer>C</answer>", "C", "", "", ""),
        ("<answer> C </answer>", "C", "", "C", "C"),
        (TAGGED, "C", "", "", ""),
        ("<think>See: A cup moves.</think><answer> C </answer>", "C", "", "", "C"),
        ("<think>Is it B or D?</think>\nC", "", "", "", "C"),
        ("<think>Is it B or</think><think>no.</think> C.", "", "", "", "C"),
        # Only the last four words count, and only one letter.
        ("C is what I would choose here", "", "", "", ""),
        ("C is my choice", "", "", "C", "C"),
        ("I choose C, not B", "", "", "", ""),
        ("A cup, so C", "", "", "", ""),
        ("A", "", "A", "A", "A"),
        ("F", "", "", "", ""),
        ("F.", "", "", "", ""),
        ("", "", "", "", ""),
        # Refusals and the letter Z are wrong for good.
        ("Cannot determine the answer", "", "", "Z", "Z"),
        ("I'm sorry, but without the image provided I can say C", "", "", "Z", "Z"),
        ("Z", "", "", "Z", "Z"),
        # What is said of no option, at length.
        (NONE_OPTION + " is what I would say" * 5, "", "", "", ""),
    ],
)
def test_choices(text: str, ours: str, lmms_eval: str, plain: str, split: str) -> None:
    assert lmms_eval_verdict(text, CHOICE) == lmms_eval
    assert vlmevalkit_verdict(text, CHOICE) == plain
    assert vlmevalkit_verdict(text, CHOICE, split_think=True) == split
    (row, *_) = harness_rows([CHOICE], [prediction(CHOICE, text)], "m", "b")
    assert row.correct == (ours == "C")


@pytest.mark.parametrize(
    ("text", "verdict"), [("2413", "C"), ("the order 2413", "C"), ("2413 or 1234", ""), ("2413" * 7, "")]
)
def test_the_text_of_one_option_in_a_short_completion(text: str, verdict: str) -> None:
    assert vlmevalkit_verdict(text, ORDERS) == verdict


@pytest.mark.parametrize(
    ("text", "lmms_eval", "vlmevalkit"),
    [
        ("BDAC", "BDAC", "BDAC"),
        ("bdac", "BDAC", "BDAC"),
        ("BDAC.", "", "BDAC"),
        ("BDAC is wrong, it is ABDC", "", "BDAC"),  # the first one wins
        ("<think>ABDC?</think><answer>BDAC</answer>", "", "ABDC"),
        ("B, D, A, C", "", ""),
        ("B->D->A->C", "", ""),
        ("BDAA", "", ""),
        ("BDA", "", ""),
        ("First B, then D; third is A and fourth C", "", ""),  # no second
        ("First B, second D, third A, fourth C", "", "BDAC"),
        ("first: B\nsecond: D\nthird: A\nfourth: C", "", "BDAC"),
        ("first\nB second D third A fourth C", "", ""),  # the label stands on another line
        ("Step 1: B\nStep 2: D\nStep 3: A\nStep 4: C\nStep 5: B", "", "BDAC"),
        ("Step 1: B, step 2: D, step 3: A, step 4: C", "", "BDAC"),
        ("Step\n1: B. Step 2: D. Step 3: A. Step 4: C.", "", "BDAC"),
        ("Step 1: B, step 2: B, step 3: A, step 4: C", "", ""),
        ("\u9996\u5148 B, \u5176\u6b21 D, \u518d\u6b21 A, \u6700\u540e C", "", "BDAC"),
        ("", "", ""),
    ],
)
def test_orders(text: str, lmms_eval: str, vlmevalkit: str) -> None:
    assert lmms_eval_verdict(text, SORT) == lmms_eval
    assert vlmevalkit_verdict(text, SORT) == vlmevalkit


def prediction(item: Item, text: str) -> Prediction:
    return Prediction(item.item_id, "m", "b", text, "", False, 1)


def test_the_accuracies_side_by_side_by_hand() -> None:
    """Ten items, of which four are answered with tags, three with a sentence and three with a letter."""
    said = [TAGGED] * 4 + ["The answer is C."] * 3 + ["C."] * 2 + ["B."]
    items = [pictures(f"i{k}", group=f"g{k}") for k in range(10)]
    predictions = [prediction(item, text) for item, text in zip(items, said, strict=True)]
    ours, lmms_eval, vlmevalkit, split = harness_rows(items, predictions[::-1], "m", "b")
    assert [r.harness for r in (ours, lmms_eval, vlmevalkit, split)] == [
        "tpru",
        "lmms_eval",
        "vlmevalkit",
        "vlmevalkit_split_think",
    ]
    assert (ours.correct, lmms_eval.correct, vlmevalkit.correct, split.correct) == (4, 2, 5, 5)
    assert (ours.unresolved, lmms_eval.unresolved, vlmevalkit.unresolved) == (0.6, 0.7, 0.4)
    assert (ours.with_random, lmms_eval.with_random) == (0.4, 0.2)
    # Four items of five options and Z.
    assert vlmevalkit.with_random == pytest.approx((5 + 4 / 6) / 10)
    for row in (ours, lmms_eval, vlmevalkit, split):
        assert (row.model, row.benchmark, row.n, row.accuracy) == ("m", "b", 10, row.correct / 10)
        interval = wilson_interval(row.correct, 10)
        assert (row.low, row.high) == (interval.low, interval.high)


def test_a_random_draw_never_makes_an_order() -> None:
    (_, _, row, _) = harness_rows([SORT], [prediction(SORT, "I do not know")], "m", "b")
    assert (row.unresolved, row.with_random) == (1.0, 0.0)


def test_every_item_needs_a_prediction() -> None:
    with pytest.raises(KeyError):
        harness_rows([CHOICE], [], "m", "b")
    with pytest.raises(ValueError, match="no items"):
        harness_rows([], [], "m", "b")


@settings(deadline=None)
@given(st.text(alphabet="ABCDEZ <>/think.(first1stsep)\n", max_size=60), st.booleans())
def test_verdicts_are_letters_orders_or_nothing(text: str, split: bool) -> None:
    assert vlmevalkit_verdict(text, CHOICE, split) in {"", "Z", *"ABCDE"}
    assert lmms_eval_verdict(text, CHOICE) in {"", *"ABCDE"}
    for verdict in (vlmevalkit_verdict(text, SORT, split), lmms_eval_verdict(text, SORT)):
        assert verdict == "" or sorted(verdict) == list("ABCD")


@pytest.mark.parametrize(
    "unit", ["x", " ", "A ", "first ", "step 1 ", "step ", "STEP 1\n", "</think>", "ABCD"]
)
def test_a_long_completion_takes_no_time(unit: str) -> None:
    text = (unit * 200_000)[:200_000]
    started = time.process_time()
    for item in (CHOICE, SORT):
        vlmevalkit_verdict(text, item, split_think=True)
        lmms_eval_verdict(text, item)
    assert time.process_time() - started < 3.0
