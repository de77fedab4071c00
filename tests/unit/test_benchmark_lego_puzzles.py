"""LEGO-Puzzles: a LEGO.tsv as VLMEvalKit has it, written here."""

import base64
import csv
from pathlib import Path
from typing import Any

import pytest

from tests.unit.benchmark_files import configured, picture
from tpru.benchmarks import lego_puzzles
from tpru.benchmarks.questions import Question, make_item
from tpru.config.schema import LegoPuzzlesBenchmark
from tpru.errors import CorruptMediaError, EmptySourceError, ManifestError
from tpru.evaluation.parsing import option_letters, parse_answer
from tpru.evaluation.scoring import chance, n_labels
from tpru.files import sha256_bytes
from tpru.synthesis.wording import CHOICE_FORM, ORDER_FORM

COLUMNS = (
    "index",
    "image",
    "question",
    *"ABCDE",
    "answer",
    "question_type",
    "hint",
    "category",
    "l2-category",
    "split",
)


def encoded(*numbers: int) -> str:
    texts = [base64.b64encode(picture(n)).decode() for n in numbers]
    return texts[0] if len(texts) == 1 else str(texts)


def mcq(index: int = 0, **changes: str) -> dict[str, str]:
    row = dict.fromkeys(COLUMNS, "") | {
        "index": str(index), "image": encoded(0, 1, 2), "question": 'From <image 1>,\nwhich "step" is next?',
        "A": "<image 2>", "B": "<image 3>", "answer": "B", "question_type": "mcq", "category": "next_step",
        "l2-category": "single step", "split": "test",
    }  # fmt: skip
    return row | changes


def sort(index: int = 1, **changes: str) -> dict[str, str]:
    row = mcq(index, image=encoded(*range(5)), question="Built: <image 1>. Order?", question_type="sort")
    row |= {letter: f"<image {n}>" for n, letter in enumerate("ABCD", start=2)}
    return row | {"answer": "BDAC", "category": "7_Ordering"} | changes


def write(folder: Path, *rows: dict[str, str]) -> Path:
    """As pandas writes it: quotes only where a field needs them."""
    with (folder / "LEGO.tsv").open("w", newline="") as stream:
        table = csv.DictWriter(stream, list(rows[0]), delimiter="\t", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    return folder


def config(path: Path, *overrides: str) -> LegoPuzzlesBenchmark:
    made = configured("lego_puzzles", path, "licence=unknown", *overrides)
    assert isinstance(made, LegoPuzzlesBenchmark)
    return made


def read(folder: Path, *rows: dict[str, str]) -> list[Question]:
    return lego_puzzles.read(config(write(folder, *rows))).questions


def test_a_choice_with_pictures_in_place(tmp_path: Path) -> None:
    (question,) = read(tmp_path, mcq())
    item, pictures = make_item("lego", question, config(tmp_path))
    ids = [sha256_bytes(picture(k)) for k in range(3)]
    spoken = "".join(b.value if b.type == "text" else f"[{ids.index(b.value)}]" for b in item.prompt)
    assert spoken == f'From [0],\nwhich "step" is next?\nA. [1]\nB. [2]\n{CHOICE_FORM}'
    assert list(pictures) == ids
    assert (item.task, item.scenario, item.answer, item.group) == ("Next-Step", "single step", "B", "0")


def test_an_order_is_of_its_letters_not_of_all_pictures(tmp_path: Path) -> None:
    (question,) = read(tmp_path, sort())
    item, _ = make_item("lego", question, config(tmp_path))
    assert (item.task, item.answer, item.options, len(item.shown)) == ("Ordering", "BDAC", (), 5)
    assert item.prompt[-1].value.endswith(ORDER_FORM)
    assert chance(item) == 1 / 24
    said = "<think>x</think><answer>BDAC</answer>"
    assert parse_answer(said, option_letters(item), n_labels(item)) == item.answer


def test_pictures_out_of_order_repeated_unnamed_and_shared(tmp_path: Path) -> None:
    turned = mcq(question="<image 3> and <image 1> and <image 3>?", A="yes", B="no")
    shared = mcq(1, image="0", question="What?", A="yes", B="no")
    first, second = read(tmp_path, turned, shared)
    assert first.pictures() == [picture(2), picture(0), picture(2)]  # the second is not shown
    assert second.pictures() == [picture(0), picture(1), picture(2)]
    item, _ = make_item("lego", second, config(tmp_path))
    assert [b.type for b in item.prompt] == ["image"] * 3 + ["text"]


def test_a_hint_stands_before_the_question_and_a_single_picture_needs_no_list(tmp_path: Path) -> None:
    (question,) = read(tmp_path, mcq(hint="Look closely.", image=encoded(4), question="What?", A="x", B="y"))
    assert question.text == "Look closely.\nWhat?"
    assert question.pictures() == [picture(4)]


def test_categories_are_mapped_and_unknown_ones_kept(tmp_path: Path) -> None:
    names = ("3_Error", "outlier", "12_rotate_composition")
    found = read(tmp_path, *(mcq(k, category=name) for k, name in enumerate(names)))
    assert [q.category for q in found] == ["Outlier", "Outlier", "12_rotate_composition"]
    own = config(tmp_path, "categories.outlier=Odd")
    assert lego_puzzles.read(own).questions[1].category == "Odd"


def test_the_eleven_tasks_of_the_paper_can_all_be_reached(tmp_path: Path) -> None:
    assert len(set(config(tmp_path).categories.values())) == 11


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"question_type": "open"}, ManifestError, r"LEGO\.tsv row 2 \(index 1\): 'question_type' is 'open'"),
        ({"question": " "}, ManifestError, r"row 2 \(index 1\): 'question' is ' '"),
        ({"category": ""}, ManifestError, "'category' is ''"),
        ({"question": "<image 4>"}, ManifestError, r"\(index 1\): the text names picture 4 of 3"),
        ({"image": "77"}, ManifestError, "'image' is '77'; expected base64, or the index of a row"),
        ({"image": "x y " * 40}, CorruptMediaError, "'image' is neither base64 nor a list of such"),
        ({"image": "[" + "'a" * 60}, CorruptMediaError, "'image' is neither base64"),
        (
            {"answer": "C"},
            ManifestError,
            r"row 2 \(index 1\): the answer is 'C'; expected one of the letters AB",
        ),
    ],
)
def test_wrong_values_are_named(tmp_path: Path, changes: dict[str, str], error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        make_item("lego", read(tmp_path, mcq(), mcq(1, **changes))[1], config(tmp_path))


def test_wrong_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(EmptySourceError, match=r"LEGO\.tsv does not exist"):
        lego_puzzles.read(config(tmp_path))
    with pytest.raises(ManifestError, match=r"row 2 has the index '0'"):
        read(tmp_path, mcq(), mcq())
    short = {k: v for k, v in mcq().items() if k != "question_type"}
    with pytest.raises(ManifestError, match=r"lacks the column\(s\) \['question_type'\]; it has"):
        read(tmp_path, short)
    file = write(tmp_path, mcq(), mcq(1)) / "LEGO.tsv"
    whole = file.read_bytes()
    file.write_bytes(whole[:-40])  # the last row was cut off
    with pytest.raises(ManifestError, match="row 2 has the index '1'"):
        lego_puzzles.read(config(file))
    file.write_bytes(b"\xff\xfe" + whole)
    with pytest.raises(ManifestError, match="no table in tab-separated UTF-8"):
        lego_puzzles.read(config(file))
    file.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(ManifestError, match="Git LFS pointer"):
        lego_puzzles.read(config(file))
    file.write_bytes(whole.splitlines(keepends=True)[0])
    with pytest.raises(EmptySourceError, match="has no row"):
        lego_puzzles.read(config(file))
