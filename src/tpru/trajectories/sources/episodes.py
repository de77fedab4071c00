"""A user's own folder: ``manifest.jsonl`` beside pictures and videos (see docs/own-data.md)."""

import bisect
import contextlib
import dataclasses
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tpru.errors import (
    CorruptMediaError,
    EmptySourceError,
    ManifestError,
    SplitError,
    TooShortError,
    TpruError,
)
from tpru.records import SCENARIOS, Media, Step, Trajectory
from tpru.store import decode_image
from tpru.trajectories.media import probe_video, video_times
from tpru.trajectories.source_data import SourceData, SourceTrajectory
from tpru.trajectories.sources.reading import picture_names

TEXT_KEYS = ("id", "goal", "group", "split", "scenario", "family", "video")
KEYS = (*TEXT_KEYS, "frames", "start_s", "end_s", "steps")
SHOWN = 10
OUTSIDE = "is outside {}; expected a path relative to it without '..' or links leading out: copy it in"
CLOCK_S = 0.001  # Matroska rounds the time of a frame to a millisecond


@dataclass(frozen=True)
class EpisodesConfig:
    """A folder of episodes; ``max_episodes`` 0 is all, ``skip_short`` leaves out one-frame ones."""

    name: str
    path: str
    scenario: str
    licence: str
    manifest: str = "manifest.jsonl"
    citation: str = ""
    max_episodes: int = 0
    skip_short: bool = False


@dataclass(frozen=True)
class _Entry:
    """One line of the manifest whose keys and value types are right."""

    line: int
    values: dict[str, Any]


class _Problems:
    """What is wrong, collected so that one message tells all of it."""

    def __init__(self, manifest: Path) -> None:
        self._manifest = manifest
        self._found: list[tuple[type[TpruError], str]] = []

    @contextlib.contextmanager
    def at(self, line: int, episode: object) -> Iterator[None]:
        """Keep an error raised inside as a problem of this episode."""
        try:
            yield
        except TpruError as error:
            self._found.append((type(error), f"line {line}, episode {episode!r}: {error}"))

    def raise_any(self, *kinds: type[TpruError]) -> None:
        """Raise all problems of the first kind that there are any of, in one message."""
        for kind in kinds:
            texts = [text for found, text in self._found if found is kind]
            if texts:
                more = [f"... and {len(texts) - SHOWN} more"] if len(texts) > SHOWN else []
                head = f"{self._manifest} has {len(texts)} problem(s) of this kind:"
                raise kind("\n  ".join([head, *texts[:SHOWN], *more]))


def read(config: EpisodesConfig) -> SourceData:
    """Read and check a folder of episodes; nothing is yielded before everything is checked.

    All lines of the manifest are checked, and the pictures and videos of the episodes taken.

    Raises:
        ManifestError: the manifest is missing or malformed, or names a file not in the folder.
        SplitError: a group is fixed to train and to test.
        TooShortError: an episode has fewer than two frames and ``skip_short`` is off.
        CorruptMediaError: a picture cannot be decoded or a video cannot be opened.
        EmptySourceError: there is no episode.
    """
    manifest = Path(config.path) / config.manifest
    problems = _Problems(manifest)
    entries = _entries(manifest, problems, config)
    problems.raise_any(ManifestError)
    _check_splits(entries, problems, config)
    problems.raise_any(SplitError)
    found = _trajectories(entries[: config.max_episodes or None], problems, config)
    problems.raise_any(ManifestError, TooShortError)
    for entry, trajectory in found:
        with problems.at(entry.line, entry.values["id"]):
            _check_pictures(trajectory.media)
    problems.raise_any(CorruptMediaError)
    if not found:
        raise EmptySourceError(
            f"{manifest} holds no episode of at least two frames; add one line per episode "
            "(docs/own-data.md shows the format)"
        )
    trajectories = tuple(SourceTrajectory(trajectory) for _, trajectory in found)
    return SourceData(trajectories, config.licence, config.citation, len(trajectories))


def _entries(manifest: Path, problems: _Problems, config: EpisodesConfig) -> list[_Entry]:
    entries: dict[str, _Entry] = {}
    for line, text in _lines(manifest):
        values: dict[str, Any] | None = None
        with problems.at(line, "?"):
            values = _parsed(text)
        if values is None:
            continue
        with problems.at(line, values.get("id", "?")):
            _check_values(values, config)
            other = entries.setdefault(values["id"], _Entry(line, values)).line
            _expect(other == line, f"the id already stands on line {other}; rename or remove one")
    return list(entries.values())


def _lines(manifest: Path) -> Iterator[tuple[int, str]]:
    if not manifest.is_file():
        raise ManifestError(
            f"the manifest {manifest} does not exist; write one JSON object per episode into it "
            "(docs/own-data.md shows the format), or correct path and manifest in the configuration"
        )
    try:
        text = manifest.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{manifest} cannot be read ({error}); save it as UTF-8") from error
    # Only "\n" ends a line: splitlines() would also break at marks that may stand inside JSON text.
    return ((n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip())


def _parsed(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except ValueError as error:
        raise ManifestError(f"not one JSON object ({error}); correct the line") from error
    _expect(isinstance(values, dict), "not an object with id, goal, ...; correct the line")
    return {key: value for key, value in values.items() if value is not None}


def _expect(right: bool, problem: str) -> None:
    if not right:
        raise ManifestError(problem)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check_values(values: dict[str, Any], config: EpisodesConfig) -> None:
    unknown = sorted(set(values) - set(KEYS))
    _expect(not unknown, f"unknown key(s) {unknown}; known are {list(KEYS)}: rename or remove them")
    missing = [key for key in ("id", "goal") if key not in values]
    _expect(not missing, f"the key(s) {missing} are missing; add them")
    wrong = [key for key in TEXT_KEYS if key in values and not _is_text(values[key])]
    _expect(not wrong, f"expected a text under {wrong}; correct or remove them")
    one = ("frames" in values) != ("video" in values)
    _expect(one, "expected exactly one of frames and video; add or remove one")
    frames = values.get("frames", [])
    folder = isinstance(frames, str) and frames.endswith("/")
    names = isinstance(frames, list) and all(_is_text(name) for name in frames)
    _expect(folder or names, "expected under frames a list of paths, or a folder name ending in '/'")
    cut = {key: values[key] for key in ("start_s", "end_s") if key in values}
    _expect(not cut or "video" in values, f"{list(cut)} belong to a video; remove them")
    seconds = all(_is_number(value) and value >= 0 for value in cut.values())
    _expect(seconds, f"{cut} are not seconds, 0 or more; correct them")
    _expect(len(cut) < 2 or cut["start_s"] < cut["end_s"], f"{cut}: start_s must be before end_s")
    _expect(isinstance(values.get("steps", []), list), "expected a list under steps; correct it")
    scenario, split = values.get("scenario", config.scenario), values.get("split", "test")
    _expect(scenario in SCENARIOS, f"the scenario is {scenario!r}; expected one of {SCENARIOS}")
    _expect(split in ("train", "test"), f"the split is {split!r}; expected 'train' or 'test'")


def _group(values: dict[str, Any], config: EpisodesConfig) -> str:
    """The id alone may stand in another folder too, so the name of the source goes before it."""
    return str(values.get("group", f"{config.name}-{values['id']}"))


def _check_splits(entries: list[_Entry], problems: _Problems, config: EpisodesConfig) -> None:
    first: dict[str, _Entry] = {}
    for entry in entries:
        if "split" not in entry.values:
            continue
        group, split = _group(entry.values, config), entry.values["split"]
        other = first.setdefault(group, entry)
        with problems.at(entry.line, entry.values["id"]):
            if other.values["split"] != split:
                raise SplitError(
                    f"the group {group!r} is in split {split!r} here and in "
                    f"{other.values['split']!r} on line {other.line}; expected one side for all "
                    "episodes of a group: change the split or the group of one of them"
                )


def _trajectories(
    entries: list[_Entry], problems: _Problems, config: EpisodesConfig
) -> list[tuple[_Entry, Trajectory]]:
    found: list[tuple[_Entry, Trajectory]] = []
    for entry in entries:
        with problems.at(entry.line, entry.values["id"]):
            trajectory = _trajectory(entry.values, config)
            if trajectory.media.n_frames >= 2:
                found.append((entry, trajectory))
            elif not config.skip_short:
                raise TooShortError(
                    f"the episode has {trajectory.media.n_frames} frame(s), expected at least 2; "
                    "add frames, remove it, or set skip_short=true to leave out all such episodes"
                )
    return found


def _trajectory(values: dict[str, Any], config: EpisodesConfig) -> Trajectory:
    root = Path(config.path)
    if "video" in values:
        media, times = _video(root, values)
    else:
        media, times = _pictures(root, values["frames"]), []
    return Trajectory(
        trajectory_id=f"{config.name}-{values['id']}",
        scenario=values.get("scenario", config.scenario),
        source=config.name,
        licence=config.licence,
        goal=values["goal"].strip(),
        group=_group(values, config),
        media=media,
        steps=_steps(values, media.n_frames, times) if media.n_frames >= 2 else (),
        split=values.get("split", ""),
        family=values.get("family", ""),
    )


def _inside(root: Path, name: str) -> Path:
    """The file, where the path and every symbolic link on it stay inside the folder."""
    path = Path(name)
    try:
        resolved, within = (root / path).resolve(), root.resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise ManifestError(f"{name!r} is not a usable path ({error}); correct it") from error
    inside = not path.is_absolute() and ".." not in path.parts and resolved.is_relative_to(within)
    _expect(inside, f"{name!r} {OUTSIDE.format(root)}")
    return resolved


def _pictures(root: Path, frames: str | list[str]) -> Media:
    names = _folder(root, frames) if isinstance(frames, str) else frames
    missing = [name for name in names if not _inside(root, name).is_file()]
    _expect(
        not missing,
        f"{len(missing)} frame(s) do not exist: {missing[:3]}; expected paths relative to {root}: "
        "correct them or add the files",
    )
    return Media("files", len(names), root=str(root), files=tuple(names))


def _folder(root: Path, name: str) -> list[str]:
    folder = _inside(root, name)
    _expect(folder.is_dir(), f"the folder {name!r} does not exist in {root}; correct or add it")
    return [name + found for found in picture_names(folder)]


def _check_pictures(media: Media) -> None:
    for name in media.files if media.kind == "files" else ():
        try:
            decode_image((Path(media.root) / name).read_bytes())
        except Exception as error:  # Pillow's readers raise many types for damaged files
            raise CorruptMediaError(
                f"the picture {name!r} cannot be decoded ({type(error).__name__}: {error}); "
                "expected a whole picture: replace the file or remove the episode"
            ) from error


def _video(root: Path, values: dict[str, Any]) -> tuple[Media, list[float]]:
    """The video, cut, and the seconds of its frames where a cut or steps need them, else none."""
    name = values["video"]
    path = _inside(root, name)
    _expect(path.is_file(), f"the video {name!r} does not exist in {root}; correct or add it")
    cut = "start_s" in values or "end_s" in values
    try:
        n_frames, fps = probe_video(path)
        times = video_times(path) if cut or values.get("steps") else []
    except CorruptMediaError as error:
        raise CorruptMediaError(f"{error}; replace the file or remove the episode") from error
    if times and len(times) < n_frames:
        raise CorruptMediaError(
            f"the video {name!r} holds {len(times)} frames, its header promises {n_frames}: it is "
            "truncated; replace the file or remove the episode"
        )
    media = Media("video", len(times) or n_frames, root=str(root), files=(name,), fps=fps)
    return (_cut(media, values, times), times) if cut else (media, times)


def _cut(media: Media, values: dict[str, Any], times: list[float]) -> Media:
    """Take the frames from the first at or after ``start_s`` to the last before ``end_s``."""
    start, end = values.get("start_s", 0.0), values.get("end_s", math.inf)
    half = 0.5 / media.fps if media.fps else 0.0
    length = times[-1] + 2 * half if times else 0.0
    _expect(
        start < length and (end == math.inf or end <= length + 0.5),
        f"start_s {start} and end_s {end} do not lie in the video of {length:.3f} s; correct them, "
        "or leave end_s out to take the rest",
    )
    cuts = [bisect.bisect_left(times, time - CLOCK_S) for time in (start, end)]
    # Reading allows half a frame of tolerance, so the middle between two frames plus that is exact.
    edges = [(times[i - 1] + times[i]) / 2 + half if 0 < i < len(times) else None for i in cuts]
    n_frames = cuts[1] - cuts[0]
    return dataclasses.replace(media, n_frames=n_frames, start_s=edges[0], end_s=edges[1])


def _steps(values: dict[str, Any], n_frames: int, times: list[float]) -> tuple[Step, ...]:
    key, steps = "time_s" if times else "frame", values.get("steps", [])
    if "frames" in values and not any(isinstance(step, dict) for step in steps):
        _expect(
            len(steps) in (0, n_frames),
            f"{len(steps)} steps for {n_frames} frames; expected one text or null per frame, or "
            'objects {"frame": i, "text": ...}',
        )
        steps = [{"frame": i, "text": t} for i, t in enumerate(steps) if t is not None]
    first = bisect.bisect_left(times, values.get("start_s", 0.0) - CLOCK_S)
    found: dict[int, str] = {}
    for step in steps:
        right = isinstance(step, dict) and set(step) == {key, "text"} and _is_text(step["text"])
        _expect(
            right and _is_number(step[key]),
            f'the step {step!r} is not {{"{key}": number, "text": "what was done"}}; correct it',
        )
        at = step[key]
        frame = bisect.bisect_left(times, at - CLOCK_S) - first if times else at
        _expect(
            frame in range(n_frames),
            f"the step at {key} {at} is on none of the {n_frames} frames of the episode",
        )
        _expect(frame not in found, f"two steps fall on frame {frame}; join their texts")
        found[int(frame)] = " ".join(step["text"].split()).rstrip(".")
    return tuple(Step(frame, found[frame]) for frame in sorted(found))
