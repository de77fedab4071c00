"""What the tiny base is schooled on: simulated episodes with all that the simulator knows."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from tpru.grounding.films import clear_names, plain
from tpru.records import Scenario
from tpru.simulators.episode import Box, State

# What covers less of a picture is a spot on 84 pixels.
LEAST_SHARE = 0.01


@dataclass(frozen=True)
class Scene:
    """One episode of the seen families and environments.

    frames: uint8 (n, side, side, 3); steps, facts, progress and places have one entry per frame. Places are
    the things that can be pointed at, by name, with their boxes as shares of the picture.
    """

    scenario: Scenario
    family: str
    goal: str
    frames: NDArray[np.uint8]
    steps: tuple[str, ...]
    facts: tuple[tuple[tuple[str, str], ...], ...]
    progress: tuple[float, ...]
    places: tuple[tuple[tuple[str, Box], ...], ...]


Job = tuple[Scenario, str, int, int]  # scenario, family, seed, side


def simulate(
    scenarios: Sequence[Scenario], per_scenario: int, first_seed: int, side: int, workers: int
) -> list[Scene]:
    """``per_scenario`` episodes of every scenario, its seen families in turn."""
    jobs: list[Job] = []
    for scenario in scenarios:
        families = import_module(f"tpru.simulators.{scenario}").SEEN
        jobs += [(scenario, families[i % len(families)], first_seed + i, side) for i in range(per_scenario)]
    with ProcessPoolExecutor(max_workers=workers) as pool:
        return list(pool.map(_one, jobs, chunksize=4))


def _one(job: Job) -> Scene:
    scenario, family, seed, side = job
    simulator = import_module(f"tpru.simulators.{scenario}")
    episode = simulator.episode(seed, side, family, "seen")
    return Scene(
        scenario=scenario,
        family=family,
        goal=episode.goal,
        frames=np.stack([np.asarray(f) for f in episode.frames]),
        steps=episode.steps,
        facts=tuple(s.facts for s in episode.states),
        progress=tuple(s.progress for s in episode.states),
        places=tuple(places(s) for s in episode.states),
    )


def places(state: State) -> tuple[tuple[str, Box], ...]:
    """The things of a frame that are large enough, plainly seen, and have a name of their own."""
    clear = clear_names({**state.boxes, **state.objects})
    return tuple(
        (name, box)
        for number, (name, box) in enumerate(state.boxes.items(), 1)
        if name in clear and plain(box, LEAST_SHARE, state.labels == number)
    )
