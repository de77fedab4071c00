"""A local server that offers files as the hub, GitHub, a Google Cloud bucket and plain web servers do."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest

from tpru.acquisition import http, offers
from tpru.acquisition.cache import CACHE_VARIABLE

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPO = "somebody/something"


@dataclass
class Origin:
    """Files by their path, what goes wrong with the next requests for each, and everything that was asked.

    ``faults``: by path a list of ``cut:N`` (N bytes, then the line breaks), ``corrupt`` (another byte),
    ``status:N``, ``later`` (429 with Retry-After: 1), ``to:URL`` (a redirect) and
    ``page`` (a web page in its place).
    """

    files: dict[str, bytes]
    faults: dict[str, list[str]] = field(default_factory=dict)
    ranges: bool = True
    etags: bool = True
    lfs: bool = True
    licence: str | None = "cc-by-4.0"
    gated: bool = False
    token: str = ""
    delay_s: float = 0.0
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    sent: int = 0
    at_once: int = 0
    most_at_once: int = 0
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def gets(self, part: str = "") -> list[str]:
        """Paths of the files that were asked for, without listings and questions for sizes."""
        return [p for m, p, _ in self.asked if m == "GET" and "api" not in p.split("/")[1:2] and part in p]

    def data_gets(self) -> list[str]:
        """Names of the files that were really fetched, in the order in which they were asked for."""
        found = [p for m, p, _ in self.asked if m == "GET"]
        return [n for p in found for n in self.files if unquote(p.split("?")[0]).endswith(f"/{n}")]


def git_name(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _api(origin: Origin, path: str, query: dict[str, list[str]]) -> tuple[int, dict[str, str], Any]:
    """Answers of the listings: status, headers, JSON."""
    if path == f"/api/datasets/{REPO}/revision/{COMMIT}":
        card = {"license": origin.licence} if origin.licence else {}
        info = {"id": REPO, "sha": COMMIT, "gated": "auto" if origin.gated else False, "cardData": card}
        return 200, {}, {**info, "siblings": [{"rfilename": n} for n in origin.files], "tags": []}
    if path == f"/api/datasets/{REPO}/tree/{COMMIT}":
        rows = []
        for name, data in origin.files.items():
            row: dict[str, Any] = {"type": "file", "path": name, "size": len(data), "oid": git_name(data)}
            if origin.lfs:
                sha = hashlib.sha256(data).hexdigest()
                row |= {
                    "oid": git_name(b"pointer"),
                    "lfs": {"oid": sha, "size": len(data), "pointerSize": 130},
                }
            rows.append(row)
        # In two pages, as the hub gives large trees.
        half = len(rows) // 2
        if "cursor" in query or not half:
            return 200, {}, rows[half:]
        more = f'<{origin.url}{path}?recursive=true&cursor=x>; rel="next"'
        return 200, {"Link": more}, [{"type": "directory", "path": "folder", "oid": "0" * 40}, *rows[:half]]
    if path.startswith("/api/datasets/"):
        known = path.startswith(f"/api/datasets/{REPO}/")
        code = "RevisionNotFound" if known else "RepoNotFound"
        return (404 if known else 401), {"X-Error-Code": code}, {"error": code}
    if path == f"/repos/{REPO}/git/trees/{COMMIT}":
        blob = {"type": "blob", "mode": "100644"}
        tree = [{**blob, "path": n, "size": len(d), "sha": git_name(d)} for n, d in origin.files.items()]
        return (
            200,
            {},
            {
                "sha": COMMIT,
                "tree": [{"type": "tree", "mode": "040000", "path": "d"}, *tree],
                "truncated": False,
            },
        )
    if path == "/storage/v1/b/bucket/o":
        prefix = query["prefix"][0]
        rows = [
            {
                "name": prefix + n,
                "size": str(len(d)),
                "generation": "17",
                "md5Hash": base64.b64encode(hashlib.md5(d).digest()).decode(),
            }
            for n, d in origin.files.items()
        ]
        half = len(rows) // 2
        return (
            200,
            {},
            {"items": rows[half:]} if "pageToken" in query else {"items": rows[:half], "nextPageToken": "x"},
        )
    return 404, {}, {"error": "nothing here"}


def _handler(origin: Origin) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with origin.lock:
                origin.asked.append((self.command, self.path, dict(self.headers)))
                origin.at_once += 1
                origin.most_at_once = max(origin.most_at_once, origin.at_once)
            try:
                time.sleep(origin.delay_s)
                self._answer()
            finally:
                with origin.lock:
                    origin.at_once -= 1

        do_HEAD = do_GET  # noqa: N815

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            path = unquote(parts.path)
            name = next(
                (n for n in sorted(origin.files, key=len, reverse=True) if path.endswith(f"/{n}")), ""
            )
            if path.startswith(("/api/", "/repos/", "/storage/")):
                status, headers, body = _api(origin, path, parse_qs(parts.query))
                return self._send(
                    status, {"Content-Type": "application/json", **headers}, json.dumps(body).encode()
                )
            if origin.token and self.headers.get("Authorization") != f"Bearer {origin.token}":
                return self._send(403, {"X-Error-Code": "GatedRepo"}, b"no")
            if not name:
                return self._send(404, {}, b"no such file")
            with origin.lock:
                faults = origin.faults.get(name, [])
                fault = faults.pop(0) if faults and self.command == "GET" else ""
            self._file(origin.files[name], fault)

        def _file(self, data: bytes, fault: str) -> None:
            if fault == "page":
                return self._send(200, {"Content-Type": "text/html; charset=utf-8"}, b"<html>log in</html>")
            if fault.startswith("to:"):
                return self._send(302, {"Location": fault[3:]}, b"")
            if fault == "later":
                return self._send(429, {"Retry-After": "1"}, b"later")
            if fault.startswith("status:"):
                return self._send(int(fault[7:]), {}, b"no")
            tag = f'"{hashlib.md5(data).hexdigest()}"'
            headers = {"ETag": tag} if origin.etags else {}
            start, status = 0, 200
            asked = self.headers.get("Range")
            if asked and origin.ranges and self.headers.get("If-Range", tag) == tag:
                start, status = int(asked.removeprefix("bytes=").removesuffix("-")), 206
                if start >= len(data):
                    return self._send(416, {"Content-Range": f"bytes */{len(data)}"}, b"")
                headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            body = data[start:]
            if fault == "corrupt":
                body = body[:-1] + bytes([body[-1] ^ 1])
            cut = int(fault[4:]) if fault.startswith("cut:") else None
            self._send(status, headers, body, cut)

        def _send(self, status: int, headers: dict[str, str], body: bytes, cut: int | None = None) -> None:
            self.send_response(status)
            for key, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body[:cut])
                with origin.lock:
                    origin.sent += len(body[:cut])
            if cut is not None:
                self.wfile.flush()
                self.close_connection = True
                self.connection.close()

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@contextmanager
def offering() -> Iterator[Callable[..., Origin]]:
    """A function that starts a server with files."""
    running: list[ThreadingHTTPServer] = []

    def start(files: dict[str, bytes], **values: Any) -> Origin:
        origin = Origin(files, **values)
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(origin))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        running.append(server)
        origin.url = f"http://127.0.0.1:{server.server_address[1]}"
        return origin

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[Callable[..., Origin]]:
    """Start an origin to which all ways lead, with an empty cache and short waits."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(http, "FIRST_WAIT_S", 0.01)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "HF_TOKEN", "GITHUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with offering() as start:

        def begin(files: dict[str, bytes], **values: Any) -> Origin:
            origin = start(files, **values)
            monkeypatch.setenv("HF_ENDPOINT", origin.url)
            for name in ("GITHUB", "GITHUB_RAW", "BUCKETS"):
                monkeypatch.setattr(offers, name, origin.url)
            return origin

        yield begin


def url(origin: Origin, name: str) -> str:
    return f"{origin.url}/files/{quote(name)}"
