"""Toy bricks put together on a base plate, seen by a fixed camera.

A grammar (``FAMILIES``) draws a plan: parts in the order in which they are put on. Every part is drawn
onto a copy of the canvas of the step before, so a step costs only its new bricks, and so does a mistake.
"""

from itertools import islice

import numpy as np
from PIL import Image

from tpru.simulators.assembly.animals import animal
from tpru.simulators.assembly.bricks import Plan, Supply
from tpru.simulators.assembly.buildings import bridge, fence, house, tower, wall
from tpru.simulators.assembly.facts import facts_of
from tpru.simulators.assembly.figures import letter, vehicle
from tpru.simulators.assembly.mistakes import mistakes
from tpru.simulators.assembly.others import boat, robot_figure, staircase, table_and_chairs
from tpru.simulators.assembly.raster import Canvas, outlined, reduced
from tpru.simulators.assembly.scene import COLOURS, OVERSAMPLING, PLATES, Scene, draw_scene
from tpru.simulators.episode import (
    DISTINCT,
    Alternative,
    Episode,
    Labels,
    Look,
    RejectedError,
    Rng,
    State,
    boxes_of,
)
from tpru.trajectories.signature import Signature, change, signature

FAMILIES = {
    make.__name__: make
    for make in (
        house,
        tower,
        vehicle,
        letter,
        bridge,
        wall,
        fence,
        animal,
        boat,
        staircase,
        robot_figure,
        table_and_chairs,
    )
}
SEEN = ("house", "tower", "vehicle", "letter", "bridge", "wall", "fence", "animal")
UNSEEN = ("boat", "staircase", "robot_figure", "table_and_chairs")
ATTEMPTS = 20
ALTERNATIVES = 4


def episode(seed: int, size: int, family: str, look: Look) -> Episode:
    """A construction of toy bricks; frames are size x size, the first shows the empty plate.

    Raises:
        KeyError: if there is no such family.
        RuntimeError: if nothing that was drawn shows every step plainly.
    """
    if family not in FAMILIES:
        raise KeyError(family)
    key = [seed, list(FAMILIES).index(family), look == "unseen"]
    for attempt in range(ATTEMPTS):
        rng = np.random.default_rng([*key, attempt])
        try:
            return _attempt(rng, size, family, look)
        except RejectedError:
            continue
    raise RuntimeError(f"no {family} of seed {seed} shows every step in {ATTEMPTS} attempts")


def draw_plan(rng: Rng, family: str, look: Look) -> tuple[Plan, str]:
    """What is built, and the colour of the plate, which no brick has."""
    plate = PLATES[look][int(rng.integers(len(PLATES[look])))]
    colours = [str(name) for name in rng.permutation([c for c in COLOURS[look] if c != plate])]
    return FAMILIES[family](rng, Supply(tuple(colours), look == "unseen")), plate


def _attempt(rng: Rng, size: int, family: str, look: Look) -> Episode:
    plan, plate = draw_plan(rng, family, look)
    scene = draw_scene(rng, plan, plate, size * OVERSAMPLING, look)
    canvases = [scene.ground]
    for number, piece in enumerate(plan.parts, 1):
        canvases.append(scene.with_part(canvases[-1], piece, number))
    frames = [_photograph(canvas) for canvas in canvases]
    marks = [signature(frame) for frame in frames]
    if any(change(a, b) <= DISTINCT for i, a in enumerate(marks) for b in marks[:i]):
        raise RejectedError
    states = tuple(_state(rng, plan, done, plate, canvas) for done, canvas in enumerate(canvases))
    steps = (f"an empty {plate} plate lies ready", *(piece.step for piece in plan.parts))
    return Episode(
        plan.goal,
        family,
        tuple(frames),
        steps,
        states,
        _alternatives(rng, plan, plate, scene, canvases, marks),
    )


def _photograph(canvas: Canvas) -> Image.Image:
    return Image.fromarray(reduced(outlined(canvas), OVERSAMPLING))


def _state(rng: Rng, plan: Plan, done: int, plate: str, canvas: Canvas) -> State:
    labels: Labels = np.ascontiguousarray(canvas.labels[::OVERSAMPLING, ::OVERSAMPLING])
    boxes, labels = boxes_of(labels, [piece.noun for piece in plan.parts])
    facts = facts_of(rng, plan, done, plate, boxes)
    names = {piece.noun: f"the {piece.name}" for piece in plan.parts}
    objects = {
        names[piece.noun]: "put on" if number < done else "missing" for number, piece in enumerate(plan.parts)
    }
    named = {names[noun]: box for noun, box in boxes.items()}
    return State(done / len(plan.parts), objects, named, labels, facts)


def _alternatives(
    rng: Rng, plan: Plan, plate: str, scene: Scene, canvases: list[Canvas], marks: list[Signature]
) -> tuple[Alternative, ...]:
    """Up to four mistakes that look like no frame of the episode and like none of each other."""
    colours = [name for name in scene.paint if name != plate]
    marks = list(marks)
    found: list[Alternative] = []
    for index, piece, step in islice(mistakes(rng, plan, colours), len(plan.parts)):
        frame = _photograph(scene.with_part(canvases[index - 1], piece, 255))
        mark = signature(frame)
        if len(found) < ALTERNATIVES and all(change(mark, other) > DISTINCT for other in marks):
            marks.append(mark)
            found.append(Alternative(index, frame, step))
    if len(found) < 2:
        raise RejectedError
    return tuple(found)
