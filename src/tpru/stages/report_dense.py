"""What the report reads of dense supervision: the items, and what every variant of TPO answers to them."""

from collections.abc import Sequence
from dataclasses import dataclass

from tpru.config.schema import ReportConfig
from tpru.config.tpo_schema import TpoVariant
from tpru.grounding.records import GROUNDING_TASKS, GroundingItem, GroundingPrediction
from tpru.grounding.results import Answers, DenseResults, dense_results
from tpru.grounding.scores import main_score
from tpru.randomness import generator
from tpru.reporting.dense_examples import DenseExample
from tpru.run import Run
from tpru.stages.inputs import sources
from tpru.store import read_records

EXAMPLES_PER_TASK = 4


@dataclass(frozen=True)
class DenseInputs:
    """Items of both sides, and by variant what it is and what it answers to those of the test side."""

    train: list[GroundingItem]
    test: list[GroundingItem]
    answers: Answers


def dense_inputs(run: Run) -> DenseInputs | None:
    """What was asked and answered; None where no variant was evaluated.

    Raises:
        UpstreamError: the dense items or the answers of a variant are missing.
    """
    names: list[str] = run.config.get("variants", [])
    if not names:
        return None
    items = read_records(run.upstream("grounding").path("grounding.parquet"), GroundingItem)
    answers = {}
    for name in names:
        unit = run.upstream(f"evaluate_heads/{name}")
        variant = TpoVariant(**unit.record["config"]["variant"])
        answers[name] = (variant, read_records(unit.path("predictions.parquet"), GroundingPrediction))
    train, test = ([item for item in items if item.split == side] for side in ("train", "test"))
    return DenseInputs(train, test, answers)


def score_dense(run: Run, inputs: DenseInputs, config: ReportConfig) -> DenseResults:
    """Rows and comparisons; the simulators of this experiment are taken together."""
    return dense_results(
        inputs.train,
        inputs.test,
        inputs.answers,
        sources(run),
        config.confidence,
        config.bootstrap_samples,
        run.seed,
    )


def dense_examples(
    items: Sequence[GroundingItem], answers: Answers, per_task: int, seed: int
) -> list[DenseExample]:
    """A random draw of items of every task, with what the first variant that has the task answers."""
    out = []
    for task in GROUNDING_TASKS:
        predictions = next((found for variant, found in answers.values() if task in variant.tasks), ())
        by_id = {p.item_id: p for p in predictions}
        asked = [item for item in items if item.task == task and item.item_id in by_id]
        order = generator(seed, "dense examples", task).permutation(len(asked))
        for item in (asked[k] for k in order[:per_task]):
            prediction = by_id[item.item_id]
            out.append(DenseExample(item, prediction, main_score(item, prediction)))
    return out
