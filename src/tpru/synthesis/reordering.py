"""Temporal reordering: n pictures in random order, which order is right?

Two forms (arXiv 2602.18884 leaves open which one it used): pictures labelled 1..n with candidate orders
as options, or pictures labelled A.. with the order written out as the answer.
"""

from itertools import permutations

import numpy as np

from tpru.records import LETTERS, Caption, Sequence
from tpru.synthesis.draft import N_OPTIONS, Draft, NegativeKind, Pool, description, noun
from tpru.synthesis.wording import IMAGE, ORDER_FORM, blocks, shows

DIGITS = "12345678"


def draft(
    sequence: Sequence,
    caption: Caption,
    kind: NegativeKind,
    pool: Pool,
    rng: np.random.Generator,
    number: int,
    written_out: bool,
) -> Draft:
    """A reordering question; wrong orders are drawn evenly from all others, so that none stands out."""
    n = len(sequence.frames)
    labels = LETTERS if written_out else DIGITS
    shuffle = [int(i) for i in rng.permutation(n)]  # shuffle[k]: which moment stands at label k
    right = "".join(labels[shuffle.index(moment)] for moment in range(n))
    others = ["".join(p) for p in permutations(labels[:n]) if "".join(p) != right]
    wrong = [others[i] for i in rng.choice(len(others), N_OPTIONS - 1, replace=False)]
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
        reasoning=_reasoning(sequence, caption, kind, labels, shuffle, right),
        number=number,
    )


def _reasoning(
    sequence: Sequence,
    caption: Caption,
    kind: NegativeKind,
    labels: str,
    shuffle: list[int],
    right: str,
) -> str:
    if kind == "caption":
        return f"{caption.positive} The description is about something else, so no option fits: {{letter}}."
    seen = [
        f"{labels[k]}: {shows(sequence.frames[moment], moment, sequence)}."
        for k, moment in enumerate(shuffle)
    ]
    text = " ".join(seen) + f" In order: {right}."
    if kind == "withheld":
        return text + " No option has this order: {letter}."
    return text
