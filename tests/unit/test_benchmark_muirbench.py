"""MuirBench: shards in its form, written here, and what is refused of them."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.unit.benchmark_files import (
    NONE,
    configured,
    muirbench_rows,
    picture,
    write_muirbench,
    write_parquet,
)
from tpru.benchmarks import muirbench
from tpru.benchmarks.questions import Reading, rejects
from tpru.errors import CorruptMediaError, EmptySourceError, ManifestError


def read(path: Path) -> Reading:
    return muirbench.read(configured("muirbench", path))  # type: ignore[arg-type]


def test_all_shards_are_read_in_order(tmp_path: Path) -> None:
    found = read(write_muirbench(tmp_path, 4))
    assert [q.question_id for q in found.questions] == [str(k) for k in range(8)]
    assert [q.category for q in found.questions[:4]] == ["Counting"] * 2 + ["Ordering"] * 2
    assert [f.name for f in found.files] == ["test-00000-of-00002.parquet", "test-00001-of-00002.parquet"]
    first = found.questions[0]
    assert (first.text, first.options[-1], first.answer) == ("<image> What does <image> show?", NONE, "B")


def test_counterparts_are_one_group_and_half_of_them_unanswerable(tmp_path: Path) -> None:
    config = configured("muirbench", write_muirbench(tmp_path, 4))
    questions = muirbench.read(config).questions  # type: ignore[arg-type]
    for answerable, twin in zip(questions[::2], questions[1::2], strict=True):
        assert answerable.group == twin.group
        assert (rejects(answerable, config), rejects(twin, config)) == (False, True)
    assert len({q.group for q in questions}) == 4


def test_pictures_are_those_of_the_row_in_any_order_of_asking(tmp_path: Path) -> None:
    questions = read(write_muirbench(tmp_path, 4)).questions
    for k in (7, 0, 3, 2, 5):
        pair = k // 2
        assert questions[k].pictures() == [picture(10 * pair + n) for n in range(4 if pair % 2 else 2)]


def test_a_single_file_and_numbers_as_ids(tmp_path: Path) -> None:
    rows = [
        {**r, "idx": int(r["idx"]), "counterpart_idx": int(r["counterpart_idx"])} for r in muirbench_rows(1)
    ]
    found = read(write_parquet(tmp_path / "some.parquet", rows))
    assert [(q.question_id, q.group) for q in found.questions] == [("0", "0+1"), ("1", "0+1")]


def test_an_item_without_a_counterpart_is_its_own_group(tmp_path: Path) -> None:
    rows = [{**muirbench_rows(1)[0], "counterpart_idx": "-1"}]
    assert read(write_parquet(tmp_path / "a.parquet", rows)).questions[0].group == "0"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"answer": " "}, r"a\.parquet row 1: 'answer' is ' '; expected a text"),
        ({"task": None}, "row 1: 'task' is None"),
        ({"options": ["one"]}, r"row 1: 'options' is \['one'\]; expected a list"),
    ],
)
def test_wrong_values_are_refused_with_file_row_and_field(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    rows = muirbench_rows(1)
    rows[1] |= changes
    with pytest.raises(ManifestError, match=message):
        read(write_parquet(tmp_path / "a.parquet", rows))


def test_missing_columns_are_named_beside_those_that_are_there(tmp_path: Path) -> None:
    rows = [{k: v for k, v in r.items() if k != "counterpart_idx"} for r in muirbench_rows(1)]
    with pytest.raises(ManifestError, match=r"lacks the column\(s\) \['counterpart_idx'\]; it has \['idx'"):
        read(write_parquet(tmp_path / "a.parquet", rows))


def test_missing_and_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EmptySourceError, match="holds no Parquet file"):
        read(tmp_path)
    folder = write_muirbench(tmp_path / "muir")
    shutil.copy(folder / "data/test-00000-of-00002.parquet", folder / "data/other-00000-of-00003.parquet")
    with pytest.raises(ManifestError, match=r"of the 3 shards other-\*-of-00003 the numbers \[1, 2\] are"):
        read(folder)
    (folder / "data/other-00000-of-00003.parquet").unlink()
    broken = folder / "data/test-00001-of-00002.parquet"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:-30])
    with pytest.raises(ManifestError, match=r"test-00001-of-00002\.parquet cannot be read as Parquet"):
        read(folder)
    broken.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(ManifestError, match="Git LFS pointer"):
        read(folder)
    write_parquet(broken, [{**r, "more": 1} for r in muirbench_rows(1)])
    with pytest.raises(ManifestError, match="files of one benchmark have the same columns"):
        read(folder)


def test_pictures_by_path_lie_beside_the_file(tmp_path: Path) -> None:
    rows = muirbench_rows(1)[:1]
    rows[0]["image_list"] = [{"bytes": None, "path": f"pictures/{k}.png"} for k in range(2)]
    path = write_parquet(tmp_path / "a.parquet", rows)
    (question,) = read(path).questions
    with pytest.raises(
        CorruptMediaError, match=r"row 0: picture 1 in 'image_list' has no bytes, and .*0\.png"
    ):
        question.pictures()
    (tmp_path / "pictures").mkdir()
    for k in range(2):
        (tmp_path / f"pictures/{k}.png").write_bytes(picture(k))
    assert question.pictures() == [picture(0), picture(1)]
