"""Items answered by a model behind an endpoint: a local server counts what it is asked."""

import base64
import io
import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from tests.unit.builders import make_item, png, scene
from tests.unit.fake_endpoint import Reply, Server, answer, client, serving
from tpru.config.compose import compose, unit_config
from tpru.errors import EndpointError
from tpru.evaluation.endpoint import answer_items_by_endpoint
from tpru.files import sha256_bytes
from tpru.models.endpoint import KEY_VARIABLE, URL_VARIABLE, address
from tpru.records import Item, Prediction
from tpru.stages.evaluate import by_endpoint
from tpru.store import FrameStore, write_frames

PICTURES = [png(scene(at=(9 * k, 20), size=(80, 56))) for k in range(2)]
NAMES = tuple(sha256_bytes(p) for p in PICTURES)
ITEMS = [make_item(f"i{k}", shown=NAMES, text=f"Task number {k}.", answer="C") for k in range(12)]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Server]]:
    with serving(monkeypatch) as start:
        yield start


def ask(folder: Path, items: list[Item] = ITEMS, concurrency: int = 4, **changes: Any) -> list[Prediction]:
    if not (folder / "frames.parquet").exists():
        write_frames(folder / "frames.parquet", PICTURES)
    frames = FrameStore([folder / "frames.parquet"])
    names, partial = ("gpt", "heldout"), folder / "partial.jsonl"
    return answer_items_by_endpoint(client(folder, **changes), items, frames, partial, names, concurrency, 56)


def first_words(body: dict[str, Any]) -> str:
    text: str = body["messages"][0]["content"][0]["text"]
    return text


def counted(text: str) -> Reply:
    status, headers, body = answer(text)
    return status, headers, {**body, "usage": {"completion_tokens": 7, "total_tokens": 99}}


def test_every_item_gets_its_answer_in_its_place(serve: Any, tmp_path: Path) -> None:
    server = serve(lambda _, body: counted(f"<think>{first_words(body)}</think><answer>C</answer>"))
    made = ask(tmp_path)
    assert [p.item_id for p in made] == [i.item_id for i in ITEMS]
    for item, prediction in zip(ITEMS, made, strict=True):
        assert item.caption in prediction.completion
        assert (prediction.model, prediction.benchmark, prediction.n_tokens) == ("gpt", "heldout", 7)
        assert (prediction.parsed, prediction.correct) == ("C", True)
    assert len(server.bodies) == len(ITEMS)


def test_pictures_stand_in_their_places_and_are_shrunk(serve: Any, tmp_path: Path) -> None:
    server = serve(lambda *_: answer("<answer>C</answer>"))
    ask(tmp_path, ITEMS[:1])
    ((message,),) = [body["messages"] for body in server.bodies]
    content = message["content"]
    assert [part["type"] for part in content] == [
        {"image": "image_url", "text": "text"}[block.type] for block in ITEMS[0].prompt
    ]
    assert [part["text"] for part in content if part["type"] == "text"] == [
        block.value for block in ITEMS[0].prompt if block.type == "text"
    ]
    for part in content:
        if part["type"] == "image_url":
            head, _, data = part["image_url"]["url"].partition(",")
            assert head == "data:image/jpeg;base64"
            with Image.open(io.BytesIO(base64.b64decode(data))) as image:
                assert image.size == (56, 39)


def test_a_refusal_in_words_is_unparsable_and_kept(serve: Any, tmp_path: Path) -> None:
    serve(lambda *_: answer("I'm sorry, I can't help with images of people."))
    (made,) = ask(tmp_path, ITEMS[:1])
    assert (made.completion[:9], made.parsed, made.correct) == ("I'm sorry", "", False)


def test_a_refused_request_is_an_empty_answer_and_the_others_go_on(serve: Any, tmp_path: Path) -> None:
    def filtered(_: int, body: dict[str, Any]) -> Reply:
        return (
            (400, {}, {"error": "content filter"})
            if "number 0" in first_words(body)
            else answer("<answer>C</answer>")
        )

    serve(filtered)
    made = ask(tmp_path, concurrency=1)
    assert [p.correct for p in made] == [False, *[True] * 11]
    assert (made[0].completion, made[0].parsed, made[0].n_tokens) == ("", "", 0)


def test_an_endpoint_that_accepts_nothing_is_an_error_and_no_result(serve: Any, tmp_path: Path) -> None:
    server = serve(lambda *_: (400, {}, {"error": "no such parameter: max_tokens"}))
    with pytest.raises(EndpointError, match=r"none of 8 requests.*no such parameter"):
        ask(tmp_path, concurrency=1)
    assert len(server.bodies) == 8
    assert (tmp_path / "partial.jsonl").read_text() == ""


def test_a_busy_server_is_asked_again(serve: Any, tmp_path: Path) -> None:
    seen: Counter[str] = Counter()

    def busy_once(_: int, body: dict[str, Any]) -> Reply:
        seen[first_words(body)] += 1
        return (429, {}, {}) if seen[first_words(body)] == 1 else answer("<answer>C</answer>")

    serve(busy_once)
    assert all(p.correct for p in ask(tmp_path))
    assert set(seen.values()) == {2}


def test_a_killed_run_asks_nothing_twice_but_what_was_under_way(serve: Any, tmp_path: Path) -> None:
    victim: list[int] = []

    def kill_at_the_sixth(n: int, body: dict[str, Any]) -> Reply:
        if n == 5:
            os.kill(victim[0], signal.SIGKILL)
        return answer("<answer>C</answer>")

    server = serve(kill_at_the_sixth)
    started = multiprocessing.get_context("fork").Semaphore(0)
    write_frames(tmp_path / "frames.parquet", PICTURES)
    # A fork: a new interpreter would spend seconds on its imports.
    child = os.fork()
    if child == 0:
        started.acquire()
        ask(tmp_path, concurrency=1)
        os._exit(0)
    victim.append(child)
    started.release()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert all(p.correct for p in ask(tmp_path, concurrency=1))
    asked = Counter(first_words(body) for body in server.bodies)
    assert len(asked) == len(ITEMS)
    assert sum(asked.values()) == len(ITEMS) + 1  # the one whose answer never arrived


def test_a_finished_run_asks_nothing_again(serve: Any, tmp_path: Path) -> None:
    server = serve(lambda *_: answer("<answer>C</answer>"))
    first = ask(tmp_path)
    for kept in (tmp_path / "cache").rglob("*.json"):
        kept.unlink()
    assert ask(tmp_path) == first
    assert len(server.bodies) == len(ITEMS)


def test_an_endpoint_with_a_name_has_variables_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL_VARIABLE, "http://common/v1")
    monkeypatch.setenv(KEY_VARIABLE, "common-key")
    assert address("gpt_4o") == address() == ("http://common/v1/chat/completions", "common-key")
    monkeypatch.setenv(f"{URL_VARIABLE}_GPT_4O", "https://own/v1")
    # The common key is not for this server.
    assert address("gpt_4o") == ("https://own/v1/chat/completions", "")
    monkeypatch.setenv(f"{KEY_VARIABLE}_GPT_4O", "own-key")
    assert address("gpt_4o") == ("https://own/v1/chat/completions", "own-key")
    assert address("other")[1] == "common-key"


def test_errors_name_the_values_of_the_endpoint(
    serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(lambda *_: (404, {}, {"error": "not found"}))
    monkeypatch.setenv(f"{URL_VARIABLE}_GPT", server.url)
    with pytest.raises(EndpointError) as caught:
        ask(tmp_path, ITEMS[:1], name="gpt", keys="endpoints.gpt")
    assert f"{URL_VARIABLE}_GPT" in str(caught.value)
    assert "endpoints.gpt.model" in str(caught.value)


def test_the_stage_asks_the_endpoint_of_its_name_and_records_what_it_cost(
    serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    server = serve(lambda *_: answer("<answer>C</answer>"))
    monkeypatch.setenv(f"{URL_VARIABLE}_GPT_4O", server.url)
    monkeypatch.setenv(f"{KEY_VARIABLE}_GPT_4O", "own-key")
    monkeypatch.setenv(URL_VARIABLE, "http://127.0.0.1:9/v1")
    overrides = ["+endpoint@endpoints.gpt_4o=default", "endpoints.gpt_4o.model=gpt-4o"]
    config = unit_config(compose("demo", overrides), "evaluate/gpt_4o/heldout")
    run: Any = SimpleNamespace(config=config, metrics={}, folder=tmp_path / "unit", fingerprint=lambda: "f")
    write_frames(tmp_path / "frames.parquet", PICTURES)
    frames = FrameStore([tmp_path / "frames.parquet"])
    made = by_endpoint(run, ITEMS, frames, ("gpt_4o", "heldout"))
    assert all(p.correct and p.model == "gpt_4o" for p in made)
    assert {h["Authorization"] for h in server.headers} == {"Bearer own-key"}
    assert {(b["model"], b["temperature"], b["max_tokens"]) for b in server.bodies} == {("gpt-4o", 0.0, 1024)}
    assert run.metrics == {"endpoint_requests": 12, "endpoint_cached": 0, "endpoint_tokens": 120}
    kept = [p for p in tmp_path.rglob("*") if p.is_file() and b"own-key" in p.read_bytes()]
    assert kept == []
