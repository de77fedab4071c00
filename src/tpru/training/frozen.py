"""Training on top of a vision tower that stays as it is: every picture is looked at once.

TRL's trainers are handed positions in the list of items; what a position stands for - tokens, positions,
features of the pictures - comes from a :class:`~tpru.models.prompts.PromptBook`.
"""

from dataclasses import dataclass
from typing import Any

import torch
from datasets import Dataset
from transformers.modeling_outputs import BaseModelOutputWithPooling

from tpru.evaluation.parsing import option_letters
from tpru.models.prompts import PromptBook
from tpru.records import Item
from tpru.synthesis.wording import completion


def positions_of(items: list[Item]) -> Dataset:
    """A dataset of positions in a list of items; all else is looked up when it is needed."""
    return Dataset.from_dict({"position": list(range(len(items)))})


def prompts_of(items: list[Item]) -> Dataset:
    """What TRL's GRPO is handed for each item: as prompt its position, and what the reward needs to know."""
    return Dataset.from_list(
        [
            {"prompt": str(i), "answer": item.answer, "letters": option_letters(item), "task": item.task}
            for i, item in enumerate(items)
        ]
    )


@dataclass(frozen=True)
class SftCollator:
    """Positions of items to model inputs, with labels on reasoning and answer alone.

    The pictures come as features of the frozen vision tower, computed once per training.
    """

    items: tuple[Item, ...]
    book: PromptBook
    tokenizer: Any
    image_token: int

    def __call__(self, rows: list[dict[str, int]]) -> dict[str, Any]:
        """``input_ids``, ``labels``, ``attention_mask`` (n, length), ``position_ids`` (3, n, length)."""
        chosen = [self.items[row["position"]] for row in rows]
        prompts = [self.book.prompt(item) for item in chosen]
        targets = [
            self.tokenizer(completion(i.reasoning, i.answer) + self.tokenizer.eos_token)["input_ids"]
            for i in chosen
        ]
        longest = max(len(p.ids) + len(t) for p, t in zip(prompts, targets, strict=True))
        ids = torch.full((len(rows), longest), self.tokenizer.pad_token_id)
        labels = torch.full((len(rows), longest), -100)
        mask = torch.zeros(len(rows), longest, dtype=torch.long)
        positions = torch.zeros(3, len(rows), longest, dtype=torch.long)
        for row, (prompt, target) in enumerate(zip(prompts, targets, strict=True)):
            start, end = len(prompt.ids), len(prompt.ids) + len(target)
            ids[row, :start], ids[row, start:end] = prompt.ids, torch.tensor(target)
            labels[row, start:end] = ids[row, start:end]
            mask[row, :end] = 1
            positions[:, row, :start] = prompt.positions
            positions[:, row, start:end] = torch.arange(prompt.after, prompt.after + len(target))
        features: Any = [self.book.eyes.features(f) for item in chosen for f in item.shown]
        return {
            "input_ids": ids,
            "labels": labels,
            "attention_mask": mask,
            "position_ids": positions,
            "mm_encoder_outputs": {"image": BaseModelOutputWithPooling(pooler_output=features)},
        }
