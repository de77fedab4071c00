"""lmms-eval, which runs in an environment of its own: is it there, its command line, and what it wrote.

Its exit status says little: it is 0 after most errors. What counts is whether the results were written.
"""

import difflib
import json
import os
import re
import subprocess
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeGuard

from tpru.config.schema import LmmsEvalConfig, ModelConfig
from tpru.errors import ConfigError, ProgramError
from tpru.evaluation.statistics import wilson_interval
from tpru.files import read_json

BACKEND = "qwen2_5_vl"
SET_UP = (
    "make it with `python3.11 -m venv lmms-venv && lmms-venv/bin/pip install -r requirements/lmms_eval.txt`, "
    "and set lmms_eval.python to its Python (docs/lmms-eval.md)"
)
# What points Python at our own packages.
OURS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
PROGRESS_S = 30
LAST_LINES = 30
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# Cut out of an answer before a task reads it, each from the first of two words to the second: the reasoning,
# and the tags around the answer that training asks for. Some tasks (BLINK) find no letter between tags.
CUT = (("<think>", "</think>"), ("<answer>", "<answer>"), ("</answer>", "</answer>"))
# Where the tasks of lmms-eval say of one item whether its answer was right, if they say it with a name.
RIGHT = ("score", "is_correct", "overall")
Z95 = 1.959964
STDERR = "_stderr"


@dataclass(frozen=True)
class Row:
    """One metric of one task (or group of tasks), by lmms-eval's own names.

    ``value`` is what lmms-eval says of ``n`` items: a share, a percentage, a mean over categories or tasks.
    Where its log says of every one whether the answer was right, ``correct`` counts them, ``accuracy`` is
    their share and ``low`` and ``high`` its 95% Wilson interval (``interval`` "wilson"). Else they are
    ``value`` plus and minus 1.96 of its own standard errors ("stderr"), or nothing ("") where it has none.
    """

    model: str
    task: str
    metric: str
    value: float
    n: int
    correct: int | None
    accuracy: float | None
    low: float | None
    high: float | None
    interval: Literal["wilson", "stderr", ""]


def environment() -> dict[str, str]:
    """Environment variables for a program that is not ours; its progress bars print a line now and then."""
    kept = {k: v for k, v in os.environ.items() if k not in OURS}
    return {**kept, "PYTHONUNBUFFERED": "1", "TQDM_MININTERVAL": str(PROGRESS_S)}


def installed(python: str) -> dict[str, str]:
    """Versions of lmms-eval and of what it stands on, as it prints them.

    Raises:
        ConfigError: it is not there, or its model class cannot be imported; the message says what to do.
    """
    printed = _asked(python, "-m", "lmms_eval", "version")
    # Model classes are imported when they are used: what is missing must be missed now.
    _asked(python, "-c", f"from lmms_eval.models import get_model; get_model({BACKEND!r})")
    found = re.findall(r"^([A-Za-z][A-Za-z-]*?) *(\d\S*)$", printed, re.MULTILINE)
    # Its "Git" is the commit of the folder that it is started in.
    return {name: number for name, number in found if name != "Git"}


def known_tasks(python: str, include_path: str) -> set[str]:
    """Names of all tasks and groups of tasks, those of a folder of one's own included.

    Raises:
        ConfigError: the folder is not there.
    """
    own = ["--include-path", include_path] if include_path else []
    if include_path and not Path(include_path).is_dir():
        raise ConfigError(f"lmms_eval.include_path={include_path} is no folder: give one with tasks, or ''")
    return set(
        re.findall(r"^  (\S+)$", _asked(python, "-m", "lmms_eval", "tasks", "list", *own), re.MULTILINE)
    )


def check_tasks(asked: tuple[str, ...], known: set[str], python: str) -> None:
    """Refuse tasks that lmms-eval does not have.

    Raises:
        ConfigError: naming them, and those with a name like theirs.
    """
    for task in asked:
        if task not in known:
            near = difflib.get_close_matches(task, sorted(known), 5)
            like = f" Like it: {', '.join(near)}." if near else ""
            raise ConfigError(
                f"lmms_eval.tasks: {task} is none of the {len(known)} tasks there.{like} "
                f"`{python} -m lmms_eval tasks` lists all; tasks of your own need lmms_eval.include_path"
            )


def _asked(python: str, *arguments: str) -> str:
    try:
        done = subprocess.run(
            [python, *arguments], env=environment(), capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise ConfigError(
            f"lmms_eval.python={python} cannot be started ({error.strerror}): {SET_UP}"
        ) from error
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise ConfigError(f"{python} {' '.join(arguments)} failed ({' '.join(last)}): {SET_UP}")
    return done.stdout


def command(
    config: LmmsEvalConfig, model: ModelConfig, weights: Path, written: Path, device: str, seed: int
) -> list[str]:
    """The command line that asks one model: greedy where the task does not say otherwise.

    Args:
        config: what is asked.
        model: its picture size and attention.
        weights: a folder that :func:`tpru.models.exported.write_exported` wrote. It and ``written`` may hold
            no comma, which ends an argument here.
        written: the folder for results.
        device: "cuda" or "cpu".
        seed: for tasks that draw.
    """
    given = {
        "pretrained": weights,
        "device_map": device,
        "attn_implementation": model.attention,
        "min_pixels": model.min_pixels,
        "max_pixels": model.max_pixels,
    }
    return [
        config.python, "-m", "lmms_eval", "--model", BACKEND,
        "--model_args", ",".join(f"{k}={v}" for k, v in given.items()),
        "--tasks", ",".join(config.tasks),
        *(["--include_path", config.include_path] if config.include_path else []),
        *(["--limit", str(config.limit)] if config.limit else []),
        *(["--gen_kwargs", f"max_new_tokens={config.max_new_tokens}"] if config.max_new_tokens else []),
        "--batch_size", str(config.batch_size), "--device", device, "--seed", str(seed),
        "--reasoning_tags", json.dumps(CUT),
        "--log_samples", "--output_path", str(written),
    ]  # fmt: skip


def ask(line: list[str], written: Path) -> None:
    """Run lmms-eval; what it prints is printed as it comes.

    Raises:
        ProgramError: it wrote no results; the message ends with what it said last.
    """
    last: deque[str] = deque(maxlen=LAST_LINES)
    with subprocess.Popen(
        line, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as program:
        try:
            assert program.stdout is not None
            for coloured in program.stdout:
                text = COLOUR.sub("", coloured)
                print(text, end="", flush=True)
                last.append(text)
        except BaseException:
            # Whoever ends this stage ends what it started.
            program.terminate()
            raise
    if program.returncode or not _results_files(written):
        raise ProgramError(
            f"lmms-eval ended with status {program.returncode} and wrote no results. Where it lacks data, "
            f"fetch them where there is network (docs/lmms-eval.md). It said last:\n{''.join(last)}"
        )


def _results_files(written: Path) -> list[Path]:
    return sorted(written.rglob("*_results.json"))


def read_rows(model: str, written: Path) -> list[Row]:
    """All metrics of all tasks that the newest results of a model hold, groups of tasks included.

    Raises:
        ProgramError: there are none.
    """
    files = _results_files(written)
    if not files:
        raise ProgramError(f"{written} holds no results of lmms-eval: delete it and run the stage again")
    results = read_json(files[-1])
    logged = {task: _samples(files[-1], task) for task in results["n-samples"]}
    rows = []
    for task, measured in results["results"].items():
        parts = _parts(task, results["group_subtasks"])
        asked = sum(results["n-samples"][part]["effective"] for part in parts)
        samples = [sample for part in parts for sample in logged[part]]
        for key, value in measured.items():
            metric, comma, filtered = key.partition(",")
            if comma and STDERR not in metric and _is_number(value):
                # A filter of the name "none" does nothing.
                names = (model, task, metric if filtered == "none" else key)
                # A metric of one category is logged for the items of that category.
                rights = [_right(sample[metric]) for sample in samples if metric in sample]
                rows.append(_row(names, float(value), asked, rights, _stderr(measured, key)))
    return rows


def _parts(task: str, groups: Mapping[str, list[str]]) -> list[str]:
    """The tasks that a group stands for, those of its groups included; a task alone."""
    below = groups.get(task, [])
    return sorted({part for name in below for part in _parts(name, groups)}) if below else [task]


def _samples(results: Path, task: str) -> list[dict[str, Any]]:
    path = results.with_name(results.name.replace("_results.json", f"_samples_{task}.jsonl"))
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _right(logged: Any) -> bool | None:
    """Whether an answer was right, None where the log does not tell."""
    if isinstance(logged, dict):
        logged = next((logged[key] for key in RIGHT if key in logged), None)
    return bool(logged) if _is_number(logged) and logged in (0, 1) else None


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float))


def _stderr(measured: Mapping[str, Any], key: str) -> float | None:
    """The standard error of a metric in its own unit, None where there is none.

    Of the metric itself where lmms-eval resamples it; else that of the items' scores, by clusters where it
    knows them, which are shares.
    """
    metric, _, filtered = key.partition(",")
    kinds = ("", "_clustered", "_clt") if abs(measured[key]) <= 1 else ("",)
    found = (measured.get(f"{metric}{STDERR}{kind},{filtered}") for kind in kinds)
    return next((float(error) for error in found if _is_number(error) and error == error), None)


def _row(
    names: tuple[str, str, str], value: float, asked: int, rights: list[bool | None], stderr: float | None
) -> Row:
    n = len(rights) or asked
    told = [right for right in rights if right is not None]
    # A task with several filters logs every item once for each, without saying for which.
    if 0 < len(told) == n <= asked:
        share = wilson_interval(sum(told), n)
        return Row(*names, value, n, sum(told), sum(told) / n, share.low, share.high, "wilson")
    if stderr is None:
        return Row(*names, value, min(n, asked), None, None, None, None, "")
    low, high = value - Z95 * stderr, value + Z95 * stderr
    return Row(*names, value, min(n, asked), None, None, low, high, "stderr")
