"""Which jobs are planned for a source in shards."""

import pytest

from tests.conftest import Workspace
from tests.workflow.test_rerun_matrix import EVERYTHING, planned


@pytest.mark.parametrize(("override", "jobs"), [("shards=3", 3), ("shards=1", 0)])
def test_every_shard_is_a_job_of_its_own(workspace: Workspace, override: str, jobs: int) -> None:
    shards = {"download_shard": jobs, "extract_shard": jobs} if jobs else {}
    assert planned(workspace, [f"sources.assembly.{override}"]) == EVERYTHING | shards
