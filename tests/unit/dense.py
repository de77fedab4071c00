"""Small dense items, pictures and a segmenter for tests of Task Preference Optimization."""

import io
from functools import cache
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from tpru.grounding.masks import encode, fill_box
from tpru.grounding.records import GroundingItem, Moment, Region
from tpru.store import decode_image, encode_png

SIDE = 28


@cache
def coloured(name: str) -> bytes:
    """A picture of its own for every name."""
    generator = torch.Generator().manual_seed(sum(map(ord, name)))
    cells = torch.randint(0, 255, (4, 4, 3), generator=generator, dtype=torch.uint8)
    return encode_png(Image.fromarray(cells.numpy()).resize((56, 56), Image.Resampling.NEAREST))


def picture(name: str) -> Image.Image:
    """The picture of this name."""
    return decode_image(coloured(name))


def temporal(item_id: str = "t0", frames: tuple[str, ...] = ("a", "b", "c"), **changes: Any) -> GroundingItem:
    """A moment: the second of three frames."""
    values: dict[str, Any] = {
        "item_id": item_id, "task": "temporal", "split": "train", "dataset": "robot", "licence": "x",
        "scenario": "robot", "level": "L1", "group": "g", "query": "the cube is lifted", "frames": frames,
        "times": tuple(float(k) for k in range(len(frames))), "duration": float(len(frames)),
        "moments": (Moment(1.0, 2.0),),
    }  # fmt: skip
    return GroundingItem(**{**values, **changes})


def region(item_id: str = "r0", box: tuple[float, ...] = (0.25, 0.25, 0.75, 0.5)) -> GroundingItem:
    """A box in one picture."""
    return temporal(item_id, ("a",), task="region", query="the cube", moments=(), regions=(Region(0, box),))


def mask(item_id: str = "m0", start: tuple[float, ...] = (), with_masks: bool = True) -> GroundingItem:
    """A thing in two of three frames."""
    boxes = ((0.0, 0.0, 0.5, 0.5), (0.25, 0.25, 0.75, 0.75), ())
    regions = tuple(
        Region(k, box, encode(fill_box(box, 56, 56)) if box and with_masks else b"")
        for k, box in enumerate(boxes)
    )
    return temporal(item_id, task="mask", query="the cube", moments=(), regions=regions, start=start)


class PlainSegmenter:
    """Masks that are bright where picture and prompt agree: enough to be differentiable and to know both."""

    width = 6
    side = SIDE

    def look(self, pictures: list[Image.Image]) -> list[Tensor]:
        """Red, green, blue, a one, and the place of every cell."""
        return [self._seen(p) for p in pictures]

    def _seen(self, image: Image.Image) -> Tensor:
        small = image.resize((SIDE, SIDE))
        colours = torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8).view(SIDE, SIDE, 3) / 255
        line = torch.linspace(-1, 1, SIDE)
        down, across = torch.meshgrid(line, line, indexing="ij")
        return torch.cat([colours, torch.ones(SIDE, SIDE, 1), down[..., None], across[..., None]], dim=-1)

    def masks(self, seen: list[Tensor], prompts: Tensor) -> Tensor:
        """The inner product."""
        return torch.stack([s @ p for s, p in zip(seen, prompts, strict=True)])

    def follow(self, clips: list[list[Tensor]], prompts: Tensor) -> list[Tensor]:
        """The same prompt in every frame."""
        return [torch.stack([s @ p for s in clip]) for clip, p in zip(clips, prompts, strict=True)]

    def point(self, boxes: Tensor) -> Tensor:
        """Towards the middle of the box."""
        middle = boxes[:, :2] + boxes[:, 2:] - 1
        return torch.cat([torch.zeros(len(boxes), 4), middle.flip(1)], dim=1)


def png_bytes(image: Image.Image) -> bytes:
    """A picture as PNG."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()
