"""Supervised warm-up with TRL on reasoning and answer."""

from pathlib import Path
from typing import Any

import torch
from trl import SFTConfig, SFTTrainer

from tpru.config.schema import ModelConfig, SftConfig
from tpru.models.loading import device, load_model
from tpru.models.processor import Pictures, load_processor
from tpru.models.prompts import PromptBook
from tpru.records import DIGITS, LETTERS, Item
from tpru.run import Run
from tpru.runtime import world_size
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


class LabelSFTTrainer(SFTTrainer):
    """TRL's trainer with a loss in which labels count ``label_weight`` times as much as other tokens."""

    label_weight = 1.0
    label_tokens: torch.Tensor

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """TRL's loss, and what the labels among the targets count above the other tokens."""
        told: dict[str, Any] = {"return_outputs": return_outputs, "num_items_in_batch": num_items_in_batch}
        if self.label_weight == 1.0:
            return super().compute_loss(model, inputs, **told)
        # The log-probabilities of the pass that TRL makes; what it returns comes from another one.
        passes: list[Any] = []
        hook = model.register_forward_hook(lambda _module, _inputs, made: passes.append(made))
        try:
            made = super().compute_loss(model, inputs, **told)
        finally:
            hook.remove()
        first, targets = passes[0], inputs["labels"][:, 1:]
        labels = torch.isin(targets, self.label_tokens.to(targets.device))
        count = first.label_mask.sum() if num_items_in_batch is None else num_items_in_batch
        more = -(self.label_weight - 1.0) * (first.log_probs * labels).sum() / count
        return (made[0] + more, made[1]) if return_outputs else made + more


def label_tokens(tokenizer: Any) -> torch.Tensor:
    """Ids of the tokens that are a label, alone or behind a blank."""
    forms = (form for label in LETTERS + DIGITS for form in (label, f" {label}"))
    ids = (tokenizer(form, add_special_tokens=False)["input_ids"] for form in forms)
    return torch.tensor(sorted({i[0] for i in ids if len(i) == 1}))


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
    if config.train_vision or world_size() > 1:
        data = training_set(items, pictures, sft_row)
        arguments["completion_only_loss"] = True
        collator = None
    else:
        model.to(device())
        book = PromptBook(model, processor, pictures)
        book.eyes.look({f for item in items for f in item.shown})
        data = positions_of(items)
        arguments["dataset_kwargs"] = {"skip_prepare_dataset": True}
        # The features of the pictures are on the device already: what is there cannot be pinned.
        arguments["dataloader_pin_memory"] = False
        told += held_out(run, config, test, book, processor)
        collator = SftCollator(tuple(items), book, processor.tokenizer, model.config.image_token_id)
    trainer = LabelSFTTrainer(
        model=model,
        args=SFTConfig(**arguments),
        train_dataset=data,
        data_collator=collator,
        processing_class=processor,
        peft_config=lora_config(config) if config.method == "lora" else None,
        callbacks=told,
    )
    trainer.label_weight, trainer.label_tokens = config.label_weight, label_tokens(processor.tokenizer)
    train(trainer, resume)
    export(run, trainer, processor, config)
    run.metrics["updates"] = float(trainer.state.global_step)
