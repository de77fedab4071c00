"""The parts of TRL and Transformers that the training relies on beyond their documented interface.

Fails when they move.
"""

import ast
import dataclasses
import inspect
import textwrap
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor
from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLModel
from transformers.modeling_outputs import BaseModelOutputWithPooling
from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

from tpru.config.compose import compose
from tpru.training import grpo
from tpru.training.common import trainer_arguments
from tpru.training.grpo import grpo_arguments
from tpru.training.grpo_trainer import GroupSampler, OnePassGRPOTrainer, SharedPromptTrainer

LOG_PROBABILITIES = "_get_per_token_logps_and_entropies"


def source(function: Callable[..., Any]) -> str:
    return textwrap.dedent(inspect.getsource(function))


def calls(function: Callable[..., Any], name: str) -> list[ast.Call]:
    """Calls of a method or function of this name in the source of a function."""
    found = [n for n in ast.walk(ast.parse(source(function))) if isinstance(n, ast.Call)]
    return [c for c in found if name in (getattr(c.func, "attr", ""), getattr(c.func, "id", ""))]


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


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_products_have_the_precision_of_the_model(precision: str, tmp_path: Path) -> None:
    config = compose("demo", [f"model.precision={precision}"])
    made = SFTConfig(**trainer_arguments(config.sft, config.model, tmp_path, 0))
    assert made.bf16 is (precision == "bfloat16")
    assert not made.fp16


@pytest.mark.parametrize("overrides", [[], ["grpo=tpru"], ["grpo=tpru_full"]])
def test_every_argument_is_one_of_trl(overrides: list[str], tmp_path: Path) -> None:
    config = compose("own_data", overrides)
    arguments = grpo_arguments(config.grpo, config.model, tmp_path, 0, 7)
    assert set(arguments) <= {f.name for f in dataclasses.fields(GRPOConfig)}
    shared = trainer_arguments(config.sft, config.model, tmp_path, 0)
    assert set(shared) <= {f.name for f in dataclasses.fields(SFTConfig)}
    made = GRPOConfig(**arguments)
    assert made.generation_batch_size == config.grpo.batch_size * config.grpo.updates_per_rollout
    assert made.num_generations == config.grpo.group_size
    assert made.pad_to_multiple_of is None, "the number in front of a completion would be padded"


# What SharedPromptTrainer takes over.


def test_a_rollout_function_is_called_with_the_prompts_and_the_trainer() -> None:
    assert "rollout_func" in inspect.signature(GRPOTrainer.__init__).parameters
    (call,) = calls(GRPOTrainer._generate, "rollout_func")
    assert [ast.unparse(a) for a in call.args] == ["prompts", "self"]
    assert call.keywords == []
    assert list(inspect.signature(grpo._rollout).parameters) == ["prompts", "trainer"]


def test_a_rollout_must_hold_what_is_returned_here_and_images_stay_out() -> None:
    text = source(GRPOTrainer._generate)
    assert "required_keys = {'prompt_ids', 'completion_ids', 'logprobs'}" in text.replace('"', "'")
    for rollout in (SharedPromptTrainer.rollout, SharedPromptTrainer._rollout_by_engine):
        returned = [n.value for n in ast.walk(ast.parse(source(rollout))) if isinstance(n, ast.Return)]
        (made,) = [r for r in returned if isinstance(r, ast.Dict)]
        keys = {k.value for k in made.keys if isinstance(k, ast.Constant)}
        assert keys == {"prompt_ids", "completion_ids", "logprobs"}


def test_vllm_is_known_by_a_flag_and_handed_the_weights_before_a_rollout() -> None:
    assert "self.use_vllm = args.use_vllm" in source(GRPOTrainer.__init__)
    text = source(GRPOTrainer._generate)
    assert text.index("self.vllm_generation.sync_weights()") < text.index("self.rollout_func(prompts, self)")
    scored = source(GRPOTrainer._generate_and_score_completions).replace('"', "'")
    assert "['sampling/sampling_logp_difference/mean']" in scored


def test_the_loss_is_computed_by_the_method_that_is_taken_over() -> None:
    (call,) = calls(GRPOTrainer.compute_loss, "_compute_loss")
    assert [ast.unparse(a) for a in call.args] == ["model", "inputs"]
    assert list(inspect.signature(GRPOTrainer._compute_loss).parameters) == ["self", "model", "inputs"]
    assert "'advantages'" in source(GRPOTrainer._compute_loss).replace('"', "'")
    scored = source(GRPOTrainer._generate_and_score_completions).replace('"', "'")
    for key in ("advantages", "completion_mask", "num_items_in_batch"):
        assert f"'{key}': {key}" in scored


def test_log_probabilities_that_were_not_recorded_are_none() -> None:
    assert "if sampling_per_token_logps_list is not None" in source(
        GRPOTrainer._generate_and_score_completions
    )


def test_prompt_and_completion_come_side_by_side() -> None:
    """The first column is the position of the item because a prompt is one number and padded to one."""
    loss = source(GRPOTrainer._compute_loss)
    assert "input_ids = torch.cat([prompt_ids, completion_ids], dim=1)" in loss
    assert "attention_mask = torch.cat([prompt_mask, completion_mask], dim=1)" in loss
    assert "prompt_ids = [torch.tensor(ids) for ids in prompt_ids_list]" in source(
        GRPOTrainer._generate_and_score_completions
    )


def test_log_probabilities_are_asked_for_as_they_are_computed_here() -> None:
    theirs = inspect.signature(getattr(GRPOTrainer, LOG_PROBABILITIES)).parameters
    ours = inspect.signature(getattr(SharedPromptTrainer, LOG_PROBABILITIES)).parameters
    taken = ["self", "model", "input_ids", "attention_mask", "logits_to_keep"]
    assert list(theirs)[:5] == list(ours)[:5] == taken
    assert "compute_entropy" in theirs
    assert ours["compute_entropy"].kind is inspect.Parameter.KEYWORD_ONLY
    for asked in (GRPOTrainer._compute_loss, GRPOTrainer._generate_and_score_completions):
        found = calls(asked, LOG_PROBABILITIES)
        assert found
        for call in found:
            assert len(call.args) == 4, ast.unparse(call)


def test_log_probabilities_come_with_entropies_and_a_loss_of_experts() -> None:
    hints = typing.get_type_hints(getattr(GRPOTrainer, LOG_PROBABILITIES))
    assert hints["return"] == tuple[Tensor, Tensor | None, Tensor | None]
    assigned = [
        n
        for n in ast.walk(ast.parse(source(GRPOTrainer._compute_loss)))
        if isinstance(n, ast.Assign) and LOG_PROBABILITIES in ast.unparse(n.value)
    ]
    assert [ast.unparse(n.targets[0]) for n in assigned] == ["(per_token_logps, entropies, aux_loss)"]


def test_the_reference_of_an_adapter_is_asked_of_the_trained_model() -> None:
    """The adapter switched off around the call: the shared pass reads ``self.model`` all the same."""
    text = source(GRPOTrainer._generate_and_score_completions)
    assert "with use_adapter(" in text
    inside = text[text.index("with use_adapter(") :]
    assert inside.index(f"self.{LOG_PROBABILITIES}(") < inside.index("self.model,") < inside.index("else:")


def test_temperature_is_an_attribute() -> None:
    assert "self.temperature = args.temperature" in source(GRPOTrainer.__init__)


# What SftCollator hands on.


@pytest.mark.parametrize("model", [Qwen2_5_VLModel, Qwen2_5_VLForConditionalGeneration])
def test_features_of_pictures_may_be_given_instead_of_the_pictures(model: Any) -> None:
    taken = inspect.signature(model.forward).parameters
    for name in ("mm_encoder_outputs", "position_ids", "attention_mask", "input_ids"):
        assert name in taken
    assert "mm_encoder_outputs['image'].pooler_output" in source(Qwen2_5_VLModel.forward).replace('"', "'")
    assert "pooler_output" in {f.name for f in dataclasses.fields(BaseModelOutputWithPooling)}


def test_sft_takes_a_collator_and_leaves_the_rows_as_they_are() -> None:
    assert {"data_collator", "processing_class", "peft_config"} <= set(
        inspect.signature(SFTTrainer.__init__).parameters
    )
    assert "skip_prepare_dataset" in inspect.getsource(SFTTrainer)
    assert "dataset_kwargs" in {f.name for f in dataclasses.fields(SFTConfig)}
