"""What the slurm profile's submit script hands to sbatch, and when it hands over nothing."""

import runpy
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import REPOSITORY

SUBMIT: Any = SimpleNamespace(**runpy.run_path(str(REPOSITORY / "workflow/scripts/slurm_submit.py")))
MINE = SUBMIT.comment("demo", "evaluate/sft/heldout", "/home/me/tpru", b"config")


def test_a_job_says_what_it_is() -> None:
    line = SUBMIT.arguments("results/demo/evaluate/sft/heldout/run.json", ["--mem=5"], "job.sh", b"c", "/w")
    assert line[:3] == ["sbatch", "--parsable", "--job-name=tpru-demo-evaluate-sft-heldout"]
    assert line[3].startswith("--comment=tpru demo evaluate/sft/heldout in ")
    assert line[4:] == [
        "--output=results/slurm_logs/tpru-demo-evaluate-sft-heldout-%j.log",
        "--open-mode=append", "--requeue", "--mem=5", "job.sh",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["--gres=gpu::1"], ["--gres=gpu:1"]),
        (["--gres=gpu:h100:8"], ["--gres=gpu:h100:8"]),
        (["--gres=gpu::0", "--gres=gpu:h100:0", "--account=", "--constraint="], []),
        (["--account=lab", "--time=10"], ["--account=lab", "--time=10"]),
    ],
)
def test_what_is_empty_is_left_out(given: list[str], kept: list[str]) -> None:
    assert SUBMIT.plain(given) == kept


def test_a_job_that_was_left_behind_is_taken_over() -> None:
    assert SUBMIT.left_behind({"7": "somebody else's", "8": MINE}, MINE) == "8"
    assert SUBMIT.left_behind({"7": "(null)", "8": ""}, MINE) == ""


@pytest.mark.parametrize(
    "other",
    [
        SUBMIT.comment("demo", "evaluate/sft/heldout", "/home/me/copy", b"config"),
        SUBMIT.comment("demo", "evaluate/grpo/heldout", "/home/me/tpru", b"config"),
        SUBMIT.comment("other", "evaluate/sft/heldout", "/home/me/tpru", b"config"),
    ],
)
def test_other_jobs_are_none_of_its_business(other: str) -> None:
    assert SUBMIT.left_behind({"8": other}, MINE) == ""


def test_the_same_from_another_configuration_is_refused() -> None:
    other = SUBMIT.comment("demo", "evaluate/sft/heldout", "/home/me/tpru", b"another")
    with pytest.raises(SystemExit, match=r"job 8 still computes demo evaluate/sft/heldout from"):
        SUBMIT.left_behind({"8": other}, MINE)
