"""Rows, baselines and comparisons on items small enough to count by hand."""

import pytest

from tpru.evaluation.scoring import (
    Row,
    always_none_rows,
    chance_rows,
    compare,
    majority_rows,
    score,
)
from tpru.records import NONE_OPTION, Item, Option, Prediction, Scenario, Task


def make_item(
    item_id: str,
    task: Task = "reordering",
    scenario: Scenario = "robot",
    answer: str = "A",
    n_options: int = 5,
    negative: bool = False,
    source: str = "drawn",
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
        group="g",
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
