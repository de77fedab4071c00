"""Attention heads that start where those of any language model arrive.

To look something up by its label takes two layers: heads that bring to a token the one that stands just
before it, then heads that look for their own token there (induction heads, arXiv 2209.11895). From random
weights a small model finds them only after many hundred updates, and before that learns nothing else. Here
they are laid down at the start, with random subspaces; gradients are free to undo them.
"""

import math
from typing import Any

import torch
from torch import Tensor

# Relative to the residual stream, in which words are written. At 1 the layers of an untrained model bury
# the word that came in under ten times as much noise.
RESIDUAL = 0.05
# How much stronger a token's place is than what it says, in the heads of the first layer.
PLACE = 5.0
WRITTEN = 0.18
MATCH = 2.0
COPY = 0.3
# Rotary frequencies below this hardly turn within a prompt: what they carry does not depend on places.
SLOW = 0.012


@torch.no_grad()
def lay_down_heads(model: Any) -> None:
    """Change a freshly made model in place: in layer 0 head k attends to the token k + 1 places before, in
    layer 1 head k to the tokens that follow the present one at that distance, and what layer 2 head k reads
    off a token is the one before it at that distance: the label of a picture.

    The first layer's heads use the rotary frequencies of time alone, so that all tokens of a picture, which
    share one time, look at the same word: the label before the picture.
    """
    language = model.model.language_model
    config = language.config
    size = config.hidden_size // config.num_attention_heads
    half = size // 2
    rotary = config.rope_parameters
    turns = [rotary["rope_theta"] ** (-f / half) for f in range(half)]
    slow = [f for f in range(half) if turns[f] < SLOW]
    slow += [f + half for f in slow]
    for layer in language.layers:
        layer.self_attn.o_proj.weight *= RESIDUAL
        layer.mlp.down_proj.weight *= RESIDUAL
    first, second, third = (layer.self_attn for layer in language.layers[:3])
    for head in range(config.num_attention_heads):
        rows = slice(head * size, (head + 1) * size)
        query, key = _looking_back(head + 1, size, turns[: rotary["mrope_section"][0]])
        first.q_proj.weight[rows] *= RESIDUAL
        first.k_proj.weight[rows] *= RESIDUAL
        first.q_proj.bias[rows], first.k_proj.bias[rows] = query, key
        said, written = _orthogonal(size, config.hidden_size), _orthogonal(size, config.hidden_size)
        first.v_proj.weight[rows] = WRITTEN * said
        first.o_proj.weight[:, rows] = written.T
        for projection, source in ((second.q_proj, said), (second.k_proj, written)):
            projection.bias[rows] = 0.0
            block = torch.zeros(size, config.hidden_size)
            block[slow] = MATCH * source[: len(slow)]
            projection.weight[rows] = block
        copied = _orthogonal(size, config.hidden_size)
        second.v_proj.weight[rows] = COPY * copied
        second.o_proj.weight[:, rows] = copied.T
        third.v_proj.weight[rows] = COPY * written
        third.o_proj.weight[:, rows] = said.T


def _looking_back(distance: int, size: int, turns: list[float]) -> tuple[Tensor, Tensor]:
    """Biases (size,) of queries and keys whose product is largest ``distance`` tokens back."""
    strength = math.sqrt(PLACE * math.sqrt(size))
    query, key = torch.zeros(size), torch.zeros(size)
    for f, turn in enumerate(turns):
        query[f] = strength
        key[f], key[f + size // 2] = (
            strength * math.cos(distance * turn),
            strength * math.sin(distance * turn),
        )
    return query, key


def _orthogonal(rows: int, columns: int) -> Tensor:
    """Random orthonormal rows, (rows, columns)."""
    return torch.linalg.qr(torch.randn(columns, rows))[0].T.contiguous()
