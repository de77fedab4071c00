"""The configuration: what composes, what is refused and how, and what each unit reads of it."""

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from tpru.config.compose import (
    ARMS,
    CONF,
    ON_REQUEST,
    SEEDED,
    compose,
    freeze,
    leaves,
    unit_config,
    unit_names,
)
from tpru.config.schema import Config, ModelName
from tpru.config.tpo_schema import PHASES
from tpru.errors import BatchError, ConfigError
from tpru.evaluation.scoring import BASELINES
from tpru.pipeline import WEIGHTS_FROM

EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
HUB_MODELS = sorted(path.stem for path in (CONF / "model").glob("qwen*.yaml"))
DEMO_SOURCES = ("robot", "assembly", "gui", "navigation")
SIMULATED = {f"download/{name}" for name in DEMO_SOURCES}
EVALUATIONS = {f"evaluate/{m}/heldout" for m in ("base", "sft", "grpo", "grpo_blind")}
# Those that go on from TPO are in test_tpo_config.py.
PLAIN_MODELS = [name for name in get_args(ModelName) if "tpo" not in name]
PLAIN_ARMS = [arm for arm in ARMS if arm in PLAIN_MODELS]
ALL_MODELS = f"evaluate.models=[{','.join(PLAIN_MODELS)}]"
FILTERED = "grpo.least_pass_rate=0.1"
TPO = "+tpo.variants.full={tasks:[mask],conversation:true,answers:heads,temporal_head:detr,region_loss:mse}"


# Pinned, so that tuning the demo does not change what the tests count.
MODELS = "evaluate.models=[base,sft,grpo,grpo_blind]"


@cache
def composed(*overrides: str) -> Config:
    return compose("demo", [MODELS, *overrides])


def changed_units(*overrides: str, base: tuple[str, ...] = ()) -> set[str]:
    """Units of the demo whose leaves an override changes."""
    before, after = composed(*base), composed(*base, *overrides)
    assert unit_names(before) == unit_names(after)
    return {
        unit
        for unit in unit_names(before)
        if leaves(unit_config(before, unit)) != leaves(unit_config(after, unit))
    }


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONF / "source").glob("*.yaml")))
def test_every_source_composes_once_the_users_values_are_given(name: str) -> None:
    missing = OmegaConf.missing_keys(OmegaConf.load(CONF / "source" / f"{name}.yaml"))
    given_values = [f"sources.mine.{key}=x" for key in sorted(missing)]
    source = compose("demo", [f"+source@sources.mine={name}", *given_values]).sources["mine"]
    assert source.licence
    if missing:
        with pytest.raises(ConfigError, match=r"sources\.mine"):
            compose("demo", [f"+source@sources.mine={name}"])


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
    # An experiment that sets no value of the group itself.
    config = compose("own_data", [f"model={model}", f"grpo={recipe}"])
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
        ("seeds=[1,-2]", "seeds.1:", "got -2"),
        ("seeds=2", "seeds:", "got 2"),
        ("extract.n_frames=2", "extract.n_frames:", "got 2"),
        ("extract.n_frames=9", "extract.n_frames:", "got 9"),
        ("grpo.top_p=0", "grpo.top_p:", "got 0"),
        ("grpo.delta=1.0", "grpo.delta:", "got 1.0"),
        ("grpo.reward.name=best", "grpo.reward.name:", "'strict' or 'tpru'"),
        ("report.confidence=95", "report.confidence:", "got 95"),
        ("name=Demo", "name:", "'Demo'"),
        ("sources.robot.episodes=40", "sources.robot.episodes:", "got 40"),
        ("sources.robot.episodes.L1=0", "sources.robot.episodes.L1:", "got 0"),
        ("sources.robot.episodes.L2=-1", "sources.robot.episodes.L2:", "got -1"),
        ("+sources.robot.episodes.L4=3", "sources.robot.episodes.L4:", "unknown key"),
        ("~sources.robot.episodes.L3", "sources.robot.episodes.L3:", "required"),
        ("sources.robot.shards=0", "sources.robot.shards:", "got 0"),
        ("sources.robot.shards=some", "sources.robot.shards:", "'some'"),
        ("~sources.robot.shards", "sources.robot.shards:", "required"),
        ("sources.robot.kind=film", "sources.robot:", "'film'"),
        ("+sources.robot.extract.n_frames=12", "sources.robot.extract", "got 12"),
        ("+sources.robot.extract.n_frame=3", "sources.robot.extract", "n_frame"),
        ("extract.spacing=0", "extract.spacing:", "got 0"),
        ("evaluate.batch_size=0", "evaluate.batch_size:", "got 0"),
        ("evaluate.models=[base,dpo]", "evaluate.models.1:", "'dpo'"),
        ("synthesize.guessers=ignore", "synthesize.guessers:", "'ignore'"),
        ("sft_continued.splits=[]", "sft_continued.splits:", "at least 1"),
        ("sft_continued.splits=[sft,test]", "sft_continued.splits.1:", "'test'"),
        ("sft.probe_every=0", "sft.probe_every:", "got 0"),
        ("tiny_base.side=90", "tiny_base.side:", "got 90"),
        ("tiny_base.speech.steps=0", "tiny_base.speech.steps:", "got 0"),
        ("+model.tiny.hidden=64", "model.tiny:", "unknown key"),
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
        (["tiny_base.dims.hidden=100", "tiny_base.dims.heads=4"], "tiny_base.dims", ["hidden / heads"]),
        (["tiny_base.dims.hidden=128", "tiny_base.dims.heads=3"], "tiny_base.dims", ["hidden / heads"]),
        (["seed=500"], "seed", ["500"]),
        (["tiny_base.dims.layers=2"], "tiny_base.dims.layers", ["3"]),
        (
            ["tiny_base.dims.vision_hidden=96", "tiny_base.dims.vision_heads=5"],
            "tiny_base.dims",
            ["vision_hidden / vision_heads"],
        ),
        (["model=qwen2_5_vl_7b", "model.revision=main"], "model", ["40-digit"]),
        (["model.min_pixels=9000", "model.max_pixels=7056"], "model", ["9000", "7056"]),
        (
            ["synthesize.negatives.caption=0.6", "synthesize.negatives.withheld=0.6"],
            "synthesize",
            ["negatives.caption"],
        ),
        (["evaluate.models=[sft]"], "evaluate.models", ["base"]),
        (["seeds=[1,0]"], "seeds", ["holds 0", "seed itself"]),
        (["seeds=[3,1,3]"], "seeds", ["[3] more than once"]),
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
        (
            ["grpo.batch_size=64", "grpo.per_device_batch_size=64", "grpo.group_size=5"],
            "grpo",
            ["group_size (5)", "batch_size (64"],
        ),
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
        ("base_model.version=9", {"base_model"}),
        ("synthesize.max_tokens=999", {"synthesize"}),
        ("describe.detail=steps", {"describe"}),
        ("report.gallery_items=3", {"report"}),
        ("processor.version=2", {"processor"}),
        ("sources.robot.episodes.L1=7", {"download/robot"}),
        ("sources.robot.episodes.L3=7", {"download/robot"}),
        ("sources.gui.size=224", {"download/gui"}),
        ("sources.robot.shards=4", set()),
        ("+sources.robot.extract.every=2", {"extract/robot"}),
        ("extract.every=2", {"filter_audit", *(f"extract/{name}" for name in DEMO_SOURCES)}),
        ("extract.spacing=1", {"filter_audit", *(f"extract/{name}" for name in DEMO_SOURCES)}),
        ("filter_audit.defects=1", {"filter_audit"}),
        ("benchmarks.heldout.max_items=5", EVALUATIONS),
        ("evaluate.batch_size=7", EVALUATIONS),
        ("model.dtype=bfloat16", {"base_model", "sft", "grpo", *EVALUATIONS}),
        ("model.min_pixels=3136", {"processor", "base_model", "sft", "grpo", *EVALUATIONS}),
        # Of what runs only where it is asked for, nothing here depends on.
        ("sft_continued.epochs=1", set()),
        ("grpo_from_base.version=9", set()),
        ("audit.items=3", set()),
        ("lmms_eval.limit=3", set()),
        ("judge.items=3", set()),
        ("tiny_base.dims.layers=3", set()),
    ],
)
def test_a_changed_value_reaches_exactly_the_units_that_read_it(override: str, units: set[str]) -> None:
    assert changed_units(override) == units


def test_a_shared_extract_value_spares_the_source_that_sets_its_own() -> None:
    units = changed_units("extract.every=3", base=("+sources.robot.extract.every=2",))
    assert units == {"extract/assembly", "extract/gui", "extract/navigation", "filter_audit"}


def test_the_seed_reaches_exactly_the_units_with_a_random_choice() -> None:
    everything = (ALL_MODELS, FILTERED, TPO)
    of_tpo = {"grounding", "segmenter", "tpo"}
    seeded = SIMULATED | set(SEEDED) - {*ARMS, "pass_rates", *of_tpo}
    assert changed_units("seed=1") == seeded
    trained = {f"tpo/full/{phase}" for phase in PHASES}
    every = seeded | {*PLAIN_ARMS, "pass_rates", "grounding", "segmenter", *trained}
    assert changed_units("seed=1", base=everything) == every
    config = composed(*everything)
    with_seed = {u for u in [*unit_names(config), *ON_REQUEST] if "seed" in unit_config(config, u)}
    assert with_seed == every | set(ON_REQUEST)


# Arms and what runs on request.


@pytest.mark.parametrize("filtered", [FILTERED, "grpo.most_pass_rate=0.9"])
def test_pass_rates_are_a_unit_only_where_they_leave_items_out(filtered: str) -> None:
    assert "pass_rates" not in unit_names(composed())
    units = unit_names(composed(filtered))
    assert units[units.index("sft") :][:3] == ["sft", "pass_rates", "grpo"]
    assert changed_units("pass_rates.samples=4", base=(filtered,)) == {"pass_rates"}
    assert changed_units("grpo.temperature=0.9", base=(filtered,)) == {"pass_rates", "grpo"}
    assert changed_units("grpo.least_pass_rate=0.3", base=(filtered,)) == {"grpo"}


def test_dense_items_are_made_only_where_something_is_trained_on_them() -> None:
    assert "grounding" not in unit_names(composed())
    assert changed_units("grounding.simulated.clip_frames=8", base=(TPO,)) == {"grounding"}
    with pytest.raises(ConfigError, match="grounding"):
        unit_config(composed(), "grounding")


def test_the_segmenter_is_read_by_the_mask_heads() -> None:
    heads = {*(f"tpo/full/{phase}" for phase in PHASES), "evaluate_heads/full"}
    assert changed_units("segmenter.updates=7", base=(TPO,)) == {"segmenter", *heads}
    assert changed_units("segmenter.updates=7") == set()


def test_bounds_of_pass_rates_that_leave_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match="least_pass_rate"):
        composed("grpo.least_pass_rate=0.8", "grpo.most_pass_rate=0.2")


def test_refills_need_whole_groups_on_every_device() -> None:
    wrong = ("grpo.refills=1", "grpo.batch_size=32", "grpo.per_device_batch_size=4")
    with pytest.raises(ConfigError, match="refills"):
        composed(*wrong)


def test_an_arm_is_a_unit_only_where_it_is_evaluated() -> None:
    assert not set(ARMS) & set(unit_names(composed()))
    with pytest.raises(ConfigError, match="sft_continued"):
        unit_config(composed(), "sft_continued")
    units = unit_names(composed(ALL_MODELS))
    assert [u for u in units if u not in unit_names(composed())] == [
        *PLAIN_ARMS,
        *(f"evaluate/{arm}/heldout" for arm in PLAIN_ARMS),
    ]
    first = min(units.index(u) for u in units if u.startswith("evaluate/"))
    assert units.index("sft") < units.index("sft_continued") < first
    (one,) = [u for u in unit_names(composed("evaluate.models=[base,grpo_from_base]")) if u in ARMS]
    assert one == "grpo_from_base"


@pytest.mark.parametrize(
    ("override", "units"),
    [
        ("sft_continued.epochs=1", {"sft_continued"}),
        ("sft.learning_rate=1e-4", {"sft", "sft_continued"}),
        ("grpo.beta=0.04", {"grpo", "grpo_from_base"}),
        ("grpo_from_base.version=9", {"grpo_from_base"}),
    ],
)
def test_an_arm_reads_the_values_of_the_training_that_it_varies(override: str, units: set[str]) -> None:
    assert changed_units(override, base=(ALL_MODELS,)) == units


def test_units_on_request_have_a_config_but_are_in_no_plan_of_their_own() -> None:
    config = composed()
    assert not set(ON_REQUEST) & set(unit_names(config))
    assert set(unit_config(config, "audit")) == {"name", "unit", "seed", "audit"}
    assert set(unit_config(config, "tiny_base")) == {"name", "unit", "seed", "tiny_base"}
    assert set(unit_config(config, "lmms_eval")) == {"name", "unit", "seed", "lmms_eval", "model"}
    assert set(unit_config(config, "judge")) == {"name", "unit", "seed", "judge", "kind"}


def test_lmms_eval_is_given_no_model_that_is_not_trained() -> None:
    with pytest.raises(ConfigError, match=r"lmms_eval.models: \['grpo_from_base'\]"):
        composed("lmms_eval.models=[base,grpo_from_base]")
    assert composed(ALL_MODELS, "lmms_eval.models=[grpo_from_base]").lmms_eval.models == ("grpo_from_base",)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("judge.models=[grpo,grpo_from_base]", r"judge.models: \['grpo_from_base'\] are neither"),
        ("judge.models=[grpo_seed1]", r"judge.models: \['grpo_seed1'\] are neither"),
        ("judge.models=[sft,sft]", "names one twice"),
        ("judge.models=[]", "judge.models"),
        ("judge.benchmark=muirbench", r"'muirbench' is none of \['heldout'\]"),
    ],
)
def test_the_judge_reads_no_answers_that_nobody_gives(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        composed(override)


def test_the_judge_reads_models_behind_endpoints_and_of_further_seeds() -> None:
    remote = ("+endpoint@endpoints.gpt_4o=default", "endpoints.gpt_4o.model=gpt-4o", "seeds=[1]")
    config = composed(*remote, "judge.models=[base,gpt_4o,grpo_seed1]")
    assert config.judge.models == ("base", "gpt_4o", "grpo_seed1")
    assert composed("evaluate.models=[base]").judge.models == ("sft", "grpo")


def test_every_model_name_has_a_training_and_every_unit_a_script() -> None:
    assert set(get_args(ModelName)) == set(WEIGHTS_FROM)
    stages = {u.split("/")[0] for u in [*unit_names(composed(ALL_MODELS, FILTERED, TPO)), *ON_REQUEST]}
    after = {"sft_from_tpo", "grpo_from_tpo"}
    assert {unit.split("/")[0] for unit in WEIGHTS_FROM.values()} <= stages | after
    assert [s for s in stages | after if find_spec(f"tpru.stages.{s}") is None] == []


def test_the_tiny_model_is_shown_pictures_of_the_size_that_its_base_was_schooled_on() -> None:
    config = composed()
    assert config.model.min_pixels == config.model.max_pixels == config.tiny_base.side**2


def test_sources_from_disk_do_not_read_the_seed() -> None:
    config = compose("real_sample", [])
    assert "seed" not in unit_config(config, "download/desktop")
    assert unit_config(config, "extract/g1")["extract"]["every"] == 15
    assert unit_config(config, "extract/desktop")["extract"]["every"] == 1


def test_a_unit_sees_no_group_of_another_one() -> None:
    config = composed()
    assert set(unit_config(config, "sft")) == {"name", "unit", "seed", "sft", "model"}
    assert set(unit_config(config, "base_model")) == {"name", "unit", "base_model", "model"}
    assert set(unit_config(config, "processor")) == {"name", "unit", "processor", "model"}
    assert not {"dtype", "attention"} & set(unit_config(config, "processor")["model"])
    assert set(unit_config(config, "download/robot")) == {"name", "unit", "seed", "source"}
    assert "extract" not in unit_config(config, "download/robot")["source"]
    assert "models" not in unit_config(config, "evaluate/sft/heldout")["evaluate"]


def test_a_unit_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="download/moon"):
        unit_config(composed(), "download/moon")


def test_the_frozen_config_of_a_unit_reads_back_as_it_was(tmp_path: Path) -> None:
    for unit in [*unit_names(composed(ALL_MODELS, FILTERED, TPO)), *ON_REQUEST]:
        part = unit_config(composed(ALL_MODELS, FILTERED, TPO), unit)
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


ENDPOINT = ["+endpoint@endpoints.gpt_4o=default", "endpoints.gpt_4o.model=gpt-4o-2024-08-06"]


def test_a_model_behind_an_endpoint_is_evaluated_without_weights_of_this_experiment() -> None:
    config = compose("demo", ENDPOINT)
    added = set(unit_names(config)) - set(unit_names(compose("demo", [])))
    assert added == {"evaluate/gpt_4o/heldout"}
    part = unit_config(config, "evaluate/gpt_4o/heldout")
    assert set(part) == {"name", "unit", "evaluate", "endpoint", "benchmark"}
    assert part["endpoint"]["model"] == "gpt-4o-2024-08-06"
    assert set(part["evaluate"]) == {"version"}
    assert unit_config(config, "report")["models"][-1] == "gpt_4o"
    # The local models do not care.
    assert unit_config(config, "evaluate/sft/heldout") == unit_config(
        compose("demo", []), "evaluate/sft/heldout"
    )


def test_an_endpoint_needs_a_model_and_a_name_of_its_own() -> None:
    with pytest.raises(ConfigError, match=r"endpoints\.gpt_4o\.model"):
        compose("demo", ENDPOINT[:1])
    for name in (*get_args(ModelName), *BASELINES, "sft_seed1"):
        with pytest.raises(ConfigError, match="choose other ones"):
            compose("demo", [part.replace("gpt_4o", name) for part in ENDPOINT])
