"""AndroidControl: shards written here as published, steps, groups, splits, and every kind of bad input."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.unit import tfrecord_writer as writer
from tpru.errors import CorruptMediaError, EmptySourceError, ManifestError, TooShortError, TpruError
from tpru.records import Step
from tpru.trajectories.sources import android_control
from tpru.trajectories.sources.android_control import AndroidControlConfig, read

CLICK = {"action_type": "click", "x": 20, "y": 300}
OPEN = {"action_type": "open_app", "app_name": "Clock"}
WAIT = {"action_type": "wait"}


def screen(number: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (9, 16), (number, 0, 0)).save(buffer, format="PNG")
    return buffer.getvalue()


def episode(
    number: int, actions: list[dict[str, Any]], goal: str = "Set  an alarm.", /, **changes: Any
) -> bytes:
    n = len(actions) + 1
    values: dict[str, Any] = {
        "episode_id": [number],
        "goal": [goal],
        "screenshots": [screen(10 * number + i) for i in range(n)],
        "screenshot_widths": [180] * n,
        "screenshot_heights": [320] * n,
        "accessibility_trees": [b"\x00\xff" * 40] * n,
        "actions": [json.dumps(action) for action in actions],
        "step_instructions": [f"Do {i // 2}." for i in range(n - 1)],
    }
    values |= changes
    return writer.example({key: value for key, value in values.items() if value is not None})


def shard(root: Path, index: int) -> Path:
    return root / f"android_control-{index:05d}-of-00020"


def write_set(root: Path, **changes: Any) -> Path:
    """Two of twenty shards, the later one first; ``changes`` are made to episode 7."""
    writer.write(shard(root, 11), [episode(2, [WAIT, WAIT], "Stop it")], packed=True)
    ours = [episode(7, [OPEN, CLICK, CLICK], **changes), episode(3, [CLICK], "set an Alarm")]
    writer.write(shard(root, 2), ours, packed=True)
    (root / "splits.json").write_text(json.dumps({"train": [7, 2], "test": [3], "other": [99]}))
    return root


def config(root: Path, **changes: Any) -> AndroidControlConfig:
    return AndroidControlConfig(**{"name": "ac", "path": str(root), "licence": "CC-BY-4.0", **changes})


def refused(root: Path, kind: type[TpruError], *words: str, **changes: Any) -> None:
    with pytest.raises(TpruError) as caught:
        list(read(config(root, **changes)))
    assert type(caught.value) is kind
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_episodes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = read(config(write_set(tmp_path), citation="c"))
    assert (data.licence, data.citation) == ("CC-BY-4.0", "c")
    assert "2 of 20 shards" in caplog.text
    for _ in range(2):  # a second pass gives the same
        found = list(data)
        assert [f.trajectory.trajectory_id for f in found] == ["ac-000007", "ac-000003", "ac-000002"]
        assert found[0].frames == tuple(screen(70 + i) for i in range(4))
        assert [f.trajectory.media.n_frames for f in found] == [4, 2, 3]
        assert found[0].trajectory.goal == "Set an alarm."
    clicked = "clicked at the bottom left of the screen"
    assert found[0].trajectory.steps == (Step(1, "opened Clock"), Step(2, clicked), Step(3, clicked))
    assert found[2].trajectory.steps == ()


def test_written_instructions(tmp_path: Path) -> None:
    found = list(read(config(write_set(tmp_path), texts="instructions")))
    assert found[0].trajectory.steps == (Step(2, "Do 0"), Step(3, "Do 1"))
    assert found[1].trajectory.steps == (Step(1, "Do 0"),)


@pytest.mark.parametrize(
    ("action", "text"),
    [
        ({"action_type": "click", "x": 90, "y": 160}, "clicked at the centre of the screen"),
        ({"action_type": "click"}, "clicked"),
        ({"action_type": "long_press", "x": 179, "y": 0}, "long-pressed at the top right of the screen"),
        ({"action_type": "scroll", "direction": "down"}, "scrolled down"),
        ({"action_type": "input_text", "text": " a\nb"}, 'typed "a b"'),
        (
            {"action_type": "type", "text": "x" * 90, "x": 1, "y": 1},
            'typed "' + "x" * 80 + '…" and pressed Enter',
        ),
        ({"action_type": "input_text", "text": ""}, ""),
        ({"action_type": "open_app", "app_name": ""}, "opened an app"),
        ({"action_type": "navigate_home"}, "went to the home screen"),
        ({"action_type": "navigate_back"}, "went back"),
        ({"action_type": "wait"}, ""),
        ({"action_type": "new"}, ""),
    ],
)
def test_texts_of_actions(tmp_path: Path, action: dict[str, Any], text: str) -> None:
    writer.write(shard(tmp_path, 0), [episode(1, [action])], packed=True)
    (found,) = read(config(tmp_path))
    assert found.trajectory.steps == ((Step(1, text),) if text else ())


def test_groups(tmp_path: Path) -> None:
    def groups(kind: str) -> list[str]:
        return [found.trajectory.group for found in read(config(tmp_path, group=kind))]

    write_set(tmp_path)
    assert groups("goal") == ["set an alarm", "set an alarm", "stop it"]
    assert groups("app") == ["app clock", "set an alarm", "stop it"]
    assert groups("episode") == ["ac-000007", "ac-000003", "ac-000002"]


def test_published_splits(tmp_path: Path) -> None:
    write_set(tmp_path)
    file = str(tmp_path / "splits.json")
    found = read(config(tmp_path, split_file=file))
    assert [f.trajectory.trajectory_id for f in found] == ["ac-000007", "ac-000002"]
    refused(tmp_path, ManifestError, "splits.json", "'val'", "train", split_file=file, split="val")
    refused(tmp_path, EmptySourceError, "'other'", "split_file", split_file=file, split="other")
    refused(tmp_path, ManifestError, "none.json", "correct the path", split_file=str(tmp_path / "none.json"))
    (tmp_path / "splits.json").write_text("[1]")
    refused(tmp_path, ManifestError, "splits.json", "restore", split_file=file)


def test_the_order_of_listing_is_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = list(read(config(write_set(tmp_path))))
    listed: Callable[[Path], Any] = Path.iterdir
    for backwards in (False, True):
        monkeypatch.setattr(Path, "iterdir", lambda self, b=backwards: sorted(listed(self), reverse=b))
        assert list(read(config(tmp_path))) == before


def test_few_episodes_need_few_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    parse = android_control.parse_example
    monkeypatch.setattr(
        android_control,
        "parse_example",
        lambda r, keys: asked.append(r.number) or parse(r, keys),  # type: ignore[func-returns-value]
    )
    shard(write_set(tmp_path), 11).write_bytes(b"not read")
    assert len(list(read(config(tmp_path, max_episodes=2)))) == len(asked) == 2
    refused(tmp_path, CorruptMediaError, "00011-of-00020", max_episodes=3)


def test_short_episodes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_set(tmp_path)
    writer.write(shard(tmp_path, 0), [episode(1, [])], packed=True)
    refused(tmp_path, TooShortError, str(shard(tmp_path, 0)), "episode 1", "1 screenshot(s)", "skip_short")
    assert len(list(read(config(tmp_path, skip_short=True)))) == 3
    assert "1 episode(s) left out: fewer than two screens" in caplog.text
    for index in (2, 11):
        shard(tmp_path, index).unlink()
    refused(tmp_path, EmptySourceError, str(tmp_path), "no episode", skip_short=True)


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"episode_id": None}, ManifestError, ["no feature 'episode_id'"]),
        ({"episode_id": [1, 2]}, ManifestError, ["'episode_id' has 2 values"]),
        ({"goal": [" "]}, ManifestError, ["episode 7", "goal is empty"]),
        ({"goal": None}, ManifestError, ["no feature 'goal'"]),
        ({"actions": [json.dumps(CLICK)] * 4}, ManifestError, ["'actions' has 4 values, expected 3"]),
        ({"actions": [json.dumps(CLICK), "{", "{}"]}, ManifestError, ["action 1 is no JSON"]),
        ({"actions": [json.dumps(CLICK), "{}", "{}"]}, ManifestError, ["action 1", "action_type"]),
        ({"actions": [b"\xff\xfe\xfd"] * 3}, ManifestError, ["action 0 is no JSON"]),
        ({"screenshot_widths": [1]}, ManifestError, ["'screenshot_widths' has 1 values, expected 4"]),
        ({"screenshot_heights": [0.5]}, ManifestError, ["'screenshot_heights' holds no integers"]),
        ({"screenshots": [screen(1)] * 3 + [b"x"]}, CorruptMediaError, ["episode 7: screenshot 3", "PNG"]),
    ],
)
def test_bad_episodes(tmp_path: Path, changes: Any, kind: type[TpruError], words: list[str]) -> None:
    refused(write_set(tmp_path, **changes), kind, str(shard(tmp_path, 2)), "record 0 (at byte 0)", *words)


def test_instructions_that_do_not_fit(tmp_path: Path) -> None:
    write_set(tmp_path, step_instructions=["a"])
    assert len(list(read(config(tmp_path)))) == 3  # they are not needed
    refused(tmp_path, ManifestError, "'step_instructions' has 1 values, expected 3", texts="instructions")


def test_an_episode_twice(tmp_path: Path) -> None:
    path = shard(write_set(tmp_path), 2)
    path.with_name("copy-00000-of-00001").write_bytes(path.read_bytes())
    refused(tmp_path, ManifestError, str(path), "copy-00000-of-00001", "episode 7", "remove one")


def test_damaged_and_cut_shards(tmp_path: Path) -> None:
    path = shard(write_set(tmp_path), 2)
    whole = path.read_bytes()
    path.write_bytes(whole[:-12])
    refused(
        tmp_path, CorruptMediaError, str(path), "record", "at byte", "unpacked stream", "download it again"
    )
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    refused(tmp_path, ManifestError, str(path), "git lfs pull")


def test_no_shards(tmp_path: Path) -> None:
    refused(tmp_path / "none", EmptySourceError, "none", "correct the path")
    refused(tmp_path, EmptySourceError, "holds no shards", "-00000-of-00020")
    refused(write_set(tmp_path), ManifestError, "'arm'", "robot", scenario="arm")
