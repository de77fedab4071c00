"""What is handed to lmms-eval, what is refused, and what is read from what it wrote. Nothing here runs it.

Results and samples are those of real runs of lmms-eval 0.7.3 (docs/lmms-eval.md), cut to a few items.
"""

import dataclasses
import inspect
import json
import shlex
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.builders import make_item, png, scene
from tests.unit.lmms_eval_task import TASK, write_task
from tpru.config.compose import compose
from tpru.config.schema import LmmsEvalConfig
from tpru.errors import ConfigError, ProgramError
from tpru.evaluation.lmms_eval import (
    ask,
    check_tasks,
    command,
    environment,
    installed,
    known_tasks,
    read_rows,
)
from tpru.evaluation.statistics import wilson_interval
from tpru.files import read_json, sha256_bytes, write_json
from tpru.models.exported import write_exported
from tpru.models.loading import SHIPPED_BASE
from tpru.stages import lmms_eval as lmms_eval_stage
from tpru.store import FrameStore, write_frames

CONFIG = compose("demo", [])
NA = "N/A"


def asking(**changes: Any) -> LmmsEvalConfig:
    return LmmsEvalConfig(**{**CONFIG.lmms_eval.model_dump(), **changes})


# What is handed over.


def test_the_exported_folder_names_classes_that_transformers_knows(tmp_path: Path) -> None:
    write_exported(tmp_path / "model", SHIPPED_BASE, SHIPPED_BASE)
    exported = tmp_path / "model"
    processor = read_json(exported / "processor_config.json")
    assert processor["processor_class"] == "Qwen2_5_VLProcessor"
    assert processor["video_processor"]["video_processor_type"] == "Qwen2VLVideoProcessor"
    assert (
        processor["image_processor"] == read_json(SHIPPED_BASE / "processor_config.json")["image_processor"]
    )
    assert processor["video_processor"]["image_mean"] == processor["image_processor"]["image_mean"]
    assert "ImageTextProcessor" not in "".join(p.read_text() for p in exported.glob("*.json"))
    assert {"tokenizer.json", "chat_template.jinja", "config.json"} <= {p.name for p in exported.iterdir()}


def test_weights_are_linked_and_the_processor_is_that_of_its_own_stage(tmp_path: Path) -> None:
    weights, processor = tmp_path / "weights", tmp_path / "processor"
    for folder in (weights, processor):
        folder.mkdir()
        write_json(folder / "processor_config.json", {"image_processor": {"of": folder.name}})
        write_json(folder / "tokenizer_config.json", {"of": folder.name})
    for name in ("model-1-of-2.safetensors", "model-2-of-2.safetensors", "config.json"):
        (weights / name).write_text(name)
    write_json(weights / "model.safetensors.index.json", {})
    write_exported(tmp_path / "model", weights, processor)
    names = {p.name: p.is_symlink() for p in (tmp_path / "model").iterdir()}
    assert names == {
        "model-1-of-2.safetensors": True,
        "model-2-of-2.safetensors": True,
        "model.safetensors.index.json": True,
        "config.json": True,
        "processor_config.json": False,
        "tokenizer_config.json": False,
    }
    assert (tmp_path / "model/model-1-of-2.safetensors").resolve() == weights / "model-1-of-2.safetensors"
    assert read_json(tmp_path / "model/tokenizer_config.json")["of"] == "processor"
    assert read_json(weights / "tokenizer_config.json") == {"of": "weights"}


def test_the_command_line() -> None:
    line = command(
        asking(tasks=("blink", "mmstar"), limit=8, batch_size=4, include_path="mine", python="venv/python"),
        CONFIG.model,
        Path("results/demo/lmms_eval/m"),
        Path("results/demo/lmms_eval/w"),
        "cpu",
        7,
    )
    assert shlex.join(line) == (
        "venv/python -m lmms_eval --model qwen2_5_vl --model_args "
        "pretrained=results/demo/lmms_eval/m,device_map=cpu,attn_implementation=sdpa,"
        "min_pixels=7056,max_pixels=7056 --tasks blink,mmstar --include_path mine --limit 8 "
        "--gen_kwargs max_new_tokens=512 --batch_size 4 --device cpu --seed 7 --reasoning_tags "
        """'[["<think>", "</think>"], ["<answer>", "<answer>"], ["</answer>", "</answer>"]]' """
        "--log_samples --output_path results/demo/lmms_eval/w"
    )


def test_what_is_not_asked_for_is_left_to_lmms_eval() -> None:
    line = command(asking(max_new_tokens=0), CONFIG.model, Path("m"), Path("w"), "cuda", 0)
    assert not {"--limit", "--gen_kwargs", "--include_path"} & set(line)
    assert line[line.index("--device") + 1] == "cuda"


def test_no_package_of_ours_is_seen_by_the_other_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/here")
    monkeypatch.setenv("HF_HOME", "/there")
    assert "PYTHONPATH" not in environment()
    assert environment()["HF_HOME"] == "/there"


# What is refused before anything starts.


def test_an_environment_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be started \(No such file.*requirements/lmms_eval\.txt"):
        installed(str(tmp_path / "python"))


def test_an_environment_without_lmms_eval() -> None:
    with pytest.raises(ConfigError, match=r"No module named lmms_eval\): make it with .*docs/lmms-eval\.md"):
        installed(sys.executable)


def test_a_task_that_is_not_there_is_named_with_those_like_it() -> None:
    known = {"blink", "mmstar", "mmmu_val", "mmmu_test"}
    check_tasks(("blink", "mmmu_val"), known, "python")
    with pytest.raises(ConfigError, match=r"mmmu_vla is none of the 4 tasks there\. Like it: mmmu_val"):
        check_tasks(("blink", "mmmu_vla"), known, "python")
    with pytest.raises(ConfigError, match=r"zzz is none of the 4 tasks there\. `python -m lmms_eval tasks`"):
        check_tasks(("zzz",), known, "python")


def test_a_folder_of_tasks_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"lmms_eval\.include_path=.*is no folder"):
        known_tasks(sys.executable, str(tmp_path / "none"))


# What it wrote. Its keys and values, as the real one wrote them.


def write_results(
    folder: Path,
    results: dict[str, dict[str, Any]],
    samples: dict[str, list[dict[str, Any]]],
    groups: dict[str, list[str]] | None = None,
) -> None:
    below = folder / "models__grpo"
    below.mkdir(parents=True)
    stamp = "20261123_215118"
    sizes = {task: {"original": 100, "effective": len(logged)} for task, logged in samples.items()}
    subtasks = {task: (groups or {}).get(task, []) for task in results}
    write_json(
        below / f"{stamp}_results.json",
        {"results": results, "group_subtasks": subtasks, "n-samples": sizes, "lmms_eval_version": "unknown"},
    )
    for task, logged in samples.items():
        lines = [json.dumps({"doc_id": k, "target": "B", **sample}) for k, sample in enumerate(logged)]
        (below / f"{stamp}_samples_{task}.jsonl").write_text("\n".join(lines) + "\n")


def measured(metric: str, value: float, stderr: Any = NA, clt: Any = NA) -> dict[str, Any]:
    return {
        "alias": metric,
        f"{metric},none": value,
        f"{metric}_stderr,none": stderr,
        f"{metric}_stderr_clt,none": clt,
        f"{metric}_stderr_clustered,none": NA,
    }


def test_right_answers_are_counted_and_have_a_wilson_interval(tmp_path: Path) -> None:
    right = [{"accuracy": 1.0}, {"accuracy": 0.0}, {"accuracy": 0.0}]
    write_results(tmp_path, {TASK: measured("accuracy", 1 / 3, 0.33, 0.33)}, {TASK: right})
    (row,) = read_rows("grpo", tmp_path)
    between = wilson_interval(1, 3)
    assert dataclasses.astuple(row) == (
        "grpo", TASK, "accuracy", 1 / 3, 3, 1, 1 / 3, between.low, between.high, "wilson",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("metric", "logged", "value"),
    [
        # RealWorldQA, BLINK, MMStar and MMT-Bench (a percentage); the last as a judge might say it.
        ("exact_match", [1.0, 0.0], 0.5),
        ("blink_acc", [{"id": "val_0", "pred": "C", "is_correct": True}, {"is_correct": False}], 0.5),
        ("average", [{"l2_category": "geometry", "score": 1.0}, {"score": 0.0}], 0.5),
        ("accuracy", [{"overall": 1.0, "counting": 1.0}, {"overall": 0.0, "counting": 0.0}], 50.0),
        ("accuracy", [True, False], 0.5),
    ],
)
def test_every_form_in_which_the_suites_log_a_right_answer(
    tmp_path: Path, metric: str, logged: list[Any], value: float
) -> None:
    write_results(tmp_path, {"a": measured(metric, value)}, {"a": [{metric: one} for one in logged]})
    (row,) = read_rows("grpo", tmp_path)
    assert (row.correct, row.n, row.accuracy, row.value, row.interval) == (1, 2, 0.5, value, "wilson")


def test_a_log_that_does_not_say_what_was_right_leaves_the_standard_error(tmp_path: Path) -> None:
    # MMMU: the answer and what was read, compared only when all are summed up.
    logged = [{"mmmu_acc": {"answer": "B", "parsed_pred": ["B"]}}, {"mmmu_acc": {"answer": "A"}}]
    write_results(tmp_path / "none", {"a": measured("mmmu_acc", 0.5)}, {"a": logged})
    (row,) = read_rows("grpo", tmp_path / "none")
    assert (row.n, row.correct, row.accuracy, row.low, row.high, row.interval) == (2, *[None] * 4, "")
    write_results(tmp_path / "clt", {"a": measured("mmmu_acc", 0.5, clt=0.1)}, {"a": logged})
    (row,) = read_rows("grpo", tmp_path / "clt")
    assert row.interval == "stderr"
    assert (row.low, row.high) == pytest.approx((0.304, 0.696), abs=1e-4)
    # A share's error says nothing about a sum of points.
    write_results(tmp_path / "points", {"a": measured("mmmu_acc", 1200.0, clt=0.1)}, {"a": logged})
    assert read_rows("grpo", tmp_path / "points")[0].interval == ""


def test_partial_credit_is_no_right_answer(tmp_path: Path) -> None:
    logged = [{"score": 0.4}, {"score": 1.0}]
    write_results(tmp_path, {"a": measured("score", 0.7, stderr=0.3)}, {"a": logged})
    (row,) = read_rows("grpo", tmp_path)
    assert (row.correct, row.interval) == (None, "stderr")


def test_a_group_counts_the_items_of_its_tasks(tmp_path: Path) -> None:
    # BLINK: its value is the mean over its tasks, and the group has no log of its own.
    logged = {
        "a": [{"blink_acc": {"is_correct": True}}],
        "b": [{"blink_acc": {"is_correct": k == 0}} for k in range(3)],
    }
    group = {"blink_acc,none": 2 / 3, "blink_acc_stderr,none": NA, "alias": "blink"}
    results = {"blink": group, "a": measured("blink_acc", 1.0), "b": measured("blink_acc", 1 / 3)}
    write_results(tmp_path, results, logged, {"blink": ["a", "b"]})
    rows = {row.task: row for row in read_rows("grpo", tmp_path)}
    assert (rows["blink"].value, rows["blink"].correct, rows["blink"].n) == (2 / 3, 2, 4)
    assert (rows["a"].n, rows["b"].n) == (1, 3)


def test_a_metric_of_one_category_has_the_items_of_that_category(tmp_path: Path) -> None:
    # MMStar, where "average" is the mean over finer categories.
    logged = [
        {"math": {"score": 1.0}, "average": {"score": 1.0}},
        {"logical reasoning": {"score": 0.0}, "average": {"score": 0.0}},
        {"logical reasoning": {"score": 0.0}, "average": {"score": 0.0}},
    ]
    named = {**measured("math", 1.0), **measured("average", 0.5), **measured("logical reasoning", 0.0)}
    write_results(tmp_path, {"mmstar": named}, {"mmstar": logged})
    rows = {row.metric: row for row in read_rows("grpo", tmp_path)}
    assert {name: (row.correct, row.n) for name, row in rows.items()} == {
        "math": (1, 1),
        "average": (1, 3),
        "logical reasoning": (0, 2),
    }


def test_what_is_no_number_is_no_row(tmp_path: Path) -> None:
    named = {**measured("accuracy", 1.0), "submission,none": [], "submission_stderr,none": []}
    write_results(tmp_path, {"a": named}, {"a": [{"accuracy": 1.0, "submission": {}}]})
    assert [row.metric for row in read_rows("grpo", tmp_path)] == ["accuracy"]


def test_filters_are_told_apart_by_name_and_not_in_the_log(tmp_path: Path) -> None:
    named = {"exact_match,strict": 0.0, "exact_match_stderr,strict": 0.0, "exact_match,loose": 1.0}
    write_results(tmp_path, {"a": named}, {"a": [{"exact_match": 0.0}, {"exact_match": 1.0}]})
    path = next(tmp_path.rglob("*_results.json"))
    write_json(path, {**read_json(path), "n-samples": {"a": {"original": 1, "effective": 1}}})
    rows = read_rows("grpo", tmp_path)
    assert [(row.metric, row.n, row.correct) for row in rows] == [
        ("exact_match,loose", 1, None),
        ("exact_match,strict", 1, None),
    ]


def test_a_log_that_could_not_be_written_costs_the_count_alone(tmp_path: Path) -> None:
    write_results(tmp_path, {"a": measured("accuracy", 0.5, 0.1)}, {"a": [{"accuracy": 1.0}] * 4})
    next(tmp_path.rglob("*.jsonl")).unlink()
    (row,) = read_rows("grpo", tmp_path)
    assert (row.n, row.correct, row.interval) == (4, None, "stderr")


def test_no_results_at_all(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="holds no results"):
        read_rows("grpo", tmp_path)


# Running it.


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_what_it_prints_is_printed_without_colours(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_results(tmp_path, {"a": measured("accuracy", 1.0)}, {"a": [{"accuracy": 1.0}]})
    ask(python("import sys; print('\\x1b[32mgreen\\x1b[0m'); print('broken', file=sys.stderr)"), tmp_path)
    assert sorted(capfd.readouterr().out.split()) == ["broken", "green"]


def test_a_failure_that_ends_with_status_0_is_found_out(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match=r"(?s)status 0 and wrote no results.*said last:\nno such data"):
        ask(python("print('no such data')"), tmp_path)
    with pytest.raises(ProgramError, match="status 3"):
        ask(python("raise SystemExit(3)"), tmp_path)


def test_it_ends_with_the_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def told_to_end(*_: Any, **__: Any) -> None:
        raise SystemExit(143)

    monkeypatch.setattr("builtins.print", told_to_end)
    begun = time.monotonic()
    with pytest.raises(SystemExit):
        ask(python("import time; print('.', flush=True); time.sleep(60)"), tmp_path)
    assert time.monotonic() - begun < 30


# The stage, around a program in the place of lmms-eval.

PROGRAM = """#!{python}
import pathlib, shutil, sys
arguments = sys.argv[1:]
if arguments[:3] == ["-m", "lmms_eval", "version"]:
    print("lmms-eval 0.7.3\\nPython     3.11.7\\nGit        afa3535\\ntorch      2.13.0\\ntransformers5.23.0")
elif arguments[:4] == ["-m", "lmms_eval", "tasks", "list"]:
    print("Available tasks (2):\\n\\n  blink\\n  mmstar")
elif "--output_path" in arguments:
    asked = pathlib.Path({folder!r}) / "asked"
    with asked.open("a") as stream:
        stream.write(" ".join(arguments) + "\\n")
    if asked.read_text().count("\\n") == {fails}:
        sys.exit("killed")
    shutil.copytree(pathlib.Path({folder!r}) / "wrote", arguments[arguments.index("--output_path") + 1])
"""


def run(folder: Path, **changes: Any) -> SimpleNamespace:
    """Run the stage on the shipped base as its frame would; return the run."""

    def path(name: str) -> Path:
        return SHIPPED_BASE

    made = SimpleNamespace(
        config={"lmms_eval": asking(**changes).model_dump(), "model": CONFIG.model.model_dump()},
        folder=folder,
        seed=0,
        facts={},
        metrics={},
        fingerprint=lambda: "f",
        output=lambda name: folder / name,
        upstream=lambda unit: SimpleNamespace(path=path),
    )
    inspect.unwrap(lmms_eval_stage.main)(made)  # type: ignore[arg-type]
    return made


def program(folder: Path, fails: int = 0) -> str:
    file = folder / "python"
    if not (folder / "wrote").exists():
        write_results(folder / "wrote", {"blink": measured("blink_acc", 1.0)}, {"blink": [{"blink_acc": 1}]})
    file.write_text(PROGRAM.format(python=sys.executable, folder=str(folder), fails=fails))
    file.chmod(0o755)
    return str(file)


def test_every_model_is_asked_and_its_results_are_kept(tmp_path: Path) -> None:
    made = run(tmp_path / "out", models=("base", "sft"), tasks=("blink",), python=program(tmp_path))
    assert made.facts["lmms_eval"] == {
        "lmms-eval": "0.7.3",
        "Python": "3.11.7",
        "torch": "2.13.0",
        "transformers": "5.23.0",
    }
    assert made.metrics == {"base/blink/blink_acc": 1.0, "sft/blink/blink_acc": 1.0}
    results = read_json(tmp_path / "out/results.json")
    assert [(row["model"], row["n"], row["interval"]) for row in results["rows"]] == [
        ("base", 1, "wilson"),
        ("sft", 1, "wilson"),
    ]
    assert results["versions"] == made.facts["lmms_eval"]
    assert len(list((tmp_path / "out/raw").rglob("*_results.json"))) == 2


def test_a_model_that_was_asked_is_not_asked_again(tmp_path: Path) -> None:
    values: dict[str, Any] = {"models": ("base", "sft"), "tasks": ("blink",)}
    with pytest.raises(ProgramError, match="killed"):
        run(tmp_path / "out", **values, python=program(tmp_path, fails=2))
    assert not (tmp_path / "out/results.json").exists()
    run(tmp_path / "out", **values, python=program(tmp_path))
    asked = [line.split("models/")[1].split(",")[0] for line in (tmp_path / "asked").read_text().splitlines()]
    assert asked == ["base", "sft", "sft"]


def test_nothing_starts_with_an_unknown_task(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"mmstra is none of the 2 tasks there\. Like it: mmstar"):
        run(tmp_path / "out", tasks=("blink", "mmstra"), python=program(tmp_path))
    assert not (tmp_path / "asked").exists()


# The task that the hand-over was proven with.


def test_our_items_as_a_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = [png(scene((10 + 20 * k, 20))) for k in range(2)]
    write_frames(tmp_path / "frames.parquet", drawn)
    names = [sha256_bytes(data) for data in drawn]
    item = make_item("item/0", shown=(names[0], names[1]), answer="C")
    write_task(tmp_path / "task", [item], FrameStore([tmp_path / "frames.parquet"]))
    monkeypatch.syspath_prepend(str(tmp_path / "task"))
    import pyarrow.parquet as pq

    (doc,) = pq.read_table(tmp_path / "task/items.parquet").to_pylist()
    namespace: dict[str, Any] = {}
    exec((tmp_path / "task/utils.py").read_text(), namespace)
    (message,) = namespace["doc_to_messages"](doc)
    assert [part["type"] for part in message["content"]] == [block.type for block in item.prompt]
    assert [part["url"].size for part in message["content"] if "url" in part] == [(112, 112)] * 2
    right = [
        namespace["process_results"](doc, [text])["accuracy"] for text in ("<answer>C</answer>", "C", "")
    ]
    assert right == [1.0, 0.0, 0.0]
