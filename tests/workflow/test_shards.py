"""Which jobs are planned for a source in shards."""

import json
from pathlib import Path

import pytest

from tests.conftest import Workspace
from tests.workflow.test_rerun_matrix import EVERYTHING, planned
from tests.workflow.test_slurm_profile import slurm as stand_ins
from tests.workflow.test_slurm_profile import submitted

slurm = stand_ins  # a fixture


@pytest.mark.parametrize(("override", "jobs"), [("shards=3", 3), ("shards=1", 0)])
def test_every_shard_is_a_job_of_its_own(workspace: Workspace, override: str, jobs: int) -> None:
    shards = {"download_shard": jobs, "extract_shard": jobs} if jobs else {}
    assert planned(workspace, [f"sources.assembly.{override}"]) == EVERYTHING | shards


@pytest.mark.slow
def test_jobs_of_a_cluster_gather_what_was_planned(workspace: Workspace, slurm: Path) -> None:
    target = "results/smoke/download/assembly/run.json"
    values = ("episodes.L1=2", "episodes.L2=0", "episodes.L3=0", "size=56")

    def run(shards: int, *flags: str) -> None:
        chosen = ",".join(f'"sources.assembly.{value}"' for value in (*values, f"shards={shards}"))
        config = ["--config", "experiment=smoke", f"overrides=[{chosen}]"]
        often = ["--seconds-between-status-checks", "1"]
        workspace.run(workspace.snakemake(target, *flags, *often, *config, profile="slurm"))

    def gathered() -> list[str]:
        return sorted(json.loads((workspace.folder / target).read_text())["inputs"])

    run(2)
    assert gathered() == ["download/assembly/0of2", "download/assembly/1of2"]
    names = sorted(job[1] for job in submitted(slurm))
    unit = "--job-name=tpru-smoke-download-assembly"
    assert names == [unit, f"{unit}-0of2", f"{unit}-1of2"]
    # The job parses the workflow once more, and must gather what the driver planned, not what conf/ says.
    run(3, "--forcerun", "download")
    assert gathered() == ["download/assembly/0of2", "download/assembly/1of2"]
