"""The judge of consistency: what it is shown, how its replies are read, and figures counted by hand."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.builders import make_item
from tests.unit.fake_endpoint import Reply, Server, answer, client, serving
from tpru.config.compose import compose, unit_config
from tpru.errors import EmptySourceError, EndpointError
from tpru.evaluation.consistency import consistency_rows
from tpru.evaluation.judge import (
    Judged,
    agreement,
    judge_answers,
    judge_rows,
    prompt_text,
    question,
    read_reply,
    shown_reasoning,
)
from tpru.evaluation.parsing import read_answer
from tpru.evaluation.statistics import clustered_interval
from tpru.files import read_json, write_json
from tpru.models.endpoint import KEY_VARIABLE, URL_VARIABLE
from tpru.records import NONE_OPTION, Item, Option, Prediction
from tpru.reporting.reading_tables import judge_table
from tpru.run import Run
from tpru.stages import judge as judge_stage
from tpru.stages.report import judgement
from tpru.store import read_records, write_records
from tpru.synthesis.wording import ORDER_FORM, option_blocks
from tpru.tracking.runs import SilentTracker

OPTIONS = [*(Option(x, "image", f"f{x}") for x in "ABCD"), Option("E", "none", NONE_OPTION)]
WRITTEN = make_item("w", options=False, answer="BDAC")


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Server]]:
    with serving(monkeypatch) as start:
        yield start


def choice(item_id: str = "i0", right: str = "B", group: str = "g0") -> Item:
    made = make_item(item_id, answer=right, group=group, text=f"Task {item_id}.")
    prompt = (*made.prompt[:-1], *option_blocks(OPTIONS))
    return dataclasses.replace(made, options=tuple(OPTIONS), prompt=prompt)


def predict(item: Item, text: str, model: str = "sft") -> Prediction:
    parsed = read_answer(text, item)
    return Prediction(item.item_id, model, "heldout", text, parsed, parsed == item.answer, 9)


def said(body: dict[str, Any]) -> str:
    ((message,),) = [body["messages"]]
    text: str = message["content"]
    return text


def thought_of(body: dict[str, Any]) -> str:
    return said(body).rpartition("The reasoning:\n")[2].strip()


def by_thought(replies: dict[str, str]) -> Callable[[int, dict[str, Any]], Reply]:
    """A judge whose replies are known by what it is given to read."""
    return lambda _, body: answer(replies[thought_of(body)])


# What it is shown.


def test_the_question_as_text() -> None:
    assert question(choice()) == (
        "Task i0.\nStep 1: [picture]\nStep 2: [picture]\n"
        f"A. [picture]\nB. [picture]\nC. [picture]\nD. [picture]\nE. {NONE_OPTION}"
    )
    block = dataclasses.replace(WRITTEN.prompt[-1], value=f"\nIn which order?\n{ORDER_FORM}")
    item = dataclasses.replace(WRITTEN, prompt=(*WRITTEN.prompt[:-1], block))
    assert question(item).endswith("[picture]\nIn which order?")


@pytest.mark.parametrize(
    ("completion", "shown"),
    [
        ("<think>First\n it moves. So B.</think><answer>C</answer>", "First it moves. So B."),
        ("It moves. So B. <answer>C</answer>", "It moves. So B."),
        ("It moves.<answer>A</answer> No. <answer>C</answer>", "It moves. No."),
        # Never closed, or with the answer inside: what is read as the answer is no reasoning.
        ("<think>It moves. So B. <answer>C</answer>", "It moves. So B."),
        ("<think>It moves.<ANSWER>C</answer> So.</think><answer>C</answer>", "It moves. So."),
        ("<think>It moves. <answer>C", "It moves."),
        ("<answer>C</answer>", ""),
        ("C", ""),
    ],
)
def test_the_reasoning_comes_without_the_answer(completion: str, shown: str) -> None:
    assert shown_reasoning(completion) == shown


def test_what_is_shown_depends_on_neither_answer(serve: Any, tmp_path: Path) -> None:
    server = serve(lambda *_: answer("<answer>B</answer>"))
    forms = ("<think>So $5 and {{b}}.</think><answer>{}</answer>", "So $5 and {{b}}. <answer>{}</answer>")
    asked = [
        (item, predict(item, form.format(given)))
        for item in (choice(right="A"), choice(right="D"))
        for form in forms
        for given in "ABE"
    ]
    for k, one in enumerate(asked):
        judge_answers(client(tmp_path / str(k)), [one], 1)
    assert len({said(body) for body in server.bodies}) == 1
    assert len(server.bodies) == 12
    text = said(server.bodies[0])
    assert thought_of(server.bodies[0]) == "So $5 and {b}."
    assert (
        text.replace("So $5 and {b}.", "$reasoning").replace(question(choice()), "$question") == prompt_text()
    )
    assert isinstance(server.bodies[0]["messages"][0]["content"], str)  # and so no picture


# How replies are read.


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        ("<answer>B</answer>", "B"),
        ("<think>A? <answer>A</answer></think>It ends with B.\n<answer> b. </answer>", "B"),
        ("<answer>undecided</answer>", ""),
        ("It stops early.\n<answer>\nUndecided\n</answer>", ""),
        ("<answer>E</answer>", "E"),
        (f"<answer>{NONE_OPTION}</answer>", "E"),
        ("B", None),
        ("undecided", None),
        ("The answer is B.", None),
        ("<answer>B or C</answer>", None),
        ("<answer>F</answer>", None),
        ("<answer>BDAC</answer>", None),
        ("<answer></answer>", None),
        ("<answer>the letter</answer>", None),
        ("", None),
    ],
)
def test_replies_on_options(reply: str, read: str | None) -> None:
    assert read_reply(reply, choice()) == read


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        ("<answer>BDAC</answer>", "BDAC"),
        ("<answer>b, d, a, c</answer>", "BDAC"),
        ("<answer>undecided</answer>", ""),
        ("<answer>BDA</answer>", None),
        ("<answer>BDAB</answer>", None),
        ("<answer>B</answer>", None),
    ],
)
def test_replies_on_an_order(reply: str, read: str | None) -> None:
    assert read_reply(reply, WRITTEN) == read


# Verdicts and figures by hand. Each line: reasoning, answer, reply, outcome, verdict of the judge, of the rules.

CASES = [
    ("So B.", "B", "<answer>B</answer>", "concluded", "consistent", "consistent"),
    ("It ends on the shelf.", "B", "<answer>B</answer>", "concluded", "consistent", "undecided"),
    ("So D, it moves.", "B", "<answer>D</answer>", "concluded", "inconsistent", "inconsistent"),
    ("So D, or so.", "D", "<answer>D</answer>", "concluded", "consistent", "consistent"),
    ("So A. It falls.", "C", "<answer>C</answer>", "concluded", "consistent", "inconsistent"),
    ("Who knows.", "C", "<answer>undecided</answer>", "undecided", "undecided", "undecided"),
    ("So E.", "E", "It is E.", "unreadable", "undecided", "consistent"),
    ("", "B", None, "not_asked", "undecided", "undecided"),
    ("So C.", "2", None, "not_asked", "undecided", "undecided"),
]  # fmt: skip
ITEMS = [choice(f"i{k}", group=f"g{k // 2}") for k in range(len(CASES))]
REPLIES = {thought: reply for thought, _, reply, *_ in CASES if reply is not None}


def predictions(model: str) -> list[Prediction]:
    texts = [f"<think>{thought}</think><answer>{given}</answer>" for thought, given, *_ in CASES]
    return [predict(item, text, model) for item, text in zip(ITEMS, texts, strict=True)]


def test_verdicts_by_hand(serve: Any, tmp_path: Path) -> None:
    server = serve(by_thought(REPLIES))
    pairs = list(zip(ITEMS, predictions("sft"), strict=True))
    judged = judge_answers(client(tmp_path), pairs, 4)
    assert [(j.outcome, j.judge, j.rules) for j in judged] == [case[3:] for case in CASES]
    assert [j.item_id for j in judged] == [item.item_id for item in ITEMS]
    assert [j.concluded for j in judged] == ["B", "B", "D", "D", "C", "", "", "", ""]
    assert [j.answer for j in judged] == ["B", "B", "B", "D", "C", "C", "E", "B", ""]
    assert [j.reply for j in judged] == [case[2] or "" for case in CASES]
    assert len(server.bodies) == 7

    rows = {r.answers: r for r in judge_rows(ITEMS, judged, "sft", "heldout")}
    # Right are the four answers B; of these the last has no reasoning.
    counts = {kind: (r.n, r.decided, r.consistent) for kind, r in rows.items()}
    assert counts == {"all": (9, 5, 4), "right": (4, 3, 2), "wrong": (5, 2, 2)}
    between = clustered_interval([True, True, False, True, True], ["g0", "g0", "g1", "g1", "g2"])
    assert (rows["all"].rate, rows["all"].low, rows["all"].high) == (0.8, between.low, between.high)

    # Of seven replies four verdicts are the same. Judge: 4 consistent, 1 inconsistent, 2 undecided; rules: 3, 2, 2.
    found = agreement(judged, "sft", "heldout")
    chance = (4 * 3 + 1 * 2 + 2 * 2) / 49
    assert (found.n, found.same, found.share) == (7, 4, 4 / 7)
    assert found.kappa == pytest.approx((4 / 7 - chance) / (1 - chance))
    assert (found.unreadable, found.refused, found.not_asked) == (1, 0, 2)


def test_a_wrong_order_is_inconsistent(serve: Any, tmp_path: Path) -> None:
    serve(by_thought({"First the door.": "<answer>BDAC</answer>"}))
    asked = [
        (WRITTEN, predict(WRITTEN, f"<think>First the door.</think><answer>{o}</answer>"))
        for o in ("BDAC", "ABCD")
    ]
    assert [j.judge for j in judge_answers(client(tmp_path), asked, 1)] == ["consistent", "inconsistent"]


def test_without_a_reply_nothing_is_known() -> None:
    found = agreement([], "sft", "heldout")
    assert (found.n, found.share, found.kappa) == (0, 0.0, None)
    with pytest.raises(KeyError):
        judge_rows(ITEMS, [], "sft", "heldout")


def test_a_refused_request_is_undecided_and_none_accepted_is_an_error(serve: Any, tmp_path: Path) -> None:
    refused = (400, {}, {"error": "too long"})
    serve(lambda _, body: refused if thought_of(body) == "So B." else by_thought(REPLIES)(0, body))
    pairs = list(zip(ITEMS, predictions("sft"), strict=True))
    judged = judge_answers(client(tmp_path), pairs, 2)
    assert (judged[0].outcome, judged[0].judge, judged[0].rules) == ("refused", "undecided", "consistent")
    assert "too long" in judged[0].reply
    found = agreement(judged, "sft", "heldout")
    assert (found.n, found.refused, found.unreadable) == (6, 1, 1)
    serve(lambda *_: refused)
    with pytest.raises(EndpointError, match=r"none of 7 requests.*too long.*judge\.model"):
        judge_answers(client(tmp_path / "new"), pairs, 2)


def test_where_chance_explains_all_there_is_no_kappa(serve: Any, tmp_path: Path) -> None:
    serve(by_thought(REPLIES))
    pairs = list(zip(ITEMS, predictions("sft"), strict=True))
    found = agreement(judge_answers(client(tmp_path), pairs[:1], 1), "sft", "heldout")
    assert (found.n, found.share, found.kappa) == (1, 1.0, None)


# The stage.


def finished(unit: str, name: str, record: type, records: list[Any]) -> None:
    """What an earlier stage would have left behind."""
    path = Path("results/demo") / unit / name
    write_records(path, record, records)
    outputs = {name: {"bytes": path.stat().st_size, "sha256": ""}}
    write_json(path.parent / "run.json", {"fingerprint": unit, "mlflow_run_id": "", "outputs": outputs})


@pytest.fixture
def answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which two models answered; grpo leaves out the first item."""
    monkeypatch.chdir(tmp_path)
    training = dataclasses.replace(choice("t"), split="sft")
    finished("synthesize", "items.parquet", Item, [training, *ITEMS])
    finished("evaluate/sft/heldout", "predictions.parquet", Prediction, predictions("sft"))
    finished("evaluate/grpo/heldout", "predictions.parquet", Prediction, predictions("grpo")[:0:-1])
    return tmp_path


def run_judge(*overrides: str) -> Run:
    config = unit_config(compose("demo", ["judge.model=big", *overrides]), "judge")
    run = Run("demo", "judge", config, Path("results/demo/judge"), SilentTracker())
    main: Any = judge_stage.main
    main.__wrapped__(run)
    return run


def test_the_stage_and_that_a_repeated_run_asks_nothing(
    serve: Any, answered: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve(by_thought(REPLIES))
    monkeypatch.setenv(f"{URL_VARIABLE}_JUDGE", server.url)
    monkeypatch.setenv(f"{KEY_VARIABLE}_JUDGE", "own-key")
    monkeypatch.setenv(URL_VARIABLE, "http://127.0.0.1:9/v1")
    run = run_judge("judge.items=0", "judge.concurrency=1")
    assert set(run.outputs) == {"verdicts.parquet", "judge.json"}
    verdicts = read_records(run.folder / "verdicts.parquet", Judged)
    asked_items = [item.item_id for item in ITEMS[1:]]  # what both answered
    assert [(v.model, v.item_id) for v in verdicts] == [(m, i) for m in ("sft", "grpo") for i in asked_items]
    assert [v.judge for v in verdicts if v.model == "grpo"] == [case[4] for case in CASES[1:]]

    written = read_json(run.folder / "judge.json")
    assert (written["judge"], written["items"], written["prompt"]) == ("big", 8, prompt_text())
    made = SimpleNamespace(
        upstream=lambda unit: {"judge": SimpleNamespace(path=lambda n: run.folder / n)}[unit]
    )
    shown = judgement(made)  # type: ignore[arg-type]
    assert json.loads(json.dumps(dataclasses.asdict(shown))) == written
    table = judge_table(shown)
    assert [line.label for line in table.lines] == ["sft", "grpo"]
    sft = [(cell.main, cell.detail) for cell in table.lines[0].cells]
    assert sft[0][0] == "75.0%"
    assert sft[0][1].endswith("4 of 8")
    assert sft[4] == ("50.0%", "of 6")
    assert sft[6] == ("1", "2 / 0")
    for model in ("sft", "grpo"):
        own = [v for v in verdicts if v.model == model]
        assert [r for r in written["by_judge"] if r["model"] == model] == [
            dataclasses.asdict(r) for r in judge_rows(ITEMS[1:], own, model, "heldout")
        ]
        assert [r for r in written["by_rules"] if r["model"] == model] == [
            dataclasses.asdict(r) for r in consistency_rows(ITEMS[1:], predictions(model), model, "heldout")
        ]
    assert written["agreement"] == [
        dataclasses.asdict(agreement(verdicts, m, "heldout")) for m in ("sft", "grpo")
    ]
    assert run.metrics["sft/consistency"] == 3 / 4
    assert run.metrics["grpo/agreement"] == 3 / 6
    assert (run.metrics["sft/judged"], run.metrics["sft/unreadable"]) == (6, 1)
    # The two models reasoned alike: what one was asked about is known for the other.
    assert (run.metrics["endpoint_requests"], run.metrics["endpoint_cached"]) == (6, 6)
    assert run.counts == {"outcomes": {"concluded": 8, "not_asked": 4, "undecided": 2, "unreadable": 2}}
    assert {(b["model"], b["temperature"], b["max_tokens"]) for b in server.bodies} == {("big", 0.0, 256)}
    assert {h["Authorization"] for h in server.headers} == {"Bearer own-key"}
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed] == ["model", "sft", "grpo"]
    assert "75.0% [" in printed[1]
    assert "of 4/8" in printed[1]
    assert "50.0% of 6" in printed[1]

    first = (run.folder / "judge.json").read_bytes()
    again = run_judge("judge.items=0", "judge.concurrency=1")
    assert (again.folder / "judge.json").read_bytes() == first
    assert len(server.bodies) == 6
    assert again.metrics["endpoint_requests"] == 0
    assert not [p for p in answered.rglob("*") if p.is_file() and b"own-key" in p.read_bytes()]


def test_a_run_that_broke_off_continues(serve: Any, answered: Path) -> None:
    server = serve(lambda n, body: (401, {}, {}) if n == 3 else by_thought(REPLIES)(n, body))
    with pytest.raises(EndpointError, match="does not accept the key"):
        run_judge("judge.items=0", "judge.models=[sft]", "judge.concurrency=1")
    before = len(server.bodies)
    run_judge("judge.items=0", "judge.models=[sft]", "judge.concurrency=1")
    texts = [said(body) for body in server.bodies]
    assert len(set(texts)) == 7
    assert len(texts) == 8  # the one that was turned away
    assert before >= 4


def test_every_model_is_judged_on_the_same_drawn_items(serve: Any, answered: Path) -> None:
    serve(by_thought(REPLIES))
    chosen: list[list[str]] = []
    for overrides in ([], ["judge.models=[grpo,sft]"], ["seed=3"]):
        run = run_judge("judge.items=4", *overrides)
        verdicts = read_records(run.folder / "verdicts.parquet", Judged)
        sft, grpo = ([v.item_id for v in verdicts if v.model == m] for m in ("sft", "grpo"))
        assert sft == grpo == sorted(sft)
        assert len(sft) == 4
        chosen.append(sft)
    assert chosen[0] == chosen[1] != chosen[2]


def test_nothing_is_asked_where_no_item_is_shared(serve: Any, answered: Path) -> None:
    server = serve(by_thought(REPLIES))
    finished("evaluate/grpo/heldout", "predictions.parquet", Prediction, [])
    with pytest.raises(EmptySourceError, match=r"\['sft', 'grpo'\] answered no item of heldout"):
        run_judge()
    assert server.bodies == []


def test_nothing_decided_is_no_figure() -> None:
    rows = judge_rows(
        [ITEMS[7]], [SimpleNamespace(item_id="i7", model="m", correct=True, judge="undecided")], "m", "b"
    )
    assert judge_stage.cell(rows[0]) == "0 of 1 can be judged"
    assert judge_stage.metrics(rows, []) == {}
