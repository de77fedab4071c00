"""The vision tower on many pictures of one size at once.

The stock forward pass cuts its input into windows and attends to them one after another; with hundreds of
small pictures that loop is most of the time. Here pictures of one size are a batch. Same weights, same
result (tests/unit/test_shared_prefix.py compares both).
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers.vision_utils import get_vision_position_ids, get_vision_window_index


def encode_pictures(visual: Any, patches: Tensor, grid: tuple[int, int]) -> Tensor:
    """Features of pictures of one size.

    Args:
        visual: the vision tower of a Qwen2.5-VL.
        patches: (n, height * width, values of a patch), as the picture processor gives them.
        grid: height and width in patches.

    Returns:
        (n, height * width / 4, width of the language model).
    """
    n, length, _ = patches.shape
    thw = torch.tensor([[1, *grid]], device=patches.device)
    unit = visual.spatial_merge_unit
    window_index, cuts = get_vision_window_index(
        thw, spatial_merge_size=visual.spatial_merge_size, window_size=visual.window_size,
        patch_size=visual.patch_size,
    )  # fmt: skip
    lengths = torch.diff(cuts[torch.diff(cuts, prepend=cuts.new_tensor([-1])) > 0]).tolist()
    hidden = _embed(visual.patch_embed, patches)
    hidden = hidden.view(n, length // unit, unit, -1)[:, window_index].reshape(n, length, -1)
    position = visual.rotary_pos_emb(hidden[0], get_vision_position_ids(thw, visual.spatial_merge_size))
    cos, sin = (p.view(length // unit, unit, -1)[window_index].reshape(length, -1) for p in position)
    for number, block in enumerate(visual.blocks):
        whole = number in visual.fullatt_block_indexes
        parts = [length] if whole else lengths
        hidden = hidden + _attend(block.attn, block.norm1(hidden), cos, sin, parts)
        hidden = hidden + block.mlp(block.norm2(hidden))
    merger = visual.merger
    merged = merger.mlp(merger.ln_q(hidden).view(n, length // unit, -1))
    features: Tensor = merged[:, torch.argsort(window_index)]
    return features


def _embed(patch_embed: Any, patches: Tensor) -> Tensor:
    """Patches as vectors: a convolution whose kernel is the whole patch is a product, which is faster."""
    projection = patch_embed.proj
    if type(projection) is torch.nn.Conv3d:
        return patches.to(projection.weight.dtype) @ projection.weight.flatten(1).T
    adapted: Tensor = patch_embed(patches.flatten(0, 1))
    return adapted


def _attend(attention: Any, hidden: Tensor, cos: Tensor, sin: Tensor, parts: list[int]) -> Tensor:
    """Self-attention within consecutive parts of every picture."""
    n, length, _ = hidden.shape
    query, key, value = (
        attention.qkv(hidden).view(n, length, 3, attention.num_heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
    )
    query, key = (x * cos + _rotate_half(x) * sin for x in (query, key))
    pieces = zip(*(x.split(parts, dim=2) for x in (query, key, value)), strict=True)
    seen = [functional.scaled_dot_product_attention(q, k, v) for q, k, v in pieces]
    out: Tensor = attention.proj(torch.cat(seen, dim=2).transpose(1, 2).reshape(n, length, -1))
    return out


def _rotate_half(x: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return torch.cat((-second, first), dim=-1)
