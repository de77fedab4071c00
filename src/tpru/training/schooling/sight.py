"""First the vision tower alone: linear readers of its tokens must tell what a moment shows.

Language and vision together from random weights learn nothing for a long time; a tower that already
holds the state of the scene in its tokens can be spoken about at once.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tpru.models.task_heads.heads import corners
from tpru.models.task_heads.losses import plain_iou, region_loss
from tpru.models.vision import encode_pictures
from tpru.training.schooling.scenes import Scene

FRAMES_PER_SCENE = 4
LEAST_SEEN = 12
# Of the L1 + gIoU of a box, and of finding its token: to read where things are is to be worth as much as to
# read what they are.
BOX, TOKEN = 6.0, 0.6


@dataclass(frozen=True)
class Vocabulary:
    """What can be said of a frame: words of steps, answers by question (with the question's column range in
    ``spans``), and words of the names of things (``names``)."""

    words: dict[str, int]
    answers: dict[tuple[str, str], int]
    spans: dict[str, tuple[int, int]]
    names: dict[str, int]


def vocabulary(scenes: list[Scene]) -> Vocabulary:
    """Words and answers that occur often enough to be learned."""
    words: Counter[str] = Counter()
    answers: Counter[tuple[str, str]] = Counter()
    names: Counter[str] = Counter()
    for scene in scenes:
        for name in {name for frame in scene.places for name, _ in frame}:
            names.update(set(name.split()))
        for step, facts in zip(scene.steps, scene.facts, strict=True):
            words.update(set(step.split()))
            answers.update(set(facts))
    kept = sorted(w for w, n in words.items() if n >= LEAST_SEEN)
    known = sorted(a for a, n in answers.items() if n >= LEAST_SEEN)
    spans: dict[str, tuple[int, int]] = {}
    for column, (question, _) in enumerate(known):
        first = spans.get(question, (column, column))[0]
        spans[question] = (first, column + 1)
    called = sorted(w for w, n in names.items() if n >= LEAST_SEEN)
    return Vocabulary(
        {w: i for i, w in enumerate(kept)},
        {a: i for i, a in enumerate(known)},
        spans,
        {w: i for i, w in enumerate(called)},
    )


class Readers(nn.Module):
    """Linear readers that treat all tokens of a picture alike.

    A language model reads by attention: what stands in one token alone, or in all of them together but
    differently in each, it finds late or never. So words and answers are read off the mean of the tokens,
    and progress and a rank in time off every single one. A thing is found as attention would find it: its
    name picks tokens, and where it is stands in what was picked, whichever token that was.
    """

    def __init__(self, width: int, words: Vocabulary) -> None:
        super().__init__()
        self.words = nn.Linear(width, len(words.words))
        self.answers = nn.Linear(width, max(1, len(words.answers)))
        self.progress = nn.Linear(width, 1)
        self.rank = nn.Linear(width, 1)
        self.names = nn.Linear(max(1, len(words.names)), width)
        self.things = nn.Linear(width, width)
        self.box = nn.Linear(width, 4)

    def find(self, seen: Tensor, named: Tensor) -> tuple[Tensor, Tensor]:
        """Where things are.

        Args:
            seen: (k, tokens, width) of the picture that each thing is in.
            named: (k, words) of their names, 0 or 1.

        Returns:
            Logits (k, tokens) of the token that shows it, and its box (k, 4): left, top, right, bottom.
        """
        name = self.names(named)
        logits = (seen @ name.unsqueeze(-1)).squeeze(-1) * seen.shape[-1] ** -0.5
        picked = (logits.softmax(-1).unsqueeze(1) @ seen).squeeze(1)
        return logits, corners(torch.sigmoid(self.box(self.things(picked) * name).float()))


@dataclass(frozen=True)
class Look:
    """A batch of frames: indices (scene, frame), and what can be said of them."""

    scenes: list[int]
    frames: list[int]


def draw(scenes: list[Scene], batch: int, rng: np.random.Generator) -> Look:
    """``batch`` frames, some of every drawn scene."""
    chosen = rng.integers(len(scenes), size=batch // FRAMES_PER_SCENE)
    out = Look([], [])
    for s in chosen:
        n = len(scenes[s].steps)
        for f in rng.choice(n, FRAMES_PER_SCENE, replace=n < FRAMES_PER_SCENE):
            out.scenes.append(int(s))
            out.frames.append(int(f))
    return out


def targets(scenes: list[Scene], look: Look, known: Vocabulary) -> dict[str, Tensor]:
    """Words (n, words), answers and which of them were asked (n, answers), progress (n,); of the k things in
    these frames ``named`` (k, words), their row ``of`` (k,) and ``boxes`` (k, 4)."""
    n = len(look.frames)
    words = torch.zeros(n, len(known.words))
    answers = torch.zeros(n, max(1, len(known.answers)))
    asked = torch.zeros_like(answers)
    progress = torch.zeros(n)
    of, boxes, called = [], [], []
    for row, (s, f) in enumerate(zip(look.scenes, look.frames, strict=True)):
        scene = scenes[s]
        for word in set(scene.steps[f].split()):
            if word in known.words:
                words[row, known.words[word]] = 1
        for question, answer in scene.facts[f]:
            if (question, answer) in known.answers:
                start, end = known.spans[question]
                asked[row, start:end] = 1
                answers[row, known.answers[(question, answer)]] = 1
        progress[row] = scene.progress[f]
        for name, box in scene.places[f]:
            of.append(row)
            boxes.append(box)
            called.append([known.names[w] for w in name.split() if w in known.names])
    named = torch.zeros(len(of), max(1, len(known.names)))
    for row, columns in enumerate(called):
        named[row, columns] = 1
    return {
        "words": words,
        "answers": answers,
        "asked": asked,
        "progress": progress,
        "named": named,
        "of": torch.tensor(of, dtype=torch.long),
        "boxes": torch.tensor(boxes).view(-1, 4),
    }


def cells(boxes: Tensor, grid: tuple[int, int]) -> Tensor:
    """Which share of each box (k, 4) every cell of a picture of (height, width) cells shows: (k, cells)."""
    height, width = grid
    tall = _along(boxes[:, 1], boxes[:, 3], height)
    wide = _along(boxes[:, 0], boxes[:, 2], width)
    shares = (tall[:, :, None] * wide[:, None, :]).flatten(1)
    return shares / shares.sum(1, keepdim=True).clamp(min=1e-9)


def _along(first: Tensor, last: Tensor, n: int) -> Tensor:
    """How much of the stretch from ``first`` to ``last`` (k,) lies in each of n parts of [0, 1]: (k, n)."""
    edges = torch.linspace(0, 1, n + 1)
    both = torch.minimum(last[:, None], edges[1:]) - torch.maximum(first[:, None], edges[:-1])
    return both.clamp(min=0)


def losses(
    visual: Any,
    readers: Readers,
    patches: Tensor,
    grid: tuple[int, int],
    look: Look,
    wanted: dict[str, Tensor],
) -> dict[str, Tensor]:
    """The parts of the loss of one batch; ``order_right`` is a share and ``overlap`` the mean IoU of boxes,
    neither a loss."""
    seen = encode_pictures(visual, patches, grid)
    mean = seen.mean(1)
    each = functional.binary_cross_entropy_with_logits
    words = each(readers.words(mean), wanted["words"], reduction="none")
    answers = each(readers.answers(mean), wanted["answers"], reduction="none")
    done = torch.sigmoid(readers.progress(seen)).squeeze(-1)
    progress = functional.mse_loss(done, wanted["progress"].unsqueeze(1).expand_as(done))
    n = len(look.frames)
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n) if look.scenes[i] == look.scenes[j]]
    pairs = [(i, j) for i, j in pairs if look.frames[i] != look.frames[j]]
    first, second = (torch.tensor(p) for p in zip(*pairs, strict=True))
    before = torch.tensor([float(look.frames[i] < look.frames[j]) for i, j in pairs])
    rank = readers.rank(seen).squeeze(-1)
    logit = rank[second] - rank[first]
    of, boxes = wanted["of"], wanted["boxes"]
    token, found = readers.find(seen[of], wanted["named"])
    shown = cells(boxes, (grid[0] // 2, grid[1] // 2))
    return {
        "words": words.sum(1).mean() * 0.3,
        "answers": (answers * wanted["asked"]).sum(1).mean() * 0.3,
        "progress": progress * 10,
        "order": each(logit, before.unsqueeze(1).expand_as(logit)) * 2,
        "token": functional.cross_entropy(token.float(), shown) * TOKEN,
        "box": region_loss(found, boxes, "l1_giou") * BOX,
        "overlap": plain_iou(found, boxes).mean().detach(),
        "order_right": ((logit.mean(1) > 0) == (before > 0)).float().mean().detach(),
    }
