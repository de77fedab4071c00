"""GRPO with TRL. This module holds everything that touches TRL's private parts."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from torch.nn import functional
from torch.utils.data import Sampler
from trl import GRPOConfig, GRPOTrainer

from tpru.config.schema import GrpoConfig, ModelConfig, RewardConfig
from tpru.models.loading import device, load_model
from tpru.models.processor import Pictures, load_processor
from tpru.models.prompts import PromptBatch, PromptBook
from tpru.models.shared_prefix import Sampling, completion_log_probs, sample
from tpru.randomness import generator
from tpru.records import TASKS, Item
from tpru.run import Run
from tpru.runtime import world_size
from tpru.store import FrameStore
from tpru.training.common import (
    accumulation,
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
from tpru.training.rewards import reward


class GroupSampler(Sampler[int]):
    """Indices of a whole training as one pass, so that a resumed run draws what an undisturbed one would.

    Each rollout takes ``prompts`` indices, each repeated ``group`` times in a row, and is given out
    ``repeats`` times. Every pass over the items has its own order, derived from the seed.
    """

    def __init__(
        self, n_items: int, prompts: int, group: int, repeats: int, rollouts: int, seed: int
    ) -> None:
        self._n_items = n_items
        self._prompts = prompts
        self._group = group
        self._repeats = repeats
        self._rollouts = rollouts
        self._seed = seed

    def __len__(self) -> int:
        return self._rollouts * self._repeats * self._prompts * self._group

    def __iter__(self) -> Iterator[int]:
        stream = self._stream()
        for _ in range(self._rollouts):
            chosen = [next(stream) for _ in range(self._prompts)]
            for _ in range(self._repeats):
                for index in chosen:
                    yield from [index] * self._group

    def _stream(self) -> Iterator[int]:
        turn = 0
        while True:
            order = generator(self._seed, "pass", str(turn)).permutation(self._n_items)
            yield from (int(i) for i in order)
            turn += 1


class OnePassGRPOTrainer(GRPOTrainer):
    """TRL's trainer with a sampler whose order survives a restart in any pass over the data."""

    rollouts = 0

    def _get_train_sampler(self, dataset: Any = None) -> Sampler[int]:
        data: Any = self.train_dataset if dataset is None else dataset
        arguments: Any = self.args
        return GroupSampler(
            n_items=len(data),
            prompts=arguments.generation_batch_size // arguments.num_generations,
            group=arguments.num_generations,
            repeats=arguments.num_iterations * arguments.steps_per_generation,
            rollouts=self.rollouts,
            seed=arguments.seed,
        )


class SharedPromptTrainer(OnePassGRPOTrainer):
    """GRPO on one device that reads each prompt once per group, pictures as features computed once.

    For TRL a prompt is a single number, the position of its item: what it stands for is looked up in
    ``book`` for sampling (TRL's ``rollout_func``) and for the log-probabilities.
    """

    items: list[Item]
    book: PromptBook
    sampling: Sampling
    # Rows of the batch at hand whose advantage is not 0; None: all are needed.
    _moving: torch.Tensor | None = None

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        # A group whose rewards are all equal has no advantage: without a KL term it moves nothing, and its
        # share of the forward and backward pass is saved. The loss still divides by the tokens of all.
        if self.beta == 0.0:
            self._moving = inputs["advantages"].nonzero().flatten()
        try:
            loss: torch.Tensor = super()._compute_loss(model, inputs)
        finally:
            self._moving = None
        return loss

    def rollout(self, prompts: list[str]) -> dict[str, Any]:
        """Completions of a batch of positions; TRL's ``rollout_func``."""
        positions = torch.tensor([int(p) for p in prompts], device=self.accelerator.device)
        model = self._plain(self.model)
        batch, owner = self._prompts(positions, model)
        completions = sample(model, batch, owner, self.sampling)
        return {
            "prompt_ids": [[p] for p in positions.tolist()],
            "completion_ids": completions,
            "logprobs": None,
        }

    def _prompts(self, positions: torch.Tensor, model: Any) -> tuple[PromptBatch, torch.Tensor]:
        """The distinct prompts of a batch as the model embeds them, and which of them each row has."""
        distinct, owner = positions.unique(return_inverse=True)
        return self.book.batch([self.items[i] for i in distinct.tolist()], model), owner

    def _plain(self, model: Any) -> Any:
        """A model with its adapter layers in place, without wrappers around it."""
        model = self.accelerator.unwrap_model(model)
        return model.get_base_model() if isinstance(model, PeftModel) else model

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        logits_to_keep: int,
        *_: Any,
        compute_entropy: bool = False,
        **__: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None, None]:
        # The policy, or the reference, which is a model of its own where no adapter can be switched off.
        plain = self._plain(model)
        rows = torch.arange(len(input_ids), device=input_ids.device)
        if self._moving is not None:
            rows = self._moving if len(self._moving) else rows[:1]
        batch, owner = self._prompts(input_ids[rows, 0], plain)
        mask = attention_mask[rows, 1:]
        longest = int(mask.sum(1).max())
        with self.accelerator.autocast():
            chosen, entropy = completion_log_probs(
                plain, batch, owner, input_ids[rows, 1 : longest + 1], mask[:, :longest], self.temperature,
                compute_entropy,
            )  # fmt: skip
        missing = input_ids.shape[1] - 1 - longest
        whole = chosen.new_zeros(len(input_ids), longest + missing)
        if entropy is not None:
            # What was left out counts as the mean of the rest: that is what is logged.
            mean = entropy.sum() / mask.sum()
            entropy = (whole + mean).index_copy(0, rows, functional.pad(entropy, (0, missing)))
        return whole.index_copy(0, rows, functional.pad(chosen, (0, missing))), entropy, None


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
    rollout = accumulation(config) * config.updates_per_rollout
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
        # A picture placeholder in an answer would break the next forward pass.
        "generation_kwargs": {"suppress_tokens": [image_token]},
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
    image_token = model.config.image_token_id
    arguments = grpo_arguments(config, model_config, folder, run.seed, image_token)
    common: dict[str, Any] = {
        "model": model,
        "reward_funcs": reward_function(config.reward),
        "args": GRPOConfig(**arguments),
        "processing_class": processor,
        "peft_config": lora_config(config) if config.method == "lora" else None,
        "callbacks": callbacks(run, ("reward", "accuracy", "format", "frac_zero_variance")),
    }
    pictures = Pictures(frames, processor)
    if config.train_vision or world_size() > 1:
        data = training_set(items, pictures, grpo_row)
        trainer = OnePassGRPOTrainer(train_dataset=data, **common)
    else:
        model.to(device())
        book = PromptBook(model, processor, pictures)
        book.eyes.look({f for item in items for f in item.shown})
        shared = SharedPromptTrainer(train_dataset=prompts_of(items), rollout_func=_rollout, **common)
        shared.items, shared.book = items, book
        for callback in held_out(run, config, test, book, processor):
            shared.add_callback(callback)
        end = processor.tokenizer.eos_token_id
        limit = config.max_completion_tokens
        shared.sampling = Sampling(config.temperature, limit, end, (image_token,))
        trainer = shared
    trainer.rollouts = -(-config.steps // config.updates_per_rollout)
    train(trainer, resume)
    export(run, trainer, processor, config)
    run.metrics["updates"] = float(trainer.state.global_step)
