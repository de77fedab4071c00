"""The client against a local server: retries, errors, kept answers, many questions at once."""

import base64
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.unit.builders import scene
from tests.unit.fake_endpoint import Reply, Server, answer, client, serving, talk
from tpru.errors import EndpointError
from tpru.files import read_json
from tpru.models.endpoint import (
    KEY_VARIABLE,
    URL_VARIABLE,
    Endpoint,
    RefusedError,
    Settings,
    in_order,
    picture,
)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Server]]:
    """Starts a server with a behaviour."""
    with serving(monkeypatch) as start:
        yield start


def test_a_question_and_its_answer(serve: Any, tmp_path: Path) -> None:
    server = serve(lambda *_: answer("hello"))
    endpoint = client(tmp_path)
    assert endpoint.ask(talk("hi")) == "hello"
    assert server.paths == ["/v1/chat/completions"]
    assert server.headers[0]["Authorization"] == "Bearer the-key"
    assert server.bodies == [{"model": "m", "temperature": 0.0, "max_tokens": 100, "messages": talk("hi")}]
    assert (endpoint.usage.requests, endpoint.usage.cached, endpoint.usage.tokens) == (1, 0, 10)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(serve: Any, tmp_path: Path, status: int) -> None:
    server = serve(lambda n, _: answer("late") if n == 2 else (status, {}, {"error": "busy"}))
    assert client(tmp_path).ask(talk("hi")) == "late"
    assert len(server.bodies) == 3


def test_retry_after_is_waited_for(serve: Any, tmp_path: Path) -> None:
    serve(lambda n, _: answer("late") if n else (429, {"Retry-After": "1"}, {"error": "slow down"}))
    started = time.monotonic()
    assert client(tmp_path).ask(talk("hi")) == "late"
    assert 1.0 <= time.monotonic() - started < 10


@pytest.mark.parametrize("header", ["soon", "0.5", ""])
def test_a_retry_after_that_cannot_be_read_is_no_error(serve: Any, tmp_path: Path, header: str) -> None:
    serve(lambda n, _: answer("late") if n else (503, {"Retry-After": header}, {}))
    assert client(tmp_path).ask(talk("hi")) == "late"


def test_an_answer_that_takes_too_long_is_asked_for_again(serve: Any, tmp_path: Path) -> None:
    def slow_once(n: int, _: Any) -> Reply:
        time.sleep(0.0 if n else 1.0)
        return answer("late")

    server = serve(slow_once)
    assert client(tmp_path, timeout_s=0.3).ask(talk("hi")) == "late"
    assert len(server.bodies) == 2


def test_a_server_that_stays_busy_is_an_error_after_the_last_try(serve: Any, tmp_path: Path) -> None:
    server = serve(lambda *_: (503, {}, {"error": "overloaded"}))
    with pytest.raises(EndpointError, match=r"503.*retries.*overloaded") as caught:
        client(tmp_path, retries=2).ask(talk("hi"))
    assert len(server.bodies) == 3
    assert caught.value.exit_code == 21
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_key_is_named_at_once_and_not_printed(serve: Any, tmp_path: Path, status: int) -> None:
    server = serve(lambda *_: (status, {}, {"error": "the-key is not valid"}))
    with pytest.raises(EndpointError) as caught:
        client(tmp_path).ask(talk("hi"))
    assert KEY_VARIABLE in str(caught.value)
    assert server.url in str(caught.value)
    assert "the-key" not in str(caught.value)
    assert len(server.bodies) == 1


def test_a_wrong_path_or_model_is_named(serve: Any, tmp_path: Path) -> None:
    serve(lambda *_: (404, {}, {"error": "not found"}))
    with pytest.raises(EndpointError) as caught:
        client(tmp_path, "other").ask(talk("hi"))
    for words in (URL_VARIABLE, "'other'", "describe.endpoint.model", "404"):
        assert words in str(caught.value)


def test_nobody_at_the_url(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(URL_VARIABLE, "http://127.0.0.1:9/v1")
    with pytest.raises(EndpointError, match=rf"http://127.0.0.1:9/v1/chat/completions.*{URL_VARIABLE}"):
        client(tmp_path, retries=1).ask(talk("hi"))


@pytest.mark.parametrize("url", ["", "localhost:8000", "http://", "ftp://host/v1"])
def test_no_url_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str) -> None:
    monkeypatch.setenv(URL_VARIABLE, url)
    with pytest.raises(EndpointError, match=URL_VARIABLE):
        client(tmp_path).ask(talk("hi"))


@pytest.mark.parametrize(
    "body", [b"<html>welcome</html>", {"choices": []}, [1], {"choices": [{"text": "x"}]}]
)
def test_another_kind_of_server_is_named(serve: Any, tmp_path: Path, body: Any) -> None:
    serve(lambda *_: (200, {}, body))
    with pytest.raises(EndpointError, match=URL_VARIABLE):
        client(tmp_path).ask(talk("hi"))
    assert not list(tmp_path.rglob("*.json"))


def test_a_redirect_is_not_followed_with_the_key(serve: Any, tmp_path: Path) -> None:
    server = serve(lambda *_: (302, {"Location": "/elsewhere"}, {}))
    with pytest.raises(EndpointError, match="302"):
        client(tmp_path).ask(talk("hi"))
    assert len(server.bodies) == 1


def test_one_request_that_is_not_accepted_is_no_end(serve: Any, tmp_path: Path) -> None:
    serve(lambda *_: (400, {}, {"error": "too many pictures"}))
    with pytest.raises(RefusedError, match="too many pictures"):
        client(tmp_path).ask(talk("hi"))


def test_an_answer_without_text_is_an_empty_one(serve: Any, tmp_path: Path) -> None:
    serve(lambda *_: answer(None))
    assert client(tmp_path).ask(talk("hi")) == ""


# What is kept.


def test_a_kept_answer_needs_no_request_and_no_endpoint(
    serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(lambda *_: answer("hello"))
    client(tmp_path).ask(talk("hi"))
    monkeypatch.delenv(URL_VARIABLE)
    again = client(tmp_path)
    assert again.ask(talk("hi")) == "hello"
    assert len(server.bodies) == 1
    assert (again.usage.requests, again.usage.cached) == (0, 1)
    (path,) = tmp_path.rglob("*.json")
    assert path.parent.name == path.name[:2]
    assert "the-key" not in path.read_text()


def test_model_settings_messages_and_pictures_name_an_answer(serve: Any, tmp_path: Path) -> None:
    server = serve(lambda n, _: answer(str(n)))
    asked = [picture(scene((x, 20)), 112) for x in (10, 11)]
    endpoints = [client(tmp_path, model) for model in ("a", "b")]
    endpoints.append(Endpoint(Settings("a", 0.5, 100), tmp_path / "cache", 0, 5.0))
    for _ in range(2):
        told = [e.ask([{"role": "user", "content": [part]}]) for e in endpoints for part in asked]
        assert told == ["0", "1", "2", "3", "4", "5"]
    assert len(server.bodies) == 6


def test_a_broken_file_is_asked_for_again(serve: Any, tmp_path: Path) -> None:
    server = serve(lambda *_: answer("hello"))
    client(tmp_path).ask(talk("hi"))
    (path,) = tmp_path.rglob("*.json")
    path.write_text("{")
    assert client(tmp_path).ask(talk("hi")) == "hello"
    assert len(server.bodies) == 2
    assert read_json(path)["text"] == "hello"


def test_a_killed_run_continues_where_it_was(serve: Any, tmp_path: Path) -> None:
    victim: list[int] = []

    def kill_at_the_fourth(n: int, body: Any) -> Reply:
        if n == 3:
            os.kill(victim[0], signal.SIGKILL)
        return answer(body["messages"][0]["content"].upper())

    server = serve(kill_at_the_fourth)
    program = (
        "import sys; from pathlib import Path; from tpru.models.endpoint import Endpoint, Settings\n"
        "sys.stdin.readline()\n"
        "e = Endpoint(Settings('m', 0.0, 100), Path('cache'), 0, 20.0)\n"
        "for x in 'abcdef': e.ask([{'role': 'user', 'content': x}])\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, stdin=subprocess.PIPE)
    victim.append(process.pid)
    process.communicate(b"go\n", timeout=60)
    assert process.returncode == -signal.SIGKILL
    endpoint = client(tmp_path)
    assert [endpoint.ask(talk(x)) for x in "abcdef"] == list("ABCDEF")
    assert (endpoint.usage.cached, endpoint.usage.requests) == (3, 3)
    assert len(server.bodies) == 7  # the one that was lost is asked twice


# Many at once.


def test_results_stand_in_the_order_of_the_questions(serve: Any, tmp_path: Path) -> None:
    lock = threading.Lock()
    now, most = [0], [0]

    def slower_when_earlier(_: int, body: Any) -> Reply:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        number = int(body["messages"][0]["content"])
        time.sleep(0.02 * (12 - number) / 4)
        with lock:
            now[0] -= 1
        return answer(f"answer {number}")

    serve(slower_when_earlier)
    endpoint = client(tmp_path)
    told = list(in_order(lambda k: endpoint.ask(talk(str(k))), range(12), 4))
    assert told == [f"answer {k}" for k in range(12)]
    assert 2 <= most[0] <= 4


def test_the_first_error_ends_the_rest(serve: Any, tmp_path: Path) -> None:
    server = serve(lambda *_: (401, {}, {}))
    endpoint = client(tmp_path)
    with pytest.raises(EndpointError, match=KEY_VARIABLE):
        list(in_order(lambda k: endpoint.ask(talk(str(k))), range(500), 2))
    assert len(server.bodies) < 100


def test_the_same_question_at_the_same_time_does_no_harm(serve: Any, tmp_path: Path) -> None:
    serve(lambda *_: answer("same"))
    endpoint = client(tmp_path)
    assert list(in_order(lambda _: endpoint.ask(talk("hi")), range(40), 8)) == ["same"] * 40
    assert len(list(tmp_path.rglob("*.json"))) == 1
    assert not list(tmp_path.rglob("*.tmp"))


def test_pictures_are_shrunk_and_never_enlarged() -> None:
    large, small = picture(Image.new("RGB", (800, 400)), 224), picture(Image.new("RGB", (30, 20)), 224)
    for part, size in ((large, (224, 112)), (small, (30, 20))):
        assert size_of(part) == size


def size_of(part: dict[str, Any]) -> tuple[int, int]:
    head, _, data = part["image_url"]["url"].partition(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        return image.size
