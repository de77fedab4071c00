"""Supervised warm-up with TRL on reasoning and answer."""

from pathlib import Path
from typing import Any

from trl import SFTConfig, SFTTrainer

from tpru.config.schema import ModelConfig, SftConfig
from tpru.models.features import SHELF, shelf_for
from tpru.models.loading import device, load_model
from tpru.models.processor import Pictures, load_processor
from tpru.models.prompts import PromptBook
from tpru.records import Item
from tpru.run import Run
from tpru.store import FrameStore
from tpru.training.common import (
    callbacks,
    export,
    freeze_vision,
    held_out,
    lora_config,
    start,
    train,
    trainer_arguments,
)
from tpru.training.data import sft_row, training_set
from tpru.training.frozen import SftCollator, positions_of


def run_sft(
    run: Run,
    config: SftConfig,
    model_config: ModelConfig,
    base: Path,
    processor_folder: Path,
    items: list[Item],
    test: list[Item],
    frames: FrameStore,
) -> None:
    """Train on the items and write adapter and merged model; continues from a complete checkpoint.

    The loss is on the completion alone. Nothing is truncated: items over the token budget were dropped
    when they were made. ``test`` items are only asked, for the learning curve.
    """
    folder, resume = start(run)
    processor = load_processor(processor_folder)
    model: Any = load_model(base, model_config)
    freeze_vision(model, config)
    pictures = Pictures(frames, processor)
    arguments = {
        **trainer_arguments(config, model_config, folder, run.seed),
        "num_train_epochs": config.epochs,
        "max_length": None,
    }
    told = callbacks(run, ("loss", "token_accuracy"))
    if config.train_vision:
        data = training_set(items, pictures, sft_row)
        arguments["completion_only_loss"] = True
        collator = None
    else:
        model.to(device())
        shelf = shelf_for(run.results / SHELF, model.model.visual, processor)
        book = PromptBook(model, processor, pictures, shelf=shelf)
        book.eyes.look({f for item in items for f in item.shown})
        data = positions_of(items)
        arguments["dataset_kwargs"] = {"skip_prepare_dataset": True}
        # The features of the pictures are on the device already: what is there cannot be pinned.
        arguments["dataloader_pin_memory"] = False
        told += held_out(run, config, test, book, processor)
        collator = SftCollator(tuple(items), book, processor.tokenizer, model.config.image_token_id)
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(**arguments),
        train_dataset=data,
        data_collator=collator,
        processing_class=processor,
        peft_config=lora_config(config) if config.method == "lora" else None,
        callbacks=told,
    )
    train(run, trainer, resume)
    export(run, trainer, processor, config)
    run.metrics["updates"] = float(trainer.state.global_step)
