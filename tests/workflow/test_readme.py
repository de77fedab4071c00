"""The picture of the DAG in the README is the DAG. ``python -m tests.workflow.test_readme`` rewrites it."""

import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import REPOSITORY
from tpru.errors import TpruError

README = REPOSITORY / "README.md"
BLOCK = re.compile(r"```mermaid\n.*?```", re.DOTALL)


def edges() -> set[tuple[str, str]]:
    """Edges of the rule graph that Snakemake itself prints."""
    snakemake = str(Path(sys.executable).with_name("snakemake"))
    command = [snakemake, "--profile", "local", "--rulegraph", "mermaid-js", "all"]
    text = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    names = dict(re.findall(r"(id\d+)\[(\w+)\]", text))
    pairs = re.findall(r"(id\d+) --> (id\d+)", text)
    return {(names[a], names[b]) for a, b in pairs if names[b] != "all"}


def reduced(graph: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """The graph without the edges that a longer way already implies."""

    def reaches(start: str, end: str, without: tuple[str, str]) -> bool:
        ways = [b for a, b in graph if a == start and (a, b) != without]
        return any(b == end or reaches(b, end, without) for b in ways)

    return sorted(edge for edge in graph if not reaches(edge[0], edge[1], edge))


def picture() -> str:
    """The Mermaid block of the README."""
    lines = [f"  {a} --> {b}" for a, b in reduced(edges())]
    return "\n".join(["```mermaid", "flowchart LR", *lines, "```"])


def test_picture_of_the_dag_is_the_dag() -> None:
    assert BLOCK.findall(README.read_text()) == [picture()], "run: python -m tests.workflow.test_readme"


def kinds(of: type[TpruError]) -> set[type[TpruError]]:
    """All kinds of an error, of kinds too."""
    return {of, *(k for child in of.__subclasses__() for k in kinds(child))}


def test_every_exit_code_is_in_the_table_and_stands_for_one_kind_of_error() -> None:
    codes = [kind.exit_code for kind in kinds(TpruError) - {TpruError}]
    assert len(codes) == len(set(codes))
    assert all(code >= 10 for code in codes), "below 10 are those of Python and the shell"
    table = README.read_text().split("| code | meaning |")[1].split("\n\n")[0]
    assert sorted(map(int, re.findall(r"\| (\d+) \|", table))) == sorted(codes)


def test_links_of_the_pages_lead_somewhere() -> None:
    for page in [README, *(REPOSITORY / "docs").glob("*.md"), REPOSITORY / "conf/README.md"]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_experiments_and_files_named_in_the_pages_exist() -> None:
    for page in [README, *(REPOSITORY / "docs").glob("*.md"), REPOSITORY / "conf/README.md"]:
        for name in re.findall(
            r"`((?:src|conf|workflow|tests|requirements|docs)/[\w./-]+)`", page.read_text()
        ):
            assert (REPOSITORY / name).exists(), f"{page.name} names {name}"


if __name__ == "__main__":
    README.write_text(BLOCK.sub(picture(), README.read_text()))
