"""Questions that one frame answers: what is seen where, how near, in which room."""

from dataclasses import dataclass

import numpy as np

from tpru.simulators.episode import Box, Labels
from tpru.simulators.navigation.house import Door, House, Item, Mark
from tpru.simulators.navigation.walk import AROUND, DISTANCES, View

COUNTS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
CLEAR, FAINT = 0.006, 0.0008  # shares of the picture: surely seen, surely not noticed
MOST = 6


@dataclass(frozen=True)
class Sight:
    """What one frame shows: the view, boxes and labels of the visible things, walls by room."""

    house: House
    view: View
    boxes: dict[str, Box]
    labels: Labels  # k for the k-th of ``boxes``
    walls: Labels  # number of the room plus 1

    def share(self, name: str) -> float:
        """Share of the picture that a thing covers."""
        if name not in self.boxes:
            return 0.0
        return float((self.labels == list(self.boxes).index(name) + 1).mean())

    def middle(self, name: str) -> float:
        """Where the thing is, from 0 at the left to 1 at the right."""
        return (self.boxes[name][0] + self.boxes[name][2]) / 2


def facts(sight: Sight, turn: int) -> tuple[tuple[str, str], ...]:
    """Up to six questions and answers; ``turn`` makes all kinds of questions come up in time."""
    found = [*_carried(sight), *_ahead(sight), *_doors(sight)]
    rest = [*_room(sight), *_counts(sight), *_sides(sight)]
    shift = turn % max(len(rest), 1)
    return tuple((found + rest[shift:] + rest[:shift])[:MOST])


def _carried(sight: Sight) -> list[tuple[str, str]]:
    if not sight.house.items:
        return []
    return [("what does the walker carry?", sight.view.carried or "nothing")]


def _ahead(sight: Sight) -> list[tuple[str, str]]:
    """The thing in the middle: its name, colour and distance."""
    strip = sight.labels[:, int(sight.labels.shape[1] * 0.4) : int(sight.labels.shape[1] * 0.6)]
    names = list(sight.boxes)
    shares = np.bincount(strip.ravel(), minlength=len(names) + 1)[1:] / strip.size
    held = sight.view.carried
    if held in sight.boxes:
        shares[names.index(held)] = 0
    if not len(names) or shares.max() < 0.04 or (np.sort(shares)[-2:-1] > shares.max() / 3).any():
        return []
    name, view = names[int(shares.argmax())], sight.view
    thing = next(thing for thing in sight.house.things() if thing.name == name)
    if name != view.focus or isinstance(thing, Item) or view.reach == AROUND or " on the " in view.reach:
        return []
    found = [("what is in the middle?", name)]
    if isinstance(thing, Door) and thing.leaf:
        state = "open" if name in view.opened else "closed"
        found.append(("is the door in the middle open or closed?", state))
    if view.reach in DISTANCES:
        found.append((f"how near is {name}?", view.reach))
    if isinstance(thing, Mark) and thing.kind != "tree":
        found.append(("which colour is the thing in the middle?", thing.colour))
    return found


def _doors(sight: Sight) -> list[tuple[str, str]]:
    """Which of the doors in view is open, where one is or where there are several."""
    doors = [door for door in sight.house.doors if door.leaf]
    if any(FAINT < sight.share(door.name) < CLEAR for door in doors):
        return []
    seen = [door.name for door in doors if sight.share(door.name) >= CLEAR]
    opened = [name for name in seen if name in sight.view.opened]
    if len(opened) > 1 or (not opened and len(seen) < 2):
        return []
    return [("which door is open?", opened[0] if opened else "none")]


def _room(sight: Sight) -> list[tuple[str, str]]:
    """Where the walker is, and the colour of the walls where those of one room fill most of the picture."""
    counts = np.bincount(sight.walls.ravel(), minlength=2)[1:] / sight.walls.size
    shown = int(counts.argmax())
    plain = counts[shown] >= max(0.12, 0.75 * counts.sum())
    found = [("which colour are the walls?", sight.house.rooms[shown].name)] if plain else []
    question, own = "where is the walker?", sight.house.rooms[sight.view.room]
    if sight.view.reach == AROUND:
        door = next(door for door in sight.house.doors if door.name == sight.view.focus)
        found += [(question, f"in {door.name}"), ("which colour is the door around the walker?", door.colour)]
    elif own.outdoor:
        found.append((question, "outside"))
    elif plain and shown == sight.view.room:
        found.append((question, f"in the {own.name} room"))
    return found


def _counts(sight: Sight) -> list[tuple[str, str]]:
    furniture = [mark for mark in sight.house.marks if mark.kind != "tree"]
    kinds = (("doors", sight.house.doors), ("pieces of furniture", furniture))
    found = []
    for word, things in kinds:
        shares = [sight.share(thing.name) for thing in things]
        if not any(FAINT < share < CLEAR for share in shares):
            found.append((f"how many {word} are in view?", COUNTS[sum(share >= CLEAR for share in shares)]))
    return found


def _sides(sight: Sight) -> list[tuple[str, str]]:
    """What is in the left and in the right part of the picture, where it is one thing or nothing."""
    found = []
    for word, left in (("left", True), ("right", False)):
        clear, doubtful = [], False
        for name, box in sight.boxes.items():
            reaches_in = box[0] < 0.33 if left else box[2] > 0.67
            aside = box[2] < 0.5 if left else box[0] > 0.5
            if reaches_in and sight.share(name) > FAINT:
                clear.append(name)
                doubtful |= not aside or sight.share(name) < CLEAR
        if len(clear) <= 1 and not doubtful:
            found.append((f"what is on the {word}?", clear[0] if clear else "nothing"))
    return found
