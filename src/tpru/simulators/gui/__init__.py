"""A phone that carries out a task: a plan is a list of screens, a screen a column of widgets.

Lengths are in units of 1/224 of the picture. A widget paints itself at a height ``y`` and returns
the height at which the next one starts.
"""

import numpy as np

from tpru.simulators.episode import Episode
from tpru.simulators.gui.plans import PLANS
from tpru.simulators.gui.screen import OVERSAMPLING, photograph
from tpru.simulators.gui.theme import draw_theme


def episode(seed: int, size: int) -> Episode:
    """A task carried out on a phone; frames are size x size, the first shows the home screen."""
    rng = np.random.default_rng(seed)
    plan = PLANS[int(rng.integers(len(PLANS)))](rng)
    theme = draw_theme(rng, size * OVERSAMPLING)
    frames = tuple(photograph(theme, screen, size) for _, screen in plan.frames)
    return Episode(plan.goal, plan.family, frames, tuple(clause for clause, _ in plan.frames))
