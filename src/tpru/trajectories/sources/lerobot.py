"""LeRobotDataset v2.1 and v3.0 in a local folder, read without the lerobot package.

Paths come from the templates in ``meta/info.json``. A v2.1 dataset has one file per episode; in
v3.0 a file holds many episodes, and ``meta/episodes`` says which rows and seconds belong to which.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from tpru.errors import EmptySourceError, ManifestError
from tpru.records import SCENARIOS, Media, Trajectory
from tpru.trajectories.source_data import SourceData, SourceTrajectory

VERSIONS = ("v2.1", "v3.0")
LFS_HEAD = b"version https://git-lfs"


@dataclass(frozen=True)
class LeRobotConfig:
    """A dataset folder; ``camera`` "" takes the first colour camera, ``max_episodes`` 0 takes all.

    ``group`` "dataset" keeps all episodes on one side of a split: for a dataset of one scene.
    """

    name: str
    path: str
    licence: str
    camera: str = ""
    scenario: str = "robot"
    citation: str = ""
    max_episodes: int = 0
    group: Literal["episode", "dataset"] = "episode"


@dataclass(frozen=True)
class _Dataset:
    """What ``meta/info.json`` says, and the camera to read."""

    root: Path
    info: dict[str, Any]
    camera: str
    is_video: bool

    def place(self, template: str, episode: dict[str, Any]) -> Path:
        """Path of an episode's ``data`` or video file, relative to the dataset."""
        index = episode["episode_index"]
        prefix = "data" if template == "data_path" else f"videos/{self.camera}"
        fields = {
            "episode_index": index,
            "episode_chunk": index // max(int(self.info.get("chunks_size", 1000)), 1),
            "video_key": self.camera,
            "chunk_index": episode.get(f"{prefix}/chunk_index"),
            "file_index": episode.get(f"{prefix}/file_index"),
        }
        try:
            path = Path(self.info[template].format(**fields))
        except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
            raise ManifestError(
                f"episode {index} of {self.root}: {template} {self.info.get(template)!r} in "
                f"meta/info.json cannot be filled from meta/episodes ({error!r}); restore meta"
            ) from error
        if path.is_absolute() or ".." in path.parts:
            raise ManifestError(f"{template} in {self.root}/meta/info.json leads outside the dataset")
        return path

    def file(self, template: str, episode: dict[str, Any], kind: str) -> Path:
        """The same, which must be there."""
        path = self.place(template, episode)
        _check_file(self.root / path, f"the {kind} of episode {episode['episode_index']}")
        return path


def read(config: LeRobotConfig) -> SourceData:
    """Read the episodes of a dataset; embedded pictures are loaded one episode at a time.

    Raises:
        ManifestError: meta is missing, of another version or contradicts itself, the camera is
            unknown, or a file that meta names is not there.
        EmptySourceError: there are no episodes.
    """
    if config.scenario not in SCENARIOS:
        raise ManifestError(f"the scenario is {config.scenario!r}; expected one of {SCENARIOS}")
    dataset = _dataset(config)
    episodes = _episodes(dataset)[: config.max_episodes or None]
    planned = [(_trajectory(config, dataset, episode), episode) for episode in episodes]
    if dataset.is_video:
        trajectories = [SourceTrajectory(trajectory) for trajectory, _ in planned]
        return SourceData(trajectories, config.licence, config.citation, len(planned))
    for episode in episodes:
        dataset.file("data_path", episode, "data file")
    return SourceData(_Embedded(dataset, planned), config.licence, config.citation, len(planned))


def files_needed(config: LeRobotConfig) -> set[str]:
    """Paths, relative to the dataset, of the files besides ``meta/`` that :func:`read` opens; meta is there.

    Raises:
        ManifestError: meta is missing or contradicts itself, or the camera is unknown.
    """
    dataset = _dataset(config)
    template = "video_path" if dataset.is_video else "data_path"
    episodes = _episodes(dataset)[: config.max_episodes or None]
    return {dataset.place(template, episode).as_posix() for episode in episodes}


def _check_file(path: Path, what: str) -> None:
    if not path.is_file():
        raise ManifestError(f"{what} is missing: {path} does not exist; copy or download it again")
    with path.open("rb") as stream:
        pointer = stream.read(len(LFS_HEAD)) == LFS_HEAD
    if pointer:
        raise ManifestError(f"{what}, {path}, is a Git LFS pointer; fetch the file with git lfs pull")


def _dataset(config: LeRobotConfig) -> _Dataset:
    root = Path(config.path)
    path = root / "meta" / "info.json"
    _check_file(path, "the description of the dataset")
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        version, features = info["codebase_version"], info["features"]
        cameras = {k: f for k, f in features.items() if f["dtype"] in ("video", "image")}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ManifestError(f"{path} describes no LeRobotDataset ({error!r}); restore it") from error
    if version not in VERSIONS:
        raise ManifestError(
            f"{path} has codebase_version {version!r}; supported are {', '.join(VERSIONS)}: "
            "convert the dataset with the scripts of lerobot"
        )
    if not _fps(info) > 0:
        raise ManifestError(f"{path} has fps {info.get('fps')!r}; expected a number above 0")
    camera = config.camera or next(iter(sorted(cameras, key=lambda k: (_is_depth(cameras[k]), k))), "")
    if camera not in cameras:
        raise ManifestError(
            f"the dataset {root} has no camera {camera!r}; it has {sorted(cameras)}: name one"
        )
    return _Dataset(root, info, camera, cameras[camera]["dtype"] == "video")


def _fps(info: dict[str, Any]) -> float:
    fps = info.get("fps")
    return float(fps) if isinstance(fps, int | float) else 0.0


def _is_depth(feature: dict[str, Any]) -> bool:
    return bool((feature.get("info") or {}).get("video.is_depth_map"))


def _episodes(dataset: _Dataset) -> list[dict[str, Any]]:
    """Rows of meta about the episodes, in order of ``episode_index``, complete."""
    rows = _rows_v3(dataset) if dataset.info["codebase_version"] == "v3.0" else _rows_v2(dataset)
    for row in rows:
        index, length, tasks = (row.get(key) for key in ("episode_index", "length", "tasks"))
        if not isinstance(index, int) or not isinstance(length, int):
            raise ManifestError(f"meta of {dataset.root}: no episode_index or length in {row}")
        if not isinstance(tasks, list) or not "".join(str(task) for task in tasks).strip():
            raise ManifestError(f"episode {index} of {dataset.root} names no task in meta; add it")
    rows.sort(key=lambda row: int(row["episode_index"]))
    total = dataset.info.get("total_episodes")
    if not rows and not total:
        raise EmptySourceError(f"the dataset {dataset.root} has no episodes; choose another one")
    found = [row["episode_index"] for row in rows]
    expected = range(max(len(rows), total if isinstance(total, int) else 0))
    if found != list(expected):
        missing = sorted(set(expected) - set(found))[:10]
        raise ManifestError(
            f"meta of {dataset.root} lists {len(rows)} episodes, expected episode_index 0 to "
            f"{len(expected) - 1} once each (first missing: {missing}); restore meta, or number "
            "the episodes without gaps"
        )
    return rows


def _rows_v2(dataset: _Dataset) -> list[dict[str, Any]]:
    path = dataset.root / "meta" / "episodes.jsonl"
    _check_file(path, "the list of episodes")
    lines = path.read_text(encoding="utf-8").split("\n")
    try:
        return [dict(json.loads(line)) for line in lines if line.strip()]
    except (ValueError, TypeError) as error:
        raise ManifestError(f"{path} is not a JSON object per line ({error}); restore it") from error


def _rows_v3(dataset: _Dataset) -> list[dict[str, Any]]:
    folder = dataset.root / "meta" / "episodes"
    if not folder.is_dir():
        raise ManifestError(f"the list of episodes is missing: {folder} does not exist; restore meta")
    rows: list[dict[str, Any]] = []
    for path in sorted(folder.rglob("*.parquet")):
        _check_file(path, "the list of episodes")
        try:
            with pq.ParquetFile(path) as file:
                # The statistics are most of the file and are not needed.
                wanted = [c for c in file.schema_arrow.names if not c.startswith("stats/")]
                rows += file.read(columns=wanted).to_pylist()
        except pa.ArrowInvalid as error:
            raise ManifestError(f"{path} is not a Parquet file ({error}); restore meta") from error
    return rows


def _trajectory(config: LeRobotConfig, dataset: _Dataset, episode: dict[str, Any]) -> Trajectory:
    trajectory_id = f"{config.name}-{episode['episode_index']:06d}"
    tasks = [" ".join(str(task).split()) for task in episode["tasks"]]
    return Trajectory(
        trajectory_id=trajectory_id,
        scenario=config.scenario,  # type: ignore[arg-type]  # checked in read()
        source=config.name,
        licence=config.licence,
        goal="; ".join(task for task in tasks if task),
        group=trajectory_id if config.group == "episode" else config.name,
        media=_media(dataset, episode),
    )


def _media(dataset: _Dataset, episode: dict[str, Any]) -> Media:
    fps, length = _fps(dataset.info), int(episode["length"])
    if not dataset.is_video:
        return Media("embedded", length, fps=fps)
    path = dataset.file("video_path", episode, "video")
    start, end = (episode.get(f"videos/{dataset.camera}/{key}") for key in ("from_timestamp", "to_timestamp"))
    if dataset.info["codebase_version"] == "v3.0" and (start is None or end is None):
        raise ManifestError(
            f"episode {episode['episode_index']} of {dataset.root} has no from_timestamp and "
            f"to_timestamp for {dataset.camera} in meta/episodes; restore meta"
        )
    root = str(dataset.root)
    return Media("video", length, root, (path.as_posix(),), start_s=start, end_s=end, fps=fps)


@dataclass(frozen=True)
class _Embedded:
    """Episodes whose pictures stand in the data files; can be gone through more than once."""

    dataset: _Dataset
    planned: list[tuple[Trajectory, dict[str, Any]]]

    def __iter__(self) -> Iterator[SourceTrajectory]:
        for trajectory, episode in self.planned:
            yield SourceTrajectory(trajectory, _pictures(self.dataset, episode))


def _pictures(dataset: _Dataset, episode: dict[str, Any]) -> tuple[bytes, ...]:
    """Encoded pictures of one episode, as they stand in the file.

    Raises:
        ManifestError: the file does not hold as many pictures of this episode as meta says.
    """
    index, camera = episode["episode_index"], dataset.camera
    path = dataset.root / dataset.file("data_path", episode, "data file")
    try:
        # The filter skips the row groups of other episodes.
        mine = [("episode_index", "==", index)]
        rows = pq.read_table(path, columns=["frame_index", camera], filters=mine).to_pylist()
        frames = [(r["frame_index"], r[camera]["bytes"]) for r in rows if r[camera]["bytes"]]
    except (pa.ArrowInvalid, KeyError, TypeError) as error:
        raise ManifestError(
            f"{path} holds no pictures of {camera} as struct of bytes and path ({error!r}); restore it"
        ) from error
    if len(frames) != episode["length"]:
        raise ManifestError(
            f"{path} holds {len(frames)} pictures of {camera} for episode {index}, meta promises "
            f"{episode['length']}; restore the file or meta"
        )
    return tuple(data for _, data in sorted(frames))
