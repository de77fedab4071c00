"""How often sampled completions are right, and which items that leaves."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.unit.builders import make_item
from tests.unit.test_shared_prefix import parts, picture
from tpru.config.compose import compose
from tpru.config.schema import PassRatesConfig
from tpru.evaluation import pass_rates as module
from tpru.evaluation.pass_rates import pass_rates, within
from tpru.models.shared_prefix import Sampling
from tpru.records import Item, PassRate

ITEMS = [make_item(f"i{k}", shown=("a", "b")[: 1 + k % 2], answer="ABCDE"[k % 5]) for k in range(6)]


def config(**changes: Any) -> PassRatesConfig:
    values = compose("demo", []).pass_rates.model_dump()
    return PassRatesConfig(**{**values, "samples": 4, "batch_size": 8, "max_completion_tokens": 6, **changes})


def measured(partial: Path, seed: int = 0, **changes: Any) -> list[PassRate]:
    p = parts()
    return pass_rates(p.model, p.processor, ITEMS, picture, config(**changes), partial, seed)


@pytest.fixture
def letters(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Completions that are a random letter; the list counts the prompts that were asked."""
    asked: list[int] = []
    tokenizer = parts().processor.tokenizer

    def sample(model: Any, batch: Any, owner: torch.Tensor, how: Sampling) -> list[list[int]]:
        asked.append(len(batch.mask))
        said = ["ABC"[int(i)] for i in torch.randint(3, (len(owner),))]
        return [tokenizer(f"<answer>{s}</answer>")["input_ids"] + [how.end] for s in said]

    monkeypatch.setattr(module, "sample", sample)
    return asked


def test_right_completions_are_counted(letters: list[int], tmp_path: Path) -> None:
    rates = measured(tmp_path / "rates.jsonl", samples=200)
    assert [r.item_id for r in rates] == [i.item_id for i in ITEMS]
    assert {r.samples for r in rates} == {200}
    for item, rate in zip(ITEMS, rates, strict=True):
        assert rate.passes == 0 if item.answer in "DE" else 40 < rate.passes < 95


def test_prompts_share_a_pass_up_to_the_batch_size(letters: list[int], tmp_path: Path) -> None:
    measured(tmp_path / "rates.jsonl")
    assert letters == [2, 2, 2]


def test_what_was_measured_is_not_measured_again_and_the_rest_is_the_same(
    letters: list[int], tmp_path: Path
) -> None:
    whole = measured(tmp_path / "whole.jsonl")
    lines = (tmp_path / "whole.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "cut.jsonl").write_text("".join(lines[:2]) + lines[2][:9])
    letters.clear()
    assert measured(tmp_path / "cut.jsonl") == whole
    assert letters == [2, 2]
    assert [json.loads(x) for x in (tmp_path / "cut.jsonl").read_text().splitlines()] == [
        json.loads(x) for x in lines
    ]
    assert measured(tmp_path / "other.jsonl", seed=1) != whole


def test_the_model_is_really_asked(tmp_path: Path) -> None:
    rates = measured(tmp_path / "rates.jsonl")
    assert {r.passes for r in rates} == {0}, "random weights write no answer"


def test_items_within_the_bounds_are_kept() -> None:
    rates = [PassRate(item.item_id, k, 5) for k, item in enumerate(ITEMS)]
    kept: list[Item] = within(ITEMS, rates, 0.2, 0.8)
    assert [i.item_id for i in kept] == ["i1", "i2", "i3", "i4"]
    assert within(ITEMS, rates, 0.0, 1.0) == ITEMS
    with pytest.raises(KeyError):
        within(ITEMS, rates[:-1], 0.0, 1.0)
