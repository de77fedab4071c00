"""Rows, baselines and comparisons on items small enough to count by hand."""

import dataclasses
import math

import pytest

from tpru.evaluation.scoring import (
    Comparison,
    Row,
    adjusted,
    always_none_rows,
    chance_rows,
    compare,
    majority_rows,
    powers,
    score,
)
from tpru.evaluation.statistics import clustered_interval, wilson_interval
from tpru.records import NONE_OPTION, Item, Option, Prediction, Scenario, Task


def make_item(
    item_id: str,
    task: Task = "reordering",
    scenario: Scenario = "robot",
    answer: str = "A",
    n_options: int = 5,
    negative: bool = False,
    source: str = "drawn",
    group: str = "g",
) -> Item:
    options = [Option("ABCDE"[i], "image", f"frame{i}") for i in range(n_options - 1)]
    if n_options:
        options.append(Option("ABCDE"[n_options - 1], "none", NONE_OPTION))
    return Item(
        item_id=item_id,
        task=task,
        split="test",
        scenario=scenario,
        source=source,
        licence="CC0",
        family="",
        group=group,
        sequence_id="s",
        trajectory_id="t",
        caption="",
        prompt=(),
        options=tuple(options),
        answer=answer,
        is_negative=negative,
        negative_kind="withheld" if negative else "",
        reasoning="",
        shown=(),
        order=(),
    )


def answer(item: Item, parsed: str, model: str = "m") -> Prediction:
    return Prediction(item.item_id, model, "b", parsed, parsed, parsed == item.answer, 1)


def cell(rows: list[Row], task: str = "all", scenario: str = "all", subset: str = "all") -> Row:
    (found,) = [r for r in rows if (r.task, r.scenario, r.subset) == (task, scenario, subset)]
    return found


ITEMS = [
    make_item("1", "reordering", "robot", "A"),
    make_item("2", "reordering", "gui", "E", negative=True),
    make_item("3", "next_frame", "robot", "B"),
    make_item("4", "next_frame", "robot", "C"),
]


def test_score_counts_every_cell_that_has_items() -> None:
    rows = score(
        ITEMS,
        [answer(i, p) for i, p in zip(ITEMS, "AEB", strict=False)] + [answer(ITEMS[3], "")],
        "m",
        "b",
    )
    assert len({(r.task, r.scenario, r.subset) for r in rows}) == len(rows)
    assert all(r.n > 0 for r in rows)
    total = cell(rows)
    assert (total.n, total.correct, total.accuracy, total.unparsable) == (4, 3.0, 0.75, 0.25)
    assert cell(rows, subset="unanswerable").correct == 1
    assert cell(rows, "next_frame", "robot", "answerable").accuracy == 0.5
    assert cell(rows, "reordering", "gui").n == 1
    assert not [r for r in rows if r.task == "previous_frame" or r.scenario == "navigation"]
    # 3 margins, 2 tasks, 2 scenarios: all, robot, gui and their subsets
    assert len(rows) == (3 + 2 + 2) + (3 + 2 + 2) + (2 + 2)


def test_score_takes_predictions_in_any_order() -> None:
    predictions = [answer(item, item.answer) for item in ITEMS]
    assert score(ITEMS, predictions[::-1], "m", "b") == score(ITEMS, predictions, "m", "b")


@pytest.mark.parametrize("ids", [["1", "2", "3"], ["1", "2", "3", "5"], ["1", "2", "3", "4", "4"]])
def test_score_rejects_predictions_of_other_items(ids: list[str]) -> None:
    predictions = [Prediction(i, "m", "b", "", "", False, 0) for i in ids]
    with pytest.raises(ValueError, match="one to one"):
        score(ITEMS, predictions, "m", "b")


def test_score_rejects_items_that_occur_twice() -> None:
    with pytest.raises(ValueError, match="occur twice"):
        score([ITEMS[0], ITEMS[0]], [answer(ITEMS[0], "A")], "m", "b")


def test_chance_is_the_expected_share_and_has_no_interval() -> None:
    items = [
        make_item("1"),
        make_item("2", n_options=4, answer="D"),
        make_item("3", n_options=0, answer="BAC"),
        make_item("4", n_options=0, answer="D, A, C, B"),
    ]
    total = cell(chance_rows(items, "b"))
    assert total.correct == pytest.approx(1 / 5 + 1 / 4 + 1 / 6 + 1 / 24)
    assert total.accuracy == total.low == total.high == pytest.approx(total.correct / 4)
    assert (total.model, total.n, total.unparsable) == ("chance", 4, 0.0)


def test_majority_learns_from_train_items_per_task_and_form() -> None:
    train = [
        make_item("t1", "reordering", answer="C"),
        make_item("t2", "reordering", answer="B"),
        make_item("t3", "reordering", answer="B"),
        make_item("t4", "next_frame", answer="D"),
        make_item("t5", "next_frame", answer="C"),
        make_item("t6", "reordering", n_options=0, answer="CAB"),
    ]
    test = [
        make_item("1", "reordering", answer="B"),
        make_item("2", "reordering", answer="C"),
        make_item("3", "next_frame", answer="C"),
        make_item("4", "next_frame", answer="D"),
        make_item("5", "reordering", n_options=0, answer="CAB"),
        make_item("6", "reordering", n_options=0, answer="CABD"),
        make_item("7", "previous_frame", answer="A"),
    ]
    rows = majority_rows(train, test, "b")
    assert cell(rows, "reordering").correct == 2
    assert cell(rows, "next_frame").correct == 1
    assert cell(rows, "previous_frame").correct == 0
    assert cell(rows).model == "majority"
    assert cell(rows).unparsable == 0.0


def test_always_none_is_right_on_negatives_only() -> None:
    items = [*ITEMS, make_item("5", n_options=4, answer="D", negative=True)]
    rows = always_none_rows([*items, make_item("6", n_options=0, answer="AB")], "b")
    assert cell(rows, subset="unanswerable").accuracy == 1.0
    assert cell(rows, subset="answerable").accuracy == 0.0
    assert cell(rows).model == "always_none"
    assert cell(rows).unparsable == 0.0


def test_compare_per_task_and_overall() -> None:
    good = [answer(item, item.answer) for item in ITEMS]
    bad = [answer(item, "") for item in ITEMS[:1]] + good[1:]
    overall, reordering, next_frame = compare(ITEMS, good, bad, "b", "x", "y", n_resamples=100)
    assert (overall.task, reordering.task, next_frame.task) == ("all", "reordering", "next_frame")
    assert (overall.n, overall.only_a, overall.only_b, overall.difference) == (4, 1, 0, 0.25)
    assert (overall.model_a, overall.model_b, overall.benchmark) == ("x", "y", "b")
    assert reordering.difference == 0.5
    assert next_frame.difference == 0


def test_compare_takes_equal_group_names_of_two_sources_as_two_clusters() -> None:
    items = [make_item("1", source="drawn"), make_item("2", source="filmed")]
    good = [answer(i, i.answer) for i in items]
    one_wrong = [good[0], answer(items[1], "")]
    (total, _) = compare(items, good, one_wrong, "b", "x", "y", n_resamples=200)
    assert (total.low, total.high) == (0.0, 1.0)


def test_compare_rejects_unmatched_predictions() -> None:
    good = [answer(item, item.answer) for item in ITEMS]
    with pytest.raises(ValueError, match="one to one"):
        compare(ITEMS, good, good[:2], "b", "x", "y")


def test_intervals_know_which_items_belong_together() -> None:
    """Twelve items of four episodes, scored by hand: 3, 3, 0 and 1 right."""
    items = [make_item(f"{e}{k}", group=f"episode {e}", answer="B") for e in range(4) for k in range(3)]
    right = [k < (3, 3, 0, 1)[e] for e in range(4) for k in range(3)]
    answers = [answer(item, "B" if r else "A") for item, r in zip(items, right, strict=True)]
    total = cell(score(items, answers, "m", "b"))
    assert (total.n, total.correct, total.clusters) == (12, 7.0, 4)
    # Share 7/12. Residuals of the episodes 3 - 7/4 = 5/4 twice, -7/4, -3/4: squares sum to 27/4, so that the
    # variance is 27/4 / 144 * 4/3 = 1/16; of independent items 35/144 / 11: design effect 99/35. Three
    # episodes hold a right answer, and two a wrong one: mixed with the largest effect, 3, as 2 to 1.
    effect = (2 * 99 / 35 + 3) / 3
    n = 12 / effect * (2.200985 / 3.182446) ** 2  # t quantiles of 11 and of 3 degrees of freedom
    z, p = 1.959964, 7 / 12
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    assert (total.low, total.high) == pytest.approx((middle - half, middle + half), abs=1e-5)
    assert total.high - total.low > 1.5 * (wilson_interval(7, 12).high - wilson_interval(7, 12).low)


def test_episodes_of_one_item_get_the_plain_wilson_interval() -> None:
    items = [make_item(str(k), group=str(k)) for k in range(10)]
    total = cell(score(items, [answer(i, "A" if int(i.item_id) < 5 else "B") for i in items], "m", "b"))
    assert total.clusters == 10
    assert (total.low, total.high) == pytest.approx((0.236593, 0.763407), abs=1e-6)
    assert clustered_interval([True], ["x"]) == wilson_interval(1, 1)


def test_a_comparison_says_what_it_could_have_found() -> None:
    items = [make_item(str(k), group=str(k)) for k in range(100)]
    good = [answer(i, "A" if int(i.item_id) < 60 else "B") for i in items]
    other = [answer(i, "A" if 10 <= int(i.item_id) < 60 else "B") for i in items]
    total, _ = compare(items, good, other, "b", "x", "y", n_resamples=100)
    assert (total.only_a, total.only_b, total.difference, total.effect) == (10, 0, 0.1, 1.0)
    assert total.p_value == total.p_adjusted == pytest.approx(2 / 1024)
    # n = (1.959964 sqrt(0.1) + 0.841621 sqrt(0.1 - d^2))^2 / d^2 at d = 0.0876: 100
    assert total.detectable == pytest.approx(0.0876, abs=0.0001)
    (power,) = powers(score(items, good, "x", "b"), [total])
    assert (power.benchmark, power.n, power.clusters, power.discordance) == ("b", 100, 100, 0.1)
    assert power.paired == total.detectable
    assert power.unpaired == pytest.approx(0.193, abs=0.002)
    (alone,) = powers(score(items, good, "x", "b"), [])
    assert (alone.discordance, alone.paired) == (None, None)


def test_p_values_are_adjusted_within_a_benchmark() -> None:
    base = Comparison(9, 1, 1, 0.0, -0.1, 0.1, 0.01, 1.0, "b", "all", "x", "y", 0.01, None)
    made = [
        dataclasses.replace(base, benchmark=b, p_value=p)
        for b, p in (("b", 0.03), ("c", 0.01), ("b", 0.01), ("b", 0.04))
    ]
    assert [c.p_adjusted for c in adjusted(made)] == pytest.approx([0.06, 0.01, 0.03, 0.06])
    assert [c.benchmark for c in adjusted(made)] == ["b", "c", "b", "b"]
    assert adjusted([]) == []
