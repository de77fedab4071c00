"""What the two picture-choice tasks share: given steps, one asked, picture options."""

import numpy as np

from tpru.records import Caption, KeyFrame, Sequence, Task
from tpru.synthesis.draft import Draft, NegativeKind, Pool, description, distractors, noun
from tpru.synthesis.wording import IMAGE, blocks, mismatch, shows


def choice_draft(
    task: Task,
    sequence: Sequence,
    caption: Caption,
    kind: NegativeKind,
    pool: Pool,
    rng: np.random.Generator,
    number: int,
    asked: int,
    moments: tuple[KeyFrame, ...],
) -> Draft | None:
    """A question for the picture at position ``asked`` of the sequence, the others given.

    ``moments`` are other moments of the trajectory that are no second right answer.
    """
    frames = sequence.frames
    others = [f.frame_id for f in frames if f != frames[asked]]
    own = (*moments, *sequence.alternatives)
    wrong = distractors(sequence, frames[asked].frame_id, others, own, pool, rng)
    if wrong is None:
        return None
    shown = wrong if kind == "withheld" else wrong[:-1]
    word = "Screen" if noun(sequence) == "screen" else "Step"
    given = [i for i in range(len(frames)) if i != asked]
    text = description(caption, kind)
    for i in given:
        goal = " (the goal)" if i == len(frames) - 1 and task == "next_frame" else ""
        text += f"\n{word} {i + 1}{goal}: {IMAGE}"
    text += f"\nWhich {noun(sequence)} is {word.lower()} {asked + 1}?"
    return Draft(
        task=task,
        sequence=sequence,
        caption=description(caption, kind),
        negative_kind=kind,
        question=blocks(text, [frames[i].frame_id for i in given]),
        options_are="image",
        right=frames[asked].frame_id,
        wrong=wrong,
        reasoning=_reasoning(sequence, kind, asked),
        number=number,
        difficulty=sum(pool.grade(f, sequence) for f in shown) / len(shown),
    )


def _reasoning(sequence: Sequence, kind: NegativeKind, asked: int) -> str:
    """The neighbour in time, then the letter of what is missing: a picture is named before it is told."""
    if kind == "caption":
        return mismatch(sequence)
    known = asked - 1 if asked else 1
    text = f"{known + 1}: {shows(sequence.frames[known], known, sequence)}."
    text += " Then" if asked else " Before it"
    if kind == "withheld":
        return text + " no option: {letter}."
    return text + f" {{letter}}: {shows(sequence.frames[asked], asked, sequence)}."
