"""Filmed builds: settled states out of synthetic videos whose truth is known, and bad input."""

import json
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from tpru.config.compose import compose
from tpru.config.schema import VideosSource
from tpru.errors import (
    ConfigError,
    CorruptMediaError,
    EmptySourceError,
    ManifestError,
    TooShortError,
    TpruError,
)
from tpru.trajectories.settling import Settling, settled_states
from tpru.trajectories.sources.videos import filmed, read

WIDTH, HEIGHT, FPS = 320, 240, 24
SKIN = (205, 150, 120)
Shot = list[Image.Image]
Timed = Iterable[tuple[Image.Image, float]]  # pictures and when they are shown


def config(path: Path, **changes: Any) -> VideosSource:
    kept = ["experiment=own_data", "+source@sources.clips=videos"]
    values = [f"sources.clips.path={path}", "sources.clips.licence=CC-BY-4.0"]
    source = compose("own_data", [*kept[1:], *values]).sources["clips"]
    return VideosSource(**{**source.model_dump(), **changes})


def states(seed: int, count: int) -> Shot:
    """A build: a scene of its own, and one more brick in every state."""
    rng = np.random.default_rng(seed)
    noise = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8))
    tone = Image.new("RGB", (WIDTH, HEIGHT), tuple(rng.integers(60, 200, 3).tolist()))
    picture = Image.blend(noise.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), tone, 0.75)
    out = []
    for k in range(count):
        picture = picture.copy()
        x, y = 90 + 28 * (k % 5), 160 - 24 * (k // 5)
        colour = tuple(int(v) for v in np.roll((230, 40, 60), k)) if k % 2 else (240, 240, 250)
        ImageDraw.Draw(picture).rectangle((x, y, x + 26, y + 20), fill=colour, outline=(10, 10, 10))
        out.append(picture)
    return out


def with_hand(picture: Image.Image, reach: float, colour: tuple[int, int, int] = SKIN) -> Image.Image:
    """An arm from the right edge that reaches so far over the picture."""
    picture = picture.copy()
    x = WIDTH - round(reach * 230)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((x + 25, 120, WIDTH + 60, 175), fill=colour)
    draw.ellipse((x, 110, x + 60, 185), fill=colour)
    return picture


def build(shot: Shot, still: int = 12, rest: int = 0, colour: tuple[int, int, int] = SKIN) -> Shot:
    """Every state stands ``still`` frames; a hand comes, may rest, and goes before the next one."""
    out: Shot = []
    for k, state in enumerate(shot):
        out += [state] * still
        if k + 1 < len(shot):
            reaches = np.linspace(0.1, 1.0, 6)
            out += [with_hand(state, r, colour) for r in reaches]
            out += [with_hand(shot[k + 1], 1.0, colour)] * rest
            out += [with_hand(shot[k + 1], r, colour) for r in reaches[::-1]]
    return out


def steady(pictures: Shot) -> Timed:
    return [(picture, k / FPS) for k, picture in enumerate(pictures)]


def film(path: Path, timed: Timed) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for picture, seconds in timed:
            frame = av.VideoFrame.from_image(picture)
            frame.pts, frame.time_base = round(seconds * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def converted(videos: Path, out: Path, **changes: Any) -> tuple[list[dict[str, Any]], dict[str, int]]:
    data = read("clips", config(videos, **changes), 1, out)
    assert all(t.trajectory.media.kind == "files" for t in data)
    text = (out / "manifest.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()], data.dropped


def shown(out: Path, line: dict[str, Any]) -> list[Image.Image]:
    return [Image.open(out / name) for name in line["frames"]]


def coarse(picture: Image.Image) -> NDArray[np.float64]:
    """Means of 4x4 pixels: coding smears colour along edges."""
    small = picture.convert("RGB").resize((WIDTH // 4, HEIGHT // 4), Image.Resampling.BOX)
    return np.asarray(small, np.float64)


def nearest(picture: Image.Image, truth: Shot) -> int | None:
    """The state that a picture shows whole at some brightness; None with anything else in it."""
    look = coarse(picture)
    for k, clean in enumerate(map(coarse, truth)):
        gain = np.median(look / np.maximum(clean, 1))
        if (np.abs(look - np.minimum(clean * gain, 255)).max(axis=-1) > 30).sum() < 5:
            return k
    return None


def found_in(out: Path, lines: list[dict[str, Any]], truth: Shot) -> tuple[float, float, list[int | None]]:
    """Precision and recall of the kept states (one found twice counts once), and what each shows."""
    found = [nearest(picture, truth) for line in lines for picture in shown(out, line)]
    right = {k for k in found if k is not None}
    return len(right) / max(len(found), 1), len(right) / len(truth), found


def flicker(pictures: Shot, seed: int) -> Shot:
    rng = np.random.default_rng(seed)
    gains = rng.uniform(0.88, 1.12, len(pictures))
    return [p.point(lambda v, g=g: int(min(255, v * g))) for p, g in zip(pictures, gains, strict=True)]


def noisy(pictures: Shot, seed: int) -> Shot:
    rng = np.random.default_rng(seed)
    grain = [rng.normal(0, 5, (HEIGHT, WIDTH, 3)) for _ in pictures]
    grained = [np.asarray(p) + g for p, g in zip(pictures, grain, strict=True)]
    return [Image.fromarray(np.clip(g, 0, 255).astype(np.uint8)) for g in grained]


def blurred(picture: Image.Image) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(6))


BLACK = Image.new("RGB", (WIDTH, HEIGHT), (3, 3, 3))
CASES: dict[str, Callable[[Shot], Shot]] = {
    "a hand comes and goes": build,
    "a hand rests on its way": lambda s: build(s, rest=10),
    "a dark hand": lambda s: build(s, rest=10, colour=(92, 60, 44)),
    "a glove": lambda s: build(s, rest=10, colour=(30, 60, 90)),
    "exposure flickers": lambda s: flicker(build(s, rest=10), 1),
    "grain": lambda s: noisy(build(s, rest=10), 2),
    "black between": lambda s: [f for k in s for f in [*[k] * 10, *[BLACK] * 8]],
    "out of focus before": lambda s: [f for k in s for f in [*[blurred(k)] * 9, *[k] * 12]],
    "nothing but states": lambda s: [f for k in s for f in [k] * 8],
    "a hand is there first and last": lambda s: [
        *[with_hand(s[0], 0.8)] * 10,
        *build(s, rest=9),
        *[with_hand(s[-1], 0.7)] * 10,
    ],
}


@pytest.mark.parametrize("case", CASES)
def test_settled_states_are_found(tmp_path: Path, case: str) -> None:
    truth = states(3, 10)
    film(tmp_path / "in/castle.mp4", steady(CASES[case](truth)))
    lines, dropped = converted(tmp_path / "in", tmp_path / "out")
    precision, recall, found = found_in(tmp_path / "out", lines, truth)
    assert precision >= 0.9, (found, dropped)
    assert recall >= 0.9, (found, dropped)
    assert len(lines) == 1
    order = [k for k in found if k is not None]
    assert order == sorted(order)


@pytest.mark.parametrize("seed", [22, 26, 27])
def test_flicker_of_light_that_clips_at_white(tmp_path: Path, seed: int) -> None:
    truth = states(seed, 10)
    film(tmp_path / "in/a.mp4", steady(noisy(flicker(build(truth, rest=8), seed), seed)))
    lines, dropped = converted(tmp_path / "in", tmp_path / "out")
    precision, recall, found = found_in(tmp_path / "out", lines, truth)
    assert min(precision, recall) >= 0.9, (found, dropped)


def test_everything_at_once(tmp_path: Path) -> None:
    first, second = states(5, 8), states(6, 7)
    pictures = [*[BLACK] * 5, *build(first, rest=8), *[BLACK] * 6]
    pictures += [*[blurred(second[0])] * 8, *build(second, rest=8), *[BLACK] * 9]
    film(tmp_path / "in/a.mkv", steady(noisy(flicker(pictures, 3), 4)))
    lines, dropped = converted(tmp_path / "in", tmp_path / "out")
    assert [line["id"] for line in lines] == ["a-shot1", "a-shot2"]
    for line, truth in zip(lines, (first, second), strict=True):
        precision, recall, found = found_in(tmp_path / "out", [line], truth)
        assert min(precision, recall) >= 0.9, (found, dropped)
    assert dropped["black"] == 20
    assert set(dropped) == {"black", "moving", "repeated", "hand", "blurred"}
    frames = sum(len(line["frames"]) for line in lines)
    assert frames + sum(dropped.values()) == len(pictures)


def test_shots_are_episodes_of_one_group_or_joined(tmp_path: Path) -> None:
    pictures = [*build(states(1, 4)), *[states(2, 1)[0]] * 9, *build(states(3, 3))]
    film(tmp_path / "in/castle.mp4", steady(pictures))
    lines, dropped = converted(tmp_path / "in", tmp_path / "out")
    assert [(line["id"], len(line["frames"])) for line in lines] == [
        ("castle-shot1", 4),
        ("castle-shot3", 3),
    ]
    assert dropped["short_shots"] == 1
    assert {line["group"] for line in lines} == {"castle"}
    (line,), _ = converted(tmp_path / "in", tmp_path / "out", shots="join")
    assert (line["id"], len(line["frames"])) == ("castle", 8)


def test_a_part_that_is_moved_is_no_hand(tmp_path: Path) -> None:
    base = states(1, 3)
    aside = base[1].copy()
    ImageDraw.Draw(aside).rectangle((140, 60, 180, 100), fill=(20, 70, 200))
    film(tmp_path / "in/a.mp4", steady(build([*base[:2], aside, base[2]], rest=8)))
    (line,), _ = converted(tmp_path / "in", tmp_path / "out")
    assert len(line["frames"]) == 4


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_variable_frame_rate(tmp_path: Path, ending: str) -> None:
    """A single frame that is shown for a second is settled; many that rush by are not."""
    truth = states(4, 6)
    timed, now = [], 0.0
    for k, state in enumerate(truth):
        timed.append((state, now))
        now += 1.0
        for reach in np.linspace(0.2, 1.0, 10) if k + 1 < len(truth) else ():
            timed.append((with_hand(state, reach), now))
            now += 0.02
    timed.append((truth[-1], now))
    film(tmp_path / f"in/a.{ending}", timed)
    lines, dropped = converted(tmp_path / "in", tmp_path / "out")
    precision, recall, found = found_in(tmp_path / "out", lines, truth)
    assert min(precision, recall) >= 0.9, found
    assert dropped["moving"] == 50


def test_every_frame_of_a_time_lapse(tmp_path: Path) -> None:
    truth = states(4, 9)
    film(tmp_path / "in/a.mp4", steady([f for s in truth for f in (s, with_hand(s, 0.9))]))
    lines, _ = converted(tmp_path / "in", tmp_path / "out", settled_s=0.0)
    precision, recall, found = found_in(tmp_path / "out", lines, truth)
    assert min(precision, recall) >= 0.85, found


def test_pictures_are_kept_at_full_size(tmp_path: Path) -> None:
    film(tmp_path / "in/a.mp4", steady(build(states(1, 3))))
    (line,), _ = converted(tmp_path / "in", tmp_path / "out", side=100)
    assert {picture.size for picture in shown(tmp_path / "out", line)} == {(WIDTH, HEIGHT)}


def test_groups_goals_and_order_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("Sets/old_castle part 2.mp4", "Sets/Old_Castle_pt1.mkv", "31058.mp4", "x/31058.mp4", ".y/a.mp4")
    for number, name in enumerate(names):
        film(tmp_path / "in" / name, steady(build(states(number, 2))))
    (tmp_path / "in/notes.txt").write_text("not read")
    lines, _ = converted(tmp_path / "in", tmp_path / "out")
    assert [(line["id"], line["group"], line["goal"]) for line in lines] == [
        ("31058-shot1", "31058", "Assemble the model 31058 step by step"),
        ("Sets--Old_Castle_pt1-shot1", "sets/old_castle", "Assemble the model Old Castle step by step"),
        ("Sets--old_castle_part_2-shot1", "sets/old_castle", "Assemble the model old castle step by step"),
        ("x--31058-shot1", "x/31058", "Assemble the model 31058 step by step"),
    ]
    listed = Path.rglob
    monkeypatch.setattr(Path, "rglob", lambda self, glob: reversed(list(listed(self, glob))))
    assert converted(tmp_path / "in", tmp_path / "again")[0] == lines
    pattern = r"(?:.*/)?(?P<group>(?P<title>\w+?)(?:_.*| .*|))"
    lines, _ = converted(tmp_path / "in", tmp_path / "out", group=pattern, goal="Build {title}")
    assert lines[1]["goal"] == "Build Old"
    assert [line["group"] for line in lines] == ["31058", "old_castle_pt1", "old_castle part 2", "31058"]


def test_max_videos_reads_no_other(tmp_path: Path) -> None:
    film(tmp_path / "in/a.mp4", steady(build(states(1, 3))))
    (tmp_path / "in/b.mp4").write_bytes(b"not read")
    lines, _ = converted(tmp_path / "in", tmp_path / "out", max_videos=1)
    assert [line["id"] for line in lines] == ["a-shot1"]


def refused(videos: Path, kind: type[TpruError], *words: str, **changes: Any) -> None:
    out = videos.parent / "out"
    with pytest.raises(TpruError) as caught:
        converted(videos, out, **changes)
    assert type(caught.value) is kind
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert not out.exists()


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize("damage", ["cut", "other", "empty"])
def test_corrupt_videos(tmp_path: Path, ending: str, damage: str) -> None:
    film(tmp_path / "in/a.mp4", steady(build(states(1, 3))))
    path = film(tmp_path / f"in/b.{ending}", steady(build(states(1, 3))))
    data = path.read_bytes()
    path.write_bytes({"cut": data[: len(data) * 6 // 10], "other": b"<html>" * 99, "empty": b""}[damage])
    refused(tmp_path / "in", CorruptMediaError, f"b.{ending}")


def test_a_video_that_is_cut_behind_its_header(tmp_path: Path) -> None:
    """The header stands first, as in videos made for the web, so that the file opens."""
    path = tmp_path / "in/b.mp4"
    path.parent.mkdir()
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for picture in build(states(1, 5)):
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode(None))
    path.write_bytes(path.read_bytes()[:-20_000])
    refused(tmp_path / "in", CorruptMediaError, "b.mp4")


def test_too_short_videos(tmp_path: Path) -> None:
    film(tmp_path / "in/a.mp4", steady(build(states(1, 3))))
    film(tmp_path / "in/b.mp4", steady([states(2, 1)[0]] * 30))
    film(tmp_path / "in/c.mp4", steady([BLACK] * 10))
    refused(tmp_path / "in", TooShortError, "b.mp4", "skip_short")
    lines, dropped = converted(tmp_path / "in", tmp_path / "out", skip_short=True)
    assert [line["id"] for line in lines] == ["a-shot1"]
    assert (dropped["short_shots"], dropped["black"]) == (1, 10)
    assert sorted(p.name for p in (tmp_path / "out/images").iterdir()) == ["a-shot1"]


def test_nothing_to_read(tmp_path: Path) -> None:
    refused(tmp_path / "in", EmptySourceError, "does not exist")
    (tmp_path / "in").mkdir()
    refused(tmp_path / "in", EmptySourceError, "no video", ".webm")
    film(tmp_path / "in/c.mp4", steady([BLACK] * 10))
    refused(tmp_path / "in", EmptySourceError, "'black': 10", skip_short=True)


def test_names_that_do_not_fit(tmp_path: Path) -> None:
    film(tmp_path / "in/a.mp4", steady(build(states(1, 2))))
    refused(tmp_path / "in", ManifestError, "a.mp4", "group", group=r"(?P<group>\d+)")
    film(tmp_path / "in/a.mkv", steady(build(states(1, 2))))
    refused(tmp_path / "in", ManifestError, "a.mkv", "a.mp4", "same name")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ("group='(.+'", "regular expression"),
        ("group='.+'", "(?P<group>...)"),
        ("goal='{name}'", "title"),
        ("min_change=0.7", "cut_change"),
        ("settled_s=-1", "settled_s"),
        ("shots=merge", "shots"),
    ],
)
def test_values_that_are_refused(change: str, word: str) -> None:
    given = ["+source@sources.clips=videos", "sources.clips.path=x", "sources.clips.licence=y"]
    key, value = change.split("=", 1)
    with pytest.raises(ConfigError) as caught:
        compose("own_data", [*given, f"sources.clips.{key}={value}"])
    assert word in str(caught.value)


def test_memory_does_not_grow_with_the_video(tmp_path: Path) -> None:
    values = config(tmp_path)
    settling = Settling(**{key: getattr(values, key) for key in Settling.__dataclass_fields__})
    peaks = []
    for times in (1, 6):
        path = film(tmp_path / f"{times}.mp4", steady(build(states(1, 5), rest=9) * times))
        tracemalloc.start()
        for state in settled_states(filmed(path, 160), settling, Counter()):
            state.frame.picture()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]
