"""Large JSON files read part by part: the file is mapped, found parts are places in it."""

import json
import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tpru.errors import ManifestError

# A list without anything nested in it is one token: most of a file of masks or polygons is such lists.
TOKEN = re.compile(rb'\[[^][{}"]*\]|"[^"\\]*(?:\\.[^"\\]*)*"|[][{},]', re.DOTALL)
Place = tuple[int, int]  # begin and end in bytes


class JsonParts:
    """A JSON file whose parts are decoded only when asked for; memory holds one part at a time.

    Raises:
        ManifestError: the file is missing or empty.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as stream:
                self._data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise ManifestError(
                f"{path} cannot be read ({error}); restore it, or correct the path"
            ) from error

    def value(self, place: Place) -> Any:
        """The value at a place that :meth:`places` gave.

        Raises:
            ManifestError: it is not JSON.
        """
        try:
            return json.loads(self._data[place[0] : place[1]])
        except ValueError as error:
            raise ManifestError(
                f"{self.path}: the value that begins at byte {place[0]} is not JSON ({error}); restore "
                "the file"
            ) from error

    def places(self, depth: int) -> Iterator[tuple[tuple[str | int, ...], Place]]:
        """Every list and object ``depth`` levels down with its path: keys of objects, numbers in lists.

        Plain values at that depth (numbers, texts, null) are passed over.

        Raises:
            ManifestError: the file is cut off, or is not JSON.
        """
        path: list[str | int] = []
        opened = [0]  # where the containers around begin; the first is never looked at
        kinds: list[bytes] = []
        key_next = False
        for token in TOKEN.finditer(self._data):
            text = token[0]
            if text[:1] == b'"':
                if key_next:
                    path[-1] = json.loads(text)
                    key_next = False
                continue
            if len(text) > 1 or text in b"[{":
                whole = len(text) > 1
                if not whole:
                    opened.append(token.start())
                    kinds.append(text)
                    path.append(0)
                    key_next = text == b"{"
                elif len(kinds) == depth:
                    yield tuple(path), token.span()
                continue
            if not kinds:
                raise self._broken(token.start())
            if text == b",":
                key_next = kinds[-1] == b"{"
                if not key_next:
                    path[-1] = int(path[-1]) + 1
                continue
            if kinds.pop() != {b"]": b"[", b"}": b"{"}[text]:
                raise self._broken(token.start())
            path.pop()
            key_next = False
            begin = opened.pop()
            if len(kinds) == depth:
                yield tuple(path), (begin, token.end())
        if kinds or len(opened) > 1:
            raise self._broken(len(self._data))

    def _broken(self, byte: int) -> ManifestError:
        return ManifestError(f"{self.path} is cut off, or not JSON, at byte {byte}; restore the file")
