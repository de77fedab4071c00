"""The words of the prompts and of the reasoning that SFT teaches.

The rules are those of arXiv 2602.18884 (a description, pictures, a question, a form to answer in); the
words are this project's own.
"""

from tpru.records import Block, KeyFrame, Option, Sequence

IMAGE = "<image>"
CHOICE_FORM = (
    "Think inside <think></think>, then write only the letter of your choice inside <answer></answer>."
)
ORDER_FORM = "Think inside <think></think>, then write only the letters in order inside <answer></answer>."


def blocks(text: str, images: list[str]) -> tuple[Block, ...]:
    """Text with ``<image>`` markers to blocks, the pictures filled in by order.

    Raises:
        ValueError: the numbers of markers and pictures differ.
    """
    parts = text.split(IMAGE)
    if len(parts) != len(images) + 1:
        raise ValueError(f"{len(parts) - 1} markers for {len(images)} pictures")
    out: list[Block] = []
    for position, part in enumerate(parts):
        if part:
            out.append(Block("text", part))
        if position < len(images):
            out.append(Block("image", images[position]))
    return tuple(out)


def option_blocks(options: list[Option]) -> tuple[Block, ...]:
    """The options, one a line, and the form of the answer."""
    lines = "".join(f"\n{o.letter}. {IMAGE if o.kind == 'image' else o.content}" for o in options)
    return blocks(lines + "\n" + CHOICE_FORM, [o.content for o in options if o.kind == "image"])


def completion(reasoning: str, answer: str) -> str:
    """The target of SFT and the form that the reward asks for."""
    return f"<think>{reasoning}</think><answer>{answer}</answer>"


def shows(frame: KeyFrame, position: int, sequence: Sequence) -> str:
    """What one picture shows: its step text, else its place in the sequence."""
    if frame.step:
        return frame.step
    if position == 0:
        return "the start"
    return "the end" if position == len(sequence.frames) - 1 else f"moment {position + 1}"


def mismatch(sequence: Sequence) -> str:
    """The reasoning where the description is about something else than the pictures show."""
    last = len(sequence.frames) - 1
    seen = shows(sequence.frames[last], last, sequence)
    return f"At the end {seen}, the description is about something else: {{letter}}."
