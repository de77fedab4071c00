"""How hard the items of GRPO are for the SFT model -> ``pass_rates.parquet``.

    python -m tpru.stages.pass_rates experiment=demo grpo.least_pass_rate=0.1

Part of the DAG where ``grpo.least_pass_rate`` or ``grpo.most_pass_rate`` leave items out.
"""

from typing import Any

import numpy as np

from tpru.config.schema import ModelConfig, PassRatesConfig
from tpru.evaluation.pass_rates import pass_rates
from tpru.models.features import SHELF, shelf_for
from tpru.models.loading import device, load_model, prepare
from tpru.models.processor import Pictures, load_processor
from tpru.records import PassRate
from tpru.run import Run, say, stage
from tpru.stages.inputs import item_frames, items_of
from tpru.store import write_records
from tpru.training.data import choose_items


@stage("pass_rates")
def main(run: Run) -> None:
    prepare()
    config = PassRatesConfig(**run.config["pass_rates"])
    sft = run.of_same_seed("sft").path("merged")
    processor = load_processor(sft)
    model: Any = load_model(sft, ModelConfig(**run.config["model"]))
    model.to(device())
    items = choose_items(items_of(run, "grpo"), config.max_items, run.items_seed)
    partial = run.folder / "checkpoints" / run.fingerprint() / "pass_rates.jsonl"
    pictures = Pictures(item_frames(run), processor)
    shelf = shelf_for(run.results / SHELF, model.model.visual, processor)
    rates = pass_rates(model, processor, items, pictures, config, partial, run.seed, shelf)
    write_records(run.output("pass_rates.parquet"), PassRate, rates)
    shares = np.array([rate.passes / rate.samples for rate in rates])
    run.metrics |= {
        "items": len(rates),
        "mean": float(shares.mean()),
        "never_right": float((shares == 0).mean()),
        "always_right": float((shares == 1).mean()),
    }
    say(
        f"{len(rates)} items: {shares.mean():.1%} of the completions right, "
        f"{(shares == 0).mean():.1%} of the items never, {(shares == 1).mean():.1%} always"
    )


if __name__ == "__main__":
    main()
