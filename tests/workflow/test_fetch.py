"""A fetched source in the workflow: a dataset of a hub (played by a local server, asked by the hub's own library)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Workspace
from tests.unit.fake_origin import COMMIT, REPO, Origin, offering
from tests.unit.test_source_lerobot import write_v2
from tests.workflow.test_slurm_profile import slurm as stand_ins
from tests.workflow.test_slurm_profile import submitted

slurm = stand_ins  # a fixture
EXPERIMENT = f"""# @package _global_
defaults:
  - /source@sources.arm: lerobot
  - /fetch@sources.arm.fetch: hub
name: fetched
sources:
  arm:
    path: "."
    licence: CC-BY-4.0
    max_episodes: 1
    fetch: {{repo: {REPO}, revision: {COMMIT}}}
"""


@pytest.fixture
def origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Origin]:
    root = write_v2(tmp_path / "set")
    files = {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}
    with offering() as start:
        made = start(files)
        monkeypatch.setenv("HF_ENDPOINT", made.url)
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "HF_HUB_OFFLINE", "HF_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        yield made


@pytest.fixture
def fetched(workspace: Workspace) -> Workspace:
    (workspace.folder / "conf/experiment/fetched.yaml").write_text(EXPERIMENT)
    return workspace


def run(
    workspace: Workspace, *overrides: str, name: str = "fetched", profile: str = "local", check: bool = True
) -> Any:
    chosen = ",".join(f'"{override}"' for override in (f"name={name}", *overrides))
    target = f"results/{name}/download/arm/run.json"
    config = ["--config", "experiment=fetched", f"overrides=[{chosen}]"]
    often = ["--seconds-between-status-checks", "1"] if profile == "slurm" else []
    command = workspace.snakemake(target, *often, *config, profile=profile)
    return workspace.run(["env", f"TPRU_CACHE={workspace.folder}/cache", *command], check)


def record(workspace: Workspace, unit: str, name: str = "fetched") -> Any:
    return json.loads((workspace.folder / f"results/{name}/{unit}/run.json").read_text())


@pytest.mark.slow
def test_a_source_is_fetched_once_and_only_as_far_as_it_is_needed(fetched: Workspace, origin: Origin) -> None:
    run(fetched)
    made = record(fetched, "download/arm")
    assert (made["metrics"]["trajectories"], list(made["inputs"])) == (1, ["fetch/arm"])
    assert sorted(origin.data_gets()) == [
        n for n in origin.files if n.startswith("meta/") or "000000.mp4" in n
    ]
    listed = json.loads((fetched.folder / "results/fetched/fetch/arm/files.json").read_text())
    assert [row["path"] for row in listed] == sorted(origin.data_gets())
    assert all(row["check"].startswith("sha256:") for row in listed)
    trajectories = fetched.folder / "results/fetched/download/arm/trajectories.parquet"
    assert str(fetched.folder).encode() not in trajectories.read_bytes(), (
        "where the cache is changes no result"
    )

    again = run(fetched)
    assert "Nothing to be done" in again.stdout + again.stderr

    origin.asked.clear()
    run(fetched, "sources.arm.max_episodes=2")
    assert record(fetched, "download/arm")["metrics"]["trajectories"] == 2
    assert [Path(name).name for name in origin.data_gets()] == ["episode_000001.mp4"]

    origin.asked.clear()
    run(fetched, name="other")
    assert record(fetched, "fetch/arm", "other")["metrics"]["bytes_fetched"] == 0
    assert record(fetched, "download/arm", "other")["metrics"]["trajectories"] == 1
    assert not origin.asked


@pytest.mark.slow
def test_the_driver_fetches_and_a_job_reads(fetched: Workspace, origin: Origin, slurm: Path) -> None:
    run(fetched, profile="slurm")
    assert [job[1] for job in submitted(slurm)] == ["--job-name=tpru-fetched-download-arm"]
    assert record(fetched, "download/arm")["metrics"]["trajectories"] == 1


def test_terms_are_refused_before_anything_is_asked(fetched: Workspace, origin: Origin) -> None:
    refused = run(fetched, "sources.arm.fetch.revision=main", check=False)
    assert "is no commit of 40 hex digits" in refused.stderr
    assert not origin.asked
