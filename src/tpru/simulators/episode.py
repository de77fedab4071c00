"""What every simulator returns and what several of them need."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tpru.trajectories.signature import change, signature

Rng = np.random.Generator
Array = NDArray[np.float64]
Colour = tuple[float, float, float]  # red, green and blue in [0, 1]

DISTINCT = 0.01  # least change between two frames of an episode


@dataclass(frozen=True)
class Episode:
    """One simulated episode: a goal, frames in time order, and what was done before each frame.

    goal: an imperative phrase without a full stop ("stack the red cube on the blue cube").
    family: short snake_case name of the kind of activity ("stack", "add_contact").
    frames: RGB pictures of one size, each visibly different from every other one of the episode.
    steps: one clause per frame in the past tense without a full stop ("the gripper lifted the red
        cube"); ``steps[0]`` describes the start ("the arm waits above three cubes").
    """

    goal: str
    family: str
    frames: tuple[Image.Image, ...]
    steps: tuple[str, ...]


class RejectedError(Exception):
    """What was drawn cannot become an episode; something else is drawn."""


def distinct(frames: Sequence[Image.Image]) -> bool:
    """Whether any two frames look different."""
    signatures = [signature(frame) for frame in frames]
    return all(change(a, b) > DISTINCT for a, b in combinations(signatures, 2))


def dimmed(colour: Colour, factor: float) -> Colour:
    red, green, blue = colour
    return red * factor, green * factor, blue * factor
