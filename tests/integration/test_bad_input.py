"""Bad input: each kind has its own message and exit code, before anything expensive is started."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from tests.conftest import Workspace

Episode = dict[str, Any]


def picture(path: Path, seed: int) -> None:
    """A picture that differs from those of other seeds."""
    colours = np.random.default_rng(seed).integers(0, 255, (4, 4, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(colours).resize((64, 64), Image.Resampling.NEAREST).save(path)


def video(path: Path, frames: int) -> None:
    """A short video with its index in front, so that cutting its end keeps it readable."""
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for k in range(frames):
            colours = np.random.default_rng(k).integers(0, 255, (4, 4, 3), dtype=np.uint8)
            pixels = np.kron(colours, np.ones((16, 16, 1), dtype=np.uint8))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))


def folder(root: Path, change: Callable[[list[Episode], Path], None] | None = None) -> Path:
    """Six good episodes of eight frames, changed by a test."""
    episodes: list[Episode] = []
    for number in range(6):
        frames = [f"frames/{number}/{k}.png" for k in range(8)]
        for k, name in enumerate(frames):
            picture(root / name, 100 * number + k)
        episodes.append(
            {"id": f"e{number}", "goal": f"do thing {number} with tool {number}", "frames": frames}
        )
    if change:
        change(episodes, root)
    (root / "manifest.jsonl").write_text("".join(json.dumps(e) + "\n" for e in episodes))
    return root


def missing(episodes: list[Episode], root: Path) -> None:
    (root / episodes[2]["frames"][3]).unlink()


def outside(episodes: list[Episode], root: Path) -> None:
    picture(root.parent / "secret.png", 1)
    episodes[1]["frames"][0] = "../secret.png"


def truncated(episodes: list[Episode], root: Path) -> None:
    path = root / episodes[4]["frames"][2]
    path.write_bytes(path.read_bytes()[:60])


def one_frame(episodes: list[Episode], root: Path) -> None:
    episodes[3]["frames"] = episodes[3]["frames"][:1]


def empty(episodes: list[Episode], root: Path) -> None:
    episodes.clear()


def both_sides(episodes: list[Episode], root: Path) -> None:
    episodes[0] |= {"group": "kitchen", "split": "train"}
    episodes[1] |= {"group": "kitchen", "split": "test"}


def no_video(episodes: list[Episode], root: Path) -> None:
    (root / "cut.mp4").write_bytes(b"\0" * 500)
    episodes[5] = {"id": "e5", "goal": "see", "video": "cut.mp4"}


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (missing, 11, ("e2", "frames/2/3.png")),
        (outside, 11, ("e1", "../secret.png", "outside")),
        (truncated, 12, ("e4", "frames/4/2.png")),
        (no_video, 12, ("e5", "cut.mp4")),
        (one_frame, 13, ("e3", "skip_short")),
        (empty, 14, ("no episode",)),
        (both_sides, 15, ("kitchen", "train", "test")),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_refused_at_download(
    workspace: Workspace, tmp_path: Path, change: Any, code: int, words: tuple[str, ...]
) -> None:
    data = folder(tmp_path / "data", change)
    done = workspace.stage(
        "download", "experiment=own_data", "unit=download/mine", f"sources.mine.path={data}"
    )
    assert done.returncode == code, done.stderr
    for word in words:
        assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert not (workspace.folder / "results/own_data/download/mine/run.json").exists()


def test_truncated_video_is_found_when_it_is_decoded(workspace: Workspace, tmp_path: Path) -> None:
    def cut(episodes: list[Episode], root: Path) -> None:
        video(root / "long.mp4", 40)
        data = (root / "long.mp4").read_bytes()
        (root / "long.mp4").write_bytes(data[: len(data) * 6 // 10])
        episodes[5] = {"id": "e5", "goal": "see the colours change", "video": "long.mp4"}

    data = folder(tmp_path / "data", cut)
    chosen = ("experiment=own_data", f"sources.mine.path={data}")
    assert workspace.stage("download", *chosen, "unit=download/mine").returncode == 0
    done = workspace.stage("extract", *chosen, "unit=extract/mine")
    assert done.returncode == 12, done.stderr
    assert "long.mp4" in done.stderr
    assert "truncated" in done.stderr or "cannot be decoded" in done.stderr


@pytest.mark.parametrize(
    ("override", "code", "words"),
    [
        ("grpo.bta=1", 10, ("grpo.bta",)),
        ("+grpo.extra=1", 10, ("grpo.extra", "unknown key")),
        ("synthesize.splits.sft=0.9", 10, ("synthesize.splits", "1.5")),
        ("grpo.group_size=7", 16, ("group_size (7)", "batch_size (8")),
        ("sft.per_device_batch_size=3", 16, ("batch_size (8)", "per_device_batch_size (3)")),
        ("model.attention=magic", 10, ("model.attention", "sdpa")),
    ],
)
def test_refused_when_the_workflow_is_parsed(
    workspace: Workspace, override: str, code: int, words: tuple[str, ...]
) -> None:
    config = ["--config", "experiment=smoke", f'overrides=["{override}"]']
    done = workspace.run(workspace.snakemake("-n", "all", *config), check=False)
    assert done.returncode == code
    for word in words:
        assert word in done.stderr
    assert "Traceback" not in done.stderr


def test_own_data_runs_to_sequences_and_items(workspace: Workspace, tmp_path: Path) -> None:
    data = folder(tmp_path / "data")
    config = ["--config", "experiment=own_data", f'overrides=["sources.mine.path={data}"]']
    workspace.run(workspace.snakemake("results/own_data/synthesize/run.json", *config))
    record = json.loads((workspace.folder / "results/own_data/synthesize/run.json").read_text())
    assert record["metrics"]["items"] > 0
