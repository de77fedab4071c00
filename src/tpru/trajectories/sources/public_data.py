"""What sources of public data in TFRecord files share: shards, pictures, groups, and what they leave out."""

import io
import json
import logging
import re
from collections import Counter
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from tpru.errors import CorruptMediaError, EmptySourceError, ManifestError
from tpru.trajectories.source_data import SourceTrajectory
from tpru.trajectories.tfrecord import check_file

LOG = logging.getLogger(__name__)
SHARD = re.compile(r"(?P<stem>.+)-(?P<index>\d{5})-of-(?P<of>\d{5})(\.\w+)?")


def shard_files(folder: Path) -> list[Path]:
    """The files ``*-00000-of-00020`` of a folder in the order of name and number.

    Shards that are not there are only warned of: such data sets are large and often copied in part.

    Raises:
        EmptySourceError: the folder is not there or holds none.
        ManifestError: a file is a Git LFS pointer.
    """
    names = [path.name for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
    matches = [match for name in names if (match := SHARD.fullmatch(name))]
    if not matches:
        raise EmptySourceError(
            f"{folder} holds no shards (files named like {folder.name}-00000-of-00020); correct the path"
        )
    matches.sort(key=lambda m: (m["stem"], int(m["of"]), int(m["index"]), m.string))
    counts = Counter((m["stem"], int(m["of"])) for m in matches)
    for (stem, of), count in counts.items():
        if count < of:
            LOG.warning("%s: %d of %d shards of %s are there; only these are read", folder, count, of, stem)
    paths = [folder / match.string for match in matches]
    for path in paths:
        check_file(path)
    return paths


def check_picture(data: bytes, what: str) -> None:
    """Refuse what does not begin as an encoded picture; whether it is whole shows when it is decoded.

    Raises:
        CorruptMediaError: beginning with ``what``.
    """
    try:
        Image.open(io.BytesIO(data)).close()
    except Exception as error:  # Pillow's readers raise many types for damaged files
        raise CorruptMediaError(
            f"{what} is not an encoded picture ({type(error).__name__}: {error}); expected JPEG or PNG: "
            "download the file again, or choose another key"
        ) from error


def read_split(path: str, split: str) -> frozenset[str] | None:
    """Ids of the episodes of a split, from a JSON object with a list of ids for each; None without a path.

    Raises:
        ManifestError: the file is not there, is something else, or has no such split.
    """
    if not path:
        return None
    try:
        splits = {str(name): list(ids) for name, ids in json.loads(Path(path).read_text("utf-8")).items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ManifestError(
            f"split_file {path} is no JSON object with a list of episodes for each split ({error}); correct "
            "the path, or restore the file"
        ) from error
    if split not in splits:
        raise ManifestError(f"split_file {path} has no split {split!r}; it has {sorted(splits)}: name one")
    return frozenset(str(name) for name in splits[split])


@dataclass(frozen=True)
class LeftOut:
    """Counts why episodes are left out, and says so once all is read."""

    name: str
    reasons: Counter[str] = field(default_factory=Counter)

    def say(self) -> None:
        """Warn of what was left out, if anything was."""
        for reason, count in sorted(self.reasons.items()):
            LOG.warning("source %s: %d episode(s) left out: %s", self.name, count, reason)


def taken(
    found: Iterable[SourceTrajectory | None], most: int, left: LeftOut
) -> Generator[SourceTrajectory, None, int]:
    """The first ``most`` trajectories (0: all), no more of ``found`` being read than that takes.

    Says at the end what was left out, which are the None; returns how many were taken.
    """
    kept = 0
    for trajectory in found:
        if trajectory is not None:
            yield trajectory
            kept += 1
            if kept == most:
                break
    left.say()
    return kept
