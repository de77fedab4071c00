"""Answers of a model with task heads: to dense questions by its heads, to all others as ever."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from tpru.grounding.masks import box_of_mask, encode, fill_box
from tpru.grounding.records import (
    GroundingItem,
    GroundingPrediction,
    GroundingTask,
    Region,
    ScoredMoment,
)
from tpru.grounding.wording import read_box, read_moment
from tpru.models.prompts import Eyes, Prompt, batch_prompts
from tpru.models.segmenter import Segmenter
from tpru.models.shared_prefix import Sampling, sample
from tpru.models.task_heads.heads import TaskHeads
from tpru.models.task_heads.model import masks_of
from tpru.models.task_heads.reading import States, extended, frames_of, read_states

# A reply that writes numbers out is no longer.
LONGEST_REPLY = 24
MOST_MOMENTS = 10


@dataclass(frozen=True)
class Answerer:
    """A trained model with what it needs to answer: ``indicating`` and ``learnable`` are the numbers of the
    task tokens. ``name`` is what its predictions are called by."""

    name: str
    model: Any
    heads: TaskHeads
    segmenter: Segmenter | None
    eyes: Eyes
    tokenizer: Any
    indicating: dict[GroundingTask, int]
    learnable: dict[GroundingTask, int]
    picture: Callable[[str], Image.Image]


def respond(answerer: Answerer, prompts: list[Prompt], how: Sampling) -> list[list[int]]:
    """Completions of any prompts; one that asks for a head ends with that task's indicating token.

    Until then this is ordinary sampling: no task token, no head and nothing else is computed.
    """
    answerer.eyes.look({f for p in prompts for f in p.pictures})
    batch = batch_prompts(prompts, answerer.model, answerer.eyes)
    stops = Sampling(
        how.temperature, how.max_tokens, how.end, how.banned, how.top_p, tuple(answerer.indicating.values())
    )
    return sample(answerer.model, batch, torch.arange(len(prompts), device=answerer.model.device), stops)


@torch.no_grad()
def answer_grounding(
    answerer: Answerer, items: list[GroundingItem], prompts: list[Prompt]
) -> list[GroundingPrediction]:
    """One prediction per dense item: what the heads find, or the numbers that a reply writes out."""
    how = Sampling(
        0.0, LONGEST_REPLY, answerer.tokenizer.eos_token_id, (answerer.model.config.image_token_id,)
    )
    replies = respond(answerer, prompts, how)
    tasks = {token: task for task, token in answerer.indicating.items()}
    asked = [tasks.get(reply[-1]) for reply in replies]
    right = [i for i, item in enumerate(items) if asked[i] == item.task and item.task in answerer.heads.parts]
    found = _by_heads(
        answerer, [items[i] for i in right], [prompts[i] for i in right], [replies[i] for i in right]
    )
    by_head = dict(zip(right, found, strict=True))
    predictions = []
    for i, item in enumerate(items):
        if i in by_head:
            predictions.append(by_head[i])
        else:
            text = answerer.tokenizer.decode(replies[i], skip_special_tokens=True)
            predictions.append(from_text(answerer.name, item, text, answerer.picture))
    return predictions


def _by_heads(
    answerer: Answerer, items: list[GroundingItem], prompts: list[Prompt], replies: list[list[int]]
) -> list[GroundingPrediction]:
    if not items:
        return []
    asked = [
        extended(prompt, [*reply, answerer.learnable[item.task]])
        for item, prompt, reply in zip(items, prompts, replies, strict=True)
    ]
    found: dict[int, GroundingPrediction] = {}
    for task, read in (("temporal", _moments), ("region", _boxes), ("mask", _masks)):
        rows = [i for i, item in enumerate(items) if item.task == task]
        if rows:
            states = read_states(answerer.model, [asked[i] for i in rows], answerer.eyes)
            own = torch.stack([states.at(i, -1) for i in range(len(rows))])
            found |= dict(zip(rows, read(answerer, states, own, [items[i] for i in rows]), strict=True))
    return [found[i] for i in range(len(items))]


def _moments(
    answerer: Answerer, states: States, asked: Tensor, items: list[GroundingItem]
) -> list[GroundingPrediction]:
    frames = frames_of(states, items, answerer.eyes, answerer.model.config.image_token_id)
    moments = answerer.heads.parts["temporal"](asked, frames)
    made = []
    for k, item in enumerate(items):
        spans = (moments.spans[k].clamp(0, 1) * item.duration).tolist()
        scored = zip(spans, moments.logits[k].sigmoid().tolist(), strict=True)
        proposed = [ScoredMoment(start, end, score) for (start, end), score in scored if end > start]
        best = tuple(sorted(proposed, key=lambda moment: -moment.score)[:MOST_MOMENTS])
        saliency = tuple(moments.saliency[k, : len(item.frames)].sigmoid().tolist())
        made.append(GroundingPrediction(item.item_id, answerer.name, True, moments=best, saliency=saliency))
    return made


def _boxes(
    answerer: Answerer, states: States, asked: Tensor, items: list[GroundingItem]
) -> list[GroundingPrediction]:
    boxes = answerer.heads.parts["region"](asked).clamp(0, 1).tolist()
    regions = [Region(item.regions[0].frame, tuple(box)) for item, box in zip(items, boxes, strict=True)]
    return [
        GroundingPrediction(item.item_id, answerer.name, True, regions=(region,))
        for item, region in zip(items, regions, strict=True)
    ]


def _masks(
    answerer: Answerer, states: States, asked: Tensor, items: list[GroundingItem]
) -> list[GroundingPrediction]:
    if answerer.segmenter is None:
        raise ValueError("there are mask items and no segmenter")
    logits = masks_of(answerer.heads, answerer.segmenter, items, asked, answerer.picture)
    made = []
    for item, drawn in zip(items, logits, strict=True):
        regions = []
        for region in item.regions:
            small = Image.fromarray((drawn[region.frame] > 0).cpu().numpy())
            size = answerer.picture(item.frames[region.frame]).size
            mask = np.asarray(small.resize(size, Image.Resampling.NEAREST), dtype=bool)
            box = box_of_mask(mask)
            regions.append(Region(region.frame, box, encode(mask) if box else b""))
        made.append(GroundingPrediction(item.item_id, answerer.name, True, regions=tuple(regions)))
    return made


def from_text(
    name: str, item: GroundingItem, text: str, picture: Callable[[str], Image.Image]
) -> GroundingPrediction:
    """What a written reply says; a box stands in every frame that was asked for, filled where masks are."""
    if item.task == "temporal":
        moment = read_moment(text)
        moments = (ScoredMoment(moment.start_s, moment.end_s, 1.0),) if moment else ()
        return GroundingPrediction(item.item_id, name, bool(moments), moments=moments)
    box = read_box(text)
    if not box:
        return GroundingPrediction(item.item_id, name, False)
    sizes = [picture(item.frames[r.frame]).size for r in item.regions]
    regions = tuple(
        Region(r.frame, box, encode(fill_box(box, *size)) if item.task == "mask" else b"")
        for r, size in zip(item.regions, sizes, strict=True)
    )
    return GroundingPrediction(item.item_id, name, True, regions=regions)
