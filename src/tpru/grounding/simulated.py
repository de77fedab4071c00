"""Dense items of one simulated trajectory: the simulator knows every box, mask and moment."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tpru.config.tpo_schema import SimulatedGrounding
from tpru.grounding.moments import ask
from tpru.grounding.records import BoxShares, GroundingItem, GroundingTask, Region, Side
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
# A thing is where its name tells if such things are there in this share of the other films, and of the regions
# of a film at most this share may be so.
USUAL = 0.25
MOST_USUAL = 0.2
# How often frames are drawn for each mask item; how much chance weighs against standing still.
TRIES = 6
SPREAD = 0.3
POINTED_AT = "the thing in the box"

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

    @cached_property
    def shown(self) -> list[int]:
        """The frames that items may show."""
        return [frame for frame in range(len(self.states)) if frame not in self.hidden]

    @cached_property
    def labels(self) -> list[NDArray[np.uint8]]:
        """By frame, the number of the thing that each pixel shows: uint8 of (side, side)."""
        return [np.asarray(Image.open(io.BytesIO(state.labels))) for state in self.states]


def dense_items(
    film: Film, side: Side, config: SimulatedGrounding, usual: Places, seed: int
) -> list[GroundingItem]:
    """All dense items of a film; the same for the same arguments.

    Args:
        film: the trajectory.
        side: of the split.
        config: how many, and of what.
        usual: where things of a name usually are (:func:`usual_places`), to ask for few of them there.
        seed: of the experiment.
    """
    names = (film.trajectory.trajectory_id, side)
    return [
        *temporal_items(film, side, config, generator(seed, "temporal", *names)),
        *region_items(film, side, config, usual, generator(seed, "region", *names)),
        *mask_items(film, side, config, usual, generator(seed, "mask", *names)),
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
    film: Film, side: Side, config: SimulatedGrounding, usual: Places, rng: np.random.Generator
) -> list[GroundingItem]:
    """One thing in one frame, asked by its name.

    No thing is asked for twice in one place, and few where things of its name usually are: else the name would
    tell where it is.
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
    turns.sort(key=lambda entry: entry[0])
    count = config.per_trajectory["region"]
    told = [_told(film, thing, usual) for _, _, thing in turns]
    surprising = [entry for entry, known in zip(turns, told, strict=True) if not known]
    expected = [entry for entry, known in zip(turns, told, strict=True) if known]
    few = round(count * MOST_USUAL)
    return [
        _item(film, "region", number, side, config, thing.name, [frame], regions=(Region(0, thing.box),))
        for number, (_, frame, thing) in enumerate((surprising + expected[:few])[:count])
    ]


def mask_items(
    film: Film, side: Side, config: SimulatedGrounding, usual: Places, rng: np.random.Generator
) -> list[GroundingItem]:
    """One thing over frames of the trajectory, seen in the first and in half of them; some are pointed at.

    Things that move come first; none is named where things of its name usually are.
    """
    items: list[GroundingItem] = []
    asked: set[str] = set()
    for _ in range(config.per_trajectory["mask"]):
        tracked = bool(rng.random() < config.tracked_share)
        draws = (_spread(film.shown, config.mask_frames, rng) for _ in range(TRIES))
        tried = ((frames, _followed(film, frames, tracked, config, usual, rng)) for frames in draws)
        for frames, things in tried:
            fresh = [thing for thing in things if thing.name not in asked]
            if fresh:
                thing = fresh[0]
                asked.add(thing.name)
                regions = tuple(_region(film, place, frame, thing.name) for place, frame in enumerate(frames))
                query, start = (POINTED_AT, thing.box) if tracked else (thing.name, ())
                number = len(items)
                items.append(
                    _item(film, "mask", number, side, config, query, frames, regions=regions, start=start)
                )
                break
    return items


def _followed(
    film: Film,
    frames: Sequence[int],
    tracked: bool,
    config: SimulatedGrounding,
    usual: Places,
    rng: np.random.Generator,
) -> list[Thing]:
    """Things of the first frame that can be followed through the others, rather those that move first."""
    found: list[tuple[float, Thing]] = []
    for thing in askable(film, frames[0], config.least_share, any_name=tracked) if frames else ():
        boxes = [_named(film.states[frame], thing.name)[1] for frame in frames]
        seen = [box for box in boxes if box]
        clear = tracked or (
            not _told(film, thing, usual)
            and all(thing.name in clear_names(film.states[frame]) for frame in frames)
        )
        if clear and 2 * len(seen) >= len(frames):
            still = float(np.mean([overlap(thing.box, box) for box in seen]))
            found.append((still + SPREAD * rng.random(), thing))
    return [thing for _, thing in sorted(found, key=lambda entry: entry[0])]


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
    if not a or not b:
        return 0.0
    wide = min(a[2], b[2]) - max(a[0], b[0])
    tall = min(a[3], b[3]) - max(a[1], b[1])
    both = max(wide, 0.0) * max(tall, 0.0)
    return both / (area(a) + area(b) - both)


def _told(film: Film, thing: Thing, usual: Places) -> bool:
    """Whether a thing is where those of its name are in many other films."""
    by_film = usual.get((film.trajectory.scenario, thing.name), {})
    others = [boxes for name, boxes in by_film.items() if name != film.trajectory.trajectory_id]
    same = sum(any(overlap(thing.box, box) >= SAME_PLACE for box in boxes) for boxes in others)
    return bool(others) and same >= USUAL * len(others)


def _spread(shown: Sequence[int], count: int, rng: np.random.Generator) -> list[int]:
    """A first frame, and others spread over what comes behind it; none where there are too few."""
    if len(shown) < count:
        return []
    first = int(rng.integers(len(shown) - count + 1))
    parts = np.array_split(np.array(shown[first + 1 :]), max(count - 1, 1)) if count > 1 else []
    return [shown[first], *(int(rng.choice(part)) for part in parts)]


def _named(state: FrameState, name: str) -> tuple[int, BoxShares]:
    """Number of a thing among the labels, from 1, and its box; empty where the frame does not show it."""
    return next(((k, t.box) for k, t in enumerate(state.things, 1) if t.name == name and t.box), (0, ()))


def _region(film: Film, place: int, frame: int, name: str) -> Region:
    number, box = _named(film.states[frame], name)
    if not box:
        return Region(place, ())
    mask = np.where(film.labels[frame] == number, 255, 0).astype(np.uint8)
    return Region(place, box, encode_png(Image.fromarray(mask)))


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
