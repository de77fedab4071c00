"""Questions with pictures to a vision-language model behind an OpenAI-compatible ``/chat/completions``.

Where it is and what opens it comes from the environment (``TPRU_ENDPOINT_URL``, ``TPRU_ENDPOINT_KEY``),
never from the configuration: it must not end up in a result. An endpoint with a name looks for variables of
its own first (``TPRU_ENDPOINT_URL_GPT_4O`` for ``gpt_4o``). Every answer is kept in a file named by the
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
# Answers outlive the stages that asked: whatever is changed back or run again costs nothing.
CACHE = Path("results/endpoint_cache")
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


@dataclass(frozen=True)
class Reply:
    """Text of an answer (empty where the model gave none), and its tokens (0 where they were not counted)."""

    text: str
    tokens: int


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
        name: of the endpoint, where there are several.
        keys: where its values stand in the configuration, for what errors say.
    """

    def __init__(
        self,
        settings: Settings,
        cache: Path,
        retries: int,
        timeout_s: float,
        first_wait_s: float = 1.0,
        name: str = "",
        keys: str = "describe.endpoint",
    ) -> None:
        self.settings = settings
        self._name, self._keys = name, keys
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
        """The text of the answer; errors as for :meth:`reply`."""
        return self.reply(messages).text

    def reply(self, messages: list[Message]) -> Reply:
        """The answer.

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
        return Reply(str(kept["text"]), int(kept["usage"].get("completion_tokens") or 0))

    def _kept(self, path: Path) -> dict[str, Any] | None:
        with contextlib.suppress(FileNotFoundError, ValueError):
            kept: dict[str, Any] = read_json(path)
            with self._lock:
                self.usage.cached += 1
            return kept
        return None

    def _request(self, body: dict[str, Any]) -> dict[str, Any]:
        url, key = address(self._name)
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
            raise EndpointError(_unreachable(url, error, self._name)) from error
        said = _excerpt(response.data, key)
        if response.status in REFUSED:
            raise RefusedError(f"refused with status {response.status}: {said}")
        if response.status != 200:
            model = str(body["model"])
            raise EndpointError(_turned_away(url, response.status, model, said, self._name, self._keys))
        kept = _answer(response.data, url, said, self._name)
        with self._lock:
            self.usage.requests += 1
            self.usage.tokens += int(kept["usage"].get("total_tokens") or 0)
        return kept


def variables(name: str) -> tuple[str, str]:
    """The variables of URL and key: those of the name where its URL is set, else the common ones.

    Never one of each: a key must not go to another server than its own.
    """
    own = f"{URL_VARIABLE}_{name.upper()}", f"{KEY_VARIABLE}_{name.upper()}"
    return own if name and os.environ.get(own[0], "").strip() else (URL_VARIABLE, KEY_VARIABLE)


def address(name: str = "") -> tuple[str, str]:
    """URL of the chat completions and the key (may be empty), from the environment.

    Raises:
        EndpointError: the URL is not set or is none.
    """
    url_variable, key_variable = variables(name)
    base = os.environ.get(url_variable, "").strip().rstrip("/")
    if not base:
        raise EndpointError(
            f"{url_variable} is not set: export the base URL of an OpenAI-compatible endpoint, for example "
            f"http://localhost:8000/v1, and {key_variable} if it needs a key"
        )
    if urlsplit(base).scheme not in ("http", "https") or not urlsplit(base).hostname:
        raise EndpointError(f"{url_variable} is {base!r}; it must begin with http:// or https://")
    url = base if base.endswith("/chat/completions") else f"{base}/chat/completions"
    return url, os.environ.get(key_variable, "").strip()


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


def _answer(data: bytes, url: str, said: str, name: str) -> dict[str, Any]:
    try:
        reply = json.loads(data)
        choice = reply["choices"][0]
        text = choice["message"].get("content") or ""
        if not isinstance(text, str):
            raise TypeError("content is no text")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise EndpointError(
            f"{url} answered, but not as an OpenAI-compatible endpoint does ({said}); set "
            f"{variables(name)[0]} to its base URL, which usually ends in /v1"
        ) from error
    usage = reply.get("usage") or {}
    model = reply.get("model")
    return {"text": text, "finish_reason": choice.get("finish_reason"), "usage": usage, "model": model}


def _unreachable(url: str, error: Exception, name: str) -> str:
    reason = getattr(error, "reason", None) or error
    return (
        f"no answer from {url} ({type(reason).__name__}: {reason}). Start the endpoint or correct "
        f"{variables(name)[0]}, and run the same command again: answers already given are kept."
    )


def _turned_away(url: str, status: int, model: str, said: str, name: str, keys: str) -> str:
    url_variable, key_variable = variables(name)
    if status in (401, 403):
        what = f"does not accept the key (status {status}): set {key_variable} to a valid key for it"
    elif status == 404:
        what = (
            f"knows no such path or no model {model!r} (status 404): correct {url_variable}, which usually "
            f"ends in /v1, or {keys}.model"
        )
    elif status in TRY_AGAIN:
        what = (
            f"still answered with status {status} after all tries: wait, or raise {keys}.retries, and "
            "run the same command again; answers already given are kept"
        )
    else:
        what = f"answered with status {status}: is {url_variable} the right base URL?"
    return f"{url} {what}. It said: {said}"


def _excerpt(data: bytes, key: str) -> str:
    text = " ".join(data[:2000].decode("utf-8", "replace").split())
    return (text.replace(key, "(key)") if key else text)[:300] or "nothing"
