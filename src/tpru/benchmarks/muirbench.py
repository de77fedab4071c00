"""MuirBench (arXiv 2406.09411): twelve tasks on several pictures, each item with an unanswerable counterpart.

Parquet shards with ``idx, task, question, options, answer, image_list, counterpart_idx``; markers stand in
the question and in the options. Task names are kept. A pair of counterparts is one group. All items offer
"None of the choices provided", which is right for the unanswerable one of each pair.
"""

from functools import partial
from pathlib import Path

from tpru.benchmarks.parquet import Pictures, Row, parquet_files, rows
from tpru.benchmarks.questions import Question, Reading, text_of, texts_of
from tpru.config.schema import MuirbenchBenchmark

COLUMNS = ("idx", "task", "question", "options", "answer", "counterpart_idx")


def read(config: MuirbenchBenchmark) -> Reading:
    """The questions of all shards.

    Raises:
        EmptySourceError: there are no files.
        ManifestError: a file, a column or a value is not as published.
    """
    files = parquet_files(Path(config.path))
    pictures = Pictures("image_list")
    return Reading([_question(row, pictures) for row in rows(files, COLUMNS)], files)


def _question(row: Row, pictures: Pictures) -> Question:
    values = row.values
    return Question(
        question_id=str(values["idx"]),
        category=text_of(values, "task", row.where).strip(),
        group=_pair(values["idx"], values["counterpart_idx"]),
        text=text_of(values, "question", row.where),
        options=texts_of(values, "options", row.where),
        answer=text_of(values, "answer", row.where).strip().upper(),
        pictures=partial(pictures.of, row),
        where=row.where,
    )


def _pair(idx: object, counterpart: object) -> str:
    """The same name for both of a pair; the item's own where it has no counterpart."""
    alone = counterpart is None or str(counterpart) in ("", "-1")
    return str(idx) if alone else "+".join(sorted({str(idx), str(counterpart)}))
