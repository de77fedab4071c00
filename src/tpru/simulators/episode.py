"""What every simulator returns and what several of them need.

A simulator is a package with

    SEEN: tuple[str, ...]      families of activities that training may meet
    UNSEEN: tuple[str, ...]    families kept for level 3 alone
    episode(seed: int, size: int, family: str, look: Look) -> Episode

where the same arguments give the same bytes, without files or network. ``look`` chooses the
environment: colours, objects, cameras, light, themes, languages, rooms. Nothing that ``unseen`` draws is
ever drawn by ``seen``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tpru.trajectories.signature import change, signature

Rng = np.random.Generator
Array = NDArray[np.float64]
Labels = NDArray[np.uint8]
Colour = tuple[float, float, float]  # red, green and blue in [0, 1]
Box = tuple[float, float, float, float]  # left, top, right, bottom as shares of the picture
Look = Literal["seen", "unseen"]

DISTINCT = 0.01  # least change between two frames of an episode


@dataclass(frozen=True)
class State:
    """What the simulator knows about one frame.

    progress: share of the task that is done, 0 in the first frame and 1 in the last; it grows with
        every frame except where something fails and has to be done again.
    objects: every thing of the task and its state in a few words ("the red cube": "in the gripper").
    boxes: the visible things and where they are.
    labels: uint8 of (size, size); 0 is the rest, k the k-th thing of ``boxes`` (counted from 1).
    facts: questions that this frame alone answers at a glance, with answers of one to four words
        (("how many bricks stand?", "four"), ("which door is open?", "the red door")).
    """

    progress: float
    objects: dict[str, str]
    boxes: dict[str, Box]
    labels: Labels
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Alternative:
    """What one would see instead of frame ``index`` had something else been done just before it.

    The same scene, the same moment, another state that contradicts the goal: another cube lifted,
    another word typed, a brick of another colour, another door opened. ``step`` says what was done.
    """

    index: int
    frame: Image.Image
    step: str


@dataclass(frozen=True)
class Episode:
    """One simulated episode: a goal, frames in time order, and what was done before each frame.

    goal: an imperative phrase without a full stop ("stack the red cube on the blue cube").
    family: short snake_case name of the kind of activity ("stack", "add_contact").
    frames: RGB pictures of one size; any two of them differ visibly unless their states are equal
        (after something failed).
    steps: one clause per frame in the past tense without a full stop ("the gripper lifted the red
        cube"), which a person can check in that frame; ``steps[0]`` describes the start ("the arm waits
        above three cubes").
    states: what the simulator knows, one per frame.
    alternatives: at least two, of different frames.
    """

    goal: str
    family: str
    frames: tuple[Image.Image, ...]
    steps: tuple[str, ...]
    states: tuple[State, ...]
    alternatives: tuple[Alternative, ...]


class RejectedError(Exception):
    """What was drawn cannot become an episode; something else is drawn."""


def distinct(frames: Sequence[Image.Image]) -> bool:
    """Whether any two frames look different."""
    signatures = [signature(frame) for frame in frames]
    return all(change(a, b) > DISTINCT for a, b in combinations(signatures, 2))


def boxes_of(labels: Labels, names: Sequence[str], least: int = 4) -> tuple[dict[str, Box], Labels]:
    """Boxes of the things that ``labels`` shows, and the labels counted anew.

    Args:
        labels: (side, side), 0 for the rest, k for ``names[k - 1]``.
        names: names of all things.
        least: things with fewer pixels count as hidden.
    """
    side = labels.shape[0]
    boxes: dict[str, Box] = {}
    renumbered = np.zeros_like(labels)
    for k, name in enumerate(names, 1):
        rows, columns = np.nonzero(labels == k)
        if len(rows) >= least:
            left, right = int(columns.min()), int(columns.max()) + 1
            top, bottom = int(rows.min()), int(rows.max()) + 1
            boxes[name] = (left / side, top / side, right / side, bottom / side)
            renumbered[labels == k] = len(boxes)
    return boxes, renumbered


def dimmed(colour: Colour, factor: float) -> Colour:
    red, green, blue = colour
    return red * factor, green * factor, blue * factor
