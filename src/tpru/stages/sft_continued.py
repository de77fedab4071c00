"""The control arm: the merged SFT model is trained on with SFT instead of GRPO.

    python -m tpru.stages.sft_continued experiment=demo sft_continued.epochs=4

GRPO has to be better than this at equal time, or its reward taught nothing that more SFT would not.
"""

from tpru.config.schema import ModelConfig, SftConfig, SftContinuedConfig
from tpru.models.loading import prepare
from tpru.run import Run, say, stage
from tpru.stages.inputs import item_frames, items_of
from tpru.training.data import choose_items
from tpru.training.sft import run_sft


@stage("sft_continued")
def main(run: Run) -> None:
    prepare()
    control = SftContinuedConfig(**run.config["sft_continued"])
    config = SftConfig(**{**run.config["sft"], "epochs": control.epochs})
    test = items_of(run, "test")
    items = choose_items(items_of(run, *control.splits), config.max_items, run.items_seed)
    say(f"{len(items)} items, {config.epochs} more epochs")
    sft = run.of_same_seed("sft").path("merged")
    processor = run.upstream("processor").path("processor")
    run_sft(run, config, ModelConfig(**run.config["model"]), sft, processor, items, test, item_frames(run))
    run.output("log.jsonl")
    run.metrics["items"] = len(items)


if __name__ == "__main__":
    main()
