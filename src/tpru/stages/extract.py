"""Trajectories of one source -> ``sequences.parquet`` and ``frames.parquet``.

    python -m tpru.stages.extract experiment=demo unit=extract/robot

Frames are streamed; trajectories are spread over all cores of the job. A shard (``unit=extract/robot/0of4``)
takes its part of the trajectories; the unit then gathers what its shards found.
"""

from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from tpru.config.schema import ExtractConfig
from tpru.errors import EmptySourceError
from tpru.records import FrameState, Sequence, Trajectory
from tpru.run import Run, say, stage
from tpru.runtime import progress, shards, threads
from tpru.shards import WHOLE, shard_names, split_name
from tpru.store import FrameStore, iter_records, read_records, write_frames, write_records
from tpru.trajectories.extraction import Extraction, Known, extract
from tpru.trajectories.media import EmbeddedParquet, iter_frames

Job = tuple[Trajectory, Path, ExtractConfig, dict[int, str]]

# Trajectories of each worker that may be done before they are written.
AHEAD = 4


@dataclass
class Found:
    """What extraction found; complete when its pictures have been gone through."""

    sequences: list[Sequence] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)
    trajectories: int = 0
    without: int = 0


@lru_cache(maxsize=1)
def embedded_frames(media: Path) -> EmbeddedParquet:
    """Embedded frames, opened once in each worker: to open them reads the ids of all trajectories."""
    return EmbeddedParquet(media)


def extract_one(job: Job) -> Extraction:
    """Extraction of one trajectory, in a worker process."""
    trajectory, media, config, states = job
    embedded = embedded_frames(media) if trajectory.media.kind == "embedded" else None
    encoded = embedded.read(trajectory.trajectory_id) if embedded else []
    known = Known(states, tuple(encoded[a.media] for a in trajectory.alternatives))
    return extract(trajectory, iter_frames(trajectory, embedded, config.every), config, known)


def states_by_trajectory(path: Path) -> dict[str, dict[int, str]]:
    """The states of all things of every frame as one string, where a simulator recorded them."""
    out: dict[str, dict[int, str]] = {}
    for state in iter_records(path, FrameState):
        said = "; ".join(sorted(f"{t.name}: {t.state}" for t in state.things if t.state))
        out.setdefault(state.trajectory_id, {})[state.frame] = said
    return out


def in_order(pool: ProcessPoolExecutor, jobs: list[Job]) -> Iterator[Extraction]:
    """What the workers find, in the order of the jobs; they run ahead of the writing by a few jobs alone.

    ``pool.map`` would let the pictures of all trajectories wait in memory where writing is the slower part.
    """
    waiting: deque[Future[Extraction]] = deque()
    for job in jobs:
        waiting.append(pool.submit(extract_one, job))
        if len(waiting) > AHEAD * threads():
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def extract_all(jobs: list[Job], name: str, found: Found) -> Iterator[bytes]:
    """Extract all trajectories in order; yield the pictures and add the rest to ``found``."""
    with ProcessPoolExecutor(max_workers=threads()) as pool:
        for done in progress(in_order(pool, jobs), f"extract {name}", len(jobs)):
            found.sequences.extend(done.sequences)
            found.rejected.update(done.rejected)
            found.trajectories += 1
            found.without += not done.sequences
            yield from done.pictures


def gather(run: Run, of: int, found: Found) -> Iterator[bytes]:
    """What the shards of a unit found, in their order: yield the pictures, add the rest to ``found``."""
    for unit in shard_names(run.unit, of):
        made = run.upstream(unit)
        found.sequences.extend(read_records(made.path("sequences.parquet"), Sequence))
        found.rejected.update(made.record["counts"]["rejected"])
        found.trajectories += int(made.record["metrics"]["trajectories"])
        found.without += int(made.record["metrics"]["trajectories_without_sequence"])
        frames = FrameStore([made.path("frames.parquet")])
        yield from map(frames.encoded, frames.ids_in_order())


@stage("extract")
def main(run: Run) -> None:
    unit, shard = split_name(run.unit)
    name = unit.split("/")[1]
    source = run.upstream(f"download/{name}")
    config = ExtractConfig(**run.config["extract"])
    found = Found()
    if shard == WHOLE and shards() > 1:
        pictures = gather(run, shards(), found)
    else:
        trajectories = read_records(source.path("trajectories.parquet"), Trajectory)
        media = source.path("media.parquet")
        states = states_by_trajectory(source.path("states.parquet"))
        jobs = [(t, media, config, states.get(t.trajectory_id, {})) for t in shard.block(trajectories)]
        pictures = extract_all(jobs, name, found)
    frames = write_frames(run.output("frames.parquet"), pictures)
    rejected = dict(sorted(found.rejected.items()))
    if not found.sequences and shard == WHOLE:
        raise EmptySourceError(
            f"no trajectory of {name} has {config.n_frames} distinct frames in a decidable order "
            f"(rejected: {rejected}). Lower extract.min_change ({config.min_change}), "
            f"extract.every ({config.every}) or extract.n_frames."
        )
    write_records(run.output("sequences.parquet"), Sequence, found.sequences)
    run.counts["rejected"] = rejected
    run.metrics = {
        "trajectories": found.trajectories,
        "trajectories_without_sequence": found.without,
        "sequences": len(found.sequences),
        "frames": frames,
    }
    say(f"{len(found.sequences)} sequences of {found.trajectories} trajectories; rejected {rejected}")


if __name__ == "__main__":
    main()
