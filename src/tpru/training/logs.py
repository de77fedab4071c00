"""The log file of a training; apart from what writes it, so that the report reads it without torch."""

import json
from pathlib import Path


def read_log(path: Path) -> list[dict[str, float]]:
    """Records of a log file; a last line cut short by a kill is left out."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def trim_log(path: Path, last_step: int) -> None:
    """Drop the records of steps after the checkpoint that a resumed training starts from."""
    kept = [record for record in read_log(path) if record["step"] <= last_step]
    path.write_text("".join(json.dumps(r) + "\n" for r in kept), encoding="utf-8")
