"""Answers of a model to items, batch by batch, continuing where a killed run stopped."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from PIL import Image

from tpru.evaluation.parsing import read_answer
from tpru.models.features import FeatureShelf
from tpru.models.processor import ImageTextProcessor, Pictures, prompt_text
from tpru.models.prompts import PromptBook
from tpru.models.shared_prefix import Sampling, sample
from tpru.randomness import generator
from tpru.records import Item, PassRate, Prediction
from tpru.runtime import progress
from tpru.store import FrameStore

Record = TypeVar("Record", Prediction, PassRate)
GREY = (128, 128, 128)


@dataclass(frozen=True)
class Draws:
    """Completions are drawn and not greedy, by this seed."""

    temperature: float
    top_p: float
    seed: int


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
    shelf: FeatureShelf | None = None,
    draws: Draws | None = None,
) -> list[Prediction]:
    """One prediction per item, in the order of the items.

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
        shelf: where features of pictures are kept; not used for grey ones.
        draws: how completions are drawn; greedy without. They depend on the seed and on the batch, so a
            continued run draws the same, and another ``batch_size`` does not.
    """
    model.eval()
    pictures = Pictures(frames, processor)
    # What is on the shelf are the pictures themselves.
    shown, kept = (Greyed(pictures), None) if blind else (pictures, shelf)
    book = PromptBook(model, processor, shown, shelf=kept)
    # Prompts of equal length side by side need little padding; the order is fixed, so are the batches.
    order = sorted(items, key=lambda i: (len(i.shown), len(prompt_text(processor, i.prompt)), i.item_id))
    batches = [order[k : k + batch_size] for k in range(0, len(order), batch_size)]

    def answer(batch: list[Item]) -> Iterator[Prediction]:
        return _answer(model, processor, batch, book, names, max_new_tokens, draws)

    done = batch_by_batch(batches, partial, Prediction, answer, "answer")
    return [done[item.item_id] for item in items]


def batch_by_batch(
    batches: list[list[Item]],
    partial: Path,
    kind: type[Record],
    work: Callable[[list[Item]], Iterable[Record]],
    what: str,
) -> dict[str, Record]:
    """One record per item, by item id; a killed run continues where it stopped.

    Args:
        batches: the items, the same batches in every run.
        partial: every finished batch is appended to this file, and what it holds is not asked again.
        kind: of the records.
        work: the records of a batch.
        what: the word beside the progress bar.
    """
    done: dict[str, Record] = {record.item_id: record for record in read_partial(partial, kind)}
    partial.parent.mkdir(parents=True, exist_ok=True)
    with partial.open("a", encoding="utf-8") as stream:
        for batch in progress(batches, what, len(batches)):
            if all(item.item_id in done for item in batch):
                continue
            for record in work(batch):
                done[record.item_id] = record
                stream.write(json.dumps(asdict(record), ensure_ascii=False) + "\n")
            stream.flush()
    return done


def read_partial(path: Path, kind: type[Record]) -> list[Record]:
    """Records of an earlier, unfinished run, one a line; a last line cut short is removed."""
    if not path.exists():
        return []
    # Only "\n" ends a line: a completion may hold other marks that splitlines() would break at.
    *whole, cut_short = path.read_text(encoding="utf-8").split("\n")
    if cut_short:
        path.write_text("".join(f"{line}\n" for line in whole), encoding="utf-8")
    return [kind(**json.loads(line)) for line in whole]


def _answer(
    model: Any,
    processor: ImageTextProcessor,
    batch: list[Item],
    book: PromptBook,
    names: tuple[str, str],
    max_new_tokens: int,
    draws: Draws | None,
) -> Iterator[Prediction]:
    end = processor.tokenizer.eos_token_id
    banned = (model.config.image_token_id,)
    how = Sampling(0.0, max_new_tokens, end, banned)
    if draws:
        how = Sampling(draws.temperature, max_new_tokens, end, banned, draws.top_p)
        torch.manual_seed(int(generator(draws.seed, "answers", batch[0].item_id).integers(2**31)))
    with torch.no_grad():
        owner = torch.arange(len(batch), device=model.device)
        completions = sample(model, book.batch(batch), owner, how)
    for item, ids in zip(batch, completions, strict=True):
        kept = [t for t in ids if t != end]
        text = processor.tokenizer.decode(kept, skip_special_tokens=True)
        parsed = read_answer(text, item)
        yield Prediction(item.item_id, names[0], names[1], text, parsed, parsed == item.answer, len(kept))


class Greyed:
    """Pictures of the same sizes without content."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures

    def __call__(self, frame_id: str) -> Image.Image:
        """A grey picture of the size of this one."""
        return Image.new("RGB", self._pictures(frame_id).size, GREY)
