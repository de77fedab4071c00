"""Tokenizer, picture processor and chat template as files.

    python -m tpru.stages.processor experiment=demo

They come with the model: with the shipped tiny base, or from the hub.
"""

from pathlib import Path

from transformers import AutoTokenizer

from tpru.config.schema import ProcessorModel
from tpru.files import read_json, written_whole
from tpru.models.loading import SHIPPED_BASE, TEXT_ONLY, fetch
from tpru.models.processor import ImageTextProcessor, make_processor
from tpru.run import Run, say, stage


def processor_of(folder: Path, model: ProcessorModel) -> ImageTextProcessor:
    """The processor of a checkpoint with the configured picture bounds."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    template = tokenizer.chat_template or read_json(folder / "chat_template.json")["chat_template"]
    return make_processor(tokenizer, template, model.min_pixels, model.max_pixels)


@stage("processor")
def main(run: Run) -> None:
    model = ProcessorModel(**run.config["model"])
    folder = SHIPPED_BASE if model.kind == "tiny" else fetch(model.repo, model.revision, TEXT_ONLY)
    processor = processor_of(folder, model)
    with written_whole(run.output("processor")) as temporary:
        processor.save_pretrained(temporary)
    run.metrics = {"vocabulary": len(processor.tokenizer)}
    say(f"vocabulary of {len(processor.tokenizer)} tokens")


if __name__ == "__main__":
    main()
