"""Robot manipulation: a simulated Franka Panda arm that really picks, places and pushes objects.

Physics and software rendering come from pybullet (no display, no GPU). Lengths are metres, angles
radians; the table top lies at height 0 and the arm's base at the origin.
"""

import math
from dataclasses import dataclass

import numpy as np

from tpru.simulators.episode import Episode, RejectedError, Rng, distinct
from tpru.simulators.robot.acting import pick_and_place, push_along
from tpru.simulators.robot.tasks import FAMILIES, Point, Task, draw_task
from tpru.simulators.robot.world import Arm, draw_look, furnish, physics, position, render

TOLERANCE = 0.02
ATTEMPTS = 8


@dataclass(frozen=True)
class Outcome:
    """Where every thing should be at the end of an episode and where it is."""

    wanted: tuple[Point, ...]
    reached: tuple[Point, ...]

    def error(self) -> float:
        """Largest distance in metres between a thing and its wanted place."""
        return max(math.dist(a, b) for a, b in zip(self.wanted, self.reached, strict=True))


def _shown(rng: Rng, task: Task) -> frozenset[str]:
    """Which moments of a move become frames, so that an episode has 8 to 12 of them."""
    if task.push:
        return frozenset(("above", "lowered", "pushed", "released"))
    long = ("grasped lifted carried lowered released", "above lifted carried released")
    short = ("grasped carried released", "lifted carried released", "grasped carried lowered")
    choices = long if len(task.moves) == 2 else short
    return frozenset(str(rng.choice(choices)).split())


def _film(task: Task, rng: Rng, size: int) -> tuple[Episode, Outcome]:
    """Carry out the task and picture its key moments; stop at the first missed place."""
    look, shown = draw_look(rng, task), _shown(rng, task)
    act = push_along if task.push else pick_and_place
    wanted = [thing.at for thing in task.things]
    with physics() as client:
        arm = Arm(client, look.home)
        bodies = furnish(client, task, look)
        arm.grip(0.04)
        frames, steps = [render(client, look, size)], [task.start]
        for move in task.moves:
            for moment, text in act(task, arm, bodies, move):
                if moment in shown or (moment == "released" and move is task.moves[-1]):
                    frames.append(render(client, look, size))
                    steps.append(f"{text} again" if text in steps else text)
            wanted[move.thing] = move.to
            outcome = Outcome(tuple(wanted), tuple(position(client, b) for b in bodies))
            if outcome.error() > TOLERANCE:
                raise RejectedError(f"{task.family}: a thing is {outcome.error():.3f} m off")
    if not distinct(frames):
        raise RejectedError(f"{task.family}: two frames look alike")
    return Episode(task.goal, task.family, tuple(frames), tuple(steps)), outcome


def film(seed: int, size: int) -> tuple[Episode, Outcome]:
    """The episode of a seed and where every thing ended; see :func:`episode`."""
    family = list(FAMILIES)[seed % len(FAMILIES)]
    failures = []
    for attempt in range(ATTEMPTS):
        rng = np.random.default_rng([seed, attempt])
        try:
            return _film(draw_task(family, rng), rng, size)
        except RejectedError as failure:
            failures.append(str(failure))
    raise RuntimeError(f"robot seed {seed} failed {ATTEMPTS} times: {'; '.join(failures)}")


def episode(seed: int, size: int) -> Episode:
    """Simulate one successful manipulation; frames are RGB, ``size`` x ``size`` pixels."""
    return film(seed, size)[0]
