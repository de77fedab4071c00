"""Indoor navigation: a first-person walk through coloured rooms, drawn by a numpy raycaster.

The map is a grid of rectangular rooms with doors in the walls between them. Everything in it is an
upright box aligned with the axes, or a ball. Lengths are metres, angles radians, z points up.
"""

import numpy as np

from tpru.simulators.episode import Episode, distinct
from tpru.simulators.navigation.render import draw
from tpru.simulators.navigation.walks import FAMILIES, plan

ATTEMPTS = 8


def episode(seed: int, size: int) -> Episode:
    """Simulate one walk to a goal; frames are RGB, ``size`` x ``size`` pixels."""
    family = FAMILIES[seed % len(FAMILIES)]
    for attempt in range(ATTEMPTS):
        walk = plan(np.random.default_rng([seed, attempt]), family)
        frames = tuple(draw(walk, view, size) for view in walk.views)
        if distinct(frames):
            return Episode(walk.goal, family, frames, tuple(view.text for view in walk.views))
    raise RuntimeError(f"navigation seed {seed}: frames look alike in {ATTEMPTS} walks")
