"""Captions of a sequence: what its pictures show, and another plausible action of the same scenario.

The template captioner here works from goal and step text; :mod:`tpru.synthesis.endpoint_captions` asks a
vision-language model that sees the pictures. Both make :class:`~tpru.records.Caption` records.
"""

import re
from collections.abc import Sequence as Listing

from tpru.config.schema import DescribeConfig
from tpru.errors import ConfigError
from tpru.randomness import generator
from tpru.records import Caption, Sequence

WORDS = re.compile(r"\w+")
TOO_SIMILAR = 0.5


def template_captions(sequences: Listing[Sequence], config: DescribeConfig, seed: int) -> list[Caption]:
    """One caption per sequence from its goal (and steps); the negative takes another goal.

    The other goal comes from a sequence of the same scenario and another family (where families are
    known) or with mostly other words, so that it does not also fit the pictures; without any, from
    ``config.other_actions``.

    Raises:
        ConfigError: a scenario has neither a second goal nor entries under ``other_actions``.
    """
    goals: dict[str, dict[str, Sequence]] = {}
    for sequence in sequences:
        goals.setdefault(sequence.scenario, {}).setdefault(phrase(sequence.goal), sequence)
    return [
        Caption(
            sequence_id=s.sequence_id,
            positive=sentence(s, phrase(s.goal), s, config),
            negative=_negative(s, goals[s.scenario], config, seed),
            captioner="template",
        )
        for s in sequences
    ]


def phrase(goal: str) -> str:
    """A goal as it stands inside a sentence: one line, no full stop, no capital of its first word."""
    text = " ".join(goal.split()).rstrip(".!;")
    first, _, rest = text.partition(" ")
    if first[:1].isupper() and first[1:].islower():
        first = first.lower()
    return f"{first} {rest}".strip()


def opening(sequence: Sequence, goal: str) -> str:
    """What the pictures show, in one sentence; both versions of a caption begin with the same words."""
    noun = "screens" if sequence.scenario == "gui" else "pictures"
    return f"These {noun} show this task: {goal}."


def sentence(sequence: Sequence, goal: str, steps_of: Sequence | None, config: DescribeConfig) -> str:
    """The caption text, with the steps of a sequence where the configuration wants them."""
    text = opening(sequence, goal)
    steps = [f.step for f in steps_of.frames if f.step] if steps_of else []
    if config.detail == "steps" and steps:
        text += " Step by step: " + "; ".join(steps) + "."
    return text


def _negative(sequence: Sequence, goals: dict[str, Sequence], config: DescribeConfig, seed: int) -> str:
    rng = generator(seed, "negative caption", sequence.sequence_id)
    own = phrase(sequence.goal)
    others = [g for g, s in sorted(goals.items()) if g != own and _another_action(sequence, s)]
    if others:
        goal = others[rng.integers(len(others))]
        return sentence(sequence, goal, goals[goal], config)
    spare = [g for g in config.other_actions.get(sequence.scenario, ()) if not _overlap(g, own)]
    if not spare:
        raise ConfigError(
            f"describe.other_actions.{sequence.scenario} needs an action other than {own!r}: the source "
            "has no second goal to contradict its pictures with"
        )
    return sentence(sequence, spare[rng.integers(len(spare))], None, config)


def _another_action(a: Sequence, b: Sequence) -> bool:
    if a.family and b.family:
        return a.family != b.family
    return not _overlap(phrase(a.goal), phrase(b.goal))


def _overlap(a: str, b: str) -> bool:
    left, right = set(WORDS.findall(a.lower())), set(WORDS.findall(b.lower()))
    return len(left & right) / max(1, min(len(left), len(right))) >= TOO_SIMILAR
