"""Indoor navigation: first-person walks through furnished rooms, drawn by a numpy raycaster.

Everything in a house is an upright box aligned with the axes, or a ball. Lengths are metres, angles
radians, z points up.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from PIL import Image

from tpru.simulators.episode import (
    Alternative,
    Episode,
    Look,
    State,
    boxes_of,
    distinct,
)
from tpru.simulators.navigation import families
from tpru.simulators.navigation.facts import Sight, facts
from tpru.simulators.navigation.house import Door, Item, Mark, Thing
from tpru.simulators.navigation.render import draw
from tpru.simulators.navigation.scene import scene
from tpru.simulators.navigation.walk import AROUND, CARRIED, DISTANCES, View, Walk, spare_views
from tpru.trajectories.signature import change, signature

SEEN: tuple[str, ...] = tuple(families.SEEN)
UNSEEN: tuple[str, ...] = tuple(families.UNSEEN)
ATTEMPTS = 12
LEAST_SHOWN = 0.006  # share of the picture that the thing of a step covers at least
ASIDE = 0.14  # most that the thing ahead is off the middle, as a share of the picture
APART = 0.06  # least change between an alternative and every other frame
ALTERNATIVES = 4


@dataclass(frozen=True)
class _Shot:
    image: Image.Image
    sight: Sight


def episode(seed: int, size: int, family: str, look: Look) -> Episode:
    """Simulate one walk; frames are RGB, ``size`` x ``size`` pixels.

    Raises:
        RuntimeError: no attempt gave clear frames.
    """
    numbers = [seed, (SEEN + UNSEEN).index(family), ("seen", "unseen").index(look)]
    for attempt in range(ATTEMPTS):
        walk = families.plan(np.random.default_rng([*numbers, attempt]), family, look)
        made = _film(walk, family, size)
        if made is not None:
            return made
    raise RuntimeError(f"navigation: no clear {family} walk for seed {seed} in {ATTEMPTS} attempts")


def _film(walk: Walk, family: str, size: int) -> Episode | None:
    """The episode of a walk, or None where a frame does not show what it should."""
    shots: list[_Shot] = []
    for view in walk.views:
        shots.append(_shoot(walk, view, size))
        if not _clear(shots[-1]):
            return None
    frames = tuple(shot.image for shot in shots)
    count = len(frames)
    states = tuple(_state(walk, shot, k, k / (count - 1)) for k, shot in enumerate(shots))
    if not distinct(frames) or any(len(state.facts) < 3 for state in states):
        return None
    alternatives = tuple(islice(_alternatives(walk, frames, size), ALTERNATIVES))
    if len(alternatives) < 2:
        return None
    steps = tuple(view.step for view in walk.views)
    return Episode(walk.goal, family, frames, steps, states, alternatives)


def _shoot(walk: Walk, view: View, size: int) -> _Shot:
    image, raw, walls = draw(scene(walk.house, view), size)
    boxes, labels = boxes_of(raw, [thing.name for thing in walk.house.things()])
    return _Shot(image, Sight(walk.house, view, boxes, labels, walls))


def _clear(shot: _Shot) -> bool:
    """Whether the thing that the step is about is seen, and in the middle where it is ahead."""
    sight, view = shot.sight, shot.sight.view
    ahead = view.reach in DISTANCES and view.focus in sight.boxes
    centred = not ahead or abs(sight.middle(view.focus) - 0.5) < ASIDE
    return sight.share(view.focus) >= LEAST_SHOWN and centred


def _state(walk: Walk, shot: _Shot, turn: int, progress: float) -> State:
    sight, view = shot.sight, shot.sight.view
    named = {*walk.aims, *(other.focus for other in walk.views)}
    objects = {thing.name: _condition(thing, sight) for thing in walk.house.things() if thing.name in named}
    if view.reach == AROUND:
        objects["the walker"] = f"in {view.focus}"
    elif walk.house.rooms[view.room].outdoor:
        objects["the walker"] = "outside"
    else:
        objects["the walker"] = f"in the {walk.house.rooms[view.room].name} room"
    return State(progress, objects, sight.boxes, sight.labels, facts(sight, turn))


def _condition(thing: Thing, sight: Sight) -> str:
    """State of a thing in a few words."""
    view = sight.view
    place = "out of view" if thing.name not in sight.boxes else "in view"
    if thing.name == view.focus:
        place = view.reach
    if isinstance(thing, Door) and thing.leaf:
        return f"{'open' if thing.name in view.opened else 'closed'}, {place}"
    if isinstance(thing, Item):
        where = dict(view.places)[thing.name]
        return where if where == CARRIED else f"on {where}"
    assert isinstance(thing, Mark | Door)
    return place


def _alternatives(walk: Walk, frames: tuple[Image.Image, ...], size: int) -> Iterator[Alternative]:
    """Alternatives of different frames with different steps."""
    taken = [signature(frame) for frame in frames]
    spares = [(k, view) for k in range(1, len(frames)) for view in spare_views(walk, k)]
    order = walk.rng.permutation(len(spares))
    used: set[int | str] = set()
    # Another door opened or another item taken says more than another thing approached.
    for index, view in sorted((spares[k] for k in order), key=lambda spare: _dull(spare[1])):
        if index in used or view.step in used:
            continue
        shot = _shoot(walk, view, size)
        own = signature(shot.image)
        if _clear(shot) and min(change(own, other) for other in taken) > APART:
            taken.append(own)
            used |= {index, view.step}
            yield Alternative(index, shot.image, view.step)


def _dull(view: View) -> bool:
    return not view.step.endswith(("opened", "taken"))
