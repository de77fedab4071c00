"""What every training tells: a log file, a line with the time left, MLflow metrics, whole checkpoints."""

import json
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from tpru.run import say
from tpru.tracking.runs import Tracker
from tpru.training.checkpoints import mark_complete
from tpru.training.interruption import barrier

# Names in the log file, in MLflow and in the report; what is not listed keeps its own name.
NAMES = {
    "frac_reward_zero_std": "frac_zero_variance",
    "completions/mean_length": "completion_length",
    "completions/clipped_ratio": "frac_cut_off",
    "mean_token_accuracy": "token_accuracy",
}
NOT_LOGGED = (
    "rewards/",
    "completions/",
    "clip_ratio/",
    "num_tokens",
    "step_time",
    "epoch",
    "total_flos",
    "train_",
)


def tidy(logs: dict[str, Any]) -> dict[str, float]:
    """The metrics worth keeping, under our names."""
    kept = {}
    for key, value in logs.items():
        name = NAMES.get(key, key)
        if name == key and key.startswith(NOT_LOGGED):
            continue
        if isinstance(value, int | float):
            kept[name] = float(value)
    return kept


class TrainingLog(TrainerCallback):
    """Writes one record per logged step and marks checkpoints as complete."""

    def __init__(self, path: Path, tracker: Tracker, shown: tuple[str, ...]) -> None:
        self._path = path
        self._tracker = tracker
        self._shown = shown
        self._begun = 0.0
        self._first_step = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start the clock."""
        self._begun = time.time()
        self._first_step = state.global_step

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        """Keep one record."""
        record = tidy(logs or {})
        if not state.is_world_process_zero or not record or "train_loss" in (logs or {}):
            return
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"step": state.global_step, **record}) + "\n")
        self._tracker.metrics(record, state.global_step)
        shown = "  ".join(f"{k} {record[k]:.3g}" for k in self._shown if k in record)
        done = state.global_step - self._first_step
        left = (time.time() - self._begun) / max(1, done) * (state.max_steps - state.global_step)
        say(f"step {state.global_step}/{state.max_steps}  {shown}  {clock(left)} left")

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Say that the checkpoint just written is whole: each rank writes a part of it."""
        barrier()
        if state.is_world_process_zero:
            mark_complete(Path(args.output_dir) / f"checkpoint-{state.global_step}")


def clock(seconds: float) -> str:
    """A duration as h:mm:ss or m:ss."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
