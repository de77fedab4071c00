"""What SFT and GRPO share: adapters, trainer arguments, export."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from peft import LoraConfig
from transformers import TrainerCallback
from transformers.trainer_callback import PrinterCallback

from tpru.config.base import UpdateSettings
from tpru.config.devices import passes_per_update
from tpru.config.schema import ModelConfig, TrainerSettings
from tpru.files import written_whole
from tpru.models.processor import ImageTextProcessor
from tpru.models.prompts import PromptBook
from tpru.records import Item
from tpru.run import Run, say
from tpru.runtime import INTERRUPTED, rank, world_size
from tpru.training.callbacks import TrainingLog
from tpru.training.checkpoints import checkpoint_folder, newest_complete, remove_incomplete
from tpru.training.interruption import Interrupted, Interruption, barrier
from tpru.training.logs import trim_log
from tpru.training.probe import HeldOutCurve, Probe, probe_items

# Processes that train together wait so long for one that says nothing before all of them fail.
COLLECTIVE_TIMEOUT_S = 900
VISION_LINEAR = ("qkv", "proj", "gate_proj", "up_proj", "down_proj")


def lora_config(settings: TrainerSettings) -> LoraConfig:
    """LoRA on the language layers, and on the vision tower only with ``train_vision``.

    The modules are matched by their full path: a list of suffixes would also hit the vision tower.
    """
    vision = rf"|.*visual\..*\.({'|'.join(VISION_LINEAR)})" if settings.train_vision else ""
    return LoraConfig(
        r=settings.lora.r,
        lora_alpha=settings.lora.alpha,
        lora_dropout=settings.lora.dropout,
        target_modules=language_layers(settings.lora.target) + vision,
        task_type="CAUSAL_LM",
    )


def language_layers(target: tuple[str, ...]) -> str:
    """A pattern of the full paths of these layers inside the language model."""
    return rf".*language_model\..*\.({'|'.join(target)})"


def trainer_arguments(
    settings: UpdateSettings, model: ModelConfig, folder: Path, seed: int
) -> dict[str, Any]:
    """Arguments that all trainers take, everything that matters set explicitly."""
    on_gpu = torch.cuda.is_available()
    return {
        "output_dir": str(folder),
        "per_device_train_batch_size": settings.per_device_batch_size,
        "gradient_accumulation_steps": passes_per_update(settings, 1, world_size()),
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": {"constant": "constant_with_warmup"}.get(settings.schedule, settings.schedule),
        "warmup_steps": settings.warmup,
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.max_grad_norm,
        "gradient_checkpointing": settings.gradient_checkpointing,
        "bf16": model.precision == "bfloat16",
        "use_cpu": not on_gpu,
        "seed": seed,
        "data_seed": seed,
        "logging_steps": 1,
        "logging_first_step": True,
        "save_strategy": "steps",
        "save_steps": settings.save_every,
        "save_total_limit": settings.keep_checkpoints,
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": on_gpu,
        "ddp_find_unused_parameters": False,
        "ddp_timeout": COLLECTIVE_TIMEOUT_S,
        # Rows are made on access: the stored column is only their position.
        "remove_unused_columns": False,
    }


def freeze_vision(model: Any, settings: TrainerSettings) -> None:
    """Keep the vision tower as it is unless it is to be trained."""
    model.model.visual.requires_grad_(settings.train_vision)


def start(run: Run) -> tuple[Path, Path | None]:
    """Checkpoint folder of this run and the complete checkpoint to continue from, if any.

    Where several processes train together they meet here first.
    """
    if world_size() > 1:
        PartialState(cpu=not torch.cuda.is_available(), timeout=timedelta(seconds=COLLECTIVE_TIMEOUT_S))
        say(f"{world_size()} processes train together")
    folder = checkpoint_folder(run.folder, run.fingerprint())
    if not rank():
        folder.mkdir(parents=True, exist_ok=True)
        remove_incomplete(folder)
    barrier()
    resume = newest_complete(folder)
    # Without a checkpoint nothing stays, the held-out accuracy before the first update included.
    last_step = int(resume.name.rsplit("-", 1)[1]) if resume else -1
    if not rank():
        trim_log(run.folder / "log.jsonl", last_step)
    if resume:
        say(f"continuing from {resume}")
    return folder, resume


def callbacks(run: Run, shown: tuple[str, ...]) -> list[TrainerCallback]:
    """The log of this run."""
    return [TrainingLog(run.folder / "log.jsonl", run.tracker, shown)]


def held_out(
    run: Run, settings: TrainerSettings, test: list[Item], book: PromptBook, processor: ImageTextProcessor
) -> list[TrainerCallback]:
    """The learning curve on held-out items, where one is asked for."""
    items = probe_items(test, settings.probe_items, run.seed)
    if not items:
        return []
    probe = Probe(items, settings.probe_every, settings.probe_tokens)
    return [HeldOutCurve(probe, book, processor.tokenizer, run.folder / "log.jsonl", run.tracker)]


def train(run: Run, trainer: Any, resume: Path | None, whole: int = 1) -> None:
    """Train to the end, from a checkpoint when there is one.

    Args:
        run: of the stage.
        trainer: of TRL.
        resume: a complete checkpoint.
        whole: checkpoints can only be continued exactly at multiples of so many updates.

    Raises:
        Interrupted: the process was told to end; a complete checkpoint was written.
    """
    trainer.remove_callback(PrinterCallback)
    interruption = Interruption(whole)
    trainer.add_callback(interruption)
    trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    if interruption.stopped_at is not None:
        if not rank():
            run.tracker.interrupted(f"SIGTERM; checkpoint at step {interruption.stopped_at}")
            (run.folder / INTERRUPTED).touch()
        barrier()
        raise Interrupted


def export(run: Run, trainer: Any, processor: ImageTextProcessor, settings: TrainerSettings) -> None:
    """Write ``adapter`` (LoRA) and ``merged``, the folder that the next stage loads."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    if not rank():
        if settings.method == "lora":
            with written_whole(run.output("adapter")) as temporary:
                model.save_pretrained(temporary)
            run.metrics["adapter_norm"] = adapter_norm(model)
            model = model.merge_and_unload(safe_merge=True)
        with written_whole(run.output("merged")) as temporary:
            model.save_pretrained(temporary)
            processor.save_pretrained(temporary)
    barrier()


def adapter_norm(model: Any) -> float:
    """Root of the squared sum of all B matrices: 0 means that the adapter learned nothing at all."""
    squares = [p.detach().float().pow(2).sum() for n, p in model.named_parameters() if "lora_B" in n]
    return float(torch.stack(squares).sum().sqrt())
