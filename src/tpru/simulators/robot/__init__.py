"""Robot manipulation: a simulated Franka Panda arm that really picks, places and pushes objects.

Physics and software rendering come from pybullet (no display, no GPU). Lengths are metres, angles
radians unless said otherwise; the table top lies at height 0 and the arm's base at the origin.
"""

import math
from collections.abc import Callable

import numpy as np

from tpru.simulators.episode import Episode, Look, RejectedError, Rng
from tpru.simulators.robot import families, held_out
from tpru.simulators.robot.draft import Draft
from tpru.simulators.robot.filming import film
from tpru.simulators.robot.kits import KITS, Kit
from tpru.simulators.robot.scenery import draw_camera, draw_scenery
from tpru.simulators.robot.tasks import Task

Layer = Callable[[Draft], Task]

_SEEN: tuple[Layer, ...] = (
    families.stack,
    families.unstack,
    families.sort_by_colour,
    families.line_up,
    families.pyramid,
    families.swap,
    families.fill_tray,
    families.push_to_mat,
    families.empty_tray,
)
_UNSEEN: tuple[Layer, ...] = (held_out.bridge, held_out.square, held_out.restack)
_LAYERS = {layer.__name__: layer for layer in _SEEN + _UNSEEN}

SEEN = tuple(layer.__name__ for layer in _SEEN)
UNSEEN = tuple(layer.__name__ for layer in _UNSEEN)

ATTEMPTS = 12
LAYOUTS = 200


def _lay(rng: Rng, kit: Kit, family: str, turn: float) -> Task:
    """Lay the table until everything fits."""
    for _ in range(LAYOUTS):
        try:
            return _LAYERS[family](Draft(rng, kit, turn))
        except RejectedError:
            continue
    raise RejectedError(f"{family}: no layout fits")


def episode(seed: int, size: int, family: str, look: Look) -> Episode:
    """Simulate one manipulation; frames are RGB, ``size`` x ``size`` pixels.

    RuntimeError when no attempt succeeds; KeyError for an unknown family or look.
    """
    kit, failures = KITS[look], []
    key = [seed, (SEEN + UNSEEN).index(family), list(KITS).index(look)]
    for attempt in range(ATTEMPTS):
        rng = np.random.default_rng([*key, attempt])
        camera = draw_camera(rng, kit)
        try:
            task = _lay(rng, kit, family, math.radians(camera.yaw))
            return film(task, draw_scenery(rng, kit, camera, task), rng, size)
        except RejectedError as failure:
            failures.append(str(failure))
    raise RuntimeError(f"robot seed {seed} failed {ATTEMPTS} times: {'; '.join(failures)}")
