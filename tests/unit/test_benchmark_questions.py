"""Questions of external benchmarks: their prompts, their choice, and the stage that makes items of them."""

import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import REPOSITORY
from tests.unit.benchmark_files import NONE, config_of, configured, picture, run_stage, write_muirbench
from tpru.benchmarks.questions import Question, choose, make_item
from tpru.config.compose import compose, unit_config, unit_names
from tpru.errors import ConfigError, CorruptMediaError, EmptySourceError, ManifestError, TpruError
from tpru.evaluation.scoring import CHANCE, MAJORITY
from tpru.files import sha256_bytes
from tpru.records import Block, Item, Option, Prediction
from tpru.reporting.figures import accuracy_figure
from tpru.reporting.tables import accuracy_by_scenario, accuracy_by_task
from tpru.stages.benchmark import check_ids
from tpru.stages.report import external_baselines, gallery
from tpru.synthesis.wording import CHOICE_FORM, ORDER_FORM

CONFIG = configured("muirbench", Path("nowhere"))
IDS = [sha256_bytes(picture(k)) for k in range(9)]


def question(**changes: Any) -> Question:
    made = Question(
        question_id="7",
        category="Counting",
        group="7+8",
        text="<image> How many cups?",
        options=("one", "<image>", NONE),
        answer="A",
        pictures=lambda: [picture(0), picture(1)],
        where="a.parquet row 3",
    )
    return dataclasses.replace(made, **changes)


def made(images: str = "in_place", **changes: Any) -> Item:
    return make_item("muir", question(**changes), CONFIG.model_copy(update={"images": images}))[0]


def spoken(item: Item) -> str:
    return "".join(b.value if b.type == "text" else f"[{IDS.index(b.value)}]" for b in item.prompt)


def test_pictures_stand_where_the_markers_are() -> None:
    item = made()
    assert spoken(item) == f"[0] How many cups?\nA. one\nB. [1]\nC. {NONE}\n{CHOICE_FORM}"
    assert item.options == (
        Option("A", "text", "one"),
        Option("B", "image", IDS[1]),
        Option("C", "none", NONE),
    )
    assert (item.item_id, item.task, item.group, item.split) == ("muir/7", "Counting", "7+8", "test")
    assert (item.shown, item.order, item.scenario) == ((IDS[0], IDS[1]), (), "")
    assert (item.is_negative, item.negative_kind) == (False, "")


def test_pictures_first_are_named_by_their_place() -> None:
    item = made(images="first")
    assert spoken(item) == f"[0][1]\npicture 1 How many cups?\nA. one\nB. picture 2\nC. {NONE}\n{CHOICE_FORM}"
    assert item.shown == (IDS[0], IDS[1])


def test_text_without_markers_has_its_pictures_before_it() -> None:
    item = made(text="How many cups?", options=("one", "two"))
    assert spoken(item).startswith("[0][1]\nHow many cups?\nA. one\nB. two\n")


def test_an_order_is_written_out() -> None:
    item = made(text="<image><image> Which order?", options=(), answer="BA")
    assert spoken(item) == f"[0][1] Which order?\n{ORDER_FORM}"
    assert (item.options, item.answer) == ((), "BA")


def test_options_that_the_text_lists_are_not_listed_again() -> None:
    text = "<image> How many?\nA. one\nB. <image>"
    item = made(text=text, options=("one", "<image>"), options_in_text=True)
    assert spoken(item) == f"[0] How many?\nA. one\nB. [1]\n{CHOICE_FORM}"
    assert item.options[1] == Option("B", "image", IDS[1])


@pytest.mark.parametrize("phrase", [NONE, NONE.upper() + ".", "  None of the choices  provided "])
def test_an_item_whose_reject_option_is_right_is_unanswerable(phrase: str) -> None:
    item = made(options=("one", "<image>", phrase), answer="C")
    assert (item.is_negative, item.negative_kind, item.options[2].kind) == (True, "unanswerable", "none")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"answer": "D"},
            ManifestError,
            r"a\.parquet row 3: the answer is 'D'; expected one of the letters ABC",
        ),
        ({"answer": "AB"}, ManifestError, "expected one of the letters ABC"),
        ({"options": (), "answer": "ACD"}, ManifestError, "expected an order of the letters from A"),
        ({"options": (), "answer": "A"}, ManifestError, "expected an order"),
        ({"options": ("x",) * 9}, ManifestError, "9 options; at most 8"),
        ({"text": "<image> <image> and?"}, ManifestError, r"3 <image> marker\(s\) for 2 picture"),
        (
            {"pictures": lambda: [picture(0), b"gone"]},
            CorruptMediaError,
            "row 3: picture 2 cannot be decoded",
        ),
        ({"pictures": lambda: [picture(0)[:-40], picture(1)]}, CorruptMediaError, "picture 1 cannot be"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(changes: Any, error: type[TpruError], message: str) -> None:
    with pytest.raises(error, match=message):
        made(**changes)


# Which questions are asked.


def numbered(cells: list[tuple[str, str, bool]]) -> list[Question]:
    return [
        question(question_id=str(k), category=category, group=group, answer="C" if negative else "A")
        for k, (category, group, negative) in enumerate(cells)
    ]


def is_negative(q: Question) -> bool:
    return q.answer == "C"


CELLS = st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from("abcdefg"), st.booleans()), max_size=40)


@given(CELLS, st.integers(0, 45))
def test_choice_is_even_in_order_and_depends_on_the_questions_alone(
    cells: list[tuple[str, str, bool]], most: int
) -> None:
    listed = numbered(cells)
    chosen = choose(listed, most, is_negative)
    assert len(chosen) == (min(most, len(listed)) if most else len(listed))
    assert [q.question_id for q in chosen] == sorted((q.question_id for q in chosen), key=int)
    assert choose(chosen, most, is_negative) == chosen
    taken = Counter((q.category, is_negative(q)) for q in chosen)
    there = Counter((q.category, is_negative(q)) for q in listed)
    left = {cell: n for cell, n in taken.items() if n < there[cell]}
    for cell, n in left.items():  # a cell that was not emptied is at most one behind the fullest
        assert n >= max(taken.values()) - 1, cell


def test_both_of_a_pair_are_chosen() -> None:
    cells = [(t, f"{t}{pair}", twin) for t in "xy" for pair in range(20) for twin in (False, True)]
    chosen = choose(numbered(cells), 12, is_negative)
    assert Counter(Counter(q.group for q in chosen).values()) == {2: 6}


def test_a_second_question_of_a_group_comes_last() -> None:
    cells = [("x", group, False) for group in "aaabbbccc"]
    assert {q.group for q in choose(numbered(cells), 3, is_negative)} == {"a", "b", "c"}


# The stage.


def test_stage_writes_items_and_each_picture_once(tmp_path: Path) -> None:
    config = config_of("muirbench", write_muirbench(tmp_path / "data"))
    items, frames, record = run_stage(tmp_path / "a", config)
    assert [i.item_id for i in items] == [f"asked/{k}" for k in range(6)]
    assert {f for i in items for f in i.shown} == set(frames.ids_in_order())
    assert len(frames) == 2 + 4 + 2  # twins show the same pictures
    assert record["counts"]["category"] == {"Counting": 4, "Ordering": 2}
    assert record["counts"]["negative"] == {"answerable": 3, "unanswerable": 3}
    assert record["counts"]["dropped"] == {}
    assert record["facts"]["licence"] == "CC-BY-4.0"
    assert "2406.09411" in record["facts"]["citation"]
    assert sorted(record["facts"]["files"]) == [f"data/test-0000{k}-of-00002.parquet" for k in (0, 1)]
    assert all(len(h) == 64 for h in record["facts"]["files"].values())
    assert list(record["inputs"]) == ["processor"]
    again = run_stage(tmp_path / "b", config)[2]
    assert again["fingerprint"] == record["fingerprint"]


def test_items_over_the_budget_are_refused_by_name_or_dropped_and_counted(tmp_path: Path) -> None:
    data = write_muirbench(tmp_path / "data")
    with pytest.raises(ConfigError) as caught:
        run_stage(tmp_path, config_of("muirbench", data, "max_tokens=95"))
    for part in ("2 question(s) of benchmark asked", "max_tokens=95", "2 (99), 3 (99)", "too_long=drop"):
        assert part in str(caught.value)
    config = config_of("muirbench", data, "max_tokens=95", "too_long=drop")
    items, frames, record = run_stage(tmp_path, config)
    assert [i.item_id for i in items] == ["asked/0", "asked/1", "asked/4", "asked/5"]
    assert record["counts"]["dropped"] == {"over_token_budget": 2}
    assert len(frames) == 4
    with pytest.raises(EmptySourceError, match="6 over 20 tokens"):
        run_stage(tmp_path, config_of("muirbench", data, "max_tokens=20", "too_long=drop"))


def test_two_questions_of_one_id_are_refused() -> None:
    with pytest.raises(ManifestError, match=r"1 id\(s\) stand twice: \['7'\]"):
        check_ids([question(), question(), question(question_id="8")], "folder")


# The configuration.


@pytest.mark.parametrize("file", sorted(p.stem for p in (REPOSITORY / "conf/benchmark").glob("*.yaml")))
def test_every_benchmark_composes_and_asks_for_its_path(file: str) -> None:
    chosen = [f"+benchmark@benchmarks.asked={file}"]
    if file != "heldout":
        with pytest.raises(ConfigError, match=r"benchmarks\.asked\.path"):
            compose("demo", chosen)
        chosen += ["benchmarks.asked.path=there", "benchmarks.asked.licence=CC0"]
    config = compose("demo", chosen)
    units = unit_names(config)
    assert ("benchmark/asked" in units) == (file != "heldout")
    assert "evaluate/grpo_blind/asked" in units
    assert unit_config(config, "report")["benchmarks"]["asked"] == config.benchmarks["asked"].kind
    assert "benchmark/heldout" not in units


def test_values_of_a_benchmark_reach_its_stage_alone() -> None:
    chosen = ["+benchmark@benchmarks.asked=muirbench", "benchmarks.asked.path=there"]
    before, after = (compose("demo", [*chosen, *more]) for more in ([], ["benchmarks.asked.max_items=5"]))
    changed = {u for u in unit_names(before) if unit_config(before, u) != unit_config(after, u)}
    assert changed == {"benchmark/asked"}


def test_a_protocol_reaches_the_answers_alone_and_draws_by_the_seed() -> None:
    chosen = ["+benchmark@benchmarks.asked=seed_bench_r1", "benchmarks.asked.path=there"]
    sampled = [chosen[0] + "_sampled", *chosen[1:]]
    greedy, drawn, other = (compose("demo", o) for o in (chosen, sampled, [*sampled, "seed=1"]))
    answers = {f"evaluate/{model}/asked" for model in greedy.evaluate.models}
    units = unit_names(greedy)
    assert {u for u in units if unit_config(greedy, u) != unit_config(drawn, u)} == answers
    for unit in answers:
        assert "seed" not in unit_config(greedy, unit)
        assert (unit_config(drawn, unit)["seed"], unit_config(other, unit)["seed"]) == (0, 1)
    assert unit_config(drawn, "benchmark/asked") == unit_config(other, "benchmark/asked")
    assert "seed" not in unit_config(drawn, "evaluate/sft/heldout")


def test_a_wrong_value_is_named_as_it_is_written() -> None:
    chosen = ["+benchmark@benchmarks.asked=muirbench", "benchmarks.asked.path=there"]
    with pytest.raises(ConfigError, match=r"  benchmarks\.asked\.too_long: .*got 'cut'"):
        compose("demo", [*chosen, "benchmarks.asked.too_long=cut"])


# The report.


def asked() -> list[Item]:
    return [
        make_item("muir", q, CONFIG)[0]
        for q in numbered(
            [
                ("Visual Retrieval", "a", False),
                ("Ordering", "b", False),
                ("Ordering", "c", True),
                ("", "d", True),
            ]
        )
    ]


def test_tables_of_a_benchmark_have_its_own_tasks_in_their_order_and_no_second_all() -> None:
    rows = external_baselines(asked(), "muir")
    table = accuracy_by_task(rows, "muir")
    assert table.head == ("model", "all tasks", "Visual Retrieval", "Ordering")
    assert accuracy_by_scenario(rows, "muir").head == ("model", "all scenarios")
    cells = [(r.task, r.scenario, r.subset) for r in rows if r.model == CHANCE]
    assert len(cells) == len(set(cells))
    assert {r.model for r in rows} == {CHANCE, MAJORITY, "always_none"}
    figure = accuracy_figure(rows, "muir")
    assert all(name in figure for name in ("Visual retrieval", "Ordering"))


def test_majority_is_the_best_constant_answer_of_each_task() -> None:
    totals = {
        (r.model, r.task): r.accuracy
        for r in external_baselines(asked(), "muir")
        if r.scenario == r.subset == "all"
    }
    assert totals[(MAJORITY, "Visual Retrieval")] == 1.0
    assert totals[(MAJORITY, "Ordering")] == 0.5
    assert totals[("always_none", "all")] == 0.5
    assert totals[(CHANCE, "all")] == pytest.approx(1 / 3)


def test_without_a_reject_option_rejecting_is_no_baseline() -> None:
    items = [make_item("b", question(options=("one", "<image>")), CONFIG)[0]]
    assert {r.model for r in external_baselines(items, "b")} == {CHANCE, MAJORITY}


def test_benchmarks_take_turns_in_the_gallery() -> None:
    few = [made(question_id=str(k)) for k in range(3)]
    many = [dataclasses.replace(made(question_id=str(k)), item_id=f"b/{k}") for k in range(9)]
    answers = {
        name: {"base": [Prediction(i.item_id, "base", name, "", "A", True, 1) for i in items]}
        for name, items in (("a", few), ("b", many))
    }
    shown = gallery({"a": few, "b": many}, answers, 8, 0)
    assert [entry.item.item_id[0] for entry in shown] == ["m", "b", "m", "b", "m", "b", "b", "b"]
    assert all(len(entry.answers) == 1 for entry in shown)


def test_blocks_are_recorded(tmp_path: Path) -> None:
    items, _, _ = run_stage(
        tmp_path, config_of("muirbench", write_muirbench(tmp_path / "data"), "max_items=1")
    )
    assert items[0].prompt[0].type == "image"
    assert items[0].prompt[-1] == Block("text", items[0].prompt[-1].value)
    assert json.dumps(items[0].prompt[-1].value).endswith('</answer>."')
