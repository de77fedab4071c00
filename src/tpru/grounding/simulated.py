"""Dense items of one simulated trajectory: the simulator knows every box, mask and moment."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tpru.config.tpo_schema import SimulatedGrounding
from tpru.grounding.moments import ask
from tpru.grounding.records import GroundingItem, GroundingTask, Region, Side
from tpru.grounding.statements import area
from tpru.randomness import generator
from tpru.records import FrameState, Thing, Trajectory
from tpru.store import encode_png

# What fills more of the picture than this has no place in it.
MOST_SHARE = 0.6
# A thing of which less than this share of its box is seen is covered or a thin rest.
LEAST_SEEN = 0.3
# Boxes with a larger overlap are one place.
SAME_PLACE = 0.5
POINTED_AT = "the thing in the box"


@dataclass(frozen=True)
class Film:
    """A simulated trajectory: what is known of every frame, and the frame ids of their pictures.

    ``hidden`` are frames that no item may show.
    """

    trajectory: Trajectory
    states: tuple[FrameState, ...]
    frames: tuple[str, ...]
    hidden: frozenset[int] = frozenset()

    @cached_property
    def shown(self) -> list[int]:
        """The frames that items may show."""
        return [frame for frame in range(len(self.states)) if frame not in self.hidden]

    @cached_property
    def labels(self) -> list[NDArray[np.uint8]]:
        """By frame, the number of the thing that each pixel shows: uint8 of (side, side)."""
        return [np.asarray(Image.open(io.BytesIO(state.labels))) for state in self.states]


def dense_items(film: Film, side: Side, config: SimulatedGrounding, seed: int) -> list[GroundingItem]:
    """All dense items of a film; the same for the same film, side, configuration and seed."""
    names = (film.trajectory.trajectory_id, side)
    return [
        *temporal_items(film, side, config, generator(seed, "temporal", *names)),
        *region_items(film, side, config, generator(seed, "region", *names)),
        *mask_items(film, side, config, generator(seed, "mask", *names)),
    ]


def temporal_items(
    film: Film, side: Side, config: SimulatedGrounding, rng: np.random.Generator
) -> list[GroundingItem]:
    """Moments that a step text or a state describes; see :func:`tpru.grounding.moments.ask`."""
    count = config.per_trajectory["temporal"]
    found = ask(film.trajectory, film.states, film.hidden, count, config.clip_frames, rng)
    return [
        _item(
            film,
            "temporal",
            number,
            side,
            config,
            one.query,
            range(one.first, one.first + one.length),
            moments=one.moments(config.seconds_per_frame),
        )
        for number, one in enumerate(found)
    ]


def region_items(
    film: Film, side: Side, config: SimulatedGrounding, rng: np.random.Generator
) -> list[GroundingItem]:
    """One thing in one frame, asked by its name.

    Things that are in many places over the trajectory come first, and no thing twice in one place: else its
    name would tell where it is.
    """
    places: dict[str, list[tuple[int, Thing]]] = {}
    for frame in rng.permutation(film.shown).tolist():
        for thing in askable(film, frame, config.least_share):
            own = places.setdefault(thing.name, [])
            if all(overlap(thing.box, other.box) < SAME_PLACE for _, other in own):
                own.append((frame, thing))
    order = sorted(rng.permutation(list(places)).tolist(), key=lambda name: -len(places[name]))
    # In turn, each thing once before one is asked for again.
    turns = [(turn, *found) for name in order for turn, found in enumerate(places[name])]
    chosen = sorted(turns, key=lambda entry: entry[0])[: config.per_trajectory["region"]]
    return [
        _item(film, "region", number, side, config, thing.name, [frame], regions=(Region(0, thing.box),))
        for number, (_, frame, thing) in enumerate(chosen)
    ]


def mask_items(
    film: Film, side: Side, config: SimulatedGrounding, rng: np.random.Generator
) -> list[GroundingItem]:
    """One thing over frames of the whole trajectory, seen in the first of them; some are pointed at.

    Things that move or vanish come first.
    """
    items: list[GroundingItem] = []
    asked: set[str] = set()
    for _ in range(config.per_trajectory["mask"]):
        parts = np.array_split(film.shown, min(config.mask_frames, max(len(film.shown), 1)))
        frames = [int(rng.choice(part)) for part in parts if len(part)]
        if len(frames) < min(2, config.mask_frames):
            return items
        tracked = rng.random() < config.tracked_share
        candidates = [
            thing
            for thing in askable(film, frames[0], config.least_share, any_name=tracked)
            if thing.name not in asked
            and (tracked or all(thing.name in clear_names(film.states[f]) for f in frames))
        ]
        if not candidates:
            continue
        still = [_stillness(film, frames, thing) for thing in candidates]
        draws = 0.3 * rng.random(len(still)) + still
        thing = candidates[int(np.argmin(draws))]
        asked.add(thing.name)
        regions = tuple(_region(film, place, frame, thing.name) for place, frame in enumerate(frames))
        query, start = (POINTED_AT, thing.box) if tracked else (thing.name, ())
        items.append(
            _item(film, "mask", len(items), side, config, query, frames, regions=regions, start=start)
        )
    return items


def askable(film: Film, frame: int, least_share: float, any_name: bool = False) -> list[Thing]:
    """The things of a frame that can be asked for: large enough, plainly seen, with a name of their own."""
    state, clear = film.states[frame], clear_names(film.states[frame])
    found = []
    for number, thing in enumerate(state.things, 1):
        if least_share <= area(thing.box) <= MOST_SHARE and (any_name or thing.name in clear):
            labels = film.labels[frame]
            if (labels == number).mean() >= LEAST_SEEN * area(thing.box):
                found.append(thing)
    return found


def clear_names(state: FrameState) -> set[str]:
    """Names that fit one thing of a frame alone.

    "the red brick" also fits "the red brick on level one", and a name that two things have fits both.
    """
    names = [thing.name for thing in state.things]
    words = [set(name.split()) - {"the"} for name in names]
    return {
        name
        for place, name in enumerate(names)
        if not any(words[place] <= other for k, other in enumerate(words) if k != place)
    }


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes; 0 where one is missing."""
    if not len(a) or not len(b):
        return 0.0
    wide = min(a[2], b[2]) - max(a[0], b[0])
    tall = min(a[3], b[3]) - max(a[1], b[1])
    both = max(wide, 0.0) * max(tall, 0.0)
    return both / (area(a) + area(b) - both)


def _named(state: FrameState, name: str) -> tuple[int, Thing] | None:
    """Number among the labels, from 1, and the thing; None where the frame does not show it."""
    return next(((k, t) for k, t in enumerate(state.things, 1) if t.name == name and t.box), None)


def _stillness(film: Film, frames: Sequence[int], thing: Thing) -> float:
    """How much the boxes of the frames overlap that of the first one, on average."""
    found = [_named(film.states[frame], thing.name) for frame in frames]
    return float(np.mean([overlap(thing.box, one[1].box) if one else 0.0 for one in found]))


def _region(film: Film, place: int, frame: int, name: str) -> Region:
    found = _named(film.states[frame], name)
    if not found:
        return Region(place, ())
    mask = np.where(film.labels[frame] == found[0], 255, 0).astype(np.uint8)
    return Region(place, found[1].box, encode_png(Image.fromarray(mask)))


def _item(
    film: Film,
    task: GroundingTask,
    number: int,
    side: Side,
    config: SimulatedGrounding,
    query: str,
    frames: Sequence[int],
    **answer: object,
) -> GroundingItem:
    t = film.trajectory
    seconds = config.seconds_per_frame
    return GroundingItem(
        item_id=f"{t.trajectory_id}/{task}/{number}",
        task=task,
        split=side,
        dataset=t.source,
        licence=t.licence,
        scenario=t.scenario,
        level=t.level,
        group=t.group,
        query=query,
        frames=tuple(film.frames[frame] for frame in frames),
        times=tuple((frame - frames[0]) * seconds for frame in frames),
        duration=(frames[-1] - frames[0] + 1) * seconds,
        **answer,  # type: ignore[arg-type]
    )
