"""What the sources share that read annotations in JSON beside picture files."""

import json
import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from tpru.errors import CorruptMediaError, ManifestError
from tpru.records import Media, Trajectory
from tpru.store import decode_image

LOG = logging.getLogger(__name__)
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
LFS_HEAD = b"version https://git-lfs"
PNG_END = b"IEND"
END_BYTES = 1024  # some writers put a few bytes behind the end of a PNG
NAMES = {str: "a text", int: "a whole number", list: "a list", dict: "an object", float: "a number"}


def natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Order in which "2.png" comes before "10.png"; the name itself decides between equals."""
    parts = re.findall(r"([0-9]+)|([^0-9]+)", name)
    return [(0, int(number), "") if number else (1, 0, text) for number, text in parts], name


def picture_names(folder: Path) -> list[str]:
    """Names of the pictures that lie in a folder, in natural order; hidden files are not taken."""
    files = (path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
    return sorted((path.name for path in files if not path.name.startswith(".")), key=natural)


def load_json(path: Path) -> Any:
    """The value in a JSON file.

    Raises:
        ManifestError: the file is missing, is a Git LFS pointer, or is not JSON in UTF-8.
    """
    try:
        data = path.read_bytes()
        if data.startswith(LFS_HEAD):
            raise ManifestError(f"{path} is a Git LFS pointer; fetch the file with git lfs pull")
        return json.loads(data.decode("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ManifestError(f"{path} cannot be read as JSON ({error}); restore it") from error


def field(record: Any, key: str, kind: type, where: str) -> Any:
    """The value of a key that must be there and of one kind; a text must not be blank.

    ``where`` names the file, and the place in it, for the message.

    Raises:
        ManifestError: it is not so.
    """
    value: Any = record.get(key) if isinstance(record, dict) else None
    wanted = (int, float) if kind is float else kind
    right = isinstance(value, wanted) and not isinstance(value, bool)
    if not right or (kind is str and not value.strip()):
        raise ManifestError(
            f"{where}: expected {NAMES[kind]} under {key!r}, found {value!r:.80}; restore the file or "
            "remove the episode"
        )
    return value


def one_line(text: str) -> str:
    """The text on one line, its first letter a capital: a goal."""
    text = " ".join(text.split())
    return text[:1].upper() + text[1:]


def same_words(text: str) -> str:
    """What texts of the same words share, whatever their case, spaces and last mark: a group."""
    return " ".join(text.split()).casefold().rstrip(" .!?")


def check_ends(media: Media) -> None:
    """Open each picture without decoding it: its head can be read and, for a PNG, its end is there.

    For sets too large to be decoded twice; what is broken in between shows when frames are extracted.

    Raises:
        ManifestError: a picture does not exist.
        CorruptMediaError: a picture is cut off or is none.
    """
    _check(media, _check_end)


def check_whole(media: Media) -> None:
    """Decode each picture, one at a time.

    Raises:
        ManifestError: a picture does not exist.
        CorruptMediaError: a picture cannot be decoded to its end.
    """

    def decode(path: Path) -> None:
        _check_end(path)  # Pillow does not miss the last bytes of a PNG
        decode_image(path.read_bytes())

    _check(media, decode)


def _check(media: Media, check: Callable[[Path], object]) -> None:
    for name in media.files:
        path = Path(media.root) / name
        if not path.is_file():
            raise ManifestError(f"the picture {path} does not exist; add it or remove the episode")
        try:
            check(path)
        except Exception as error:  # Pillow's readers raise many types for damaged files
            with path.open("rb") as stream:
                pointer = stream.read(len(LFS_HEAD)) == LFS_HEAD
            remedy = "it is a Git LFS pointer: fetch it with git lfs pull" if pointer else "replace the file"
            raise CorruptMediaError(
                f"the picture {path} cannot be decoded ({type(error).__name__}: {error}); {remedy} or "
                "remove the episode"
            ) from error


def _check_end(path: Path) -> None:
    with Image.open(path) as image:
        kind = image.format
    if kind == "PNG":
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - END_BYTES))
            if PNG_END not in stream.read():
                raise ValueError("the file is cut off")


def without_test_groups(trajectories: Sequence[Trajectory]) -> list[Trajectory]:
    """Leave out what a set of fixed splits trains on though its group is tested on, with a warning."""
    tested = {trajectory.group for trajectory in trajectories if trajectory.split == "test"}
    kept = [t for t in trajectories if t.split != "train" or t.group not in tested]
    if len(kept) < len(trajectories):
        LOG.warning(
            "%d episodes of the training side are left out: their groups stand on the test side, too",
            len(trajectories) - len(kept),
        )
    return kept
