"""The words of dense questions, and of replies that write the labels out as numbers.

The paper has several instructions for each task (arXiv 2412.19326); these are this project's own.
"""

import re

from tpru.grounding.records import BoxShares, GroundingItem, Moment
from tpru.randomness import generator
from tpru.records import Block
from tpru.synthesis.wording import IMAGE, blocks

WHEN = (
    "When does one see this: {}?",
    "In which stretch of time is it so: {}?",
    "Find the moment: {}.",
    "From when to when: {}?",
    "Tell the time at which this is shown: {}.",
)
WHERE = (
    "Where is {}?",
    "Find {}.",
    "Locate {}.",
    "Show the place of {}.",
    "Point to {}.",
    "Which part of the picture is {}?",
    "Look for {}.",
    "Put a box around {}.",
    "In which place is {}?",
    "Where in the picture is {}?",
)
OUTLINE = (
    "Outline {} in every picture.",
    "Mark {} wherever it is seen.",
    "Which pixels belong to {}?",
    "Cut out {}.",
    "Segment {} in the pictures.",
    "Trace {} through the pictures.",
    "Colour {} in each picture.",
)
FOLLOW = (
    "Follow the thing at {} through the pictures.",
    "Track what is at {} in the first picture.",
    "The thing at {}: where does it go?",
    "Keep your eyes on what is at {}.",
    "Trace the thing at {} from the first picture on.",
    "Where is the thing at {} later?",
    "Watch what starts at {}.",
    "Find what is at {} again in every picture.",
    "Stay with the thing at {}.",
    "The path of the thing at {}?",
)
TIMED = "Each picture and its second:"
# Numbers of a box are hundredths of the picture.
HUNDREDTHS = 100
NUMBER = r"-?\d+(?:\.\d+)?"


def prompt_of(item: GroundingItem) -> tuple[Block, ...]:
    """The question of an item with its pictures in place; which wording is a matter of its name."""
    choices = {"temporal": WHEN, "region": WHERE, "mask": FOLLOW if item.start else OUTLINE}[item.task]
    chosen = choices[int(generator(0, "wording", item.item_id).integers(len(choices)))]
    asked = chosen.format(box_text(item.start) if item.start else item.query)
    # The time stands right before its picture, as a label does: there a small model can find it.
    timed = "\n".join(f"{number(t)}: {IMAGE}" for t in item.times)
    shown = IMAGE if item.task == "region" else f"{TIMED}\n{timed}"
    # A query may hold the marker itself: pictures are put in before it is.
    return (*blocks(shown, list(item.frames)), Block("text", f"\n{asked}"))


def number(seconds: float) -> str:
    """A time with one decimal at most."""
    return f"{round(seconds, 1):g}"


def box_text(box: BoxShares) -> str:
    """A box as four hundredths of the picture."""
    return "[" + ", ".join(str(round(v * HUNDREDTHS)) for v in box) + "]"


def written(item: GroundingItem) -> str:
    """The reply that writes the label out: the first moment, or the box where the thing is first seen."""
    if item.task == "temporal":
        return f"{number(item.moments[0].start_s)} s to {number(item.moments[0].end_s)} s"
    return box_text(next(r.box for r in item.regions if r.box))


def read_moment(text: str) -> Moment | None:
    """The first two times in a reply, in order; None where there are none."""
    found = re.search(rf"({NUMBER})\s*s?\s*to\s*({NUMBER})\s*s", text)
    if not found:
        return None
    start, end = sorted(float(v) for v in found.groups())
    return Moment(max(0.0, start), end) if end > max(0.0, start) else None


def read_box(text: str) -> BoxShares | None:
    """The first box in a reply, its corners in order and within the picture; None where there is none."""
    found = re.search(rf"\[\s*({NUMBER})\s*,\s*({NUMBER})\s*,\s*({NUMBER})\s*,\s*({NUMBER})\s*\]", text)
    if not found:
        return None
    a, b, c, d = (min(1.0, max(0.0, float(v) / HUNDREDTHS)) for v in found.groups())
    left, right = sorted((a, c))
    top, bottom = sorted((b, d))
    return (left, top, right, bottom) if right > left and bottom > top else None
