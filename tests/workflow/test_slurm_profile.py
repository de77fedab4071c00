"""What is submitted to SLURM, recorded by a stand-in for sbatch that then runs the job script."""

import json
import os
import re
import stat
from pathlib import Path

import pytest
import yaml

from tests.conftest import REPOSITORY, Workspace
from tpru.config.compose import compose, unit_names

SBATCH = """#!/usr/bin/env python3
import json, os, pathlib, subprocess, sys
here = pathlib.Path({folder!r})
number = len(list(here.glob("job-*.json"))) + 1
script = sys.argv[-1]
log = here / f"job-{{number}}.log"
with log.open("w") as stream:
    done = subprocess.run(["bash", script], stdout=stream, stderr=subprocess.STDOUT)
state = "COMPLETED" if done.returncode == 0 else "FAILED"
(here / f"job-{{number}}.json").write_text(json.dumps({{"argv": sys.argv[1:-1], "state": state}}))
print(number)
"""
SCONTROL = """#!/usr/bin/env python3
import json, pathlib, sys
print("JobState=" + json.loads((pathlib.Path({folder!r}) / f"job-{{sys.argv[-1]}}.json").read_text())["state"])
"""


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of stand-ins first on PATH; it also holds what they recorded."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    for name, text in (("sbatch", SBATCH), ("scontrol", SCONTROL)):
        path = folder / name
        path.write_text(text.format(folder=str(folder)))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def submitted(folder: Path) -> list[list[str]]:
    """Arguments of every submission, in order."""
    return [json.loads(p.read_text())["argv"] for p in sorted(folder.glob("job-*.json"))]


def test_literal_command_plans_from_a_fresh_copy(workspace: Workspace) -> None:
    done = workspace.run(workspace.snakemake("-n", "all", profile="slurm"))
    jobs = len(unit_names(compose("demo", []))) + 1  # and `all`
    assert re.search(rf"^total\s+{jobs}$", done.stdout + done.stderr, re.MULTILINE)
    assert not (workspace.folder / "results").exists(), "a dry run must not write anything"


def test_only_trainings_and_evaluations_get_a_gpu() -> None:
    profile = yaml.safe_load((REPOSITORY / "workflow/profiles/slurm/profile.yaml").read_text())
    asked = [entry.split(":") for entry in profile["set-resources"]]
    stages = {"sft", "grpo", "sft_continued", "grpo_from_base", "evaluate"}
    assert sorted(map(tuple, asked)) == sorted(
        (stage, value) for stage in stages for value in ("slurm_partition=gpu", "gpu=1")
    )
    rules = "".join(path.read_text() for path in (REPOSITORY / "workflow/rules").glob("*.smk"))
    assert stages <= set(re.findall(r"^rule (\w+):", rules, re.MULTILINE))


def test_cpu_stage(workspace: Workspace, slurm: Path) -> None:
    target = "results/smoke/download/assembly/run.json"
    config = ["--config", "experiment=smoke", 'overrides=["sources.assembly.episodes.L1=2"]']
    workspace.run(workspace.snakemake(target, *config, profile="slurm"))
    assert (workspace.folder / target).exists()
    (arguments,) = submitted(slurm)
    assert arguments == [
        "--parsable",
        "--job-name=tpru-download-0",
        "--comment=download",
        "--output=results/slurm_logs/download-%j.log",
        "--open-mode=append",
        "--partition=cpu",
        "--account=default",
        "--nodes=1",
        "--ntasks-per-node=1",
        "--cpus-per-task=16",
        "--mem=4000",
        "--time=240",
        "--gres=gpu:0",
    ]


@pytest.mark.slow
def test_gpu_stage_and_config_edited_while_queued(finished: Workspace, slurm: Path, tmp_path: Path) -> None:
    copy = finished.copy(tmp_path / "copy")
    # The job script edits conf/ before the stage starts: what was submitted must run all the same.
    sbatch = slurm / "sbatch"
    edit = f"conf = pathlib.Path({str(copy.folder / 'conf/grpo/default.yaml')!r})\n"
    edit += "conf.write_text(conf.read_text().replace('beta: 0.01', 'beta: 0.5'))\n"
    sbatch.write_text(sbatch.read_text().replace("script = ", edit + "script = "))
    config = ["--config", "experiment=smoke", 'overrides=["grpo.epsilon=0.19"]']
    copy.run(copy.snakemake("results/smoke/grpo/run.json", *config, profile="slurm"))
    (arguments,) = submitted(slurm)
    for expected in ("--partition=gpu", "--gres=gpu:1", "--mem=16000", "--time=2880", "--comment=grpo"):
        assert expected in arguments
    ran = json.loads((copy.folder / "results/smoke/grpo/run.json").read_text())["config"]["grpo"]
    assert (ran["epsilon"], ran["beta"]) == (0.19, 0.01)
    assert "beta: 0.5" in (copy.folder / "conf/grpo/default.yaml").read_text()
