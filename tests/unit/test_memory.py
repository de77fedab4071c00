"""Predicted memory against what a real pass of the tiny model keeps."""

import sys
from typing import Any

import pytest
import torch
from peft import get_peft_model
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from tests.unit.test_grpo_equality import saved_model
from tests.unit.test_shared_prefix import parts
from tpru.config.compose import compose
from tpru.config.schema import Config
from tpru.models.prompts import PromptBatch
from tpru.models.shared_prefix import completion_log_probs
from tpru.training import memory
from tpru.training.common import lora_config
from tpru.training.memory import Load, Memory, load_of, predict

LOAD = Load(prompts=3, group=4, prompt_tokens=50, completion_tokens=30)


def config(*overrides: str) -> Config:
    return compose("demo", ["grpo=default", "model.precision=float32", *overrides])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return type(parts().model).from_pretrained(saved_model(tmp_path_factory.mktemp("memory")))


def predicted(model: Any, *overrides: str, load: Load = LOAD) -> Memory:
    made = config(*overrides)
    return predict(model.config, made.model, made.grpo, load)


def kept_by_a_pass(model: Any, load: Load) -> int:
    """Bytes that the real pass saves for its gradients, weights left out."""
    width = model.config.get_text_config().hidden_size
    n, m = load.prompts, load.prompts * load.group
    positions = torch.arange(load.prompt_tokens).expand(3, n, -1)
    mask = torch.ones(n, load.prompt_tokens, dtype=torch.long)
    embeds = torch.randn(n, load.prompt_tokens, width, requires_grad=True)
    batch = PromptBatch(embeds, positions, mask, torch.full((n,), load.prompt_tokens))
    owner = torch.arange(n).repeat_interleave(load.group)
    said = torch.randint(10, 200, (m, load.completion_tokens))
    storages: dict[int, tuple[Tensor, int]] = {}

    def note(tensor: Tensor) -> Tensor:
        storages[id(tensor.untyped_storage())] = (tensor, tensor.untyped_storage().nbytes())
        return tensor

    with saved_tensors_hooks(note, lambda tensor: tensor):
        completion_log_probs(model, batch, owner, said, torch.ones_like(said), 1.0, False)
    fixed = {p.untyped_storage().data_ptr() for p in model.parameters()}
    return sum(size for t, size in storages.values() if t.untyped_storage().data_ptr() not in fixed)


@pytest.mark.parametrize("load", [LOAD, Load(1, 8, 200, 20), Load(4, 2, 30, 100)])
def test_activations_are_what_a_pass_keeps(model: Any, load: Load) -> None:
    found = predicted(model, "grpo.method=full", load=load).activations
    assert found == pytest.approx(kept_by_a_pass(model, load), rel=0.3)


def test_weights_and_states_are_counted_exactly(model: Any) -> None:
    size = sum(p.numel() for p in model.parameters()) * 4
    language = sum(p.numel() for n, p in model.named_parameters() if "visual" not in n) * 4
    full = predicted(model, "grpo.method=full", "grpo.beta=0")
    assert (full.weights, full.gradients, full.optimizer) == (size, language, 2 * language)
    with_reference = predicted(model, "grpo.method=full", "grpo.beta=0.1")
    assert with_reference.weights == 2 * size
    made = config("grpo.method=lora")
    wrapped: Any = get_peft_model(type(model)(model.config), lora_config(made.grpo))
    adapter = sum(p.numel() for n, p in wrapped.named_parameters() if "lora" in n) * 4
    lora = predicted(model, "grpo.method=lora")
    assert (lora.weights, lora.gradients) == (size + adapter, adapter)


def test_more_work_takes_more_and_recomputing_takes_less(model: Any) -> None:
    usual = predicted(model)
    assert predicted(model, load=Load(3, 8, 50, 30)).activations > 1.5 * usual.activations
    assert predicted(model, load=Load(3, 8, 50, 30)).sampling > usual.sampling
    assert predicted(model, "grpo.gradient_checkpointing=true").activations < 0.8 * usual.activations
    half = predicted(model, "model.dtype=bfloat16")
    assert half.gradients == usual.gradients, "adapters stay in float32"
    assert half.weights - half.gradients == (usual.weights - usual.gradients) // 2
    assert usual.total > usual.weights + usual.gradients + usual.optimizer


def test_an_argument_that_is_no_override_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["memory", "experiment=demo", "grpo.group_size=4"])
    memory.main()
    assert "group=4" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["memory", "demo_long"])
    with pytest.raises(SystemExit) as refused:
        memory.main()
    assert refused.value.code == 10
    assert "demo_long" in capsys.readouterr().err


def test_the_load_of_a_configuration_is_its_largest_pass() -> None:
    made = config("grpo.group_size=4", "grpo.batch_size=32", "grpo.per_device_batch_size=16").grpo
    assert load_of(made, 99) == Load(4, 4, 99, made.max_completion_tokens)
