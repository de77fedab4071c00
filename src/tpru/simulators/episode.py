"""What every simulator returns."""

from dataclasses import dataclass

from PIL import Image


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
