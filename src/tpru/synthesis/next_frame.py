"""Next-frame prediction: all pictures but the last but one are given, which picture is missing?

With four pictures: steps 1, 2 and 4 are given (4 as the goal), 3 is asked (arXiv 2602.18884).
"""

import numpy as np

from tpru.records import Caption, Sequence
from tpru.synthesis.choice import choice_draft
from tpru.synthesis.draft import Draft, NegativeKind, Pool


def draft(
    sequence: Sequence,
    caption: Caption,
    kind: NegativeKind,
    pool: Pool,
    rng: np.random.Generator,
    number: int,
) -> Draft | None:
    """A next-frame question, or None where there are not enough distractors.

    Moments between the two given ones around the gap would be second right answers.
    """
    asked = len(sequence.frames) - 2
    low, high = sequence.frames[asked - 1].index, sequence.frames[asked + 1].index
    moments = tuple(f for f in sequence.outside if not low < f.index < high)
    return choice_draft("next_frame", sequence, caption, kind, pool, rng, number, asked, moments)
