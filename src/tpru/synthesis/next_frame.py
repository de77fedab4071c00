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

    Frames outside the sequence lie before its first or after its last picture, so none of them could
    stand between the given ones.
    """
    asked = len(sequence.frames) - 2
    return choice_draft("next_frame", sequence, caption, kind, pool, rng, number, asked, sequence.outside)
