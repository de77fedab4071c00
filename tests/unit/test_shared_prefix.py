"""Pictures looked at once and prompts read once give what the stock passes give."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tpru.config.schema import TinyDims
from tpru.models.processor import CHAT_TEMPLATE, ImageTextProcessor, make_processor, train_tokenizer
from tpru.models.prompts import Eyes, PromptBatch, batch_prompts, encode_prompt
from tpru.models.shared_prefix import Sampling, completion_log_probs, draw, sample
from tpru.models.tiny import tiny_model
from tpru.models.vision import encode_pictures

PICTURE = "<|vision_start|><|image_pad|><|vision_end|>"
DIMS = TinyDims(
    vocabulary=320, hidden=32, layers=3, heads=2, intermediate=64,
    vision_hidden=32, vision_depth=2, vision_heads=2, vision_intermediate=64,
)  # fmt: skip
TEXTS = (f"A {PICTURE} then {PICTURE} which one?", f"{PICTURE} what is this, said in more words than above?")
SHOWN = (("a", "b"), ("c",))


@dataclass(frozen=True)
class Parts:
    model: Any
    processor: ImageTextProcessor
    eyes: Eyes


def picture(name: str) -> Image.Image:
    side = {"a": (56, 84), "b": (84, 84), "c": (140, 112)}[name]
    noise = np.random.default_rng(ord(name)).integers(0, 256, (*side, 3), dtype=np.uint8)
    return Image.fromarray(noise)


@cache
def parts() -> Parts:
    tokenizer = train_tokenizer(["what is this then which one"] * 3, 320)
    processor = make_processor(tokenizer, CHAT_TEMPLATE, 3136, 20_000)
    model = tiny_model(DIMS, processor, 0).eval()
    return Parts(model, processor, Eyes(model, processor, picture))


def prompts() -> PromptBatch:
    p = parts()
    encoded = [encode_prompt(t, s, p.processor, p.eyes) for t, s in zip(TEXTS, SHOWN, strict=True)]
    return batch_prompts(encoded, p.model, p.eyes)


def stock_inputs() -> dict[str, torch.Tensor]:
    images = [[picture(name) for name in shown] for shown in SHOWN]
    p = parts()
    return dict(p.processor(text=list(TEXTS), images=images, padding=True, return_tensors="pt"))


@pytest.mark.parametrize("grid", [(4, 4), (6, 6), (8, 8), (12, 6), (16, 20)])
def test_pictures_side_by_side_have_the_features_of_the_stock_tower(grid: tuple[int, int]) -> None:
    visual = parts().model.model.visual
    generator = torch.Generator().manual_seed(0)
    patches = torch.randn(3, grid[0] * grid[1], 1176, generator=generator)
    thw = torch.tensor([[1, *grid]] * 3)
    stock = visual(patches.flatten(0, 1), grid_thw=thw).pooler_output
    torch.testing.assert_close(encode_pictures(visual, patches, grid).flatten(0, 1), stock, atol=1e-5, rtol=0)


def test_prompts_have_the_tokens_and_positions_of_the_stock_processor() -> None:
    stock = stock_inputs()
    batch = prompts()
    positions, deltas = parts().model.model.get_rope_index(
        stock["input_ids"],
        stock["mm_token_type_ids"],
        image_grid_thw=stock["image_grid_thw"],
        attention_mask=stock["attention_mask"],
    )
    assert torch.equal(batch.mask, stock["attention_mask"])
    known = batch.mask.bool()
    assert torch.equal(batch.positions[:, known], positions[:, known])
    assert torch.equal(batch.after, stock["attention_mask"].sum(1) + deltas.squeeze(1))


def test_greedy_completions_are_those_of_generate() -> None:
    p = parts()
    stock = stock_inputs()
    end = p.processor.tokenizer.eos_token_id
    wanted = p.model.generate(**stock, max_new_tokens=12, do_sample=False)[:, stock["input_ids"].shape[1] :]
    ours = sample(p.model, prompts(), torch.tensor([0, 1]), Sampling(0.0, 12, end, ()))
    for expected, got in zip(wanted.tolist(), ours, strict=True):
        assert got == expected[: len(got)]
        assert len(got) == 12 or got[-1] == end


def test_rows_that_ended_leave_without_changing_the_others() -> None:
    p = parts()
    free = sample(p.model, prompts(), torch.tensor([0, 0, 1, 1]), Sampling(0.0, 12, -1, ()))
    end = free[0][3]  # as if the first prompt's completions ended here
    cut = sample(p.model, prompts(), torch.tensor([0, 0, 1, 1]), Sampling(0.0, 12, end, ()))
    for whole, short in zip(free, cut, strict=True):
        stop = whole.index(end) + 1 if end in whole else len(whole)
        assert short == whole[:stop]
    assert len(cut[0]) == 4


def test_banned_tokens_are_never_drawn() -> None:
    p = parts()
    first = sample(p.model, prompts(), torch.tensor([0]), Sampling(0.0, 3, -1, ()))[0][0]
    again = sample(p.model, prompts(), torch.tensor([0]), Sampling(0.0, 3, -1, (first,)))[0]
    assert first not in again


def test_log_probabilities_and_gradients_are_those_of_the_stock_pass() -> None:
    p = parts()
    generator = torch.Generator().manual_seed(1)
    owner = torch.tensor([0, 0, 1])
    completions = torch.randint(10, 200, (3, 5), generator=generator)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0]])
    stock = stock_inputs()
    rows = {k: stock[k][owner] for k in ("input_ids", "attention_mask", "mm_token_type_ids")}
    pictures = {0: (0, 1), 1: (2,)}
    wanted = [k for i in owner.tolist() for k in pictures[i]]
    pieces = stock["pixel_values"].split(stock["image_grid_thw"].prod(1).tolist())
    logits = p.model(
        input_ids=torch.cat([rows["input_ids"], completions], 1),
        attention_mask=torch.cat([rows["attention_mask"], mask], 1),
        mm_token_type_ids=torch.cat([rows["mm_token_type_ids"], torch.zeros_like(mask)], 1),
        pixel_values=torch.cat([pieces[k] for k in wanted]),
        image_grid_thw=stock["image_grid_thw"][wanted],
    ).logits[:, -6:-1]
    for temperature in (1.0, 0.7):
        ours, entropy = completion_log_probs(p.model, prompts(), owner, completions, mask, temperature, True)
        assert entropy is not None
        every = (logits / temperature).log_softmax(-1)
        stock_chosen = every.gather(-1, completions.unsqueeze(-1)).squeeze(-1) * mask
        torch.testing.assert_close(ours, stock_chosen, atol=1e-5, rtol=0)
        stock_entropy = torch.distributions.Categorical(logits=logits / temperature).entropy() * mask
        torch.testing.assert_close(entropy, stock_entropy, atol=1e-4, rtol=0)
        assert not entropy.requires_grad
        weights = [w for n, w in p.model.named_parameters() if "language_model.layers" in n]
        share = torch.randn(3, 5, generator=generator)
        gradients = [
            torch.autograd.grad((x * share).sum(), weights, retain_graph=True) for x in (ours, stock_chosen)
        ]
        for a, b in zip(*gradients, strict=True):
            torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def test_tokens_are_drawn_as_often_as_their_probabilities_say() -> None:
    torch.manual_seed(0)
    chances = torch.tensor([0.5, 0.0, 0.3, 0.2, 0.0])
    for temperature in (1.0, 0.5):
        wanted = chances ** (1 / temperature)
        drawn = draw(chances.log().expand(20_000, -1).clone(), Sampling(temperature, 1, 0, ()))
        found = torch.bincount(drawn, minlength=5) / len(drawn)
        assert found[1] == found[4] == 0
        torch.testing.assert_close(found, wanted / wanted.sum(), atol=0.02, rtol=0)
    banned = draw(torch.zeros(1_000, 5), Sampling(1.0, 1, 0, (0, 4)))
    assert set(banned.tolist()) == {1, 2, 3}


def test_the_least_probable_tokens_are_left_out() -> None:
    torch.manual_seed(0)
    chances = torch.tensor([0.1, 0.5, 0.05, 0.35]).log()
    for top_p, left in ((0.4, {1}), (0.6, {1, 3}), (0.9, {0, 1, 3}), (1.0, {0, 1, 2, 3})):
        drawn = draw(chances.expand(2_000, -1).clone(), Sampling(1.0, 1, 0, (), top_p))
        assert set(drawn.tolist()) == left
