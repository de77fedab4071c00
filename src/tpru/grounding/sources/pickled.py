"""Pickles of plain data without running what a pickle may hold."""

import pickle
from pathlib import Path
from typing import Any

from tpru.errors import ManifestError


class _PlainOnly(pickle.Unpickler):
    """Lists, tuples, objects with keys, texts and numbers need no class at all: any other is refused."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(
            f"it asks for {module}.{name}; a pickle can run any program that way, so only lists, tuples, "
            "dicts, texts and numbers are read"
        )


def load_plain(path: Path) -> Any:
    """The value in a pickle that holds built-in containers, texts and numbers alone.

    Texts of Python 2 are taken as UTF-8.

    Raises:
        ManifestError: the file is missing or cut off, is no pickle, or asks for a class.
    """
    try:
        with path.open("rb") as stream:
            return _PlainOnly(stream, encoding="utf-8").load()
    except OSError as error:
        raise ManifestError(f"{path} cannot be read ({error}); correct the path") from error
    except Exception as error:  # the pickle machine raises many types for damaged files
        raise ManifestError(
            f"{path} is no pickle of plain data ({type(error).__name__}: {error}); take the file as its "
            "authors published it"
        ) from error
