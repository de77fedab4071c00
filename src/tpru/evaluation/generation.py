"""Greedy answers of a model to items, batch by batch, continuing where a killed run stopped."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from tpru.evaluation.parsing import option_letters, parse_answer
from tpru.models.processor import ImageTextProcessor, Pictures, prompt_text
from tpru.records import Item, Prediction
from tpru.runtime import progress
from tpru.store import FrameStore

GREY = (128, 128, 128)


def answer_items(
    model: Any,
    processor: ImageTextProcessor,
    items: list[Item],
    frames: FrameStore,
    partial: Path,
    names: tuple[str, str],
    batch_size: int,
    max_new_tokens: int,
    blind: bool,
) -> list[Prediction]:
    """One greedy prediction per item, in the order of the items.

    Args:
        model: weights in evaluation mode are made of it.
        processor: pads on the left.
        items: what to ask.
        frames: the pictures.
        partial: a file beside which nothing is lost: every finished batch is appended to it, and what
            it holds is not asked again.
        names: model and benchmark, as recorded.
        batch_size: prompts per forward pass.
        max_new_tokens: longest completion.
        blind: replace every picture by grey, so that only the texts remain.
    """
    model.eval()
    pictures = Pictures(frames, processor)
    done = read_partial(partial)
    # Prompts of equal length side by side need little padding; the order is fixed, so are the batches.
    order = sorted(items, key=lambda i: (len(i.shown), len(prompt_text(processor, i)), i.item_id))
    batches = [order[k : k + batch_size] for k in range(0, len(order), batch_size)]
    partial.parent.mkdir(parents=True, exist_ok=True)
    with partial.open("a", encoding="utf-8") as stream:
        for batch in progress(batches, "answer", len(batches)):
            if all(item.item_id in done for item in batch):
                continue
            for prediction in _answer(model, processor, batch, pictures, names, max_new_tokens, blind):
                done[prediction.item_id] = prediction
                stream.write(json.dumps(asdict(prediction), ensure_ascii=False) + "\n")
            stream.flush()
    return [done[item.item_id] for item in items]


def read_partial(path: Path) -> dict[str, Prediction]:
    """Predictions of an earlier, unfinished run; a last line cut short is left out."""
    done: dict[str, Prediction] = {}
    if not path.exists():
        return done
    # Only "\n" ends a line: a completion may hold other marks that splitlines() would break at.
    *whole, cut_short = path.read_text(encoding="utf-8").split("\n")
    if cut_short:
        path.write_text("".join(f"{line}\n" for line in whole), encoding="utf-8")
    for line in whole:
        prediction = Prediction(**json.loads(line))
        done[prediction.item_id] = prediction
    return done


@torch.no_grad()
def _answer(
    model: Any,
    processor: ImageTextProcessor,
    batch: list[Item],
    pictures: Pictures,
    names: tuple[str, str],
    max_new_tokens: int,
    blind: bool,
) -> Iterator[Prediction]:
    images = [[_picture(pictures, f, blind) for f in item.shown] for item in batch]
    texts = [prompt_text(processor, item) for item in batch]
    inputs = processor(text=texts, images=images, padding=True, padding_side="left", return_tensors="pt").to(
        model.device
    )
    output = model.generate(
        **inputs,
        max_new_tokens=max_new_tokens,
        do_sample=False,
        temperature=None,
        top_p=None,
        top_k=None,
        suppress_tokens=[model.config.image_token_id],
    )
    completions = output[:, inputs["input_ids"].shape[1] :]
    ends = {processor.tokenizer.eos_token_id, processor.tokenizer.pad_token_id}
    for item, ids in zip(batch, completions.tolist(), strict=True):
        kept = ids[: next((k for k, t in enumerate(ids) if t in ends), len(ids))]
        text = processor.tokenizer.decode(kept, skip_special_tokens=True)
        parsed = parse_answer(text, option_letters(item), len(item.shown))
        yield Prediction(item.item_id, names[0], names[1], text, parsed, parsed == item.answer, len(kept))


def _picture(pictures: Pictures, frame_id: str, blind: bool) -> Image.Image:
    image = pictures(frame_id)
    return Image.new("RGB", image.size, GREY) if blind else image
