"""What the Snakefile needs to know: the units of an experiment, their configs and commands.

Parsing happens in the driver and again in every cluster job, so it is cheap, deterministic and has no
side effects. Before its first job the driver writes the resolved config of every unit into a *plan*
folder named by its content. Jobs read that, not ``conf/`` as it is when they start: an edit while jobs
wait in a queue changes nothing that was submitted.
"""

import json
import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tpru.config.compose import ON_REQUEST, compose, freeze, leaves, unit_config, unit_names
from tpru.config.schema import Config
from tpru.errors import ConfigError, TpruError
from tpru.files import short_hash, write_json, written_whole

if TYPE_CHECKING:  # parsing happens in every job and must stay cheap
    from tpru.invocation import Invocation

PLAN_VARIABLE = "TPRU_PLAN"
COMMAND_VARIABLE = "TPRU_COMMAND"
WEIGHTS_FROM = {
    "base": "base_model",
    "sft": "sft",
    "sft_continued": "sft_continued",
    "grpo": "grpo",
    "grpo_from_base": "grpo_from_base",
    "grpo_blind": "grpo",
}
# Snakemake calls on_start and on_end by themselves, with nothing in between to hold what they share.
_OPENED: list["Invocation"] = []


@dataclass(frozen=True)
class Plan:
    """The parsed experiment, with small helpers for the rules."""

    config: Config
    overrides: tuple[str, ...]

    @property
    def units(self) -> list[str]:
        """All units in the order of the DAG."""
        return unit_names(self.config)

    @property
    def sources(self) -> list[str]:
        """Names of the sources."""
        return list(self.config.sources)

    @property
    def models(self) -> list[str]:
        """Models to evaluate."""
        return list(self.config.evaluate.models)

    @property
    def benchmarks(self) -> list[str]:
        """Names of the benchmarks."""
        return list(self.config.benchmarks)

    def path(self, name: str) -> str:
        """A path below ``results/<experiment>``, with Snakemake wildcards as they are."""
        return f"results/{self.config.name}/{name}"

    def leaves(self, unit: str) -> Callable[[Any], list[str]]:
        """A params function: the ``key=value`` lines whose change reruns a unit (with wildcards)."""
        return lambda wildcards: leaves(unit_config(self.config, unit.format(**dict(wildcards))))

    def only_in_dag(self, unit: str) -> list[str]:
        """``run.json`` of a unit, or nothing where the experiment does without it."""
        return [self.path(f"{unit}/run.json")] if unit in self.units else []

    def weights(self, wildcards: Any) -> str:
        """``run.json`` of the stage whose weights a model name stands for."""
        return self.path(f"{WEIGHTS_FROM[wildcards.model]}/run.json")

    def command(self, unit: str) -> str:
        """Shell line of a unit's stage. ``exec`` hands signals to Python; the log keeps all output."""
        name = plan_name(unit.replace("{", "{wildcards."))
        return (
            "export TPRU_THREADS={threads} OMP_NUM_THREADS={threads} PYTHONUNBUFFERED=1; "
            f"exec {sys.executable} -m tpru.stages.{unit.split('/')[0]} "
            f'-cp "${PLAN_VARIABLE}" -cn {name} > {{log}} 2>&1'
        )


def plan_name(unit: str) -> str:
    """File name of a unit in the plan folder, without its ending."""
    return unit.replace("/", "-")


def plan(snakemake_config: dict[str, Any]) -> Plan:
    """Compose and check the experiment named on the command line (``--config experiment=...``).

    Ends the program with the error's own exit code when the configuration is not valid.
    """
    try:
        return _plan(snakemake_config)
    except TpruError as error:
        print(f"tpru: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None


def _plan(snakemake_config: dict[str, Any]) -> Plan:
    unknown = sorted(set(snakemake_config) - {"experiment", "overrides"})
    if unknown:
        raise ConfigError(
            f"--config has unknown keys {unknown}; use experiment=NAME and 'overrides=[\"group.key=value\"]'"
        )
    experiment = str(snakemake_config.get("experiment", "demo"))
    overrides = tuple(str(o) for o in snakemake_config.get("overrides", []))
    frozen = os.environ.get(PLAN_VARIABLE)
    if frozen:
        saved = json.loads((Path(frozen) / "plan.json").read_text(encoding="utf-8"))
        return Plan(Config(**saved["config"]), tuple(saved["overrides"]))
    return Plan(compose(experiment, list(overrides)), overrides)


def on_start(made: Plan) -> None:
    """Before the first job: write the plan that the jobs read, open the MLflow run and its sender."""
    from tpru.invocation import open_invocation
    from tpru.run import code

    os.environ[PLAN_VARIABLE] = str(write_plan(made))
    tags = {
        **code(),
        "tpru.overrides": " ".join(made.overrides),
        "tpru.command": command_line(),
    }
    os.environ[COMMAND_VARIABLE] = command_line()
    _OPENED.append(open_invocation(made.config.name, tags, [*made.units, *ON_REQUEST]))


def command_line() -> str:
    """The command that started this invocation, as it would be typed; known in its jobs too."""
    typed = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    return os.environ.get(COMMAND_VARIABLE, typed)


def write_plan(made: Plan) -> Path:
    """Write the resolved config of every unit, once for each content; return the folder."""
    saved = {"config": made.config.model_dump(mode="json"), "overrides": list(made.overrides)}
    parts = {unit: unit_config(made.config, unit) for unit in (*made.units, *ON_REQUEST)}
    folder = Path(made.path(f"plans/{short_hash([saved, parts])}")).absolute()
    if not folder.exists():
        with written_whole(folder) as temporary:
            temporary.mkdir()
            for unit, part in parts.items():
                freeze(temporary / f"{plan_name(unit)}.yaml", part)
            write_json(temporary / "plan.json", saved)
    return folder


def on_end(made: Plan, succeeded: bool) -> None:
    """After the last job: send what MLflow has not got, close its run and those of jobs that were killed."""
    from tpru.invocation import close_invocation

    while _OPENED:
        close_invocation(_OPENED.pop(), succeeded)
