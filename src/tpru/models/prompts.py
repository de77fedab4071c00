"""Prompts as the language model takes them: token ids, 3D positions, and pictures looked at once.

The stock path tokenises, cuts and encodes the pictures of a prompt anew for every completion and every
pass. Here a picture goes through the frozen vision tower once, and a prompt is a few tensors.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from tpru.models.features import FeatureShelf
from tpru.models.processor import ImageTextProcessor, prompt_text
from tpru.models.vision import encode_pictures
from tpru.records import Item

Look = Callable[[str], Image.Image]

# Pictures that are decoded and kept together, and those that the tower sees together. A frozen tower always
# sees so many: sums of batches of another size differ in their last digits, and what a picture looks like
# must not depend on its company.
PICTURES_AT_ONCE = 512
TOWER_BATCH = 16


@dataclass(frozen=True)
class Prompt:
    """One prompt: ids (length,), positions (3, length) of time, height and width, and its pictures.

    ``after`` is the position of the first token that follows.
    """

    ids: Tensor
    positions: Tensor
    after: int
    pictures: tuple[str, ...]


@dataclass(frozen=True)
class PromptBatch:
    """Prompts padded on the left: embeds (n, length, width), positions (3, n, length), mask (n, length)
    of 1 for tokens, after (n,)."""

    embeds: Tensor
    positions: Tensor
    mask: Tensor
    after: Tensor


class Eyes:
    """Features of pictures by frame id.

    A tower that is ``frozen`` computes each once, and never again where there is a ``shelf`` to keep them
    on. One that is trained computes them anew for every batch, once for all its completions, with gradients
    where they are enabled.
    """

    def __init__(
        self,
        model: Any,
        processor: ImageTextProcessor,
        pictures: Look,
        frozen: bool = True,
        shelf: FeatureShelf | None = None,
    ) -> None:
        self._model = model
        self._processor = processor
        self._pictures = pictures
        self._frozen = frozen
        self._shelf = shelf
        # (rows, columns, width) each; with a shelf, what is on it stays there.
        self._features: dict[str, Tensor] = {}
        self._grids: dict[str, tuple[int, int]] = {}

    def look(self, frame_ids: Iterable[str], model: Any = None) -> None:
        """Compute what is not known yet, pictures of one size together.

        A trained tower forgets what it saw before; ``model`` is then the one whose tower looks.
        """
        if not self._frozen:
            self._features.clear()
        wanted = set(frame_ids)
        if self._shelf and not all(map(self._shelf.has, wanted)):
            self._shelf.refresh()
        known = self._shelf.has if self._shelf else self._features.__contains__
        new = sorted(f for f in wanted if not known(f))
        for start in range(0, len(new), PICTURES_AT_ONCE):
            chosen = new[start : start + PICTURES_AT_ONCE]
            with torch.set_grad_enabled(torch.is_grad_enabled() and not self._frozen):
                seen = self._compute(chosen, (self._model if self._frozen else model) or self._model)
            if self._shelf:
                self._shelf.put(seen)
            else:
                self._features |= seen

    def _compute(self, frame_ids: list[str], model: Any) -> dict[str, Tensor]:
        inputs = self._processor.image_processor([self._pictures(f) for f in frame_ids], return_tensors="pt")
        grids = [(int(h), int(w)) for _, h, w in inputs["image_grid_thw"].tolist()]
        patches = inputs["pixel_values"].to(model.device).split([h * w for h, w in grids])
        seen: dict[str, Tensor] = {}
        for grid in sorted(set(grids)):
            same = [i for i, g in enumerate(grids) if g == grid]
            for start in range(0, len(same), TOWER_BATCH):
                chosen = same[start : start + TOWER_BATCH]
                batch = torch.stack([patches[i] for i in chosen])
                if self._frozen:
                    batch = functional.pad(batch, (0, 0, 0, 0, 0, TOWER_BATCH - len(chosen)))
                features = encode_pictures(model.model.visual, batch, grid)
                for i, feature in zip(chosen, features, strict=False):
                    seen[frame_ids[i]] = feature.view(grid[0] // 2, grid[1] // 2, -1)
        return seen

    def picture(self, frame_id: str) -> Image.Image:
        """The picture itself."""
        return self._pictures(frame_id)

    def features(self, frame_id: str) -> Tensor:
        """(tokens, width) of one picture, on the device of the model."""
        if self._shelf:
            return self._shelf.get(frame_id).flatten(0, 1).to(self._model.device)
        return self._features[frame_id].flatten(0, 1)

    def grid(self, frame_id: str) -> tuple[int, int]:
        """Rows and columns of the tokens of one picture; known as long as the prompts are."""
        if frame_id not in self._grids:
            features = self._shelf.get(frame_id) if self._shelf else self._features[frame_id]
            self._grids[frame_id] = (features.shape[0], features.shape[1])
        return self._grids[frame_id]


def encode_prompt(text: str, pictures: tuple[str, ...], processor: ImageTextProcessor, eyes: Eyes) -> Prompt:
    """Tokens and positions of a prompt whose text has one placeholder per picture."""
    eyes.look(pictures)
    image = processor.tokenizer.convert_tokens_to_ids("<|image_pad|>")
    grids = [eyes.grid(f) for f in pictures]
    ids, positions, after = place(processor.tokenizer(text)["input_ids"], image, grids)
    return Prompt(torch.tensor(ids), torch.tensor(positions).T, after, pictures)


class PromptBook:
    """Prompts of items, each encoded once, with their pictures as :class:`Eyes` see them."""

    def __init__(
        self,
        model: Any,
        processor: ImageTextProcessor,
        pictures: Look,
        frozen: bool = True,
        shelf: FeatureShelf | None = None,
    ) -> None:
        self.eyes = Eyes(model, processor, pictures, frozen, shelf)
        self._model = model
        self._processor = processor
        self._known: dict[str, Prompt] = {}

    def prompt(self, item: Item) -> Prompt:
        """The encoded prompt of an item."""
        if item.item_id not in self._known:
            text = prompt_text(self._processor, item.prompt)
            self._known[item.item_id] = encode_prompt(text, item.shown, self._processor, self.eyes)
        return self._known[item.item_id]

    def batch(self, items: list[Item], model: Any = None) -> PromptBatch:
        """The prompts of items side by side, embedded by the model as it is now, or by another one."""
        prompts = [self.prompt(item) for item in items]
        self.eyes.look({f for item in items for f in item.shown}, model)
        return batch_prompts(prompts, model or self._model, self.eyes)


def place(
    tokens: list[int], image: int, grids: list[tuple[int, int]]
) -> tuple[list[int], list[tuple[int, int, int]], int]:
    """Ids with as many picture tokens as each picture has, their positions, and the next free position.

    Positions follow Qwen2.5-VL (arXiv 2502.13923): text counts on, a picture spreads over rows and columns
    from the same start, and what follows begins after its longer side.
    """
    ids: list[int] = []
    positions: list[tuple[int, int, int]] = []
    here = 0
    waiting = iter(grids)
    for token in tokens:
        if token == image:
            rows, columns = next(waiting)
            ids += [image] * (rows * columns)
            positions += [(here, here + r, here + c) for r in range(rows) for c in range(columns)]
            here += max(rows, columns)
        else:
            ids.append(token)
            positions.append((here, here, here))
            here += 1
    return ids, positions, here


def batch_prompts(prompts: list[Prompt], model: Any, eyes: Eyes) -> PromptBatch:
    """Embeddings of prompts with the features of their pictures in place, padded on the left."""
    longest = max(len(p.ids) for p in prompts)
    ids = torch.zeros(len(prompts), longest, dtype=torch.long)
    mask = torch.zeros(len(prompts), longest, dtype=torch.long)
    positions = torch.zeros(3, len(prompts), longest, dtype=torch.long)
    for row, prompt in enumerate(prompts):
        start = longest - len(prompt.ids)
        ids[row, start:] = prompt.ids
        mask[row, start:] = 1
        positions[:, row, start:] = prompt.positions
    after = torch.tensor([p.after for p in prompts])
    ids, mask, positions, after = (x.to(model.device) for x in (ids, mask, positions, after))
    embeds = model.get_input_embeddings()(ids)
    features = [eyes.features(f) for p in prompts for f in p.pictures]
    if features:
        places = (ids == model.config.image_token_id) & mask.bool()
        embeds = embeds.masked_scatter(places.unsqueeze(-1), torch.cat(features).to(embeds.dtype))
    return PromptBatch(embeds, positions, mask, after)
