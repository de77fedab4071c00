"""Training on a frozen tower: inputs, log-probabilities and the learning curve, against the stock passes."""

import json
from contextlib import nullcontext
from copy import deepcopy
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from accelerate.utils import send_to_device
from peft import get_peft_model

from tests.unit.builders import make_item
from tests.unit.test_shared_prefix import parts, picture
from tpru.config.compose import compose
from tpru.evaluation.parsing import option_letters
from tpru.models.processor import prompt_text
from tpru.models.prompts import PromptBook
from tpru.models.shared_prefix import Sampling
from tpru.records import Item
from tpru.synthesis.wording import completion
from tpru.training.common import lora_config, start
from tpru.training.frozen import SftCollator, positions_of, prompts_of
from tpru.training.grpo_trainer import SharedPromptTrainer
from tpru.training.logs import read_log
from tpru.training.probe import HeldOutCurve, Probe, probe_items

ITEMS = [
    make_item("i0", shown=("a", "b"), reasoning="1: a. 2: b.", answer="C"),
    make_item(
        "i1", "reordering", shown=("c",), options=False, reasoning="A: it was so.", answer="A", text="x"
    ),
    make_item("i2", shown=("b", "a", "c"), reasoning="A longer thought about it.", answer="E"),
]


@cache
def book() -> PromptBook:
    p = parts()
    made = PromptBook(p.model, p.processor, picture)
    made.eyes.look({f for item in ITEMS for f in item.shown})
    return made


def tokenizer() -> Any:
    return parts().processor.tokenizer


@cache
def collator() -> SftCollator:
    return SftCollator(tuple(ITEMS), book(), tokenizer(), parts().model.config.image_token_id)


def collated(*positions: int) -> dict[str, Any]:
    return collator()([{"position": p} for p in positions])


def target(item: Item) -> str:
    """What is to be said after the prompt."""
    return completion(item.reasoning, item.answer) + "<|im_end|>"


def stock(item: Item, said: str) -> dict[str, Any]:
    """Inputs of prompt and completion as the stock processor gives them."""
    text = prompt_text(parts().processor, item.prompt) + said
    images = [[picture(name) for name in item.shown]]
    return dict(parts().processor(text=[text], images=images, return_tensors="pt"))


# What the trainers are handed.


def test_a_position_stands_for_an_item() -> None:
    assert positions_of(ITEMS)["position"] == [0, 1, 2]
    rows = prompts_of(ITEMS)
    assert list(rows["prompt"]) == ["0", "1", "2"]
    for row, item in zip(rows, ITEMS, strict=True):
        assert {k: row[k] for k in ("answer", "letters", "task")} == {
            "answer": item.answer,
            "letters": option_letters(item),
            "task": item.task,
        }
        assert item.reasoning not in json.dumps(row)


# SFT.


def test_labels_are_on_the_completion_alone() -> None:
    batch = collated(2, 0, 1)
    for row, item in enumerate((ITEMS[2], ITEMS[0], ITEMS[1])):
        labels, ids = batch["labels"][row], batch["input_ids"][row]
        marked = labels != -100
        assert tokenizer().decode(labels[marked]) == target(item)
        assert torch.equal(labels[marked], ids[marked])
        (places,) = torch.nonzero(marked, as_tuple=True)
        start, end = int(places[0]), int(places[-1]) + 1
        assert end - start == len(places), "one stretch"
        assert start == len(book().prompt(item).ids)
        assert batch["attention_mask"][row].tolist() == [1] * end + [0] * (ids.shape[0] - end)


def test_every_label_is_a_token_that_is_read() -> None:
    batch = collated(0, 1)
    assert not ((batch["labels"] != -100) & (batch["attention_mask"] == 0)).any()
    assert set(batch["input_ids"][batch["attention_mask"] == 0].tolist()) <= {tokenizer().pad_token_id}


def test_positions_of_the_completion_count_on_from_the_prompt() -> None:
    batch = collated(0, 2)
    for row, item in enumerate((ITEMS[0], ITEMS[2])):
        prompt = book().prompt(item)
        n = len(prompt.ids)
        assert torch.equal(batch["position_ids"][:, row, :n], prompt.positions)
        said = int((batch["labels"][row] != -100).sum())
        expected = torch.arange(prompt.after, prompt.after + said).expand(3, -1)
        assert torch.equal(batch["position_ids"][:, row, n : n + said], expected)


def test_a_row_has_the_tokens_of_the_stock_processor() -> None:
    for k, item in enumerate(ITEMS):
        assert collated(k)["input_ids"].tolist() == stock(item, target(item))["input_ids"].tolist()


def test_the_loss_is_that_of_the_stock_pass() -> None:
    model = parts().model
    for k, item in enumerate(ITEMS):
        batch = collated(k)
        inputs = stock(item, target(item))
        with torch.no_grad():
            expected = model(**inputs, labels=batch["labels"]).loss
            assert float(model(**batch).loss) == pytest.approx(float(expected), rel=1e-4)


def test_a_batch_that_was_moved_to_a_device_is_the_same() -> None:
    """Accelerate takes the batch apart and puts it together again, the features of the pictures too."""
    batch = collated(0, 1)
    moved = send_to_device(batch, torch.device("cpu"))
    assert type(moved["mm_encoder_outputs"]["image"]) is type(batch["mm_encoder_outputs"]["image"])
    with torch.no_grad():
        assert float(parts().model(**moved).loss) == float(parts().model(**batch).loss)


def test_rows_side_by_side_do_not_change_each_other() -> None:
    model = parts().model
    with torch.no_grad():
        logits = model(**collated(0, 1, 2)).logits
        for k in range(3):
            alone = model(**collated(k)).logits
            torch.testing.assert_close(logits[k, : alone.shape[1]], alone[0], atol=1e-4, rtol=1e-4)


# GRPO.


def trainer(model: Any, temperature: float = 1.0) -> Any:
    """The trainer with what its own methods use; TRL's constructor is not called."""
    made: Any = object.__new__(SharedPromptTrainer)
    made.items = ITEMS
    made.book = book()
    made.model = model
    made.temperature = temperature
    made.accelerator = SimpleNamespace(
        unwrap_model=lambda m: m, device=torch.device("cpu"), autocast=nullcontext
    )
    made.use_vllm = False
    made.sample_at_once = 2
    made.sampling = Sampling(0.0, 6, tokenizer().eos_token_id, ())
    return made


SAID = ("<think>so</think>", "C", "A longer completion.")
OWNERS = (2, 0, 2)


def completions() -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids with the position of the item in front, as TRL hands them on, and their mask."""
    ids = [tokenizer()(text)["input_ids"] for text in SAID]
    longest = max(map(len, ids))
    tokens = torch.tensor([[o, *i, *[0] * (longest - len(i))] for o, i in zip(OWNERS, ids, strict=True)])
    mask = torch.tensor([[1] * (1 + len(i)) + [0] * (longest - len(i)) for i in ids])
    return tokens, mask


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_log_probabilities_and_entropies_are_those_of_the_stock_pass(temperature: float) -> None:
    tokens, mask = completions()
    made = trainer(parts().model, temperature)
    chosen, entropies, aux = made._get_per_token_logps_and_entropies(
        parts().model, tokens, mask, tokens.shape[1] - 1, compute_entropy=True, pixel_values=None
    )
    assert aux is None
    assert chosen.shape == entropies.shape == (3, tokens.shape[1] - 1)
    assert chosen.requires_grad
    assert not entropies.requires_grad
    for row, (owner, text) in enumerate(zip(OWNERS, SAID, strict=True)):
        n = int(mask[row, 1:].sum())
        with torch.no_grad():
            logits = parts().model(**stock(ITEMS[owner], text)).logits[0, -n - 1 : -1] / temperature
        every = logits.log_softmax(-1)
        expected = every.gather(-1, tokens[row, 1 : n + 1, None]).squeeze(-1)
        torch.testing.assert_close(chosen[row, :n].detach(), expected, atol=1e-4, rtol=1e-4)
        entropy = -(every.exp() * every).sum(-1)
        torch.testing.assert_close(entropies[row, :n], entropy, atol=1e-4, rtol=1e-4)


def test_entropies_are_computed_where_they_are_asked_for() -> None:
    tokens, mask = completions()
    made = trainer(parts().model)
    assert made._get_per_token_logps_and_entropies(parts().model, tokens, mask, 3)[1] is None


def test_the_reference_is_the_model_with_its_adapter_switched_off() -> None:
    """TRL asks for the reference within ``disable_adapter``; the layers of the adapter are in place."""
    tokens, mask = completions()
    with torch.no_grad():
        model = parts().model
        plain = trainer(model)._get_per_token_logps_and_entropies(model, tokens, mask, 3)[0]
    # A copy: the adapter's layers go into the model, and its weights stop asking for gradients.
    wrapped: Any = get_peft_model(deepcopy(parts().model), lora_config(compose("demo", []).grpo))
    for name, weight in wrapped.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.2, generator=torch.Generator().manual_seed(0))
    made = trainer(wrapped)
    with torch.no_grad():
        adapted = made._get_per_token_logps_and_entropies(wrapped, tokens, mask, 3)[0]
        with wrapped.disable_adapter():
            reference = made._get_per_token_logps_and_entropies(wrapped, tokens, mask, 3)[0]
    kept = mask[:, 1:].bool()
    torch.testing.assert_close(reference[kept], plain[kept], atol=1e-5, rtol=1e-5)
    assert (adapted[kept] - plain[kept]).abs().max() > 0.01


def test_the_reference_of_full_tuning_is_a_model_of_its_own() -> None:
    """Its words are embedded by its own weights, too."""
    tokens, mask = completions()
    policy = deepcopy(parts().model)
    with torch.no_grad():
        for weight in policy.model.language_model.parameters():
            weight.mul_(1.1)
        made = trainer(policy)
        asked = [
            made._get_per_token_logps_and_entropies(m, tokens, mask, 3)[0] for m in (policy, parts().model)
        ]
        alone = trainer(parts().model)._get_per_token_logps_and_entropies(parts().model, tokens, mask, 3)[0]
    kept = mask[:, 1:].bool()
    torch.testing.assert_close(asked[1][kept], alone[kept], atol=1e-5, rtol=1e-5)
    assert (asked[0][kept] - asked[1][kept]).abs().max() > 0.01


def test_a_rollout_gives_trl_a_completion_per_prompt_and_keeps_their_order() -> None:
    made = trainer(parts().model)
    drawn = made.rollout(["2", "2", "0", "1", "0"])
    assert set(drawn) == {"prompt_ids", "completion_ids", "logprobs"}
    assert drawn["prompt_ids"] == [[2], [2], [0], [1], [0]]
    assert drawn["logprobs"] is None
    first, again, other, _, third = drawn["completion_ids"]
    assert first == again
    assert other == third
    for position, ids in zip((2, 0, 1), (first, other, drawn["completion_ids"][3]), strict=True):
        inputs = stock(ITEMS[position], "")
        end = tokenizer().eos_token_id
        whole = parts().model.generate(**inputs, max_new_tokens=6, do_sample=False)[0]
        expected = whole[inputs["input_ids"].shape[1] :].tolist()
        assert ids == expected[: len(ids)]
        assert len(ids) == 6 or ids[-1] == end


# The learning curve.


def level(item_id: str, of: Any) -> Item:
    return make_item(item_id, level=of, shown=("a", "b") if item_id > "5" else ("a",))


LEVELS = [level(str(k), ("L1", "L2", "", "L3")[k % 4]) for k in range(10)]


@pytest.mark.parametrize(("most", "n"), [(0, 0), (3, 3), (5, 5), (99, 5)])
def test_the_curve_asks_items_like_those_of_the_training(most: int, n: int) -> None:
    asked = probe_items(LEVELS, most, 0)
    assert len(asked) == n
    assert {i.level for i in asked} <= {"", "L1"}
    assert asked == probe_items(LEVELS, most, 0)
    lengths = [len(i.shown) for i in asked]
    assert lengths == sorted(lengths)


def test_the_seed_chooses_who_is_asked() -> None:
    many = [make_item(f"{k:02d}") for k in range(20)]
    drawn = {tuple(i.item_id for i in probe_items(many, 5, seed)) for seed in range(4)}
    assert len(drawn) == 4


class Half(HeldOutCurve):
    """A curve whose model is always right on half of the items."""

    def accuracy(self, model: Any) -> float:
        return 0.5


def curve(folder: Path, of: type[HeldOutCurve] = Half, every: int = 3) -> tuple[HeldOutCurve, list[Any]]:
    heard: list[Any] = []
    tracker: Any = SimpleNamespace(metrics=lambda values, step: heard.append((step, values)))
    probe = Probe(tuple(ITEMS), every, 6)
    return of(probe, book(), tokenizer(), folder / "log.jsonl", tracker), heard


def test_the_curve_begins_before_the_first_update_and_ends_after_the_last(tmp_path: Path) -> None:
    made, heard = curve(tmp_path)
    state = SimpleNamespace(global_step=0, max_steps=8, is_world_process_zero=True)
    made.on_train_begin(None, state, None, model=None)
    for step in range(1, 9):
        state.global_step = step
        made.on_step_end(None, state, None, model=None)
    assert read_log(tmp_path / "log.jsonl") == [
        {"step": step, "held_out_accuracy": 0.5} for step in (0, 3, 6, 8)
    ]
    assert heard == [(step, {"held_out_accuracy": 0.5}) for step in (0, 3, 6, 8)]


def test_a_continued_training_does_not_begin_the_curve_again(tmp_path: Path) -> None:
    made, heard = curve(tmp_path)
    made.on_train_begin(
        None, SimpleNamespace(global_step=4, max_steps=8, is_world_process_zero=True), None, model=None
    )
    assert heard == []


def test_a_training_that_begins_anew_forgets_the_whole_curve(tmp_path: Path) -> None:
    """Also the point before the first update: it belongs to a run that was cut or had another config."""
    made, _ = curve(tmp_path)
    made.on_train_begin(
        None, SimpleNamespace(global_step=0, max_steps=8, is_world_process_zero=True), None, model=None
    )
    run: Any = SimpleNamespace(folder=tmp_path, fingerprint=lambda: "abc")
    assert start(run)[1] is None
    assert read_log(tmp_path / "log.jsonl") == []


def test_the_share_of_right_answers_is_counted_and_the_model_left_as_it_was(tmp_path: Path) -> None:
    made, _ = curve(tmp_path, HeldOutCurve)
    model = parts().model
    assert made.accuracy(model) == 0.0  # random weights say nothing that can be read
    assert not model.training
    model.train()
    try:
        made.accuracy(model)
        assert model.training
    finally:
        model.eval()


def test_the_curve_reads_answers_as_the_evaluation_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = ["<answer>c</answer><|im_end|>", "<answer>B</answer>", "E"]
    ids = [tokenizer()(text)["input_ids"] for text in said]
    monkeypatch.setattr("tpru.training.probe.sample", lambda model, prompts, owner, how: ids)
    made, _ = curve(tmp_path, HeldOutCurve)
    # Right; not a picture of this item; no tag.
    assert made.accuracy(parts().model) == pytest.approx(1 / 3)
