"""Tables as Markdown and LaTeX: escaped, of even lines, and typeset where there is a LaTeX."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.test_report_page import report_inputs
from tpru.reporting.markup import LATEX, latex, latex_file, markdown, markdown_file
from tpru.reporting.page import every_table
from tpru.reporting.tables import MINUS, Cell, Line, Table

AWKWARD = r"a_b & 50% of $x^2$ # {~} \ <i> | [c] *d* `e`"
TABLE = Table(
    ("model", "task", "accuracy"),
    (
        Line("always_none", (Cell("all tasks"), Cell("37.1%", "[34.2, 40.2]\N{EN SPACE}n 975"))),
        Line(AWKWARD, (Cell("next frame"), Cell(f"{MINUS}1.0"))),
    ),
)
CELLS = st.builds(Cell, st.text(max_size=12), st.text(max_size=12))
TABLES = st.integers(1, 4).flatmap(
    lambda n: st.builds(
        Table,
        st.tuples(*[st.text(max_size=12)] * (n + 1)),
        st.lists(st.builds(Line, st.text(max_size=12), st.tuples(*[CELLS] * n)), max_size=3).map(tuple),
    )
)
DOCUMENT = r"""\documentclass{article}
\usepackage{booktabs}
\usepackage{graphicx}
\begin{document}
\input{tables.tex}
\end{document}
"""


def bare(text: str) -> str:
    """LaTeX without what is escaped by a backslash."""
    return re.sub(r"\\[\\{}&%$#_]", "", text)


def test_markdown_as_it_is_read() -> None:
    assert markdown(TABLE).splitlines() == [
        "| model | task | accuracy |",
        "| --- | --- | ---: |",
        "| always_none | all tasks | 37.1% [34.2, 40.2] n 975 |",
        r"| a_b & 50% of $x^2$ # {~} \\ \<i\> \| [c] \*d\* \`e\` | next frame | " + f"{MINUS}1.0 |",
    ]


def test_latex_as_it_is_read() -> None:
    lines = latex(TABLE, "50% & more").splitlines()
    assert r"\caption{50\% \& more}" in lines
    assert r"\begin{tabular}{llr}" in lines
    assert r"model & task & accuracy \\" in lines
    assert r"always\_none & all tasks & 37.1\% {[}34.2, 40.2] n 975 \\" in lines
    escaped = (
        r"a\_b \& 50\% of \$x\textasciicircum{}2\$ \# \{\textasciitilde{}\} \textbackslash{} "
        r"\textless{}i\textgreater{} \textbar{} {[}c] {*}d{*} `e` & next frame & $-$1.0 \\"
    )
    assert escaped in lines


@settings(max_examples=40)
@given(TABLES)
def test_every_line_of_markdown_has_as_many_cells_as_the_head(table: Table) -> None:
    lines = markdown(table).split("\n")
    assert len(lines) == len(table.lines) + 3
    assert {len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in lines[:-1]} == {len(table.head) + 1}


@settings(max_examples=40)
@given(TABLES, st.text(max_size=20))
def test_every_line_of_latex_has_as_many_cells_and_braces_match(table: Table, caption: str) -> None:
    text = latex(table, caption)
    # an end of a row is no escaped brace
    depth = 0
    for brace in re.findall(r"[{}]", bare(text)):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0
    rows = [line for line in text.split("\n") if line.endswith(r"\\")]
    assert len(rows) == len(table.lines) + 1
    assert {bare(row).count("&") for row in rows} == {len(table.head) - 1}
    body = bare("\n".join(rows)).replace("$-$", "").replace(r"$\to$", "")
    assert not set(body) & set("%$#_~^<>|")


def test_every_character_that_latex_takes_as_a_command_is_escaped() -> None:
    assert set("\\{}&%$#_~^") <= LATEX.keys()


def test_the_tables_of_a_report_are_all_there_and_hold_no_time(tmp_path: Path) -> None:
    inputs = report_inputs(tmp_path)
    tables = every_table(inputs.results)
    titles = [title for title, _ in tables]
    assert titles[0] == "All benchmarks"
    assert {f"drawn_test: {part}" for part in ("by task", "by scenario", "paired comparisons")} <= set(titles)
    texts = [markdown_file(tables), latex_file(tables)]
    assert [markdown_file(tables), latex_file(tables)] == texts
    for text in texts:
        assert "last training" not in text
        assert text.count("always") >= 4
    assert texts[0].count("\n## ") == len(tables) - 1
    assert texts[1].count(r"\begin{tabular}") == len(tables)


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="typesets only where a LaTeX is installed")
def test_latex_typesets_the_file(tmp_path: Path) -> None:
    (tmp_path / "tables.tex").write_text(latex_file([("a_b", TABLE), ("c", TABLE)]))
    (tmp_path / "main.tex").write_text(DOCUMENT)
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "main.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-3000:]
