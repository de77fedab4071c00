"""Small benchmarks in the form in which they are published, written for the tests."""

import contextlib
import copy
import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from pydantic import TypeAdapter

from tests.unit.builders import png, scene
from tpru import run as frame
from tpru.config.compose import compose, unit_config
from tpru.config.schema import External
from tpru.files import read_json
from tpru.models.loading import SHIPPED_BASE
from tpru.models.processor import make_processor
from tpru.records import Item
from tpru.run import Run
from tpru.stages import benchmark as stage
from tpru.store import FrameStore, read_records
from tpru.tracking.runs import SilentTracker

NONE = "None of the choices provided"
IMAGES = pa.list_(pa.struct([("bytes", pa.binary()), ("path", pa.string())]))


def picture(number: int, size: tuple[int, int] = (56, 56)) -> bytes:
    """One of many different pictures."""
    return png(scene(at=(3 * (number % 12), 5 * (number // 12 % 9)), size=size))


def stored(pictures: Iterable[bytes]) -> list[dict[str, Any]]:
    """Pictures as the hub's Image feature holds them."""
    return [{"bytes": data, "path": None} for data in pictures]


def muirbench_rows(pairs: int = 3, tasks: tuple[str, ...] = ("Counting", "Ordering")) -> list[dict[str, Any]]:
    """Pairs of counterparts: texts as options in the even ones, pictures in the odd ones."""
    rows = []
    for pair in range(pairs):
        for twin in range(2):
            number = 2 * pair + twin
            by_picture = bool(pair % 2)
            choices = ["<image>", "<image>"] if by_picture else ["one cup", "two cups", "three cups"]
            own = [picture(10 * pair + k) for k in range(4 if by_picture else 2)]
            options = [*choices, NONE]
            rows.append(
                {
                    "idx": str(number),
                    "task": tasks[pair % len(tasks)],
                    "image_relation": "Multiview",
                    "image_type": "Others",
                    "question": "<image> What does <image> show?",
                    "options": options,
                    "answer": "ABCDE"[len(options) - 1] if twin else "B",
                    "image_list": stored(own),
                    "counterpart_idx": str(number + (-1 if twin else 1)),
                }
            )
    return rows


def write_parquet(path: Path, rows: list[dict[str, Any]], pictures: str = "image_list") -> Path:
    """Rows with their picture column typed as the hub types it, two rows a group."""
    path.parent.mkdir(parents=True, exist_ok=True)
    inferred = pa.Table.from_pylist([{k: v for k, v in row.items() if k != pictures} for row in rows])
    column = pa.array([row[pictures] for row in rows], IMAGES)
    pq.write_table(inferred.append_column(pictures, column), path, row_group_size=2)
    return path


def write_muirbench(folder: Path, pairs: int = 3) -> Path:
    """Two shards, as the hub names them."""
    rows = muirbench_rows(pairs)
    write_parquet(folder / "data/test-00000-of-00002.parquet", rows[:3])
    write_parquet(folder / "data/test-00001-of-00002.parquet", rows[3:])
    return folder


def configured(file: str, path: Path, *overrides: str) -> External:
    """The configuration of conf/benchmark/<file>.yaml for a path."""
    return TypeAdapter[External](External).validate_python(config_of(file, path, *overrides)["benchmark"])


def config_of(file: str, path: Path, *overrides: str) -> dict[str, Any]:
    """What the stage of such a benchmark, named ``asked``, reads."""
    config = copy.deepcopy(_composed(file, overrides))
    config["benchmark"]["path"] = str(path)
    return config


@functools.cache
def _composed(file: str, overrides: tuple[str, ...]) -> dict[str, Any]:
    chosen = [f"+benchmark@benchmarks.asked={file}", "benchmarks.asked.path=there"]
    config = compose("smoke", [*chosen, *(f"benchmarks.asked.{o}" for o in overrides)])
    return unit_config(config, "benchmark/asked")


def run_stage(folder: Path, config: dict[str, Any]) -> tuple[list[Item], FrameStore, dict[str, Any]]:
    """Run the stage in a folder: its items, its pictures, and its ``run.json``."""
    folder.mkdir(exist_ok=True)
    main: Any = stage.main
    with contextlib.chdir(folder):
        processor = Path("results/smoke/processor")
        if not processor.exists():
            write_processor(processor)
        made = Run("smoke", "benchmark/asked", config, Path("results/smoke/benchmark/asked"), SilentTracker())
        main.__wrapped__(made)
        frame._finish(made)
    out = folder / made.folder
    items = read_records(out / "items.parquet", Item)
    return items, FrameStore([out / "frames.parquet"]), read_json(out / "run.json")


def write_processor(folder: Path) -> None:
    """The processor of the tiny model as its stage leaves it."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(SHIPPED_BASE)
    made = Run("smoke", "processor", {}, folder, SilentTracker())
    make_processor(tokenizer, tokenizer.chat_template, 7056, 7056).save_pretrained(made.output("processor"))
    frame._finish(made)


def film(path: Path, frames: int) -> Path:
    """A video of ten frames a second (at most 64) whose k-th frame is the k-th grey."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=10, options={"preset": "veryfast", "g": "8", "crf": "8"}
        )
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for k in range(frames):
            frame = av.VideoFrame.from_image(grey(k))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def still(path: Path, number: int) -> Path:
    """A picture file of one grey."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grey(number).save(path)
    return path


def grey(number: int) -> Image.Image:
    """One of 64 greys that encoding does not mix up."""
    return Image.new("RGB", (96, 64), (4 * number,) * 3)


def grey_of(image: Image.Image) -> int:
    """Which grey a picture is."""
    return round(float(np.asarray(image).mean()) / 4)
