"""Seconds per GRPO update: TRL's own passes against prompts that are read once per group.

    python -m tpru.bench.grpo                              # both geometries of the tiny model
    python -m tpru.bench.grpo --geometry tiny --scale      # and time against group, pictures and tokens
    python -m tpru.bench.grpo --geometry qwen-3b           # Qwen2.5-VL-3B with random weights, for a GPU

Both trainers have the same weights, prompts and pictures and take turns. Completions have a fixed length
(the end token is banned), and both learn from the same ones.
"""

import argparse
import json
import statistics
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tpru.bench.clock import Clock, PeakMemory, count_tokens
from tpru.bench.geometries import GEOMETRIES, Geometry, make_items, make_model
from tpru.config.compose import compose
from tpru.run import say
from tpru.training.grpo import grpo_arguments, shared_trainer, stock_trainer

PHASES = ("pictures", "generation", "reference", "loss", "optimizer", "other")
TRAINERS: dict[str, Any] = {"stock": stock_trainer, "shared": shared_trainer}
SCALES = {"group": (2, 4, 8, 16, 32), "pictures": (2, 4, 6, 8), "tokens": (16, 32, 64, 128)}
STEPS_OF_SCALE = 3


@dataclass(frozen=True)
class Measured:
    """Medians over steps: seconds by phase, tokens through the language model with padding, and the peak of
    memory in bytes above what was there before the step."""

    seconds: dict[str, float]
    tokens: int
    memory: int

    @property
    def total(self) -> float:
        """Seconds of a step."""
        return sum(self.seconds.values())


class Bench:
    """One trainer whose updates are taken apart and timed."""

    def __init__(self, name: str, geometry: Geometry, folder: Path) -> None:
        self._geometry = geometry
        completions = geometry.prompts * geometry.group
        config = compose(
            "demo",
            [
                "grpo=default", f"grpo.method={geometry.method}", f"grpo.beta={geometry.beta}",
                f"grpo.group_size={geometry.group}", f"grpo.batch_size={completions}",
                f"grpo.per_device_batch_size={completions}", f"model.precision={geometry.precision}",
                f"grpo.max_completion_tokens={geometry.tokens}",
            ],
        )  # fmt: skip
        model, processor = make_model(geometry)
        items, pictures = make_items(geometry)
        end = processor.tokenizer.eos_token_id
        arguments = grpo_arguments(config.grpo, config.model, folder, 0, model.config.image_token_id)
        arguments["generation_kwargs"]["suppress_tokens"] += [end]
        look = pictures.__getitem__
        self._trainer: Any = TRAINERS[name](model, processor, items, look, config.grpo, arguments)
        self._trainer.current_gradient_accumulation_steps = 1
        self._trainer.reward_funcs = [
            lambda completions, **_: [float(k % 2) for k in range(len(completions))]
        ]
        self._trainer.create_optimizer()
        drawn = np.random.default_rng(0).integers(300, 1500, (completions, geometry.tokens))
        self._said: list[list[int]] = drawn.tolist()
        self._tokens: list[int] = []
        self._steps: list[tuple[dict[str, float], int, int]] = []
        self._clock = Clock()
        count_tokens(model.model.language_model, self._tokens)
        self._take_apart(model, end)

    def _take_apart(self, model: Any, end: int) -> None:
        """Time the phases, and hand on fixed completions in place of those that were generated."""
        trainer: Any = self._trainer
        clock = self._clock
        # The log-probabilities of the policy belong to the loss.
        clock.time_calls(trainer, "_get_per_token_logps_and_entropies", "reference", within="other")
        if hasattr(trainer, "book"):
            trainer.sampling = replace(trainer.sampling, banned=(*trainer.sampling.banned, end))
            rollout = trainer.rollout
            trainer.rollout = lambda prompts: {**rollout(prompts), "completion_ids": self._said}
            clock.time_calls(trainer, "rollout", "generation")
            clock.time_calls(trainer.book, "batch", "pictures")
        else:
            generate = trainer._generate_single_turn
            trainer._generate_single_turn = lambda *a, **k: (generate(*a, **k) and self._said, None)
            clock.time_calls(trainer, "_generate_single_turn", "generation")
            clock.time_calls(trainer, "_tokenize_prompts", "pictures")
            clock.time_calls(trainer.processing_class.image_processor, "preprocess", "pictures")
            clock.time_calls(model.model.visual, "forward", "pictures")

    def step(self) -> None:
        """One update."""
        g, trainer, clock = self._geometry, self._trainer, self._clock
        clock.seconds.clear()
        self._tokens.clear()
        trainer.model.train()
        with PeakMemory() as memory, clock.phase("other"):
            with clock.phase("pictures"):
                rows = [trainer.train_dataset[k] for k in range(g.prompts) for _ in range(g.group)]
            inputs = trainer._generate_and_score_completions(rows)
            with clock.phase("loss"):
                loss = trainer.compute_loss(trainer.model, inputs)
                trainer.accelerator.backward(loss)
            with clock.phase("optimizer"):
                trainer.optimizer.step()
                trainer.optimizer.zero_grad()
        self._steps.append((dict(clock.seconds), sum(self._tokens), memory.bytes))

    def measured(self) -> Measured:
        """Medians, the first step left out."""
        seconds, tokens, memory = zip(*self._steps[1:], strict=True)
        by_phase = {n: statistics.median(s.get(n, 0.0) for s in seconds) for n in PHASES}
        return Measured(by_phase, int(statistics.median(tokens)), int(statistics.median(memory)))


def compare(geometry: Geometry, steps: int) -> dict[str, Measured]:
    """Measure both trainers, which take turns."""
    with tempfile.TemporaryDirectory() as folder:
        benches = {name: Bench(name, geometry, Path(folder) / name) for name in TRAINERS}
        for _ in range(steps + 1):
            for bench in benches.values():
                bench.step()
    return {name: bench.measured() for name, bench in benches.items()}


def table(measured: dict[str, Measured]) -> str:
    """Phases as rows, and how many times as long the stock step takes."""
    stock, shared = measured["stock"], measured["shared"]
    lines = [f"{'':<26}{'stock TRL':>12}{'shared':>12}{'ratio':>8}"]
    rows = [(f"{name} (s)", stock.seconds[name], shared.seconds[name]) for name in PHASES]
    rows.append(("a step (s)", stock.total, shared.total))
    rows.append(("tokens computed (1000)", stock.tokens / 1e3, shared.tokens / 1e3))
    rows.append(("peak memory (MiB)", stock.memory / 2**20, shared.memory / 2**20))
    for name, a, b in rows:
        ratio = f"{a / b:8.2f}" if b > 0 else f"{'-':>8}"
        lines.append(f"{name:<26}{a:12.3f}{b:12.3f}{ratio}")
    return "\n".join(lines)


def scale(geometry: Geometry, folder: Path) -> None:
    """Seconds of a step against the size of the group, the pictures and the tokens, as a figure."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(SCALES), figsize=(12, 3.6), layout="constrained")
    found: dict[str, Any] = {}
    sizes: Any = asdict(geometry)
    for axis, (name, values) in zip(axes, SCALES.items(), strict=True):
        points = [compare(Geometry(**{**sizes, name: value}), STEPS_OF_SCALE) for value in values]
        found[name] = [
            {name: value, **{k: p[k].total for k in TRAINERS}}
            for value, p in zip(values, points, strict=True)
        ]
        for kind, mark in (("stock", "o--"), ("shared", "s-")):
            axis.plot(values, [p[kind].total for p in points], mark, label=f"{kind} (s)")
        axis.set(xlabel={"group": "completions per prompt"}.get(name, name), ylabel="seconds per update")
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        say(f"{name}: {found[name]}")
    axes[0].legend(["TRL", "shared prompts"])
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "scale.png", dpi=150)
    (folder / "scale.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    say(f"{folder / 'scale.png'}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--geometry", nargs="*", choices=list(GEOMETRIES), default=["tiny", "demo"])
    parser.add_argument("--steps", type=int, default=5, help="updates of each trainer that count")
    parser.add_argument("--scale", action="store_true", help="also vary group, pictures and tokens")
    parser.add_argument("--out", type=Path, default=Path("results/bench"), help="folder for the figures")
    asked = parser.parse_args()
    where = (
        torch.cuda.get_device_name() if torch.cuda.is_available() else f"{torch.get_num_threads()} threads"
    )
    for name in asked.geometry:
        measured = compare(GEOMETRIES[name], asked.steps)
        say(f"{name}: {asdict(GEOMETRIES[name])}, on {where}\n{table(measured)}")
        if asked.scale:
            scale(GEOMETRIES[name], asked.out / name)


if __name__ == "__main__":
    main()
