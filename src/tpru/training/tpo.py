"""Task Preference Optimization (arXiv 2412.19326), one phase at a time: who learns, how fast, from what."""

from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig, PeftConfig, TrainableTokensConfig, get_peft_model
from torch import Tensor
from torch.utils.data import Sampler, SequentialSampler
from transformers import Trainer, TrainingArguments

from tpru.config.schema import ModelConfig
from tpru.config.tpo_schema import Part, TpoPhase, TpoTraining, TpoVariant, Trained
from tpru.files import written_whole
from tpru.grounding.records import ChatItem, GroundingItem
from tpru.models.features import SHELF, shelf_for
from tpru.models.loading import device, load_model
from tpru.models.processor import Pictures, load_processor
from tpru.models.prompts import Eyes
from tpru.models.segmenter import Segmenter
from tpru.models.task_heads.heads import TaskHeads, TaskHeadsConfig
from tpru.models.task_heads.model import TaskModel
from tpru.models.task_heads.reading import GroundingBook, Row
from tpru.models.task_heads.tokens import TASK_TOKENS, add_task_tokens
from tpru.records import Item
from tpru.run import Run, say
from tpru.runtime import rank
from tpru.store import FrameStore
from tpru.training.common import (
    adapter_norm,
    callbacks,
    language_layers,
    start,
    train,
    trainer_arguments,
)
from tpru.training.interruption import barrier
from tpru.training.tpo_rows import Lesson, RowBook, order_of


class TpoTrainer(Trainer):
    """Rows in the order in which they are given, a learning rate for every part, and losses that are told
    apart in the log."""

    rates: dict[Trained, float]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        data: Any = self.train_dataset if train_dataset is None else train_dataset
        return SequentialSampler(data)

    def create_optimizer(self, model: Any = None) -> Any:
        """AdamW with a group for every part that learns."""
        if self.optimizer is None:
            groups = self.model.train_at(self.rates)  # type: ignore[union-attr,operator]
            listed = [
                {"params": weights, "lr": self.rates[part]} for part, weights in groups.items() if weights
            ]
            self.optimizer = torch.optim.AdamW(listed, weight_decay=self.args.weight_decay)
        return self.optimizer

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The sum of the weighted losses; each one goes to the log by its name."""
        found: dict[str, Tensor] = model(inputs["rows"])
        loss = found.pop("loss")
        for name, value in found.items():
            self._sums[name] = self._sums.get(name, 0.0) + value.detach()
            self._counts[name] = self._counts.get(name, 0) + 1
        return (loss, found) if return_outputs else loss

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Add the losses since the last line."""
        named = {f"{name}_loss": float(total / self._counts[name]) for name, total in self._sums.items()}
        self._sums, self._counts = {}, {}
        super().log({**logs, **named}, *args, **kwargs)


class RowCollator:
    """Positions in a list of lessons to rows; their pictures are looked at when the model reads them."""

    def __init__(self, lessons: list[Lesson], book: RowBook) -> None:
        self._lessons = lessons
        self._book = book

    def __call__(self, rows: list[dict[str, int]]) -> dict[str, list[Row]]:
        """``rows``, one for each position."""
        return {"rows": [self._book.row(self._lessons[row["position"]]) for row in rows]}


def run_tpo(
    run: Run,
    config: TpoTraining,
    variant: TpoVariant,
    settings: TpoPhase,
    model_config: ModelConfig,
    weights: Path,
    processor_folder: Path,
    heads_folder: Path | None,
    segmenter: Segmenter | None,
    dense: list[GroundingItem],
    items: list[Item],
    chat: list[ChatItem],
    frames: FrameStore,
) -> None:
    """Train one phase from the weights of the one before; continues from a complete checkpoint.

    Writes ``adapter`` (with LoRA: PEFT, the rows of the task tokens included), ``merged`` (an ordinary
    Qwen2.5-VL with its processor) and ``heads`` (:class:`TaskHeads`).

    Args:
        run: of the stage.
        config: of all phases.
        variant: which tasks, and heads or text.
        settings: of this one. A head without a learning rate is not asked.
        model_config: precision and attention.
        weights: the base model, or what the phase before merged.
        processor_folder: of the base model, or of the phase before.
        heads_folder: of the phase before, None for the first.
        segmenter: frozen, where the variant has masks.
        dense: dense items of the training side.
        items: temporal items of the sft split, for conversation.
        chat: general chat.
        frames: the pictures of all of them.
    """
    folder, resume = start(run)
    torch.manual_seed(run.seed)
    processor = load_processor(processor_folder)
    model: Any = load_model(weights, model_config)
    add_task_tokens(model, processor)
    # From here on learns what train_at says.
    language: Any = get_peft_model(model, adapter_config(config, model, processor))
    if config.method == "full":
        model.model.language_model.layers.requires_grad_(True)
    if settings.learning_rates["vision"] > 0.0:
        model.model.visual.requires_grad_(True)
    language.to(device())
    heads: Any = make_heads(config, variant, model, segmenter, heads_folder)
    pictures = Pictures(frames, processor)
    frozen = settings.learning_rates["vision"] == 0.0
    shelf = shelf_for(run.results / SHELF, model.model.visual, processor) if frozen else None
    eyes = Eyes(model, processor, pictures, frozen=frozen, shelf=shelf)
    taught = TaskModel(
        language, heads.to(device()), segmenter, eyes, frames.image, config.losses, variant.region_loss,
        asked=[task for task in variant.tasks if settings.learning_rates[task] > 0.0],
    )  # fmt: skip
    lessons: dict[Part, list[Lesson]] = {
        task: [item for item in dense if item.task == task] for task in variant.tasks
    }
    if variant.conversation:
        lessons["conversation"] = [*items, *chat]
    order = order_of(lessons, settings.mix, settings.updates, settings.batch_size, run.seed)
    told = " ".join(f"{part}: {len(listed)}" for part, listed in lessons.items())
    say(f"{settings.updates} updates of {settings.batch_size} rows, of {told}")
    taught.train_at(settings.learning_rates)
    arguments = {
        **trainer_arguments(config.of_updates(settings), model_config, folder, run.seed),
        "max_steps": settings.updates,
        # A pass without rows of some task leaves its head without a gradient.
        "ddp_find_unused_parameters": True,
        "dataloader_pin_memory": False,
    }
    trainer = TpoTrainer(
        model=taught,
        args=TrainingArguments(**arguments),
        train_dataset=Dataset.from_dict({"position": list(range(len(order)))}),
        data_collator=RowCollator(
            order, RowBook(GroundingBook(processor, eyes), processor, variant.answers == "heads")
        ),
        callbacks=callbacks(
            run, ("loss", *(f"{name}_loss" for name in ("assignment", "language", *lessons)))
        ),
    )
    trainer.rates = settings.learning_rates
    train(run, trainer, resume)
    run.metrics["updates"] = float(trainer.state.global_step)
    if not rank():
        if config.method == "lora":
            with written_whole(run.output("adapter")) as temporary:
                language.save_pretrained(temporary)
            run.metrics["adapter_norm"] = adapter_norm(language)
        with written_whole(run.output("heads")) as temporary:
            heads.save_pretrained(temporary)
        merged = language.merge_and_unload(safe_merge=True)
        with written_whole(run.output("merged")) as temporary:
            merged.save_pretrained(temporary)
            processor.save_pretrained(temporary)
    barrier()


def adapter_config(config: TpoTraining, model: Any, processor: Any) -> PeftConfig:
    """The rows of the task tokens in embedding and output; with ``lora`` adapters on the language layers."""
    rows = processor.tokenizer.convert_tokens_to_ids(list(TASK_TOKENS))
    tied = model.get_output_embeddings().weight is model.get_input_embeddings().weight
    tables = ["embed_tokens"] if tied else ["embed_tokens", "lm_head"]
    if config.method == "full":
        return TrainableTokensConfig(token_indices=rows, target_modules=tables, task_type="CAUSAL_LM")
    return LoraConfig(
        r=config.lora.r,
        lora_alpha=config.lora.alpha,
        lora_dropout=config.lora.dropout,
        target_modules=language_layers(config.lora.target),
        trainable_token_indices=dict.fromkeys(tables, rows),
        task_type="CAUSAL_LM",
    )


def make_heads(
    config: TpoTraining, variant: TpoVariant, model: Any, segmenter: Segmenter | None, folder: Path | None
) -> TaskHeads:
    """The heads of a variant: new ones, or those of the phase before."""
    if folder:
        return TaskHeads.from_pretrained(folder)
    width = model.config.get_text_config().hidden_size
    return TaskHeads(
        TaskHeadsConfig(
            hidden_size=width,
            # Vision features and states of the language model side by side.
            frame_size=2 * width,
            mask_width=segmenter.width if segmenter else 1,
            tasks=variant.tasks if variant.answers == "heads" else (),
            temporal_head=variant.temporal_head,
            moment_queries=config.moment_queries,
            temporal_width=min(256, width),
        )
    )
