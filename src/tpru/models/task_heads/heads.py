"""The heads: a region, a set of moments, and the prompt of a mask, each from the state of a task token."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel

from tpru.grounding.records import GROUNDING_TASKS


class TaskHeadsConfig(PretrainedConfig):
    """Sizes of the heads: ``hidden_size`` is the width of the language model's states, ``frame_size`` that of
    a frame's features, ``mask_width`` that of a segmenter's prompt."""

    model_type = "tpru_task_heads"

    def __init__(
        self,
        hidden_size: int = 128,
        frame_size: int = 256,
        mask_width: int = 64,
        tasks: tuple[str, ...] = GROUNDING_TASKS,
        temporal_head: str = "detr",
        moment_queries: int = 10,
        temporal_width: int = 256,
        temporal_layers: int = 3,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.hidden_size = hidden_size
        self.frame_size = frame_size
        self.mask_width = mask_width
        self.tasks = list(tasks)
        self.temporal_head = temporal_head
        self.moment_queries = moment_queries
        self.temporal_width = temporal_width
        self.temporal_layers = temporal_layers


@dataclass(frozen=True)
class Frames:
    """The frames of n clips: ``features`` (n, frames, frame_size), ``times`` (n, frames, 2) of their begin
    and end as shares of the clip, ``mask`` (n, frames), True where there is a frame."""

    features: Tensor
    times: Tensor
    mask: Tensor


@dataclass(frozen=True)
class Moments:
    """Proposals: ``spans`` (n, queries, 2) of start and end as shares of the clip, ``logits`` (n, queries) of
    how sure they are, ``saliency`` (n, frames) logits; a head that knows no saliency has zeros."""

    spans: Tensor
    logits: Tensor
    saliency: Tensor


def two_layers(inside: int, between: int, outside: int) -> nn.Sequential:
    """The paper's two-layer perceptron with ReLU."""
    return nn.Sequential(nn.Linear(inside, between), nn.ReLU(), nn.Linear(between, outside))


class RegionHead(nn.Module):
    """A box from the state of the region token: (n, width) to (n, 4), left, top, right, bottom in [0, 1]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = two_layers(width, width // 2, 4)

    def forward(self, state: Tensor) -> Tensor:
        """Centre and size, each within the picture, to corners."""
        return corners(self.layers(state).float().sigmoid())


def corners(boxes: Tensor) -> Tensor:
    """(..., 4) of centre x, centre y, width and height to left, top, right and bottom."""
    centre, size = boxes.split(2, dim=-1)
    return torch.cat([centre - size / 2, centre + size / 2], dim=-1)


class MomentMlp(nn.Module):
    """The paper's ablation: one moment straight from the state."""

    def __init__(self, config: TaskHeadsConfig) -> None:
        super().__init__()
        self.layers = two_layers(config.hidden_size, config.hidden_size // 2, 2)

    def forward(self, state: Tensor, frames: Frames) -> Moments:
        """See :class:`Moments`; one query."""
        spans = ends(self.layers(state).float().sigmoid())[:, None]
        return Moments(spans, spans.new_zeros(len(spans), 1), spans.new_zeros(frames.mask.shape))


def ends(spans: Tensor) -> Tensor:
    """(..., 2) of centre and length to start and end."""
    centre, length = spans.split(1, dim=-1)
    return torch.cat([centre - length / 2, centre + length / 2], dim=-1)


class MomentSetHead(nn.Module):
    """A set of moments by a transformer over task token and frames, in the manner of DETR (arXiv 2005.12872)
    and Moment-DETR (2107.09609). The paper takes CG-DETR (2311.08835) with features of two further frozen
    networks; here the frames' features are Qwen's own."""

    def __init__(self, config: TaskHeadsConfig) -> None:
        super().__init__()
        width, heads = config.temporal_width, max(1, config.temporal_width // 32)

        def layer(kind: Any) -> Any:
            return kind(width, heads, 4 * width, dropout=0.0, batch_first=True, norm_first=True)

        self.of_state = nn.Linear(config.hidden_size, width)
        self.of_frame = nn.Sequential(nn.LayerNorm(config.frame_size), nn.Linear(config.frame_size, width))
        self.of_time = two_layers(2, width, width)
        self.encoder = nn.TransformerEncoder(
            layer(nn.TransformerEncoderLayer), config.temporal_layers, enable_nested_tensor=False
        )
        self.decoder = nn.TransformerDecoder(layer(nn.TransformerDecoderLayer), config.temporal_layers)
        self.norm = nn.LayerNorm(width)
        self.queries = nn.Parameter(torch.randn(config.moment_queries, width) * width**-0.5)
        self.span = two_layers(width, width, 2)
        self.sure = nn.Linear(width, 1)
        self.salient = nn.Linear(width, width)

    def forward(self, state: Tensor, frames: Frames) -> Moments:
        """State (n, hidden_size) and frames to :class:`Moments`."""
        task = self.of_state(state)[:, None]
        shown = self.of_frame(frames.features) + self.of_time(frames.times)
        # The task token stands in front and is always there.
        hidden = torch.cat([torch.zeros_like(frames.mask[:, :1]), ~frames.mask], dim=1)
        memory = self.encoder(torch.cat([task, shown], dim=1), src_key_padding_mask=hidden)
        asked = self.queries + task
        found = self.norm(self.decoder(asked, memory, memory_key_padding_mask=hidden))
        spans = ends(self.span(found).float().sigmoid())
        saliency = (self.salient(memory[:, :1]) * memory[:, 1:]).sum(-1) * memory.shape[-1] ** -0.5
        return Moments(spans, self.sure(found).squeeze(-1).float(), saliency.float())


class TaskHeads(PreTrainedModel):
    """The heads of the configured tasks; saved and loaded by ``save_pretrained`` and ``from_pretrained``."""

    config_class = TaskHeadsConfig
    base_model_prefix = "heads"

    def __init__(self, config: TaskHeadsConfig) -> None:
        super().__init__(config)
        parts: dict[str, nn.Module] = {}
        if "temporal" in config.tasks:
            parts["temporal"] = {"detr": MomentSetHead, "mlp": MomentMlp}[config.temporal_head](config)
        if "region" in config.tasks:
            parts["region"] = RegionHead(config.hidden_size)
        if "mask" in config.tasks:
            # What the paper calls the mask adapter: one layer to a prompt of the frozen segmenter.
            parts["mask"] = nn.Linear(config.hidden_size, config.mask_width)
        self.parts = nn.ModuleDict(parts)
        if not parts:
            # A variant that answers in words: files without any weight could not be loaded again.
            self.register_buffer("none", torch.zeros(1))
        self.post_init()

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights; a variant that answers in words has none."""
        return next((weight.dtype for weight in self.parameters()), torch.float32)

    def _init_weights(self, module: Any) -> None:
        """Parts start as torch makes them."""
