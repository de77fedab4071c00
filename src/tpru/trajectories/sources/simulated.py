"""The embedded simulators as a source: nothing is downloaded, the same seed gives the same bytes."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module

from PIL import Image

from tpru.config.schema import SimulatedSource
from tpru.records import LEVELS, Alternative, FrameState, Level, Media, Step, Thing, Trajectory
from tpru.shards import WHOLE, Shard
from tpru.simulators.episode import Episode, State
from tpru.store import encode_png
from tpru.trajectories.source_data import SourceData, SourceTrajectory

SEEDS_APART = 1_000_000
# No layout seed is used on two levels.
LEVEL_OFFSET: dict[Level, int] = {"L1": 0, "L2": 400_000, "L3": 700_000}

Job = tuple[str, SimulatedSource, Level, int, int]  # name, config, level, number, seed


def read(name: str, config: SimulatedSource, seed: int, workers: int, shard: Shard = WHOLE) -> SourceData:
    """Simulate the episodes of a shard on ``workers`` processes, in order; all levels together are the whole.

    Each episode is its own group: layout, colours and goal come from its own seed. Episodes of L2 and L3
    are test only.
    """
    first = config.first_seed + SEEDS_APART * seed
    jobs: Sequence[Job] = [
        (name, config, level, i, first + LEVEL_OFFSET[level] + i)
        for level in LEVELS
        for i in range(getattr(config.episodes, level))
    ]
    jobs = shard.block(jobs)
    return SourceData(_simulate(jobs, workers), config.licence, config.citation, len(jobs))


def _simulate(jobs: Sequence[Job], workers: int) -> Iterator[SourceTrajectory]:
    with ProcessPoolExecutor(max_workers=workers) as pool:
        yield from pool.map(_one, jobs, chunksize=2)


def _one(job: Job) -> SourceTrajectory:
    name, config, level, number, seed = job
    simulator = import_module(f"tpru.simulators.{config.scenario}")
    families = simulator.UNSEEN if level == "L3" else simulator.SEEN
    family = families[number % len(families)]
    look = "seen" if level == "L1" else "unseen"
    episode: Episode = simulator.episode(seed, config.size, family, look)
    trajectory_id = f"{name}-{level}-{seed:08d}"
    n = len(episode.frames)
    trajectory = Trajectory(
        trajectory_id=trajectory_id,
        scenario=config.scenario,
        source=name,
        licence=config.licence,
        goal=episode.goal,
        group=trajectory_id,
        media=Media("embedded", n),
        steps=tuple(Step(i, text) for i, text in enumerate(episode.steps)),
        split="" if level == "L1" else "test",
        family=episode.family,
        level=level,
        alternatives=tuple(Alternative(a.index, a.step, n + i) for i, a in enumerate(episode.alternatives)),
    )
    pictures = (*episode.frames, *(a.frame for a in episode.alternatives))
    states = tuple(_state(trajectory_id, i, s) for i, s in enumerate(episode.states))
    return SourceTrajectory(trajectory, tuple(encode_png(p) for p in pictures), states)


def _state(trajectory_id: str, frame: int, state: State) -> FrameState:
    """The record of a state: things with boxes first, in the order of the labels."""
    names = [*state.boxes, *(n for n in state.objects if n not in state.boxes)]
    things = tuple(Thing(n, state.objects.get(n, ""), state.boxes.get(n, ())) for n in names)
    labels = encode_png(Image.fromarray(state.labels))
    return FrameState(trajectory_id, frame, float(state.progress), things, labels)
