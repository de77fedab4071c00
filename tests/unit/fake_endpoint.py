"""A local server that plays an OpenAI-compatible endpoint."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tpru.models.endpoint import (
    KEY_VARIABLE,
    URL_VARIABLE,
    Endpoint,
    Settings,
)

Reply = tuple[int, dict[str, str], Any]  # status, headers, body


def answer(content: Any) -> Reply:
    """A chat completion whose text is given (JSON where it is no text)."""
    text = content if isinstance(content, str) or content is None else json.dumps(content)
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return 200, {}, {"model": "served", "choices": [choice], "usage": {"total_tokens": 10}}


@dataclass
class Server:
    """What the endpoint does with its n-th request (from 0), and everything that it was asked."""

    reply: Callable[[int, dict[str, Any]], Reply]
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    url: str = ""

    def take(self, handler: BaseHTTPRequestHandler) -> Reply:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        number = len(self.bodies)
        self.bodies.append(body)
        self.headers.append(dict(handler.headers))
        self.paths.append(handler.path)
        return self.reply(number, body)


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Server]]:
    """A function that starts a server with a behaviour; the environment then leads to it."""
    running: list[ThreadingHTTPServer] = []

    def start(reply: Callable[[int, dict[str, Any]], Reply]) -> Server:
        made = Server(reply)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                status, headers, body = made.take(self)
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(data)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        http.daemon_threads = True
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        running.append(http)
        made.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
        monkeypatch.setenv(URL_VARIABLE, made.url)
        monkeypatch.setenv(KEY_VARIABLE, "the-key")
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        return made

    yield start
    for http in running:
        http.shutdown()
        http.server_close()


def client(
    folder: Path, model: str = "m", retries: int = 3, timeout_s: float = 20.0, **named: str
) -> Endpoint:
    settings = Settings(model, 0.0, 100)
    return Endpoint(settings, folder / "cache", retries, timeout_s, first_wait_s=0.02, **named)


def talk(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]
