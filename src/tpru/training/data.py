"""Items as training sets: pictures are decoded when a batch is drawn, never stored twice."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from datasets import Dataset

from tpru.evaluation.parsing import option_letters
from tpru.models.processor import messages
from tpru.models.prompts import Look
from tpru.randomness import generator
from tpru.records import Item
from tpru.synthesis.wording import completion

Row = dict[str, Any]


def choose_items(items: list[Item], most: int, seed: int) -> list[Item]:
    """At most ``most`` items (0: all), drawn at random by the seed, in their old order."""
    if not most or len(items) <= most:
        return items
    chosen = sorted(generator(seed, "choose items").permutation(len(items))[:most])
    return [items[i] for i in chosen]


def sft_row(item: Item) -> Row:
    """Prompt and target (reasoning and answer) as chat messages."""
    target = completion(item.reasoning, item.answer)
    return {
        "prompt": messages(item.prompt),
        "completion": [{"role": "assistant", "content": [{"type": "text", "text": target}]}],
    }


def grpo_row(item: Item) -> Row:
    """Prompt and what the reward needs to know."""
    return {
        "prompt": messages(item.prompt),
        "answer": item.answer,
        "letters": option_letters(item),
        "task": item.task,
        "item_id": item.item_id,
    }


@dataclass(frozen=True)
class LoadRows:
    """Makes the rows of a batch of positions, with the decoded pictures under ``images``."""

    items: tuple[Item, ...]
    pictures: Look
    row: Callable[[Item], Row]

    def __call__(self, batch: dict[str, list[int]]) -> dict[str, list[Any]]:
        """Rows as columns, as ``datasets`` wants them."""
        chosen = [self.items[i] for i in batch["position"]]
        rows = [{**self.row(item), "images": [self.pictures(f) for f in item.shown]} for item in chosen]
        return {key: [r[key] for r in rows] for key in rows[0]}


def training_set(items: list[Item], pictures: Look, row: Callable[[Item], Row]) -> Dataset:
    """A dataset whose rows are made when they are read."""
    positions = Dataset.from_dict({"position": list(range(len(items)))})
    return positions.with_transform(LoadRows(tuple(items), pictures, row))
