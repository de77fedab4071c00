"""A page on which people answer items: one file, no server, answers kept by the browser.

What a person sees first is the question as a model sees it. The right answer and its reasoning are in the
page too, since it asks about them after the person has answered, but encoded, so that nobody reads them
by accident.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import jinja2

from tpru.config.schema import AuditConfig
from tpru.files import canonical_json, short_hash
from tpru.randomness import generator
from tpru.records import LETTERS, Item
from tpru.reporting.gallery import Part, prompt_parts, thumbnails
from tpru.store import FrameStore

UNDECIDABLE = "cannot be decided"


@dataclass(frozen=True)
class Question:
    """An item as the page prints it.

    ``letters`` are those of the options, empty where the order is written out; then ``order_of`` holds
    the labels of the pictures to be ordered. ``sealed`` is the answer and the reasoning in base64.
    """

    item_id: str
    parts: tuple[Part, ...]
    letters: str
    order_of: str
    sealed: str


def stratified(items: Sequence[Item], most: int, seed: int) -> list[Item]:
    """At most ``most`` items at random, the cells of task and scenario taking turns; in random order."""
    rng = generator(seed, "audit")
    cells: dict[tuple[str, str], list[Item]] = {}
    for i in rng.permutation(len(items)):
        cells.setdefault((items[i].task, items[i].scenario), []).append(items[i])
    turns = max((len(cell) for cell in cells.values()), default=0)
    dealt = [cell[k] for k in range(turns) for _, cell in sorted(cells.items()) if k < len(cell)][:most]
    return [dealt[i] for i in rng.permutation(len(dealt))]


def audit_key(experiment: str, items: Sequence[Item]) -> dict[str, Any]:
    """The right answers, and what the items are, as plain values for ``key.json``."""
    listed = {
        i.item_id: {
            "answer": i.answer,
            "task": i.task,
            "scenario": i.scenario,
            "split": i.split,
            "negative_kind": i.negative_kind,
        }
        for i in items
    }
    seen = [[i.item_id, i.answer, [b.value for b in i.prompt]] for i in items]
    return {"experiment": experiment, "fingerprint": short_hash(seen), "items": listed}


def audit_page(
    experiment: str, items: Sequence[Item], frames: FrameStore, config: AuditConfig, fingerprint: str
) -> str:
    """The page as HTML, the same for the same items; ``fingerprint`` ties its answers to its key.

    Raises:
        UpstreamError: a picture is in none of the frame files.
    """
    wanted = {b.value for item in items for b in item.prompt if b.type == "image"}
    uris = thumbnails(frames, wanted, config.picture_side)
    text = resources.files("tpru.reporting").joinpath("audit.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    page = environment.from_string(text).render(
        experiment=experiment,
        fingerprint=fingerprint,
        readers=config.readers,
        undecidable=UNDECIDABLE,
        questions=[_question(item, uris) for item in items],
    )
    return page + "\n"


def _question(item: Item, uris: dict[str, str]) -> Question:
    letters = "".join(o.letter for o in item.options)
    sealed = canonical_json({"answer": item.answer, "reasoning": item.reasoning}).encode()
    return Question(
        item_id=item.item_id,
        parts=tuple(prompt_parts(item, uris)),
        letters=letters,
        order_of="" if letters else LETTERS[: len(item.answer)],
        sealed=base64.b64encode(sealed).decode("ascii"),
    )
