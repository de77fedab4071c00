"""The model card of the tiny base, with the figures of its own schooling."""

from importlib import import_module

from tpru.config.schema import TinyBaseConfig
from tpru.records import SCENARIOS

CARD = """---
license: apache-2.0
library_name: transformers
pipeline_tag: image-text-to-text
tags: [qwen2_5_vl, tiny, test-model]
---
# The tiny base of tpru

A Qwen2.5-VL (same classes, {parameters}) from random weights, with attention heads that start as
previous-token and induction heads (`tpru.training.schooling.heads`),
schooled on {school:,} simulated episodes of the four embedded simulators. It stands in for an instruct
model where nothing can be downloaded. It is of no use outside this project.

Rebuild it with `make tiny_base` (configuration: `conf/tiny_base/default.yaml`).

## What it has seen
- Single moments (what they show, questions about them, where things are, how much is done), lists of up to
  seven moments to describe one by one, two moments (which came first), up to seven (which of those named, or
  of those not left out, came first or last), moments among others (which one shows this, which is from
  another place), goals (is this being done), and words to repeat; in wordings of its own, inside and outside
  `<think>`.
- Families: {families}.

## What it has not seen
- The three tasks: nothing is put in order (an answer names one picture), no following or preceding picture is
  asked for, no option rejects the others. None of their prompts, options or answers.
- Any episode of an experiment (its seeds are its own), the unseen families of level 3, and the unseen
  environments of levels 2 and 3.
- No answer was corrupted and no skill hidden.

## Quiz
Lessons on {held:,} held-out episodes of the same distribution; share with every token right (greedy,
teacher-forced).

| lesson | right |
|---|---|
{rows}
"""


def model_card(config: TinyBaseConfig, school: int, held: int, scores: dict[str, float]) -> str:
    """The card as Markdown."""
    dims = config.dims
    seen = {s: ", ".join(import_module(f"tpru.simulators.{s}").SEEN) for s in SCENARIOS}
    vision = f"{dims.vision_hidden} x {dims.vision_depth}"
    return CARD.format(
        parameters=f"language {dims.hidden} x {dims.layers}, vision {vision}",
        school=school,
        held=held,
        families="; ".join(f"{s}: {names}" for s, names in seen.items()),
        rows="\n".join(f"| {kind} | {score:.1%} |" for kind, score in scores.items()),
    )
