"""The learning curve on held-out items: a few of them are answered now and then during a training."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import TrainerCallback

from tpru.evaluation.parsing import read_answer
from tpru.models.prompts import PromptBook
from tpru.models.shared_prefix import Sampling, sample
from tpru.randomness import generator
from tpru.records import Item
from tpru.run import say
from tpru.tracking.runs import Tracker

AT_ONCE = 32


@dataclass(frozen=True)
class Probe:
    """What is asked: ``items`` every ``every`` updates, answered greedily with at most ``limit`` tokens."""

    items: tuple[Item, ...]
    every: int
    limit: int


def probe_items(items: Sequence[Item], most: int, seed: int) -> tuple[Item, ...]:
    """At most ``most`` test items of the training's own distribution (level 1, or no level)."""
    asked = [i for i in items if i.level in ("", "L1")]
    order = generator(seed, "probe").permutation(len(asked))[:most]
    # Of like length side by side, so that little is padded.
    return tuple(sorted((asked[i] for i in order), key=lambda i: (len(i.shown), i.item_id)))


class HeldOutCurve(TrainerCallback):
    """Logs ``held_out_accuracy`` before the first update and every few updates; nothing is chosen by it."""

    def __init__(self, probe: Probe, book: PromptBook, tokenizer: Any, log: Path, tracker: Tracker) -> None:
        self._probe = probe
        self._book = book
        self._tokenizer = tokenizer
        self._log = log
        self._tracker = tracker

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The model as it starts; not again where a run is continued."""
        if state.global_step == 0 and state.is_world_process_zero:
            self._tell(kwargs["model"], 0)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Every few updates, and after the last one."""
        due = state.global_step % self._probe.every == 0 or state.global_step == state.max_steps
        if due and state.is_world_process_zero:
            self._tell(kwargs["model"], state.global_step)

    def _tell(self, model: Any, step: int) -> None:
        accuracy = self.accuracy(model.get_base_model() if isinstance(model, PeftModel) else model)
        with self._log.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"step": step, "held_out_accuracy": accuracy}) + "\n")
        self._tracker.metrics({"held_out_accuracy": accuracy}, step)
        say(f"step {step}: {accuracy:.1%} of {len(self._probe.items)} held-out items")

    @torch.no_grad()
    def accuracy(self, model: Any) -> float:
        """Share of the probe's items that are answered right."""
        training = model.training
        model.eval()
        end = self._tokenizer.eos_token_id
        how = Sampling(0.0, self._probe.limit, end, (model.config.image_token_id,))
        right = 0
        for start in range(0, len(self._probe.items), AT_ONCE):
            batch = list(self._probe.items[start : start + AT_ONCE])
            owner = torch.arange(len(batch), device=model.device)
            for item, ids in zip(batch, sample(model, self._book.batch(batch), owner, how), strict=True):
                text = self._tokenizer.decode([t for t in ids if t != end], skip_special_tokens=True)
                right += read_answer(text, item) == item.answer
        model.train(training)
        return right / len(self._probe.items)
