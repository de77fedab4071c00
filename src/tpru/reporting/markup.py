"""Tables of text as Markdown (GitHub's pipe tables) and as LaTeX (booktabs)."""

import re
from collections.abc import Sequence

from tpru.reporting.tables import Line, Table

# Characters that LaTeX takes as commands, and those that its standard fonts lack.
LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    # behind the end of a row a bracket or a star would be an argument of it
    "[": "{[}",
    "*": "{*}",
    "\N{MINUS SIGN}": "$-$",
    "\N{EN DASH}": "--",
    "\N{RIGHTWARDS ARROW}": r"$\to$",
}


def markdown(table: Table) -> str:
    """A pipe table, words to the left and figures to the right; what qualifies a figure stands behind it."""
    sides = ["---" if words else "---:" for words in _words(table)]
    rows = [table.head, *(_cells(line) for line in table.lines)]
    texts = [f"| {' | '.join(_markdown_text(cell) for cell in row)} |" for row in rows]
    return "\n".join([texts[0], f"| {' | '.join(sides)} |", *texts[1:]]) + "\n"


def latex(table: Table, caption: str) -> str:
    r"""A ``table`` with booktabs rules, shrunk to the width of the text where it is wider (``graphicx``)."""
    columns = "".join("l" if words else "r" for words in _words(table))
    rows = [[*map(_latex_text, _cells(line))] for line in table.lines]
    return "\n".join(
        [
            r"\begin{table}[htbp]",
            r"\centering",
            rf"\caption{{{_latex_text(caption)}}}",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(map(_latex_text, table.head)) + r" \\",
            r"\midrule",
            *(" & ".join(row) + r" \\" for row in rows),
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table}",
            "",
        ]
    )


def markdown_file(tables: Sequence[tuple[str, Table]]) -> str:
    """Titled tables, one below the other."""
    return "\n".join(f"## {_markdown_text(title)}\n\n{markdown(table)}" for title, table in tables)


def latex_file(tables: Sequence[tuple[str, Table]]) -> str:
    """Captioned tables, one below the other, to be read in by a document."""
    needs = "% \\usepackage{booktabs} \\usepackage{graphicx}\n"
    return "\n".join([needs, *(latex(table, title) for title, table in tables)])


def _cells(line: Line) -> list[str]:
    return [line.label, *(f"{cell.main} {cell.detail}".strip() for cell in line.cells)]


def _words(table: Table) -> list[bool]:
    """For every column whether it holds words, by its first cell; the first one always does."""
    firsts = [cell.main for cell in table.lines[0].cells] if table.lines else ["" for _ in table.head[1:]]
    return [True, *(bool(re.match(r"[^\W\d_]", text)) for text in firsts)]


def _markdown_text(text: str) -> str:
    # an underscore inside a word is no emphasis
    return re.sub(r"([\\`*|<>]|(?<!\w)_|_(?!\w))", r"\\\1", " ".join(text.split()))


def _latex_text(text: str) -> str:
    return "".join(LATEX.get(character, character) for character in " ".join(text.split()))
