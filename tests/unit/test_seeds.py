"""Several seeds together: means, t intervals and paired differences, by hand and from reports."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tpru.errors import ConfigError, UpstreamError
from tpru.files import write_json
from tpru.reporting.seeds import accuracies, differences, main, over_runs, over_seeds, summary

RUNS = [
    {("heldout L1", "sft"): 0.40, ("heldout L1", "grpo"): 0.44, ("heldout L3", "sft"): 0.2},
    {("heldout L1", "sft"): 0.30, ("heldout L1", "grpo"): 0.36, ("heldout L3", "sft"): 0.2},
    {("heldout L1", "sft"): 0.50, ("heldout L1", "grpo"): 0.58},
]


def write_run(folder: Path, sft: float, grpo: float) -> Path:
    rows = [
        {"model": m, "benchmark": "heldout L1", "task": t, "scenario": "all", "subset": "all", "accuracy": a}
        for m, t, a in (
            ("sft", "all", sft),
            ("grpo", "all", grpo),
            ("sft", "reordering", 0.9),
            ("chance", "all", 0.2),
        )
    ]
    write_json(folder / "report/metrics.json", {"rows": rows, "comparisons": []})
    return folder


def test_three_runs_by_hand() -> None:
    # differences 4, 6, 8: standard error 2 / sqrt(3), t(2, 0.975) = 4.3027
    found = over_runs([0.04, 0.06, 0.08])
    half = 4.302653 * 0.02 / math.sqrt(3)
    assert (found.n, found.mean) == (3, pytest.approx(0.06))
    assert (found.interval.low, found.interval.high) == pytest.approx((0.06 - half, 0.06 + half))
    assert found.p == pytest.approx(0.0351, abs=1e-4)


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=8))
def test_as_scipy_tests_one_sample(counts: list[int]) -> None:
    values = [count / 1000 for count in counts]
    found = over_runs(values)
    if len(set(counts)) == 1:
        assert found.p is None
        assert found.interval.low == found.interval.high == found.mean
        return
    result = stats.ttest_1samp(values, 0)
    wanted = result.confidence_interval(0.95)
    assert found.p == pytest.approx(result.pvalue)
    assert (found.interval.low, found.interval.high) == pytest.approx((wanted.low, wanted.high))


def test_one_run_has_no_spread() -> None:
    with pytest.raises(ValueError, match="1 values"):
        over_runs([0.5])


def test_accuracies_are_means_over_the_runs_that_have_them() -> None:
    table = accuracies(RUNS)
    assert table.head == ("model", "heldout L1", "heldout L3")
    sft, grpo = table.lines
    assert [(c.main, c.detail) for c in sft.cells] == [
        ("40.0%", "[15.2, 64.8] of 3 runs"),
        ("20.0%", "the same in 2 runs"),
    ]
    assert [c.main for c in grpo.cells] == ["46.0%", "\N{EN DASH}"]


def test_differences_are_paired_by_run() -> None:
    (line,) = differences(RUNS).lines
    assert line.label == "grpo \N{MINUS SIGN} sft"
    # far narrower than what the spread of either model would allow
    assert [c.main for c in line.cells] == ["heldout L1", "+6.0", "[+1.0, +11.0]", "0.035", "3"]


def test_equal_differences_claim_no_interval() -> None:
    (line,) = differences([RUNS[0], RUNS[0]]).lines
    assert [c.main for c in line.cells] == ["heldout L1", "+4.0", "\N{EN DASH}", "\N{EN DASH}", "2"]


def test_the_tables_say_what_there_are_several_of() -> None:
    accuracy, difference = over_seeds(RUNS, "training seed")
    assert accuracy == ("Accuracy over 3 training seeds", accuracies(RUNS))
    assert difference == ("Differences within a training seed", differences(RUNS))
    assert over_seeds(RUNS[:1], "training seed") == over_seeds([], "training seed") == []


def test_the_command_reads_reports_and_leaves_out_tasks_and_baselines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [write_run(tmp_path / f"seed{k}", 0.4 + k / 10, 0.45 + k / 9) for k in range(3)]
    assert main([str(folder) for folder in folders]) == 0
    said = capsys.readouterr().out
    assert said == summary(folders)
    assert said.startswith("Runs: seed0, seed1, seed2.\n")
    assert "| sft | 50.0% [25.2, 74.8] of 3 runs |" in said
    assert "chance" not in said
    assert "90.0%" not in said


def test_what_is_missing_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = write_run(tmp_path / "a", 0.4, 0.5)
    with pytest.raises(ConfigError, match="two or more different runs"):
        summary([there, tmp_path / "a"])
    with pytest.raises(ConfigError, match="two or more"):
        summary([])
    with pytest.raises(UpstreamError, match=r"b/report/metrics\.json is missing"):
        summary([there, tmp_path / "b"])
    assert main([str(there)]) == ConfigError.exit_code
    assert "tpru seeds: give the folders" in capsys.readouterr().err
