"""The language model learns the lessons on top of a vision tower that already sees."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tpru.models.prompts import place
from tpru.training.schooling.lessons import Lesson, Shown

Features = dict[Shown, Tensor]
Positions = list[tuple[int, int, int]]


@dataclass(frozen=True)
class Encoded:
    """A conversation as tokens: ids and positions (time, height, width) of each, the stretches that are
    answers, and the pictures."""

    ids: list[int]
    positions: Positions
    answers: list[tuple[int, int]]
    lesson: Lesson


def encode(lesson: Lesson, tokenizer: Any, image: int, grid: tuple[int, int]) -> Encoded:
    """Tokens of a conversation in the chat format, every answer with its end."""
    ids: list[int] = []
    positions: Positions = []
    answers: list[tuple[int, int]] = []
    for number, turn in enumerate(lesson.turns):
        opening = "" if number else f"{lesson.opening}\n"
        start = "\n<|im_start|>" if number else "<|im_start|>"
        asked = f"{start}user\n{opening}{turn.question}<|im_end|>\n<|im_start|>assistant\n"
        here = positions[-1][0] + 1 if positions else 0
        tokens = tokenizer(asked)["input_ids"]
        new, where, after = place(tokens, image, [grid] * (0 if number else len(lesson.pictures)))
        said = tokenizer(turn.answer + "<|im_end|>")["input_ids"]
        answers.append((len(ids) + len(new), len(ids) + len(new) + len(said)))
        ids += new + said
        positions += [(here + t, here + h, here + w) for t, h, w in where]
        positions += [(here + after + k,) * 3 for k in range(len(said))]
    return Encoded(ids, positions, answers, lesson)


def lesson_loss(model: Any, batch: list[Encoded], features: Features) -> tuple[Tensor, list[list[bool]]]:
    """Mean loss of the answers, each the mean of its tokens, and per answer of every conversation whether
    every token of it was the most probable one.

    An answer of one label says as much as one of twenty words, and would hardly count among their tokens.
    """
    longest = max(len(e.ids) for e in batch)
    tokens = torch.zeros(len(batch), longest, dtype=torch.long)
    labels = torch.full((len(batch), longest), -100)
    mask = torch.zeros(len(batch), longest, dtype=torch.long)
    weights = torch.zeros(len(batch), longest)
    positions = torch.zeros(3, len(batch), longest, dtype=torch.long)
    for row, e in enumerate(batch):
        tokens[row, : len(e.ids)] = torch.tensor(e.ids)
        mask[row, : len(e.ids)] = 1
        positions[:, row, : len(e.ids)] = torch.tensor(e.positions).T
        for start, end in e.answers:
            labels[row, start:end] = tokens[row, start:end]
            weights[row, start:end] = 1 / (end - start)
    embeds = model.get_input_embeddings()(tokens)
    shown = [features[p] for e in batch for p in e.lesson.pictures]
    if shown:
        places = (tokens == model.config.image_token_id).unsqueeze(-1)
        embeds = embeds.masked_scatter(places, torch.cat(shown).to(embeds.dtype))
    hidden = model.model.language_model(
        inputs_embeds=embeds, attention_mask=mask, position_ids=positions, use_cache=False
    ).last_hidden_state[:, :-1]
    wanted = labels[:, 1:]
    said = wanted != -100
    logits = model.lm_head(hidden[said])
    each = functional.cross_entropy(logits.float(), wanted[said], reduction="none")
    loss = (each * weights[:, 1:][said]).sum() / weights.sum()
    hit = torch.ones_like(wanted, dtype=torch.bool)
    hit[said] = logits.argmax(-1) == wanted[said]
    return loss, [[bool(hit[r, a - 1 : b - 1].all()) for a, b in e.answers] for r, e in enumerate(batch)]
