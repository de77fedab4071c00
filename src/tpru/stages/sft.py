"""SFT warm-up: base model and items of the sft split -> LoRA adapter and merged model.

python -m tpru.stages.sft experiment=demo sft.learning_rate=1e-3
"""

from tpru.config.schema import ModelConfig, SftConfig
from tpru.models.loading import prepare
from tpru.run import Run, say, stage
from tpru.stages.inputs import item_frames, items_of
from tpru.training.data import choose_items
from tpru.training.sft import run_sft


@stage("sft")
def main(run: Run) -> None:
    prepare()
    config = SftConfig(**run.config["sft"])
    data = run.upstream("synthesize")
    test = items_of(run, "test")
    items = choose_items(items_of(run, "sft"), config.max_items, run.items_seed)
    say(f"{len(items)} items, {config.epochs} epochs, {config.batch_size} items an update")
    digest = data.record["outputs"]["items.parquet"]["sha256"]
    run.tracker.dataset("sft items", data.path("items.parquet"), digest, "train")
    base = run.upstream("base_model").path("model")
    processor = run.upstream("processor").path("processor")
    run_sft(run, config, ModelConfig(**run.config["model"]), base, processor, items, test, item_frames(run))
    run.output("log.jsonl")
    run.metrics["items"] = len(items)
    if config.method == "lora":
        run.tracker.artifact(run.folder / "adapter")
    run.tracker.artifact(run.folder / "log.jsonl")


if __name__ == "__main__":
    main()
