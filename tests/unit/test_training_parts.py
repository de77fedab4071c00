"""The parts of the training that need no model: sampling, rewards as TRL calls them, checkpoints, logs."""

import itertools
import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.builders import make_item, png, scene
from tpru.config.schema import RewardConfig
from tpru.evaluation.parsing import parse_answer, well_formed
from tpru.files import sha256_bytes
from tpru.records import TASKS
from tpru.store import FrameStore, write_frames
from tpru.training.callbacks import TrainingLog, clock, tidy
from tpru.training.checkpoints import (
    checkpoint_folder,
    mark_complete,
    newest_complete,
    remove_incomplete,
)
from tpru.training.data import choose_items, grpo_row, sft_row, training_set
from tpru.training.grpo import reward_function
from tpru.training.grpo_trainer import GroupSampler
from tpru.training.logs import read_log, trim_log

REWARD = RewardConfig(name="strict", accuracy_weight=1.0, format_weight=0.1, partial_credit=0.0)


def sampler(**changes: int) -> GroupSampler:
    values = {"n_items": 10, "prompts": 3, "group": 4, "repeats": 2, "rollouts": 5, "seed": 0}
    return GroupSampler(**{**values, **changes})


# The sampler.

SIZES = st.fixed_dictionaries(
    {
        "n_items": st.integers(1, 12),
        "prompts": st.integers(1, 5),
        "group": st.integers(2, 5),
        "repeats": st.integers(1, 3),
        "rollouts": st.integers(0, 6),
        "seed": st.integers(0, 3),
    }
)


@settings(deadline=None)
@given(SIZES)
def test_a_rollout_gives_whole_groups_of_the_same_prompts_each_time(sizes: dict[str, int]) -> None:
    made = sampler(**sizes)
    drawn = list(made)
    prompts, group, repeats = sizes["prompts"], sizes["group"], sizes["repeats"]
    assert len(drawn) == len(made) == sizes["rollouts"] * repeats * prompts * group
    assert set(drawn) <= set(range(sizes["n_items"]))
    once = prompts * group
    for start in range(0, len(drawn), once * repeats):
        first = drawn[start : start + once]
        for k in range(repeats):
            assert drawn[start + k * once : start + (k + 1) * once] == first
        for k in range(0, once, group):
            assert len(set(first[k : k + group])) == 1


def prompts_of(made: GroupSampler) -> list[int]:
    """The stream of prompts, each once."""
    drawn = list(made)
    return drawn[::4]


def test_every_pass_visits_every_item_once_in_its_own_order() -> None:
    stream = prompts_of(sampler(repeats=1, rollouts=20))  # 60 prompts of 10 items
    passes = [tuple(stream[k : k + 10]) for k in range(0, 60, 10)]
    assert all(sorted(p) == list(range(10)) for p in passes)
    assert len(set(passes)) == 6


def test_the_order_depends_on_the_seed_alone() -> None:
    assert list(sampler()) == list(sampler())
    assert list(sampler(seed=1)) != list(sampler())


def test_a_sampler_starts_anew_each_time_it_is_read() -> None:
    made = sampler()
    assert list(made) == list(made)


@settings(deadline=None)
@given(SIZES, st.integers(0, 400))
def test_a_resumed_run_draws_the_undisturbed_tail(sizes: dict[str, int], skipped: int) -> None:
    undisturbed = list(sampler(**sizes))
    resumed = itertools.islice(iter(sampler(**sizes)), skipped, None)
    assert list(resumed) == undisturbed[skipped:]


def test_a_longer_training_begins_like_a_shorter_one() -> None:
    short = list(sampler(rollouts=3))
    assert list(sampler(rollouts=9))[: len(short)] == short


# The reward as TRL calls it.


def said(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def form(answer: str) -> list[dict[str, str]]:
    return said(f"<think>because</think><answer>{answer}</answer>")


def test_the_reward_function_scores_every_completion_and_logs_by_task() -> None:
    logged: dict[str, float] = {}
    score = reward_function(REWARD)
    rewards = score(
        completions=[form("C"), form("D"), form("BACD"), said("<answer>A</answer>"), said("?")],
        answer=["C", "C", "BACD", "A", "B"],
        letters=["ABCDE", "ABCDE", "", "ABCDE", "ABCDE"],
        task=["next_frame", "next_frame", "reordering", "reordering", "reordering"],
        log_metric=logged.__setitem__,
        item_id=["1", "2", "3", "4", "5"],
        trainer_state=None,
    )
    assert rewards == pytest.approx([1.1, 0.1, 1.1, 1.0, 0.0])
    assert logged == pytest.approx(
        {
            "accuracy": 3 / 5,
            "format": 3 / 5,
            "unparsable": 1 / 5,
            "accuracy/next_frame": 1 / 2,
            "accuracy/reordering": 2 / 3,
        }
    )


def test_the_reward_function_works_without_a_log() -> None:
    score = reward_function(REWARD)
    assert score([form("C")], ["C"], ["ABCDE"], ["next_frame"]) == pytest.approx([1.1])


def test_columns_of_different_length_are_an_error() -> None:
    score = reward_function(REWARD)
    with pytest.raises(ValueError, match="zip"):
        score([form("C"), form("C")], ["C"], ["ABCDE", "ABCDE"], ["next_frame", "next_frame"])


# Checkpoints.


def checkpoint(folder: Path, step: int, complete: bool) -> Path:
    path = folder / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "weights.bin").write_bytes(b"1")
    if complete:
        mark_complete(path)
    return path


def test_the_newest_complete_checkpoint_wins_by_its_number(tmp_path: Path) -> None:
    for step in (9, 100, 25):
        checkpoint(tmp_path, step, complete=True)
    assert newest_complete(tmp_path) == tmp_path / "checkpoint-100"


def test_incomplete_checkpoints_are_passed_over_and_removed(tmp_path: Path) -> None:
    whole = checkpoint(tmp_path, 10, complete=True)
    half = checkpoint(tmp_path, 20, complete=False)
    (tmp_path / "runs").mkdir()
    assert newest_complete(tmp_path) == whole
    remove_incomplete(tmp_path)
    assert newest_complete(tmp_path) == whole
    assert not half.exists()
    assert (whole / "weights.bin").exists()
    assert (tmp_path / "runs").exists()


@pytest.mark.parametrize("halves", [[], [5], [5, 10]])
def test_without_a_complete_checkpoint_the_training_starts_anew(halves: list[int], tmp_path: Path) -> None:
    for step in halves:
        checkpoint(tmp_path, step, complete=False)
    assert newest_complete(tmp_path) is None
    remove_incomplete(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_folder_has_no_checkpoint(tmp_path: Path) -> None:
    assert newest_complete(tmp_path / "none") is None


def test_another_config_has_another_folder(tmp_path: Path) -> None:
    assert checkpoint_folder(tmp_path, "a") != checkpoint_folder(tmp_path, "b")
    assert checkpoint_folder(tmp_path, "a").parent == tmp_path / "checkpoints"


# The log.


def log_file(folder: Path, *steps: int) -> Path:
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps({"step": s, "loss": s / 10}) + "\n" for s in steps))
    return path


@pytest.mark.parametrize(("last", "kept"), [(0, []), (2, [1, 2]), (3, [1, 2, 3, 3]), (99, [1, 2, 3, 3, 4])])
def test_a_resumed_log_forgets_the_steps_after_the_checkpoint(
    last: int, kept: list[int], tmp_path: Path
) -> None:
    path = log_file(tmp_path, 1, 2, 3, 3, 4)
    trim_log(path, last)
    assert read_log(path) == [{"step": s, "loss": s / 10} for s in kept]


def test_a_first_run_gets_an_empty_log(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    assert read_log(path) == []
    trim_log(path, 0)
    assert path.read_text() == ""


def test_a_line_cut_short_by_a_kill_is_left_out(tmp_path: Path) -> None:
    path = log_file(tmp_path, 1, 2)
    with path.open("a") as stream:
        stream.write('{"step": 3, "lo')
    trim_log(path, 5)
    assert [r["step"] for r in read_log(path)] == [1, 2]


def test_metrics_are_kept_under_our_names() -> None:
    logs = {
        "loss": 1,
        "reward": 0.5,
        "frac_reward_zero_std": 0.25,
        "completions/mean_length": 12.0,
        "completions/max_length": 40.0,
        "rewards/score/mean": 0.5,
        "accuracy/next_frame": 0.75,
        "epoch": 0.1,
        "note": "text",
    }
    assert tidy(logs) == {
        "loss": 1.0,
        "reward": 0.5,
        "frac_zero_variance": 0.25,
        "completion_length": 12.0,
        "accuracy/next_frame": 0.75,
    }


Heard = list[tuple[dict[str, float], int]]


def listener() -> tuple[Any, Heard]:
    """Stands in for the tracker, and what it heard."""
    heard: Heard = []
    return SimpleNamespace(metrics=lambda values, step: heard.append((values, step))), heard


def test_the_training_log_writes_tracks_and_marks(tmp_path: Path) -> None:
    tracker, heard = listener()
    log = TrainingLog(tmp_path / "log.jsonl", tracker, ("loss",))
    arguments = SimpleNamespace(output_dir=str(tmp_path))
    state = SimpleNamespace(global_step=0, max_steps=4, is_world_process_zero=True)
    log.on_train_begin(arguments, state, None)
    state.global_step = 2
    log.on_log(arguments, state, None, logs={"loss": 0.5, "epoch": 0.1})
    half = checkpoint(tmp_path, 2, complete=False)
    log.on_save(arguments, state, None)
    log.on_log(arguments, state, None, logs={"train_loss": 0.5, "loss": 0.1})
    log.on_log(arguments, state, None, logs={"epoch": 0.5})
    assert read_log(tmp_path / "log.jsonl") == [{"step": 2, "loss": 0.5}]
    assert heard == [({"loss": 0.5}, 2)]
    assert newest_complete(tmp_path) == half


def test_only_the_first_process_writes(tmp_path: Path) -> None:
    tracker, heard = listener()
    log = TrainingLog(tmp_path / "log.jsonl", tracker, ())
    state = SimpleNamespace(global_step=2, max_steps=4, is_world_process_zero=False)
    checkpoint(tmp_path, 2, complete=False)
    log.on_log(SimpleNamespace(), state, None, logs={"loss": 0.5})
    log.on_save(SimpleNamespace(output_dir=str(tmp_path)), state, None)
    assert heard == []
    assert not (tmp_path / "log.jsonl").exists()
    assert newest_complete(tmp_path) is None


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00"), (59.6, "1:00"), (61, "1:01"), (3600, "1:00:00"), (7384, "2:03:04")]
)
def test_a_clock(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


# Rows.


@pytest.mark.parametrize(("most", "n"), [(0, 20), (20, 20), (99, 20), (5, 5)])
def test_chosen_items_keep_their_order(most: int, n: int) -> None:
    items = [make_item(f"i{k:02d}") for k in range(20)]
    chosen = choose_items(items, most, 0)
    assert len(chosen) == n
    assert [i for i in items if i in chosen] == chosen
    assert choose_items(items, most, 0) == chosen


def test_items_are_chosen_by_the_seed_not_from_the_top() -> None:
    items = [make_item(f"i{k:02d}") for k in range(20)]
    drawn = {tuple(i.item_id for i in choose_items(items, 5, seed)) for seed in range(4)}
    assert len(drawn) == 4
    assert tuple(i.item_id for i in items[:5]) not in drawn


def test_an_sft_row_asks_and_answers() -> None:
    item = make_item(shown=("f0", "f1"))
    row = sft_row(item)
    (prompt,), (target,) = row["prompt"], row["completion"]
    assert (prompt["role"], target["role"]) == ("user", "assistant")
    assert [part["type"] for part in prompt["content"]].count("image") == 2
    (part,) = target["content"]
    assert well_formed(part["text"])
    assert parse_answer(part["text"], "ABCDE", 2) == item.answer
    assert item.reasoning in part["text"]
    assert item.reasoning not in json.dumps(prompt)


@pytest.mark.parametrize("task", TASKS)
def test_a_grpo_row_hides_the_answer_from_the_prompt(task: Any) -> None:
    item = make_item(task=task, options=False, answer="BA")
    row = grpo_row(item)
    assert {k: row[k] for k in ("answer", "letters", "task", "item_id")} == {
        "answer": "BA",
        "letters": "",
        "task": task,
        "item_id": "i0",
    }
    assert item.reasoning not in json.dumps(row["prompt"])
    assert "completion" not in row


def test_a_training_set_decodes_its_pictures_when_read(tmp_path: Path) -> None:
    pictures = [png(scene(at=(10 * k, 20))) for k in range(4)]
    names = [sha256_bytes(p) for p in pictures]
    write_frames(tmp_path / "frames.parquet", pictures)
    items = [
        make_item("a", shown=(names[0], names[1])),
        make_item("b", shown=(names[3],), answer="D"),
    ]
    decode: Any = FrameStore([tmp_path / "frames.parquet"]).image
    rows = training_set(items, decode, grpo_row)
    assert len(rows) == 2
    second, first = rows[1], rows[0]
    assert (first["item_id"], second["item_id"], second["answer"]) == ("a", "b", "D")
    assert [image.tobytes() for image in first["images"]] == [
        scene(at=(0, 20)).tobytes(),
        scene(at=(10, 20)).tobytes(),
    ]
    assert Counter(part["type"] for part in first["prompt"][0]["content"])["image"] == 2
    assert [len(r) for r in rows[[1, 0]]["images"]] == [1, 2]
