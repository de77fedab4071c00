"""The commands of trainings with further seeds, and that without them the workflow is what it was."""

import re

from tests.conftest import Workspace


def dry(workspace: Workspace, target: str, overrides: str, profile: str = "local") -> str:
    """What a dry run prints, shell commands included."""
    chosen = ["--config", "experiment=smoke", f"overrides=[{overrides}]"]
    done = workspace.run(workspace.snakemake("-n", "-p", target, *chosen, profile=profile), check=False)
    return done.stdout + done.stderr


def rule(printed: str, output: str) -> str:
    """The part of a dry run that tells how an output is made."""
    (part,) = [part for part in printed.split("\n\n") if f"output: {output}" in part]
    return part


def test_a_further_seed_has_inputs_log_and_resources_of_its_own(workspace: Workspace) -> None:
    overrides = '"seeds=[1,12]","grpo.least_pass_rate=0.1"'
    target = "results/smoke/evaluate/grpo_seed12/heldout/run.json"
    printed = dry(workspace, target, overrides, profile="slurm")
    training = rule(printed, "results/smoke/grpo_seed12/run.json")
    read = ", ".join(f"results/smoke/{u}/run.json" for u in ("sft_seed12", "synthesize", "pass_rates_seed12"))
    assert f"input: {read}\n" in training
    assert all(asked in training for asked in ("slurm_partition=gpu", "runtime=2880", "gpu=1"))
    assert re.search(
        r"-m tpru\.launch --folder results/smoke/grpo_seed12 --log results/smoke/logs/grpo_seed12\.log "
        r'--nodes 1 --processes 1 -- tpru\.stages\.grpo -cp "\$TPRU_PLAN" -cn grpo_seed12$',
        training,
        re.MULTILINE,
    )
    asked = rule(printed, target)
    assert "input: results/smoke/grpo_seed12/run.json," in asked
    assert '-m tpru.stages.evaluate -cp "$TPRU_PLAN" -cn evaluate-grpo_seed12-heldout >' in asked
    # Nothing of another seed is needed.
    assert set(re.findall(r"output: results/smoke/(sft|grpo|pass_rates)(\w*)/", printed)) == {
        (stage, "_seed12") for stage in ("sft", "grpo", "pass_rates")
    }


def test_without_further_seeds_rules_are_targets_and_have_no_wildcard(workspace: Workspace) -> None:
    printed = dry(workspace, "grpo", "")
    assert "seed" not in printed.replace("seeds", "")
    assert "--folder results/smoke/grpo --log results/smoke/logs/grpo.log" in printed
    assert "wildcards" not in rule(printed, "results/smoke/grpo/run.json")


def test_a_seed_that_is_the_experiments_own_is_refused_before_anything_runs(workspace: Workspace) -> None:
    printed = dry(workspace, "all", '"seeds=[0]"')
    assert "seeds holds 0, which is seed itself" in printed
    assert not (workspace.folder / "results").exists()
