"""Language model and heads as one module that is trained; a thin wrapper around an ordinary Qwen2.5-VL."""

from collections.abc import Callable
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.module import _IncompatibleKeys

from tpru.config.tpo_schema import TpoLosses, Trained
from tpru.grounding.records import GROUNDING_TASKS, GroundingItem, GroundingTask
from tpru.models.prompts import Eyes
from tpru.models.segmenter import Segmenter
from tpru.models.task_heads.heads import TaskHeads
from tpru.models.task_heads.losses import box_only_loss, mask_loss, region_loss, temporal_loss
from tpru.models.task_heads.reading import Row, States, clip_times, frames_of, read_states
from tpru.store import decode_image


class TaskModel(nn.Module):
    """What one phase trains: ``language`` (with its adapter) and ``heads``. The segmenter is frozen and no
    part of the weights.

    Its ``state_dict`` holds what is trained alone: that is what a checkpoint needs.
    """

    def __init__(
        self,
        language: Any,
        heads: TaskHeads,
        segmenter: Segmenter | None,
        eyes: Eyes,
        picture: Callable[[str], Image.Image],
        losses: TpoLosses,
        region_loss: str,
        asked: list[GroundingTask],
    ) -> None:
        super().__init__()
        self.language = language
        self.heads = heads
        self._segmenter = segmenter
        self._eyes = eyes
        self._picture = picture
        self._losses = losses
        self._region_loss = region_loss
        self._asked = asked

    @property
    def base(self) -> Any:
        """The Qwen2.5-VL itself, adapters in its layers."""
        return self.language.get_base_model()

    def activation_checkpointing_enable(self, **how: Any) -> None:
        """Of the language model; what the trainer calls."""
        self.base.activation_checkpointing_enable(**how)
        self.base.enable_input_require_grads()

    def train_at(self, rates: dict[Trained, float]) -> dict[Trained, list[nn.Parameter]]:
        """Let learn what has a rate above 0, and nothing else; the weights by what they are."""
        groups: dict[Trained, list[nn.Parameter]] = {name: [] for name in rates}
        for name, weight in self.named_parameters():
            groups[part_of(name)].append(weight)
        for part, weights in groups.items():
            for weight in weights:
                # Of the language model itself and of its old rows nothing but adapters ever learns.
                weight.requires_grad_(rates[part] > 0.0 and weight.requires_grad)
        return {part: [w for w in weights if w.requires_grad] for part, weights in groups.items()}

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """The weights that are trained, by name."""
        trained = {name for name, weight in self.named_parameters() if weight.requires_grad}
        whole: dict[str, Any] = super().state_dict(*args, **kwargs)
        return {name: weight for name, weight in whole.items() if name in trained}

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        """Take the weights that are trained; the rest stays, and is not missing to the trainer."""
        known = {name for name, weight in self.named_parameters() if weight.requires_grad}
        if set(state_dict) != known:
            raise ValueError(f"a checkpoint of other weights: {sorted(set(state_dict) ^ known)[:5]}")
        super().load_state_dict(state_dict, strict=False, assign=assign)
        return _IncompatibleKeys([], [])

    def forward(self, rows: list[Row]) -> dict[str, Tensor]:
        """The weighted losses that these rows have, by name; ``loss`` is their sum."""
        if self.base.training:
            self._eyes.look({f for row in rows for f in row.prompt.pictures}, self.base)
        found: dict[str, Tensor] = {}
        said: dict[str, list[tuple[Tensor, Tensor]]] = {"assignment": [], "language": []}
        # Clips and single pictures apart: side by side one would be mostly padding.
        for task in (*GROUNDING_TASKS, None):
            own = [row for row in rows if row.task == task]
            if own:
                states = read_states(self.base, [row.prompt for row in own], self._eyes)
                said["assignment" if task else "language"].append(spoken(own, states))
                if task in self._asked:
                    # The learnable token is the last of its row.
                    asked = torch.stack([states.at(i, -1) for i in range(len(own))])
                    items: Any = [row.item for row in own]
                    found[task] = self._task_loss(task, states, asked, items)
        for name, parts in said.items():
            if parts:
                before, wanted = (torch.cat(column) for column in zip(*parts, strict=True))
                found[name] = functional.cross_entropy(self.base.lm_head(before).float(), wanted)
        weighted = {name: getattr(self._losses, name) * value for name, value in found.items()}
        return {"loss": torch.stack(list(weighted.values())).sum(), **found}

    def _task_loss(
        self, task: GroundingTask, states: States, asked: Tensor, items: list[GroundingItem]
    ) -> Tensor:
        if task == "mask":
            return self._masks(asked, items)
        if task == "region":
            truth = torch.tensor([item.regions[0].box for item in items], device=asked.device)
            return region_loss(self.heads.parts["region"](asked), truth, self._region_loss)
        frames = frames_of(states, items, self._eyes, self.base.config.image_token_id)
        moments = [moments_of(item).to(asked.device) for item in items]
        salient = torch.zeros(frames.mask.shape, device=asked.device)
        for row, item in enumerate(items):
            own = salient_of(item)
            salient[row, : len(own)] = own.to(asked.device)
        return temporal_loss(self.heads.parts["temporal"](asked, frames), moments, salient, frames.mask)

    def _masks(self, asked: Tensor, items: list[GroundingItem]) -> Tensor:
        logits = masks_of(self.heads, self._required(), items, asked, self._picture)
        side = self._required().side
        wholes: list[tuple[Tensor, Tensor]] = []
        boxes: list[tuple[Tensor, Tensor]] = []
        for item, found in zip(items, logits, strict=True):
            for region, drawn in zip(item.regions, found, strict=True):
                # Where a box is known without a mask, there may be anything within it.
                alone = region.box and not region.mask
                truth = region_mask(region.box, region.mask, side).to(drawn.device)
                (boxes if alone else wholes).append((drawn, truth))
        parts = [
            loss(torch.stack([drawn for drawn, _ in pairs]), torch.stack([truth for _, truth in pairs]))
            for loss, pairs in ((mask_loss, wholes), (box_only_loss, boxes))
            if pairs
        ]
        return torch.stack(parts).sum()

    def _required(self) -> Segmenter:
        if self._segmenter is None:
            raise ValueError("there are mask items and no segmenter")
        return self._segmenter


def spoken(rows: list[Row], states: States) -> tuple[Tensor, Tensor]:
    """The states (k, width) before the tokens to be learned, and these tokens (k,)."""
    places = [(i, p) for i, row in enumerate(rows) for p in range(row.said, row.until)]
    before = torch.stack([states.at(i, p - 1) for i, p in places])
    return before, torch.stack([rows[i].prompt.ids[p] for i, p in places]).to(before.device)


def part_of(name: str) -> Trained:
    """Which learning rate a weight has, by its name in :class:`TaskModel`."""
    if name.startswith("heads.parts."):
        part: Any = name.split(".")[2]
        return part
    if ".visual." in name:
        return "vision"
    return "tokens" if "trainable_tokens" in name else "language"


def masks_of(
    heads: TaskHeads,
    segmenter: Segmenter,
    items: list[GroundingItem],
    asked: Tensor,
    picture: Callable[[str], Image.Image],
) -> list[Tensor]:
    """Logits (frames, side, side) of each clip. A thing that is pointed at keeps the segmenter's own prompt,
    to which the head adds."""
    prompts = heads.parts["mask"](asked).float()
    pointed = [i for i, item in enumerate(items) if item.start]
    if pointed:
        starts = torch.tensor([items[i].start for i in pointed], device=prompts.device)
        places = torch.tensor(pointed, device=prompts.device)
        prompts = prompts.index_add(0, places, segmenter.point(starts).to(prompts))
    return segmenter.follow([segmenter.look([picture(f) for f in item.frames]) for item in items], prompts)


def moments_of(item: GroundingItem) -> Tensor:
    """(k, 2): the true moments as shares of the clip."""
    return torch.tensor([[m.start_s, m.end_s] for m in item.moments]) / item.duration


def salient_of(item: GroundingItem) -> Tensor:
    """(frames,): how much of each frame's time is in a moment; where people judged, their mean over 4."""
    times = clip_times(item)
    if item.saliency:
        middles = times.mean(dim=1) * item.duration
        judged = torch.tensor(item.saliency)
        known = judged >= 0
        mean = (judged * known).sum(0) / known.sum(0).clamp(min=1) / 4
        return mean[(middles / item.clip_s).long().clamp(max=len(mean) - 1)]
    covered = torch.zeros(len(times))
    for start, stop in moments_of(item).tolist():
        covered += (times[:, 1].clamp(max=stop) - times[:, 0].clamp(min=start)).clamp(min=0)
    return (covered / (times[:, 1] - times[:, 0]).clamp(min=1e-6)).clamp(max=1)


def region_mask(box: tuple[float, ...], mask: bytes, side: int) -> Tensor:
    """(side, side) of 0 and 1: the mask, nearest pixels; else the box filled; else nothing."""
    if mask:
        pixels = decode_image(mask).convert("L").resize((side, side), Image.Resampling.NEAREST)
        return (
            torch.frombuffer(bytearray(pixels.tobytes()), dtype=torch.uint8).view(side, side).gt(127).float()
        )
    cells = (torch.arange(side) + 0.5) / side
    if not box:
        return torch.zeros(side, side)
    left, top, right, bottom = box
    across, down = (cells >= left) & (cells < right), (cells >= top) & (cells < bottom)
    return (down[:, None] & across[None]).float()
