"""Previous-frame review: the later pictures are given, which picture came before them?

With four pictures: steps 2, 3 and 4 are given, 1 is asked (arXiv 2602.18884).
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
    """A previous-frame question, or None where there are not enough distractors.

    Moments from before the first given one also came before: they would be second right answers.
    """
    first = sequence.frames[1].index
    later = tuple(f for f in sequence.outside if f.index > first)
    return choice_draft("previous_frame", sequence, caption, kind, pool, rng, number, 0, later)
