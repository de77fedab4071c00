"""General suites, asked by lmms-eval of the exported models -> ``results.json``, and ``raw`` as it wrote it.

    python -m tpru.stages.lmms_eval experiment=demo lmms_eval.tasks=[blink] lmms_eval.limit=8

Nothing depends on it; it runs when it is asked for, and needs an environment of its own (docs/lmms-eval.md).
"""

import shlex
import shutil
from dataclasses import asdict
from pathlib import Path

from tpru.config.schema import LmmsEvalConfig, ModelConfig
from tpru.evaluation.lmms_eval import Row, ask, check_tasks, command, installed, known_tasks, read_rows
from tpru.files import write_json, written_whole
from tpru.models.exported import write_exported
from tpru.models.loading import check_complete, device
from tpru.pipeline import WEIGHTS_FROM
from tpru.run import Run, say, stage
from tpru.tracking.runs import metric_name


@stage("lmms_eval")
def main(run: Run) -> None:
    config = LmmsEvalConfig(**run.config["lmms_eval"])
    versions = installed(config.python)
    check_tasks(config.tasks, known_tasks(config.python, config.include_path), config.python)
    run.facts["lmms_eval"] = versions
    say(f"lmms-eval {versions.get('lmms-eval', '?')} with transformers {versions.get('transformers', '?')}")
    rows = answers(run, config)
    write_json(
        run.output("results.json"),
        {"versions": versions, "limit": config.limit, "rows": [asdict(row) for row in rows]},
    )
    for row in rows:
        name = "/".join(metric_name(part) for part in (row.model, row.task, row.metric))
        run.metrics[name] = row.value if row.accuracy is None else row.accuracy
        say(sentence(row))


def answers(run: Run, config: LmmsEvalConfig) -> list[Row]:
    """Ask every model, one after the other; one that was asked before a run was killed is not asked again."""
    processor = run.upstream("processor").path("processor")
    folders = {}
    for name in config.models:
        unit = WEIGHTS_FROM[name]
        folders[name] = run.upstream(unit).path("model" if unit == "base_model" else "merged")
        check_complete(folders[name])
    kept = run.folder / "checkpoints" / run.fingerprint()
    for name, weights in folders.items():
        if not (kept / "raw" / name).exists():
            ask_one(run, config, weights, processor, kept, name)
    with written_whole(run.output("raw")) as temporary:
        shutil.copytree(kept / "raw", temporary)
    return [row for name in config.models for row in read_rows(name, run.folder / "raw" / name)]


def ask_one(run: Run, config: LmmsEvalConfig, weights: Path, processor: Path, kept: Path, name: str) -> None:
    """Hand one model over, and keep what lmms-eval wrote about it once it is whole."""
    exported = kept / "models" / name
    write_exported(exported, weights, processor)
    with written_whole(kept / "raw" / name) as temporary:
        model = ModelConfig(**run.config["model"])
        line = command(config, model, exported, temporary, device().type, run.seed)
        say(f"{name}: {shlex.join(line)}")
        ask(line, temporary)


def sentence(row: Row) -> str:
    """A row in words."""
    between = f" [{row.low:.4g}, {row.high:.4g}]" if row.low is not None and row.high is not None else ""
    shown = row.value if row.accuracy is None else row.accuracy
    return f"{row.model} on {row.task}: {row.metric} {shown:.4g}{between} of {row.n}"


if __name__ == "__main__":
    main()
