"""The model that everything starts from, as a folder of weights.

    python -m tpru.stages.base_model experiment=demo base_model.steps=2000

``model=tiny`` is built here and schooled in perception on pictures of the training groups; a hub model is
fetched by its pinned revision and linked, not copied.
"""

import torch

from tpru.config.schema import BaseModelConfig, ModelConfig
from tpru.errors import ConfigError
from tpru.files import written_whole
from tpru.models.loading import WEIGHTS, fetch, prepare
from tpru.models.processor import load_processor
from tpru.models.tiny import tiny_model
from tpru.records import Sequence
from tpru.run import Run, say, stage
from tpru.stages.inputs import all_sequences, item_frames, items_of
from tpru.training.perception import Sight, school


def training_sights(run: Run) -> list[Sight]:
    """Every picture that training items show, with the step text of its place in its trajectory."""
    shown = {f for item in items_of(run, "sft", "grpo") for f in item.shown}
    texts: dict[str, str] = {}
    for sequence in all_sequences(run):
        for frame in (*sequence.frames, *sequence.outside):
            if frame.frame_id in shown:
                texts.setdefault(frame.frame_id, frame.step or caption_of(sequence))
    return [Sight(f, texts[f]) for f in sorted(texts)]


def caption_of(sequence: Sequence) -> str:
    """What a picture without step text shows: the goal of its trajectory."""
    return sequence.goal.rstrip(".")


@stage("base_model")
def main(run: Run) -> None:
    prepare()
    model_config = ModelConfig(**run.config["model"])
    config = BaseModelConfig(**run.config["base_model"])
    if model_config.kind == "hub":
        folder = fetch(model_config.repo, model_config.revision, WEIGHTS)
        with written_whole(run.output("model")) as temporary:
            temporary.symlink_to(folder.resolve())
        say(f"{model_config.repo} at {model_config.revision}")
        return
    if model_config.tiny is None:
        raise ConfigError("model.tiny is empty: model=tiny needs its sizes")
    processor = load_processor(run.upstream("processor").path("processor"))
    model = tiny_model(model_config.tiny, processor, run.seed)
    sights = training_sights(run)
    frames = item_frames(run)
    say(f"{sum(p.numel() for p in model.parameters()):,} parameters, {len(sights)} pictures")
    school(run, model, processor, sights, frames, config)
    with written_whole(run.output("model")) as temporary:
        model.save_pretrained(temporary)
        processor.save_pretrained(temporary)
    run.output("log.jsonl").touch()
    run.metrics |= {
        "parameters": float(sum(p.numel() for p in model.parameters())),
        "vision_parameters": float(sum(p.numel() for p in model.model.visual.parameters())),
        "updates": float(config.steps),
        "threads": float(torch.get_num_threads()),
    }


if __name__ == "__main__":
    main()
