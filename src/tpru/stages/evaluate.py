"""Answers of one model to one benchmark -> ``predictions.parquet`` and its metrics.

python -m tpru.stages.evaluate experiment=demo unit=evaluate/sft/heldout
"""

from typing import Any

from tpru.benchmarks import heldout
from tpru.config.schema import EvaluateConfig, HeldoutBenchmark, ModelConfig, ProtocolConfig
from tpru.evaluation.generation import Draws, answer_items
from tpru.evaluation.scoring import score
from tpru.models.features import SHELF, shelf_for
from tpru.models.loading import device, load_model, prepare
from tpru.models.processor import load_processor
from tpru.pipeline import WEIGHTS_FROM
from tpru.records import Prediction
from tpru.run import Run, say, stage
from tpru.stages.inputs import benchmark_items, benchmark_unit, item_frames
from tpru.store import write_records
from tpru.tracking.runs import metric_name


@stage("evaluate")
def main(run: Run) -> None:
    prepare()
    _, name, benchmark = run.unit.split("/")
    config = EvaluateConfig(**{**run.config["evaluate"], "models": (name,)})
    unit = WEIGHTS_FROM[name]
    weights = run.upstream(unit).path("model" if unit == "base_model" else "merged")
    processor = load_processor(run.upstream("processor").path("processor"))
    model: Any = load_model(weights, ModelConfig(**run.config["model"]))
    model.to(device())
    asked = run.config["benchmark"]
    if asked["kind"] == "heldout":
        items = heldout.load(run, HeldoutBenchmark(**asked))
    else:
        items = benchmark_items(run, benchmark, asked["kind"])
    protocol = ProtocolConfig(**asked["protocol"]) if asked.get("protocol") else None
    blind = name.endswith("_blind")
    predictions = answer_items(
        model,
        processor,
        items,
        item_frames(run, benchmark_unit(benchmark, asked["kind"])),
        run.folder / "checkpoints" / run.fingerprint() / "predictions.jsonl",
        (name, benchmark),
        config.batch_size,
        protocol.max_new_tokens if protocol else config.max_new_tokens,
        blind=blind,
        shelf=None if blind else shelf_for(run.results / SHELF, model.model.visual, processor),
        draws=Draws(protocol.temperature, protocol.top_p, run.seed) if protocol else None,
    )
    write_records(run.output("predictions.parquet"), Prediction, predictions)
    rows = [r for r in score(items, predictions, name, benchmark) if r.subset == "all"]
    for row in rows:
        if row.scenario == "all":
            run.metrics[f"accuracy/{metric_name(row.task)}"] = row.accuracy
    overall = next(r for r in rows if r.task == "all" and r.scenario == "all")
    run.metrics["unparsable"] = overall.unparsable
    say(
        f"{name} on {benchmark}: {overall.accuracy:.1%} [{overall.low:.1%}, {overall.high:.1%}] of "
        f"{overall.n}, {overall.unparsable:.1%} unparsable"
    )


if __name__ == "__main__":
    main()
