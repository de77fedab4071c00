"""An item before its options have letters, and what the tasks need to make one."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tpru.records import NONE_OPTION, Block, Caption, KeyFrame, Option, Sequence, Task
from tpru.trajectories.signature import Signature, change

N_OPTIONS = 5
NegativeKind = Literal["", "caption", "withheld"]


@dataclass(frozen=True)
class Draft:
    """A question with its right content and enough wrong ones; letters come later.

    ``reasoning`` holds ``{letter}`` where the letter of the right option belongs.
    ``right`` is the true content even where the item is unanswerable. ``options_are`` is None for an
    answer written out as a permutation: then ``right`` is that answer and there are no options.
    """

    task: Task
    sequence: Sequence
    caption: str
    negative_kind: NegativeKind
    question: tuple[Block, ...]
    options_are: Literal["image", "permutation"] | None
    right: str
    wrong: tuple[str, ...]
    reasoning: str
    number: int


@dataclass(frozen=True)
class Pool:
    """Pictures that may serve as distractors: the frames of one split, and how all of them look."""

    frames: tuple[tuple[str, str, str], ...]  # (trajectory_id, family, frame_id)
    looks: dict[str, Signature]
    same_look: float

    def differs(self, frame_id: str, others: list[str]) -> bool:
        """Whether a picture looks unlike each of the others."""
        look = self.looks[frame_id]
        return all(frame_id != o and change(look, self.looks[o]) >= self.same_look for o in others)


def noun(sequence: Sequence) -> str:
    """What a picture is called: GUI items speak of screens."""
    return "screen" if sequence.scenario == "gui" else "picture"


def description(caption: Caption, kind: NegativeKind) -> str:
    """The description shown: the contradicting one for caption negatives."""
    return caption.negative if kind == "caption" else caption.positive


def distractors(
    sequence: Sequence,
    taken: list[str],
    first_choice: tuple[KeyFrame, ...],
    pool: Pool,
    rng: np.random.Generator,
) -> tuple[str, ...] | None:
    """Four pictures that look unlike each other and unlike ``taken``; None when there are not enough.

    Other moments of the same trajectory come first, then frames of other trajectories of the pool,
    those of the same family before the rest.
    """
    near = [f.frame_id for f in first_choice]
    rng.shuffle(near)
    same = [f for t, fam, f in pool.frames if t != sequence.trajectory_id and fam == sequence.family]
    rest = [f for t, fam, f in pool.frames if t != sequence.trajectory_id and fam != sequence.family]
    chosen: list[str] = []
    for candidates, tries in ((near, len(near)), (same, 40), (rest, 40)):
        order = rng.permutation(len(candidates))[:tries]
        for frame_id in (candidates[i] for i in order):
            if pool.differs(frame_id, [*taken, *chosen]):
                chosen.append(frame_id)
            if len(chosen) == N_OPTIONS - 1:
                return tuple(chosen)
    return None


def options_of(draft: Draft, letters: str, answer: str, rng: np.random.Generator) -> list[Option]:
    """The five options with the right one at ``answer``; the others in random order.

    Raises:
        ValueError: the draft has no options.
    """
    kind = draft.options_are
    if kind is None:
        raise ValueError("this item is answered with a permutation and has no options")
    wrong = [Option("", kind, content) for content in draft.wrong]
    none = Option("", "none", NONE_OPTION)
    true = Option("", kind, draft.right)
    if draft.negative_kind == "withheld":
        right, others = none, wrong
    elif draft.negative_kind == "caption":
        right, others = none, [true, *wrong[:-1]]
    else:
        right, others = true, [none, *wrong[:-1]]
    shuffled = [others[i] for i in rng.permutation(len(others))]
    shuffled.insert(letters.index(answer), right)
    return [Option(letter, o.kind, o.content) for letter, o in zip(letters, shuffled, strict=True)]
