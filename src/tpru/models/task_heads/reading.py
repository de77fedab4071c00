"""From prompts to what the heads take: states of task tokens, features of frames."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from tpru.grounding.records import GroundingItem, GroundingTask
from tpru.grounding.wording import prompt_of
from tpru.models.processor import ImageTextProcessor, prompt_text
from tpru.models.prompts import Eyes, Prompt, batch_prompts, encode_prompt
from tpru.models.task_heads.heads import Frames


@dataclass(frozen=True)
class Row:
    """A question with its reply. The tokens from ``said`` on are to be learned, up to ``until``; behind it
    stands the learnable token of ``task``, where a head is asked."""

    prompt: Prompt
    said: int
    until: int
    task: GroundingTask | None
    item: GroundingItem | None


@dataclass(frozen=True)
class States:
    """Last hidden states (n, length, width) of prompts padded on the left."""

    hidden: Tensor
    prompts: tuple[Prompt, ...]

    def at(self, row: int, position: int) -> Tensor:
        """The state (width,) of a token of a prompt, counted from its own start or, below 0, end."""
        length = len(self.prompts[row].ids)
        return self.hidden[row, self.hidden.shape[1] - length + position % length]


def read_states(base: Any, prompts: list[Prompt], eyes: Eyes) -> States:
    """One pass of the language model over whole prompts, with gradients where they are enabled."""
    batch = batch_prompts(prompts, base, eyes)
    hidden = base.model.language_model(
        inputs_embeds=batch.embeds,
        attention_mask=batch.mask,
        position_ids=batch.positions,
        use_cache=False,
    ).last_hidden_state
    return States(hidden, tuple(prompts))


def extended(prompt: Prompt, tokens: list[int]) -> Prompt:
    """A prompt with further text behind it."""
    more = torch.tensor(tokens, dtype=prompt.ids.dtype)
    places = torch.arange(prompt.after, prompt.after + len(tokens), dtype=prompt.positions.dtype)
    return Prompt(
        torch.cat([prompt.ids, more]),
        torch.cat([prompt.positions, places.expand(3, -1)], dim=1),
        prompt.after + len(tokens),
        prompt.pictures,
    )


class GroundingBook:
    """Prompts of dense items, each encoded once."""

    def __init__(self, processor: ImageTextProcessor, eyes: Eyes) -> None:
        self.eyes = eyes
        self._processor = processor
        self._known: dict[str, Prompt] = {}

    def prompt(self, item: GroundingItem) -> Prompt:
        """The encoded question of an item."""
        if item.item_id not in self._known:
            text = prompt_text(self._processor, prompt_of(item))
            self._known[item.item_id] = encode_prompt(text, item.frames, self._processor, self.eyes)
        return self._known[item.item_id]


def frames_of(states: States, items: list[GroundingItem], eyes: Eyes, image: int) -> Frames:
    """Frames of clips: the mean of the vision tower's features beside that of the states.

    Args:
        states: of their prompts.
        items: the clips, in the same order.
        eyes: that have seen their pictures.
        image: the number of the picture token.
    """
    features = []
    for row, prompt in enumerate(states.prompts):
        own = states.hidden[row, states.hidden.shape[1] - len(prompt.ids) :]
        seen = [eyes.features(f) for f in prompt.pictures]
        read = own[(prompt.ids == image).to(own.device)].split([len(s) for s in seen])
        both = [torch.cat([s.to(r.dtype).mean(0), r.mean(0)]) for s, r in zip(seen, read, strict=True)]
        features.append(torch.stack(both))
    times = [clip_times(item).to(features[0]) for item in items]
    mask = [torch.ones(len(t), dtype=torch.bool, device=t.device) for t in times]
    return Frames(
        pad_sequence(features, batch_first=True),
        pad_sequence(times, batch_first=True),
        pad_sequence(mask, batch_first=True),
    )


def clip_times(item: GroundingItem) -> Tensor:
    """(frames, 2): begin and end of every frame as shares of the clip."""
    begins = torch.tensor(item.times)
    stops = torch.tensor([*item.times[1:], item.duration])
    return torch.stack([begins, stops], dim=1) / item.duration
