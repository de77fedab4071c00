"""How hard items are for a model: how many of its sampled completions are right."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from tpru.config.schema import PassRatesConfig
from tpru.evaluation.generation import batch_by_batch
from tpru.evaluation.parsing import option_letters, parse_answer
from tpru.models.features import FeatureShelf
from tpru.models.processor import ImageTextProcessor
from tpru.models.prompts import Look, PromptBook
from tpru.models.shared_prefix import Sampling, sample
from tpru.randomness import generator
from tpru.records import Item, PassRate


def pass_rates(
    model: Any,
    processor: ImageTextProcessor,
    items: list[Item],
    pictures: Look,
    config: PassRatesConfig,
    partial: Path,
    seed: int,
    shelf: FeatureShelf | None = None,
) -> list[PassRate]:
    """One record per item, in the order of the items; prompts are read once for all their completions.

    Args:
        model: weights in evaluation mode are made of it.
        processor: pads on the left.
        items: what to ask.
        pictures: the picture of a frame id.
        config: samples per item, temperature, limits.
        partial: a file to which every finished batch is appended; what it holds is not asked again.
        seed: of the draws; each batch has its own, so that a continued run draws the same.
        shelf: where features of pictures are kept.
    """
    model.eval()
    book = PromptBook(model, processor, pictures, shelf=shelf)
    end = processor.tokenizer.eos_token_id
    banned = (model.config.image_token_id,)
    how = Sampling(config.temperature, config.max_completion_tokens, end, banned, config.top_p)
    order = sorted(items, key=lambda i: (len(i.shown), i.item_id))
    prompts = max(1, config.batch_size // config.samples)
    batches = [order[k : k + prompts] for k in range(0, len(order), prompts)]

    def measure(batch: list[Item]) -> Iterator[PassRate]:
        torch.manual_seed(int(generator(seed, "pass rates", batch[0].item_id).integers(2**31)))
        owner = torch.arange(len(batch), device=model.device).repeat_interleave(config.samples)
        with torch.no_grad():
            said = sample(model, book.batch(batch), owner, how)
        texts = processor.tokenizer.batch_decode(said, skip_special_tokens=True)
        for k, item in enumerate(batch):
            own = texts[k * config.samples : (k + 1) * config.samples]
            letters = option_letters(item)
            right = sum(parse_answer(t, letters, len(item.shown)) == item.answer for t in own)
            yield PassRate(item.item_id, right, config.samples)

    done = batch_by_batch(batches, partial, PassRate, measure, "sample")
    return [done[item.item_id] for item in items]


def within(items: list[Item], rates: list[PassRate], least: float, most: float) -> list[Item]:
    """The items whose share of right completions is at least ``least`` and at most ``most``.

    Raises:
        KeyError: an item has no rate.
    """
    share = {rate.item_id: rate.passes / rate.samples for rate in rates}
    return [item for item in items if least <= share[item.item_id] <= most]
