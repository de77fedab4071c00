"""The training of a phase of Task Preference Optimization, on a tiny random model and four kinds of lessons."""

import os
import re
import signal
from collections import Counter
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import PeftModel
from safetensors.torch import load_file
from transformers import TrainerCallback

from tests.unit import dense
from tests.unit.builders import make_item
from tests.unit.test_shared_prefix import parts
from tpru.config.compose import compose
from tpru.config.schema import ModelConfig
from tpru.config.tpo_schema import Part, TpoPhase, TpoTraining, TpoVariant, Trained
from tpru.files import sha256_path
from tpru.grounding.records import ChatItem, GroundingItem
from tpru.models.loading import load_model
from tpru.models.processor import load_processor
from tpru.models.task_heads.heads import TaskHeads
from tpru.models.task_heads.tokens import TASK_TOKENS, add_task_tokens
from tpru.run import Run
from tpru.runtime import INTERRUPTED
from tpru.tracking.runs import SilentTracker
from tpru.training import tpo
from tpru.training.checkpoints import newest_complete
from tpru.training.interruption import Interrupted
from tpru.training.logs import read_log
from tpru.training.tpo_rows import Lesson, order_of

PAGE = Path(__file__).parents[2] / "docs/task-preference-optimization.md"
UPDATES = 4
RATES: dict[Trained, float] = {
    "language": 1e-3, "tokens": 2e-3, "temporal": 3e-3, "region": 4e-3, "mask": 5e-3, "vision": 0.0,
}  # fmt: skip
VARIANT = TpoVariant(
    tasks=("temporal", "region", "mask"), conversation=True, answers="heads", temporal_head="detr", region_loss="l1_giou"
)  # fmt: skip
DENSE: list[GroundingItem] = [
    *(dense.temporal(f"t{k}", ("a", "b", "c")[: 2 + k]) for k in range(2)),
    *(dense.region(f"r{k}", (0.1 * k, 0.25, 0.75, 0.5)) for k in range(3)),
    dense.mask("m0"),
    dense.mask("m1", with_masks=False),
]
ITEMS = [make_item(f"i{k}", shown=("b",), reasoning="so it is", answer="A") for k in range(2)]
CHAT = [ChatItem("c0", "train", "g", ("a",), "what is this", "so it is")]
ALBUM: Any = SimpleNamespace(image=dense.picture)


def phase(**changes: Any) -> TpoPhase:
    mix = dict.fromkeys(("temporal", "region", "mask", "conversation"), 1.0)
    values = {
        "updates": UPDATES,
        "batch_size": 8,
        "per_device_batch_size": 4,
        "mix": mix,
        "learning_rates": RATES,
    }
    return TpoPhase(**(values | changes))


def shared(**changes: Any) -> TpoTraining:
    values = compose_demo() | {"save_every": 2, "moment_queries": 3, "method": "lora"}
    values["lora"] = {**values["lora"], "r": 4, "dropout": 0.1}  # with chance in it, whose state must be kept
    return TpoTraining(**(values | changes))


def compose_demo() -> dict[str, Any]:
    values = compose("demo", []).tpo.model_dump()
    return {key: values[key] for key in TpoTraining.model_fields}


MODEL: ModelConfig = compose("demo", []).model


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base model and its processor."""
    folder = tmp_path_factory.mktemp("base")
    parts().model.save_pretrained(folder / "model")
    parts().processor.save_pretrained(folder / "processor")
    return folder


def train(folder: Path, base: Path, seed: int = 0, before: Path | None = None, **changes: Any) -> Run:
    """Train one phase in ``folder``, whose results are its own; a second call goes on with it."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = Path.cwd()
    os.chdir(folder)
    try:
        run = Run("lab", "tpo/full/joint", {"seed": seed}, folder, SilentTracker())
        tpo.run_tpo(
            run,
            changes.pop("config", shared()),
            changes.pop("variant", VARIANT),
            phase(**changes),
            MODEL,
            before / "merged" if before else base / "model",
            before / "merged" if before else base / "processor",
            before / "heads" if before else None,
            dense.PlainSegmenter(),
            DENSE,
            ITEMS,
            CHAT,
            ALBUM,
        )
    finally:
        os.chdir(kept)
    return run


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, base: Path) -> Path:
    """A phase that ran to its end without being disturbed."""
    folder = tmp_path_factory.mktemp("trained")
    run = train(folder, base)
    assert run.metrics["updates"] == UPDATES
    assert run.metrics["adapter_norm"] > 0
    assert run.outputs == ["adapter", "heads", "merged"]
    return folder


def hashes(folder: Path) -> dict[str, str]:
    return {name: sha256_path(folder / name) for name in ("adapter", "heads", "merged", "log.jsonl")}


# The order of the lessons.

SHARES = st.floats(0.0, 10.0).filter(lambda share: share == 0 or share > 0.01)
MIXES = st.fixed_dictionaries(dict.fromkeys(("temporal", "region", "mask", "conversation"), SHARES)).filter(
    lambda mix: sum(mix.values()) > 0
)


def lessons(sizes: list[int]) -> dict[Part, list[Lesson]]:
    names: tuple[Part, ...] = ("temporal", "region", "mask", "conversation")
    return {
        name: [dense.region(f"{name}{k}") for k in range(size)]
        for name, size in zip(names, sizes, strict=True)
    }


def part(lesson: Lesson) -> str:
    return lesson.item_id.rstrip("0123456789")


@settings(deadline=None, max_examples=100)
@given(MIXES, st.lists(st.integers(1, 9), min_size=4, max_size=4), st.integers(1, 30), st.integers(1, 33))
def test_every_update_holds_every_part_by_its_share(
    mix: dict[Part, float], sizes: list[int], updates: int, batch: int
) -> None:
    order = order_of(lessons(sizes), mix, updates, batch, seed=3)
    assert len(order) == updates * batch
    total = sum(mix.values())
    for number in range(1, updates + 1):
        now = Counter(map(part, order[(number - 1) * batch : number * batch]))
        so_far = Counter(map(part, order[: number * batch]))
        for name, share in mix.items():
            assert abs(now[name] - batch * share / total) < 2 + 1e-6
            # What one update owes is made good by the next ones.
            assert abs(so_far[name] - number * batch * share / total) < 1 + 1e-6


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(1, 9), min_size=4, max_size=4), st.integers(0, 99))
def test_no_lesson_comes_again_before_all_of_its_part_came(sizes: list[int], seed: int) -> None:
    taught = order_of(lessons(sizes), phase().mix, 9, 8, seed)
    for name, own in lessons(sizes).items():
        # Within an update the end of one turn and the begin of the next are mixed.
        for end in range(8, len(taught) + 1, 8):
            seen = Counter(lesson.item_id for lesson in taught[:end] if part(lesson) == name)
            times = [seen[lesson.item_id] for lesson in own]
            assert max(times) - min(times) <= 1


def test_the_order_is_a_matter_of_the_seed_and_a_part_that_is_not_there_is_left_out() -> None:
    made = lessons([5, 5, 5, 5])
    mix = phase().mix
    assert order_of(made, mix, 4, 8, 0) == order_of(deepcopy(made), dict(reversed(mix.items())), 4, 8, 0)
    assert order_of(made, mix, 4, 8, 0) != order_of(made, mix, 4, 8, 1)
    # A longer training begins like a shorter one.
    assert order_of(made, mix, 9, 8, 0)[:32] == order_of(made, mix, 4, 8, 0)
    without: dict[Part, list[Lesson]] = {
        "region": made["region"],
        "mask": [],
        "conversation": made["conversation"],
    }
    left = order_of(without, {**mix, "conversation": 0.0}, 2, 5, 0)
    assert {part(lesson) for lesson in left} == {"region"}
    with pytest.raises(ValueError, match="no part"):
        order_of({"mask": []}, mix, 1, 1, 0)


# What a phase leaves.


def test_what_a_phase_leaves_loads_by_ordinary_calls(trained: Path, base: Path) -> None:
    processor = load_processor(trained / "merged")
    rows = processor.tokenizer.convert_tokens_to_ids(list(TASK_TOKENS))
    assert len(set(rows)) == len(TASK_TOKENS)
    merged = load_model(trained / "merged", MODEL).eval()
    again: Any = load_model(base / "model", MODEL)
    add_task_tokens(again, load_processor(base / "processor"))
    adapted = PeftModel.from_pretrained(again, str(trained / "adapter")).eval()
    ids = torch.tensor([[5, 6, 7, rows[0], rows[3], 8]])
    with torch.no_grad():
        torch.testing.assert_close(
            merged(input_ids=ids).logits, adapted(input_ids=ids).logits, atol=1e-4, rtol=0
        )
    heads = TaskHeads.from_pretrained(trained / "heads")
    assert set(heads.parts) == {"temporal", "region", "mask"}
    assert heads.config.moment_queries == 3


def test_the_example_of_the_page_runs_as_it_stands(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "results/tpo/tpo/full").mkdir(parents=True)
    (tmp_path / "results/tpo/tpo/full/joint").symlink_to(trained)
    dense.picture("a").save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    known: dict[str, Any] = {}
    exec(example, known)
    assert known["found"].item_id == "q"
    assert capsys.readouterr().out.split()[0] in ("True", "False")


def test_the_log_has_every_loss_by_its_name_at_every_update(trained: Path) -> None:
    log = read_log(trained / "log.jsonl")
    assert [record["step"] for record in log] == list(range(1, UPDATES + 1))
    for record in log:
        named = {f"{name}_loss" for name in ("assignment", "language", "temporal", "region", "mask")}
        assert named <= set(record)
        assert all(record[name] > 0 for name in named)
        assert record["loss"] > 0
    assert not list(trained.rglob("*.tmp"))


def test_same_seed_same_bytes_and_another_seed_others(trained: Path, base: Path, tmp_path: Path) -> None:
    train(tmp_path / "same", base)
    assert hashes(tmp_path / "same") == hashes(trained)
    train(tmp_path / "other", base, seed=1, updates=1)
    assert hashes(tmp_path / "other")["merged"] != hashes(trained)["merged"]


def test_every_part_learns_at_its_own_rate(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups: dict[float, int] = {}

    class Watching(tpo.TpoTrainer):
        def create_optimizer(self, model: Any = None) -> Any:
            made = super().create_optimizer(model)
            groups.update({g["lr"]: sum(w.numel() for w in g["params"]) for g in made.param_groups})
            return made

    monkeypatch.setattr(tpo, "TpoTrainer", Watching)
    rates = {**RATES, "mask": 0.0, "vision": 1e-4}
    train(tmp_path, base, updates=1, learning_rates=rates, batch_size=4)
    assert set(groups) == {rate for rate in rates.values() if rate > 0}
    tower = sum(w.numel() for w in parts().model.model.visual.parameters())
    assert groups[1e-4] == tower
    assert groups[2e-3] == len(TASK_TOKENS) * 32, (
        "the rows of the task tokens; the table itself does not learn"
    )


def test_a_phase_goes_on_from_the_one_before_and_what_has_no_rate_stays(
    trained: Path, base: Path, tmp_path: Path
) -> None:
    rates = {**dict.fromkeys(RATES, 0.0), "region": 1e-3}
    # Two: the first update of a rise has a rate of 0.
    train(tmp_path, base, before=trained, updates=2, learning_rates=rates, batch_size=4)
    before, after = (load_file(folder / "heads/model.safetensors") for folder in (trained, tmp_path))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(".region." in f".{name}" for name in changed)
    weights = [load_file(folder / "merged/model.safetensors") for folder in (trained, tmp_path)]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weight, weights[1][name]) for name, weight in weights[0].items())


def test_gradient_checkpointing_changes_memory_alone(base: Path, tmp_path: Path) -> None:
    logs = []
    for switch in (False, True):
        config = shared(gradient_checkpointing=switch, lora=compose_demo()["lora"])
        train(tmp_path / str(switch), base, updates=2, config=config, batch_size=4)
        logs.append([record["loss"] for record in read_log(tmp_path / str(switch) / "log.jsonl")])
    assert logs[0] == pytest.approx(logs[1], rel=1e-5)


def test_a_variant_of_text_has_no_head_and_writes_its_labels_out(base: Path, tmp_path: Path) -> None:
    train(tmp_path, base, updates=1, variant=VARIANT.model_copy(update={"answers": "text"}), batch_size=4)
    (record,) = read_log(tmp_path / "log.jsonl")
    assert "language_loss" in record
    assert not {"assignment_loss", "temporal_loss", "region_loss", "mask_loss"} & set(record)
    assert not TaskHeads.from_pretrained(tmp_path / "heads").parts


# Interruptions.


class PowerCutError(Exception):
    """Stands for kill -9: nothing is saved any more."""


class Strike(TrainerCallback):
    """At the end of one update the process is told to end, or dies."""

    def __init__(self, step: int, dies: bool) -> None:
        self.step, self.dies = step, dies

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == self.step and self.dies:
            raise PowerCutError
        if state.global_step == self.step:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(
    ("step", "dies", "tower"), [(1, False, False), (3, True, False), (3, True, True)],
    ids=["told to end", "killed", "killed while the tower learns"],
)  # fmt: skip
def test_a_training_that_was_struck_goes_on_and_ends_in_the_same_bytes(
    step: int,
    dies: bool,
    tower: bool,
    trained: Path,
    base: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rates = {**RATES, "vision": 1e-4} if tower else RATES
    if tower:
        train(tmp_path / "whole", base, learning_rates=rates)
    whole = tmp_path / "whole" if tower else trained
    plain = tpo.callbacks
    monkeypatch.setattr(tpo, "callbacks", lambda run, shown: [Strike(step, dies), *plain(run, shown)])
    folder = tmp_path / "struck"
    with pytest.raises(PowerCutError if dies else Interrupted):
        train(folder, base, learning_rates=rates)
    monkeypatch.undo()
    assert (folder / INTERRUPTED).exists() == (not dies)
    (checkpoints,) = (folder / "checkpoints").iterdir()
    newest = newest_complete(checkpoints)
    assert newest is not None
    assert newest.name == ("checkpoint-2" if dies else "checkpoint-1")
    assert not (folder / "merged").exists()
    train(folder, base, learning_rates=rates)
    assert hashes(folder) == hashes(whole)
