"""Temporal reordering: n pictures in random order, which order is right?

Two forms (arXiv 2602.18884 leaves open which one it used): pictures labelled 1..n with candidate orders
as options, or pictures labelled A.. with the order written out as the answer.
"""

import numpy as np

from tpru.records import DIGITS, LETTERS, Caption, Sequence
from tpru.synthesis.difficulty import order_difficulty, wrong_orders
from tpru.synthesis.draft import N_OPTIONS, Draft, NegativeKind, Pool, description, noun
from tpru.synthesis.wording import IMAGE, ORDER_FORM, blocks, mismatch, shows

TRIES = 24
# Of the orders to be written out that likeness alone gives away, the share that is kept. A thing that is
# built grows, so that the middle one of three pictures looks like the middle one; with all of them, pictures
# that are merely compared gave 31% of the orders of three instead of 17%.
GIVEN_AWAY_SHARE = 0.5


def draft(
    sequence: Sequence,
    caption: Caption,
    kind: NegativeKind,
    pool: Pool,
    rng: np.random.Generator,
    number: int,
    written_out: bool,
) -> Draft | None:
    """A reordering question; half of those with options have wrong orders close to the right one.

    An order that is written out counts as hardest: every other order is open. None for half of those that
    likeness gives away.
    """
    n = len(sequence.frames)
    spared = rng.random() < GIVEN_AWAY_SHARE
    if written_out and not spared and pool.likeness.gives_away([f.frame_id for f in sequence.frames]):
        return None
    labels = LETTERS if written_out else DIGITS
    shuffle = [int(i) for i in rng.permutation(n)]  # shuffle[k]: which moment stands at label k
    right = "".join(labels[shuffle.index(moment)] for moment in range(n))
    wrong = _wrong(sequence, right, pool, rng)
    thing = noun(sequence)
    text = description(caption, kind) + f"\nThe {thing}s are in random order."
    text += "".join(f"\n{thing.capitalize()} {labels[k]}: {IMAGE}" for k in range(n))
    text += "\nWhich order shows the task from start to end?" + (f"\n{ORDER_FORM}" if written_out else "")
    return Draft(
        task="reordering",
        sequence=sequence,
        caption=description(caption, kind),
        negative_kind=kind,
        question=blocks(text, [sequence.frames[moment].frame_id for moment in shuffle]),
        options_are=None if written_out else "permutation",
        right=right,
        wrong=tuple(wrong),
        reasoning=_reasoning(sequence, kind, labels, shuffle),
        number=number,
        difficulty=1.0
        if written_out
        else order_difficulty(right, wrong if kind == "withheld" else wrong[:-1]),
    )


def _wrong(sequence: Sequence, right: str, pool: Pool, rng: np.random.Generator) -> list[str]:
    """Wrong orders, several of which lead through the pictures as smoothly as the right one, if any do."""
    close, wanted = bool(rng.random() < 0.5), int(rng.integers(N_OPTIONS - 1))
    frames = [f.frame_id for f in sequence.frames]
    drawn = [wrong_orders(right, N_OPTIONS - 1, close, rng) for _ in range(TRIES)]
    return min(drawn, key=lambda w: abs(pool.likeness.shorter(frames, right, w[:-1]) - wanted))


def _reasoning(
    sequence: Sequence,
    kind: NegativeKind,
    labels: str,
    shuffle: list[int],
) -> str:
    """The pictures in their order in time, each with its label."""
    if kind == "caption":
        return mismatch(sequence)
    seen = " ".join(
        f"{labels[shuffle.index(moment)]}: {shows(frame, moment, sequence)}."
        for moment, frame in enumerate(sequence.frames)
    )
    if kind == "withheld":
        return seen + " No option has this order: {letter}."
    return seen
