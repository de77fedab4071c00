"""Filmed builds (stop motion, time lapse): a folder of videos, of which settled states remain.

The states are written as a folder of *episodes* (docs/own-data.md), pictures at full size, and read like one.
Each shot of a video is an episode, or the whole video where ``shots`` says so. The group is the build: what
``group`` finds in the name of the file, so that shots and parts of a build stay on one side of a split.
"""

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from tpru.config.schema import VideosSource
from tpru.errors import EmptySourceError, ManifestError, TooShortError
from tpru.files import written_whole
from tpru.runtime import progress
from tpru.store import encode_jpeg
from tpru.trajectories.frames import THREADS, upright
from tpru.trajectories.media import whole_video
from tpru.trajectories.settling import CELL, Filmed, Settled, Settling, settled_states, view
from tpru.trajectories.source_data import SourceData
from tpru.trajectories.sources import episodes

VIDEOS = (".mp4", ".webm", ".mkv", ".mov", ".m4v", ".avi")


@dataclass(frozen=True)
class _Video:
    """One file: its path, the id, group and goal of what it shows."""

    path: Path
    name: str
    group: str
    goal: str


Job = tuple[_Video, VideosSource, Path]


def read(name: str, config: VideosSource, workers: int, out: Path) -> SourceData:
    """Write settled states to ``out`` anew, on ``workers`` processes, and read them as episodes.

    ``dropped`` of what is returned counts frames by the reasons of :mod:`tpru.trajectories.settling`, and as
    ``short_shots`` the states of shots that have a single one.

    Raises:
        EmptySourceError: there is no video, or none with two settled states.
        ManifestError: the name of a file does not match ``group``, or two files have one name.
        CorruptMediaError: a video cannot be opened, or decoded to its end.
        TooShortError: a video has fewer than two settled states in a shot and ``skip_short`` is off.
    """
    found = _listed(config)
    dropped: Counter[str] = Counter()
    with written_whole(out) as temporary, _manifest(temporary).open("w", encoding="utf-8") as manifest:
        written = 0
        jobs = [(video, config, temporary) for video in found]
        with ProcessPoolExecutor(max_workers=workers) as pool:
            for lines, left_out in progress(pool.map(_convert, jobs), f"settle {name}", len(jobs)):
                dropped.update(left_out)
                written += len(lines)
                manifest.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        if not written:
            raise EmptySourceError(
                f"no video of {config.path} has two settled states in a shot (left out: {dict(dropped)}); "
                "lower settled_s, or see conf/source/videos.yaml for what each reason depends on"
            )
    written_as = episodes.EpisodesConfig(
        name, str(out), config.scenario, config.licence, citation=config.citation
    )
    data = episodes.read(written_as)
    left_out = {reason: n for reason, n in sorted(dropped.items()) if n}
    return SourceData(data.trajectories, data.licence, data.citation, data.total, left_out)


def _manifest(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder / "manifest.jsonl"


def _listed(config: VideosSource) -> list[_Video]:
    """The videos in the order of their names, whatever order the disk lists them in."""
    root = Path(config.path)
    if not root.is_dir():
        raise EmptySourceError(f"the folder of videos {root} does not exist; correct the path")
    files = [p for p in root.rglob("*") if p.suffix.lower() in VIDEOS and p.is_file()]
    names = sorted((p.relative_to(root).with_suffix("").as_posix(), p) for p in files)
    names = [(n, p) for n, p in names if not any(part.startswith(".") for part in n.split("/"))]
    if not names:
        raise EmptySourceError(f"{root} holds no video; expected files that end in {', '.join(VIDEOS)}")
    by_name: dict[str, Path] = {}
    for name, path in names:
        other = by_name.setdefault(_slug(name), path)
        if other != path:
            raise ManifestError(f"{other} and {path} have the same name; rename or remove one")
    return [_video(name, path, config) for name, path in names[: config.max_videos or None]]


def _slug(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name.replace("/", "--"))


def _video(name: str, path: Path, config: VideosSource) -> _Video:
    match = re.fullmatch(config.group, name)
    if not match or not match["group"]:
        raise ManifestError(
            f"the name of {path} is {name!r}, which group={config.group!r} does not match; rename the file, "
            "or correct `group` of the source"
        )
    group = match["group"]
    title = " ".join(re.split(r"[\s_/-]+", match.groupdict().get("title") or group.split("/")[-1])).strip()
    return _Video(path, _slug(name), group.casefold(), config.goal.format(title=title))


def _convert(job: Job) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Write the states of one video and return its lines of the manifest, and what was left out."""
    video, config, out = job
    dropped: Counter[str] = Counter()
    values = {key: getattr(config, key) for key in Settling.__dataclass_fields__}
    states = settled_states(filmed(video.path, config.side), Settling(**values), dropped)
    lines = []
    for shot, shown in groupby(states, lambda s: s.shot if config.shots == "split" else 0):
        name = f"{video.name}-shot{shot + 1}" if config.shots == "split" else video.name
        frames = _write(shown, out, name, config.jpeg_quality)
        if len(frames) < 2:
            dropped["short_shots"] += len(frames)
            shutil.rmtree(out / "images" / name)
            continue
        lines.append({"id": name, "goal": video.goal, "group": video.group, "frames": frames})
    if not lines and not config.skip_short:
        raise TooShortError(
            f"the video {video.path} has no two settled states in a shot (left out: {dict(dropped)}); "
            "expected a picture that stands still for settled_s. Correct the values of the source "
            "(conf/source/videos.yaml), remove the file, or set skip_short=true to leave out all such videos"
        )
    return lines, dict(dropped)


def _write(states: Iterator[Settled], out: Path, name: str, quality: int) -> list[str]:
    """Names of the pictures, written as they come: memory holds one."""
    folder = out / "images" / name
    folder.mkdir(parents=True)
    frames = []
    for number, state in enumerate(states):
        path = folder / f"{number:05d}.jpg"
        path.write_bytes(encode_jpeg(state.frame.picture(), quality))
        frames.append(path.relative_to(out).as_posix())
    return frames


def filmed(path: Path, side: int) -> Iterator[Filmed]:
    """The frames of a video, shrunk for decisions; only a kept one is converted at full size."""
    for seconds, frame in whole_video(path):
        scale = min(1.0, side / max(frame.width, frame.height))
        width, height = (max(CELL * 4, round(n * scale)) for n in (frame.width, frame.height))
        small = frame.reformat(
            width=width, height=height, format="rgb24", interpolation="AREA", threads=THREADS
        )
        shown = float((frame.duration or 0) * (frame.time_base or 0))
        yield Filmed(
            seconds, seconds + shown, view(np.asarray(small.to_ndarray(), np.uint8)), _Picture(frame)
        )


@dataclass(frozen=True)
class _Picture:
    """A decoded frame that becomes an RGB picture, turned upright, when it is called."""

    frame: av.VideoFrame

    def __call__(self) -> Image.Image:
        return upright(self.frame)
