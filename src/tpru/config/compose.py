"""From ``conf/`` to one plain, resolved and checked dictionary per unit of work.

A *unit* is one run of one stage: ``sft``, ``download/robot``, ``evaluate/grpo/heldout``. Its config is
the part of the whole that the unit reads, and nothing else: only a change of those values reruns it.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError

from tpru.config.schema import AFTER_VARIANT, Config, ExtractConfig, Fetch
from tpru.config.tpo_schema import PHASES, TpoTraining, TpoVariant
from tpru.errors import BatchError, ConfigError
from tpru.files import canonical_json
from tpru.seeds import split_seed, with_seed
from tpru.shards import WHOLE, split_name

REPOSITORY = Path(__file__).resolve().parents[3]
CONF = REPOSITORY / "conf"

# Stages with a random choice in them; the others do not read the seed and do not rerun when it changes.
SEEDED = (
    "describe",
    "synthesize",
    "grounding",
    "segmenter",
    "sft",
    "pass_rates",
    "sft_continued",
    "grpo",
    "grpo_from_base",
    "tpo",
    "sft_from_tpo",
    "grpo_from_tpo",
    "report",
)

# Arms of training that are run only where they are evaluated.
ARMS = ("sft_continued", "grpo_from_base", "sft_from_tpo", "grpo_from_tpo")

# The training of TPO that SFT and GRPO can go on from (the model `tpo`), and its control (`tpo_chat`).
TPO_MODEL = f"tpo/{AFTER_VARIANT['tpo']}/{PHASES[-1]}"
TPO_CONTROL = f"tpo/{AFTER_VARIANT['tpo_chat']}/{PHASES[-1]}"

# Units whose result is a model, which has their name.
TRAININGS = ("sft", "sft_continued", "grpo", "grpo_from_base", "sft_from_tpo", "grpo_from_tpo")

# Units that nothing depends on and that run only when they are asked for by name; they read the seed too.
ON_REQUEST = ("audit", "tiny_base", "lmms_eval", "judge")

# Frozen files are primary Hydra configs: these lines keep Hydra from making folders and log files.
QUIET_HYDRA = {
    "defaults": [
        "_self_",
        {"override hydra/job_logging": "none"},
        {"override hydra/hydra_logging": "none"},
    ],
    "hydra": {"run": {"dir": "."}, "output_subdir": None},
}


def compose(experiment: str, overrides: list[str]) -> Config:
    """Compose and check the configuration of an experiment.

    Raises:
        ConfigError: an unknown key or group, a missing value, or a value that the schema refuses; the
            message names the key.
    """
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
            tree = hydra.compose("config", overrides=[f"experiment={experiment}", *overrides])
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(f"experiment {experiment}: {error}") from error
    return check(tree)


def check(tree: DictConfig) -> Config:
    """Resolve a composed tree and check it against the schema.

    Raises:
        ConfigError: as for :func:`compose`.
    """
    try:
        plain: Any = OmegaConf.to_container(tree, resolve=True, throw_on_missing=True)
        return Config(**{k: v for k, v in plain.items() if k != "hydra"})
    except OmegaConfBaseException as error:
        raise ConfigError(f"configuration: {error}") from error
    except ValidationError as error:
        raise config_error(error) from error


def config_error(error: ValidationError) -> ConfigError:
    """Every problem that pydantic found, one line each, with the key as it is written in ``conf/``."""
    lines, batches = [], False
    for problem in error.errors():
        key = _written(problem["loc"])
        given = problem["input"]
        shown = f", got {given!r}" if not isinstance(given, dict) else ""
        text = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            text = "unknown key; remove it or correct its spelling"
        lines.append(f"  {key}: {text}{shown}")
        # A check of our own, so it compared batch sizes; a wrong type or range is pydantic's.
        batches = batches or (problem["type"] == "value_error" and "batch_size" in text)
    kind = BatchError if batches else ConfigError
    return kind("the configuration is not valid:\n" + "\n".join(lines))


def _written(location: tuple[int | str, ...]) -> str:
    """A location as the key in ``conf/``: pydantic adds the kind of a source, a benchmark and a fetch."""
    parts = [str(part) for part in location]
    if parts[:1] in (["sources"], ["benchmarks"]):
        del parts[2:3]
        del parts[3 : 3 + (parts[2:3] == ["fetch"])]
    return ".".join(parts) or "(several groups)"


def unit_names(config: Config) -> list[str]:
    """All units of an experiment in the order of the DAG, without shards and those that run on request."""
    models = [*asked_models(config), *seeded_models(config)]
    return [
        *(f"fetch/{name}" for name in fetches(config)),
        *(f"download/{s}" for s in config.sources),
        *(f"extract/{s}" for s in config.sources),
        "describe",
        "processor",
        "synthesize",
        *(["grounding"] if config.tpo.variants else []),
        *(f"benchmark/{b}" for b in external_benchmarks(config)),
        *(["segmenter"] if config.tpo.segments else []),
        "base_model",
        *tpo_units(config),
        *(with_seed(unit, seed) for seed in (None, *config.seeds) for unit in seeded_units(config)),
        *(f"evaluate/{m}/{b}" for m in models for b in config.benchmarks),
        "filter_audit",
        "report",
    ]


def tpo_units(config: Config) -> list[str]:
    """Trainings of TPO, variant by variant, and how their heads are evaluated."""
    trainings = [f"tpo/{name}/{phase}" for name, v in config.tpo.variants.items() for phase in v.phases]
    return [*trainings, *(f"evaluate_heads/{name}" for name in evaluated_variants(config))]


def evaluated_variants(config: Config) -> list[str]:
    """The variants of TPO that answer dense questions."""
    return [name for name, variant in config.tpo.variants.items() if variant.tasks]


def phase_before(unit: str, variant: TpoVariant) -> str:
    """The unit whose weights a phase of TPO goes on from; of the first one the base."""
    stage, name, phase = unit.split("/")
    place = [str(known) for known in variant.phases].index(phase)
    return f"{stage}/{name}/{variant.phases[place - 1]}" if place else "base_model"


def seeded_units(config: Config) -> list[str]:
    """What is made once for every training seed, in the order of the DAG."""
    filters = ["pass_rates"] if config.grpo.filters else []
    asked = set(config.evaluate.models)
    if "grpo_from_tpo" in asked:
        asked.add("sft_from_tpo")
    return ["sft", *filters, "grpo", *(arm for arm in ARMS if arm in asked)]


def asked_models(config: Config) -> list[str]:
    """Models that are shown: the local ones of the experiment's own seed, then those behind endpoints."""
    return [*config.evaluate.models, *config.endpoints]


def seeded_models(config: Config) -> list[str]:
    """Models of the further seeds, which are evaluated beside those of the experiment's own."""
    return [with_seed(m, seed) for seed in config.seeds for m in trained_models(config.evaluate.models)]


def trained_models(models: Iterable[str]) -> list[str]:
    """Those of these models that trainings make."""
    return [model for model in models if model in TRAININGS]


def fetches(config: Config) -> dict[str, Fetch]:
    """What is fetched, by the name of its source or benchmark."""
    external = {name: b for name, b in config.benchmarks.items() if b.kind != "heldout"}
    return {name: given.fetch for name, given in {**config.sources, **external}.items() if given.fetch}


def simulated_sources(config: Config) -> list[str]:
    """Names of the sources whose states are known; nobody labelled the others."""
    return [name for name, source in config.sources.items() if source.kind == "simulated"]


def external_benchmarks(config: Config) -> list[str]:
    """Names of the benchmarks whose items are read from their own files and not from the synthesis."""
    return [name for name, benchmark in config.benchmarks.items() if benchmark.kind != "heldout"]


def shard_numbers(config: Config) -> dict[str, int]:
    """The units that shards can make, and how many each is configured to have; 1 is the unit alone."""
    numbers = {f"download/{s}": v.shards for s, v in config.sources.items() if v.sharded_download}
    return numbers | {f"extract/{s}": v.shards for s, v in config.sources.items()}


def unit_config(config: Config, unit: str) -> dict[str, Any]:
    """The resolved values that one unit reads, as plain containers.

    A shard reads what its unit reads. How many there are is no value that a result depends on, and in
    none of them. A training with a further seed reads what it reads with the experiment's own, and chooses
    the same items.

    Raises:
        ConfigError: there is no such unit in this experiment.
    """
    whole_unit, shard = split_name(unit)
    known = [*unit_names(config), *ON_REQUEST]
    if whole_unit not in (known if shard == WHOLE else shard_numbers(config)):
        raise ConfigError(f"unit {unit!r} is not one of {known}")
    first, _, rest = whole_unit.partition("/")
    stage, seed = split_seed(first)
    whole = config.model_dump(mode="json")
    model = whole["model"]
    sources = sorted(whole["sources"])
    parts: dict[str, dict[str, Any]] = {
        "filter_audit": {"filter_audit": whole["filter_audit"], "extract": whole["extract"]},
        "describe": {"describe": whole["describe"], "sources": sources},
        "processor": {"processor": whole["processor"], "model": processor_part(model)},
        "synthesize": {"synthesize": whole["synthesize"], "sources": sources},
        "grounding": {"grounding": whole["grounding"], "sources": sorted(simulated_sources(config))},
        "base_model": {"base_model": whole["base_model"], "model": model},
        "tiny_base": {"tiny_base": whole["tiny_base"]},
        "segmenter": {"segmenter": whole["segmenter"]},
        "sft": {"sft": whole["sft"], "model": model},
        "sft_continued": {"sft": whole["sft"], "sft_continued": whole["sft_continued"], "model": model},
        "pass_rates": {"pass_rates": whole["pass_rates"], "model": model},
        "grpo": {"grpo": whole["grpo"], "model": model},
        "grpo_from_base": {
            "grpo": whole["grpo"],
            "grpo_from_base": whole["grpo_from_base"],
            "model": model,
        },
        "sft_from_tpo": {"sft": whole["sft"], "sft_from_tpo": whole["sft_from_tpo"], "model": model},
        "grpo_from_tpo": {"grpo": whole["grpo"], "grpo_from_tpo": whole["grpo_from_tpo"], "model": model},
        "report": {
            "report": whole["report"],
            "sources": sources,
            "models": asked_models(config),
            "benchmarks": {name: whole["benchmarks"][name]["kind"] for name in sorted(whole["benchmarks"])},
            **({"seeds": whole["seeds"]} if config.seeds else {}),
            **({"variants": evaluated_variants(config)} if config.tpo.variants else {}),
        },
        "audit": {"audit": whole["audit"]},
        "lmms_eval": {"lmms_eval": whole["lmms_eval"], "model": model},
        "judge": {"judge": whole["judge"], "kind": judged_kind(config)},
    }
    if stage == "fetch" and not config.sources.get(rest):
        parts["fetch"] = {"benchmark": {k: whole["benchmarks"][rest][k] for k in ("licence", "fetch")}}
    elif stage in ("fetch", "download"):
        source = {k: v for k, v in whole["sources"][rest].items() if k not in ("extract", "shards")}
        fetched = source.pop("fetch") if stage == "download" else None
        parts[stage] = {"source": source} | ({"fetched": True} if fetched else {})
    elif stage == "extract":
        merged = {**whole["extract"], **whole["sources"][rest]["extract"]}
        parts["extract"] = {"extract": ExtractConfig(**merged).model_dump(mode="json")}
    elif stage in ("tpo", "evaluate_heads"):
        variant, _, phase = rest.partition("/")
        chosen = config.tpo.variants[variant]
        parts[stage] = {
            "variant": whole["tpo"]["variants"][variant],
            "model": model,
            **({"segmenter": whole["segmenter"]} if chosen.segments else {}),
            **(
                {
                    "tpo": {key: whole["tpo"][key] for key in TpoTraining.model_fields},
                    "phase": whole["tpo"]["phases"][phase],
                }
                if phase
                else {"evaluation_batch": whole["tpo"]["evaluation_batch"]}
            ),
        }
    elif stage == "benchmark":
        # How models are asked changes no item.
        external = {**whole["benchmarks"][rest], "protocol": None, "fetch": None}
        fetched = whole["benchmarks"][rest]["fetch"]
        parts["benchmark"] = {"benchmark": external} | ({"fetched": True} if fetched else {})
    elif stage == "evaluate":
        name, benchmark = rest.split("/")
        asked = {k: v for k, v in whole["evaluate"].items() if k != "models"}
        local = {"evaluate": asked, "model": model}
        remote = {"evaluate": {"version": asked["version"]}, "endpoint": whole["endpoints"].get(name)}
        parts["evaluate"] = {
            **(remote if name in config.endpoints else local),
            "benchmark": asked_part(whole["benchmarks"][benchmark]),
        }
    random = (
        stage in (*SEEDED, *ON_REQUEST)
        or parts[stage].get("source", {}).get("kind") == "simulated"
        or bool(parts[stage].get("benchmark", {}).get("protocol"))
    )
    seeds = {"seed": config.seed} if random else {}
    if seed is not None:
        # Items that max_items leaves out are a choice of the data, which all seeds share.
        seeds = {"seed": seed, "items_seed": config.seed}
    return {"name": config.name, "unit": unit, **seeds, **parts[stage]}


def judged_kind(config: Config) -> str:
    """The kind of the benchmark whose answers are judged; an experiment may do without the default one."""
    benchmark = config.benchmarks.get(config.judge.benchmark)
    return benchmark.kind if benchmark else "heldout"


def asked_part(benchmark: dict[str, Any]) -> dict[str, Any]:
    """The values of a benchmark that its answers depend on, beside its items."""
    if benchmark["kind"] == "heldout":
        return benchmark
    return {k: benchmark[k] for k in ("kind", "protocol")}


def processor_part(model: dict[str, Any]) -> dict[str, Any]:
    """The values of a model that its tokenizer and picture processor depend on."""
    keys = ("kind", "repo", "revision", "min_pixels", "max_pixels")
    return {k: model[k] for k in keys}


def leaves(value: Any, prefix: str = "") -> list[str]:
    """Sorted ``key=value`` lines of a nested container.

    This is what is compared to find out what has to be made anew: strings with their key, so that swapping
    two values is a change, and key order, comments and formatting are none.
    """
    if isinstance(value, dict) and value:
        return sorted(
            line for k, v in value.items() for line in leaves(v, f"{prefix}.{k}" if prefix else str(k))
        )
    return [f"{prefix}={canonical_json(value)}"]


def freeze(path: Path, unit: dict[str, Any]) -> None:
    """Write a unit's config as a primary Hydra config that its stage loads."""
    OmegaConf.save(OmegaConf.create({**QUIET_HYDRA, **unit}), path)
