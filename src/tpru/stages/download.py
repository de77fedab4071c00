"""Raw data of one source -> ``trajectories.parquet`` (and ``media.parquet`` for embedded frames).

Simulated sources also write ``states.parquet``: boxes, masks, states of objects and progress by frame.

    python -m tpru.stages.download experiment=demo unit=download/robot

A shard (``unit=download/robot/0of4``) makes its part of the episodes. The unit then reads the trajectories
from its shards in place of the source, and all else is the same: the files, and what is checked of them.

Everything that can be checked without decoding videos is checked here, before anything is computed.
"""

import shutil
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from tpru.config.schema import Source
from tpru.errors import EmptySourceError, SplitError
from tpru.files import written_whole
from tpru.records import FrameState, Trajectory
from tpru.run import Run, Upstream, say, stage
from tpru.runtime import progress, shards, threads
from tpru.shards import WHOLE, Shard, shard_names, split_name
from tpru.stages.inputs import fetched_folder
from tpru.store import iter_records, write_records
from tpru.trajectories.media import EmbeddedParquet
from tpru.trajectories.source_data import SourceData, SourceTrajectory
from tpru.trajectories.sources import (
    aitw,
    aitz,
    android_control,
    episodes,
    gui_odyssey,
    ldraw,
    lerobot,
    observations,
    rlds,
    screenagent,
    seed_bench_r1,
    sharerobot,
    simulated,
    videos,
    vln_ce,
)

MEDIA = pa.schema([("trajectory_id", pa.string()), ("frames", pa.list_(pa.binary()))])


def read_source(run: Run, name: str, shard: Shard) -> SourceData:
    """The trajectories of a shard of the configured source."""
    config = local_source(run, name)
    values = {"name": name, **config.model_dump(exclude={"kind", "extract", "shards", "fetch"})}
    if config.kind == "simulated":
        return simulated.read(name, config, run.seed, threads(), shard)
    if config.kind == "ldraw":
        return ldraw.read(name, config, threads(), shard)
    if config.kind == "lerobot":
        return lerobot.read(lerobot.LeRobotConfig(**values))
    if config.kind == "aitz":
        return aitz.read(name, config)
    if config.kind == "gui_odyssey":
        return gui_odyssey.read(name, config)
    if config.kind == "sharerobot":
        return sharerobot.read(name, config)
    if config.kind == "vln_ce":
        return vln_ce.read(name, config, shard)
    if config.kind == "seed_bench_r1":
        return seed_bench_r1.read(name, config)
    if config.kind == "observations":
        return observations.read(name, config)
    if config.kind == "rlds":
        return rlds.read(rlds.RldsConfig(**values))
    if config.kind == "android_control":
        return android_control.read(android_control.AndroidControlConfig(**values))
    if config.kind == "aitw":
        return aitw.read(aitw.AitwConfig(**values))
    if config.kind == "videos":
        return videos.read(name, config, threads(), run.output("converted"))
    if config.kind == "screenagent":
        converted = run.output("converted")
        shutil.rmtree(converted, ignore_errors=True)
        screenagent.convert(Path(config.path), converted)
        values["path"] = str(converted)
    return episodes.read(episodes.EpisodesConfig(**values))


def local_source(run: Run, name: str) -> Source:
    """The configured source; where its data were fetched, with its paths in what was fetched.

    Raises:
        UpstreamError: they were not, or this machine does not see the cache that they are in.
    """
    source = {**run.config["source"], "extract": {}, "shards": 1, "fetch": None}
    config: Source = TypeAdapter(Source).validate_python(source)
    if "fetched" not in run.config:
        return config
    data = fetched_folder(run, name)
    given = {key: getattr(config, key) for key in config.paths}
    return config.model_copy(update={key: str(data / path) for key, path in given.items() if path})


def gather(run: Run, of: int) -> SourceData:
    """What the shards of a unit made, in their order; memory holds one trajectory at a time."""
    made = [run.upstream(unit) for unit in shard_names(run.unit, of)]
    facts = made[0].record["facts"]
    trajectories = (entry for shard in made for entry in read_shard(shard))
    total = sum(int(shard.record["metrics"]["trajectories"]) for shard in made)
    return SourceData(trajectories, facts["licence"], facts["citation"], total)


def read_shard(made: Upstream) -> Iterator[SourceTrajectory]:
    """The trajectories that a shard wrote, as its source gave them."""
    media = EmbeddedParquet(made.path("media.parquet"))
    # States stand in the order of the trajectories; not every trajectory has some.
    states = groupby(iter_records(made.path("states.parquet"), FrameState), lambda s: s.trajectory_id)
    name, own = next(states, ("", iter(())))
    for trajectory in iter_records(made.path("trajectories.parquet"), Trajectory):
        wanted = trajectory.trajectory_id
        frames = tuple(media.read(wanted)) if trajectory.media.kind == "embedded" else ()
        if name == wanted:
            yield SourceTrajectory(trajectory, frames, tuple(own))
            name, own = next(states, ("", iter(())))
        else:
            yield SourceTrajectory(trajectory, frames)


@stage("download")
def main(run: Run) -> None:
    unit, shard = split_name(run.unit)
    name = unit.split("/")[1]
    gathers = shard == WHOLE and shards() > 1
    if gathers and "fetched" in run.config:
        run.upstream(f"fetch/{name}")  # what the shards read
    data = gather(run, shards()) if gathers else read_source(run, name, shard)
    kept: list[Trajectory] = []

    def states() -> Iterator[FrameState]:
        for entry in progress(data, f"read {name}", data.total):
            kept.append(entry.trajectory)
            if entry.frames:
                row = {"trajectory_id": entry.trajectory.trajectory_id, "frames": list(entry.frames)}
                media.write_table(pa.Table.from_pylist([row], schema=MEDIA))
            yield from entry.states

    with (
        written_whole(run.output("media.parquet")) as temporary,
        pq.ParquetWriter(temporary, MEDIA) as media,
    ):
        write_records(run.output("states.parquet"), FrameState, states())
    if not kept and shard == WHOLE:
        raise EmptySourceError(f"source {name} gave no trajectory: check its path and its filters")
    check_fixed_splits(kept)
    write_records(run.output("trajectories.parquet"), Trajectory, kept)
    run.counts["trajectories"] = dict(Counter(t.scenario for t in kept))
    run.counts["families"] = dict(Counter(t.family or "unknown" for t in kept))
    if data.dropped:
        run.counts["dropped"] = data.dropped
        say(f"left out by reason: {data.dropped}")
    run.metrics = {"trajectories": len(kept), "frames": sum(t.media.n_frames for t in kept)}
    run.facts = {"licence": data.licence, "citation": data.citation}
    say(f"{len(kept)} trajectories, {int(run.metrics['frames'])} frames")


def check_fixed_splits(trajectories: list[Trajectory]) -> None:
    """Refuse a group that a source puts on both sides of its fixed split.

    Raises:
        SplitError: naming the groups.
    """
    sides: dict[str, set[str]] = {}
    for trajectory in trajectories:
        if trajectory.split:
            sides.setdefault(trajectory.group, set()).add(trajectory.split)
    torn = sorted(group for group, found in sides.items() if len(found) > 1)
    if torn:
        raise SplitError(
            f"{len(torn)} group(s) stand on both sides of the fixed split: {torn[:10]}. Give all episodes "
            "of a group the same `split`, or leave `split` out and let the synthesis choose."
        )


if __name__ == "__main__":
    main()
