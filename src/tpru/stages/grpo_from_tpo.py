"""GRPO on top of Task Preference Optimization and SFT.

python -m tpru.stages.grpo_from_tpo experiment=tpo
"""

from tpru.config.schema import GrpoConfig, ModelConfig
from tpru.models.loading import prepare
from tpru.run import Run, say, stage
from tpru.stages.inputs import item_frames, items_of
from tpru.training.data import choose_items
from tpru.training.grpo import run_grpo


@stage("grpo_from_tpo")
def main(run: Run) -> None:
    prepare()
    config = GrpoConfig(**run.config["grpo"])
    test = items_of(run, "test")
    items = choose_items(items_of(run, "grpo"), config.max_items, run.items_seed)
    say(f"{len(items)} items, from SFT on top of TPO")
    sft = run.of_same_seed("sft_from_tpo").path("merged")
    run_grpo(run, config, ModelConfig(**run.config["model"]), sft, items, test, item_frames(run))
    run.output("log.jsonl")
    run.metrics["items"] = len(items)


if __name__ == "__main__":
    main()
