"""The judge and the captioner behind an endpoint: what is kept, dropped, asked again; reading answers."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.builders import make_sequence, scene
from tests.unit.fake_endpoint import Reply, Server, answer, client, serving
from tpru.config.compose import compose
from tpru.config.schema import EndpointConfig
from tpru.errors import ConfigError, EmptySourceError, EndpointError
from tpru.files import sha256_bytes
from tpru.records import KeyFrame, Sequence
from tpru.store import FrameStore, encode_png, read_records, write_frames, write_records
from tpru.synthesis import questions
from tpru.synthesis.endpoint_captions import (
    Described,
    Judgement,
    agreement,
    check_some_kept,
    endpoint_captions,
)

CONFIG = compose("demo", ["describe=endpoint"]).describe.endpoint
assert CONFIG is not None
ACTIONS = {"action": "put the cup on the shelf", "other_action": "pour water into the cup"}


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Server]]:
    """Starts a server with a behaviour."""
    with serving(monkeypatch) as start:
        yield start


# Reading answers.


@pytest.mark.parametrize(
    "text",
    [
        '{"reason": "clear steps", "clear": "yes"}',
        '```json\n{"reason": "clear steps", "clear": true}\n```',
        '<think>{"clear": "no"}</think> Sure! {"clear": "Yes", "reason": " clear steps ", "more": 1} Done.',
        'Given {the pictures}: {"reason": "clear steps", "clear": "true"}',
    ],
)
def test_json_is_found_in_what_models_write(text: str) -> None:
    assert questions.read_verdict(text) == questions.Verdict(reason="clear steps", clear=True)


@pytest.mark.parametrize(
    "text", ["", "yes", '{"clear": "yes"', '{"clear": "maybe", "reason": "x"}', '{"reason": "x"}', "[1]"]
)
def test_what_is_no_verdict_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        questions.read_verdict(text)
    assert questions.explain(caught.value)


def test_actions_become_clauses() -> None:
    given = {"action": " These pictures show this task: Put the  cup away. ", "other_action": "Open the door"}
    read = questions.read_actions(json.dumps(given))
    assert (read.action, read.other_action) == ("put the cup away", "open the door")


@pytest.mark.parametrize(
    ("action", "other", "said"),
    [
        ("do it", "Do it.", "same"),
        ("", "x", "action"),
        ("x", "word " * 31, "30 words"),
        ("x", 5, "other_action"),
        (".", "x", "empty"),
    ],
)
def test_actions_that_cannot_be_used_are_refused(action: Any, other: Any, said: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        questions.read_actions(json.dumps({"action": action, "other_action": other}))
    assert said in questions.explain(caught.value)


@pytest.mark.parametrize(
    ("given", "read"), [("BADC", "BADC"), ("b, a, d, c", "BADC"), ("B > A > D > C", "BADC")]
)
def test_orders_are_read(given: str, read: str) -> None:
    assert questions.read_order(json.dumps({"order": given}), 4) == read


@pytest.mark.parametrize("given", ["ABC", "ABCC", "ABCDE", "1234", ""])
def test_orders_that_are_none_are_refused(given: str) -> None:
    with pytest.raises(ValueError, match="each of ABCD once"):
        questions.read_order(json.dumps({"order": given}), 4)


@pytest.mark.parametrize(("said", "share"), [("0123", 1.0), ("3210", 0.0), ("1023", 5 / 6), ("", None)])
def test_agreement_counts_pairs_in_the_right_order(said: str, share: float | None) -> None:
    assert agreement(said) == (share if share is None else pytest.approx(share))


# Judge and captioner.


@pytest.fixture
def world(tmp_path: Path) -> tuple[list[Sequence], FrameStore]:
    """Five sequences of four pictures, each picture its own."""
    drawn: list[bytes] = []
    sequences = []
    for number in range(5):
        made = make_sequence(f"robot/{number}", goal=f"do thing {number}")
        data = [encode_png(scene((10 + 15 * k, 10 + 12 * number))) for k in range(4)]
        frames = tuple(KeyFrame(sha256_bytes(d), 2 * k, "", "drawn") for k, d in enumerate(data))
        sequences.append(Sequence(**{**vars(made), "frames": frames}))
        drawn += data
    write_frames(tmp_path / "frames.parquet", drawn)
    return sequences, FrameStore([tmp_path / "frames.parquet"])


def config(**changes: Any) -> EndpointConfig:
    return EndpointConfig(**{**CONFIG.model_dump(), "model": "m", "concurrency": 3, **changes})


def content(body: dict[str, Any]) -> list[dict[str, Any]]:
    return body["messages"][1]["content"]


def kind(body: dict[str, Any]) -> str:
    """Which question a request asks."""
    text = content(body)[-1]["text"]
    return next(
        k
        for k, word in (("clear", '"clear"'), ("order", '"order"'), ("describe", '"action"'))
        if word in text
    )


def which(body: dict[str, Any]) -> int:
    """Number of the sequence that a request is about."""
    return int(content(body)[0]["text"].split("do thing ")[1][0])


def good(_: int, body: dict[str, Any]) -> Reply:
    """Everything is clear; pictures are ordered as shown."""
    replies = {"clear": {"reason": "plain", "clear": "yes"}, "order": {"order": "ABCD"}}
    return answer(replies.get(kind(body), {k: f"{v} {which(body)}" for k, v in ACTIONS.items()}))


def described(world: Any, folder: Path, seed: int = 0, **changes: Any) -> Described:
    sequences, frames = world
    return endpoint_captions(sequences, config(**changes), seed, frames, client(folder))


def test_every_clear_sequence_is_described_in_order(serve: Any, world: Any, tmp_path: Path) -> None:
    server = serve(good)
    made = described(world, tmp_path)
    assert [c.sequence_id for c in made.captions] == [s.sequence_id for s in world[0]]
    assert made.captions[3].positive == "These pictures show this task: put the cup on the shelf 3."
    assert made.captions[3].negative == "These pictures show this task: pour water into the cup 3."
    assert {c.captioner for c in made.captions} == {"m"}
    assert made.outcomes() == {"kept": 5}
    assert sorted(kind(b) for b in server.bodies) == ["clear"] * 5 + ["describe"] * 5 + ["order"] * 5
    assert all(sum(p["type"] == "image_url" for p in content(b)) == 4 for b in server.bodies)
    write_records(tmp_path / "judgements.parquet", Judgement, made.judgements)
    assert read_records(tmp_path / "judgements.parquet", Judgement) == list(made.judgements)


def test_the_blind_judge_sees_a_shuffle_and_is_compared_with_the_truth(
    serve: Any, world: Any, tmp_path: Path
) -> None:
    server = serve(good)
    made = described(world, tmp_path)
    in_time = {which(b): shots(b) for b in server.bodies if kind(b) == "clear"}
    for body in (b for b in server.bodies if kind(b) == "order"):
        judgement = made.judgements[which(body)]
        assert shots(body) == [in_time[which(body)][int(k)] for k in judgement.shown]
        assert judgement.said == judgement.shown  # it said ABCD
        assert judgement.agreement == agreement(judgement.shown)
    assert len({j.shown for j in made.judgements}) > 1
    metrics = made.order_metrics()
    assert (metrics["blind_order_asked"], metrics["blind_order_readable"]) == (5, 5)
    assert metrics["blind_order_right"] == sum(j.shown == "0123" for j in made.judgements) / 5
    assert metrics["blind_order_agreement"] == pytest.approx(
        sum(agreement(j.shown) or 0 for j in made.judgements) / 5
    )


def shots(body: dict[str, Any]) -> list[str]:
    return [p["image_url"]["url"] for p in content(body) if p["type"] == "image_url"]


def test_unclear_sequences_are_left_out_and_counted(serve: Any, world: Any, tmp_path: Path) -> None:
    def unclear_second(n: int, body: Any) -> Reply:
        if kind(body) == "clear" and which(body) == 1:
            return answer({"reason": "nothing moves", "clear": "no"})
        return good(n, body)

    server = serve(unclear_second)
    made = described(world, tmp_path)
    assert made.outcomes() == {"kept": 4, "not_clear": 1}
    assert world[0][1].sequence_id not in {c.sequence_id for c in made.captions}
    assert (made.judgements[1].outcome, made.judgements[1].reason) == ("not_clear", "nothing moves")
    assert [kind(b) for b in server.bodies if which(b) == 1] == ["clear"]


def test_judging_can_be_left_out(serve: Any, world: Any, tmp_path: Path) -> None:
    server = serve(good)
    made = described(world, tmp_path, judge=False, blind_order=False, show_goal=True)
    assert {kind(b) for b in server.bodies} == {"describe"}
    assert made.order_metrics() == {}


def test_the_goal_is_told_only_when_wanted(serve: Any, world: Any, tmp_path: Path) -> None:
    server = serve(lambda *_: answer(ACTIONS))
    described(world, tmp_path, judge=False, blind_order=False, show_goal=False)
    assert not any("do thing" in json.dumps(b) for b in server.bodies)


def test_malformed_json_is_asked_for_again_with_the_reason(serve: Any, world: Any, tmp_path: Path) -> None:
    def sloppy_once(n: int, body: Any) -> Reply:
        if kind(body) == "describe" and len(body["messages"]) == 2:
            return answer('{"action": "put it')
        return good(n, body)

    server = serve(sloppy_once)
    made = described(world, tmp_path)
    assert made.outcomes() == {"kept": 5}
    second = next(b for b in server.bodies if len(b["messages"]) == 4)
    assert second["messages"][2] == {"role": "assistant", "content": '{"action": "put it'}
    assert "not valid JSON" in second["messages"][3]["content"]


def test_a_permanent_failure_is_counted_and_nothing_is_made_up(
    serve: Any, world: Any, tmp_path: Path
) -> None:
    def never_for_two(n: int, body: Any) -> Reply:
        if (kind(body), which(body)) in (("describe", 0), ("clear", 2), ("order", 3)):
            return answer("I would rather not.")
        return good(n, body)

    server = serve(never_for_two)
    made = described(world, tmp_path, asks=2)
    assert made.outcomes() == {"caption_unreadable": 1, "kept": 3, "verdict_unreadable": 1}
    assert [c.sequence_id for c in made.captions] == [world[0][k].sequence_id for k in (1, 3, 4)]
    assert sum((kind(b), which(b)) == ("describe", 0) for b in server.bodies) == 2
    assert (made.judgements[3].said, made.judgements[3].agreement) == ("", None)
    assert made.order_metrics()["blind_order_readable"] == 3


def test_a_refused_request_costs_one_sequence(serve: Any, world: Any, tmp_path: Path) -> None:
    def filtered(n: int, body: Any) -> Reply:
        return (400, {}, {"error": "content filter"}) if which(body) == 4 else good(n, body)

    serve(filtered)
    made = described(world, tmp_path)
    assert made.outcomes() == {"kept": 4, "refused": 1}
    assert "content filter" in made.judgements[4].reason
    check_some_kept(made)


def test_refusing_everything_is_an_error_of_the_endpoint(serve: Any, world: Any, tmp_path: Path) -> None:
    serve(lambda *_: (400, {}, {"error": "at most one picture"}))
    with pytest.raises(EndpointError, match="at most one picture"):
        check_some_kept(described(world, tmp_path))


def test_keeping_nothing_is_an_error_of_its_own(serve: Any, world: Any, tmp_path: Path) -> None:
    serve(lambda *_: answer({"reason": "dark", "clear": "no"}))
    with pytest.raises(EmptySourceError, match="'not_clear': 5"):
        check_some_kept(described(world, tmp_path))


def test_a_repeated_run_asks_nothing_and_says_the_same(serve: Any, world: Any, tmp_path: Path) -> None:
    server = serve(good)
    first = described(world, tmp_path)
    asked = len(server.bodies)
    assert described(world, tmp_path, concurrency=1) == first
    assert len(server.bodies) == asked


def test_the_shuffle_depends_on_the_seed(serve: Any, world: Any, tmp_path: Path) -> None:
    serve(good)
    orders = [[j.shown for j in described(world, tmp_path, seed).judgements] for seed in (0, 1)]
    assert orders[0] != orders[1]


def test_the_endpoint_needs_its_values() -> None:
    with pytest.raises(ConfigError, match="describe=endpoint"):
        compose("demo", ["describe.captioner=endpoint"])
    with pytest.raises(ConfigError, match=r"describe\.endpoint\.concurrency"):
        compose("demo", ["describe=endpoint", "describe.endpoint.concurrency=0"])
