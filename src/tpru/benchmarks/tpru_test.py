"""TPRU-Test (arXiv 2602.18884): 461 items of temporal reordering, next and previous frames.

Parquet files whose columns are detected, since no description of them is published: a text with ``<image>``
markers, its pictures and the answer; options, category, scenario and id where there are such columns. An
answer of one letter chooses among options, which stand in a column of their own or lettered in the text;
an answer of several letters is the order of the pictures, written out.
"""

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tpru.benchmarks.parquet import Pictures, Row, column_names, parquet_files, rows
from tpru.benchmarks.questions import Question, Reading, text_of, texts_of
from tpru.config.schema import TpruTestBenchmark
from tpru.errors import ManifestError
from tpru.records import LETTERS

# "A. ", "A) ", "A: " or "(A) " before something: at the start of a line, or else anywhere.
MARK = r"(?:\(([A-H])\)|([A-H])[.):])(?=\s*\S)"
LETTERED = (re.compile(r"^\s*" + MARK, re.MULTILINE), re.compile(r"(?<![\w.])" + MARK))
AROUND = re.compile(r"</?answer>|[\s,>-]")


@dataclass(frozen=True)
class Columns:
    """What the columns are called; empty where there is none of a kind."""

    text: str
    pictures: str
    answer: str
    options: str
    category: str
    scenario: str
    question_id: str


def read(config: TpruTestBenchmark) -> Reading:
    """The questions of all files.

    Raises:
        EmptySourceError: there are no files.
        ManifestError: no text, answer or pictures among the columns, or a value is malformed.
    """
    files = parquet_files(Path(config.path))
    columns = detect(column_names(files), files[0])
    named = [name for key, name in vars(columns).items() if name and key != "pictures"]
    pictures = Pictures(columns.pictures)
    return Reading([_question(row, columns, pictures) for row in rows(files, named)], files)


def detect(found: list[str], file: Path) -> Columns:
    """Which columns there are; of several names for one thing the first that is there is taken.

    Raises:
        ManifestError: there is no text, no answer or no pictures; it names the columns that there are.
    """

    def first(*names: str) -> str:
        return next((name for name in names if name in found), "")

    def needed(*names: str) -> str:
        if not first(*names):
            raise ManifestError(f"{file} has the columns {found}; expected one called {' or '.join(names)}")
        return first(*names)

    return Columns(
        text=needed("problem", "question"),
        pictures=needed("images", "image_list"),
        answer=needed("answer"),
        options=first("options", "choices"),
        category=first("task", "task_type", "category"),
        scenario=first("scenario", "source", "data_source"),
        question_id=first("id", "idx", "index"),
    )


def _question(row: Row, columns: Columns, pictures: Pictures) -> Question:
    values = row.values
    place = f"{row.file.stem}/{row.in_file}"
    text = text_of(values, columns.text, row.where)
    answer = AROUND.sub("", text_of(values, columns.answer, row.where)).strip(".()").upper()
    options, stated = _options(values, columns, text, row.where) if len(answer) == 1 else ((), False)
    return Question(
        question_id=str(values[columns.question_id]) if columns.question_id else place,
        category=_optional(values, columns.category),
        group=place,
        text=text,
        options=options,
        answer=answer,
        pictures=partial(pictures.of, row),
        where=row.where,
        scenario=_optional(values, columns.scenario),
        options_in_text=stated,
    )


def _optional(values: dict[str, Any], name: str) -> str:
    return str(values[name] or "").strip() if name else ""


def _options(values: dict[str, Any], columns: Columns, text: str, where: str) -> tuple[tuple[str, ...], bool]:
    """The options of an item, and whether its text lists them already."""
    options = lettered(text)
    if columns.options and values[columns.options]:
        listed = texts_of(values, columns.options, where)
        return listed, len(listed) == len(options)
    if not options:
        raise ManifestError(
            f"{where}: the answer is one letter, but the text letters no options; expected lines such as "
            "'A. ...', or a column called options"
        )
    return options, True


def lettered(text: str) -> tuple[str, ...]:
    """The options that a text lists from A on, the last list of it; () where it lists none."""
    for pattern in LETTERED:
        marks = list(pattern.finditer(text))
        letters = "".join(m[1] or m[2] for m in marks)
        start = letters.rfind("A")
        length = next((n for n in range(len(LETTERS), 1, -1) if letters.startswith(LETTERS[:n], start)), 0)
        if start >= 0 and length:
            run = marks[start : start + length]
            ends = [*(m.start() for m in run[1:]), len(text)]
            texts = [text[m.end() : end].strip() for m, end in zip(run, ends, strict=True)]
            return (*texts[:-1], texts[-1].split("\n")[0])
    return ()
