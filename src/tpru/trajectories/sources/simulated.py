"""The embedded simulators as a source: nothing is downloaded, the same seed gives the same bytes."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module

from tpru.config.schema import SimulatedSource
from tpru.records import Media, Step, Trajectory
from tpru.simulators.episode import Episode
from tpru.store import encode_png
from tpru.trajectories.source_data import SourceData, SourceTrajectory

SEEDS_APART = 1_000_000


def read(name: str, config: SimulatedSource, seed: int, workers: int) -> SourceData:
    """Simulate ``config.episodes`` episodes on ``workers`` processes, in order.

    Each episode is its own group: layout, colours and goal come from its own seed.
    """
    first = config.first_seed + SEEDS_APART * seed
    jobs = [(name, config, first + i) for i in range(config.episodes)]
    return SourceData(_simulate(jobs, workers), config.licence, config.citation, len(jobs))


def _simulate(jobs: list[tuple[str, SimulatedSource, int]], workers: int) -> Iterator[SourceTrajectory]:
    with ProcessPoolExecutor(max_workers=workers) as pool:
        yield from pool.map(_one, jobs, chunksize=2)


def _one(job: tuple[str, SimulatedSource, int]) -> SourceTrajectory:
    name, config, seed = job
    simulator = import_module(f"tpru.simulators.{config.scenario}")
    episode: Episode = simulator.episode(seed, config.size)
    trajectory_id = f"{name}-{seed:08d}"
    trajectory = Trajectory(
        trajectory_id=trajectory_id,
        scenario=config.scenario,
        source=name,
        licence=config.licence,
        goal=episode.goal,
        group=trajectory_id,
        media=Media("embedded", len(episode.frames)),
        steps=tuple(Step(i, text) for i, text in enumerate(episode.steps)),
        family=episode.family,
    )
    return SourceTrajectory(trajectory, tuple(encode_png(image) for image in episode.frames))
