"""Scenes as the simulators would give them, small and told apart by their words alone."""

import numpy as np

from tpru.records import SCENARIOS
from tpru.training.schooling.scenes import Scene

N_MOMENTS = 8


def moment(scene: int, frame: int) -> str:
    """What one frame of one scene shows; no other frame shows it."""
    return f"thing {scene} reached place {frame}"


def spot(frame: int) -> tuple[float, float, float, float]:
    """Where the thing is in a frame: a quarter of the width, farther right from frame to frame."""
    left = 0.09 * (frame % 8)
    return (left, 0.4, left + 0.25, 0.7)


def make_scene(number: int, facts: bool = True, moments: int = N_MOMENTS) -> Scene:
    """Scene ``number``: scenarios and families take turns."""
    return Scene(
        scenario=SCENARIOS[number % len(SCENARIOS)],
        family=f"family {number % 3}",
        goal=f"move thing {number} around",
        frames=np.full((moments, 28, 28, 3), number, dtype=np.uint8),
        steps=tuple(moment(number, k) for k in range(moments)),
        facts=tuple(((f"where is thing {number}?", f"at place {k}"),) * facts for k in range(moments)),
        progress=tuple(k / (moments - 1) for k in range(moments)),
        places=tuple(((f"the thing {number}", spot(k)),) for k in range(moments)),
    )


SCENES = [make_scene(number) for number in range(24)]
