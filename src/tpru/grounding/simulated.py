"""Dense items of one simulated trajectory: the simulator knows every box, mask and moment."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from PIL import Image

from tpru.config.tpo_schema import SimulatedGrounding
from tpru.grounding.films import SAME_PLACE, Film, Places, askable, clear_names, named, overlap, page, told
from tpru.grounding.moments import ask
from tpru.grounding.records import GroundingItem, GroundingTask, Region, Side
from tpru.randomness import generator
from tpru.records import Thing
from tpru.store import encode_png

# Of the regions of a film, at most this share may be where their names tell.
MOST_USUAL = 0.34
# Of one frame, so many regions come before those of other frames.
MOST_OF_A_FRAME = 2
# How often frames are drawn for each mask item; how much chance weighs against standing still.
TRIES = 6
SPREAD = 0.3
POINTED_AT = "the thing in the box"


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

    No thing is asked for twice in one place, and few where things of its name usually are: else the name
    would tell where it is.
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
    known = {(frame, thing.name) for _, frame, thing in turns if told(film, thing, usual)}
    surprising = [entry for entry in turns if (entry[1], entry[2].name) not in known]
    expected = [entry for entry in turns if (entry[1], entry[2].name) in known]
    per_frame: Counter[int] = Counter()
    first: list[tuple[int, int, Thing]] = []
    for entry in surprising:
        per_frame[entry[1]] += 1
        if per_frame[entry[1]] <= MOST_OF_A_FRAME:
            first.append(entry)
    rest = [entry for entry in surprising if entry not in first]
    chosen = (first[:count] + expected[: round(count * MOST_USUAL)] + rest)[:count]
    return [
        _item(film, "region", number, side, config, thing.name, [frame], regions=(Region(0, thing.box),))
        for number, (_, frame, thing) in enumerate(chosen)
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
        draws = (_spread(film, config.mask_frames, rng) for _ in range(TRIES))
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
        boxes = [named(film.states[frame], thing.name)[1] for frame in frames]
        seen = [box for box in boxes if box]
        clear = tracked or (
            not told(film, thing, usual)
            and all(thing.name in clear_names(t.name for t in film.states[frame].things) for frame in frames)
        )
        if clear and 2 * len(seen) >= len(frames):
            still = float(np.mean([overlap(thing.box, box) for box in seen]))
            found.append((still + SPREAD * rng.random(), thing))
    return [thing for _, thing in sorted(found, key=lambda entry: entry[0])]


def _spread(film: Film, count: int, rng: np.random.Generator) -> list[int]:
    """A first frame, and up to ``count - 1`` others spread over what comes behind it; empty without those.

    All are of one stretch in which a name means the same thing.
    """
    pages = [page(state) for state in film.states]
    behind = {
        frame: [g for g in film.shown if g > frame and len(set(pages[frame : g + 1])) == 1]
        for frame in film.shown
    }
    most = min(count - 1, max(map(len, behind.values()), default=0))
    if most < min(count - 1, 1):
        return []
    first = int(rng.choice([frame for frame, later in behind.items() if len(later) >= most]))
    parts = np.array_split(np.array(behind[first]), most) if most else []
    return [first, *(int(rng.choice(part)) for part in parts)]


def _region(film: Film, place: int, frame: int, name: str) -> Region:
    number, box = named(film.states[frame], name)
    if not box:
        return Region(place, ())
    mask = np.where(film.seen(frame, number), 255, 0).astype(np.uint8)
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
