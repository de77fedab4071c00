"""The section of the page about dense supervision, as its template takes it."""

from collections.abc import Sequence
from dataclasses import dataclass

from tpru.evaluation.scoring import Comparison
from tpru.grounding.results import PART_TASKS, DenseResults, Part, Question
from tpru.reporting.dense_examples import DenseExample, ShownExample, examples_view
from tpru.reporting.dense_tables import (
    QUESTIONS,
    TITLES,
    dense_comparisons,
    part_tables,
    published_figures,
    temporal_table,
)
from tpru.reporting.published import Published, published_tpo
from tpru.reporting.published.gains import gains
from tpru.reporting.published.tables import gain_table
from tpru.reporting.tables import Table, distinct
from tpru.store import FrameStore

PART_NOTES: dict[Part, str] = {
    "temporal": (
        "When in the clip what the words describe happens. mIoU: mean overlap of the best moment with the "
        "truth; R1@m: share of items where it is m or more; mAP: over ten moments and overlaps of 0.5 to "
        "0.95. HIT@1 and HL-mAP are of highlights, where items have them."
    ),
    "region": (
        "Where in a picture the thing is that the words name. mIoU: mean overlap of the boxes; Acc@0.5: "
        "share of items where it is 0.5 or more."
    ),
    "mask": (
        "Which pixels the thing that the words name has in every frame. J: overlap of the areas; F: "
        "agreement of the contours; J&F: their mean."
    ),
    "tracked": (
        "As masks, but the thing is pointed at in the first frame, which does not count. AO: mean overlap of "
        "boxes over frames; success: area under the curve over overlaps; precision@20px: share of frames "
        "whose centres are no further apart; SR@0.5: share of frames with more overlap."
    ),
}
QUESTION_NOTES: dict[Question, str] = {
    "together": (
        "Is a task answered less well for being learned with others? Difference in the main score (overlap, "
        "or J&F) of the same items, in percentage points, where both variants answer in the same way; one "
        "with conversation differs in that too. The interval resamples groups; p flips their signs, “p of "
        "all” is in view of all lines of the table (Holm). “Not worse”: the interval reaches 0. That is no "
        "proof of equality: how large a loss remains possible, its lower end says."
    ),
    "guessers": (
        "On the level that training has seen (L1), where a model that learned anything must be better than "
        "answers without a picture; datasets without levels as a whole. “Better” or “worse”: the interval "
        "leaves 0 out; else “open”."
    ),
    "choices": (
        "Pairs of variants that differ in one choice alone: heads against labels written as text, a set head "
        "(DETR) against an MLP, the loss of boxes, conversation mixed in. Read as the table above."
    ),
}


@dataclass(frozen=True)
class PartView:
    """The tables of one part: the first open, more to be unfolded."""

    title: str
    note: str
    first: Table
    more: list[tuple[str, Table]]


@dataclass(frozen=True)
class PaperView:
    """A published table with the run's own figures in it, and what its gains can show."""

    table: Published
    figures: Table
    gains: Table


@dataclass(frozen=True)
class DenseView:
    """Everything that the section prints; ``shown_models`` are those whose predictions are drawn."""

    parts: list[PartView]
    comparisons: list[tuple[str, str, Table]]
    temporal: Table
    examples: list[ShownExample]
    shown_models: list[str]
    papers: list[PaperView]


def dense_view(
    results: DenseResults,
    comparisons: Sequence[Comparison],
    examples: Sequence[DenseExample],
    frames: FrameStore,
) -> DenseView:
    """The section; ``comparisons`` are those of the temporal tasks.

    Raises:
        UpstreamError: a picture of an example is in none of the frame files.
        CorruptMediaError: a mask of an example cannot be read.
    """
    parts = [(part, part_tables(results, part)) for part in PART_TASKS]
    compared = [(title, QUESTION_NOTES[q], dense_comparisons(results, q)) for q, title in QUESTIONS.items()]
    return DenseView(
        parts=[PartView(TITLES[p], PART_NOTES[p], found[0][1], found[1:]) for p, found in parts if found],
        comparisons=[entry for entry in compared if entry[2].lines],
        temporal=temporal_table(comparisons),
        examples=examples_view(examples, frames),
        shown_models=distinct(example.prediction.model for example in examples),
        papers=[PaperView(t, published_figures(t, results), gain_table(gains(t))) for t in published_tpo()],
    )
