"""Completions of a prompt that is read once: sampling and log-probabilities.

A group of G completions has one prompt. Here it is read once and the completions branch off it, which is
exact, with gradients too; the stock path reads it G times.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import DynamicCache
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from tpru.models.prompts import PromptBatch

# Dropping rows copies the cache; it pays once this share of them has ended.
KEEP_ABOVE = 0.75
# The name under which transformers finds the attention of :class:`Branches`.
BRANCHED = "tpru_branches"


@dataclass(frozen=True)
class Sampling:
    """How completions are drawn; ``temperature`` 0 takes the most probable token.

    Below 1, ``top_p`` leaves only the most probable tokens that have this share together. A completion ends
    with ``end`` or with any of ``stops``.
    """

    temperature: float
    max_tokens: int
    end: int
    banned: tuple[int, ...]
    top_p: float = 1.0
    stops: tuple[int, ...] = ()


class Branches:
    """Keys and values of prompts and of the completions that branch off them, one row a prompt.

    A row holds the tokens of its prompt, then for every step one column per slot; each completion has a
    slot and sees its prompt and its own columns. So a prompt is kept and read once for all its
    completions, in products large enough to be fast: with keys and values of their own, completions of
    the tiny model took twice as long. Passed to the language model as its cache, and to :func:`_attend`
    as ``branches``.
    """

    def __init__(self, layers: list[Any], mask: Tensor, owner: Tensor, steps: int) -> None:
        self._mask = mask
        self._steps = steps
        self._prefix = mask.shape[1]
        self.length = 0
        self._arrange(owner)
        room = steps * self._width
        self._layers = [
            (functional.pad(layer.keys, (0, 0, 0, room)), functional.pad(layer.values, (0, 0, 0, room)))
            for layer in layers
        ]
        self._see(layers[0].keys)

    def _arrange(self, owner: Tensor) -> None:
        """Give every completion a slot of its prompt's row."""
        counts = owner.bincount(minlength=len(self._mask))
        order = torch.argsort(owner, stable=True)
        place = torch.arange(len(owner), device=owner.device)
        within = torch.empty_like(order)
        within[order] = place - (counts.cumsum(0) - counts)[owner[order]]
        self._owner = owner
        self._width = int(counts.max())
        self._slots = owner * self._width + within
        # As it is before the first completion ends: nothing has to be moved.
        self._full = len(owner) == len(counts) * self._width and bool((self._slots == place).all())

    def _see(self, like: Tensor) -> None:
        """What a slot sees: added to the scores, (n, 1, slots, columns)."""
        n, slots = len(self._mask), self._width
        hidden = float("-inf")
        prompt = like.new_zeros(self._mask.shape).masked_fill(self._mask == 0, hidden)
        own = like.new_full((slots, slots), hidden).fill_diagonal_(0.0).repeat(1, self._steps)
        sees = [prompt[:, None].expand(-1, slots, -1), own.expand(n, -1, -1)]
        self._bias = torch.cat(sees, dim=-1)[:, None]

    def keep(self, kept: Tensor) -> None:
        """Go on with the completions ``kept`` (positions among those that are left)."""
        present, owner = self._owner[kept].unique(return_inverse=True)
        old_slots, old_width = self._slots[kept] % self._width, self._width
        self._mask = self._mask.index_select(0, present)
        self._arrange(owner)
        n, slots = len(present), self._width
        moved = old_slots.new_zeros(n * slots).index_copy(0, self._slots, old_slots)
        moved = moved.view(n, 1, 1, slots, 1)

        def packed(rows: Tensor) -> Tensor:
            rows = rows.index_select(0, present)
            _, heads, _, width = rows.shape
            prompt, after = rows.split([self._prefix, rows.shape[2] - self._prefix], dim=2)
            said = after[:, :, : self.length * old_width].view(n, heads, self.length, old_width, width)
            said = said.gather(3, moved.expand(-1, heads, self.length, -1, width)).flatten(2, 3)
            room = (self._steps - self.length) * slots
            return functional.pad(torch.cat([prompt, said], dim=2), (0, 0, 0, room))

        self._layers = [(packed(keys), packed(values)) for keys, values in self._layers]
        self._see(self._layers[0][0])

    def update(self, keys: Tensor, values: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """What a cache is asked for; :meth:`attend` stores them."""
        return keys, values

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """Attention of one new token of every completion: (m, heads, 1, width) to (m, 1, heads, width)."""
        keys, values = self._layers[layer]
        start = self._prefix + self.length * self._width
        end = start + self._width
        keys[:, :, start:end], values[:, :, start:end] = self._rows(key), self._rows(value)
        asked = self._rows(query)
        # The heads that share a key side by side, as if they were slots: with a mask, the fast kernels know
        # no other way.
        n, heads, slots, width = asked.shape
        together = asked.reshape(n, key.shape[1], -1, width)
        bias = self._bias[..., :end].repeat(1, 1, together.shape[2] // slots, 1)
        seen = functional.scaled_dot_product_attention(
            together, keys[:, :, :end], values[:, :, :end], bias, scale=scale
        )
        out = seen.view(n, heads, slots, width).transpose(1, 2).flatten(0, 1)
        return (out if self._full else out.index_select(0, self._slots))[:, None]

    def _rows(self, tokens: Tensor) -> Tensor:
        """(m, heads, 1, width) to (n, heads, slots, width)."""
        n, slots = len(self._mask), self._width
        tokens = tokens.squeeze(2)
        if not self._full:
            tokens = tokens.new_zeros(n * slots, *tokens.shape[1:]).index_copy(0, self._slots, tokens)
        return tokens.view(n, slots, *tokens.shape[1:]).transpose(1, 2)


def _attend(
    module: Any, query: Tensor, key: Tensor, value: Tensor, _: Any, *, scaling: float, branches: Branches,
    **__: Any,
) -> tuple[Tensor, None]:  # fmt: skip
    return branches.attend(module.layer_idx, query, key, value, scaling), None


ALL_ATTENTION_FUNCTIONS.register(BRANCHED, _attend)


@contextmanager
def _branched(language: Any) -> Iterator[None]:
    """The language model attends through its :class:`Branches`."""
    config = language.config
    usual = config._attn_implementation
    config._attn_implementation = BRANCHED
    try:
        yield
    finally:
        config._attn_implementation = usual


def read(model: Any, prompts: PromptBatch) -> tuple[DynamicCache, Tensor]:
    """Keys and values of the prompts in every layer, and their last hidden states (n, width)."""
    cache = DynamicCache(config=model.config.get_text_config())
    hidden = _language(model)(
        inputs_embeds=prompts.embeds,
        attention_mask=prompts.mask,
        position_ids=prompts.positions,
        past_key_values=cache,
        use_cache=True,
    ).last_hidden_state
    return cache, hidden[:, -1]


@torch.no_grad()
def sample(model: Any, prompts: PromptBatch, owner: Tensor, how: Sampling) -> list[list[int]]:
    """One completion per entry of ``owner`` (m,), each with its end token if that came in time.

    Rows that have ended leave the batch when they are many, so that they stop costing. Draws come from
    torch's global generator.
    """
    cache, last = read(model, prompts)
    branches = Branches(cache.layers, prompts.mask, owner, how.max_tokens)
    logits, positions = model.lm_head(last).index_select(0, owner), prompts.after[owner]
    rows = torch.arange(len(owner), device=owner.device)
    drawn: list[tuple[Tensor, Tensor]] = []
    language = _language(model)
    ends = (how.end, *how.stops)
    with _branched(language):
        for step in range(how.max_tokens):
            tokens = draw(logits, how)
            drawn.append((rows, tokens))
            going = tokens != how.end
            for stop in how.stops:
                going &= tokens != stop
            if step + 1 == how.max_tokens or not going.any():
                break
            if int(going.sum()) < KEEP_ABOVE * len(going):
                kept = going.nonzero().squeeze(1)
                branches.keep(kept)
                tokens, positions, rows = tokens[kept], positions[kept], rows[kept]
            hidden = language(
                inputs_embeds=model.get_input_embeddings()(tokens[:, None]),
                # What is seen is up to the branches: no mask has to be made.
                attention_mask={"full_attention": None},
                position_ids=positions[None, :, None].expand(3, -1, -1),
                past_key_values=branches,
                use_cache=True,
                branches=branches,
            ).last_hidden_state
            branches.length += 1
            logits = model.lm_head(hidden[:, -1])
            positions = positions + 1
    out: list[list[int]] = [[] for _ in range(len(owner))]
    for numbers, tokens in drawn:
        for row, token in zip(numbers.tolist(), tokens.tolist(), strict=True):
            out[row].append(token)
    return [_cut(tokens, ends) for tokens in out]


def draw(logits: Tensor, how: Sampling) -> Tensor:
    """One token per row of logits (n, vocabulary)."""
    logits = logits.float()
    if how.banned:
        logits[:, list(how.banned)] = float("-inf")
    if how.temperature == 0.0:
        return logits.argmax(dim=-1)
    # One number per row looked up in the running sum; multinomial draws one for each word of the vocabulary,
    # which took a quarter of the time of sampling.
    chances = torch.softmax(logits.double() / how.temperature, dim=-1)
    if how.top_p < 1.0:
        ranked, places = chances.sort(dim=-1, descending=True)
        rest = ranked.cumsum(-1) - ranked >= how.top_p
        chances = chances.scatter(-1, places, ranked.masked_fill(rest, 0.0))
    sums = chances.cumsum(-1)
    drawn = torch.rand(len(sums), 1, dtype=sums.dtype, device=sums.device) * sums[:, -1:]
    return torch.searchsorted(sums, drawn, right=True).squeeze(1).clamp(max=sums.shape[1] - 1)


def _cut(tokens: list[int], ends: tuple[int, ...]) -> list[int]:
    first = next((i for i, token in enumerate(tokens) if token in ends), len(tokens))
    return tokens[: first + 1]


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
    kept = mask.bool()
    start = prompts.mask.shape[1]
    row, column = _placed(owner, kept, start)
    more = int(column.max()) + 1 - start
    embeds = functional.pad(prompts.embeds, (0, 0, 0, more))
    words = model.get_input_embeddings()(completions[kept])
    embeds = embeds.index_put((row, column), words.to(embeds.dtype))
    positions = functional.pad(prompts.positions, (0, more))
    steps = (kept.cumsum(1) - 1)[kept]
    positions[:, row, column] = prompts.after[owner].repeat_interleave(kept.sum(1)) + steps
    # 0: the prompt, k: the k-th completion of all, -1: nothing.
    segments = functional.pad(prompts.mask.long() - 1, (0, more), value=-1)
    segments[row, column] = 1 + torch.arange(len(owner), device=owner.device).repeat_interleave(kept.sum(1))
    hidden = _language(model)(
        inputs_embeds=embeds,
        attention_mask={"full_attention": _seen(segments)[:, None]},
        position_ids=positions,
        use_cache=False,
    ).last_hidden_state
    # The first token of a completion follows the prompt, every other one the token before it.
    before = torch.where(steps == 0, start - 1, column - 1)
    states = hidden.flatten(0, 1).index_select(0, row * (start + more) + before)
    every = torch.log_softmax(model.lm_head(states).float() / temperature, dim=-1)
    chosen = every.gather(-1, completions[kept].unsqueeze(-1)).squeeze(-1)
    empty = chosen.new_zeros(mask.numel())
    flat = kept.flatten().nonzero().squeeze(1)
    log_probs = empty.scatter(0, flat, chosen).view_as(mask)
    if not with_entropy:
        return log_probs, None
    with torch.no_grad():
        spread = -(every.exp() * every).sum(-1)
    return log_probs, empty.scatter(0, flat, spread).view_as(mask)


def _placed(owner: Tensor, kept: Tensor, start: int) -> tuple[Tensor, Tensor]:
    """Row and column of every kept token: completions stand behind their prompt, one after another."""
    lengths = kept.sum(1)
    order = torch.argsort(owner, stable=True)
    ends = lengths[order].cumsum(0)
    # Where the row of a prompt begins in the line of all completions.
    first = torch.zeros(int(owner.max()) + 1, dtype=ends.dtype, device=ends.device)
    per_row = torch.zeros_like(first).index_add(0, owner, lengths)
    first[1:] = per_row.cumsum(0)[:-1]
    begins = torch.empty_like(ends)
    begins[order] = ends - lengths[order] - first[owner[order]]
    row = owner.repeat_interleave(lengths)
    return row, start + begins.repeat_interleave(lengths) + (kept.cumsum(1) - 1)[kept]


def _seen(segments: Tensor) -> Tensor:
    """What each token sees, (n, length, length): its prompt and what came before it in its completion."""
    length = segments.shape[1]
    earlier = torch.ones(length, length, dtype=torch.bool, device=segments.device).tril()
    key, query = segments[:, None, :], segments[:, :, None]
    seen = earlier & (key >= 0) & ((key == 0) | (key == query))
    # What stands for nothing sees itself, or its softmax would have no term.
    return seen | torch.eye(length, dtype=torch.bool, device=segments.device)


def _language(model: Any) -> Any:
    return model.model.language_model
