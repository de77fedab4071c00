"""The training form of SEED-Bench-R1 (arXiv 2503.24376): what to do next, one of four answers.

The published training draws three of the wrong answers of a record and shuffles all four anew at every run;
here the seed and the name of the record decide.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tpru.errors import ManifestError
from tpru.randomness import generator
from tpru.trajectories.egoplan_records import LETTERS, EgoPlanRecord

WRONG = len(LETTERS) - 1


@dataclass(frozen=True)
class EgoPlanQuestion:
    """A record with four ``options``; ``answer`` is the letter (A to D) of the right one."""

    question_id: str
    record: EgoPlanRecord
    options: tuple[str, ...]
    answer: str


def questions(records: Iterable[EgoPlanRecord], seed: int) -> tuple[EgoPlanQuestion, ...]:
    """A question for each training record, in their order; what it gives does not depend on the others.

    Raises:
        ManifestError: a record has no three wrong answers that differ from each other and from the right one.
    """
    return tuple(_question(record, seed) for record in records)


def _question(record: EgoPlanRecord, seed: int) -> EgoPlanQuestion:
    name = f"{record.video_source}/{record.video_id}/{record.sample_id}"
    # Answers that differ in case alone would both be right, or both wrong.
    wrong = {text.casefold(): text for text in sorted(record.negatives)}
    wrong.pop(record.answer.casefold(), None)
    if len(wrong) < WRONG:
        raise ManifestError(
            f"{record.where}: expected under 'negative_answers' {WRONG} texts that differ from each other "
            f"and from 'answer', found {len(wrong)}; name a file of training records, or remove the record"
        )
    rng = generator(seed, "egoplan_question", name)
    drawn = [sorted(wrong.values())[k] for k in rng.choice(len(wrong), WRONG, replace=False)]
    options = [record.answer, *drawn]
    order = rng.permutation(len(options)).tolist()
    return EgoPlanQuestion(name, record, tuple(options[k] for k in order), LETTERS[order.index(0)])
