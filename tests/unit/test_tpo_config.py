"""The groups of Task Preference Optimization: what is refused, which units there are and what each one reads."""

from functools import cache
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from tpru.config.compose import check, compose, leaves, phase_before, unit_config, unit_names
from tpru.config.schema import Config
from tpru.config.tpo_schema import PHASES
from tpru.errors import BatchError, ConfigError
from tpru.grounding.records import GROUNDING_TASKS
from tpru.pipeline import Plan, check_devices, weights_unit

REST = "answers: heads, temporal_head: detr, region_loss: l1_giou"
FULL = f"tpo.variants.full={{tasks: [temporal, region, mask], conversation: true, {REST}}}"
TEXT = FULL.replace("full", "text").replace("answers: heads", "answers: text")
CHAT = FULL.replace("full", "chat").replace("temporal, region, mask", "")
MODELS = "evaluate.models=[base,sft,grpo,tpo,sft_from_tpo,grpo_from_tpo]"
EVERYTHING = (FULL, TEXT, CHAT, MODELS)
NEW_GROUPS = {
    "tpo",
    "grounding",
    "segmenter",
    "sft_from_tpo",
    "grpo_from_tpo",
    "phase",
    "variant",
    "variants",
}


@cache
def demo() -> dict[str, Any]:
    """The demo as plain values: to change and check these is much faster than to compose each time."""
    return compose("demo", ["evaluate.models=[base,sft,grpo]"]).model_dump(mode="json")


@cache
def composed(*overrides: str) -> Config:
    """The demo with ``key=value`` in it, or without ``~key``."""
    tree = OmegaConf.create(demo())
    for override in overrides:
        key, _, value = override.partition("=")
        if key.startswith("~"):
            group, _, last = key[1:].rpartition(".")
            del OmegaConf.select(tree, group)[last]
        else:
            OmegaConf.update(tree, key, yaml.safe_load(value), merge=False)
    return check(tree)


def added(*overrides: str) -> list[str]:
    """Units that these overrides add to the demo, in the order of the DAG."""
    return [unit for unit in unit_names(composed(*overrides)) if unit not in unit_names(composed())]


def changed_units(*overrides: str, base: tuple[str, ...] = EVERYTHING) -> set[str]:
    """Units whose leaves these overrides change."""
    before, after = composed(*base), composed(*base, *overrides)
    assert unit_names(before) == unit_names(after)
    return {
        unit
        for unit in unit_names(before)
        if leaves(unit_config(before, unit)) != leaves(unit_config(after, unit))
    }


# What is refused.


@pytest.mark.parametrize(
    ("override", "key", "said"),
    [
        ("tpo.phase=1", "tpo.phase:", "unknown key"),
        ("tpo.phases.warmup={}", "tpo.phases.warmup", "'assignment'"),
        ("~tpo.phases.heads", "tpo:", "phases needs exactly the keys"),
        ("tpo.phases.heads.updates=0", "tpo.phases.heads.updates:", "got 0"),
        ("~tpo.phases.heads.mix.mask", "tpo.phases.heads:", "mix needs exactly the keys"),
        ("tpo.phases.joint.mix.video=1", "tpo.phases.joint.mix.video", "'temporal'"),
        ("tpo.phases.joint.mix.mask=-1", "tpo.phases.joint.mix.mask:", "got -1"),
        ("~tpo.phases.joint.learning_rates.vision", "tpo.phases.joint:", "learning_rates needs exactly the keys"),
        ("tpo.phases.joint.learning_rates.tokens=-1", "tpo.phases.joint.learning_rates.tokens:", "got -1"),
        ("tpo.losses.mask=-0.5", "tpo.losses.mask:", "got -0.5"),
        ("tpo.warmup=1.5", "tpo.warmup:", "got 1.5"),
        ("tpo.lora.r=0", "tpo.lora.r:", "got 0"),
        ("tpo.moment_queries=0", "tpo.moment_queries:", "got 0"),
        ("tpo.schedule=step", "tpo.schedule:", "'step'"),
        (FULL.replace("temporal, region", "region, region"), "tpo.variants.full:", "names one twice"),
        (FULL.replace("region, mask", "depth"), "tpo.variants.full.tasks.1:", "'depth'"),
        (FULL.replace("temporal, region, mask", "").replace("true", "false"), "tpo.variants.full:", "nothing to learn"),
        (FULL.replace("full", "Full"), "tpo.variants", "'Full'"),
        (FULL.replace("full", "a-b"), "tpo.variants", "'a-b'"),
        (FULL.replace("answers: heads", "answers: words"), "tpo.variants.full.answers:", "'words'"),
        (FULL.replace(", region_loss: l1_giou", ""), "tpo.variants.full.region_loss:", "required"),
        ("grounding.videos=1", "grounding.videos:", "unknown key"),
        ("~grounding.simulated.per_trajectory.mask", "grounding.simulated:", "per_trajectory needs exactly"),
        ("grounding.simulated.per_trajectory.mask=-1", "grounding.simulated.per_trajectory.mask:", "got -1"),
        ("grounding.simulated.clip_frames=1", "grounding.simulated.clip_frames:", "got 1"),
        ("grounding.simulated.tracked_share=2", "grounding.simulated.tracked_share:", "got 2"),
        ("grounding.max_test_items=-1", "grounding.max_test_items:", "got -1"),
        ("segmenter.size=1", "segmenter.size:", "unknown key"),
        ("segmenter.kind=sam", "segmenter.kind:", "'sam'"),
        ("segmenter.kind=sam2", "segmenter:", "40-digit"),
        ("segmenter.side=20", "segmenter.side:", "got 20"),
        ("sft_from_tpo.epochs=1", "sft_from_tpo.epochs:", "unknown key"),
        ("grpo_from_tpo.version=0", "grpo_from_tpo.version:", "got 0"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_by_its_dotted_key(override: str, key: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        composed(override)
    assert key in str(caught.value)
    assert said in str(caught.value)
    assert caught.value.exit_code == 10


def test_a_phase_in_which_nothing_learns_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"tpo\.phases\.heads: learning_rates are all 0"):
        composed(*(f"tpo.phases.heads.learning_rates.{part}=0" for part in PARTS))


PARTS = ("language", "tokens", "temporal", "region", "mask", "vision")


def test_a_batch_that_is_no_multiple_has_its_own_exit_code() -> None:
    with pytest.raises(BatchError, match=r"tpo\.phases\.heads: batch_size \(30\)") as caught:
        composed("tpo.phases.heads.batch_size=30")
    assert caught.value.exit_code == 16


@pytest.mark.parametrize("model", ["tpo", "sft_from_tpo", "grpo_from_tpo"])
def test_models_after_tpo_need_the_variant_that_they_go_on_from(model: str) -> None:
    asked = f"evaluate.models=[base,{model}]"
    with pytest.raises(ConfigError, match=rf"evaluate.models: {model} goes on from tpo.variants.full"):
        composed(asked, TEXT)
    assert composed(asked, FULL).evaluate.models == ("base", model)


def test_the_control_is_the_variant_chat() -> None:
    asked = "evaluate.models=[base,tpo_chat]"
    with pytest.raises(ConfigError, match=r"tpo_chat goes on from tpo\.variants\.chat"):
        composed(asked, FULL)
    assert composed(asked, CHAT).evaluate.models == ("base", "tpo_chat")
    assert weights_unit("tpo_chat") == "tpo/chat/joint"


def test_the_profile_is_checked_against_the_batches_of_every_phase() -> None:
    two = Plan(composed(FULL, "tpo.phases.heads.per_device_batch_size=16"), (), {})
    check_devices(two, {"tpo": {"nodes": 1, "gpu": 1}})
    with pytest.raises(BatchError, match=r"tpo\.phases\.assignment\.batch_size=32 .* 1 node\(s\) x 3"):
        check_devices(two, {"tpo": {"nodes": 1, "gpu": 3}})
    with pytest.raises(BatchError, match=r"tpo\.phases\.assignment\.per_device_batch_size to 16"):
        check_devices(two, {"tpo": {"nodes": 2, "gpu": 1}})
    # An experiment without such a training does not care what the site gives the rule.
    check_devices(Plan(composed(), (), {}), {"tpo": {"nodes": 5, "gpu": 3}})


# Which units there are.


def test_without_variants_there_is_nothing_of_it() -> None:
    config = composed()
    stages = {unit.split("/")[0] for unit in unit_names(config)}
    assert not stages & {"grounding", "segmenter", "tpo", "evaluate_heads", "sft_from_tpo", "grpo_from_tpo"}
    assert not any(NEW_GROUPS & set(unit_config(config, unit)) for unit in unit_names(config))
    for unit in ("grounding", "segmenter", "tpo/full/joint", "evaluate_heads/full", "sft_from_tpo"):
        with pytest.raises(ConfigError, match=unit):
            unit_config(config, unit)


def test_what_variants_add() -> None:
    assert added(FULL) == [
        "grounding",
        "segmenter",
        *(f"tpo/full/{p}" for p in PHASES),
        "evaluate_heads/full",
    ]
    # Numbers in words need no segmenter, and without a task there is but one phase and no dense question.
    assert added(TEXT) == ["grounding", *(f"tpo/text/{p}" for p in PHASES), "evaluate_heads/text"]
    assert added(CHAT) == ["grounding", "tpo/chat/joint"]
    assert added(FULL.replace(", mask", ""))[:2] == ["grounding", "tpo/full/assignment"]


def test_arms_on_top_are_trained_where_they_are_evaluated() -> None:
    plain = added(FULL)
    asked = "evaluate.models=[base,sft,grpo,{}]"
    assert added(FULL, asked.format("tpo")) == [*plain, "evaluate/tpo/heldout"]
    assert added(FULL, asked.format("sft_from_tpo")) == [
        *plain,
        "sft_from_tpo",
        "evaluate/sft_from_tpo/heldout",
    ]
    # The second one goes on from the first, evaluated or not.
    assert added(FULL, asked.format("grpo_from_tpo")) == [
        *plain, "sft_from_tpo", "grpo_from_tpo", "evaluate/grpo_from_tpo/heldout",
    ]  # fmt: skip
    further = [u for u in added(FULL, MODELS, "seeds=[7]") if u.endswith("_seed7")]
    assert further == [f"{name}_seed7" for name in ("sft", "grpo", "sft_from_tpo", "grpo_from_tpo")]


def test_each_phase_goes_on_from_the_one_before() -> None:
    config = composed(*EVERYTHING)
    full, chat = config.tpo.variants["full"], config.tpo.variants["chat"]
    assert [phase_before(f"tpo/full/{phase}", full) for phase in PHASES] == [
        "base_model", "tpo/full/assignment", "tpo/full/heads",
    ]  # fmt: skip
    assert phase_before("tpo/chat/joint", chat) == "base_model"


# What each one reads.


def reads(unit: str) -> dict[str, Any]:
    return unit_config(composed(*EVERYTHING), unit)


def test_a_phase_reads_its_own_values_and_its_own_variant() -> None:
    common = {"name", "unit", "seed", "variant", "model", "tpo", "phase"}
    assert set(reads("tpo/full/heads")) == common | {"segmenter"}
    assert set(reads("tpo/text/heads")) == set(reads("tpo/chat/joint")) == common
    for phase in PHASES:
        part = reads(f"tpo/full/{phase}")
        assert part["phase"] == composed().tpo.phases[phase].model_dump(mode="json")
        assert part["variant"]["tasks"] == list(GROUNDING_TASKS)
        assert not {"variants", "phases", "evaluation_batch"} & set(part["tpo"])
    assert set(reads("evaluate_heads/full")) == {
        "name",
        "unit",
        "variant",
        "model",
        "segmenter",
        "evaluation_batch",
    }
    assert set(reads("sft_from_tpo")) == {"name", "unit", "seed", "sft", "sft_from_tpo", "model"}
    assert set(reads("grpo_from_tpo")) == {"name", "unit", "seed", "grpo", "grpo_from_tpo", "model"}
    assert reads("report")["variants"] == ["full", "text"]


def of(*variants: str) -> set[str]:
    return {unit for unit in added(*EVERYTHING) if unit.split("/")[1:2] and unit.split("/")[1] in variants}


ALL_PHASES = {u for u in added(*EVERYTHING) if u.startswith("tpo/")}


@pytest.mark.parametrize(
    ("override", "units"),
    [
        (
            "tpo.phases.joint.learning_rates.language=1e-4",
            {f"tpo/{v}/joint" for v in ("full", "text", "chat")},
        ),
        ("tpo.phases.heads.updates=9", {"tpo/full/heads", "tpo/text/heads"}),
        ("tpo.phases.assignment.mix.mask=2", {"tpo/full/assignment", "tpo/text/assignment"}),
        ("tpo.losses.assignment=2", ALL_PHASES),
        ("tpo.version=9", ALL_PHASES),
        ("tpo.lora.r=8", ALL_PHASES),
        ("tpo.variants.text.tasks=[temporal,region]", of("text")),
        ("tpo.variants.full.region_loss=mse", of("full")),
        ("tpo.variants.chat.region_loss=mse", of("chat")),
        ("tpo.evaluation_batch=8", {"evaluate_heads/full", "evaluate_heads/text"}),
        ("segmenter.width=32", {"segmenter", *of("full")}),
        ("grounding.simulated.clip_frames=8", {"grounding"}),
        ("grounding.max_train_items=10", {"grounding"}),
        ("sft_from_tpo.version=9", {"sft_from_tpo"}),
        ("grpo_from_tpo.version=9", {"grpo_from_tpo"}),
        ("sft.learning_rate=1e-4", {"sft", "sft_from_tpo"}),
        ("grpo.beta=0.04", {"grpo", "grpo_from_tpo"}),
    ],
)
def test_a_changed_value_reaches_exactly_the_units_that_read_it(override: str, units: set[str]) -> None:
    assert units
    assert changed_units(override) == units


def test_a_further_variant_changes_nothing_that_stands_but_the_report() -> None:
    before, after = composed(*EVERYTHING), composed(*EVERYTHING, TEXT.replace("text", "tasks", 1))
    assert {u for u in unit_names(before) if unit_config(before, u) != unit_config(after, u)} == {"report"}


def test_without_variants_no_value_of_it_is_read() -> None:
    for override in (
        "tpo.phases.joint.updates=9", "grounding.max_test_items=9", "segmenter.width=8", "sft_from_tpo.version=9",
    ):  # fmt: skip
        assert changed_units(override, base=()) == set()


# The published values.


def test_the_published_recipe_composes_on_the_models_of_the_hub() -> None:
    config = compose("tpo", ["tpo=paper", "model=qwen2_5_vl_7b"])
    phases = config.tpo.phases
    assert list(config.tpo.variants) == list(compose("tpo", []).tpo.variants)
    assert [phases[p].batch_size for p in PHASES] == [128, 128, 256]
    assert set(phases["joint"].learning_rates.values()) == {2e-5}
    assert [part for part, rate in phases["assignment"].learning_rates.items() if rate] == [
        "language",
        "tokens",
    ]
    assert phases["heads"].learning_rates["vision"] == 0
    assert phases["heads"].learning_rates["temporal"] == 1e-4
    assert (config.tpo.lora.r, config.tpo.lora.alpha, config.tpo.weight_decay, config.tpo.warmup) == (
        16,
        32,
        0.02,
        0.2,
    )


def test_the_updates_of_the_published_recipe_are_what_its_formula_says() -> None:
    for phase in compose("demo", ["tpo=paper"]).tpo.phases.values():
        assert phase.updates == -(-1000 * sum(phase.mix.values()) // phase.batch_size)
