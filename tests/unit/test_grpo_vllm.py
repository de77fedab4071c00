"""GRPO with completions by vLLM, up to the engine: a fake one with the interface of TRL's."""

import inspect
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from trl.generation.vllm_generation import VLLMGeneration
from trl.trainer import grpo_trainer as trl_trainer

from tests.unit.test_grpo_equality import ITEMS, made
from tests.unit.test_shared_prefix import parts, picture
from tpru.config.compose import compose
from tpru.errors import ConfigError, EngineError
from tpru.models.prompts import PromptBook
from tpru.models.shared_prefix import Sampling, completion_log_probs, sample
from tpru.training import grpo as grpo_module
from tpru.training.grpo import shared_trainer


class Engine:
    """Samples with the weights it was last given, from token ids and pictures, as vLLM does."""

    def __init__(self, **given: Any) -> None:
        assert set(given) <= set(inspect.signature(VLLMGeneration.__init__).parameters)
        self.given = given
        self.syncs = 0
        self.asked: list[dict[str, Any]] = []
        self._theirs = given["model"]
        self.weights: Any = deepcopy(self._theirs)

    def sync_weights(self) -> None:
        self.syncs += 1
        self.weights.load_state_dict(self._theirs.state_dict())

    def generate(
        self, prompts: list[list[int]], images: Any, num_generations: int, profiler: Any = None
    ) -> tuple[Any, ...]:
        self.asked.append({"prompts": prompts, "images": images, "num_generations": num_generations})
        plain = getattr(self.weights, "get_base_model", lambda: self.weights)().eval()
        book = PromptBook(plain, parts().processor, picture)
        by_ids = {tuple(book.prompt(item).ids.tolist()): item for item in ITEMS}
        batch = book.batch([by_ids[tuple(ids)] for ids in prompts])
        owner = torch.arange(len(prompts))
        said = sample(
            plain, batch, owner, Sampling(1.0, 5, -1, tuple(self.given["generation_kwargs"]["logit_bias"]))
        )
        ids = torch.tensor(said)
        with torch.no_grad():
            known, _ = completion_log_probs(plain, batch, owner, ids, torch.ones_like(ids), 1.0, False)
        return prompts, said, [[[x] for x in row] for row in known.tolist()], None


def test_the_engine_has_the_interface_that_is_called() -> None:
    theirs, ours = (list(inspect.signature(c.generate).parameters) for c in (VLLMGeneration, Engine))
    assert theirs == ours
    assert "tuple" in str(inspect.signature(VLLMGeneration.generate).return_annotation)
    assert {"model", "generation_kwargs"} <= set(inspect.signature(VLLMGeneration.__init__).parameters)


@pytest.fixture
def trainer(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(trl_trainer, "VLLMGeneration", Engine)
    monkeypatch.setattr(grpo_module, "is_vllm_available", lambda: True)
    config = compose(
        "demo",
        [
            "grpo=default", "model.precision=float32", "grpo.vllm.mode=colocate", "grpo.group_size=4",
            "grpo.batch_size=12", "grpo.per_device_batch_size=12",
        ],
    )  # fmt: skip
    made_trainer = made(shared_trainer, config, tmp_path_factory.mktemp("vllm"))
    made_trainer.model.train()
    return made_trainer


def rows(trainer: Any) -> list[dict[str, Any]]:
    return [trainer.train_dataset[i] for i in (2, 0, 1) for _ in range(4)]


def test_the_engine_is_asked_with_tokens_and_pictures_and_its_answers_are_learned_from(trainer: Any) -> None:
    inputs = trainer._generate_and_score_completions(rows(trainer))
    engine = trainer.vllm_generation
    (asked,) = engine.asked
    assert engine.syncs == 1
    assert asked["num_generations"] == 4
    assert [len(shown) for shown in asked["images"]] == [3] * 4 + [2] * 4 + [1] * 4
    assert all(isinstance(p, Image.Image) for shown in asked["images"] for p in shown)
    image = trainer.model.config.image_token_id
    runs = [sum(a == image != b for a, b in zip(ids, [*ids[1:], 0], strict=True)) for ids in asked["prompts"]]
    assert runs == [len(shown) for shown in asked["images"]], "one run of picture tokens for every picture"
    assert engine.given["generation_kwargs"] == {"logit_bias": {image: -100.0}}
    assert inputs["completion_ids"].shape == (12, 5)
    assert inputs["prompt_ids"].flatten().tolist() == [2] * 4 + [0] * 4 + [1] * 4
    kept = inputs["completion_mask"].bool()
    torch.testing.assert_close(
        inputs["sampling_per_token_logps"][kept], inputs["old_per_token_logps"][kept], atol=1e-4, rtol=0
    )
    torch.testing.assert_close(
        inputs["importance_sampling_ratio"],
        torch.ones_like(inputs["importance_sampling_ratio"]),
        atol=1e-3,
        rtol=0,
    )
    assert torch.isfinite(trainer.compute_loss(trainer.model, inputs))


def test_an_engine_with_other_weights_is_found_out(trainer: Any) -> None:
    trainer._generate_and_score_completions(rows(trainer))
    trainer.vllm_generation.sync_weights = lambda: None
    with torch.no_grad():
        for name, weight in trainer.model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.5)
    with pytest.raises(EngineError, match="most_difference"):
        trainer._generate_and_score_completions(rows(trainer))


def test_without_vllm_it_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    config = compose("demo", ["model.precision=float32", "grpo.vllm.mode=colocate"])
    with pytest.raises(ConfigError, match=r"requirements/vllm\.txt"):
        made(shared_trainer, config, tmp_path)


def test_a_server_needs_an_address() -> None:
    with pytest.raises(ConfigError, match="server_url"):
        compose("demo", ["grpo.vllm.mode=server"])
