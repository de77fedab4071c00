"""Which stages rerun after which edit: the promise that changing one number redoes only what depends on it."""

import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import Workspace

pytestmark = pytest.mark.slow

EVERYTHING = {
    "download": 4, "extract": 4, "describe": 1, "processor": 1, "synthesize": 1, "base_model": 1,
    "sft": 1, "grpo": 1, "evaluate": 4, "filter_audit": 1, "report": 1,
}  # fmt: skip
FROM_SYNTHESIZE = {k: EVERYTHING[k] for k in ("synthesize", "sft", "grpo", "evaluate", "report")}
# Processor and base are files of the model: no source, caption or item reaches them.
FROM_SOURCES = {k: n for k, n in EVERYTHING.items() if k not in ("processor", "base_model", "filter_audit")}
ONE_SOURCE = {**FROM_SOURCES, "download": 1, "extract": 1}
FROM_BASE = {k: EVERYTHING[k] for k in ("base_model", "sft", "grpo", "evaluate", "report")}
WITH_ARM = "evaluate.models=[base,sft,sft_continued,grpo,grpo_blind]"

VALUES = [
    ("nothing", [], {}),
    ("a GRPO value", ["grpo.beta=0.02"], {"grpo": 1, "evaluate": 2, "report": 1}),
    ("items left out", ["grpo.least_pass_rate=0.1"], {"pass_rates": 1, "grpo": 1, "evaluate": 2, "report": 1}),
    ("an SFT value", ["sft.learning_rate=4e-3"], {"sft": 1, "grpo": 1, "evaluate": 3, "report": 1}),
    ("two values swapped", ["sft.lora.r=64", "sft.lora.alpha=32"], {"sft": 1, "grpo": 1, "evaluate": 3, "report": 1}),
    ("the shared seed", ["seed=1"], FROM_SOURCES),
    ("a further training seed", ["seeds=[1]"], {"sft": 1, "grpo": 1, "evaluate": 2, "report": 1}),
    ("a GRPO value with two seeds", ["seeds=[1]", "grpo.beta=0.02"], {"sft": 1, "grpo": 2, "evaluate": 4, "report": 1}),
    ("an arm and items left out with three seeds", ["seeds=[1,2]", WITH_ARM, "grpo.least_pass_rate=0.1"],
     {"sft": 2, "pass_rates": 3, "grpo": 3, "sft_continued": 3, "evaluate": 9, "report": 1}),
    ("a synthesis value", ["synthesize.negatives.caption=0.15"], FROM_SYNTHESIZE),
    ("one source", ["sources.gui.episodes.L1=6"], ONE_SOURCE),
    ("one level of one source", ["sources.robot.episodes.L3=2"], ONE_SOURCE),
    ("extraction of one source", ["+sources.gui.extract.stride=1"], {**ONE_SOURCE, "download": 0}),
    ("into how many jobs a source is divided", ["sources.robot.shards=3"], {}),
    ("a source in shards", ["sources.robot.shards=3", "sources.robot.episodes.L3=2"],
     {**ONE_SOURCE, "download_shard": 3, "extract_shard": 3}),
    ("extraction of a source in shards", ["sources.gui.shards=3", "+sources.gui.extract.stride=1"],
     {**ONE_SOURCE, "download": 0, "extract_shard": 3}),
    ("extraction of all sources", ["extract.stride=1"],
     {**FROM_SOURCES, "download": 0, "filter_audit": 1}),
    ("the audit of the filter", ["filter_audit.defects=1"], {"filter_audit": 1, "report": 1}),
    ("the base", ["base_model.version=9"], FROM_BASE),
    ("the processor", ["processor.version=9"], {**FROM_SYNTHESIZE, "processor": 1}),
    ("the size of pictures", ["model.min_pixels=3136"], {**FROM_SYNTHESIZE, "processor": 1, "base_model": 1}),
    ("how the shipped base was made", ["tiny_base.dims.layers=5"], {}),
    ("an arm that is not asked for", ["sft_continued.epochs=1"], {}),
    ("an arm that is asked for", [WITH_ARM], {"sft_continued": 1, "evaluate": 1, "report": 1}),
    ("the audit", ["audit.items=7"], {}),
    ("what lmms-eval asks", ["lmms_eval.limit=7"], {}),
    ("what the judge reads", ["judge.items=7"], {}),
    ("the judge on the page", ["report.judge=true"], {"judge": 1, "report": 1}),
    ("how models are asked", ["evaluate.max_new_tokens=81"], {"evaluate": 4, "report": 1}),
    ("one more benchmark", ["+benchmark@benchmarks.muirbench=muirbench", "benchmarks.muirbench.path=there"],
     {"benchmark": 1, "evaluate": 4, "report": 1}),
    ("the report alone", ["report.gallery_items=7"], {"report": 1}),
    ("the code of one stage, by its version", ["describe.version=2"],
     {**FROM_SYNTHESIZE, "describe": 1}),
    ("the same number written another way", ["grpo.learning_rate=0.00050"], {}),
]  # fmt: skip

EDITS = [
    ("a comment", "conf/grpo/default.yaml", "beta:", "# another comment\nbeta:"),
    ("the order of keys", "conf/report/default.yaml", "confidence: 0.95\n", ""),
    ("an unrelated group", "conf/model/qwen2_5_vl_7b.yaml", "dtype: bfloat16", "dtype: float32"),
    ("another experiment", "conf/experiment/demo.yaml", "name: demo", "name: demo\nseed: 5"),
    ("code without a new version", "src/tpru/training/rewards.py", '"""', '"""Edited. ', ),
    ("a machine fact", "workflow/profiles/local/profile.yaml", "keep-going: true", "keep-going: false"),
]  # fmt: skip


def planned(workspace: Workspace, overrides: list[str]) -> dict[str, int]:
    """Stages of a dry run and how many jobs each has."""
    chosen = ["overrides=[" + ",".join(f'"{o}"' for o in overrides) + "]"] if overrides else []
    done = workspace.run(workspace.snakemake("-n", "all", "--config", "experiment=smoke", *chosen))
    if "Nothing to be done" in done.stdout + done.stderr:
        return {}
    table = (done.stdout + done.stderr).split("Job stats:")[1].split("total")[0]
    counts = {name: int(n) for name, n in re.findall(r"^(\w+)\s+(\d+)$", table, re.MULTILINE)}
    return {name: n for name, n in counts.items() if name != "all"}


@pytest.mark.parametrize(("what", "overrides", "expected"), VALUES, ids=[v[0] for v in VALUES])
def test_value(finished: Workspace, what: str, overrides: list[str], expected: dict[str, int]) -> None:
    assert planned(finished, overrides) == {k: n for k, n in expected.items() if n}


@pytest.mark.parametrize(("what", "file", "old", "new"), EDITS, ids=[e[0] for e in EDITS])
def test_edit_that_changes_no_value(
    finished: Workspace, tmp_path: Path, what: str, file: str, old: str, new: str
) -> None:
    copy = finished.copy(tmp_path / "copy")
    path = copy.folder / file
    text = path.read_text()
    assert old in text
    moved = text.replace(old, new, 1) if new else text.replace(old, "", 1) + old
    path.write_text(moved)
    assert planned(copy, []) == {}


def test_what_snakemake_was_not_there_to_note(finished: Workspace, tmp_path: Path) -> None:
    """Jobs that ended without their driver leave no record: their ``run.json`` tells what they were made of."""
    copy = finished.copy(tmp_path / "copy")
    shutil.rmtree(copy.folder / ".snakemake/metadata")
    assert planned(copy, []) == {}
    assert planned(copy, ["grpo.beta=0.02"]) == {"grpo": 1, "evaluate": 2, "report": 1}
    every = copy.run(
        copy.snakemake("-n", "all", "--config", "experiment=smoke", 'overrides=["grpo.beta=0.02"]')
    )
    assert "results/smoke/grpo/run.json was made of other values: grpo.beta 0.01 -> 0.02" in every.stderr
    # What was not asked for is left alone, and so is all where values are no reason.
    sft = ["-n", "results/smoke/sft/run.json", "--config", "experiment=smoke", 'overrides=["grpo.beta=0.02"]']
    times = ["-n", "all", "--rerun-triggers", "mtime", *sft[2:]]
    for command in (sft, times):
        done = copy.run(copy.snakemake(*command))
        assert "Nothing to be done" in done.stdout + done.stderr


def test_missing_output_of_a_stage_is_named(finished: Workspace, tmp_path: Path) -> None:
    copy = finished.copy(tmp_path / "copy")
    (copy.folder / "results/smoke/synthesize/items.parquet").unlink()
    done = copy.stage("sft", "experiment=smoke")
    assert done.returncode == 20
    assert "items.parquet" in done.stderr
    assert "run.json" in done.stderr
