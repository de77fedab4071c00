"""Small pictures, sequences and items that the unit tests are made of."""

import io
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from PIL import Image, ImageDraw

from tpru.files import sha256_bytes
from tpru.records import (
    NONE_OPTION,
    Block,
    Caption,
    Item,
    KeyFrame,
    Level,
    Option,
    Scenario,
    Sequence,
    Split,
    Task,
)
from tpru.store import encode_png
from tpru.synthesis.wording import CHOICE_FORM
from tpru.trajectories.signature import Signature

Colour = tuple[int, int, int]


def scene(
    at: tuple[int, int] = (20, 24),
    colour: Colour = (200, 40, 40),
    background: Colour = (232, 230, 224),
    size: tuple[int, int] = (112, 112),
) -> Image.Image:
    """A table edge, a lamp and one square object of 14 x 14 pixels at a place."""
    image = Image.new("RGB", size, background)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, size[1] * 3 // 4, size[0], size[1]), fill=(150, 110, 70))
    draw.ellipse((size[0] * 3 // 4, 6, size[0] - 6, 28), fill=(250, 220, 90), outline=(30, 30, 30))
    draw.rectangle((*at, at[0] + 13, at[1] + 13), fill=colour)
    return image


def jpeg(image: Image.Image, quality: int = 80) -> bytes:
    """The picture as another program would save it, with chroma subsampling."""
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=quality)
    return buffer.getvalue()


def png(image: Image.Image) -> bytes:
    """The picture without loss."""
    return encode_png(image)


def solid(colour: Colour, size: tuple[int, int] = (40, 30)) -> bytes:
    """The bytes of a picture of one colour."""
    return encode_png(Image.new("RGB", size, colour))


def cells(changed: int, size: int = 32) -> Image.Image:
    """A white picture whose first ``changed`` cells (of 1,024, row by row) are black."""
    flat = np.full((size * size, 3), 255, dtype=np.uint8)
    flat[:changed] = 0
    return Image.fromarray(flat.reshape(size, size, 3))


def random_look(name: str) -> Signature:
    """A signature that depends on the name alone and looks like no other one."""
    rng = np.random.default_rng(int(sha256_bytes(name.encode())[:12], 16))
    return rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)


def frame_name(trajectory_id: str, index: int) -> str:
    """Frame id of a moment of a trajectory."""
    return sha256_bytes(f"{trajectory_id}@{index}".encode())


def key_frames(trajectory_id: str, indices: Iterable[int], steps: bool = True) -> tuple[KeyFrame, ...]:
    """Key frames of a trajectory, each with its own step text."""
    return tuple(
        KeyFrame(frame_name(trajectory_id, i), i, f"step {i} was done" if steps else "", "drawn")
        for i in indices
    )


def make_sequence(
    trajectory_id: str = "robot/0",
    first: int = 4,
    n_frames: int = 4,
    total: int = 12,
    scenario: Scenario = "robot",
    source: str = "drawn",
    group: str = "",
    split: Literal["", "train", "test"] = "",
    family: str = "",
    goal: str = "put the red cube on the plate",
    steps: bool = True,
    alternatives: int = 0,
    level: Level = "",
) -> Sequence:
    """``n_frames`` moments of a trajectory of ``total``, from number ``first``; the rest is outside.

    Frame indices are 2 x the number, so that an index is never a position. ``alternatives`` pictures show
    what was not done, at the first moments of the window.
    """
    moments = [2 * i for i in range(total)]
    window = moments[first : first + n_frames]
    return Sequence(
        sequence_id=f"{trajectory_id}/{window[0]:05d}-{window[-1]:05d}",
        trajectory_id=trajectory_id,
        scenario=scenario,
        source=source,
        licence="CC0-1.0",
        goal=goal,
        group=group or trajectory_id,
        split=split,
        family=family,
        frames=key_frames(trajectory_id, window, steps),
        outside=key_frames(trajectory_id, (i for i in moments if i not in window), steps),
        alternatives=tuple(
            KeyFrame(frame_name(f"{trajectory_id}/not done", i), i, f"not step {i}", "alternative")
            for i in window[:alternatives]
        ),
        level=level,
    )


def make_caption(sequence: Sequence) -> Caption:
    """A caption whose two versions share no content word."""
    return Caption(
        sequence.sequence_id,
        f"These pictures show this task: {sequence.goal}.",
        "These pictures show this task: sweep some leaves away.",
        "template",
    )


def make_item(
    item_id: str = "i0",
    task: Task = "next_frame",
    split: Split = "test",
    answer: str = "C",
    options: bool = True,
    shown: tuple[str, ...] = ("f0", "f1"),
    group: str = "g0",
    trajectory_id: str = "t0",
    sequence_id: str = "s0",
    scenario: Scenario = "robot",
    text: str = "These pictures show a task.",
    **changes: Any,
) -> Item:
    """An item that shows the named pictures, one a line, before its question."""
    blocks: list[Block] = [Block("text", text)]
    for position, frame_id in enumerate(shown):
        blocks += [Block("text", f"\nStep {position + 1}: "), Block("image", frame_id)]
    listed = [Option(letter, "permutation", f"order {letter}") for letter in "ABCD"]
    listed.append(Option("E", "none", NONE_OPTION))
    blocks.append(Block("text", f"\nWhich one?\n{CHOICE_FORM}"))
    values: dict[str, Any] = {
        "item_id": item_id,
        "task": task,
        "split": split,
        "scenario": scenario,
        "source": "drawn",
        "licence": "CC0-1.0",
        "family": "",
        "group": group,
        "sequence_id": sequence_id,
        "trajectory_id": trajectory_id,
        "caption": text,
        "prompt": tuple(blocks),
        "options": tuple(listed) if options else (),
        "answer": answer,
        "is_negative": False,
        "negative_kind": "",
        "reasoning": "1: one thing was done. That is the one asked for.",
        "shown": shown,
        "order": tuple(range(len(shown))),
    }
    return Item(**{**values, **changes})
