"""GRPO with TRL: rewards, arguments and the run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from trl import GRPOConfig
from trl.import_utils import is_vllm_available

from tpru.config.devices import passes_per_update
from tpru.config.schema import GrpoConfig, ModelConfig, RewardConfig, VllmConfig
from tpru.errors import ConfigError
from tpru.models.features import SHELF, FeatureShelf, shelf_for
from tpru.models.loading import device, load_model
from tpru.models.processor import ImageTextProcessor, Pictures, load_processor
from tpru.models.prompts import Look, PromptBook
from tpru.models.shared_prefix import Sampling
from tpru.records import TASKS, Item
from tpru.run import Run, say
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
from tpru.training.data import grpo_row, training_set
from tpru.training.frozen import prompts_of
from tpru.training.grpo_trainer import OnePassGRPOTrainer, SharedPromptTrainer
from tpru.training.memory import load_of, predict, table
from tpru.training.rewards import reward


def reward_function(config: RewardConfig) -> Callable[..., list[float | None]]:
    """The reward as TRL calls it; logs accuracy by task, format and the share that cannot be read."""

    def score(
        completions: list[Any],
        answer: list[str],
        letters: list[str],
        task: list[str],
        log_metric: Callable[[str, float], None] | None = None,
        **_: Any,
    ) -> list[float | None]:
        texts = [c if isinstance(c, str) else c[0]["content"] for c in completions]
        rewards = [
            reward(text, right, options, config)
            for text, right, options in zip(texts, answer, letters, strict=True)
        ]
        if log_metric is not None:
            log_metric("accuracy", float(np.mean([r.accuracy for r in rewards])))
            log_metric("format", float(np.mean([r.format > 0 for r in rewards])))
            log_metric("unparsable", float(np.mean([not r.parsed for r in rewards])))
            for name in TASKS:
                hits = [r.accuracy for r, t in zip(rewards, task, strict=True) if t == name]
                if hits:
                    log_metric(f"accuracy/{name}", float(np.mean(hits)))
        return [r.total for r in rewards]

    return score


def grpo_arguments(
    config: GrpoConfig, model: ModelConfig, folder: Path, seed: int, image_token: int
) -> dict[str, Any]:
    """Arguments of TRL's GRPO; every default that changes the mathematics is set."""
    rollout = passes_per_update(config, 1, world_size()) * config.updates_per_rollout
    return {
        **trainer_arguments(config, model, folder, seed),
        "max_steps": config.steps,
        "num_generations": config.group_size,
        "steps_per_generation": rollout,
        "num_iterations": 1,
        "max_completion_length": config.max_completion_tokens,
        "temperature": config.temperature,
        "top_p": config.top_p,
        "top_k": 0,
        "beta": config.beta,
        "use_bias_correction_kl": False,
        "epsilon": config.epsilon,
        "epsilon_high": config.epsilon_high,
        "delta": config.delta,
        "loss_type": config.loss_type,
        "scale_rewards": config.scale_rewards,
        "mask_truncated_completions": False,
        "log_completions": False,
        "log_multimodal": False,
        **_generation(config.vllm, image_token),
    }


def _generation(vllm: VllmConfig, image_token: int) -> dict[str, Any]:
    """Who completes. A picture placeholder in an answer would break the next forward pass: it is banned."""
    if vllm.mode == "off":
        return {"generation_kwargs": {"suppress_tokens": [image_token]}}
    return {
        "use_vllm": True,
        "vllm_mode": vllm.mode,
        "vllm_server_base_url": vllm.server_url or None,
        "vllm_gpu_memory_utilization": vllm.memory_share,
        "vllm_tensor_parallel_size": vllm.tensor_parallel,
        "vllm_importance_sampling_correction": True,
        "generation_kwargs": {"logit_bias": {image_token: -100.0}},
    }


def _rollout(prompts: list[str], trainer: Any) -> dict[str, Any]:
    drawn: dict[str, Any] = trainer.rollout(prompts)
    return drawn


def run_grpo(
    run: Run,
    config: GrpoConfig,
    model_config: ModelConfig,
    sft: Path,
    items: list[Item],
    test: list[Item],
    frames: FrameStore,
) -> None:
    """Train on the items from the merged SFT model; the reference is that model, the adapter switched off.

    Writes adapter and merged model; continues from a complete checkpoint.
    """
    folder, resume = start(run)
    processor = load_processor(sft)
    model: Any = load_model(sft, model_config)
    freeze_vision(model, config)
    arguments = grpo_arguments(config, model_config, folder, run.seed, model.config.image_token_id)
    shelf = None if config.train_vision else shelf_for(run.results / SHELF, model.model.visual, processor)
    pictures = Pictures(frames, processor)
    trainer = shared_trainer(model, processor, items, pictures, config, arguments, shelf)
    for callback in callbacks(run, ("reward", "accuracy", "format", "frac_zero_variance")):
        trainer.add_callback(callback)
    for callback in held_out(run, config, test, trainer.book, processor):
        trainer.add_callback(callback)
    # Pictures are most of a prompt; to encode all prompts for this would take minutes.
    widest = max(items, key=lambda i: (len(i.shown), sum(len(b.value) for b in i.prompt)))
    tokens = len(trainer.book.prompt(widest).ids)
    memory = predict(model.config, model_config, config, load_of(config, tokens))
    say(f"memory predicted: {table(memory)}")
    train(run, trainer, resume, config.updates_per_rollout)
    if torch.cuda.is_available():
        run.metrics["gpu_memory_gb"] = torch.cuda.max_memory_allocated() / 1e9
        run.metrics["gpu_memory_predicted_gb"] = memory.total / 1e9
    export(run, trainer, processor, config)
    run.metrics["updates"] = float(trainer.state.global_step)


def shared_trainer(
    model: Any,
    processor: ImageTextProcessor,
    items: list[Item],
    pictures: Look,
    config: GrpoConfig,
    arguments: dict[str, Any],
    shelf: FeatureShelf | None = None,
) -> SharedPromptTrainer:
    """The trainer over items, all its pictures looked at where the vision tower stays as it is."""
    if config.vllm.mode != "off" and not is_vllm_available():
        raise ConfigError(
            f"grpo.vllm.mode={config.vllm.mode} needs vLLM, which is not installed: install "
            "requirements/vllm.txt on a machine with a GPU, or set grpo.vllm.mode=off"
        )
    model.to(device())
    # Which completion sees what is a mask, and flash attention takes none.
    model.model.language_model.set_attn_implementation("sdpa")
    book = PromptBook(model, processor, pictures, not config.train_vision, shelf)
    if not config.train_vision:
        book.eyes.look({f for item in items for f in item.shown})
    trainer = SharedPromptTrainer(
        train_dataset=prompts_of(items),
        rollout_func=_rollout,
        **trainer_parts(model, processor, config, arguments),
    )
    trainer.items, trainer.book = items, book
    trainer.refills, trainer.sample_at_once = config.refills, config.sample_at_once
    trainer.most_difference = config.vllm.most_difference
    end = processor.tokenizer.eos_token_id
    banned = (model.config.image_token_id,)
    limit = config.max_completion_tokens
    trainer.sampling = Sampling(config.temperature, limit, end, banned, config.top_p)
    trainer.rollouts = -(-config.steps // config.updates_per_rollout)
    return trainer


def stock_trainer(
    model: Any,
    processor: ImageTextProcessor,
    items: list[Item],
    pictures: Look,
    config: GrpoConfig,
    arguments: dict[str, Any],
) -> OnePassGRPOTrainer:
    """TRL's own passes over the same items in the same order: what ours are compared with."""
    data = training_set(items, pictures, grpo_row)
    trainer = OnePassGRPOTrainer(train_dataset=data, **trainer_parts(model, processor, config, arguments))
    trainer.rollouts = -(-config.steps // config.updates_per_rollout)
    return trainer


def trainer_parts(
    model: Any, processor: ImageTextProcessor, config: GrpoConfig, arguments: dict[str, Any]
) -> dict[str, Any]:
    """What both trainers are made of."""
    return {
        "model": model,
        "reward_funcs": reward_function(config.reward),
        "args": GRPOConfig(**arguments),
        "processing_class": processor,
        "peft_config": lora_config(config) if config.method == "lora" else None,
    }
