"""An item before its options have letters, and what the tasks need to make one."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tpru.records import NONE_OPTION, Block, Caption, KeyFrame, Option, Sequence, Task
from tpru.synthesis.difficulty import OTHER_FAMILY, SAME_FAMILY, SAME_SCENE
from tpru.synthesis.likeness import Likeness
from tpru.trajectories.signature import Signature, change

N_OPTIONS = 5
TRIED = 40
LOOK_ALIKES = 3
LOOK_ALIKE_SHARE = 0.3
FOREIGN_PRICE = 4.0
MOST_CANDIDATES = 14
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
    difficulty: float


@dataclass(frozen=True)
class Pool:
    """Pictures that may serve as distractors: the frames of one split, and how all of them look."""

    frames: tuple[tuple[str, str, str], ...]  # (trajectory_id, family, frame_id)
    looks: dict[str, Signature]
    same_look: float
    likeness: Likeness

    def differs(self, frame_id: str, others: list[str]) -> bool:
        """Whether a picture looks unlike each of the others."""
        look = self.looks[frame_id]
        return all(frame_id != o and change(look, self.looks[o]) >= self.same_look for o in others)

    def unlike(self, candidates: list[str], taken: list[str], most: int) -> list[str]:
        """The first ``most`` candidates that look unlike ``taken`` and unlike each other."""
        kept: list[str] = []
        for frame_id in candidates:
            if len(kept) < most and self.differs(frame_id, [*taken, *kept]):
                kept.append(frame_id)
        return kept

    def grade(self, frame_id: str, sequence: Sequence) -> float:
        """How close a wrong picture is: of the same scene, of a look-alike, or of another family."""
        if any(f.frame_id == frame_id for f in (*sequence.outside, *sequence.alternatives)):
            return SAME_SCENE
        family = next((fam for _, fam, f in self.frames if f == frame_id), None)
        return SAME_FAMILY if family == sequence.family else OTHER_FAMILY

    def most_alike(self, frame_id: str, candidates: list[str]) -> list[str]:
        """The candidates, the most similar first."""
        return sorted(candidates, key=lambda f: (change(self.looks[f], self.looks[frame_id]), f))


def noun(sequence: Sequence) -> str:
    """What a picture is called: GUI items speak of screens."""
    return "screen" if sequence.scenario == "gui" else "picture"


def description(caption: Caption, kind: NegativeKind) -> str:
    """The description shown: the contradicting one for caption negatives."""
    return caption.negative if kind == "caption" else caption.positive


def distractors(
    sequence: Sequence,
    right: str,
    given: list[str],
    own: tuple[KeyFrame, ...],
    pool: Pool,
    rng: np.random.Generator,
) -> tuple[str, ...] | None:
    """Four wrong pictures that look unlike each other, the right one and the given ones; None if too few.

    They come from the same scene (``own``: other moments, and what was not done), now and then one from a
    look-alike: the most similar pictures of other episodes of the family; other families are used only
    where these are too few. :mod:`tpru.synthesis.likeness` says how they are balanced. The last one is
    shown only where the right one is withheld.
    """
    taken = [right, *given]
    near = [f.frame_id for f in own]
    rng.shuffle(near)
    same = [f for t, fam, f in pool.frames if t != sequence.trajectory_id and fam == sequence.family]
    alike = pool.most_alike(right, [same[i] for i in rng.permutation(len(same))[:TRIED]])
    candidates = pool.unlike([*near, *alike[:LOOK_ALIKES]], taken, MOST_CANDIDATES)
    if len(candidates) < N_OPTIONS - 1:
        rest = [f for t, fam, f in pool.frames if t != sequence.trajectory_id and fam != sequence.family]
        spare = alike[LOOK_ALIKES:] + [rest[i] for i in rng.permutation(len(rest))[:TRIED]]
        candidates = pool.unlike([*candidates, *spare], taken, N_OPTIONS - 1)
    if len(candidates) < N_OPTIONS - 1:
        return None
    # Pictures of another scene are easy to tell; most items do without.
    price = 0.0 if rng.random() < LOOK_ALIKE_SHARE else FOREIGN_PRICE
    costs = np.array([0.0 if f in near else price for f in candidates])
    chosen = pool.likeness.choose(right, given, candidates, costs, rng)
    return (*chosen[0], chosen[1]) if chosen else None


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
