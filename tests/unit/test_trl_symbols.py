"""The parts of TRL that training/grpo.py relies on beyond its documented interface. Fails when they move."""

import dataclasses
import inspect
from pathlib import Path

import pytest
from trl import GRPOConfig, GRPOTrainer, SFTConfig

from tpru.config.compose import compose
from tpru.training.common import trainer_arguments
from tpru.training.grpo import GroupSampler, OnePassGRPOTrainer, grpo_arguments


def test_sampler_hook_is_called_by_the_dataloader() -> None:
    assert list(inspect.signature(GRPOTrainer._get_train_sampler).parameters) == ["self", "dataset"]
    assert "sampler_fn=self._get_train_sampler" in inspect.getsource(GRPOTrainer.get_train_dataloader)


def test_sampler_hook_reads_arguments_that_exist() -> None:
    class Arguments:
        generation_batch_size = 12
        num_generations = 4
        num_iterations = 1
        steps_per_generation = 2
        seed = 3

    class Trainer:
        train_dataset = range(5)
        args = Arguments
        rollouts = 7

    sampler = OnePassGRPOTrainer._get_train_sampler(Trainer(), None)  # type: ignore[arg-type]
    assert isinstance(sampler, GroupSampler)
    assert len(sampler) == 7 * 2 * 12
    names = {f.name for f in dataclasses.fields(GRPOConfig)}
    assert {k for k in vars(Arguments) if not k.startswith("_")} <= names


def test_rewards_are_given_what_they_ask_for() -> None:
    assert "log_metric" in inspect.getsource(GRPOTrainer._calculate_rewards)


@pytest.mark.parametrize("overrides", [[], ["grpo=tpru"], ["grpo=tpru_full"]])
def test_every_argument_is_one_of_trl(overrides: list[str], tmp_path: Path) -> None:
    config = compose("demo", overrides)
    arguments = grpo_arguments(config.grpo, config.model, tmp_path, 0, 7)
    assert set(arguments) <= {f.name for f in dataclasses.fields(GRPOConfig)}
    shared = trainer_arguments(config.sft, config.model, tmp_path, 0)
    assert set(shared) <= {f.name for f in dataclasses.fields(SFTConfig)}
    made = GRPOConfig(**arguments)
    assert made.generation_batch_size == config.grpo.batch_size * config.grpo.updates_per_rollout
    assert made.num_generations == config.grpo.group_size
