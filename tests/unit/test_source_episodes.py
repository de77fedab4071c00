"""A user's own folder: what is read, and every kind of bad input with its message."""

import dataclasses
import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from tpru.errors import (
    CorruptMediaError,
    EmptySourceError,
    ManifestError,
    SplitError,
    TooShortError,
    TpruError,
)
from tpru.records import Media, Step, Trajectory
from tpru.runtime import priority_kept
from tpru.trajectories.media import iter_frames, probe_video
from tpru.trajectories.sources.episodes import EpisodesConfig, read

PAGE = Path(__file__).parents[2] / "docs" / "own-data.md"
REAL = Path(__file__).parents[3] / "shared/data"
ENCODERS = {"h264": "libx264", "av1": "libsvtav1", "vp9": "libvpx-vp9", "mpeg4": "mpeg4"}


def config(folder: Path, **changes: Any) -> EpisodesConfig:
    base = {"name": "own", "path": str(folder), "scenario": "robot", "licence": "CC0-1.0"}
    return EpisodesConfig(**{**base, **changes})


def write_manifest(folder: Path, *lines: dict[str, Any] | str) -> None:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (folder / "manifest.jsonl").write_text("\n".join(texts) + "\n", encoding="utf-8")


def write_picture(path: Path, value: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(value).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)


def write_pictures(folder: Path, n: int = 3) -> list[str]:
    names = [f"{i}.png" for i in range(n)]
    for i, name in enumerate(names):
        write_picture(folder / name, i)
    return names


def numbered(number: int) -> np.ndarray:
    """A picture that shows its number as eight black or white bars, legible after compression."""
    bars = [255 * (number >> bit & 1) for bit in range(8)]
    return np.repeat(np.tile(np.repeat(np.array(bars, np.uint8), 8), (48, 1))[..., None], 3, axis=2)


def number_of(image: Image.Image) -> int:
    grey = np.asarray(image.convert("L"))
    return sum(int(grey[:, bit * 8 + 4].mean() > 128) << bit for bit in range(8))


def write_video(path: Path, codec: str = "mpeg4", pts: list[int] | None = None) -> Path:
    """Numbered frames at 30 per second (or at the given 1/30 s), a key frame every twelve."""
    options = {"preset": "12"} if codec == "av1" else {}
    layout = {"movflags": "faststart"} if path.suffix == ".mp4" else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    with priority_kept(), av.open(str(path), "w", options=layout) as container:
        stream: Any = container.add_stream(ENCODERS[codec], rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.gop_size = 12
        for number, stamp in enumerate(pts or range(60)):
            frame = av.VideoFrame.from_ndarray(numbered(number), format="rgb24")
            frame.pts, frame.time_base = stamp, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def only(folder: Path, **changes: Any) -> Trajectory:
    (found,) = read(config(folder, **changes))
    return found.trajectory


def numbers(trajectory: Trajectory, every: int = 1) -> list[int]:
    return [number_of(frame.image) for frame in iter_frames(trajectory, every=every)]


def refused(folder: Path, kind: type[TpruError], *words: str, **changes: Any) -> str:
    with pytest.raises(TpruError) as caught:
        read(config(folder, **changes))
    assert type(caught.value) is kind
    message = str(caught.value)
    assert all(word in message for word in words), message
    return message


def test_listed_frames_keep_their_order_and_bytes(tmp_path: Path) -> None:
    names = write_pictures(tmp_path)[::-1]
    write_manifest(tmp_path, {"id": "a", "goal": " Go ", "frames": names, "family": "f"})
    data = read(config(tmp_path, citation="me"))
    (found,) = data
    assert (data.total, data.licence, data.citation) == (1, "CC0-1.0", "me")
    assert found.trajectory.trajectory_id == found.trajectory.group == "own-a"
    assert (found.trajectory.goal, found.trajectory.family) == ("Go", "f")
    assert found.trajectory.media.files == tuple(names)
    read_back = [frame.encoded for frame in iter_frames(found.trajectory)]
    assert read_back == [(tmp_path / name).read_bytes() for name in names]


def test_folder_of_frames_is_in_natural_order(tmp_path: Path) -> None:
    for i in (10, 9, 1, 100, 2):
        write_picture(tmp_path / "run" / f"f{i}.png", i)
    (tmp_path / "run" / "notes.txt").write_text("not a picture")
    write_manifest(tmp_path, {"id": "a", "goal": "g", "frames": "run/"})
    assert only(tmp_path).media.files == tuple(f"run/f{i}.png" for i in (1, 2, 9, 10, 100))


def test_steps_of_frames_in_both_forms(tmp_path: Path) -> None:
    names = write_pictures(tmp_path)
    aligned = {"id": "a", "goal": "g", "frames": names, "steps": [None, "it was put down.", None]}
    objects = [{"frame": 2, "text": "b"}, {"frame": 0, "text": "a"}]
    write_manifest(tmp_path, aligned, {"id": "b", "goal": "g", "frames": names, "steps": objects})
    first, second = (found.trajectory.steps for found in read(config(tmp_path)))
    assert first == (Step(1, "it was put down"),)
    assert second == (Step(0, "a"), Step(2, "b"))


def test_blank_lines_mark_and_separators_inside_text_are_no_problem(tmp_path: Path) -> None:
    line = json.dumps({"id": "a", "goal": "x\u2028y", "frames": write_pictures(tmp_path)})
    text = "\ufeff\r\n" + line.replace("\\u2028", "\u2028") + "\r\n\n"
    (tmp_path / "manifest.jsonl").write_text(text, encoding="utf-8")
    assert only(tmp_path).goal == "x\u2028y"


def test_max_episodes_takes_the_first(tmp_path: Path) -> None:
    names = write_pictures(tmp_path)
    write_manifest(tmp_path, *({"id": i, "goal": "g", "frames": names} for i in "abc"))
    found = [f.trajectory.trajectory_id for f in read(config(tmp_path, max_episodes=2))]
    assert found == ["own-a", "own-b"]


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [("h264", ".mp4"), ("h264", ".mkv"), ("av1", ".mp4"), ("av1", ".mkv"), ("vp9", ".webm")],
)
def test_video_cuts_are_exact_and_truncation_is_found(tmp_path: Path, codec: str, suffix: str) -> None:
    path = write_video(tmp_path / f"v{suffix}", codec)
    assert probe_video(path) == (60, 30.0)
    cuts = [(None, None), (0.5, 1.5), (0.51, None), (13 / 30, 15 / 30), (None, 1.99), (0.0, 0.1)]
    for number, (start, end) in enumerate(cuts):
        line = {"id": str(number), "goal": "g", "video": path.name, "start_s": start, "end_s": end}
        write_manifest(tmp_path, line)
        trajectory = only(tmp_path)
        expected = [i for i in range(60) if (start or 0) * 30 - 0.03 <= i < (end or 9) * 30 - 0.03]
        assert numbers(trajectory) == expected, (start, end)
        assert trajectory.media.n_frames == len(expected)
        assert numbers(trajectory, every=7) == expected[::7]
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * 0.6)])
    write_manifest(tmp_path, {"id": "cut-off", "goal": "g", "video": path.name})
    with pytest.raises(CorruptMediaError, match=r"own-cut-off.*Replace the file or remove"):
        numbers(only(tmp_path))


def test_video_times_count_from_its_first_frame_and_need_no_constant_rate(tmp_path: Path) -> None:
    write_video(tmp_path / "late.mkv", "h264", [45 + i for i in range(40)])
    write_video(tmp_path / "late.ts", "h264")
    write_video(tmp_path / "uneven.mkv", "h264", [0, 1, 2, 30, 31, 32, 90, 91, 92, 120])
    cut = {"goal": "g", "start_s": 1.0, "end_s": 1.2}
    steps = [{"time_s": 1.05, "text": "b"}, {"time_s": 1.0, "text": "a"}]
    videos = ("late.mkv", "late.ts", "uneven.mkv")
    write_manifest(tmp_path, *({**cut, "id": v, "video": v, "steps": steps} for v in videos))
    late, broadcast, uneven = (found.trajectory for found in read(config(tmp_path)))
    assert numbers(late) == numbers(broadcast) == [30, 31, 32, 33, 34, 35]
    assert numbers(uneven) == [3, 4, 5]
    assert late.steps == uneven.steps == (Step(0, "a"), Step(2, "b"))


def test_video_trimmed_by_an_edit_list_is_whole(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", "h264", list(range(-10, 50)))
    write_manifest(tmp_path, {"id": "a", "goal": "g", "video": "v.mp4"})
    assert numbers(only(tmp_path)) == list(range(10, 60))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"frame": []}, ["unknown key(s) ['frame']", "rename or remove"]),
        ({"goal": None}, ["['goal'] are missing", "add"]),
        ({"goal": "  "}, ["expected a text under ['goal']"]),
        ({"id": 3}, ["episode 3", "expected a text under ['id']"]),
        ({"frames": None}, ["exactly one of frames and video"]),
        ({"video": "v.mp4"}, ["exactly one of frames and video"]),
        ({"frames": "run"}, ["folder name ending in '/'"]),
        ({"frames": "none/"}, ["folder 'none/' does not exist", "add it"]),
        ({"frames": ["0.png", "no.png"]}, ["['no.png']", "do not exist", "add the files"]),
        ({"frames": ["0.png", "a\0b"]}, ["not a usable path"]),
        ({"start_s": 1}, ["['start_s'] belong to a video"]),
        ({"scenario": "kitchen"}, ["'kitchen'", "robot"]),
        ({"split": "val"}, ["'val'", "'train' or 'test'"]),
        ({"steps": "x"}, ["expected a list under steps"]),
        ({"steps": ["x"]}, ["1 steps for 3 frames", "one text or null per frame"]),
        ({"steps": [{"frame": 3, "text": "x"}]}, ["at frame 3 is on none of the 3 frames"]),
        ({"steps": [{"frame": 1.5, "text": "x"}]}, ["at frame 1.5 is on none"]),
        ({"steps": [{"frame": 1, "text": " "}]}, ['is not {"frame": number, "text"']),
        ({"steps": [{"time_s": 1, "text": "x"}]}, ['is not {"frame": number, "text"']),
        ({"steps": [{"frame": 1, "text": "x"}, "y"]}, ["the step 'y' is not"]),
        ({"steps": [{"frame": 1, "text": "x"}] * 2}, ["two steps fall on frame 1", "join"]),
    ],
)
def test_wrong_lines_are_refused(tmp_path: Path, change: dict[str, Any], words: list[str]) -> None:
    line = {"id": "ep", "goal": "g", "frames": write_pictures(tmp_path), **change}
    write_manifest(tmp_path, "", line)
    refused(tmp_path, ManifestError, "line 2, episode", *words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"video": "no.mp4"}, ["'no.mp4' does not exist", "correct or add it"]),
        ({"start_s": -1}, ["not seconds, 0 or more"]),
        ({"start_s": True}, ["not seconds"]),
        ({"start_s": 1.0, "end_s": 1.0}, ["start_s must be before end_s"]),
        ({"start_s": 2.1}, ["do not lie in the video of 2.000 s"]),
        ({"end_s": 3}, ["do not lie in the video", "leave end_s out"]),
        ({"steps": ["x"]}, ['is not {"time_s": number']),
        ({"steps": [{"frame": 1, "text": "x"}]}, ['is not {"time_s": number']),
        ({"steps": [{"time_s": 2.5, "text": "x"}]}, ["time_s 2.5 is on none of the 60 frames"]),
        ({"start_s": 1, "steps": [{"time_s": 0.5, "text": "x"}]}, ["time_s 0.5 is on none"]),
    ],
)
def test_wrong_video_lines_are_refused(tmp_path: Path, change: dict[str, Any], words: list[str]) -> None:
    write_video(tmp_path / "v.mp4")
    write_manifest(tmp_path, {"id": "ep", "goal": "g", "video": "v.mp4", **change})
    refused(tmp_path, ManifestError, "line 1, episode 'ep'", *words)


def test_missing_manifest(tmp_path: Path) -> None:
    refused(tmp_path, ManifestError, str(tmp_path / "manifest.jsonl"), "does not exist", "own-data")


@pytest.mark.parametrize("text", ['{"id": ', "[1, 2]", '"x"'])
def test_bad_json(tmp_path: Path, text: str) -> None:
    write_manifest(tmp_path, text)
    refused(tmp_path, ManifestError, "line 1", "correct the line")


def test_manifest_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "manifest.jsonl").write_bytes(b"\xff\xfe\x00")
    refused(tmp_path, ManifestError, "save it as UTF-8")


def test_duplicate_id(tmp_path: Path) -> None:
    line = {"id": "ep", "goal": "g", "frames": write_pictures(tmp_path)}
    write_manifest(tmp_path, line, line)
    refused(tmp_path, ManifestError, "line 2, episode 'ep'", "stands on line 1", "rename")


@pytest.mark.parametrize("empty", [{"id": None}, {}])
def test_line_without_values(tmp_path: Path, empty: dict[str, Any]) -> None:
    write_manifest(tmp_path, empty)
    refused(tmp_path, ManifestError, "line 1", "['id', 'goal'] are missing")


def test_all_problems_of_a_kind_stand_in_one_message(tmp_path: Path) -> None:
    write_manifest(tmp_path, *({"id": f"e{i}", "goal": "g", "frames": ["x"]} for i in range(13)))
    message = refused(tmp_path, ManifestError, "13 problem(s)", "... and 3 more")
    assert message.count("episode 'e") == 10


def test_frames_outside_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    names = write_pictures(folder)
    write_picture(tmp_path / "out.png")
    write_picture(tmp_path / "in2" / "out.png")
    (folder / "link.png").symlink_to(tmp_path / "out.png")
    (folder / "away").symlink_to(tmp_path / "in2")
    outside = [str(folder / names[0]), "../out.png", "link.png", "../in2/out.png", "away/out.png"]
    lines = [{"id": n, "goal": "g", "frames": [names[0], n]} for n in outside]
    write_manifest(folder, *lines, {"id": "z", "goal": "g", "frames": "away/"})
    message = refused(folder, ManifestError, "6 problem(s)", "copy it in")
    assert all(f"episode {name!r}: {name!r} is outside" in message for name in outside)


def test_link_that_stays_inside_is_read(tmp_path: Path) -> None:
    names = write_pictures(tmp_path)
    (tmp_path / "link.png").symlink_to(tmp_path / names[1])
    write_manifest(tmp_path, {"id": "a", "goal": "g", "frames": [names[0], "link.png"]})
    assert only(tmp_path).media.n_frames == 2


@pytest.mark.parametrize("keep", [0, 20, 0.6])
def test_broken_pictures(tmp_path: Path, keep: float) -> None:
    names = write_pictures(tmp_path)
    data = (tmp_path / names[1]).read_bytes()
    (tmp_path / names[1]).write_bytes(data[: int(keep * len(data) if keep < 1 else keep)])
    write_manifest(tmp_path, {"id": "ep", "goal": "g", "frames": names})
    words = ("line 1, episode 'ep'", "'1.png' cannot be decoded", "replace the file or remove")
    refused(tmp_path, CorruptMediaError, *words)


def test_video_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "v.mp4").write_bytes(b"no video" * 100)
    write_manifest(tmp_path, {"id": "ep", "goal": "g", "video": "v.mp4"})
    refused(tmp_path, CorruptMediaError, "episode 'ep'", "v.mp4", "replace the file or remove")


def test_truncated_video_with_a_cut_is_found_before_extraction(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    write_manifest(tmp_path, {"id": "ep", "goal": "g", "video": "v.mp4", "start_s": 0.1})
    refused(tmp_path, CorruptMediaError, "episode 'ep'", "promises 60", "replace the file")


def test_short_episodes(tmp_path: Path) -> None:
    names = write_pictures(tmp_path)
    (tmp_path / "empty").mkdir()
    short = {"id": "one", "goal": "g", "frames": names[:1], "steps": ["x"]}
    none = {"id": "none", "goal": "g", "frames": "empty/"}
    write_manifest(tmp_path, short, none, {"id": "ok", "goal": "g", "frames": names})
    refused(tmp_path, TooShortError, "'one'", "'none'", "at least 2", "skip_short=true")
    assert only(tmp_path, skip_short=True).trajectory_id == "own-ok"
    write_manifest(tmp_path, short)
    refused(tmp_path, EmptySourceError, "manifest.jsonl", "add one line", skip_short=True)


def test_empty_manifest(tmp_path: Path) -> None:
    write_manifest(tmp_path, "")
    refused(tmp_path, EmptySourceError, "manifest.jsonl", "add one line per episode")


def test_group_on_both_sides(tmp_path: Path) -> None:
    line = {"goal": "g", "frames": write_pictures(tmp_path), "group": "kitchen"}
    write_manifest(tmp_path, {**line, "id": "a", "split": "train"}, {**line, "id": "b", "split": "test"})
    refused(tmp_path, SplitError, "line 2, episode 'b'", "'kitchen'", "on line 1", "change")
    write_manifest(tmp_path, {**line, "id": "a", "split": "test"}, {**line, "id": "b"})
    assert [found.trajectory.split for found in read(config(tmp_path))] == ["test", ""]


def test_exit_codes_on_the_page() -> None:
    rows = re.findall(r"\| (\w+Error) \| (\d+) \|", PAGE.read_text(encoding="utf-8"))
    kinds = (ManifestError, CorruptMediaError, TooShortError, EmptySourceError, SplitError)
    assert dict(rows) == {kind.__name__: str(kind.exit_code) for kind in kinds}


def test_example_of_the_page_runs(tmp_path: Path) -> None:
    match = re.search(r"```jsonl\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert match
    (tmp_path / "manifest.jsonl").write_text(match[1], encoding="utf-8")
    for line in match[1].splitlines():
        values = json.loads(line)
        frames = values.get("frames", [])
        names = [f"{frames}{i}.jpg" for i in range(1, 13)] if isinstance(frames, str) else frames
        for i, name in enumerate(names):
            write_picture(tmp_path / name, i)
        if "video" in values:
            write_video(tmp_path / values["video"])
    desk, shelf, kitchen = (found.trajectory for found in read(config(tmp_path)))
    assert [step.frame for step in desk.steps] == [1, 2, 3]
    assert (shelf.scenario, shelf.group, shelf.media.files[9]) == (
        "assembly",
        "shelf-model-a",
        "shelf/10.jpg",
    )
    assert (kitchen.split, kitchen.steps) == ("test", (Step(15, "the handle was gripped"),))
    assert numbers(kitchen) == list(range(15, 45))


@pytest.mark.skipif(not REAL.exists(), reason="the shared sample data are not beside the project")
def test_real_video_with_a_cut() -> None:
    """AV1 from a robot: a cut of the file gives the frames that reading it whole gives."""
    folder = REAL / "g1_lerobot/v2.1_subset5/videos/chunk-000/observation.images.cam_high"
    whole = Media("video", 221, str(folder), ("episode_000000.mp4",), fps=30.0)
    cut = dataclasses.replace(whole, n_frames=10, start_s=100 / 30, end_s=110 / 30)
    pixels = [
        [frame.image.tobytes() for frame in iter_frames(Trajectory("t", "robot", "s", "l", "g", "g", media))]
        for media in (whole, cut)
    ]
    assert len(pixels[0]) == 221
    assert pixels[1] == pixels[0][100:110]
