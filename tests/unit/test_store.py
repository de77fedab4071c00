"""Records and pictures survive the way through Parquet, and a wrong file is named, not guessed at."""

import dataclasses
import io
from pathlib import Path
from types import UnionType
from typing import Any, cast, get_args, get_origin, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.unit.builders import jpeg, make_item, make_sequence, scene, solid
from tpru import store
from tpru.errors import UpstreamError
from tpru.files import sha256_bytes
from tpru.records import (
    Alternative,
    Caption,
    FrameState,
    Item,
    KeyFrame,
    Media,
    Prediction,
    Sequence,
    Step,
    Thing,
    Trajectory,
)
from tpru.store import FrameStore, read_records, write_frames, write_records

TEXTS = st.text(max_size=12) | st.sampled_from(["", "Rührei 🍳", "左へ\n曲がる", '"quoted", text', "nan"])
INTEGERS = st.integers(-(2**63), 2**63 - 1)
SECONDS = st.floats(allow_nan=False)
RECORDS = (
    *(Trajectory, Sequence, Caption, Item, Prediction, Media, Step, KeyFrame),
    *(Alternative, Thing, FrameState),
)


def records_of(record_type: type) -> st.SearchStrategy[Any]:
    """Any value of a record type, from its annotations, with awkward texts and empty tuples."""
    return st.builds(record_type, **{n: values_of(hint) for n, hint in get_type_hints(record_type).items()})


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a field annotation."""
    if dataclasses.is_dataclass(hint):
        return records_of(cast(type, hint))
    if get_origin(hint) is tuple:
        return st.lists(values_of(get_args(hint)[0]), max_size=3).map(tuple)
    if get_origin(hint) is UnionType:
        return st.none() | values_of(get_args(hint)[0])
    return {str: TEXTS, int: INTEGERS, float: SECONDS}.get(hint, st.from_type(hint))


@pytest.mark.parametrize("record_type", RECORDS)
def test_records_come_back_as_they_were(record_type: type, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("records") / "deep" / "records.parquet"

    @settings(deadline=None, max_examples=25)
    @given(st.lists(records_of(record_type), max_size=3))
    def check(records: list[Any]) -> None:
        assert write_records(path, record_type, iter(records)) == len(records)
        assert read_records(path, record_type) == records

    check()


def test_tuples_come_back_as_tuples_at_every_depth(tmp_path: Path) -> None:
    sequence = make_sequence(alternatives=2, level="L3")
    item = make_item(shown=())
    write_records(tmp_path / "s", Sequence, [sequence])
    write_records(tmp_path / "i", Item, [item])
    (read,) = read_records(tmp_path / "s", Sequence)
    assert isinstance(read.frames, tuple)
    assert isinstance(read.frames[0], KeyFrame)
    assert isinstance(read.alternatives[1], KeyFrame)
    assert hash(read) == hash(sequence)
    assert read_records(tmp_path / "i", Item)[0].shown == ()


def test_a_state_comes_back_with_its_boxes_and_the_bytes_of_its_labels(tmp_path: Path) -> None:
    things = (Thing("the cube", "in the gripper", (0.1, 0.2, 0.3, 0.4)), Thing("the lid", "hidden"))
    states = [FrameState("t", k, k / 2, things, solid((k, 0, 0))) for k in range(3)]
    write_records(tmp_path / "states", FrameState, states)
    assert read_records(tmp_path / "states", FrameState) == states


def test_more_records_than_one_batch_keep_their_order(tmp_path: Path) -> None:
    captions = [Caption(f"s{i}", "p", "n", "template") for i in range(2001)]
    assert write_records(tmp_path / "c", Caption, captions) == 2001
    assert read_records(tmp_path / "c", Caption) == captions


def test_a_missing_file_is_an_upstream_error(tmp_path: Path) -> None:
    with pytest.raises(UpstreamError, match=r"nowhere\.parquet is missing"):
        read_records(tmp_path / "nowhere.parquet", Item)


@pytest.mark.parametrize("change", ["one more", "one less", "renamed"])
def test_other_columns_are_an_upstream_error(change: str, tmp_path: Path) -> None:
    path = tmp_path / "captions.parquet"
    row = dataclasses.asdict(Caption("s", "p", "n", "template"))
    if change == "one more":
        row["score"] = 1
    else:
        text = row.pop("negative")
        if change == "renamed":
            row["negativ"] = text
    pq.write_table(pa.Table.from_pylist([row]), path)
    with pytest.raises(UpstreamError, match=r"captions\.parquet has the columns"):
        read_records(path, Caption)


def test_records_that_cannot_be_made_leave_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "captions.parquet"
    old = [Caption("s", "p", "n", "template")]
    write_records(path, Caption, old)

    def broken() -> Any:
        yield Caption("new", "p", "n", "template")
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError, match="the source broke"):
        write_records(path, Caption, broken())
    assert read_records(path, Caption) == old
    assert [p.name for p in tmp_path.iterdir()] == ["captions.parquet"]


# Pictures.


def test_a_frame_is_stored_once_and_its_bytes_stay(tmp_path: Path) -> None:
    first, second = jpeg(scene()), jpeg(scene(at=(60, 40)))
    path = tmp_path / "frames.parquet"
    assert write_frames(path, [first, second, first, second, first]) == 2
    frames = FrameStore([path])
    assert len(frames) == 2
    assert frames.ids_in_order() == [sha256_bytes(first), sha256_bytes(second)]
    assert frames.encoded(sha256_bytes(first)) == first
    assert frames.encoded(sha256_bytes(second)) == second
    table = pq.read_table(path)
    assert table.column("width").to_pylist() == [112, 112]


def test_a_frame_store_finds_every_picture_of_every_file_in_any_order(tmp_path: Path) -> None:
    # More than one row group (200 pictures) in the first file.
    files = [
        [solid((i % 256, i // 256, 9), (4 + i % 3, 5)) for i in range(450)],
        [solid((i, 0, 200), (6, 5)) for i in range(3)],
    ]
    for number, pictures in enumerate(files):
        assert write_frames(tmp_path / f"{number}", pictures) == len(pictures)
    frames = FrameStore([tmp_path / "0", tmp_path / "1"])
    known = {sha256_bytes(data): data for pictures in files for data in pictures}
    assert set(frames.ids_in_order()) == set(known)
    mixed = [name for k in range(7) for name in list(known)[k::7]]
    assert all(frames.encoded(name) == known[name] for name in mixed)
    assert all(name in frames for name in known)
    image = frames.image(sha256_bytes(files[0][1]))
    assert (image.mode, image.size, image.getpixel((0, 0))) == ("RGB", (5, 5), (1, 0, 9))


def test_an_unknown_frame_is_an_upstream_error(tmp_path: Path) -> None:
    write_frames(tmp_path / "frames.parquet", [])
    frames = FrameStore([tmp_path / "frames.parquet"])
    assert len(frames) == 0
    assert "abc" not in frames
    with pytest.raises(UpstreamError, match="frame abc"):
        frames.encoded("abc")


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1"])
def test_pictures_of_every_mode_are_read_as_rgb(mode: str) -> None:
    buffer = io.BytesIO()
    scene().convert(mode).save(buffer, format="PNG")
    assert store.decode_image(buffer.getvalue()).mode == "RGB"


def test_equal_pixels_give_equal_bytes() -> None:
    assert store.encode_png(scene()) == store.encode_png(scene())
    assert store.encode_jpeg(scene(), 95) == store.encode_jpeg(scene(), 95)
    with Image.open(io.BytesIO(store.encode_png(scene()))) as image:
        assert image.convert("RGB").tobytes() == scene().tobytes()
