"""Questions with pictures to a vision-language model behind an OpenAI-compatible ``/chat/completions``.

Where it is and what opens it comes from the environment (``TPRU_ENDPOINT_URL``, ``TPRU_ENDPOINT_KEY``),
never from the configuration: it must not end up in a result. Every answer is kept in a file named by the
hash of the model, the settings and the messages with the bytes of their pictures, so that a killed run
continues where it was and a repeated one asks nothing.
"""

import base64
import contextlib
import json
import os
import random
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import urllib3
from PIL import Image

from tpru.errors import EndpointError
from tpru.files import canonical_json, read_json, sha256_bytes, write_json
from tpru.store import encode_jpeg
from tpru.web import CONNECT_S, LONGEST_WAIT_S, TRY_AGAIN, pool

URL_VARIABLE = "TPRU_ENDPOINT_URL"
KEY_VARIABLE = "TPRU_ENDPOINT_KEY"
# The request itself is not accepted (too long, turned away by a content filter); others may be.
REFUSED = frozenset({400, 413, 422})
JPEG_QUALITY = 90

Message = dict[str, Any]
Value = TypeVar("Value")
Result = TypeVar("Result")


class RefusedError(Exception):
    """The endpoint works but does not accept this one request."""


@dataclass(frozen=True)
class Settings:
    """What is asked besides the messages; a part of the name of every kept answer."""

    model: str
    temperature: float
    max_tokens: int


@dataclass
class Usage:
    """Answers that were paid for, answers that came from the cache, and tokens of the former."""

    requests: int = 0
    cached: int = 0
    tokens: int = 0


class Patience(urllib3.Retry):
    """Waits as long as ``Retry-After`` says, else twice as long each time, a random part of it less.

    The random part keeps the threads from coming back all at once.
    """

    def get_backoff_time(self) -> float:
        """Seconds before the next try."""
        longest = self.backoff_factor * 2.0 ** (len(self.history) - 1)
        return min(float(LONGEST_WAIT_S), longest) * random.uniform(0.5, 1.0)

    def parse_retry_after(self, retry_after: str) -> float:
        """Seconds that the server asks for; 0, the usual wait, where it says nothing readable."""
        try:
            return super().parse_retry_after(retry_after)
        except urllib3.exceptions.InvalidHeader:
            return 0.0


class Endpoint:
    """A client that many threads may share.

    Args:
        settings: model and sampling values.
        cache: folder of the kept answers.
        retries: further tries after 429, 5xx, a time-out or a lost connection.
        timeout_s: seconds that one answer may take.
        first_wait_s: seconds before the second try where the server names none.
    """

    def __init__(
        self,
        settings: Settings,
        cache: Path,
        retries: int,
        timeout_s: float,
        first_wait_s: float = 1.0,
    ) -> None:
        self.settings = settings
        self.usage = Usage()
        self._cache = cache
        self._patience = Patience(
            total=retries,
            allowed_methods=None,
            status_forcelist=TRY_AGAIN,
            raise_on_status=False,
            backoff_factor=first_wait_s,
            retry_after_max=LONGEST_WAIT_S,
            redirect=False,
        )
        self._timeout = urllib3.Timeout(connect=CONNECT_S, read=timeout_s)
        self._pool: urllib3.PoolManager | None = None
        self._lock = threading.Lock()

    def ask(self, messages: list[Message]) -> str:
        """The text of the answer, empty where the model gave none.

        Raises:
            EndpointError: the endpoint is not named, not reachable, or turns every request away.
            RefusedError: it does not accept this one request.
        """
        body = {**asdict(self.settings), "messages": messages}
        name = sha256_bytes(canonical_json(body).encode())
        path = self._cache / name[:2] / f"{name}.json"
        kept = self._kept(path)
        if kept is None:
            kept = self._request(body)
            with self._lock:
                write_json(path, kept)
        return str(kept["text"])

    def _kept(self, path: Path) -> dict[str, Any] | None:
        with contextlib.suppress(FileNotFoundError, ValueError):
            kept: dict[str, Any] = read_json(path)
            with self._lock:
                self.usage.cached += 1
            return kept
        return None

    def _request(self, body: dict[str, Any]) -> dict[str, Any]:
        url, key = address()
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        with self._lock:
            self._pool = self._pool or pool(url)
        try:
            response = self._pool.request(
                "POST",
                url,
                body=json.dumps(body).encode(),
                headers=headers,
                retries=self._patience,
                timeout=self._timeout,
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise EndpointError(_unreachable(url, error)) from error
        said = _excerpt(response.data, key)
        if response.status in REFUSED:
            raise RefusedError(f"refused with status {response.status}: {said}")
        if response.status != 200:
            raise EndpointError(_turned_away(url, response.status, str(body["model"]), said))
        kept = _answer(response.data, url, said)
        with self._lock:
            self.usage.requests += 1
            self.usage.tokens += int(kept["usage"].get("total_tokens") or 0)
        return kept


def address() -> tuple[str, str]:
    """URL of the chat completions and the key (may be empty), from the environment.

    Raises:
        EndpointError: the URL is not set or is none.
    """
    base = os.environ.get(URL_VARIABLE, "").strip().rstrip("/")
    if not base:
        raise EndpointError(
            f"{URL_VARIABLE} is not set: export the base URL of an OpenAI-compatible endpoint, for example "
            f"http://localhost:8000/v1, and {KEY_VARIABLE} if it needs a key"
        )
    if urlsplit(base).scheme not in ("http", "https") or not urlsplit(base).hostname:
        raise EndpointError(f"{URL_VARIABLE} is {base!r}; it must begin with http:// or https://")
    url = base if base.endswith("/chat/completions") else f"{base}/chat/completions"
    return url, os.environ.get(KEY_VARIABLE, "").strip()


def picture(image: Image.Image, max_side: int) -> Message:
    """A picture as a part of a message: JPEG in a data URL, no side longer than ``max_side`` pixels."""
    copy = image.convert("RGB")
    copy.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    data = base64.b64encode(encode_jpeg(copy, JPEG_QUALITY)).decode("ascii")
    return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}}


def in_order(work: Callable[[Value], Result], values: Iterable[Value], concurrency: int) -> Iterator[Result]:
    """Results in the order of the values, at most ``concurrency`` of them in work at a time.

    The first error in that order is raised; what has not begun by then is left alone.
    """
    with ThreadPoolExecutor(max_workers=concurrency) as threads:
        yield from threads.map(work, values)


def _answer(data: bytes, url: str, said: str) -> dict[str, Any]:
    try:
        reply = json.loads(data)
        choice = reply["choices"][0]
        text = choice["message"].get("content") or ""
        if not isinstance(text, str):
            raise TypeError("content is no text")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise EndpointError(
            f"{url} answered, but not as an OpenAI-compatible endpoint does ({said}); set {URL_VARIABLE} to "
            "its base URL, which usually ends in /v1"
        ) from error
    usage = reply.get("usage") or {}
    model = reply.get("model")
    return {"text": text, "finish_reason": choice.get("finish_reason"), "usage": usage, "model": model}


def _unreachable(url: str, error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return (
        f"no answer from {url} ({type(reason).__name__}: {reason}). Start the endpoint or correct "
        f"{URL_VARIABLE}, and run the same command again: answers already given are kept."
    )


def _turned_away(url: str, status: int, model: str, said: str) -> str:
    if status in (401, 403):
        what = f"does not accept the key (status {status}): set {KEY_VARIABLE} to a valid key for it"
    elif status == 404:
        what = (
            f"knows no such path or no model {model!r} (status 404): correct {URL_VARIABLE}, which usually "
            "ends in /v1, or describe.endpoint.model"
        )
    elif status in TRY_AGAIN:
        what = (
            f"still answered with status {status} after all tries: wait, or raise describe.endpoint.retries, "
            "and run the same command again; answers already given are kept"
        )
    else:
        what = f"answered with status {status}: is {URL_VARIABLE} the right base URL?"
    return f"{url} {what}. It said: {said}"


def _excerpt(data: bytes, key: str) -> str:
    text = " ".join(data[:2000].decode("utf-8", "replace").split())
    return (text.replace(key, "(key)") if key else text)[:300] or "nothing"
