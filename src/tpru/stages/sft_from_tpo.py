"""SFT on top of Task Preference Optimization: as ``sft``, from the model that the joint phase merged.

python -m tpru.stages.sft_from_tpo experiment=tpo
"""

from tpru.config.compose import TPO_MODEL
from tpru.config.schema import ModelConfig, SftConfig
from tpru.models.loading import prepare
from tpru.run import Run, say, stage
from tpru.stages.inputs import item_frames, items_of
from tpru.training.data import choose_items
from tpru.training.sft import run_sft


@stage("sft_from_tpo")
def main(run: Run) -> None:
    prepare()
    config = SftConfig(**run.config["sft"])
    test = items_of(run, "test")
    items = choose_items(items_of(run, "sft"), config.max_items, run.items_seed)
    say(f"{len(items)} items, from the model of {TPO_MODEL}")
    merged = run.upstream(TPO_MODEL).path("merged")
    # Its own processor: it knows the task tokens.
    run_sft(run, config, ModelConfig(**run.config["model"]), merged, merged, items, test, item_frames(run))
    run.output("log.jsonl")
    run.metrics["items"] = len(items)


if __name__ == "__main__":
    main()
