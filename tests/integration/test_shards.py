"""A source prepared by the workflow in any number of shards is the same, and stays as it stands."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Workspace

pytestmark = pytest.mark.slow

SMALL = ("episodes.L1=2", "episodes.L2=1", "episodes.L3=1", "size=56")
TARGET = "results/smoke/extract/assembly/run.json"
NOTHING = "Nothing to be done"


def command(workspace: Workspace, shards: int, *flags: str) -> list[str]:
    chosen = ",".join(f'"sources.assembly.{value}"' for value in (*SMALL, f"shards={shards}"))
    return workspace.snakemake(TARGET, *flags, "--config", "experiment=smoke", f"overrides=[{chosen}]")


def prepared(workspace: Workspace) -> dict[str, Any]:
    """What is the same for any number of shards: hashes of all files, counts, metrics and facts."""
    same: dict[str, Any] = {}
    for stage in ("download", "extract"):
        folder = workspace.folder / f"results/smoke/{stage}/assembly"
        record = json.loads((folder / "run.json").read_text())
        same[stage] = {k: record[k] for k in ("outputs", "counts", "metrics", "facts", "config_hash")}
        same[stage]["files"] = {p.name: digest(p) for p in folder.glob("*.parquet")}
    return same


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_any_number_of_shards_gives_the_same_files(workspace: Workspace) -> None:
    made = []
    for shards in (1, 2):
        shutil.rmtree(workspace.folder / "results", ignore_errors=True)
        workspace.run(command(workspace, shards))
        made.append(prepared(workspace))
    assert made[0] == made[1]
    assert made[0]["extract"]["metrics"]["sequences"] > 0
    folders = list((workspace.folder / "results/smoke").glob("*/assembly/*of2"))
    assert len(folders) == 4

    # Another number, or shards that were deleted, are no reason to make anything again.
    for folder in folders[:3]:
        shutil.rmtree(folder)
    for shards in (1, 3):
        done = workspace.run(command(workspace, shards, "-n"))
        assert NOTHING in done.stdout + done.stderr
    # A forced rerun makes the deleted ones, of the number that it was made of.
    workspace.run(command(workspace, 3, "--forcerun", "download"))
    assert prepared(workspace) == made[0]
    assert len(list((workspace.folder / "results/smoke").glob("*/assembly/*of2"))) == 4
