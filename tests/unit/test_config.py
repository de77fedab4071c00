"""The configuration: what composes, what is refused and how, and what each unit reads of it."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from tpru.config.compose import CONF, SEEDED, compose, freeze, leaves, unit_config, unit_names
from tpru.config.schema import Config
from tpru.errors import BatchError, ConfigError

EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
HUB_MODELS = sorted(path.stem for path in (CONF / "model").glob("qwen*.yaml"))
DEMO_SOURCES = ("robot", "assembly", "gui", "navigation")
SIMULATED = {f"download/{name}" for name in DEMO_SOURCES}
EVALUATIONS = {f"evaluate/{m}/heldout" for m in ("base", "sft", "grpo", "grpo_blind")}


@cache
def composed(*overrides: str) -> Config:
    return compose("demo", list(overrides))


def changed_units(*overrides: str, base: tuple[str, ...] = ()) -> set[str]:
    """Units of the demo whose leaves an override changes."""
    before, after = composed(*base), composed(*base, *overrides)
    assert unit_names(before) == unit_names(after)
    return {
        unit
        for unit in unit_names(before)
        if leaves(unit_config(before, unit)) != leaves(unit_config(after, unit))
    }


def test_there_are_experiments_and_hub_models_to_check() -> None:
    assert {"demo", "smoke", "real_sample", "own_data"} <= set(EXPERIMENTS)
    assert len(HUB_MODELS) >= 3


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_composes_and_every_unit_has_a_config(experiment: str) -> None:
    config = compose(experiment, [])
    assert config.name == experiment
    for unit in unit_names(config):
        part = unit_config(config, unit)
        assert part["name"] == experiment
        assert part["unit"] == unit
        json.dumps(part)  # plain values only


@pytest.mark.parametrize("model", HUB_MODELS)
@pytest.mark.parametrize("recipe", ["tpru", "tpru_full"])
def test_the_published_recipes_fit_the_hub_models(model: str, recipe: str) -> None:
    config = composed(f"model={model}", f"grpo={recipe}")
    assert config.model.kind == "hub"
    assert config.grpo.reward.name == "tpru"
    assert (config.grpo.reward.accuracy_weight, config.grpo.reward.format_weight) == (0.9, 0.1)
    assert (config.grpo.method, config.grpo.train_vision) == {
        "tpru": ("lora", False),
        "tpru_full": ("full", True),
    }[recipe]


# What is refused.


@pytest.mark.parametrize(
    ("override", "key", "said"),
    [
        ("+sft.epoch=1", "sft.epoch:", "unknown key"),
        ("+synthesize.splits.validation=0.1", "synthesize.splits.validation:", "unknown key"),
        ("+sources.robot.episode=3", "sources.robot.episode:", "unknown key"),
        ("~sft.epochs", "sft.epochs:", "required"),
        ("sft.epochs=many", "sft.epochs:", "'many'"),
        ("sft.train_vision=perhaps", "sft.train_vision:", "'perhaps'"),
        ("seed=1.5", "seed:", "1.5"),
        ("extract.n_frames=2", "extract.n_frames:", "got 2"),
        ("extract.n_frames=9", "extract.n_frames:", "got 9"),
        ("grpo.top_p=0", "grpo.top_p:", "got 0"),
        ("grpo.delta=1.0", "grpo.delta:", "got 1.0"),
        ("grpo.reward.name=best", "grpo.reward.name:", "'strict' or 'tpru'"),
        ("report.confidence=95", "report.confidence:", "got 95"),
        ("name=Demo", "name:", "'Demo'"),
        ("sources.robot.episodes=0", "sources.robot.episodes:", "got 0"),
        ("sources.robot.kind=film", "sources.robot:", "'film'"),
        ("+sources.robot.extract.n_frames=12", "sources.robot.extract", "got 12"),
        ("+sources.robot.extract.n_frame=3", "sources.robot.extract", "n_frame"),
        ("evaluate.batch_size=0", "evaluate.batch_size:", "got 0"),
    ],
)
def test_a_wrong_value_is_refused_by_its_dotted_key(override: str, key: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compose("demo", [override])
    assert key in str(caught.value)
    assert said in str(caught.value)
    assert caught.value.exit_code == 10


def test_an_override_of_a_key_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"sft\.epoch\b"):
        compose("demo", ["sft.epoch=1"])


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        compose("demo", ["sft.epochs=0", "extract.every=0"])
    assert "sft.epochs" in str(caught.value)
    assert "extract.every" in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "key", "numbers"),
    [
        (["synthesize.splits={sft: 0.4, grpo: 0.4, test: 0.3}"], "synthesize.splits", ["1.1"]),
        (["synthesize.splits={sft: 0.5, grpo: 0.5, test: 0}"], "synthesize.splits", ["test must be"]),
        (["grpo.save_every=9", "grpo.updates_per_rollout=2"], "grpo", ["save_every (9)", "(2)"]),
        (
            ["extract.max_key_frames=3", "extract.n_frames=4"],
            "extract",
            ["max_key_frames (3)", "n_frames (4)"],
        ),
        (
            ["+sources.gui.extract={max_key_frames: 3, n_frames: 4}"],
            "sources.gui.extract",
            ["max_key_frames (3)", "n_frames (4)"],
        ),
        (["model.tiny.hidden=100", "model.tiny.heads=4"], "model.tiny", ["hidden / heads"]),
        (["model.tiny.hidden=128", "model.tiny.heads=3"], "model.tiny", ["hidden / heads"]),
        (["model.tiny.heads=4", "model.tiny.kv_heads=3"], "model.tiny", ["kv_heads"]),
        (
            ["model.tiny.vision_hidden=96", "model.tiny.vision_heads=5"],
            "model.tiny",
            ["vision_hidden / vision_heads"],
        ),
        (["model.tiny=null"], "model", ["tiny"]),
        (["model=qwen2_5_vl_7b", "model.revision=main"], "model", ["40-digit"]),
        (["model.min_pixels=9000", "model.max_pixels=7056"], "model", ["9000", "7056"]),
        (
            ["synthesize.negatives.caption=0.6", "synthesize.negatives.withheld=0.6"],
            "synthesize",
            ["negatives.caption"],
        ),
        (["evaluate.models=[sft]"], "evaluate.models", ["base"]),
        ([f"~sources.{name}" for name in DEMO_SOURCES], "sources", ["empty"]),
    ],
)
def test_values_that_contradict_each_other_are_refused(
    overrides: list[str], key: str, numbers: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        compose("demo", overrides)
    assert key in str(caught.value)
    for number in numbers:
        assert number in str(caught.value)
    assert caught.value.exit_code == 10


@pytest.mark.parametrize(
    ("overrides", "key", "numbers"),
    [
        (["grpo.batch_size=64", "grpo.group_size=5"], "grpo", ["group_size (5)", "batch_size (64"]),
        (["sft.batch_size=16", "sft.per_device_batch_size=5"], "sft", ["batch_size (16)", "batch_size (5)"]),
        (
            ["grpo.batch_size=64", "grpo.per_device_batch_size=48"],
            "grpo",
            ["batch_size (64)", "batch_size (48)"],
        ),
    ],
)
def test_batches_that_do_not_divide_have_their_own_exit_code(
    overrides: list[str], key: str, numbers: list[str]
) -> None:
    with pytest.raises(BatchError) as caught:
        compose("demo", overrides)
    assert f"  {key}: " in str(caught.value)
    for number in numbers:
        assert number in str(caught.value)
    assert caught.value.exit_code == 16


def test_the_batch_size_that_the_message_proposes_is_accepted() -> None:
    with pytest.raises(BatchError, match=r"e\.g\. 65$"):
        compose("demo", ["grpo.batch_size=64", "grpo.per_device_batch_size=64", "grpo.group_size=5"])
    better = ["grpo.group_size=5", "grpo.batch_size=65", "grpo.per_device_batch_size=65"]
    assert compose("demo", better).grpo.batch_size == 65


def test_the_sums_of_splits_forgive_rounding_only() -> None:
    thirds = [f"synthesize.splits.{s}={1 / 3!r}" for s in ("sft", "grpo", "test")]
    assert compose("demo", thirds).synthesize.splits.test == pytest.approx(1 / 3)
    with pytest.raises(ConfigError, match="must be 1"):
        compose("demo", [t.replace(repr(1 / 3), "0.333") for t in thirds])


# What each unit reads.


@pytest.mark.parametrize(
    ("override", "units"),
    [
        ("grpo.beta=0.04", {"grpo"}),
        ("sft.learning_rate=1e-4", {"sft"}),
        ("base_model.steps=7", {"base_model"}),
        ("synthesize.max_tokens=999", {"synthesize"}),
        ("describe.detail=steps", {"describe"}),
        ("report.gallery_items=3", {"report"}),
        ("processor.version=2", {"processor"}),
        ("sources.robot.episodes=7", {"download/robot"}),
        ("sources.gui.size=224", {"download/gui"}),
        ("+sources.robot.extract.every=2", {"extract/robot"}),
        ("extract.every=2", {f"extract/{name}" for name in DEMO_SOURCES}),
        ("benchmarks.heldout.max_items=5", EVALUATIONS),
        ("evaluate.batch_size=7", EVALUATIONS),
        ("model.tiny.layers=2", {"base_model", "sft", "grpo", *EVALUATIONS}),
        ("model.tiny.vocabulary=900", {"processor", "base_model", "sft", "grpo", *EVALUATIONS}),
    ],
)
def test_a_changed_value_reaches_exactly_the_units_that_read_it(override: str, units: set[str]) -> None:
    assert changed_units(override) == units


def test_a_shared_extract_value_spares_the_source_that_sets_its_own() -> None:
    units = changed_units("extract.every=3", base=("+sources.robot.extract.every=2",))
    assert units == {"extract/assembly", "extract/gui", "extract/navigation"}


def test_the_seed_reaches_exactly_the_units_with_a_random_choice() -> None:
    assert changed_units("seed=1") == SIMULATED | set(SEEDED)
    config = composed()
    with_seed = {u for u in unit_names(config) if "seed" in unit_config(config, u)}
    assert with_seed == SIMULATED | set(SEEDED)


def test_sources_from_disk_do_not_read_the_seed() -> None:
    config = compose("real_sample", [])
    assert "seed" not in unit_config(config, "download/desktop")
    assert unit_config(config, "extract/g1")["extract"]["every"] == 15
    assert unit_config(config, "extract/desktop")["extract"]["every"] == 1


def test_a_unit_sees_no_group_of_another_one() -> None:
    config = composed()
    assert set(unit_config(config, "sft")) == {"name", "unit", "seed", "sft", "model"}
    assert set(unit_config(config, "download/robot")) == {"name", "unit", "seed", "source"}
    assert "extract" not in unit_config(config, "download/robot")["source"]
    assert "models" not in unit_config(config, "evaluate/sft/heldout")["evaluate"]


def test_a_unit_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="download/moon"):
        unit_config(composed(), "download/moon")


def test_the_frozen_config_of_a_unit_reads_back_as_it_was(tmp_path: Path) -> None:
    for unit in unit_names(composed()):
        part = unit_config(composed(), unit)
        freeze(tmp_path / "config.yaml", part)
        loaded: Any = OmegaConf.to_container(OmegaConf.load(tmp_path / "config.yaml"))
        assert {k: v for k, v in loaded.items() if k not in ("hydra", "defaults")} == part


# Leaves.

PLAIN = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3)
TREES = st.dictionaries(
    st.text("abc", min_size=1, max_size=2),
    st.recursive(
        PLAIN | st.lists(PLAIN, max_size=2),
        lambda inner: st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


def backwards(tree: object) -> object:
    """The same tree with the keys of every level in the other order."""
    if isinstance(tree, dict):
        return {k: backwards(v) for k, v in reversed(tree.items())}
    return tree


@settings(deadline=None)
@given(TREES)
def test_leaves_do_not_depend_on_the_order_of_keys(tree: dict[str, object]) -> None:
    assert leaves(backwards(tree)) == leaves(tree)
    assert leaves(tree) == sorted(leaves(tree))


@settings(deadline=None)
@given(TREES, TREES)
def test_different_trees_have_different_leaves(a: dict[str, object], b: dict[str, object]) -> None:
    # As JSON, so that True and 1 are two values.
    assert (leaves(a) == leaves(b)) == (json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True))


def test_two_values_that_swap_places_are_a_change() -> None:
    assert leaves({"a": {"x": 1, "y": 2}}) == ["a.x=1", "a.y=2"]
    assert leaves({"a": {"x": 2, "y": 1}}) != leaves({"a": {"x": 1, "y": 2}})
    assert changed_units("grpo.epsilon=0.28", "grpo.epsilon_high=0.2") == {"grpo"}


def test_the_order_of_a_list_is_a_change() -> None:
    assert leaves({"a": [1, 2]}) != leaves({"a": [2, 1]})
