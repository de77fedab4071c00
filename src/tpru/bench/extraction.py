"""Decoding and extraction against a bare PyAV loop over the same videos.

    python -m tpru.bench.extraction                    # H.264 and AV1 videos of 640x480, made for it
    python -m tpru.bench.extraction --videos FOLDER    # every video of a folder as an episode
    python -m tpru.bench.extraction --memory           # peak memory for 20 and for 200 episodes

The bare loop decodes every frame and does nothing with it; the other one is the code of the stage `extract`,
pictures written included. Both have the same number of processes and take turns.
"""

import argparse
import contextlib
import io
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from tpru.config.compose import compose
from tpru.config.schema import ExtractConfig
from tpru.records import Media, Trajectory
from tpru.run import say
from tpru.runtime import priority_kept, threads
from tpru.stages.extract import Found, Job, extract_all
from tpru.store import write_frames
from tpru.trajectories.media import probe_video
from tpru.trajectories.sources.videos import VIDEOS

ENCODERS = {"h264": "libx264", "av1": "libsvtav1"}
OPTIONS = {"libx264": {"crf": "23"}, "libsvtav1": {"preset": "12", "crf": "28"}}
WIDTH, HEIGHT, FPS = 640, 480, 30
TIMES_MORE = 10


@dataclass(frozen=True)
class Spent:
    """Seconds that passed, and of all cores together."""

    wall: float
    cores: float


def make_video(path: Path, encoder: str, frames: int, seed: int) -> Path:
    """A video of boxes that are carried from place to place before a still scene.

    Its grain makes it as large as real ones of this size (2 Mbit/s): what is smooth decodes in no time.
    """
    rng = np.random.default_rng(seed)
    scene = rng.integers(40, 220, (12, 16, 3), np.int16).repeat(40, axis=0).repeat(40, axis=1)
    grain = (
        rng.integers(-10, 11, (16, HEIGHT // 2, WIDTH // 2, 1), np.int16).repeat(2, axis=1).repeat(2, axis=2)
    )
    ways = rng.integers(0, (HEIGHT - 80, WIDTH - 80), (4, 2, 2))
    with priority_kept(), av.open(str(path), "w") as container:
        stream: Any = container.add_stream(encoder, rate=FPS, options=OPTIONS[encoder])
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(frames):
            picture = scene + grain[number % len(grain)]
            for k, (start, end) in enumerate(ways):
                # One box after the other, with a rest at the end of each way.
                done = np.clip((number / frames * len(ways) - k) * 1.5, 0.0, 1.0)
                top, left = (start + done * (end - start)).astype(int)
                picture[top : top + 80, left : left + 80] = 60 * k + 15
            pixels = np.clip(picture, 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def videos_in(folder: Path) -> list[Path]:
    """The videos of a folder in the order of their names."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in VIDEOS)


def jobs_of(videos: list[Path], every: int) -> list[Job]:
    """What the stage would do: every video is an episode."""
    extract = compose("demo", []).extract.model_dump()
    config = ExtractConfig(**{**extract, "n_frames": 4, "every": every})
    jobs: list[Job] = []
    for number, path in enumerate(videos):
        frames, fps = probe_video(path)
        media = Media("video", frames, str(path.parent), (path.name,), fps=fps)
        name = f"{number:05d}"
        trajectory = Trajectory(name, "robot", "bench", "", "move the boxes", name, media)
        jobs.append((trajectory, Path(), config, {}))
    return jobs


def decode(path: Path) -> int:
    """The bare loop over one video."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        return sum(1 for _ in container.decode(stream))


def decode_all(videos: list[Path]) -> int:
    """Decode all videos, and return how many frames there are."""
    with ProcessPoolExecutor(max_workers=threads()) as pool:
        return sum(pool.map(decode, videos))


def run_stage(jobs: list[Job]) -> tuple[Found, int]:
    """Extract all episodes as the stage does; return what was found and how many pictures were written."""
    found = Found()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        return found, write_frames(Path(folder) / "frames.parquet", extract_all(jobs, "bench", found))


def spent(work: Callable[[], object]) -> Spent:
    """How long something takes, its processes included."""
    wall, before = time.perf_counter(), _cores()
    work()
    return Spent(time.perf_counter() - wall, _cores() - before)


def _cores() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def compare(videos: list[Path], every: int, rounds: int) -> list[tuple[Spent, Spent]]:
    """Time of the bare loop and of the stage, which take turns; a round before is not counted."""
    jobs = jobs_of(videos, every)
    measured = [
        (spent(lambda: decode_all(videos)), spent(lambda: run_stage(jobs))) for _ in range(rounds + 1)
    ]
    return measured[1:]


def table(measured: list[tuple[Spent, Spent]]) -> str:
    """Medians, and the ratio of the two in every round: its median, least and most."""
    lines = [f"{'':<16}{'bare loop':>12}{'extraction':>12}{'ratio':>8}   least to most"]
    for name in ("wall", "cores"):
        pairs = [(getattr(a, name), getattr(b, name)) for a, b in measured]
        bare, ours = (statistics.median(values) for values in zip(*pairs, strict=True))
        ratios = [b / a for a, b in pairs]
        label = {"wall": "seconds", "cores": "core seconds"}[name]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        lines.append(f"{label:<16}{bare:12.2f}{ours:12.2f}{statistics.median(ratios):8.2f}   {spread}")
    return "\n".join(lines)


def peak(jobs: list[Job]) -> tuple[int, int]:
    """Most memory in MiB that this process and the largest of its workers held while extracting."""
    run_stage(jobs)
    own, workers = (
        resource.getrusage(who).ru_maxrss // 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own, workers


def say_memory(videos: list[Path], every: int) -> None:
    """Peak memory for the videos and for ten times as many episodes, each in a process of its own."""
    for times in (1, TIMES_MORE):
        command = [
            sys.executable,
            "-m",
            "tpru.bench.extraction",
            "--peak-of",
            str(times),
            "--every",
            str(every),
        ]
        done = subprocess.run(
            [*command, "--videos", str(videos[0].parent)], capture_output=True, text=True, check=True
        )
        say(f"{len(videos) * times:6d} episodes: {done.stdout.strip()}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--videos", type=Path, help="a folder of videos (default: make some)")
    parser.add_argument("--every", type=int, nargs="*", default=[15, 1], help="look at every k-th frame")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count")
    parser.add_argument(
        "--episodes", type=int, default=0, help="videos to make (default 4, with --memory 20)"
    )
    parser.add_argument(
        "--frames", type=int, default=0, help="frames of each (default 240, with --memory 60)"
    )
    parser.add_argument("--memory", action="store_true", help="measure memory instead of time")
    parser.add_argument("--peak-of", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.peak_of:
        own, workers = peak(jobs_of(videos_in(asked.videos) * asked.peak_of, asked.every[0]))
        say(f"{own} MiB in the stage, {workers} MiB in its largest worker")
        return
    with tempfile.TemporaryDirectory() as folder:
        found = {asked.videos.name: videos_in(asked.videos)} if asked.videos else _made(asked, Path(folder))
        for name, videos in found.items():
            frames = sum(probe_video(path)[0] for path in videos)
            say(f"{name}: {len(videos)} videos, {frames} frames, {threads()} processes")
            for every in asked.every:
                if asked.memory:
                    say_memory(videos, every)
                else:
                    say(f"every {every}. frame\n{table(compare(videos, every, asked.rounds))}")


def _made(asked: argparse.Namespace, folder: Path) -> dict[str, list[Path]]:
    os.environ.setdefault("SVT_LOG", "1")  # errors alone
    episodes = asked.episodes or (20 if asked.memory else 4)
    frames = asked.frames or (60 if asked.memory else 240)
    made = {}
    for name, encoder in ENCODERS.items():
        if encoder not in av.codecs_available:
            say(f"{name}: left out, this FFmpeg has no {encoder}")
            continue
        (folder / name).mkdir()
        made[name] = [make_video(folder / name / f"{k:02d}.mp4", encoder, frames, k) for k in range(episodes)]
    return made


if __name__ == "__main__":
    main()
