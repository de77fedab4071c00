"""RLDS episodes as TensorFlow Datasets writes them (Open X-Embodiment), read without TensorFlow.

The folder of one version holds ``dataset_info.json`` (splits and how many episodes each shard has),
``features.json`` (what an episode holds) and TFRecord shards with one Example per episode. The steps of an
episode are flattened: ``steps/observation/image`` is a list of encoded pictures, one a step.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

from tpru.errors import CorruptMediaError, EmptySourceError, ManifestError, TooShortError
from tpru.records import SCENARIOS, Media, Trajectory
from tpru.trajectories.source_data import SourceData, SourceTrajectory
from tpru.trajectories.sources.public_data import LeftOut, check_picture, taken
from tpru.trajectories.sources.reading import same_words
from tpru.trajectories.tfrecord import Example, check_file, parse_example, read_records

LOG = logging.getLogger(__name__)
TEMPLATE = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
LANGUAGE = (
    "steps/language_instruction",
    "steps/observation/natural_language_instruction",
    "steps/observation/instruction",
)


@dataclass(frozen=True)
class RldsConfig:
    """A version of a data set; ``camera`` and ``language`` are flattened keys, "" finds them.

    ``max_episodes`` 0 takes all. ``group`` says what stays on one side of a split: episodes of the same
    instruction, single episodes, or all of the data set. ``skip_short`` and ``skip_without_goal`` leave out
    episodes of fewer than two frames and without an instruction, which are refused otherwise.
    """

    name: str
    path: str
    licence: str
    split: str = "train"
    camera: str = ""
    language: str = ""
    scenario: str = "robot"
    citation: str = ""
    max_episodes: int = 0
    group: Literal["instruction", "episode", "dataset"] = "instruction"
    skip_short: bool = False
    skip_without_goal: bool = False


@dataclass(frozen=True)
class _Dataset:
    """The shards of the split with the number of episodes in each, and the keys to read.

    ``width`` is 0 where the instruction is a text, else the number of integers that one is stored as: the
    bytes of its UTF-8 text, filled up with zeros.
    """

    shards: tuple[tuple[Path, int], ...]
    camera: str
    language: str
    width: int

    @property
    def total(self) -> int:
        """Number of episodes of the split."""
        return sum(length for _, length in self.shards)


def read(config: RldsConfig) -> SourceData:
    """Read the episodes of a split in the order of its shards; memory holds one episode at a time.

    Raises:
        ManifestError: one of the JSON files is missing or malformed, the split or a key is unknown, a
            shard is not there; when read: an episode has no instruction, or another number of them than
            of pictures.
        EmptySourceError: the split has no episodes.
        CorruptMediaError: when read: a shard is damaged or cut, or a picture is none.
        TooShortError: when read: an episode has fewer than two frames.
    """
    if config.scenario not in SCENARIOS:
        raise ManifestError(f"the scenario is {config.scenario!r}; expected one of {SCENARIOS}")
    root = Path(config.path)
    listed = shards_of(root, config.split)
    dataset = _Dataset(tuple(listed), *_keys(root, config))
    if not dataset.total:
        raise EmptySourceError(f"the split {config.split!r} of {root} has no episodes; choose another one")
    before = accumulate((length for _, length in listed), initial=0)
    for (path, _), count in zip(listed, before, strict=False):
        if not config.max_episodes or count < config.max_episodes:
            check_file(path)
    total = min(dataset.total, config.max_episodes or dataset.total)
    return SourceData(_Episodes(config, dataset), config.licence, config.citation, total)


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ManifestError(
            f"{path} does not exist; the path must be the folder of one version, with dataset_info.json "
            "and features.json beside the shards: correct it, or copy the file"
        )
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, OSError) as error:
        raise ManifestError(f"{path} is not a JSON object ({error}); restore it") from error


def shards_of(root: Path, split: str) -> list[tuple[Path, int]]:
    """Paths of the shards of a split and the number of episodes in each.

    Raises:
        ManifestError: ``dataset_info.json`` is missing or malformed, or has no such split.
    """
    path = root / "dataset_info.json"
    info = _json(path)
    try:
        name, kind = str(info["name"]), info.get("fileFormat", "tfrecord")
        splits = {str(part["name"]): part for part in info["splits"]}
        lengths = [int(n) for n in splits[split].get("shardLengths", [])] if split in splits else []
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ManifestError(
            f"{path} names no data set with splits and shardLengths ({error!r}); restore it"
        ) from error
    if kind != "tfrecord":
        raise ManifestError(f"{path} has fileFormat {kind!r}; supported is 'tfrecord': convert the data set")
    if split not in splits:
        raise ManifestError(f"{path} has no split {split!r}; it has {sorted(splits)}: name one")
    template, of = splits[split].get("filepathTemplate") or TEMPLATE, len(lengths)
    shards = []
    for index, length in enumerate(lengths):
        fields = {"SHARD_INDEX": f"{index:05d}", "NUM_SHARDS": f"{of:05d}"}
        fields |= {"DATASET": name, "SPLIT": split, "FILEFORMAT": kind}
        fields["SHARD_X_OF_Y"] = f"{index:05d}-of-{of:05d}"
        try:
            file = Path(str(template).format(**fields))
        except (KeyError, IndexError, ValueError) as error:
            raise ManifestError(
                f"filepathTemplate {template!r} of the split {split!r} in {path} cannot be filled "
                f"({error!r}); known are {sorted(fields)}: restore it"
            ) from error
        if file.is_absolute() or ".." in file.parts:
            raise ManifestError(f"filepathTemplate {template!r} in {path} leads outside the data set")
        shards.append((root / file, length))
    return shards


def _keys(root: Path, config: RldsConfig) -> tuple[str, str, int]:
    """The keys of pictures and instructions, and how many integers an instruction has."""
    path = root / "features.json"
    try:
        leaves = dict(_leaves("", _json(path)))
        images = {key: node for key, node in leaves.items() if "image" in node and key.startswith("steps/")}
        texts = [key for key, node in leaves.items() if _is_text(node)]
        colour = [key for key in sorted(images) if _is_colour(images[key])]
        camera = config.camera or next(iter(colour), "")
        known = [key for key in LANGUAGE if key in leaves]
        language = config.language or next(iter(known), "")
        width = 0 if language in texts else _width(leaves.get(language, {}))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ManifestError(f"{path} describes no features of episodes ({error!r}); restore it") from error
    if camera not in images:
        raise ManifestError(f"{path} has no camera {camera!r}; it has {sorted(images)}: name one as `camera`")
    if language not in texts and not width:
        raise ManifestError(
            f"{path} has no instruction {language!r}; it has {sorted(texts)}: name one as `language`"
        )
    return camera, language, width


def _leaves(prefix: str, node: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Flattened names of the features; a sequence has the names of what it repeats."""
    if "featuresDict" in node:
        for name, child in node["featuresDict"]["features"].items():
            yield from _leaves(f"{prefix}/{name}" if prefix else name, child)
    elif "sequence" in node:
        yield from _leaves(prefix, node["sequence"]["feature"])
    else:
        yield prefix, node


def _is_text(node: dict[str, Any]) -> bool:
    return "text" in node or ("tensor" in node and node["tensor"].get("dtype") in ("string", "object"))


def _is_colour(node: dict[str, Any]) -> bool:
    return [*node["image"]["shape"]["dimensions"]][-1:] == ["3"]


def _width(node: dict[str, Any]) -> int:
    """The length of a vector of integers, else 0."""
    tensor = node.get("tensor", {})
    sizes = [int(size) for size in tensor.get("shape", {}).get("dimensions", [])]
    return sizes[0] if len(sizes) == 1 and str(tensor.get("dtype")).startswith(("int", "uint")) else 0


@dataclass(frozen=True)
class _Episodes:
    """The episodes, read anew each time they are gone through."""

    config: RldsConfig
    dataset: _Dataset

    def __iter__(self) -> Iterator[SourceTrajectory]:
        left = LeftOut(self.config.name)
        found = (_trajectory(self.config, self.dataset, i, example, left) for i, example in self._examples())
        yield from taken(found, self.config.max_episodes, left)

    def _examples(self) -> Iterator[tuple[int, Example]]:
        keys = frozenset((self.dataset.camera, self.dataset.language))
        first = 0
        for path, length in self.dataset.shards:
            if self.config.max_episodes and not path.is_file():
                # As many episodes are there, but some of them were left out: the rest was not copied.
                LOG.warning(
                    "source %s: %s is not there; only what is before it is read", self.config.name, path
                )
                return
            found = 0
            for record in read_records(path):
                yield first + found, parse_example(record, keys)
                found += 1
            if found != length:
                raise CorruptMediaError(
                    f"{path} holds {found} episodes, dataset_info.json promises {length}: it is cut; "
                    "copy or download it again"
                )
            first += length


def _trajectory(
    config: RldsConfig, dataset: _Dataset, index: int, example: Example, left: LeftOut
) -> SourceTrajectory | None:
    pictures = tuple(example.blobs(dataset.camera))
    goals = _goals(dataset, example, len(pictures))
    if len(pictures) < 2:
        if not config.skip_short:
            raise TooShortError(
                f"{example.where} has {len(pictures)} frame(s); at least 2 are needed: set skip_short=true "
                "to leave out such episodes"
            )
        left.reasons["fewer than two frames"] += 1
        return None
    if not goals:
        if not config.skip_without_goal:
            raise ManifestError(
                f"{example.where} has no instruction under {dataset.language!r}; set skip_without_goal=true "
                "to leave out such episodes, or name another key as `language`"
            )
        left.reasons["no instruction"] += 1
        return None
    for number, data in enumerate(pictures):
        check_picture(data, f"{example.where}: step {number} of {dataset.camera!r}")
    trajectory_id, goal = f"{config.name}-{index:06d}", "; ".join(goals)
    groups = {"instruction": same_words(goal), "episode": trajectory_id, "dataset": config.name}
    trajectory = Trajectory(
        trajectory_id=trajectory_id,
        scenario=config.scenario,  # type: ignore[arg-type]  # checked in read()
        source=config.name,
        licence=config.licence,
        goal=goal,
        group=groups[config.group],
        media=Media("embedded", len(pictures)),
    )
    return SourceTrajectory(trajectory, pictures)


def _goals(dataset: _Dataset, example: Example, n_frames: int) -> list[str]:
    """The instructions of an episode, each once, in the order in which they first stand."""
    key, width = dataset.language, dataset.width
    texts = _decoded(example, key, width) if width else example.texts(key)
    if key.startswith("steps/") and len(texts) != n_frames:
        raise ManifestError(
            f"{example.where} has {len(texts)} instructions under {key!r} for {n_frames} pictures under "
            f"{dataset.camera!r}; expected one for each: the file and features.json do not fit"
        )
    return list(dict.fromkeys(text for text in texts if text))


def _decoded(example: Example, key: str, width: int) -> list[str]:
    numbers = example.numbers(key)
    rows = [numbers[at : at + width] for at in range(0, len(numbers), width)]
    try:
        return [" ".join(bytes(n for n in row if n).decode("utf-8").split()) for row in rows]
    except ValueError as error:
        raise ManifestError(f"{example.where}: the integers of {key!r} are no text ({error})") from error
