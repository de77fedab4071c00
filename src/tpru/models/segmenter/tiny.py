"""A small promptable segmenter with a memory, in the manner of SAM 2 (arXiv 2408.00714).

A convolutional encoder looks at each picture once. A prompt of ``width`` numbers says where something is; a
decoder turns features and prompt into a mask. To follow it, every cell of the first picture is remembered with
the mask that it got; the cells of a later picture attend to those that look alike, and what they recall takes
the place of the prompt. The same is done with the picture just before, as things move on from there.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedConfig, PreTrainedModel

# Cells of the coarse features are so many pixels wide, those of the fine ones and of masks half of that.
STRIDE = 4
# A coordinate of a box is told as cosines and sines of so many octaves.
OCTAVES = 5
# How sharp the edges of a pointed-at box are drawn, in widths of a picture: near ones and, so that a prompt
# that is far off still feels which way to go, far ones.
EDGES = (0.02, 0.1)


class TinySegmenterConfig(PreTrainedConfig):
    """Sizes: ``picture`` pixels of a side, ``width`` numbers of a prompt, channels at three resolutions."""

    model_type = "tpru_tiny_segmenter"
    picture: int = 84
    width: int = 64
    fine: int = 16
    coarse: int = 32
    deep: int = 64


@dataclass(frozen=True)
class Seen:
    """Features of one picture: fine (channels, side, side) and coarse (channels, side / 2, side / 2)."""

    fine: Tensor
    coarse: Tensor


class _Block(nn.Module):
    """Two convolutions beside the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(4, channels)
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.second(functional.gelu(self.first(self.norm(x))))
        return out


class TinySegmenter(PreTrainedModel):
    """See the module. It is a :class:`tpru.models.segmenter.Segmenter` of ``side`` = half its picture's."""

    config_class = TinySegmenterConfig

    def __init__(self, config: TinySegmenterConfig) -> None:
        super().__init__(config)
        fine, coarse, deep = config.fine, config.coarse, config.deep
        self.width = config.width
        self.cells = config.picture // STRIDE
        self.side = 2 * self.cells
        # What a picture holds.
        self.stem = nn.Conv2d(3, fine, 6, stride=2, padding=2)
        self.down = nn.Conv2d(fine, coarse, 4, stride=2, padding=1)
        self.near = _Block(coarse)
        self.deeper = nn.Conv2d(coarse, deep, 3, stride=2, padding=1)
        self.deep = nn.Sequential(_Block(deep), _Block(deep))
        self.up = nn.Conv2d(deep, coarse, 1)
        # What a prompt means.
        self.box = nn.Sequential(
            nn.Linear(4 * (1 + 2 * OCTAVES), 128), nn.GELU(), nn.Linear(128, config.width),
            nn.LayerNorm(config.width, elementwise_affine=False),
        )  # fmt: skip
        self.corners = nn.Sequential(nn.Linear(config.width, 128), nn.GELU(), nn.Linear(128, 4))
        self.drawn = nn.Conv2d(4 * len(EDGES) * 4, coarse, 1)
        # What earlier pictures tell.
        self.key = nn.Conv2d(coarse, coarse, 1)
        self.stored = nn.Conv2d(coarse + 4, coarse, 1)
        self.recalled = nn.Conv2d(coarse, coarse, 1)
        self.stays = nn.Conv2d(8, coarse, 3, padding=1)
        self.sharpness = nn.Parameter(torch.tensor(2.7))
        self.reach = nn.Parameter(torch.tensor(10.0))
        self.recent = nn.Parameter(torch.tensor(0.0))
        # The mask.
        self.decoder = nn.Sequential(_Block(coarse), _Block(coarse))
        self.there = nn.Linear(2 * coarse, 1)
        self.rise = nn.ConvTranspose2d(coarse, fine, 2, stride=2)
        self.join = nn.Conv2d(2 * fine, fine, 3, padding=1)
        self.last = _Block(fine)
        self.mask = nn.Conv2d(fine, 1, 3, padding=1)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Layers are made with torch's own starting weights, which suit a network of this size."""

    def look(self, pictures: list[Image.Image]) -> list[Seen]:
        """Features of each picture, which is stretched to a square first."""
        with torch.no_grad():
            fine, coarse = self.encode(pixels_of(pictures, self.config.picture).to(self.device))
        return [Seen(f, c) for f, c in zip(fine, coarse, strict=True)]

    @staticmethod
    def clips_of(fine, coarse, lengths):
        seen = iter([Seen(f, c) for f, c in zip(fine, coarse, strict=True)])
        return [[next(seen) for _ in range(n)] for n in lengths]

    def encode(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Fine (n, channels, side, side) and coarse features of uint8 pixels (n, 3, picture, picture)."""
        x = (pixels.to(self.dtype) / 127.5 - 1).contiguous(memory_format=torch.channels_last)
        fine = functional.gelu(self.stem(x))
        coarse = self.near(functional.gelu(self.down(fine)))
        deep = self.up(self.deep(functional.gelu(self.deeper(coarse))))
        rise = functional.interpolate(deep, size=coarse.shape[-2:], mode="bilinear", align_corners=False)
        return fine, coarse + rise

    def point(self, boxes: Tensor) -> Tensor:
        """Prompts (n, width) of length sqrt(width) that point at boxes (n, 4), shares of the picture."""
        turns = 2.0 ** torch.arange(OCTAVES, device=boxes.device) * (math.pi / 2)
        angles = (boxes.unsqueeze(-1) * turns).flatten(1)
        prompts: Tensor = self.box(torch.cat([boxes, angles.sin(), angles.cos()], dim=1))
        return prompts

    def pointed(self, prompts: Tensor) -> Tensor:
        """The boxes (n, 4), shares of the picture, that prompts (n, width) point at."""
        boxes: Tensor = 0.5 + self.corners(prompts)
        return boxes

    def masks(self, seen: list[Seen], prompts: Tensor) -> Tensor:
        """Logits (n, side, side) of what each prompt (n, width) means in its picture."""
        fine, coarse = (torch.stack([getattr(s, name) for s in seen]) for name in ("fine", "coarse"))
        return self.decode(fine, coarse, self.where(prompts))

    def follow(self, clips: list[list[Seen]], prompts: Tensor) -> list[Tensor]:
        """Logits (frames, side, side) by clip; gradients reach the prompt from all frames."""
        first = self.masks([clip[0] for clip in clips], prompts)
        logits = [[mask] for mask in first]
        for t in range(1, max(len(clip) for clip in clips)):
            rows = [row for row, clip in enumerate(clips) if len(clip) > t]
            now = [clips[row][t] for row in rows]
            memories = [
                (torch.stack([clips[row][k].coarse for row in rows]), torch.stack([logits[row][k] for row in rows]))
                for k in sorted({0, t - 1})
            ]
            fine, coarse = (torch.stack([getattr(s, name) for s in now]) for name in ("fine", "coarse"))
            for row, mask in zip(rows, self.decode(fine, coarse, self.recall(coarse, memories)), strict=True):
                logits[row].append(mask)
        return [torch.stack(masks) for masks in logits]

    def where(self, prompts: Tensor) -> Tensor:
        """What prompts say about every cell, (n, channels, cells, cells): edges of the box that they mean."""
        at = (torch.arange(self.side, device=prompts.device, dtype=prompts.dtype) + 0.5) / self.side
        edges = self.pointed(prompts)
        parts = []
        for width in EDGES:
            left, top, right, bottom = (torch.tanh((at - edges[:, k : k + 1]) / width) for k in range(4))
            across, along = (left - right) / 2, (top - bottom) / 2
            parts.append(along.unsqueeze(2) * across.unsqueeze(1))
            parts.append((left + right).unsqueeze(1).expand_as(parts[0]) / 2)
            parts.append((top + bottom).unsqueeze(2).expand_as(parts[0]) / 2)
            parts.append(torch.minimum(along.unsqueeze(2), across.unsqueeze(1)))
        drawn: Tensor = self.drawn(functional.pixel_unshuffle(torch.stack(parts, dim=1), 2))
        return drawn

    def recall(self, coarse: Tensor, memories: list[tuple[Tensor, Tensor]]) -> Tensor:
        """What the cells of pictures (n, channels, cells, cells) recall of earlier ones.

        Args:
            coarse: of the present pictures.
            memories: features and mask logits of the first pictures, then of those just before, if others.
        """
        query = functional.normalize(self.key(coarse).flatten(2), dim=1)
        keys, values, nearness, masks = [], [], [], []
        distance = _distances(self.cells, coarse)
        for number, (features, logits) in enumerate(memories):
            keys.append(functional.normalize(self.key(features).flatten(2), dim=1))
            masks.append(4 * functional.pixel_unshuffle(torch.sigmoid(logits).unsqueeze(1), 2) - 2)
            values.append(self.stored(torch.cat([features, masks[-1]], dim=1)).flatten(2))
            nearness.append(self.recent * number - functional.softplus(self.reach) * distance)
        scores = torch.exp(self.sharpness) * query.transpose(1, 2) @ torch.cat(keys, dim=2)
        attention = torch.softmax(scores + torch.cat(nearness, dim=1), dim=2)
        found = (attention @ torch.cat(values, dim=2).transpose(1, 2)).transpose(1, 2).reshape(coarse.shape)
        out: Tensor = self.recalled(found) + self.stays(torch.cat([masks[0], masks[-1]], dim=1))
        return out

    def decode(self, fine: Tensor, coarse: Tensor, said: Tensor) -> Tensor:
        """Logits (n, side, side) from features and what is known about every cell."""
        x = functional.gelu(self.decoder(coarse + said))
        there = self.there(torch.cat([x.mean((2, 3)), x.amax((2, 3))], dim=1))
        x = functional.gelu(self.join(torch.cat([self.rise(x), fine], dim=1)))
        logits: Tensor = self.mask(self.last(x)).squeeze(1)
        return logits + functional.logsigmoid(there).unsqueeze(2)


def pixels_of(pictures: list[Image.Image], side: int) -> Tensor:
    """Pixels (n, 3, side, side), uint8, of pictures stretched to a square."""
    squares = [p.convert("RGB").resize((side, side), Image.Resampling.BILINEAR) for p in pictures]
    return torch.from_numpy(np.stack([np.asarray(s) for s in squares])).permute(0, 3, 1, 2)


def _distances(cells: int, like: Tensor) -> Tensor:
    """Squared distance between any two cells in shares of the picture, (cells^2, cells^2)."""
    at = (torch.arange(cells, device=like.device, dtype=like.dtype) + 0.5) / cells
    apart = (at.unsqueeze(0) - at.unsqueeze(1)).square()
    return (apart[:, None, :, None] + apart[None, :, None, :]).reshape(cells**2, cells**2)
