"""One phase of Task Preference Optimization: language model with task tokens, heads, merged model.

    python -m tpru.stages.tpo experiment=tpo unit=tpo/full/heads

A unit is tpo/<variant>/<phase>; each phase goes on from the one before it.
"""

from tpru.config.compose import phase_before
from tpru.config.schema import ModelConfig
from tpru.config.tpo_schema import SegmenterConfig, TpoPhase, TpoTraining, TpoVariant
from tpru.grounding.records import ChatItem, GroundingItem
from tpru.models.loading import prepare
from tpru.models.segmenter.loading import load
from tpru.run import Run, stage
from tpru.stages.inputs import items_of
from tpru.store import FrameStore, read_records
from tpru.training.tpo import run_tpo


@stage("tpo")
def main(run: Run) -> None:
    prepare()
    config, settings = TpoTraining(**run.config["tpo"]), TpoPhase(**run.config["phase"])
    variant = TpoVariant(**run.config["variant"])
    grounding = run.upstream("grounding")
    dense = [
        i for i in read_records(grounding.path("grounding.parquet"), GroundingItem) if i.split == "train"
    ]
    talks = variant.conversation and settings.mix["conversation"] > 0.0
    weights = run.upstream(phase_before(run.unit, variant))
    first = weights.unit == "base_model"
    processor = run.upstream("processor") if first else weights
    frames = [grounding.path("frames.parquet")]
    if talks:
        frames.append(run.upstream("synthesize").path("frames.parquet"))
    segmenter = None
    if variant.segments:
        kind = SegmenterConfig(**run.config["segmenter"])
        segmenter = load(run.upstream("segmenter").path("model"), kind)
    run_tpo(
        run,
        config,
        variant,
        settings,
        ModelConfig(**run.config["model"]),
        weights.path("model" if first else "merged"),
        processor.path("processor" if first else "merged"),
        None if first else weights.path("heads"),
        segmenter,
        dense,
        items_of(run, "sft") if talks else [],
        read_records(grounding.path("chat.parquet"), ChatItem) if talks else [],
        FrameStore(frames),
    )
    run.output("log.jsonl")
    if config.method == "lora":
        run.tracker.artifact(run.folder / "adapter")
    run.tracker.artifact(run.folder / "log.jsonl")


if __name__ == "__main__":
    main()
