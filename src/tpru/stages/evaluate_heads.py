"""Answers of one trained variant to the dense items of the test side -> ``predictions.parquet``.

python -m tpru.stages.evaluate_heads experiment=tpo unit=evaluate_heads/full
"""

from typing import Any

from tpru.config.schema import ModelConfig
from tpru.config.tpo_schema import SegmenterConfig, TpoVariant
from tpru.grounding.records import GroundingItem, GroundingPrediction
from tpru.models.features import SHELF, shelf_for
from tpru.models.loading import device, load_model, prepare
from tpru.models.processor import Pictures, load_processor
from tpru.models.prompts import Eyes
from tpru.models.segmenter.loading import load
from tpru.models.task_heads.answering import Answerer, answer_grounding
from tpru.models.task_heads.heads import TaskHeads
from tpru.models.task_heads.reading import GroundingBook
from tpru.models.task_heads.tokens import INDICATING, LEARNABLE, token_ids
from tpru.run import Run, say, stage
from tpru.runtime import progress
from tpru.store import FrameStore, read_records, write_records


@stage("evaluate_heads")
def main(run: Run) -> None:
    prepare()
    _, name = run.unit.split("/")
    variant = TpoVariant(**run.config["variant"])
    grounding = run.upstream("grounding")
    items = [
        item
        for item in read_records(grounding.path("grounding.parquet"), GroundingItem)
        if item.split == "test" and item.task in variant.tasks
    ]
    trained = run.upstream(f"tpo/{name}/joint")
    answerer, book = load_answerer(run, name, trained.path("merged"), trained.path("heads"), grounding)
    # Clips of one length side by side.
    order = sorted(items, key=lambda i: (i.task, len(i.frames), i.item_id))
    size = int(run.config["evaluation_batch"])
    found: dict[str, GroundingPrediction] = {}
    for batch in progress([order[k : k + size] for k in range(0, len(order), size)], "answer"):
        prompts = [book.prompt(item) for item in batch]
        found |= {p.item_id: p for p in answer_grounding(answerer, batch, prompts)}
    predictions = [found[item.item_id] for item in items]
    write_records(run.output("predictions.parquet"), GroundingPrediction, predictions)
    run.metrics["items"] = len(items)
    run.metrics["assigned"] = sum(p.assigned for p in predictions) / max(1, len(predictions))
    say(f"{name}: {len(items)} dense items, the right task named in {run.metrics['assigned']:.1%}")


def load_answerer(
    run: Run, name: str, weights: Any, heads: Any, grounding: Any
) -> tuple[Answerer, GroundingBook]:
    """A trained variant and what makes prompts for it."""
    variant = TpoVariant(**run.config["variant"])
    processor = load_processor(weights)
    model: Any = load_model(weights, ModelConfig(**run.config["model"]))
    model.to(device()).eval()
    segmenter = None
    if variant.segments:
        settings = SegmenterConfig(**run.config["segmenter"])
        segmenter = load(run.upstream("segmenter").path("model"), settings)
    frames = FrameStore([grounding.path("frames.parquet")])
    shelf = shelf_for(run.results / SHELF, model.model.visual, processor)
    eyes = Eyes(model, processor, Pictures(frames, processor), shelf=shelf)
    loaded: Any = TaskHeads.from_pretrained(heads)
    answerer = Answerer(
        name,
        model,
        loaded.to(device()).eval(),
        segmenter,
        eyes,
        processor.tokenizer,
        token_ids(processor, INDICATING),
        token_ids(processor, LEARNABLE),
        frames.image,
    )
    return answerer, GroundingBook(processor, eyes)


if __name__ == "__main__":
    main()
