"""Further training seeds: names, what is made with them, what it reads, and what the report makes of it."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from tests.unit.builders import make_item
from tpru.config.compose import ON_REQUEST, compose, leaves, unit_config, unit_names
from tpru.config.schema import Config
from tpru.errors import ConfigError, UpstreamError
from tpru.evaluation.scoring import score
from tpru.files import write_json
from tpru.pipeline import Plan, weights_unit
from tpru.records import Item, Prediction
from tpru.reporting.page import Results
from tpru.run import Run, _unit_from
from tpru.seeds import split_seed, stage_of, suffixes, with_seed
from tpru.stages.report import by_seed, metrics
from tpru.store import write_records
from tpru.tracking.runs import SilentTracker

EVERYTHING = (
    "evaluate.models=[base,sft,sft_continued,grpo,grpo_from_base,grpo_blind]",
    "grpo.least_pass_rate=0.1",
)
TRAINED = ("sft", "sft_continued", "grpo", "grpo_from_base")


def composed(*overrides: str) -> Config:
    return compose("smoke", list(overrides))


# Names.


@given(st.from_regex(r"[a-z][a-z0-9_]*", fullmatch=True), st.integers(0, 10**6))
def test_a_name_with_a_seed_reads_back(name: str, seed: int) -> None:
    assert split_seed(with_seed(name, seed)) == (name, seed)
    assert with_seed(name, None) == name
    assert re.fullmatch(f"{name}{suffixes((seed,))}", with_seed(name, seed))


@pytest.mark.parametrize(
    "name",
    ["sft", "sft_seed", "sft_seed01", "sft_seed-1", "_seed1", "download/a_seed1", "evaluate/sft_seed1/b"],
)
def test_what_only_looks_like_a_seed_is_none(name: str) -> None:
    assert split_seed(name) == (name, None)


def test_the_pattern_of_suffixes_fits_these_seeds_and_nothing_else() -> None:
    for seeds, fitting in (((), [""]), ((1, 12), ["", "_seed1", "_seed12"])):
        tried = ["", "_seed1", "_seed2", "_seed12", "_continued", "_continued_seed1"]
        assert [t for t in tried if re.fullmatch(suffixes(seeds), t)] == fitting


def test_stages_and_weights_of_names() -> None:
    units = ["sft", "sft_seed1", "evaluate/sft_seed1/heldout", "download/a_seed1"]
    assert [stage_of(unit) for unit in units] == ["sft", "sft", "evaluate", "download"]
    models = ["base", "sft_seed1", "grpo_blind", "gpt_4o", "gpt_seed1"]
    assert [weights_unit(model) for model in models] == ["base_model", "sft_seed1", "grpo", "", ""]


# What is made, and of what.


def test_further_seeds_add_trainings_and_their_evaluations_alone() -> None:
    before, after = unit_names(composed(*EVERYTHING)), unit_names(composed(*EVERYTHING, "seeds=[7,3]"))
    units = ("sft", "pass_rates", "grpo", "sft_continued", "grpo_from_base")
    added = [
        *(f"{unit}_seed{seed}" for seed in (7, 3) for unit in units),
        *(f"evaluate/{model}_seed{seed}/heldout" for seed in (7, 3) for model in TRAINED),
    ]
    assert [unit for unit in after if unit not in before] == added
    assert [unit for unit in after if unit not in added] == before
    # What does not run for the experiment's own seed does not run for others.
    fewer = set(unit_names(composed("seeds=[7]"))) - set(unit_names(composed()))
    assert fewer == {"sft_seed7", "grpo_seed7", "evaluate/sft_seed7/heldout", "evaluate/grpo_seed7/heldout"}
    untrained = composed("evaluate.models=[base,grpo_blind]", "seeds=[7]")
    assert not [unit for unit in unit_names(untrained) if unit.startswith("evaluate/") and "seed" in unit]


def test_only_the_report_reads_further_seeds() -> None:
    one, several = composed(*EVERYTHING), composed(*EVERYTHING, "seeds=[7,3]")
    changed = [u for u in [*unit_names(one), *ON_REQUEST] if unit_config(one, u) != unit_config(several, u)]
    assert changed == ["report"]
    assert unit_config(several, "report") == {**unit_config(one, "report"), "seeds": [7, 3]}


@pytest.mark.parametrize("unit", ["sft", "pass_rates", "grpo", "sft_continued", "grpo_from_base"])
def test_a_training_with_another_seed_reads_the_same_values_and_chooses_the_same_items(unit: str) -> None:
    config = composed(*EVERYTHING, "seeds=[7]", "seed=2")
    own, further = unit_config(config, unit), unit_config(config, f"{unit}_seed7")
    assert further == {**own, "unit": f"{unit}_seed7", "seed": 7, "items_seed": 2}
    assert set(leaves(further)) - set(leaves(own)) == {f'unit="{unit}_seed7"', "seed=7", "items_seed=2"}
    assert [run_of(part).items_seed for part in (own, further)] == [2, 2]
    assert [run_of(part).seed for part in (own, further)] == [2, 7]


def test_a_model_of_another_seed_is_asked_as_the_others_are() -> None:
    config = composed("seeds=[7]")
    own, further = (unit_config(config, f"evaluate/{m}/heldout") for m in ("sft", "sft_seed7"))
    assert further == {**own, "unit": "evaluate/sft_seed7/heldout"}


@pytest.mark.parametrize(
    "unit", ["sft_seed2", "base_model_seed7", "report_seed7", "evaluate/base_seed7/heldout"]
)
def test_units_of_seeds_that_are_not_there_are_refused(unit: str) -> None:
    with pytest.raises(ConfigError, match=unit):
        unit_config(composed("seeds=[7]"), unit)


def test_by_hand_a_unit_of_another_seed_belongs_to_its_stage() -> None:
    tree = OmegaConf.create(composed("seeds=[7]", "unit=grpo_seed7").model_dump(mode="json"))
    assert _unit_from("grpo", tree)["seed"] == 7
    with pytest.raises(ConfigError, match="unit=grpo_seed7 does not belong to stage sft"):
        _unit_from("sft", tree)


def run_of(config: dict[str, Any]) -> Run:
    folder = Path("results") / config["name"] / config["unit"]
    return Run(config["name"], config["unit"], config, folder, SilentTracker())


def test_a_stage_reads_what_was_trained_with_its_own_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = composed("seeds=[7]")
    for unit in ("sft", "sft_seed7"):
        record = {"fingerprint": f"of {unit}", "mlflow_run_id": "", "outputs": {}}
        write_json(Path("results/smoke") / unit / "run.json", record)
    for unit, wanted in (("grpo", "sft"), ("grpo_seed7", "sft_seed7")):
        run = run_of(unit_config(config, unit))
        assert run.of_same_seed("sft").unit == wanted
        assert run.inputs == {wanted: f"of {wanted}"}
    with pytest.raises(UpstreamError, match="run stage pass_rates_seed7"):
        run.of_same_seed("pass_rates")


# What the rules are told.


def test_rules_have_a_wildcard_only_where_there_are_further_seeds() -> None:
    one, several = (Plan(composed(*overrides), (), {}) for overrides in ((), ("seeds=[7]",)))
    assert one.path("sft{seed}/run.json") == "results/smoke/sft/run.json"
    assert several.path("sft{seed}/run.json") == "results/smoke/sft{seed}/run.json"
    assert one.training_command("sft{seed}") == one.training_command("sft")
    assert one.command("pass_rates{seed}") == one.command("pass_rates")
    seeded = several.training_command("sft{seed}")
    assert "--folder results/smoke/sft{wildcards.seed} --log {log}" in seeded
    assert seeded.endswith(' -- tpru.stages.sft -cp "$TPRU_PLAN" -cn sft{wildcards.seed}')
    assert seeded.replace("{wildcards.seed}", "") == one.training_command("sft")
    assert one.only_in_dag("pass_rates{seed}") == several.only_in_dag("pass_rates{seed}") == []
    filtered = Plan(composed("grpo.least_pass_rate=0.1", "seeds=[7]"), (), {})
    assert filtered.only_in_dag("pass_rates{seed}") == ["results/smoke/pass_rates{seed}/run.json"]
    assert several.weights(SimpleNamespace(model="grpo_seed7")) == ["results/smoke/grpo_seed7/run.json"]
    assert several.models == ["base", "sft", "grpo", "grpo_blind", "sft_seed7", "grpo_seed7"]


# The report.


def answers(items: list[Item], right: int) -> list[Prediction]:
    """The first so many are answered right."""
    return [Prediction(i.item_id, "any", "heldout", "", "C", k < right, 1) for k, i in enumerate(items)]


def test_accuracies_by_seed_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = unit_config(composed("seeds=[7,3]"), "report")
    items = [make_item(f"i{k}") for k in range(10)]
    for model, right in (("sft_seed7", 5), ("grpo_seed7", 6), ("sft_seed3", 2), ("grpo_seed3", 9)):
        folder = Path(f"results/smoke/evaluate/{model}/heldout")
        folder.mkdir(parents=True)
        write_records(folder / "predictions.parquet", Prediction, answers(items, right))
        size = (folder / "predictions.parquet").stat().st_size
        outputs = {"predictions.parquet": {"bytes": size}}
        write_json(folder / "run.json", {"fingerprint": model, "mlflow_run_id": "", "outputs": outputs})
    rows = [
        r
        for m, n in (("base", 0), ("sft", 4), ("grpo", 7))
        for r in score(items, answers(items, n), m, "heldout")
    ]
    run = run_of(config)
    found = by_seed(run, rows, {"heldout": items})
    assert list(found) == [0, 7, 3]
    shares = {seed: {m: share for (_, m), share in of.items()} for seed, of in found.items()}
    assert shares == {
        0: {"sft": 0.4, "grpo": 0.7},
        7: {"sft": 0.5, "grpo": 0.6},
        3: {"sft": 0.2, "grpo": 0.9},
    }
    assert len(run.inputs) == 4
    listed: Any = metrics(Results(rows, [], [], [], found))["seeds"]
    assert len(listed) == 6
    assert listed[3] == {"seed": 7, "benchmark": "heldout", "model": "grpo", "accuracy": 0.6}
    own = run_of(unit_config(composed(), "report"))
    assert by_seed(own, rows, {"heldout": items}) == own.inputs == {}
