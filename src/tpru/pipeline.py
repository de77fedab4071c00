"""What the Snakefile needs to know: the units of an experiment, their configs and commands.

Parsing happens in the driver and again in every cluster job, so it is cheap, deterministic and has no
side effects. Before its first job the driver writes the resolved config of every unit into a *plan*
folder named by its content. Jobs read that, not ``conf/`` as it is when they start: an edit while jobs
wait in a queue changes nothing that was submitted.
"""

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tpru.config.compose import (
    ON_REQUEST,
    TPO_CONTROL,
    TPO_MODEL,
    TRAININGS,
    asked_models,
    compose,
    evaluated_variants,
    external_benchmarks,
    fetches,
    freeze,
    leaves,
    phase_before,
    seeded_models,
    shard_numbers,
    simulated_sources,
    unit_config,
    unit_names,
)
from tpru.config.devices import passes_per_update
from tpru.config.schema import Config, UrlsFetch
from tpru.errors import ConfigError, TpruError
from tpru.files import read_json, short_hash, write_json, written_whole
from tpru.runtime import PLANNED_VARIABLE
from tpru.seeds import split_seed, suffixes, with_seed
from tpru.shards import shard_names

if TYPE_CHECKING:  # parsing happens in every job and must stay cheap
    from tpru.tracking.invocation import Invocation

PLAN_VARIABLE = "TPRU_PLAN"
COMMAND_VARIABLE = "TPRU_COMMAND"
# A file that takes the ids of the SLURM jobs that this driver waits for.
JOBS_VARIABLE = "TPRU_JOBS"
EXPORTS = "export TPRU_THREADS={threads} OMP_NUM_THREADS={threads} PYTHONUNBUFFERED=1;"
# Of the changed values of a unit, so many are named.
MOST_VALUES = 6
# Behind the name of a training, in rules: empty, or the suffix of a further seed.
SEED = "{seed}"
WEIGHTS_FROM = {
    "base": "base_model",
    "sft": "sft",
    "sft_continued": "sft_continued",
    "grpo": "grpo",
    "grpo_from_base": "grpo_from_base",
    "grpo_blind": "grpo",
    "tpo": TPO_MODEL,
    "tpo_chat": TPO_CONTROL,
    "sft_from_tpo": "sft_from_tpo",
    "grpo_from_tpo": "grpo_from_tpo",
}
# Snakemake calls on_start and on_end by themselves, with nothing in between to hold what they share.
_OPENED: list["Invocation"] = []


@dataclass(frozen=True)
class Plan:
    """The parsed experiment, with small helpers for the rules."""

    config: Config
    overrides: tuple[str, ...]
    shards: dict[str, int]

    @property
    def units(self) -> list[str]:
        """All units in the order of the DAG, without shards."""
        return unit_names(self.config)

    @property
    def every_unit(self) -> list[str]:
        """All units, shards and those that run on request included."""
        shards = [name for unit, of in self.shards.items() for name in shard_names(unit, of)]
        return [*self.units, *shards, *ON_REQUEST]

    @property
    def sources(self) -> list[str]:
        """Names of the sources."""
        return list(self.config.sources)

    @property
    def simulated(self) -> list[str]:
        """Names of the simulated sources."""
        return simulated_sources(self.config)

    @property
    def models(self) -> list[str]:
        """Models to evaluate, those behind endpoints and of further seeds included."""
        return [*asked_models(self.config), *seeded_models(self.config)]

    @property
    def seeds(self) -> str:
        """A pattern of what units of trainings end with: nothing, or the suffix of a further seed."""
        return suffixes(self.config.seeds)

    @property
    def benchmarks(self) -> list[str]:
        """Names of the benchmarks."""
        return list(self.config.benchmarks)

    def path(self, name: str) -> str:
        """A path below ``results/<experiment>``, with Snakemake wildcards as they are.

        Without further seeds trainings have no wildcard, so that the name of a rule is a target.
        """
        return f"results/{self.config.name}/{self._pattern(name)}"

    def only_in_dag(self, unit: str) -> list[str]:
        """``run.json`` of a unit, or nothing where the experiment does without it."""
        return [self.path(f"{unit}/run.json")] if unit.removesuffix(SEED) in self.units else []

    def shard_files(self, unit: str) -> Callable[[Any], list[str]]:
        """An input function: ``run.json`` of the shards that a unit gathers (with wildcards), often none."""

        def files(wildcards: Any) -> list[str]:
            whole = unit.format(**dict(wildcards))
            return [self.path(f"{name}/run.json") for name in shard_names(whole, self.shards.get(whole, 1))]

        return files

    @property
    def fetched(self) -> list[str]:
        """Names of the sources and benchmarks whose data are fetched."""
        return list(fetches(self.config))

    def fetched_source(self, wildcards: Any) -> list[str]:
        """``run.json`` of the stage that fetches a source, or nothing where its data are the user's."""
        return self.only_in_dag(f"fetch/{wildcards.source}")

    def fetched_benchmark(self, wildcards: Any) -> list[str]:
        """``run.json`` of the stage that fetches a benchmark, or nothing where its files are the user's."""
        return self.only_in_dag(f"fetch/{wildcards.benchmark}")

    def url_list(self, wildcards: Any) -> list[str]:
        """The file with the URLs of a source, which is read anew when it changes; often none."""
        fetch = fetches(self.config)[wildcards.fetched]
        return [fetch.list] if isinstance(fetch, UrlsFetch) and isinstance(fetch.list, str) else []

    def external_benchmarks(self) -> list[str]:
        """``run.json`` of every external benchmark."""
        return [self.path(f"benchmark/{name}/run.json") for name in external_benchmarks(self.config)]

    def benchmark(self, wildcards: Any) -> str:
        """``run.json`` of the stage that gives the items of a benchmark."""
        return self._items(wildcards.benchmark)

    def weights(self, wildcards: Any) -> list[str]:
        """``run.json`` of the stage whose weights a model name stands for; nothing behind an endpoint."""
        unit = weights_unit(wildcards.model)
        return [self.path(f"{unit}/run.json")] if unit else []

    @property
    def variants(self) -> list[str]:
        """Names of the trainings of TPO."""
        return list(self.config.tpo.variants)

    def tpo_model(self) -> str:
        """``run.json`` of the phase of TPO that SFT can go on from."""
        return self.path(f"{TPO_MODEL}/run.json")

    def phase_before(self, wildcards: Any) -> list[str]:
        """``run.json`` of the stage whose weights a phase of TPO goes on from."""
        unit = f"tpo/{wildcards.variant}/{wildcards.phase}"
        return [self.path(f"{phase_before(unit, self.config.tpo.variants[wildcards.variant])}/run.json")]

    def segmenter(self, wildcards: Any) -> list[str]:
        """``run.json`` of the segmenter, where a training of TPO has a mask head."""
        return self.only_in_dag("segmenter") if self.config.tpo.variants[wildcards.variant].segments else []

    def heads(self) -> list[str]:
        """``run.json`` of the evaluations of heads."""
        return [self.path(f"evaluate_heads/{name}/run.json") for name in evaluated_variants(self.config)]

    def exported(self) -> list[str]:
        """``run.json`` of the stages whose weights lmms-eval is given."""
        return [self.path(f"{WEIGHTS_FROM[model]}/run.json") for model in self.config.lmms_eval.models]

    def verdicts(self) -> list[str]:
        """``run.json`` of the judge, where the page shows what it says."""
        return [self.path("judge/run.json")] if self.config.report.judge else []

    def judged(self) -> list[str]:
        """``run.json`` of the evaluations that the judge reads, and of the stage that gives their items."""
        judge = self.config.judge
        answers = [self.path(f"evaluate/{model}/{judge.benchmark}/run.json") for model in judge.models]
        return [*answers, self._items(judge.benchmark)]

    def command(self, unit: str, gathers: bool = False) -> str:
        """Shell line of a unit's stage. ``exec`` hands signals to Python; the log keeps all output.

        A stage that ``gathers`` is told how many shards its rule has among its input.
        """
        shards = "export TPRU_SHARDS=$(echo {input.shards} | wc -w); " if gathers else ""
        return f"{shards}{EXPORTS} exec {sys.executable} -m {self._stage(unit)} > {{log}} 2>&1"

    def training_command(self, unit: str) -> str:
        """The same for a stage that may be several processes on several machines.

        What the launcher itself says goes where the job's output goes: SLURM keeps it over restarts, while
        Snakemake begins each with an empty log.
        """
        folder = in_shell(self.path(unit))
        return (
            f"{EXPORTS} exec {sys.executable} -m tpru.launch --folder {folder} --log {{log}} "
            f"--nodes {{resources.nodes}} --processes {{resources.gpu}} -- {self._stage(unit)}"
        )

    def _stage(self, unit: str) -> str:
        stage = unit.split("/")[0].removesuffix(SEED)
        name = plan_name(in_shell(self._pattern(unit)))
        return f'tpru.stages.{stage} -cp "${PLAN_VARIABLE}" -cn {name}'

    def _items(self, benchmark: str) -> str:
        external = benchmark in external_benchmarks(self.config)
        return self.path(f"benchmark/{benchmark}/run.json" if external else "synthesize/run.json")

    def _pattern(self, name: str) -> str:
        return name if self.config.seeds else name.replace(SEED, "")


def in_shell(unit: str) -> str:
    """A unit with wildcards as a shell line writes them."""
    return unit.replace("{", "{wildcards.")


def weights_unit(model: str) -> str:
    """The unit whose weights a model name stands for; empty for a model behind an endpoint."""
    name, seed = split_seed(model)
    return with_seed(WEIGHTS_FROM[name], seed) if name in WEIGHTS_FROM else ""


def plan_name(unit: str) -> str:
    """File name of a unit in the plan folder, without its ending."""
    return unit.replace("/", "-")


def plan(snakemake_config: dict[str, Any], resources: Mapping[str, Any]) -> Plan:
    """Compose and check the experiment named on the command line (``--config experiment=...``).

    Args:
        snakemake_config: what stands behind ``--config``.
        resources: by rule, what the profile sets (``set-resources``); only nodes and GPUs are read.

    Ends the program with the error's own exit code when the configuration is not valid.
    """
    try:
        made = _plan(snakemake_config)
        check_devices(made, resources)
        return made
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
        return Plan(Config(**saved["config"]), tuple(saved["overrides"]), saved["shards"])
    os.environ[PLANNED_VARIABLE] = str(time.time())
    config = compose(experiment, list(overrides))
    return Plan(config, overrides, chosen_shards(config))


def chosen_shards(config: Config) -> dict[str, int]:
    """How many shards make each unit that shards can make.

    As many as configured; but a unit that stands keeps the number it was made with. To Snakemake another
    set of input files is a reason to rerun it and everything after it, and the number of shards changes
    no result.
    """
    chosen = {}
    configured = shard_numbers(config)
    for source in config.sources:
        reads: dict[str, str] = {}
        for unit in (f"fetch/{source}", f"download/{source}", f"extract/{source}"):
            if unit.startswith("fetch/") and not config.sources[source].fetch:
                continue
            folder = Path("results") / config.name / unit
            record = _standing(folder, unit_config(config, unit), reads)
            reads = {unit: record["fingerprint"] if record else ""}
            if unit in configured:
                chosen[unit] = _made_of(record) if record else configured[unit]
    return chosen


def _standing(folder: Path, config: dict[str, Any], reads: dict[str, str]) -> dict[str, Any] | None:
    """``run.json`` of a unit that was made of these values and of these inputs (fingerprints), else None."""
    record = _record(folder)
    same = record and leaves(record["config"]) == leaves(config)
    return record if record and same and reads.items() <= record["inputs"].items() else None


def _record(folder: Path) -> dict[str, Any] | None:
    try:
        record: dict[str, Any] = read_json(folder / "run.json")
    except (OSError, ValueError):
        return None
    return record


def made_otherwise(made: Plan) -> dict[str, list[str]]:
    """Outputs that stand and were made of other values than this experiment has now, with old and new values.

    None inside a job, which makes what it was submitted for.
    """
    if PLAN_VARIABLE in os.environ:
        return {}
    others = {}
    for unit in made.every_unit:
        record = _record(Path(made.path(unit)))
        if record:
            then, now = (
                dict(leaf.split("=", 1) for leaf in leaves(config))
                for config in (record["config"], unit_config(made.config, unit))
            )
            changed = [key for key in sorted({*then, *now}) if then.get(key) != now.get(key)]
            if changed:
                values = [f"{key} {then.get(key, 'unset')} -> {now.get(key, 'unset')}" for key in changed]
                others[made.path(f"{unit}/run.json")] = values
    return others


def _made_of(record: dict[str, Any]) -> int:
    """How many shards a unit was gathered from, 1 where it was made at once."""
    return sum(unit.startswith(f"{record['unit']}/") for unit in record["inputs"]) or 1


def check_devices(made: Plan, resources: Mapping[str, Any]) -> None:
    """Refuse batches that do not spread over the machines of a training, before anything is submitted.

    Args:
        made: the experiment.
        resources: by rule; ``nodes`` and ``gpu`` (GPUs of each node, 0 counts as one process) are read.

    Raises:
        BatchError: naming the numbers.
        ConfigError: a stage that is one process was given several GPUs or nodes.
    """
    for rule, given in resources.items():
        nodes, gpus = (max(1, _number(dict(given).get(name, 1))) for name in ("nodes", "gpu"))
        if rule == "tpo":
            # The profile has a line for it whether or not the experiment trains it.
            for name, phase in made.config.tpo.phases.items() if made.config.tpo.variants else ():
                passes_per_update(made.config.tpo.of_updates(phase), nodes, gpus, f"tpo.phases.{name}")
        elif rule in TRAININGS:
            grpo = rule.startswith("grpo")
            passes_per_update(made.config.grpo if grpo else made.config.sft, nodes, gpus)
        elif nodes * gpus > 1:
            raise ConfigError(
                f"rule {rule} is one process on one GPU, but the profile gives it {nodes} node(s) x {gpus} "
                f"GPU(s): only tpo, {', '.join(TRAININGS)} train on several. Set {rule}:nodes=1 "
                f"and {rule}:gpu=1"
            )


def _number(resource: Any) -> int:
    """A resource as Snakemake keeps it (boxed, the number may be text)."""
    return int(getattr(resource, "value", resource))


def rerun(workflow: Any, made: Plan) -> None:
    """Have made anew what stands and was made of other values.

    ``run.json`` tells what an output was made of. Snakemake's own record of it (``params``) is not asked: of
    a job that ended while no driver was there it has none, or that of an older output. Its DAG takes
    such files from a private part, so that they are no targets: a test fails when it moves.
    ``--rerun-triggers mtime`` makes values count for nothing, as it would in Snakemake.
    """
    others = made_otherwise(made)
    prepare = workflow._prepare_dag

    def prepare_with_others(*arguments: Any, **named: Any) -> None:
        prepare(*arguments, **named)
        if "input" in {trigger.name.lower() for trigger in workflow.dag_settings.rerun_triggers}:
            workflow.dag.forcefiles.update(others)
            for output, values in others.items():
                shown = ", ".join(values[:MOST_VALUES]) + (", ..." if len(values) > MOST_VALUES else "")
                print(f"tpru: {output} was made of other values: {shown}", file=sys.stderr)

    workflow._prepare_dag = prepare_with_others


def on_start(made: Plan) -> None:
    """Before the first job: write the plan that the jobs read, open the MLflow run and its sender."""
    from tpru.run import code
    from tpru.tracking.invocation import open_invocation

    os.environ[PLAN_VARIABLE] = str(write_plan(made))
    tags = {
        **code(),
        "tpru.overrides": " ".join(made.overrides),
        "tpru.command": command_line(),
    }
    os.environ[COMMAND_VARIABLE] = command_line()
    handle, os.environ[JOBS_VARIABLE] = tempfile.mkstemp(prefix="tpru-jobs-")
    os.close(handle)
    _OPENED.append(open_invocation(made.config.name, tags, made.every_unit))


def command_line() -> str:
    """The command that started this invocation, as it would be typed; known in its jobs too."""
    typed = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    return os.environ.get(COMMAND_VARIABLE, typed)


def write_plan(made: Plan) -> Path:
    """Write the resolved config of every unit, once for each content; return the folder."""
    saved = {
        "config": made.config.model_dump(mode="json"),
        "overrides": list(made.overrides),
        "shards": made.shards,
    }
    parts = {unit: unit_config(made.config, unit) for unit in made.every_unit}
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
    from tpru.tracking.invocation import close_invocation

    submitted = os.environ.pop(JOBS_VARIABLE, "")
    if submitted:
        if not succeeded:
            cancel(Path(submitted).read_text().split())
        Path(submitted).unlink()
    while _OPENED:
        close_invocation(_OPENED.pop(), succeeded)


def cancel(jobs: list[str]) -> None:
    """Cancel those of these SLURM jobs that still wait or run.

    Snakemake does so on Ctrl-C, but forgets the jobs whose states it is asking for at that moment.
    """
    if jobs:
        listed = ["squeue", "--me", "--noheader", "--format=%i"]
        queued = subprocess.run(listed, capture_output=True, text=True, check=False).stdout.split()
        left = [job for job in jobs if job in queued]
        if left:
            print(f"tpru: cancelling {' '.join(left)}", file=sys.stderr, flush=True)
            subprocess.run(["scancel", *left], check=False)
