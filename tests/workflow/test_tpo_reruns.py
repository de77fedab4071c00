"""Which stages rerun after an edit of Task Preference Optimization; dry runs on results that are only pretended."""

import json
import os
import time
from pathlib import Path

import pytest

from tests.conftest import Workspace, new_workspace
from tests.workflow.test_rerun_matrix import planned
from tpru.config.compose import compose, unit_config, unit_names

REST = "answers: heads, temporal_head: detr, region_loss: l1_giou"
EXPERIMENT = f"""
tpo:
  variants:
    full: {{tasks: [temporal, region, mask], conversation: true, {REST}}}
    text: {{tasks: [temporal, region], conversation: true, {REST.replace("heads,", "text,")}}}
evaluate: {{models: [base, sft, grpo, tpo, sft_from_tpo, grpo_from_tpo], max_new_tokens: 80}}
"""
MORE = "+tpo.variants.{}={{tasks:[],conversation:true,answers:heads,temporal_head:detr,region_loss:mse}}"
# Every training of these goes on from the one before: `full` has SFT, GRPO and three evaluations behind it.
BEHIND = {"sft_from_tpo": 1, "grpo_from_tpo": 1, "evaluate": 3, "report": 1}

VALUES = [
    ("nothing", [], {}),
    ("rates of the joint phase", ["tpo.phases.joint.learning_rates.language=1e-4"],
     {"tpo": 2, "evaluate_heads": 2, **BEHIND}),
    ("the phase before it", ["tpo.phases.heads.updates=9"], {"tpo": 4, "evaluate_heads": 2, **BEHIND}),
    ("one variant", ["tpo.variants.text.tasks=[temporal]"], {"tpo": 3, "evaluate_heads": 1, "report": 1}),
    # Without a task it answers no dense question: the report knows nothing of it.
    ("one more control", [MORE.format("chat")], {"tpo": 1}),
    ("dense items", ["grounding.simulated.clip_frames=8"],
     {"grounding": 1, "segmenter": 1, "tpo": 6, "evaluate_heads": 2, **BEHIND}),
    ("the segmenter", ["segmenter.updates=9"],
     {"segmenter": 1, "tpo": 3, "evaluate_heads": 1, **BEHIND}),
    ("how heads are asked", ["tpo.evaluation_batch=8"], {"evaluate_heads": 2, "report": 1}),
    ("an SFT value", ["sft.learning_rate=4e-3"],
     {"sft": 1, "grpo": 1, "sft_from_tpo": 1, "grpo_from_tpo": 1, "evaluate": 4, "report": 1}),
    ("a GRPO value", ["grpo.beta=0.02"], {"grpo": 1, "grpo_from_tpo": 1, "evaluate": 2, "report": 1}),
]  # fmt: skip


@pytest.fixture(scope="module")
def pretended(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A copy whose units all have a ``run.json`` of the values that they have now, and nothing else."""
    made = new_workspace(tmp_path_factory.mktemp("pretended") / "clone")
    smoke = made.folder / "conf/experiment/smoke.yaml"
    text = smoke.read_text()
    smoke.write_text(text.replace("evaluate: {max_new_tokens: 80}\n", "") + EXPERIMENT)
    assert text.count("evaluate:") == 1
    variants = [f"+tpo.variants.{name}={value}" for name, value in written().items()]
    models = "evaluate.models=[base,sft,grpo,tpo,sft_from_tpo,grpo_from_tpo]"
    config = compose("smoke", [models, *variants])
    begun = time.time() - 1000
    for number, unit in enumerate(unit_names(config)):
        folder = made.folder / "results/smoke" / unit
        record = {"unit": unit, "config": unit_config(config, unit), "inputs": {}, "fingerprint": ""}
        pretend(folder / "run.json", json.dumps(record), begun + number)
    for name in ("index.html", "metrics.json", "metrics.parquet", "tables.md", "tables.tex"):
        pretend(made.folder / "results/smoke/report" / name, "", begun + 900)
    return made


def written() -> dict[str, str]:
    """The variants as overrides of Hydra."""
    lines = [line.strip() for line in EXPERIMENT.splitlines() if "tasks:" in line]
    return {name: value.replace(" ", "") for name, value in (line.split(": ", 1) for line in lines)}


def pretend(path: Path, text: str, when: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (when, when))


@pytest.mark.parametrize(("what", "overrides", "expected"), VALUES, ids=[v[0] for v in VALUES])
def test_value(pretended: Workspace, what: str, overrides: list[str], expected: dict[str, int]) -> None:
    assert planned(pretended, overrides) == expected
