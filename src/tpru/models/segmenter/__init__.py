"""A frozen network that turns a prompt into masks, behind one interface: a tiny one, and SAM 2."""

from typing import Any, Protocol

from PIL import Image
from torch import Tensor


class Segmenter(Protocol):
    """What the mask head talks to. All of it is differentiable in the prompt; the weights are frozen.

    ``width`` is the length of a prompt, ``side`` that of the square masks that come out.
    """

    width: int
    side: int

    def look(self, pictures: list[Image.Image]) -> Any:
        """Whatever is computed once of each picture: one entry per picture, which can be kept."""

    def masks(self, seen: list[Any], prompts: Tensor) -> Tensor:
        """Logits (n, side, side) of what each prompt (n, width) means in its picture (n entries)."""

    def follow(self, clips: list[list[Any]], prompts: Tensor) -> list[Tensor]:
        """Logits (frames, side, side) by clip: the prompt (clips, width) is about its first frame, and what
        it means there is found again in the others."""

    def point(self, boxes: Tensor) -> Tensor:
        """The prompt (n, width) that points at a box (n, 4), shares of the picture."""
