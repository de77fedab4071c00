"""Completions of a prompt that is read once: sampling and log-probabilities over shared keys and values.

A group of G completions has one prompt. Its keys and values are computed once and repeated G times, which
is exact, with gradients too; the stock path computes them G times.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from tpru.models.prompts import PromptBatch

# Dropping rows copies the cache; it pays once this share of them has ended.
KEEP_ABOVE = 0.75


@dataclass(frozen=True)
class Sampling:
    """How completions are drawn; ``temperature`` 0 takes the most probable token."""

    temperature: float
    max_tokens: int
    end: int
    banned: tuple[int, ...]


class RoomyLayer(DynamicLayer):
    """Keys and values of one layer with room for the tokens to come: the stock layer copies all it holds
    for every new token, which took two thirds of the time of sampling."""

    def __init__(self, layer: Any, room: int) -> None:
        super().__init__()
        self.lazy_initialization(layer.keys, layer.values)
        self._all = [functional.pad(kept, (0, 0, 0, room)) for kept in (layer.keys, layer.values)]
        self._show(layer.keys.shape[-2])

    def _show(self, length: int) -> tuple[Tensor, Tensor]:
        keys, values = (kept[..., :length, :] for kept in self._all)
        self.keys, self.values = keys, values
        return keys, values

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        for kept, new in zip(self._all, (key_states, value_states), strict=True):
            kept[..., start:end, :] = new
        return self._show(end)

    def batch_select_indices(self, indices: Tensor) -> None:
        self._all = [kept.index_select(0, indices) for kept in self._all]
        self._show(self.get_seq_length())


def read(model: Any, prompts: PromptBatch, owner: Tensor) -> tuple[DynamicCache, Tensor]:
    """Keys and values of the prompts, one row per completion, and their last hidden states (m, width).

    Args:
        model: the causal model.
        prompts: n prompts.
        owner: (m,) which prompt each completion belongs to.
    """
    cache = DynamicCache(config=model.config.get_text_config())
    hidden = _language(model)(
        inputs_embeds=prompts.embeds,
        attention_mask=prompts.mask,
        position_ids=prompts.positions,
        past_key_values=cache,
        use_cache=True,
    ).last_hidden_state
    # index_select, not cache.batch_select_indices: the gradient of plain indexing adds up in an order that
    # differs from run to run on several threads.
    layers: Any = cache.layers
    for layer in layers:
        layer.keys, layer.values = layer.keys.index_select(0, owner), layer.values.index_select(0, owner)
    return cache, hidden[:, -1].index_select(0, owner)


@torch.no_grad()
def sample(model: Any, prompts: PromptBatch, owner: Tensor, how: Sampling) -> list[list[int]]:
    """One completion per entry of ``owner`` (m,), each with its end token if that came in time.

    Rows that have ended leave the batch when they are many, so that they stop costing. Draws come from
    torch's global generator.
    """
    cache, last = read(model, prompts, owner)
    cache.layers = [RoomyLayer(layer, how.max_tokens) for layer in cache.layers]
    logits = model.lm_head(last)
    mask, positions = prompts.mask[owner], prompts.after[owner]
    rows = torch.arange(len(owner), device=owner.device)
    out: list[list[int]] = [[] for _ in range(len(owner))]
    for step in range(how.max_tokens):
        tokens = draw(logits, how)
        for row, token in zip(rows.tolist(), tokens.tolist(), strict=True):
            out[row].append(token)
        going = tokens != how.end
        if step + 1 == how.max_tokens or not going.any():
            break
        if int(going.sum()) < KEEP_ABOVE * len(going):
            kept = going.nonzero().squeeze(1)
            cache.batch_select_indices(kept)
            tokens, mask, positions, rows = tokens[kept], mask[kept], positions[kept], rows[kept]
        mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
        hidden = _language(model)(
            inputs_embeds=model.get_input_embeddings()(tokens[:, None]),
            attention_mask=mask,
            position_ids=positions[None, :, None].expand(3, -1, -1),
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
        logits = model.lm_head(hidden[:, -1])
        positions = positions + 1
    return [_cut(tokens, how.end) for tokens in out]


def draw(logits: Tensor, how: Sampling) -> Tensor:
    """One token per row of logits (n, vocabulary)."""
    logits = logits.float()
    if how.banned:
        logits[:, list(how.banned)] = float("-inf")
    if how.temperature == 0.0:
        return logits.argmax(dim=-1)
    # One number per row looked up in the running sum; multinomial draws one for each word of the vocabulary,
    # which took a quarter of the time of sampling.
    sums = torch.softmax(logits.double() / how.temperature, dim=-1).cumsum(-1)
    drawn = torch.rand(len(sums), 1, dtype=sums.dtype, device=sums.device) * sums[:, -1:]
    return torch.searchsorted(sums, drawn, right=True).squeeze(1).clamp(max=sums.shape[1] - 1)


def _cut(tokens: list[int], end: int) -> list[int]:
    return tokens[: tokens.index(end) + 1] if end in tokens else tokens


def completion_log_probs(
    model: Any,
    prompts: PromptBatch,
    owner: Tensor,
    completions: Tensor,
    mask: Tensor,
    temperature: float,
    with_entropy: bool,
) -> tuple[Tensor, Tensor | None]:
    """Log-probability of each completion token, with gradients, and the entropy of its distribution, without.

    Args:
        model: the causal model.
        prompts: n prompts.
        owner: (m,) which prompt each completion belongs to.
        completions: (m, length) token ids, padded on the right.
        mask: (m, length) of 1 for tokens.
        temperature: that the logits are divided by.
        with_entropy: whether the entropy is wanted, a second pass over the vocabulary.

    Returns:
        Two tensors (m, length), 0 where there is no token; None for an entropy that is not wanted.
    """
    cache, last = read(model, prompts, owner)
    steps = torch.arange(completions.shape[1] - 1, device=completions.device)
    positions = prompts.after[owner][:, None] + steps
    hidden = _language(model)(
        inputs_embeds=model.get_input_embeddings()(completions[:, :-1]),
        attention_mask=torch.cat([prompts.mask[owner], mask[:, :-1]], dim=1),
        position_ids=positions[None].expand(3, -1, -1),
        past_key_values=cache,
        use_cache=True,
    ).last_hidden_state
    # Padding is a third of a batch, and the vocabulary is the widest layer.
    kept = mask.flatten().nonzero().squeeze(1)
    states = torch.cat([last[:, None], hidden], dim=1).flatten(0, 1).index_select(0, kept)
    every = torch.log_softmax(model.lm_head(states).float() / temperature, dim=-1)
    chosen = every.gather(-1, completions.flatten()[kept].unsqueeze(-1)).squeeze(-1)
    empty = chosen.new_zeros(mask.numel())
    log_probs = empty.scatter(0, kept, chosen).view_as(mask)
    if not with_entropy:
        return log_probs, None
    with torch.no_grad():
        spread = -(every.exp() * every).sum(-1)
    return log_probs, empty.scatter(0, kept, spread).view_as(mask)


def _language(model: Any) -> Any:
    return model.model.language_model
