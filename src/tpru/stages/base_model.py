"""The model that everything starts from, as a folder of weights.

    python -m tpru.stages.base_model experiment=demo

``model=tiny`` is the base that ships with the package (:mod:`tpru.stages.tiny_base` made it); a hub model
is fetched by its pinned revision and linked, not copied.
"""

import shutil

from tpru.config.schema import ModelConfig
from tpru.files import written_whole
from tpru.models.loading import SHIPPED_BASE, WEIGHTS, fetch, load_model, prepare
from tpru.run import Run, say, stage


@stage("base_model")
def main(run: Run) -> None:
    prepare()
    config = ModelConfig(**run.config["model"])
    if config.kind == "hub":
        folder = fetch(config.repo, config.revision, WEIGHTS)
        with written_whole(run.output("model")) as temporary:
            temporary.symlink_to(folder.resolve())
        say(f"{config.repo} at {config.revision}")
        return
    with written_whole(run.output("model")) as temporary:
        shutil.copytree(SHIPPED_BASE, temporary)
    model = load_model(SHIPPED_BASE, config)
    run.metrics |= {
        "parameters": float(sum(p.numel() for p in model.parameters())),
        "vision_parameters": float(sum(p.numel() for p in model.model.visual.parameters())),
    }
    say(f"the shipped tiny base, {int(run.metrics['parameters']):,} parameters")


if __name__ == "__main__":
    main()
