"""RLDS in TFRecord files: a small data set written here, and 25 real episodes of BridgeData."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.unit import tfrecord_writer as writer
from tpru.errors import CorruptMediaError, EmptySourceError, ManifestError, TooShortError, TpruError
from tpru.trajectories.source_data import SourceTrajectory
from tpru.trajectories.sources import rlds
from tpru.trajectories.sources.rlds import RldsConfig, read

REAL = Path(__file__).parents[3] / "shared/data"
LENGTHS = (2, 1, 2)  # episodes by shard
FRAMES = (4, 3, 5, 2, 3)
GOALS = ("Open the drawer.", "open  the drawer", "Close the lid", "lift", "Push")
CAMERA = "steps/observation/image_0"
SPOKEN = "steps/language_instruction"


def encoded(number: int, kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 6), (number * 7, 0, 0)).save(buffer, format=kind)
    return buffer.getvalue()


def picture(*size: int) -> dict[str, Any]:
    return {
        "image": {"shape": {"dimensions": [str(n) for n in size]}, "dtype": "uint8", "encodingFormat": "jpeg"}
    }


def tensor(dtype: str, *size: int) -> dict[str, Any]:
    return {"tensor": {"shape": {"dimensions": [str(n) for n in size]}, "dtype": dtype, "encoding": "none"}}


def tree(**features: Any) -> dict[str, Any]:
    return {"pythonClassName": "FeaturesDict", "featuresDict": {"features": features}}


OBSERVATION = {"image_0": picture(6, 8, 3), "a_depth": picture(6, 8, 1), "state": tensor("float32", 7)}


def write_json(root: Path, observation: dict[str, Any], steps: dict[str, Any], **changes: Any) -> None:
    repeated = tree(observation=tree(**observation), action=tensor("float32", 2), **steps)
    features = tree(steps={"sequence": {"feature": repeated}}, episode_metadata=tree(file_path={"text": {}}))
    split = {"name": "train", "shardLengths": [str(n) for n in LENGTHS], "filepathTemplate": rlds.TEMPLATE}
    info = {"name": "toy", "version": "1.0.0", "fileFormat": "tfrecord", "splits": [split | changes]}
    root.mkdir(parents=True, exist_ok=True)
    (root / "dataset_info.json").write_text(json.dumps(info))
    (root / "features.json").write_text(json.dumps(features))


def episode(index: int, **changes: Any) -> bytes:
    n = FRAMES[index]
    values: dict[str, Any] = {
        CAMERA: [encoded(10 * index + i, "PNG" if index % 2 else "JPEG") for i in range(n)],
        "steps/observation/state": [0.5] * 7 * n,
        "steps/action": [-1.0, 1.0] * n,
        "steps/is_first": [1] + [0] * (n - 1),
        SPOKEN: [GOALS[index]] * n,
        "episode_metadata/file_path": [f"/a/{index}"],
    }
    values |= changes
    return writer.example({key: value for key, value in values.items() if value is not None})


def shard(root: Path, index: int) -> Path:
    return root / f"toy-train.tfrecord-{index:05d}-of-{len(LENGTHS):05d}"


def write_set(root: Path, packed: bool = False, **changes: Any) -> Path:
    """Three shards of five episodes, written from the last; ``changes`` are made to episode 2."""
    write_json(root, OBSERVATION, {"language_instruction": {"text": {}}})
    messages = [episode(i, **(changes if i == 2 else {})) for i in range(len(FRAMES))]
    for index in reversed(range(len(LENGTHS))):
        first = sum(LENGTHS[:index])
        writer.write(shard(root, index), messages[first : first + LENGTHS[index]], packed)
    return root


def config(root: Path, **changes: Any) -> RldsConfig:
    return RldsConfig(**{"name": "toy", "path": str(root), "licence": "CC-BY-4.0", **changes})


def refused(root: Path, kind: type[TpruError], *words: str, **changes: Any) -> None:
    with pytest.raises(TpruError) as caught:
        list(read(config(root, **changes)))
    assert type(caught.value) is kind
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize("packed", [False, True])
def test_episodes(tmp_path: Path, packed: bool) -> None:
    data = read(config(write_set(tmp_path, packed), citation="c"))
    assert (data.total, data.licence, data.citation) == (5, "CC-BY-4.0", "c")
    for _ in range(2):  # a second pass gives the same
        found = list(data)
        assert [f.trajectory.trajectory_id for f in found] == [f"toy-{i:06d}" for i in range(5)]
        assert [f.trajectory.media.n_frames for f in found] == list(FRAMES)
        assert [f.trajectory.goal for f in found] == ["Open the drawer.", "open the drawer", *GOALS[2:]]
        assert found[3].frames == (encoded(30, "PNG"), encoded(31, "PNG"))


def test_groups(tmp_path: Path) -> None:
    def groups(kind: str) -> list[str]:
        return [found.trajectory.group for found in read(config(tmp_path, group=kind))]

    write_set(tmp_path)
    assert groups("instruction") == ["open the drawer", "open the drawer", "close the lid", "lift", "push"]
    assert groups("episode") == [f"toy-{i:06d}" for i in range(5)]
    assert set(groups("dataset")) == {"toy"}


def test_the_order_of_listing_is_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = list(read(config(write_set(tmp_path))))
    listed: Callable[[Path], Any] = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda self: sorted(listed(self), reverse=True))
    assert list(read(config(tmp_path))) == before


def test_few_episodes_need_few_shards(tmp_path: Path) -> None:
    write_set(tmp_path)
    shard(tmp_path, 1).unlink()
    shard(tmp_path, 2).write_bytes(b"not read")
    data = read(config(tmp_path, max_episodes=2))
    assert (data.total, len(list(data))) == (2, 2)
    refused(tmp_path, ManifestError, "00001-of-00003", "does not exist", max_episodes=3)


def test_one_episode_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    parse = rlds.parse_example
    monkeypatch.setattr(rlds, "parse_example", lambda r, keys: asked.append(r.offset) or parse(r, keys))  # type: ignore[func-returns-value]
    found = iter(read(config(write_set(tmp_path))))
    for count in range(1, 5):
        next(found)
        assert len(asked) == count


def test_other_keys(tmp_path: Path) -> None:
    n = FRAMES[2]
    told = {
        "steps/told": ["Sweep it", *["then wipe it"] * (n - 1)],
        "steps/observation/side": [encoded(9)] * n,
    }
    write_set(tmp_path, **told)
    steps = {"told": tensor("string"), "language_instruction": {"text": {}}}
    write_json(tmp_path, OBSERVATION | {"side": picture(6, 8, 3)}, steps)
    changes = {"language": "steps/told", "camera": "steps/observation/side"}
    refused(tmp_path, ManifestError, "record 0", "no feature", **changes)  # episode 0 lacks them
    writer.write(shard(tmp_path, 0), [episode(2, **told)] * 2)
    (first, _) = list(read(config(tmp_path, max_episodes=2, **changes)))
    assert first.trajectory.goal == "Sweep it; then wipe it"
    assert first.frames == (encoded(9),) * n


def test_instructions_as_integers(tmp_path: Path) -> None:
    write_json(tmp_path, {"rgb": picture(6, 8, 3), "instruction": tensor("int32", 16)}, {})
    numbers = [*"press ü".encode(), *[0] * 8]
    key = "steps/observation/instruction"
    messages = [writer.example({"steps/observation/rgb": [encoded(i) for i in range(3)], key: numbers * 3})]
    for index, length in enumerate(LENGTHS):
        writer.write(shard(tmp_path, index), messages * length)
    assert {found.trajectory.goal for found in read(config(tmp_path))} == {"press ü"}
    messages = [writer.example({"steps/observation/rgb": [encoded(0)] * 3, key: [300] * 48})]
    writer.write(shard(tmp_path, 0), messages * 2)
    refused(tmp_path, ManifestError, "00000-of-00003", "record 0", repr(key), "no text")


def test_short_episodes_and_no_instruction(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_set(tmp_path, **{SPOKEN: [" "] * FRAMES[2]})
    refused(tmp_path, ManifestError, "record 0", SPOKEN, "skip_without_goal=true")
    writer.write(shard(tmp_path, 0), [episode(0, **{CAMERA: [encoded(0)], SPOKEN: ["a"]}), episode(1)])
    refused(tmp_path, TooShortError, "00000-of-00003", "record 0", "1 frame(s)", "skip_short=true")
    found = list(read(config(tmp_path, skip_short=True, skip_without_goal=True)))
    assert [f.trajectory.trajectory_id for f in found] == [f"toy-{i:06d}" for i in (1, 3, 4)]
    assert "1 episode(s) left out: fewer than two frames" in caplog.text
    assert "1 episode(s) left out: no instruction" in caplog.text


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({SPOKEN: ["one"]}, ManifestError, ["1 instructions", "5 pictures", SPOKEN]),
        ({SPOKEN: None}, ManifestError, ["no feature", SPOKEN]),
        ({SPOKEN: [7] * 5}, ManifestError, [SPOKEN, "no byte strings"]),
        ({SPOKEN: [b"\xff"] * 5}, ManifestError, [SPOKEN, "no UTF-8"]),
        ({CAMERA: None}, ManifestError, ["no feature", CAMERA]),
        ({CAMERA: [encoded(0)] * 4 + [bytes(50)]}, CorruptMediaError, ["step 4", CAMERA, "encoded picture"]),
        ({CAMERA: [encoded(0)[:8]] * 5}, CorruptMediaError, ["step 0", CAMERA, "encoded picture"]),
    ],
)
def test_bad_episodes(tmp_path: Path, changes: Any, kind: type[TpruError], words: list[str]) -> None:
    refused(write_set(tmp_path, **changes), kind, str(shard(tmp_path, 1)), "record 0 (at byte 0)", *words)


def test_damaged_and_cut_shards(tmp_path: Path) -> None:
    path = shard(write_set(tmp_path), 2)
    whole = path.read_bytes()
    path.write_bytes(whole[:900] + bytes([whole[900] ^ 1]) + whole[901:])
    refused(tmp_path, CorruptMediaError, str(path), "record 1 at byte", "does not fit its sum")
    path.write_bytes(whole[:-3])
    refused(tmp_path, CorruptMediaError, str(path), "record 1 at byte", "ends within")
    writer.write(path, [episode(3)])  # cut between two records
    refused(tmp_path, CorruptMediaError, str(path), "1 episodes", "promises 2")
    writer.write(path, [b"\x0b", b""])
    refused(tmp_path, CorruptMediaError, str(path), "record 0", "tf.train.Example")
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    refused(tmp_path, ManifestError, str(path), "git lfs pull")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shardLengths": ["x"]}, ["shardLengths", "restore it"]),
        ({"name": None}, ["no split 'train'", "None"]),
        ({"filepathTemplate": "{NOTHING}"}, ["{NOTHING}", "restore it"]),
        ({"filepathTemplate": "../{DATASET}"}, ["leads outside"]),
    ],
)
def test_wrong_info(tmp_path: Path, changes: dict[str, Any], words: list[str]) -> None:
    write_json(write_set(tmp_path), OBSERVATION, {"language_instruction": {"text": {}}}, **changes)
    refused(tmp_path, ManifestError, "dataset_info.json", *words)


def test_bad_descriptions(tmp_path: Path) -> None:
    refused(tmp_path, ManifestError, "dataset_info.json", "folder of one version")
    write_set(tmp_path)
    refused(tmp_path, ManifestError, "no split 'val'", "train", split="val")
    refused(tmp_path, ManifestError, "'arm'", "robot", scenario="arm")
    refused(tmp_path, ManifestError, "no camera 'top'", CAMERA, camera="top")
    refused(tmp_path, ManifestError, "no instruction 'words'", SPOKEN, language="words")
    write_json(tmp_path, {"a_depth": picture(6, 8, 1)}, {"language_instruction": {"text": {}}})
    refused(tmp_path, ManifestError, "features.json", "no camera ''", "a_depth")
    (tmp_path / "features.json").write_text('{"featuresDict": []}')
    refused(tmp_path, ManifestError, "features.json", "restore it")
    (tmp_path / "dataset_info.json").write_text("{")
    refused(tmp_path, ManifestError, "dataset_info.json", "restore it")
    (tmp_path / "dataset_info.json").write_text('{"name": "toy", "splits": [], "fileFormat": "riegeli"}')
    refused(tmp_path, ManifestError, "'riegeli'", "convert")


def test_no_episodes(tmp_path: Path) -> None:
    write_json(tmp_path, OBSERVATION, {"language_instruction": {"text": {}}}, shardLengths=[])
    refused(tmp_path, EmptySourceError, "'train'", "no episodes")


@pytest.mark.skipif(not REAL.exists(), reason="the shared sample data are not beside the project")
def test_real_episodes() -> None:
    root = REAL / "octo_bridge_rlds/tests/debug_dataset/bridge_dataset/1.0.0"
    found: list[SourceTrajectory] = list(read(config(root)))
    assert [len(f.frames) for f in found] == [10] * 25
    assert len({f.trajectory.group for f in found}) == 4
    assert all(f.trajectory.goal == " ".join(f.trajectory.goal.split()) != "" for f in found)
    for data in found[24].frames:
        pixels = np.asarray(Image.open(io.BytesIO(data)))
        assert pixels.shape == (64, 64, 3)
        assert pixels.std() > 10
    refused(root, ManifestError, "does not exist", "val", split="val")
