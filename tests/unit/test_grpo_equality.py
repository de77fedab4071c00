"""GRPO with shared prompts has the numbers of TRL's own passes: loss, log-probabilities and gradients."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.unit.builders import make_item
from tests.unit.test_shared_prefix import DIMS, parts, picture
from tpru.config.compose import compose
from tpru.config.schema import Config
from tpru.models.shared_prefix import Sampling
from tpru.models.tiny import tiny_config
from tpru.training import grpo_trainer
from tpru.training.grpo import grpo_arguments, shared_trainer, stock_trainer

GROUP = 4
ITEMS = [
    make_item("i0", shown=("a", "b"), answer="C"),
    make_item(
        "i1", "reordering", shown=("c",), options=False, answer="A", text="another one, said at length"
    ),
    make_item("i2", shown=("b", "a", "c"), answer="E"),
]
SAID = ("<think>so</think>", "C", "A longer completion than that.", "<answer>C</answer>")
# The two prompts of the batch; a group without variance among them.
ASKED, REWARDS = (2, 0, 1), (0.0, 1.0, 0.5, 1.0, 0.3, 0.3, 0.3, 0.3, 1.0, 0.0, 0.0, 0.0)


@cache
def saved_model(folder: Path) -> Path:
    """A tiny model with fewer heads for keys than for queries, as the real ones have."""
    config = tiny_config(DIMS.model_copy(update={"hidden": 64, "heads": 4}), parts().processor)
    config.text_config.num_key_value_heads = 2
    torch.manual_seed(0)
    model = type(parts().model)(config)
    model.generation_config = parts().model.generation_config
    model.save_pretrained(folder / "model")
    return folder / "model"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("grpo")


def made(kind: Any, config: Config, folder: Path) -> Any:
    model = type(parts().model).from_pretrained(saved_model(folder), dtype=torch.float32)
    model.model.visual.requires_grad_(config.grpo.train_vision)
    arguments = grpo_arguments(config.grpo, config.model, folder / "out", 0, model.config.image_token_id)
    trainer = kind(model, parts().processor, ITEMS, picture, config.grpo, arguments)
    trainer.reward_funcs = [lambda completions, **_: list(REWARDS)]
    trainer.current_gradient_accumulation_steps = 1
    if config.grpo.gradient_checkpointing:  # the loop of the trainer does it
        trainer.model.gradient_checkpointing_enable({"use_reentrant": False})
        assert trainer.model.is_gradient_checkpointing
    return trainer


def completions() -> list[list[int]]:
    tokenizer = parts().processor.tokenizer
    return [tokenizer(SAID[k % 4])["input_ids"] + [tokenizer.eos_token_id] for k in range(len(REWARDS))]


def step(trainer: Any, others: Any = None) -> tuple[float, dict[str, torch.Tensor], dict[str, Any]]:
    """Loss, gradients and the batch of one update on the fixed completions."""
    if others is not None:
        trainer.model.load_state_dict(others.model.state_dict())
    rows = [trainer.train_dataset[i] for i in ASKED for _ in range(GROUP)]
    trainer.model.train()
    inputs = trainer._generate_and_score_completions(rows)
    loss = trainer.compute_loss(trainer.model, inputs)
    loss.backward()
    gradients = {n: p.grad for n, p in trainer.model.named_parameters() if p.requires_grad}
    return float(loss.detach()), gradients, inputs


@pytest.mark.parametrize(
    ("method", "beta", "train_vision", "checkpointing"),
    [
        ("lora", 0.0, False, False),
        ("lora", 0.04, False, False),
        ("lora", 0.0, True, False),
        ("lora", 0.04, True, True),
        ("full", 0.0, False, False),
        ("full", 0.0, False, True),
        ("full", 0.04, False, False),
        ("full", 0.0, True, False),
        ("full", 0.04, True, True),
    ],
)
def test_an_update_is_that_of_the_stock_trainer(
    method: str,
    beta: float,
    train_vision: bool,
    checkpointing: bool,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = compose(
        "demo",
        [
            "grpo=default", f"grpo.method={method}", f"grpo.beta={beta}", "model.precision=float32",
            f"grpo.train_vision={str(train_vision).lower()}",
            f"grpo.gradient_checkpointing={str(checkpointing).lower()}", f"grpo.group_size={GROUP}",
            f"grpo.batch_size={len(REWARDS)}", f"grpo.per_device_batch_size={len(REWARDS)}",
        ],
    )  # fmt: skip
    monkeypatch.setattr(grpo_trainer, "sample", lambda *_: completions())
    stock = made(stock_trainer, config, folder)
    monkeypatch.setattr(stock, "_generate_single_turn", lambda *_, **__: (completions(), None))
    ours = made(shared_trainer, config, folder)
    if method == "lora":
        for name, weight in stock.model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.2, generator=torch.Generator().manual_seed(1))
    expected, gradients, theirs = step(stock)
    loss, found, inputs = step(ours, stock)
    assert loss == pytest.approx(expected, abs=1e-5)
    assert expected != 0.0
    torch.testing.assert_close(inputs["advantages"], theirs["advantages"])
    assert (inputs["advantages"] == 0).sum() == GROUP, "a group without variance is among them"
    if beta:
        kept = inputs["completion_mask"].bool()
        reference = (x["ref_per_token_logps"][kept] for x in (inputs, theirs))
        torch.testing.assert_close(*reference, atol=1e-5, rtol=0)
    assert found.keys() == gradients.keys()
    assert any("visual" in n for n in found) is train_vision
    for name, gradient in gradients.items():
        torch.testing.assert_close(
            found[name], gradient, atol=1e-5, rtol=1e-4, msg=lambda m, n=name: f"{n}: {m}"
        )


def test_a_model_that_recomputes_its_layers_samples_all_the_same(folder: Path) -> None:
    said = []
    for checkpointing in ("false", "true"):
        config = compose("demo", ["model.precision=float32", f"grpo.gradient_checkpointing={checkpointing}"])
        trainer = made(shared_trainer, config, folder)
        trainer.sampling = Sampling(0.0, 6, -1, ())
        trainer.model.train()
        said.append(trainer.rollout(["0", "1"])["completion_ids"])
        assert trainer.model.training
    assert said[0] == said[1]


# Groups without variance are replaced.


def scored(advantages: list[float], length: int, first: int) -> dict[str, torch.Tensor]:
    """A batch of groups of two whose numbers tell where they come from."""
    rows = len(advantages)
    ids = first + torch.arange(rows)[:, None].expand(-1, length)
    mask = torch.ones(rows, length, dtype=torch.long)
    values = {"prompt_ids": ids[:, :1], "completion_ids": ids, "completion_mask": mask}
    return {**values, "advantages": torch.tensor(advantages), "num_items_in_batch": mask.sum()}


def test_groups_that_teach_take_the_place_of_those_that_do_not() -> None:
    batch = scored([1.0, -1.0, 0.0, 0.0, 0.0, 0.0], 2, 10)
    more = scored([0.0, 0.0, 2.0, -2.0, 0.0, 0.0], 3, 20)
    made = grpo_trainer.refilled(batch, more, 2)
    assert made["advantages"].tolist() == [1.0, -1.0, 2.0, -2.0, 0.0, 0.0]
    assert made["prompt_ids"].flatten().tolist() == [10, 11, 22, 23, 14, 15]
    assert made["completion_ids"][2].tolist() == [22, 22, 22]
    assert made["completion_ids"][0].tolist() == [10, 10, 0]
    assert made["completion_mask"].sum(1).tolist() == [2, 2, 3, 3, 2, 2]
    untouched = grpo_trainer.refilled(more, batch, 2)
    assert untouched["advantages"].tolist() == [1.0, -1.0, 2.0, -2.0, 0.0, 0.0]


def test_a_batch_is_refilled_until_every_group_teaches(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = compose("demo", ["model.precision=float32", "grpo.group_size=4", "grpo.refills=5"])
    trainer = made(shared_trainer, config, folder)
    rounds = iter([[0.0] * 12, [0.0, 1.0, 0.0, 0.0] + [0.0] * 8, [0.0, 1.0, 1.0, 0.0] * 3, [0.0] * 12])
    trainer.reward_funcs = [lambda completions, **_: next(rounds)]
    monkeypatch.setattr(grpo_trainer, "sample", lambda *_: completions())
    trainer.model.train()
    inputs = [trainer.train_dataset[i] for i in ASKED for _ in range(GROUP)]
    batch = trainer._generate_and_score_completions(inputs)
    assert (batch["advantages"].view(3, 4) != 0).all(dim=1).all()
    assert len(list(rounds)) == 1, "three rounds were enough"
    assert batch["num_items_in_batch"] == batch["completion_mask"].sum()
