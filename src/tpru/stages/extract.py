"""Trajectories of one source -> ``sequences.parquet`` and ``frames.parquet``.

    python -m tpru.stages.extract experiment=demo unit=extract/robot

Frames are streamed; trajectories are spread over all cores of the job.
"""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tpru.config.schema import ExtractConfig
from tpru.errors import EmptySourceError
from tpru.records import FrameState, Sequence, Trajectory
from tpru.run import Run, say, stage
from tpru.runtime import progress, threads
from tpru.store import read_records, write_frames, write_records
from tpru.trajectories.extraction import Extraction, Known, extract
from tpru.trajectories.media import EmbeddedParquet, iter_frames

Job = tuple[Trajectory, Path, ExtractConfig, dict[int, str]]


def extract_one(job: Job) -> Extraction:
    """Extraction of one trajectory, in a worker process."""
    trajectory, media, config, states = job
    embedded = EmbeddedParquet(media) if trajectory.media.kind == "embedded" else None
    encoded = embedded.read(trajectory.trajectory_id) if embedded else []
    known = Known(states, tuple(encoded[a.media] for a in trajectory.alternatives))
    return extract(trajectory, iter_frames(trajectory, embedded, config.every), config, known)


def states_by_trajectory(path: Path) -> dict[str, dict[int, str]]:
    """The states of all things of every frame as one string, where a simulator recorded them."""
    out: dict[str, dict[int, str]] = {}
    for state in read_records(path, FrameState):
        said = "; ".join(sorted(f"{t.name}: {t.state}" for t in state.things if t.state))
        out.setdefault(state.trajectory_id, {})[state.frame] = said
    return out


@stage("extract")
def main(run: Run) -> None:
    name = run.unit.split("/")[1]
    source = run.upstream(f"download/{name}")
    config = ExtractConfig(**run.config["extract"])
    trajectories = read_records(source.path("trajectories.parquet"), Trajectory)
    media = source.path("media.parquet")
    states = states_by_trajectory(source.path("states.parquet"))
    sequences: list[Sequence] = []
    rejected: Counter[str] = Counter()
    without = 0

    def pictures() -> Iterator[bytes]:
        nonlocal without
        with ProcessPoolExecutor(max_workers=threads()) as pool:
            jobs = [(t, media, config, states.get(t.trajectory_id, {})) for t in trajectories]
            for done in progress(pool.map(extract_one, jobs), f"extract {name}", len(jobs)):
                sequences.extend(done.sequences)
                rejected.update(done.rejected)
                without += not done.sequences
                yield from done.pictures

    frames = write_frames(run.output("frames.parquet"), pictures())
    if not sequences:
        raise EmptySourceError(
            f"no trajectory of {name} has {config.n_frames} distinct frames in a decidable order "
            f"(rejected: {dict(rejected)}). Lower extract.min_change ({config.min_change}), "
            f"extract.every ({config.every}) or extract.n_frames."
        )
    write_records(run.output("sequences.parquet"), Sequence, sequences)
    run.counts["rejected"] = dict(sorted(rejected.items()))
    run.metrics = {
        "trajectories": len(trajectories),
        "trajectories_without_sequence": without,
        "sequences": len(sequences),
        "frames": frames,
    }
    say(f"{len(sequences)} sequences of {len(trajectories)} trajectories; rejected {dict(rejected)}")


if __name__ == "__main__":
    main()
