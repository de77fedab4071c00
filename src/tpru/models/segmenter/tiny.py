"""A small promptable segmenter with a memory, in the manner of SAM 2 (arXiv 2408.00714).

A convolutional encoder looks at each picture once. A prompt of ``width`` numbers says where something is; a
decoder turns features and prompt into a mask. To follow it, every cell of the first picture is remembered
with the mask that it got; the cells of a later picture attend to those that look alike, and what they recall
takes the place of the prompt.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedConfig, PreTrainedModel

# Cells of the coarse features are so many pixels wide; those of the fine ones, and of masks, half of that.
STRIDE = 4
# How softly the edges of a box are drawn, as shares of the picture: hardly, for its place, and widely, so
# that a prompt that is far off still feels which way to go.
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
        self.side = side_of(config.picture)
        # What a picture holds.
        self.stem = nn.Conv2d(3, fine, 6, stride=2, padding=2)
        self.down = nn.Conv2d(fine, coarse, 4, stride=2, padding=1)
        self.near = _Block(coarse)
        self.deeper = nn.Conv2d(coarse, deep, 3, stride=2, padding=1)
        self.deep = nn.Sequential(_Block(deep), _Block(deep))
        self.up = nn.Conv2d(deep, coarse, 1)
        # What a prompt means.
        self.edges = nn.Buffer(torch.linalg.qr(torch.randn(config.width, 4))[0].contiguous())
        self.drawn = nn.Conv2d(5 * len(EDGES) * 4, coarse, 1)
        # What earlier pictures tell.
        self.key = nn.Conv2d(coarse, coarse, 1)
        self.stored = nn.Conv2d(coarse + 4, coarse, 1)
        self.recalled = nn.Conv2d(coarse, coarse, 1)
        self.stays = nn.Conv2d(4, coarse, 3, padding=1)
        # Logarithms: a cell looks for what is like it, nearby first, as most things stay or move a little.
        self.likeness = nn.Parameter(torch.tensor(2.7))
        self.nearness = nn.Parameter(torch.tensor(3.7))
        # A first guess of the mask is refined, not made anew.
        self.trust = nn.Parameter(torch.tensor(2.0))
        # The mask.
        self.decoder = nn.Sequential(_Block(coarse), _Block(coarse))
        self.there = nn.Linear(2 * coarse, 1)
        self.rise = nn.ConvTranspose2d(coarse, fine, 2, stride=2)
        self.join = nn.Conv2d(2 * fine + 1, fine, 3, padding=1)
        self.last = _Block(fine)
        self.mask = nn.Conv2d(fine, 1, 3, padding=1)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Layers are made with torch's own starting weights, which suit a network of this size."""

    def look(self, pictures: list[Image.Image]) -> list[Seen]:
        """Features of each picture, which is stretched to a square first."""
        with torch.no_grad():
            return self.encode(pixels_of(pictures, self.config.picture).to(self.device))

    def encode(self, pixels: Tensor) -> list[Seen]:
        """Features of each of uint8 pixels (n, 3, picture, picture)."""
        x = (pixels.to(self.dtype) / 127.5 - 1).contiguous(memory_format=torch.channels_last)
        fine = functional.gelu(self.stem(x))
        coarse = self.near(functional.gelu(self.down(fine)))
        deep = self.up(self.deep(functional.gelu(self.deeper(coarse))))
        coarse = coarse + functional.interpolate(
            deep, size=coarse.shape[-2:], mode="bilinear", align_corners=False
        )
        return [Seen(f, c) for f, c in zip(fine, coarse, strict=True)]

    def point(self, boxes: Tensor) -> Tensor:
        """Prompts (n, width) that point at boxes (n, 4), shares of the picture; their numbers are about 1.

        A prompt is a linear image of the four edges, in random directions: nearby prompts mean nearby places,
        and gradients lead from any prompt to any other.
        """
        prompts: Tensor = (2 * boxes - 1) @ self.edges.T * math.sqrt(self.width)
        return prompts

    def pointed(self, prompts: Tensor) -> Tensor:
        """The boxes (n, 4), shares of the picture, that prompts (n, width) point at."""
        boxes: Tensor = (prompts @ self.edges / math.sqrt(self.width) + 1) / 2
        return boxes

    def masks(self, seen: list[Seen], prompts: Tensor) -> Tensor:
        """Logits (n, side, side) of what each prompt (n, width) means in its picture."""
        return self.decode(*_stacked(seen), *self.where(prompts))

    def follow(self, clips: list[list[Seen]], prompts: Tensor) -> list[Tensor]:
        """Logits (frames, side, side) by clip; gradients reach the prompt from all frames."""
        first = self.masks([clip[0] for clip in clips], prompts)
        rows = [row for row, clip in enumerate(clips) for _ in clip[1:]]
        if not rows:
            return list(first.unsqueeze(1))
        fine, coarse = _stacked([seen for clip in clips for seen in clip[1:]])
        _, before = _stacked([clip[0] for clip in clips])
        later = self.decode(fine, coarse, *self.recall(coarse, before[rows], first[rows]))
        parts = later.split([len(clip) - 1 for clip in clips])
        return [torch.cat([one.unsqueeze(0), rest]) for one, rest in zip(first, parts, strict=True)]

    def where(self, prompts: Tensor) -> tuple[Tensor, Tensor]:
        """What prompts say about every cell, (n, channels, cells, cells): edges of the box that they mean.

        The box itself, (n, side, side) in [-1, 1], is the first guess.
        """
        at = (torch.arange(self.side, device=prompts.device, dtype=prompts.dtype) + 0.5) / self.side
        edges = self.pointed(prompts)
        parts = []
        for width in EDGES:
            left, top, right, bottom = (torch.tanh((at - edges[:, k : k + 1]) / width) for k in range(4))
            across, down = torch.minimum(left, -right), torch.minimum(top, -bottom)
            parts.append(torch.minimum(down.unsqueeze(2), across.unsqueeze(1)))
            parts += [side.unsqueeze(1).expand_as(parts[0]) for side in (left, right)]
            parts += [side.unsqueeze(2).expand_as(parts[0]) for side in (top, bottom)]
        drawn: Tensor = self.drawn(functional.pixel_unshuffle(torch.stack(parts, dim=1), 2))
        return drawn, parts[0]

    def recall(self, coarse: Tensor, before: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
        """What the cells of pictures (n, channels, cells, cells) recall of earlier ones.

        The first guess, (n, side, side) in [-1, 1], is the mask of what looks alike.

        Args:
            coarse: of the present pictures.
            before: of the earlier ones.
            logits: the masks (n, side, side) of the earlier ones.
        """
        query, key = (functional.normalize(self.key(x).flatten(2), dim=1) for x in (coarse, before))
        parts = functional.pixel_unshuffle(2 * torch.sigmoid(logits).unsqueeze(1) - 1, 2)
        stored = torch.cat([self.stored(torch.cat([before, parts], dim=1)), parts], dim=1).flatten(2)
        scores = torch.exp(self.likeness) * query.transpose(1, 2) @ key
        far = torch.exp(self.nearness) * _distances(self.cells, coarse)
        found = torch.softmax(scores - far, dim=2) @ stored.transpose(1, 2)
        found = found.transpose(1, 2).unflatten(2, coarse.shape[-2:])
        recalled, guess = found.split([coarse.shape[1], 4], dim=1)
        said: Tensor = self.recalled(recalled) + self.stays(parts)
        return said, functional.pixel_shuffle(guess, 2).squeeze(1)

    def decode(self, fine: Tensor, coarse: Tensor, said: Tensor, guess: Tensor) -> Tensor:
        """Logits (n, side, side) from features, what is known about every cell, and the first guess."""
        x = functional.gelu(self.decoder(coarse + said))
        there = self.there(torch.cat([x.mean((2, 3)), x.amax((2, 3))], dim=1))
        x = functional.gelu(self.join(torch.cat([self.rise(x), fine, guess.unsqueeze(1)], dim=1)))
        logits: Tensor = self.mask(self.last(x)).squeeze(1) + self.trust * guess
        return logits + functional.logsigmoid(there).unsqueeze(2)


def _stacked(seen: list[Seen]) -> tuple[Tensor, Tensor]:
    return torch.stack([s.fine for s in seen]), torch.stack([s.coarse for s in seen])


def side_of(picture: int) -> int:
    """The side of masks for pictures of a side."""
    return 2 * (picture // STRIDE)


def pixels_of(pictures: list[Image.Image], side: int) -> Tensor:
    """Pixels (n, 3, side, side), uint8, of pictures stretched to a square."""
    squares = [p.convert("RGB").resize((side, side), Image.Resampling.BILINEAR) for p in pictures]
    return torch.from_numpy(np.stack([np.asarray(s) for s in squares])).permute(0, 3, 1, 2)


def _distances(cells: int, like: Tensor) -> Tensor:
    """Squared distance between any two cells in shares of the picture, (cells^2, cells^2)."""
    at = (torch.arange(cells, device=like.device, dtype=like.dtype) + 0.5) / cells
    apart = (at.unsqueeze(0) - at.unsqueeze(1)).square()
    return (apart[:, None, :, None] + apart[None, :, None, :]).reshape(cells**2, cells**2)
