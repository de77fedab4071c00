"""A small experiment with variants of TPO, for tests of the report: items, pictures and answers."""

import dataclasses
from pathlib import Path
from typing import Any

from tests.unit.dense import coloured
from tests.unit.grounding_builders import mask_item, moment_item, perfect, region_item, unassigned
from tpru.config.tpo_schema import TpoVariant
from tpru.files import sha256_bytes
from tpru.grounding.records import GroundingItem, GroundingPrediction
from tpru.grounding.results import Answers
from tpru.store import write_frames

PICTURES = [coloured(name) for name in "abcd"]
FRAMES = tuple(map(sha256_bytes, PICTURES))
LEFT, RIGHT = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)


def variant(*tasks: str, **changes: Any) -> TpoVariant:
    """Heads as they are by default."""
    plain = {"conversation": False, "answers": "heads", "temporal_head": "detr", "region_loss": "l1_giou"}
    return TpoVariant(**{"tasks": tasks, **plain, **changes})


def items(split: str, count: int = 8) -> list[GroundingItem]:
    """Every part, on two simulators and two levels, and one public dataset of moments."""
    out = []
    for k in range(count):
        shared: dict[str, Any] = {
            "split": split,
            "dataset": ("robot", "gui")[k % 2],
            "level": ("L1", "L3")[k // 2 % 2],
            "group": f"{split}{k}",
        }
        clip = {"frames": FRAMES, **shared}
        one = {"frames": FRAMES[k % 4 :][:1], **shared}
        film = {"frames": FRAMES[:3], "times": (0.0, 1.0, 2.0), "duration": 3.0, **shared}
        out += [
            moment_item(f"t{k}", (2.0 * (k % 3), 2.0 * (k % 3) + 2.0), **clip),
            region_item(f"r{k}", (LEFT, RIGHT)[k % 2], **one),
            mask_item(f"m{k}", LEFT, RIGHT, (), **film),
            mask_item(f"f{k}", LEFT, RIGHT, RIGHT, start=LEFT, **film),
            moment_item(f"c{k}", (0.0, 2.0), **{**clip, "dataset": "charades_sta", "level": ""}),
        ]
    return [dataclasses.replace(item, item_id=f"{split}-{item.item_id}") for item in out]


def answered(name: str, of: TpoVariant, asked: list[GroundingItem], right: int) -> list[GroundingPrediction]:
    """A variant that is right on the first ``right`` of every eight items and does not know the task of others."""
    mine = [item for item in asked if item.task in of.tasks]
    numbers = [int(item.item_id[-1]) for item in mine]
    found = [perfect(i) if k < right else unassigned(i) for i, k in zip(mine, numbers, strict=True)]
    return [dataclasses.replace(p, model=name) for p in found]


def answers(asked: list[GroundingItem]) -> Answers:
    """What co-training, text and single tasks make of the items."""
    three = ("temporal", "region", "mask")
    variants = {
        "full": (variant(*three, conversation=True), 8),
        "temporal": (variant("temporal"), 7),
        "region": (variant("region"), 8),
        "tasks": (variant(*three), 1),
        "text": (variant(*three, conversation=True, answers="text"), 2),
    }
    return {name: (v, answered(name, v, asked, right)) for name, (v, right) in variants.items()}


def pictures(folder: Path) -> Path:
    """The frame file of all items."""
    write_frames(folder / "dense.parquet", PICTURES)
    return folder / "dense.parquet"


TRAIN, TEST = items("train"), items("test")
# What a run has as sources; of one there is no dense item.
SIMULATED = ("gui", "robot", "unused")
