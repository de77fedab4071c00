"""Seconds that a model takes to answer items: one `generate` per item against the evaluation's own way.

    python -m tpru.bench.evaluation results/demo --model sft --items 1000

Needs a finished experiment: its weights, tokenizer and held-out items. Both ways start with nothing
computed, take turns, and must write the same answers.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tpru.config.schema import EvaluateConfig, ModelConfig
from tpru.errors import TpruError, UpstreamError
from tpru.evaluation.generation import answer_items
from tpru.files import read_json
from tpru.models.loading import device, load_model, prepare
from tpru.models.processor import ImageTextProcessor, Pictures, load_processor, prompt_text
from tpru.pipeline import WEIGHTS_FROM
from tpru.records import Item
from tpru.run import Upstream, say
from tpru.runtime import progress
from tpru.store import FrameStore, read_records

# Items that one way answers before it is the other's turn: enough to find prompts of equal length.
TURN = 250


@dataclass(frozen=True)
class Raced:
    """Seconds of each turn, and how many answers there were and how many are the same."""

    one_by_one: list[float]
    batched: list[float]
    items: int
    same: int

    @property
    def ratio(self) -> float:
        """How many times as long one by one takes, all turns together."""
        return sum(self.one_by_one) / sum(self.batched)


def one_by_one(
    model: Any, processor: ImageTextProcessor, items: Sequence[Item], frames: FrameStore, most: int
) -> list[str]:
    """Completions by transformers' own `generate`, greedy, a prompt at a time."""
    pictures = Pictures(frames, processor)
    texts = []
    for item in progress(items, "one by one", len(items)):
        shown = [pictures(frame_id) for frame_id in item.shown]
        asked = processor(
            text=[prompt_text(processor, item.prompt)], images=shown or None, return_tensors="pt"
        )
        with torch.no_grad():
            written = model.generate(
                **asked.to(model.device), do_sample=False, max_new_tokens=most,
                suppress_tokens=[model.config.image_token_id],
            )  # fmt: skip
        new = written[0, asked["input_ids"].shape[1] :]
        texts.append(processor.tokenizer.decode(new, skip_special_tokens=True))
    return texts


def batched(
    model: Any,
    processor: ImageTextProcessor,
    items: Sequence[Item],
    frames: FrameStore,
    config: EvaluateConfig,
) -> list[str]:
    """Completions as the evaluation has them."""
    with tempfile.TemporaryDirectory() as folder:
        answered = answer_items(
            model, processor, list(items), frames, Path(folder) / "predictions.jsonl", ("model", "bench"),
            config.batch_size, config.max_new_tokens, blind=False,
        )  # fmt: skip
    return [prediction.completion for prediction in answered]


def race(
    items: Sequence[Item],
    first: Callable[[Sequence[Item]], list[str]],
    second: Callable[[Sequence[Item]], list[str]],
    turn: int = TURN,
) -> Raced:
    """Let both ways answer the items, in turns; the one that begins changes each time."""
    seconds: dict[str, list[float]] = {"first": [], "second": []}
    ways = {"first": first, "second": second}
    same = 0
    for k, start in enumerate(range(0, len(items), turn)):
        part = items[start : start + turn]
        said = {}
        for name in sorted(ways, reverse=bool(k % 2)):
            begun = time.perf_counter()
            said[name] = ways[name](part)
            seconds[name].append(time.perf_counter() - begun)
        same += sum(a == b for a, b in zip(said["first"], said["second"], strict=True))
    return Raced(seconds["first"], seconds["second"], len(items), same)


def finished(folder: Path, unit: str) -> Upstream:
    """A unit of a finished experiment.

    Raises:
        UpstreamError: it was not run.
    """
    path = folder / unit / "run.json"
    if not path.exists():
        raise UpstreamError(f"{path} is missing: run `snakemake --profile local {path}` first")
    return Upstream(unit, path.parent, read_json(path))


def measure(experiment: Path, name: str, most: int) -> None:
    """Race both ways and print the ratio.

    Raises:
        TpruError: the experiment is not finished.
    """
    prepare()
    made = finished(experiment, f"evaluate/{name}/heldout")
    config = EvaluateConfig(**{**made.record["config"]["evaluate"], "models": (name,)})
    unit = WEIGHTS_FROM[name]
    weights = finished(experiment, unit).path("model" if unit == "base_model" else "merged")
    processor = load_processor(finished(experiment, "processor").path("processor"))
    model: Any = load_model(weights, ModelConfig(**made.record["config"]["model"]))
    model.to(device()).eval()
    synthesized = finished(experiment, "synthesize")
    frames = FrameStore([synthesized.path("frames.parquet")])
    items = [i for i in read_records(synthesized.path("items.parquet"), Item) if i.split == "test"]
    found = race(
        items[:most],
        lambda part: one_by_one(model, processor, part, frames, config.max_new_tokens),
        lambda part: batched(model, processor, part, frames, config),
    )
    turns = [a / b for a, b in zip(found.one_by_one, found.batched, strict=True)]
    say(
        f"{found.items} items: one by one {sum(found.one_by_one):.1f} s, batched {sum(found.batched):.1f} s; "
        f"ratio {found.ratio:.2f} (turns: median {statistics.median(turns):.2f}, {min(turns):.2f} to "
        f"{max(turns):.2f}); {found.same} of {found.items} answers are the same text"
    )


def main() -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("experiment", type=Path, help="folder of a finished experiment")
    parser.add_argument("--model", default="sft", choices=[m for m in WEIGHTS_FROM if m != "grpo_blind"])
    parser.add_argument("--items", type=int, default=1000, help="at most so many of the held-out items")
    asked = parser.parse_args()
    try:
        measure(asked.experiment, asked.model, asked.items)
    except TpruError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
