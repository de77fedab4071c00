"""The frame around every stage: config in, files out, run recorded.

A stage is a function ``work(run: Run) -> None`` decorated with :func:`stage`. The frame composes or
loads the config, takes the stage's lock, opens its MLflow run, turns errors into messages and exit
codes, and writes ``run.json`` last: that file says that the stage is complete, and what it read and
wrote.
"""

import functools
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig, OmegaConf
from pydantic import ValidationError

from tpru.config.compose import (
    CONF,
    REPOSITORY,
    check,
    config_error,
    freeze,
    leaves,
    unit_config,
)
from tpru.errors import ConfigError, TpruError, UpstreamError
from tpru.files import (
    explain_disk_full,
    read_json,
    sha256_path,
    short_hash,
    stage_lock,
    write_json,
)
from tpru.runtime import PLANNED_VARIABLE, in_slurm, rank
from tpru.seeds import split_seed, stage_of, with_seed
from tpru.tracking.runs import SilentTracker, Tracker, stage_run

RECORDED_PACKAGES = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "datasets",
    "accelerate",
    "numpy",
    "pillow",
)


# A job that SLURM has queued again may start while its former self is still being killed.
LOCK_WAIT_S = 120.0
# A second run.json, which Snakemake does not know and so does not delete.
FINISHED = ".finished.json"
# Exit status of a process that SIGTERM ended.
TERMINATED = 128 + signal.SIGTERM


@dataclass(frozen=True)
class Upstream:
    """A finished unit: its folder and its ``run.json``."""

    unit: str
    folder: Path
    record: dict[str, Any]

    def path(self, name: str) -> Path:
        """A file or folder that the unit wrote, checked to be there and, for files, unchanged in size.

        Raises:
            UpstreamError: the unit did not record it, or it is missing or of another size.
        """
        path = self.folder / name
        remedy = f"run it again: delete {self.folder / 'run.json'} and repeat the command"
        if name not in self.record["outputs"]:
            raise UpstreamError(f"stage {self.unit} recorded no output {name}; {remedy}")
        if path.is_symlink() and not path.exists():
            raise UpstreamError(
                f"{path} leads to {path.readlink()}, which {os.uname().nodename} does not see. Put the cache "
                "of the hub ($HF_HOME) on a file system that all nodes share, "
                f"delete {self.folder / 'run.json'} and repeat the command"
            )
        if not path.exists():
            raise UpstreamError(f"{path}, written by stage {self.unit}, is missing; {remedy}")
        recorded = self.record["outputs"][name]
        if path.is_file() and path.stat().st_size != recorded["bytes"]:
            raise UpstreamError(f"{path} is not the file that stage {self.unit} wrote; {remedy}")
        return path


@dataclass
class Run:
    """One execution of one unit of the DAG."""

    name: str
    unit: str
    config: dict[str, Any]
    folder: Path
    tracker: Tracker
    started: float = field(default_factory=time.time)
    metrics: dict[str, float] = field(default_factory=dict)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)

    @property
    def seed(self) -> int:
        """The experiment's seed, or the further one of a training, for stages that read one."""
        return int(self.config["seed"])

    @property
    def items_seed(self) -> int:
        """The seed that chooses items: the experiment's own also for a training with a further one."""
        return int(self.config.get("items_seed", self.seed))

    @property
    def results(self) -> Path:
        """``results/<experiment>``."""
        return Path("results") / self.name

    def upstream(self, unit: str) -> Upstream:
        """A finished unit that this one reads; recorded as an input.

        Raises:
            UpstreamError: it has not been run.
        """
        path = self.results / unit / "run.json"
        if not path.exists():
            raise UpstreamError(f"{path} is missing: run stage {unit} of {self.name} first")
        record = read_json(path)
        self.inputs[unit] = record["fingerprint"]
        if record["mlflow_run_id"]:
            self.tracker.tag(f"upstream.{unit.replace('/', '.')}.run_id", record["mlflow_run_id"])
        return Upstream(unit, path.parent, record)

    def of_same_seed(self, stage: str) -> Upstream:
        """The finished unit of another stage that was trained with the seed of this one.

        Raises:
            UpstreamError: it has not been run.
        """
        return self.upstream(with_seed(stage, split_seed(self.unit)[1]))

    def output(self, name: str) -> Path:
        """Path of an output of this unit; what is named here is hashed into ``run.json``."""
        if name not in self.outputs:
            self.outputs.append(name)
        return self.folder / name

    def fingerprint(self) -> str:
        """Hash of the config and of everything read so far: names the checkpoints of this unit."""
        return short_hash({"config": self.config, "inputs": self.inputs})


def say(text: str) -> None:
    """One line for the log; of processes that train together one alone speaks."""
    if not rank():
        print(text, flush=True)


def stage(name: str) -> Callable[[Callable[[Run], None]], Callable[[], None]]:
    """Make a stage script out of ``work``.

    By hand: ``python -m tpru.stages.<name> experiment=demo [key=value ...]``; in the workflow:
    ``python -m tpru.stages.<name> -cp <folder of the frozen config> -cn config``.
    """

    def decorate(work: Callable[[Run], None]) -> Callable[[], None]:
        @hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
        def main(tree: DictConfig) -> None:
            try:
                execute(name, work, _unit_from(name, tree))
            except (TpruError, ValidationError) as problem:
                error = config_error(problem) if isinstance(problem, ValidationError) else problem
                print(f"tpru {name}: {error}", file=sys.stderr, flush=True)
                sys.exit(error.exit_code)

        @functools.wraps(work)
        def script() -> None:
            os.environ["HYDRA_FULL_ERROR"] = "1"
            main()

        return script

    return decorate


def _unit_from(stage_name: str, tree: DictConfig) -> dict[str, Any]:
    """The unit's config: a frozen one as it is, a composed one cut to what the unit reads."""
    if "extract" not in tree or "sft" not in tree:  # a frozen part, not the whole
        frozen: Any = OmegaConf.to_container(tree, resolve=True, throw_on_missing=True)
        return {k: v for k, v in frozen.items() if k != "hydra"}
    config = check(tree)
    unit = config.unit or stage_name
    if stage_of(unit) != stage_name:
        raise ConfigError(f"unit={unit} does not belong to stage {stage_name}")
    return unit_config(config, unit)


def execute(stage_name: str, work: Callable[[Run], None], config: dict[str, Any]) -> None:
    """Run one unit with everything around it; see the module's docstring."""
    unit, name = config["unit"], config["name"]
    folder = Path("results") / name / unit
    done = finished_meanwhile(folder, config)
    if done:
        say(f"stage {unit} was finished by another job after the driver had planned this one: kept")
        if not rank():
            write_json(folder / "run.json", done)
        return
    if rank():
        # The first of the processes that train together holds the lock, tells MLflow and writes.
        work(Run(name, unit, config, folder, SilentTracker()))
        return
    tags = {
        "tpru.stage": stage_name,
        "tpru.unit": unit,
        "tpru.config": short_hash(config),
        **code(),
    }
    with (
        explain_disk_full(folder),
        stage_lock(folder, wait_s=LOCK_WAIT_S if in_slurm() else 0.0),
        stage_run(name, unit, folder, tags) as tracker,
    ):
        run = Run(name, unit, config, folder, tracker)
        tracker.params(leaves({k: v for k, v in config.items() if k not in ("name", "unit")}))
        freeze(folder / "config.yaml", config)
        say(f"stage {unit} of experiment {name}, config {short_hash(config)}")
        work(run)
        _finish(run)


def finished_meanwhile(folder: Path, config: dict[str, Any]) -> dict[str, Any] | None:
    """The ``run.json`` of a unit that another job finished after the driver had begun to plan, else None.

    A driver that was started anew may plan what a job left behind is just finishing; Snakemake then deletes
    that job's ``run.json`` and submits another. Nobody asked for it to be made twice.
    """
    kept = folder / FINISHED
    planned = float(os.environ.get(PLANNED_VARIABLE, "inf"))
    if not kept.exists() or kept.stat().st_mtime < planned:
        return None
    record: dict[str, Any] = read_json(kept)
    inputs = {unit: Path("results") / config["name"] / unit / "run.json" for unit in record["inputs"]}
    same = all(p.exists() and read_json(p)["fingerprint"] == record["inputs"][u] for u, p in inputs.items())
    whole = all((folder / name).exists() for name in record["outputs"])
    return record if same and whole and record["config"] == config else None


def _finish(run: Run) -> None:
    outputs = {name: _described(run.folder / name) for name in sorted(run.outputs)}
    seconds = time.time() - run.started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    record = {
        "stage": stage_of(run.unit),
        "unit": run.unit,
        "experiment": run.name,
        "config": run.config,
        "config_hash": short_hash(run.config),
        "inputs": run.inputs,
        "outputs": outputs,
        "fingerprint": short_hash({k: v["sha256"] for k, v in outputs.items()}),
        "metrics": run.metrics,
        "counts": run.counts,
        "facts": run.facts,
        "mlflow_run_id": run.tracker.run_id,
        "started": datetime.fromtimestamp(run.started, UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 2),
        "peak_memory_gb": round(peak, 3),
        "code": code(),
        "versions": {p: version(p) for p in RECORDED_PACKAGES},
    }
    run.tracker.metrics({**run.metrics, "seconds": seconds, "peak_memory_gb": peak})
    write_json(run.folder / FINISHED, record)
    write_json(run.folder / "run.json", record)
    # Only now is nothing lost when the process dies.
    shutil.rmtree(run.folder / "checkpoints", ignore_errors=True)
    run.tracker.artifact(run.folder / "run.json")
    say(f"done in {seconds:.1f} s")


def _described(path: Path) -> dict[str, Any]:
    if path.is_dir():
        files = [p for p in path.rglob("*") if p.is_file()]
        return {"sha256": sha256_path(path), "bytes": sum(p.stat().st_size for p in files)}
    return {"sha256": sha256_path(path), "bytes": path.stat().st_size}


@functools.cache
def code() -> dict[str, str]:
    """Commit of the code and whether it was edited since; empty outside a git checkout."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(REPOSITORY), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        commit = git("rev-parse", "HEAD")
        edited = git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return {"git.commit": "", "git.dirty": ""}
    return {"git.commit": commit, "git.dirty": str(bool(edited)).lower()}
