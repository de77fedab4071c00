"""Raw data of one source -> ``trajectories.parquet`` (and ``media.parquet`` for embedded frames).

Simulated sources also write ``states.parquet``: boxes, masks, states of objects and progress by frame.

    python -m tpru.stages.download experiment=demo unit=download/robot

Everything that can be checked without decoding videos is checked here, before anything is computed.
"""

import shutil
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from tpru.config.schema import Source
from tpru.errors import EmptySourceError, SplitError
from tpru.files import written_whole
from tpru.records import FrameState, Trajectory
from tpru.run import Run, say, stage
from tpru.runtime import progress, threads
from tpru.store import write_records
from tpru.trajectories.source_data import SourceData
from tpru.trajectories.sources import episodes, ldraw, lerobot, screenagent, simulated

MEDIA = pa.schema([("trajectory_id", pa.string()), ("frames", pa.list_(pa.binary()))])


def read_source(run: Run, name: str) -> SourceData:
    """The trajectories of the configured source."""
    config = TypeAdapter(Source).validate_python({**run.config["source"], "extract": {}})
    values = {"name": name, **config.model_dump(exclude={"kind", "extract"})}
    if config.kind == "simulated":
        return simulated.read(name, config, run.seed, threads())
    if config.kind == "ldraw":
        return ldraw.read(name, config, threads())
    if config.kind == "lerobot":
        return lerobot.read(lerobot.LeRobotConfig(**values))
    if config.kind == "screenagent":
        converted = run.output("converted")
        shutil.rmtree(converted, ignore_errors=True)
        screenagent.convert(Path(config.path), converted)
        values["path"] = str(converted)
    return episodes.read(episodes.EpisodesConfig(**values))


@stage("download")
def main(run: Run) -> None:
    name = run.unit.split("/")[1]
    data = read_source(run, name)
    kept: list[Trajectory] = []
    states: list[FrameState] = []
    with (
        written_whole(run.output("media.parquet")) as temporary,
        pq.ParquetWriter(temporary, MEDIA) as media,
    ):
        for entry in progress(data, f"read {name}", data.total):
            kept.append(entry.trajectory)
            states += entry.states
            if entry.frames:
                row = {"trajectory_id": entry.trajectory.trajectory_id, "frames": list(entry.frames)}
                media.write_table(pa.Table.from_pylist([row], schema=MEDIA))
    if not kept:
        raise EmptySourceError(f"source {name} gave no trajectory: check its path and its filters")
    check_fixed_splits(kept)
    write_records(run.output("trajectories.parquet"), Trajectory, kept)
    write_records(run.output("states.parquet"), FrameState, states)
    run.counts["trajectories"] = dict(Counter(t.scenario for t in kept))
    run.counts["families"] = dict(Counter(t.family or "unknown" for t in kept))
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
