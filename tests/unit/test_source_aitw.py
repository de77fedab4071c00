"""Android in the Wild: shards written here as published, scattered steps, texts, and every kind of bad input."""

import io
import json
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.unit import tfrecord_writer as writer
from tpru.errors import CorruptMediaError, EmptySourceError, ManifestError, TooShortError, TpruError
from tpru.records import Step
from tpru.trajectories.source_data import SourceTrajectory
from tpru.trajectories.sources import aitw
from tpru.trajectories.sources.aitw import AitwConfig, read

LENGTHS = {"a": 3, "b": 2, "c": 4}
GOALS = {"a": "Turn on  wifi", "b": "turn on Wifi.", "c": "buy milk"}
STEPS = tuple((name, step) for name, length in LENGTHS.items() for step in range(length))
HEIGHT, WIDTH = 8, 5


def pixels(name: str, step: int) -> np.ndarray:
    seed = 100 * ord(name[0]) + step
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def screen(name: str, step: int, /, **changes: Any) -> bytes:
    last = step == LENGTHS[name] - 1
    values: dict[str, Any] = {
        "android_api_level": [29],
        "episode_id": [name],
        "episode_length": [LENGTHS[name]],
        "goal_info": [GOALS[name]],
        "step_id": [step],
        "image/encoded": [pixels(name, step).tobytes()],
        "image/height": [HEIGHT],
        "image/width": [WIDTH],
        "image/channels": [3],
        "image/ui_annotations_positions": [0.1, 0.2, 0.3, 0.4],
        "results/action_type": [10 if last else 4],
        "results/type_action": [""],
        "results/yx_touch": [-1.0, -1.0] if last else [0.9, 0.1],
        "results/yx_lift": [-1.0, -1.0] if last else [0.9, 0.12],
    }
    values |= changes
    return writer.example({key: value for key, value in values.items() if value is not None})


def shard(root: Path, index: int) -> Path:
    return root / f"general-{index:05d}-of-00002"


def write_set(root: Path, order: Iterable[tuple[str, int]] = STEPS, **changes: Any) -> Path:
    """Two shards, the later one first; ``changes`` are made to step 1 of episode a."""
    messages = [screen(*step, **(changes if step == ("a", 1) else {})) for step in order]
    for index, part in ((1, messages[4:]), (0, messages[:4])):
        writer.write(shard(root, index), part, packed=True)
    return root


def config(root: Path, **changes: Any) -> AitwConfig:
    return AitwConfig(**{"name": "aitw", "path": str(root), "licence": "CC-BY-4.0", **changes})


def refused(root: Path, kind: type[TpruError], *words: str, **changes: Any) -> None:
    with pytest.raises(TpruError) as caught:
        list(read(config(root, **changes)))
    assert type(caught.value) is kind
    assert all(word in str(caught.value) for word in words), str(caught.value)


def names(found: Iterable[SourceTrajectory]) -> list[str]:
    return [entry.trajectory.trajectory_id for entry in found]


def test_episodes(tmp_path: Path) -> None:
    data = read(config(write_set(tmp_path), citation="c"))
    assert (data.licence, data.citation) == ("CC-BY-4.0", "c")
    for _ in range(2):  # a second pass gives the same
        found = list(data)
        assert names(found) == ["aitw-a", "aitw-b", "aitw-c"]
    for entry, (name, length) in zip(found, LENGTHS.items(), strict=True):
        assert entry.trajectory.media.n_frames == length
        for step, data_of_frame in enumerate(entry.frames):
            with Image.open(io.BytesIO(data_of_frame)) as image:
                assert (image.format, image.mode) == ("PNG", "RGB")
                assert np.array_equal(np.asarray(image), pixels(name, step))
    assert found[0].trajectory.goal == "Turn on wifi"
    tapped = "tapped at the bottom left of the screen"
    assert found[0].trajectory.steps == (Step(1, tapped), Step(2, tapped))


@settings(deadline=None, max_examples=25)
@given(order=st.permutations(STEPS))
def test_scattered_steps(tmp_path_factory: pytest.TempPathFactory, order: list[tuple[str, int]]) -> None:
    whole = list(read(config(write_set(tmp_path_factory.mktemp("whole")))))
    found = list(read(config(write_set(tmp_path_factory.mktemp("mixed"), order))))
    assert sorted(found, key=lambda entry: entry.trajectory.trajectory_id) == whole


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"results/yx_lift": [0.9, 0.6]}, "swiped right"),
        ({"results/yx_lift": [0.9, 0.05]}, "swiped left"),
        ({"results/yx_lift": [0.2, 0.3]}, "swiped up"),
        ({"results/yx_touch": [0.1, 0.1]}, "swiped down"),
        (
            {"results/yx_touch": [0.5, 0.5], "results/yx_lift": [0.5, 0.5]},
            "tapped at the centre of the screen",
        ),
        ({"results/action_type": [3], "results/type_action": ["oat  milk"]}, 'typed "oat milk"'),
        ({"results/action_type": [3]}, ""),
        ({"results/action_type": [5]}, "went back"),
        ({"results/action_type": [6]}, "went to the home screen"),
        ({"results/action_type": [7], "results/yx_touch": None}, "pressed Enter"),
        ({"results/action_type": [0]}, ""),
    ],
)
def test_texts_of_actions(tmp_path: Path, changes: Any, text: str) -> None:
    found = next(iter(read(config(write_set(tmp_path, **changes)))))
    assert [s.text for s in found.trajectory.steps if s.frame == 2] == ([text] if text else [])


def test_groups(tmp_path: Path) -> None:
    data = read(config(write_set(tmp_path)))
    assert [f.trajectory.group for f in data] == ["turn on wifi", "turn on wifi", "buy milk"]
    data = read(config(tmp_path, group="episode"))
    assert [f.trajectory.group for f in data] == ["aitw-a", "aitw-b", "aitw-c"]


def test_published_splits(tmp_path: Path) -> None:
    file = write_set(tmp_path) / "standard.json"
    file.write_text(json.dumps({"train": ["a", "c"], "test": ["b"], "validation": []}))
    assert names(read(config(tmp_path, split_file=str(file)))) == ["aitw-a", "aitw-c"]
    assert names(read(config(tmp_path, split_file=str(file), split="test"))) == ["aitw-b"]
    refused(tmp_path, EmptySourceError, "'validation'", split_file=str(file), split="validation")


def test_the_order_of_listing_is_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = list(read(config(write_set(tmp_path))))
    listed: Callable[[Path], Any] = Path.iterdir
    for backwards in (False, True):
        monkeypatch.setattr(Path, "iterdir", lambda self, b=backwards: sorted(listed(self), reverse=b))
        assert list(read(config(tmp_path))) == before


def test_few_episodes_need_few_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    parse = aitw.parse_example
    monkeypatch.setattr(aitw, "parse_example", lambda r, keys: asked.append(r.number) or parse(r, keys))  # type: ignore[func-returns-value]
    shard(write_set(tmp_path), 1).write_bytes(b"not read")
    assert names(read(config(tmp_path, max_episodes=1))) == ["aitw-a"]
    assert asked == [0, 1, 2]
    refused(tmp_path, CorruptMediaError, "00001-of-00002", max_episodes=2)


def test_steps_too_far_apart(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    late = [step for step in STEPS if step != ("a", 1)] + [("a", 1)]
    write_set(tmp_path, late)
    assert len(list(read(config(tmp_path, max_waiting=5)))) == 3
    words = ("episode a has 2 of 3 steps", str(shard(tmp_path, 0)), "missing are [1]", "max_waiting", "now 4")
    refused(tmp_path, ManifestError, *words, max_waiting=4)
    assert names(read(config(tmp_path, max_waiting=4, skip_incomplete=True))) == ["aitw-b", "aitw-c"]
    assert "1 episode(s) left out: a step is missing" in caplog.text


def test_a_missing_step(tmp_path: Path) -> None:
    write_set(tmp_path, [step for step in STEPS if step != ("c", 0)])
    refused(tmp_path, ManifestError, "episode c has 3 of 4 steps", "missing are [0]", "skip_incomplete=true")
    assert names(read(config(tmp_path, skip_incomplete=True))) == ["aitw-a", "aitw-b"]
    write_set(tmp_path, [("c", 0), ("a", 1)])
    words = ("no whole episode", "a step is missing", "max_waiting")
    refused(tmp_path, EmptySourceError, *words, skip_incomplete=True)


def test_impossible_and_short_episodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(LENGTHS, "b", 1)
    ended = {"results/action_type": [11]}
    messages = [screen("b", 0), *(screen("a", i, **(ended if i == 2 else {})) for i in range(3))]
    writer.write(shard(tmp_path, 0), messages, packed=True)
    writer.write(shard(tmp_path, 1), [screen("c", i) for i in range(4)], packed=True)
    refused(tmp_path, TooShortError, str(shard(tmp_path, 0)), "episode b", "skip_short=true")
    assert names(read(config(tmp_path, skip_short=True))) == ["aitw-c"]
    assert "1 episode(s) left out: ended as impossible" in caplog.text
    assert "1 episode(s) left out: fewer than two screens" in caplog.text


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"episode_id": None}, ManifestError, ["no feature 'episode_id'"]),
        ({"episode_id": [" "]}, ManifestError, ["episode_id or goal_info is empty"]),
        ({"goal_info": [""]}, ManifestError, ["episode_id or goal_info is empty"]),
        ({"goal_info": ["other"]}, ManifestError, ["'other'", "record 0", "Turn on wifi"]),
        ({"episode_length": [4]}, ManifestError, ["episode_length 4", "record 0", "and 3"]),
        ({"step_id": [3]}, ManifestError, ["step 3 of episode a", "not between 0 and episode_length (3)"]),
        ({"step_id": [-1]}, ManifestError, ["step -1 of episode a", "not between"]),
        ({"step_id": [0]}, ManifestError, ["step 0 of episode a", "record 0", "there twice"]),
        ({"results/yx_lift": [0.5]}, ManifestError, ["results/yx_lift", "expected two each"]),
        ({"results/action_type": [0.5]}, ManifestError, ["'results/action_type' holds no integers"]),
        ({"image/height": [9]}, CorruptMediaError, ["image/encoded has [120] bytes", "image/height 9"]),
        ({"image/channels": [4]}, CorruptMediaError, ["image/channels 4", "height x width x 3"]),
        ({"image/encoded": [b"x"]}, CorruptMediaError, ["step 1 of episode a", "[1] bytes"]),
        ({"image/encoded": []}, CorruptMediaError, ["image/encoded has [] bytes"]),
    ],
)
def test_bad_records(tmp_path: Path, changes: Any, kind: type[TpruError], words: list[str]) -> None:
    refused(write_set(tmp_path, **changes), kind, str(shard(tmp_path, 0)), "record 1 (at byte", *words)


def test_a_shard_twice(tmp_path: Path) -> None:
    path = shard(write_set(tmp_path), 0)
    path.with_name("copy-00000-of-00001").write_bytes(path.read_bytes())
    words = (str(path), "step 0 of episode a", "all 3 steps were read before", "there twice")
    refused(tmp_path, ManifestError, *words)


def test_damaged_and_cut_shards(tmp_path: Path) -> None:
    path = shard(write_set(tmp_path), 1)
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    refused(tmp_path, CorruptMediaError, str(path), "at byte", "unpacked stream", "download it again")
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    refused(tmp_path, ManifestError, str(path), "git lfs pull")


def test_no_shards(tmp_path: Path) -> None:
    refused(tmp_path / "none", EmptySourceError, "none", "correct the path")
    refused(write_set(tmp_path), ManifestError, "'arm'", "robot", scenario="arm")


def test_memory_is_flat(tmp_path: Path) -> None:
    def peak(episodes: int) -> int:
        raw = np.random.default_rng(0).bytes(80 * 60 * 3)
        size = {"image/height": [80], "image/width": [60], "image/encoded": [raw]}
        messages = [screen("a", i, episode_id=[f"e{k}"], **size) for k in range(episodes) for i in range(3)]
        root = tmp_path / str(episodes)
        head, tail = messages[:3], messages[3:]
        writer.write(shard(root, 0), head, packed=True)
        writer.write(shard(root, 1), tail, packed=True)
        tracemalloc.start()
        assert sum(1 for _ in read(config(root))) == episodes
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(2)  # makes the tables that are kept
    assert peak(12) < peak(3) + 20_000 < 12 * 3 * 80 * 60 * 3
