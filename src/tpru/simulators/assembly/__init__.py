"""Toy bricks put together on a base plate, seen by a fixed camera.

Lengths are in studs, heights in layers of ``LAYER`` studs. Every brick, stud and wheel is a convex
solid; a picture is a depth buffer into which the solids of one step after another are cast along
the parallel rays of the camera, so a step costs only its new solids.
"""

import numpy as np

from tpru.simulators.assembly.bricks import build_plan
from tpru.simulators.assembly.render import (
    OVERSAMPLING,
    brick_solids,
    cast,
    draw_background,
    draw_camera,
    photograph,
    plate_solids,
)
from tpru.simulators.episode import Episode


def episode(seed: int, size: int) -> Episode:
    """A construction of toy bricks; frames are size x size, the first shows the empty plate."""
    plan, rng = build_plan(seed), np.random.default_rng([seed, 1])
    side = size * OVERSAMPLING
    plate = plate_solids(plan, rng)
    camera = draw_camera(plan, plate[0], rng, side)
    mirrored = plan.mirror and bool(rng.integers(2))
    words = {"left": "right", "right": "left"} if mirrored else {"left": "left", "right": "right"}
    depth, picture = np.full((side, side), np.inf), draw_background(rng, side)
    frames, clauses = [], [f"an empty {plan.plate} base plate lies ready"]
    for solids in [
        plate,
        *([s for b in step.bricks for s in brick_solids(b)] for step in plan.steps),
    ]:
        for solid in solids:
            cast(solid, camera, depth, picture)
        frames.append(photograph(picture, size, mirrored))
    clauses += [step.clause.format(**words) for step in plan.steps]
    return Episode(plan.goal, plan.family, tuple(frames), tuple(clauses))
