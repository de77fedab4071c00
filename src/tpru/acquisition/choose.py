"""Which files of an origin a source needs: one small function per format.

Each gets the source, the paths at its origin, and a folder with those that are there by now. It returns
what is needed as far as that tells: first the metadata, then what they lead to. It is asked again until all
it names is there (:func:`tpru.stages.fetch.settle`). Where nothing can be known beforehand, all is needed.
"""

import json
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from tpru.config.schema import (
    AitwSource,
    AndroidControlSource,
    EpisodesSource,
    GuiOdysseySource,
    LdrawSource,
    LerobotSource,
    ObservationsSource,
    RldsSource,
    ScreenAgentSource,
    Source,
    VideosSource,
)
from tpru.errors import EmptySourceError, FetchError
from tpru.trajectories.source_data import SourceData
from tpru.trajectories.sources import (
    aitw,
    android_control,
    gui_odyssey,
    ldraw,
    lerobot,
    rlds,
    screenagent,
    videos,
)
from tpru.trajectories.sources.ldraw_files import file_key, read_text
from tpru.trajectories.sources.public_data import SHARD
from tpru.trajectories.sources.reading import natural

REFERENCE = re.compile(r"^\s*1(?:\s+\S+){13}\s+(.+?)\s*$", re.MULTILINE)


def needed(source: Source, paths: Sequence[str], folder: Path) -> set[str]:
    """Paths that the source needs, as far as what is in ``folder`` tells.

    Args:
        source: the source; its own paths are relative to ``folder``.
        paths: what its origin has.
        folder: what was fetched so far, under the same paths.

    Raises:
        ManifestError: metadata that were fetched are malformed.
        FetchError: what is needed is not at the origin.
    """
    wanted = _needed(source, sorted(paths), folder)
    missing = sorted(wanted - set(paths))
    if missing:
        raise FetchError(
            f"the origin has no {missing[0]!r} ({len(missing)} such files), which the source needs; "
            "correct `path`, `files` or the revision, or take fewer episodes"
        )
    return wanted


def _needed(source: Source, paths: list[str], folder: Path) -> set[str]:
    if isinstance(source, LerobotSource):
        return lerobot_files(source, paths, folder)
    if isinstance(source, LdrawSource):
        return ldraw_files(source, paths, folder)
    if isinstance(source, GuiOdysseySource):
        return gui_odyssey_files(source, paths, folder)
    if isinstance(source, RldsSource | AndroidControlSource | AitwSource) and source.max_episodes:
        return sharded_files(source, paths, folder)
    if isinstance(source, EpisodesSource) and source.max_episodes:
        return episodes_files(source, paths, folder)
    if isinstance(source, ScreenAgentSource) and source.max_episodes:
        return screenagent_files(source, paths)
    if isinstance(source, ObservationsSource) and source.max_episodes:
        return observations_files(source, paths)
    if isinstance(source, VideosSource):
        return videos_files(source, paths)
    return set(paths)


def below(folder: str, paths: Sequence[str]) -> dict[str, str]:
    """Paths in a folder by what they are relative to it."""
    start = at(folder, "")
    return {path.removeprefix(start): path for path in paths if path.startswith(start)}


def at(folder: str, path: str) -> str:
    """A path in a folder that is relative to the origin, "" being the origin itself."""
    start = PurePosixPath(folder).as_posix()
    return path if start == "." else f"{start}/{path}"


def lerobot_files(source: LerobotSource, paths: list[str], folder: Path) -> set[str]:
    """``meta/``, then of the first episodes the videos of the one camera, or the data with its pictures."""
    meta = set(below(at(source.path, "meta"), paths).values())
    if not all((folder / path).exists() for path in meta):
        return meta
    reading = lerobot.LeRobotConfig(
        "", str(folder / source.path), "", source.camera, max_episodes=source.max_episodes
    )
    return meta | {at(source.path, path) for path in lerobot.files_needed(reading)}


def gui_odyssey_files(source: GuiOdysseySource, paths: list[str], folder: Path) -> set[str]:
    """Annotations and splits, then the screens of the episodes taken, in whatever folder they lie."""
    first = {
        path for part in ("annotations", "splits") for path in below(at(source.path, part), paths).values()
    }
    if not all((folder / path).exists() for path in first):
        return first
    local = source.model_copy(update={"path": str(folder / source.path)})
    places = {PurePosixPath(p).name: p for p in below(at(source.path, "screenshots"), paths).values()}
    screens = gui_odyssey.screens_needed(local)
    return first | {places.get(name, at(source.path, f"screenshots/{name}")) for name in screens}


def sharded_files(
    source: RldsSource | AndroidControlSource | AitwSource, paths: list[str], folder: Path
) -> set[str]:
    """What is no shard, then the first shards: as many as the reader needs to find ``max_episodes``."""
    inside = below(source.path, paths)
    named = sorted(
        (m["stem"], int(m["of"]), int(m["index"]), m.string) for p in inside if (m := SHARD.fullmatch(p))
    )
    shards = [inside[name] for *_, name in named]
    others = {path for name, path in inside.items() if "/" not in name and path not in shards}
    others |= {path for path in paths if path == at(getattr(source, "split_file", ""), "").rstrip("/")}
    if not all((folder / path).exists() for path in others):
        return others
    if isinstance(source, RldsSource):
        listed = rlds.shards_of(folder / source.path, source.split)
        shards = [path.relative_to(folder).as_posix() for path, _ in listed]
        before = [sum(n for _, n in listed[:k]) for k in range(len(listed))]
        first = sum(count < source.max_episodes for count in before)
    else:
        first = 1
    there = sum((folder / path).exists() for path in shards)
    if there < first:
        return others | set(shards[:first])
    found = _count(source, folder)
    if found >= source.max_episodes or there == len(shards):
        return others | set(shards[:there])
    more = math.ceil((source.max_episodes - found) * there / max(found, 1))
    return others | set(shards[: there + min(more, there)])


def _count(source: RldsSource | AndroidControlSource | AitwSource, folder: Path) -> int:
    """How many episodes the reader finds in the shards that are there."""
    values = source.model_dump(exclude={"kind", "extract", "shards", "fetch"})
    values |= {"name": "", "path": str(folder / source.path)}
    if values.get("split_file"):
        values["split_file"] = str(folder / values["split_file"])
    reader: Callable[[], SourceData]
    if isinstance(source, RldsSource):
        reader = lambda: rlds.read(rlds.RldsConfig(**values))  # noqa: E731
    elif isinstance(source, AndroidControlSource):
        reader = lambda: android_control.read(android_control.AndroidControlConfig(**values))  # noqa: E731
    else:
        reader = lambda: aitw.read(aitw.AitwConfig(**values))  # noqa: E731
    try:
        return sum(1 for _ in reader())
    except EmptySourceError:
        return 0


def episodes_files(source: EpisodesSource, paths: list[str], folder: Path) -> set[str]:
    """The manifest, then frames and videos of its first lines; the reader says what is wrong with them."""
    manifest = at(source.path, source.manifest)
    if not (folder / manifest).exists():
        return {manifest}
    lines = [line for line in (folder / manifest).read_text("utf-8-sig").split("\n") if line.strip()]
    wanted = {manifest}
    try:
        for line in lines[: source.max_episodes]:
            values = json.loads(line)
            frames = values.get("frames") or values.get("video") or []
            if isinstance(frames, str) and frames.endswith("/"):
                wanted |= set(below(at(source.path, frames), paths).values())
            else:
                named = [frames] if isinstance(frames, str) else frames
                wanted |= {at(source.path, PurePosixPath(name).as_posix()) for name in named}
    except (ValueError, AttributeError, TypeError):
        return set(paths)
    return wanted & set(paths)


def screenagent_files(source: ScreenAgentSource, paths: list[str]) -> set[str]:
    """The first sessions of at least two steps, in the order of their names."""
    inside = below(source.path, paths)
    sessions: dict[str, int] = {}
    for name in inside:
        session, _, rest = name.partition("/")
        if rest.endswith(screenagent.SUFFIX) and "/" not in rest:
            sessions[session] = sessions.get(session, 0) + 1
    taken = sorted(session for session, steps in sessions.items() if steps >= 2)[: source.max_episodes]
    return {path for name, path in inside.items() if name.partition("/")[0] in taken}


def observations_files(source: ObservationsSource, paths: list[str]) -> set[str]:
    """The first walks, in natural order of scene and walk."""
    inside = below(source.path, paths)
    walks = {tuple(name.split("/")[:2]) for name in inside if name.count("/") >= 2}
    taken = sorted(walks, key=lambda walk: [natural(part) for part in walk])[: source.max_episodes]
    return {path for name, path in inside.items() if tuple(name.split("/")[:2]) in taken}


def videos_files(source: VideosSource, paths: list[str]) -> set[str]:
    """The first videos in the order of their names, and nothing else."""
    inside = below(source.path, paths)
    named = sorted(
        (PurePosixPath(name).with_suffix("").as_posix(), path)
        for name, path in inside.items()
        if PurePosixPath(name).suffix.lower() in videos.VIDEOS
    )
    return {path for _, path in named[: source.max_videos or None]}


def ldraw_files(source: LdrawSource, paths: list[str], folder: Path) -> set[str]:
    """The first models, then the parts that they are built of, and what those are made of."""
    models = [
        path
        for name, path in sorted(below(source.path, paths).items())
        if "/" not in name and PurePosixPath(name).suffix.lower() in ldraw.SUFFIXES
    ][: source.max_models or None]
    library = {
        file_key(name): path
        for part in ("p", "parts")  # of two of a name the part counts, as for the reader
        for name, path in below(at(source.parts, part), paths).items()
    }
    colours = at(source.parts, "LDConfig.ldr")
    wanted, new = {*models, colours}, list(models)
    while new:
        path = folder / new.pop()
        for name in REFERENCE.findall(read_text(path)) if path.exists() else ():
            key = file_key(name)
            part = library.get(key.removeprefix("48/")) or library.get(key)
            if part and part not in wanted:
                wanted.add(part)
                new.append(part)
    return wanted
