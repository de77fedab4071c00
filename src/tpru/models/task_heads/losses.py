"""What the heads are taught by. Spans and boxes are shares; every loss is the mean over the batch."""

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional

from tpru.models.task_heads.heads import Moments

# Weights of CG-DETR as the paper's code has them, and the factor on their sum.
SPAN, GIOU, SURE, SALIENT, ALL = 10.0, 1.0, 4.0, 4.0, 0.05
# The released code has 2 x L1 + gIoU / 5; the paper's text has the mean squared error.
BOX_L1, BOX_GIOU = 2.0, 0.2
# Of ten proposals about one is right: the others must not drown it.
EMPTY = 0.1


def generalised_iou(a: Tensor, b: Tensor) -> Tensor:
    """Generalised IoU (arXiv 1902.09630) of boxes or spans (..., 2 k), all starts before all ends: (...)."""
    both, union, hull = _volumes(a, b)
    return both / union.clamp(min=1e-6) - (hull - union) / hull.clamp(min=1e-6)


def plain_iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of the same, in [0, 1]."""
    both, union, _ = _volumes(a, b)
    return both / union.clamp(min=1e-6)


def _volumes(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of the intersection, the union and the hull."""
    half = a.shape[-1] // 2

    def volume(starts: Tensor, stops: Tensor) -> Tensor:
        return (stops - starts).clamp(min=0).prod(-1)

    both = volume(torch.maximum(a[..., :half], b[..., :half]), torch.minimum(a[..., half:], b[..., half:]))
    union = volume(a[..., :half], a[..., half:]) + volume(b[..., :half], b[..., half:]) - both
    hull = volume(torch.minimum(a[..., :half], b[..., :half]), torch.maximum(a[..., half:], b[..., half:]))
    return both, union, hull


def region_loss(boxes: Tensor, truth: Tensor, kind: str) -> Tensor:
    """Of boxes (n, 4): ``mse`` as in the paper's text, ``l1_giou`` as in its code."""
    if kind == "mse":
        return functional.mse_loss(boxes, truth)
    apart = functional.l1_loss(boxes, truth)
    return BOX_L1 * apart + BOX_GIOU * (1 - generalised_iou(boxes, truth)).mean()


def match(spans: Tensor, logits: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """The cheapest pairs of proposals (queries, 2) and true moments (k, 2), as two index tensors."""
    with torch.no_grad():
        apart = torch.cdist(spans.float(), truth.float(), p=1)
        overlap = generalised_iou(spans[:, None], truth[None])
        cost = SPAN * apart - GIOU * overlap - SURE * logits.float().sigmoid()[:, None]
    rows, columns = linear_sum_assignment(cost.cpu().numpy())
    return torch.as_tensor(rows, device=spans.device), torch.as_tensor(columns, device=spans.device)


def temporal_loss(found: Moments, truth: list[Tensor], salient: Tensor, shown: Tensor) -> Tensor:
    """Set prediction: proposals matched to the true moments (k, 2) of each clip.

    Args:
        found: what the head proposes.
        truth: by clip its moments (k, 2), start and end.
        salient: (n, frames) how much each frame belongs to them, in [0, 1].
        shown: (n, frames) True where there is a frame.
    """
    spans, sure = [], []
    for i, moments in enumerate(truth):
        rows, columns = match(found.spans[i], found.logits[i], moments)
        chosen, wanted = found.spans[i][rows], moments[columns]
        apart = functional.l1_loss(chosen, wanted)
        spans.append(SPAN * apart + GIOU * (1 - generalised_iou(chosen, wanted)).mean())
        labels = torch.zeros_like(found.logits[i]).index_fill(0, rows, 1.0)
        weights = torch.where(labels > 0, 1.0, EMPTY)
        each = functional.binary_cross_entropy_with_logits(found.logits[i], labels, weights, reduction="sum")
        sure.append(each / weights.sum())
    marked = functional.binary_cross_entropy_with_logits(found.saliency, salient, reduction="none")
    marked = (marked * shown).sum() / shown.sum()
    return ALL * (torch.stack(spans).mean() + SURE * torch.stack(sure).mean() + SALIENT * marked)


def mask_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy of the pixels plus dice, of masks (n, side, side); ``truth`` is 0 or 1."""
    pixels = functional.binary_cross_entropy_with_logits(logits, truth)
    return pixels + dice(logits.sigmoid().flatten(1), truth.flatten(1))


def box_only_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Where a box alone is known, filled in ``truth`` (n, side, side): the mask has to reach its four sides
    and no farther (the projection term of BoxInst, arXiv 2012.02310)."""
    chances = logits.sigmoid()
    across = dice(chances.amax(dim=1), truth.amax(dim=1))
    return across + dice(chances.amax(dim=2), truth.amax(dim=2))


def dice(chances: Tensor, truth: Tensor) -> Tensor:
    """1 - the soft Dice coefficient of (n, cells), smoothed by one cell."""
    both = (chances * truth).sum(-1)
    return (1 - (2 * both + 1) / (chances.sum(-1) + truth.sum(-1) + 1)).mean()
