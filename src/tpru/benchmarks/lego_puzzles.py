"""LEGO-Puzzles (arXiv 2503.19990): eleven tasks of a hundred items each, from VLMEvalKit's ``LEGO.tsv``.

Columns ``index, image, question, A ... E, answer, question_type, hint, category, l2-category``. ``image`` is
a picture in base64, a list of such, or the index of a row with the same pictures. A marker ``<image 2>``
stands for the second picture of the row, and pictures that no marker names are not shown; without any marker
all pictures come first. Items of type ``sort`` are answered with their letters in order, the others with one.

The published overall figure is the mean over the tasks. With equally many items of each task, as published,
it is the share of all items, which the tables show as "all tasks".
"""

import ast
import base64
import binascii
import csv
import re
import sys
from functools import partial
from pathlib import Path

from tpru.benchmarks.questions import Question, Reading, text_of
from tpru.config.schema import LegoPuzzlesBenchmark
from tpru.errors import CorruptMediaError, EmptySourceError, ManifestError
from tpru.records import LETTERS
from tpru.synthesis.wording import IMAGE
from tpru.trajectories.sources.reading import LFS_HEAD

COLUMNS = ("index", "image", "question", "answer", "question_type", "category")
NUMBERED = re.compile(r"<image (\d+)>")
# A shorter text in the column of pictures is the index of another row.
LEAST_PICTURE = 64
Rows = dict[str, dict[str, str]]


def read(config: LegoPuzzlesBenchmark) -> Reading:
    """The questions of the file; it is kept in memory.

    Raises:
        EmptySourceError: there is no file, or it has no row.
        ManifestError: a column or a value is not as published.
    """
    file = Path(config.path)
    file = file / "LEGO.tsv" if file.is_dir() else file
    rows = read_tsv(file)
    where = {index: f"{file} row {number} (index {index})" for number, index in enumerate(rows, start=1)}
    return Reading([_question(rows, index, config, where[index]) for index in rows], [file])


def read_tsv(file: Path) -> Rows:
    """The rows of a tab-separated file by their index.

    Raises:
        EmptySourceError: the file is not there, or has no row.
        ManifestError: it is a Git LFS pointer, lacks a column, or an index is empty or stands twice.
    """
    if not file.is_file():
        raise EmptySourceError(f"{file} does not exist; correct the path")
    with file.open("rb") as start:
        if start.read(len(LFS_HEAD)) == LFS_HEAD:
            raise ManifestError(f"{file} is a Git LFS pointer; fetch the file with git lfs pull")
    csv.field_size_limit(sys.maxsize)
    rows: Rows = {}
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            table = csv.DictReader(stream, delimiter="\t", strict=True)
            missing = [name for name in COLUMNS if name not in (table.fieldnames or ())]
            if missing:
                raise ManifestError(f"{file} lacks the column(s) {missing}; it has {table.fieldnames}")
            for number, row in enumerate(table, start=1):
                if None in row or None in row.values() or not row["index"] or row["index"] in rows:
                    raise ManifestError(
                        f"{file} row {number} has the index {row['index']!r:.40} and {len(row)} of "
                        f"{len(table.fieldnames or ())} fields; expected an index of its own and all fields: "
                        "download the file again"
                    )
                rows[row["index"]] = row
    except (csv.Error, UnicodeDecodeError) as error:
        raise ManifestError(
            f"{file} is no table in tab-separated UTF-8 ({error}); download it again"
        ) from error
    if not rows:
        raise EmptySourceError(f"{file} has no row")
    return rows


def _question(rows: Rows, index: str, config: LegoPuzzlesBenchmark, where: str) -> Question:
    row = rows[index]
    kind = row["question_type"].strip()
    if kind not in ("mcq", "sort"):
        raise ManifestError(f"{where}: 'question_type' is {kind!r:.40}; expected 'mcq' or 'sort'")
    text = text_of(row, "question", where)
    if row.get("hint"):
        text = f"{row['hint'].strip()}\n{text}"
    options = _options(row)
    if kind == "sort":
        # The options are what is put in order: they belong to the text.
        text += "".join(f"\n{LETTERS[i]}. {option}" for i, option in enumerate(options))
        options = ()
    whole = "\n".join([text, *options])
    numbers = [int(n) for n in NUMBERED.findall(whole)]
    category = text_of(row, "category", where).strip()
    return Question(
        question_id=index,
        category=config.categories.get(category, category),
        group=index,
        text=NUMBERED.sub(IMAGE, text),
        options=tuple(NUMBERED.sub(IMAGE, option) for option in options),
        answer=re.sub(r"[\s,>-]", "", text_of(row, "answer", where)).upper(),
        pictures=partial(_pictures, rows, index, numbers, where),
        where=where,
        scenario=row.get("l2-category", "").strip(),
    )


def _options(row: dict[str, str]) -> tuple[str, ...]:
    """The filled columns from A on."""
    texts = [row.get(letter, "").strip() for letter in LETTERS]
    return tuple(texts[: next((i for i, text in enumerate(texts) if not text), len(texts))])


def _pictures(rows: Rows, index: str, numbers: list[int], where: str) -> list[bytes]:
    """The pictures in the order of the markers, or all of the row where there are no markers."""
    stored = rows[index]["image"].strip()
    if len(stored) <= LEAST_PICTURE:
        if stored not in rows:
            raise ManifestError(f"{where}: 'image' is {stored!r}; expected base64, or the index of a row")
        stored = rows[stored]["image"].strip()
    try:
        listed = ast.literal_eval(stored) if stored.startswith("[") else [stored]
        pictures = [base64.b64decode(text, validate=True) for text in listed]
    except (ValueError, SyntaxError, TypeError, binascii.Error) as error:
        raise CorruptMediaError(
            f"{where}: 'image' is neither base64 nor a list of such ({error}); download the file again"
        ) from error
    beyond = [n for n in numbers if not 1 <= n <= len(pictures)]
    if beyond:
        raise ManifestError(
            f"{where}: the text names picture {beyond[0]} of {len(pictures)}; restore the file"
        )
    return [pictures[n - 1] for n in numbers] or pictures
