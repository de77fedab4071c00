"""What the two picture-choice tasks share: given steps, one asked, picture options."""

import numpy as np

from tpru.records import Caption, KeyFrame, Sequence, Task
from tpru.synthesis.draft import Draft, NegativeKind, Pool, description, distractors, noun
from tpru.synthesis.wording import IMAGE, blocks, shows


def choice_draft(
    task: Task,
    sequence: Sequence,
    caption: Caption,
    kind: NegativeKind,
    pool: Pool,
    rng: np.random.Generator,
    number: int,
    asked: int,
    first_choice: tuple[KeyFrame, ...],
) -> Draft | None:
    """A question for the picture at position ``asked`` of the sequence, the others given."""
    frames = sequence.frames
    wrong = distractors(sequence, [f.frame_id for f in frames], first_choice, pool, rng)
    if wrong is None:
        return None
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
        reasoning=_reasoning(sequence, caption, kind, given, asked),
        number=number,
    )


def _reasoning(sequence: Sequence, caption: Caption, kind: NegativeKind, given: list[int], asked: int) -> str:
    if kind == "caption":
        return f"{caption.positive} The description is about something else, so no option fits: {{letter}}."
    seen = " ".join(f"{i + 1}: {shows(sequence.frames[i], i, sequence)}." for i in given)
    missing = shows(sequence.frames[asked], asked, sequence)
    text = f"{seen} Missing {asked + 1}: {missing}."
    if kind == "withheld":
        return text + " No option shows it: {letter}."
    return text + " That is {letter}."
