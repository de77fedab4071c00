"""A simulated trajectory as dense items see it: which things can be asked for, and what their names tell."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tpru.grounding.records import BoxShares
from tpru.grounding.statements import area
from tpru.records import FrameState, Thing, Trajectory

# What fills more of the picture than this has no place in it.
MOST_SHARE = 0.6
# A thing of which less than this share of its box is seen is covered or a thin rest.
LEAST_SEEN = 0.3
# A thing with a shorter side is the rest of one that leaves the picture.
LEAST_SIDE = 0.06
# Boxes with a larger overlap are one place.
SAME_PLACE = 0.5
# A name tells where a thing is if such things are there in this share of the other films.
USUAL = 0.25

Places = dict[tuple[str, str], dict[str, list[BoxShares]]]  # by scenario and name, then by film


@dataclass(frozen=True)
class Film:
    """A simulated trajectory: what is known of every frame, and the frame ids of their pictures.

    ``hidden`` are frames that no item may show.
    """

    trajectory: Trajectory
    states: tuple[FrameState, ...]
    frames: tuple[str, ...]
    hidden: frozenset[int] = frozenset()

    @property
    def shown(self) -> list[int]:
        """The frames that items may show."""
        return [frame for frame in range(len(self.states)) if frame not in self.hidden]

    def seen(self, frame: int, number: int) -> NDArray[np.bool_]:
        """Where a frame shows its thing of this number (from 1): (side, side)."""
        return _labels(self.states[frame].labels) == number


@lru_cache(maxsize=64)
def _labels(png: bytes) -> NDArray[np.uint8]:
    """The number of the thing that each pixel shows: (side, side)."""
    return np.asarray(Image.open(io.BytesIO(png)))


def askable(film: Film, frame: int, least_share: float, any_name: bool = False) -> list[Thing]:
    """The things of a frame that can be asked for: large enough, plainly seen, with a name of their own."""
    things = film.states[frame].things
    clear = clear_names(thing.name for thing in things)
    return [
        thing
        for number, thing in enumerate(things, 1)
        if (any_name or thing.name in clear) and plain(thing.box, least_share, film.seen(frame, number))
    ]


def plain(box: Sequence[float], least_share: float, seen: NDArray[np.bool_]) -> bool:
    """Whether a thing can be pointed at: not too small, too large or too thin, and hardly covered.

    Args:
        box: of the thing, as shares of the picture; empty where it is not seen.
        least_share: of the picture that the box must cover.
        seen: (side, side), True where the picture shows the thing.
    """
    if not least_share <= area(box) <= MOST_SHARE:
        return False
    left, top, right, bottom = box
    return min(right - left, bottom - top) >= LEAST_SIDE and bool(seen.mean() >= LEAST_SEEN * area(box))


def clear_names(names: Iterable[str]) -> set[str]:
    """Those of the names of a frame's things that fit one of them alone.

    "the red brick" also fits "the red brick on level one", and a name that two things have fits both.
    """
    names = list(names)
    words = [set(name.split()) - {"the"} for name in names]
    return {
        name
        for place, name in enumerate(names)
        if not any(words[place] <= other for k, other in enumerate(words) if k != place)
    }


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes; 0 where one is missing."""
    if not a or not b:
        return 0.0
    wide = min(a[2], b[2]) - max(a[0], b[0])
    tall = min(a[3], b[3]) - max(a[1], b[1])
    both = max(wide, 0.0) * max(tall, 0.0)
    return both / (area(a) + area(b) - both)


def named(state: FrameState, name: str) -> tuple[int, BoxShares]:
    """Number of a thing among the labels, from 1, and its box; empty where the frame does not show it."""
    return next(((k, t.box) for k, t in enumerate(state.things, 1) if t.name == name and t.box), (0, ()))


def page(state: FrameState) -> tuple[str, ...]:
    """What is open on a phone: the first row of another page, or of a dialog, is another row."""
    fixed = ("the screen", "the dialog", "the keyboard", "the message")
    return tuple(thing.state for thing in state.things if thing.name in fixed)


def usual_places(films: Iterable[Film]) -> Places:
    """The boxes of every name of a scenario in each film that shows such a thing, each place once."""
    places: dict[tuple[str, str], dict[str, list[BoxShares]]] = {}
    for film in films:
        for state in film.states:
            for thing in state.things:
                if thing.box:
                    by_film = places.setdefault((film.trajectory.scenario, thing.name), {})
                    own = by_film.setdefault(film.trajectory.trajectory_id, [])
                    if all(overlap(thing.box, box) < SAME_PLACE for box in own):
                        own.append(thing.box)
    return places


def told(film: Film, thing: Thing, usual: Places) -> bool:
    """Whether a thing is where those of its name are in many other films."""
    by_film = usual.get((film.trajectory.scenario, thing.name), {})
    others = [boxes for name, boxes in by_film.items() if name != film.trajectory.trajectory_id]
    same = sum(any(overlap(thing.box, box) >= SAME_PLACE for box in boxes) for boxes in others)
    return bool(others) and same >= USUAL * len(others)
