"""Answers of one model to one benchmark -> ``predictions.parquet`` and its metrics.

    python -m tpru.stages.evaluate experiment=demo unit=evaluate/sft/heldout

The model is one of this experiment's, or one behind an endpoint (docs/endpoint-models.md).
"""

from pathlib import Path
from typing import Any

from tpru.benchmarks import heldout
from tpru.config.schema import AskedEndpoint, EvaluateConfig, HeldoutBenchmark, ModelConfig, ProtocolConfig
from tpru.evaluation.endpoint import answer_items_by_endpoint
from tpru.evaluation.generation import Draws, answer_items
from tpru.evaluation.scoring import score
from tpru.models.endpoint import CACHE, Endpoint, Settings
from tpru.models.features import SHELF, shelf_for
from tpru.models.loading import device, load_model, prepare
from tpru.models.processor import load_processor
from tpru.pipeline import weights_unit
from tpru.records import Item, Prediction
from tpru.run import Run, say, stage
from tpru.stages.inputs import benchmark_items, benchmark_unit, item_frames
from tpru.store import FrameStore, write_records
from tpru.tracking.runs import metric_name


@stage("evaluate")
def main(run: Run) -> None:
    _, name, benchmark = run.unit.split("/")
    asked = run.config["benchmark"]
    if asked["kind"] == "heldout":
        items = heldout.load(run, HeldoutBenchmark(**asked))
    else:
        items = benchmark_items(run, benchmark, asked["kind"])
    frames = item_frames(run, benchmark_unit(benchmark, asked["kind"]))
    answer = by_endpoint if "endpoint" in run.config else by_local_model
    predictions = answer(run, items, frames, (name, benchmark))
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


def by_local_model(
    run: Run, items: list[Item], frames: FrameStore, names: tuple[str, str]
) -> list[Prediction]:
    """Answers of a model of this experiment: greedy ones, or drawn as the benchmark's own protocol says."""
    prepare()
    config = EvaluateConfig(**{**run.config["evaluate"], "models": ()})
    unit = weights_unit(names[0])
    weights = run.upstream(unit).path("model" if unit == "base_model" else "merged")
    processor = load_processor(run.upstream("processor").path("processor"))
    model: Any = load_model(weights, ModelConfig(**run.config["model"]))
    model.to(device())
    asked = run.config["benchmark"]
    protocol = ProtocolConfig(**asked["protocol"]) if asked.get("protocol") else None
    blind = names[0].endswith("_blind")
    return answer_items(
        model,
        processor,
        items,
        frames,
        partial_answers(run),
        names,
        config.batch_size,
        protocol.max_new_tokens if protocol else config.max_new_tokens,
        blind=blind,
        shelf=None if blind else shelf_for(run.results / SHELF, model.model.visual, processor),
        draws=Draws(protocol.temperature, protocol.top_p, run.seed) if protocol else None,
    )


def by_endpoint(run: Run, items: list[Item], frames: FrameStore, names: tuple[str, str]) -> list[Prediction]:
    """Answers of a model behind an endpoint; what they cost is recorded."""
    config = AskedEndpoint(**run.config["endpoint"])
    endpoint = Endpoint(
        Settings(config.model, config.temperature, config.max_tokens),
        CACHE / names[0],
        config.retries,
        config.timeout_s,
        name=names[0],
        keys=f"endpoints.{names[0]}",
    )
    predictions = answer_items_by_endpoint(
        endpoint, items, frames, partial_answers(run), names, config.concurrency, config.max_side
    )
    usage = endpoint.usage
    run.metrics["endpoint_requests"] = usage.requests
    run.metrics["endpoint_cached"] = usage.cached
    run.metrics["endpoint_tokens"] = usage.tokens
    return predictions


def partial_answers(run: Run) -> Path:
    """The file that keeps the answers of an unfinished run."""
    return run.folder / "checkpoints" / run.fingerprint() / "predictions.jsonl"


if __name__ == "__main__":
    main()
