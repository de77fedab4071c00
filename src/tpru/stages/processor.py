"""Tokenizer, picture processor and chat template as files.

    python -m tpru.stages.processor experiment=demo

Hub models bring theirs. The tiny model's tokenizer is trained on the captions and on the fixed words of
the prompts; no answer is among them.
"""

from transformers import AutoTokenizer

from tpru.config.schema import ProcessorModel
from tpru.files import read_json, written_whole
from tpru.models.loading import TEXT_ONLY, fetch
from tpru.models.processor import (
    CHAT_TEMPLATE,
    ImageTextProcessor,
    make_processor,
    train_tokenizer,
)
from tpru.records import NONE_OPTION, Caption
from tpru.run import Run, say, stage
from tpru.stages.inputs import all_sequences
from tpru.store import read_records
from tpru.synthesis.wording import CHOICE_FORM, ORDER_FORM


def corpus(run: Run) -> list[str]:
    """The texts that the tiny tokenizer learns its words from."""
    captions = read_records(run.upstream("describe").path("captions.parquet"), Caption)
    steps = {f.step for s in all_sequences(run) for f in (*s.frames, *s.outside) if f.step}
    fixed = [
        f"\nThe pictures are in random order.\n{ORDER_FORM}\nThe screens are in random order.",
        f"\nWhich order shows the task from start to end?\n{NONE_OPTION}\n{CHOICE_FORM}",
        "\nPicture Screen Step step (the goal): Which picture is step screen is the start the end moment",
        "<think> In order: Missing No option shows it: No option has this order: That is </think><answer>",
        "The description is about something else, so no option fits: </answer>",
    ]
    return [*sorted({c.positive for c in captions}), *sorted(steps), *(fixed * 20)]


def hub_processor(model: ProcessorModel) -> ImageTextProcessor:
    """The processor of a hub checkpoint with the configured picture bounds."""
    folder = fetch(model.repo, model.revision, TEXT_ONLY)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    template = tokenizer.chat_template or read_json(folder / "chat_template.json")["chat_template"]
    return make_processor(tokenizer, template, model.min_pixels, model.max_pixels)


@stage("processor")
def main(run: Run) -> None:
    model = ProcessorModel(**run.config["model"])
    if model.kind == "hub":
        run.upstream("describe")
        processor = hub_processor(model)
    else:
        tokenizer = train_tokenizer(corpus(run), model.vocabulary)
        processor = make_processor(tokenizer, CHAT_TEMPLATE, model.min_pixels, model.max_pixels)
    with written_whole(run.output("processor")) as temporary:
        processor.save_pretrained(temporary)
    run.metrics = {"vocabulary": len(processor.tokenizer)}
    say(f"vocabulary of {len(processor.tokenizer)} tokens")


if __name__ == "__main__":
    main()
