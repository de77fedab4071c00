"""TPRU-Test: columns and answers in each of the forms in which it may come, written here."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.benchmark_files import NONE, configured, picture, stored, write_parquet
from tpru.benchmarks import tpru_test
from tpru.benchmarks.questions import Question, make_item
from tpru.benchmarks.tpru_test import lettered
from tpru.config.schema import TpruTestBenchmark
from tpru.errors import ManifestError
from tpru.records import Item
from tpru.synthesis.wording import CHOICE_FORM, ORDER_FORM

LISTED = f"Which comes next? <image>\nA. <image>\nB. <image>\nC. {NONE}"
ORDER = "Put in order: A: <image> B: <image> C: <image> D: <image>"


def config(path: Path) -> TpruTestBenchmark:
    made = configured("tpru_test", path, "licence=CC0")
    assert isinstance(made, TpruTestBenchmark)
    return made


def row(text: str, answer: str, pictures: int, **more: Any) -> dict[str, Any]:
    return {"problem": text, "answer": answer, "images": stored(picture(k) for k in range(pictures))} | more


def read(path: Path, *rows: dict[str, Any], pictures: str = "images") -> list[Question]:
    return tpru_test.read(config(write_parquet(path / "test.parquet", list(rows), pictures))).questions


def items(path: Path, *rows: dict[str, Any]) -> list[Item]:
    return [make_item("t", q, config(path))[0] for q in read(path, *rows)]


@pytest.mark.parametrize("answer", ["B", " b. ", "(B)", "<answer>B</answer>"])
def test_options_that_the_text_lists(tmp_path: Path, answer: str) -> None:
    (item,) = items(tmp_path, row(LISTED, answer, 3))
    assert (item.answer, item.is_negative, item.task, item.scenario) == ("B", False, "", "")
    assert [(o.letter, o.kind) for o in item.options] == [("A", "image"), ("B", "image"), ("C", "none")]
    assert [o.content for o in item.options[:2]] == list(item.shown[1:])
    text = "".join(b.value for b in item.prompt if b.type == "text")
    assert text == LISTED.replace("<image>", "") + "\n" + CHOICE_FORM


def test_a_right_reject_option_makes_it_unanswerable(tmp_path: Path) -> None:
    (item,) = items(tmp_path, row(LISTED.replace("choices", "choice"), "C", 3))
    assert item.negative_kind == "unanswerable"


@pytest.mark.parametrize("answer", ["BDAC", "B, D, A, C", "b > d > a > c", "B-D-A-C"])
def test_an_order_written_out_has_no_options(tmp_path: Path, answer: str) -> None:
    (item,) = items(tmp_path, row(ORDER, answer, 4))
    assert (item.answer, item.options) == ("BDAC", ())
    assert item.prompt[-1].value.endswith(ORDER_FORM)


def test_both_answer_forms_and_optional_columns_in_one_file(tmp_path: Path) -> None:
    more = {"task": "ordering", "source": "robot", "id": 17}
    first, second = read(tmp_path, row(ORDER, "DCBA", 4, **more), row(LISTED, "A", 3, **more | {"id": 18}))
    assert (first.question_id, first.category, first.scenario) == ("17", "ordering", "robot")
    assert (second.question_id, second.options_in_text, first.options) == ("18", True, ())
    assert first.group != second.group


def test_options_in_a_column_are_added_to_the_text_unless_it_has_them(tmp_path: Path) -> None:
    options = ["2413", "4321", NONE]
    listed = "<image> Which order?\nA. 2413\nB. 4321\nC. " + NONE
    bare, whole = items(
        tmp_path,
        row("<image> Which order?", "B", 1, options=options),
        row(listed, "B", 1, options=options),
    )
    assert bare.prompt == whole.prompt
    assert [o.kind for o in bare.options] == ["text", "text", "none"]


def test_other_names_of_columns(tmp_path: Path) -> None:
    made = row(LISTED, "A", 3)
    renamed = {"question": made["problem"], "answer": "A", "image_list": made["images"], "idx": "x"}
    (found,) = read(tmp_path, renamed, pictures="image_list")
    assert (found.text, found.question_id, len(found.pictures())) == (LISTED, "x", 3)


def test_unknown_columns_are_named(tmp_path: Path) -> None:
    renamed = {"prompt_text": LISTED, "answer": "A", "images": stored([picture(0)])}
    with pytest.raises(
        ManifestError, match=r"has the columns \['prompt_text', 'answer', 'images'\]; expected one"
    ):
        read(tmp_path, renamed)


@pytest.mark.parametrize(
    ("text", "answer", "message"),
    [
        (
            "<image> Which?",
            "B",
            r"test\.parquet row 0: the answer is one letter, but the text letters no options",
        ),
        (LISTED, "", "'answer' is ''; expected a text"),
        (" ", "A", "'problem' is ' '; expected a text"),
    ],
)
def test_malformed_rows_are_named(tmp_path: Path, text: str, answer: str, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        read(tmp_path, row(text, answer, 1))


def test_answers_beyond_the_options_and_digits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"row 0: the answer is 'E'; expected one of the letters ABC"):
        items(tmp_path, row(LISTED, "E", 3))
    with pytest.raises(ManifestError, match=r"the answer is '2413'; expected an order of the letters"):
        items(tmp_path, row(ORDER, "2413", 4))


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("Which?\n(A) one\n(B) two words\nAnswer now.", ("one", "two words")),
        ("Which? A) one B) two", ("one", "two")),
        ("Picture A: <image>\nPicture B: <image>\nWhich order?\nA. AB\nB. BA", ("AB", "BA")),
        ("A: <image>\nB: <image>\nWhich?\nA. AB\nB. BA\nC. none", ("AB", "BA", "none")),
        ("No options, U.S.A. and plan B.", ()),
        ("Only A. one", ()),
    ],
)
def test_lettered_options(text: str, options: tuple[str, ...]) -> None:
    assert lettered(text) == options
