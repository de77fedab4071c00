"""GRPO: merged SFT model and items of the grpo split -> LoRA adapter and merged model.

python -m tpru.stages.grpo experiment=demo grpo.beta=0.04
"""

from tpru.config.schema import GrpoConfig, ModelConfig
from tpru.errors import ConfigError
from tpru.evaluation.pass_rates import within
from tpru.models.loading import prepare
from tpru.records import PassRate
from tpru.run import Run, say, stage
from tpru.stages.inputs import item_frames, items_of
from tpru.store import read_records
from tpru.training.data import choose_items
from tpru.training.grpo import run_grpo


@stage("grpo")
def main(run: Run) -> None:
    prepare()
    config = GrpoConfig(**run.config["grpo"])
    data = run.upstream("synthesize")
    test = items_of(run, "test")
    items = choose_items(items_of(run, "grpo"), config.max_items, run.items_seed)
    if config.filters:
        known = read_records(run.of_same_seed("pass_rates").path("pass_rates.parquet"), PassRate)
        kept = within(items, known, config.least_pass_rate, config.most_pass_rate)
        say(f"{len(items) - len(kept)} of {len(items)} items left out for their pass rate")
        items = kept
    prompts = config.batch_size // config.group_size
    if not items:
        raise ConfigError("no item is left for GRPO: widen grpo.least_pass_rate and grpo.most_pass_rate")
    say(f"{len(items)} items, {prompts} prompts x {config.group_size} completions an update")
    digest = data.record["outputs"]["items.parquet"]["sha256"]
    run.tracker.dataset("grpo items", data.path("items.parquet"), digest, "train")
    sft = run.of_same_seed("sft").path("merged")
    run_grpo(run, config, ModelConfig(**run.config["model"]), sft, items, test, item_frames(run))
    run.output("log.jsonl")
    run.metrics["items"] = len(items)
    if config.method == "lora":
        run.tracker.artifact(run.folder / "adapter")
    run.tracker.artifact(run.folder / "log.jsonl")


if __name__ == "__main__":
    main()
