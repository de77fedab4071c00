"""The report in a real browser: nothing fails, pictures load, tables sort and filter, a phone shows all of it."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser import Page, browser
from tests.unit.test_published import row
from tests.unit.test_report_page import report_inputs, with_rows
from tpru.reporting.contents import Contents, Sample
from tpru.reporting.contents import page as contents_page
from tpru.reporting.gallery import Picture
from tpru.reporting.page import build_page
from tpru.reporting.published import published
from tpru.reporting.tables import MINUS

TABLE = "document.querySelectorAll('table.all')[0]"
PHONE = 375


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with every section; MuirBench by category is its widest table."""
    folder = tmp_path_factory.mktemp("page")
    inputs = report_inputs(folder)
    muir = next(table for table in published() if table.benchmark == "muirbench")
    rows = [row("muirbench", task, n // 2, n or 0) for task, n in muir.columns.items() if n]
    both = [*inputs.results.rows, row("muirbench", "all", 1300, 2600), *rows]
    path = folder / "index.html"
    path.write_text(build_page(with_rows(inputs, both)))
    return path


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("browser") / "profile") as opened:
        yield opened


def column(page: Page, number: int) -> list[str]:
    """First words of the cells of a column of the long table that are shown."""
    lines = f"[...{TABLE}.tBodies[0].rows].filter(line => !line.hidden)"
    found: list[str] = page.run(f"{lines}.map(line => line.cells[{number}].firstChild.textContent.trim())")
    return found


def click(page: Page, number: int) -> Any:
    """Click a head; how the column says that it is sorted."""
    head = f"{TABLE}.tHead.rows[0].cells[{number}]"
    return page.run(f"{head}.querySelector('button').click(); {head}.getAttribute('aria-sort')")


def brightness(colour: str) -> int:
    """Sum of the channels of "rgb(1, 2, 3)"."""
    return sum(map(int, re.findall(r"\d+", colour)[:3]))


@pytest.mark.parametrize("dark", [False, True])
def test_nothing_fails_and_every_picture_is_there(page: Page, report: Path, dark: bool) -> None:
    page.open(report, dark=dark)
    assert page.problems == []
    widths = page.run("[...document.images].map(image => image.naturalWidth)")
    assert len(widths) == 8 + 4 + 5
    assert min(widths) > 0
    assert page.run("[...document.images].every(image => image.alt.trim())")
    # what is drawn has the colours of the page: ink on its ground
    ground, ink = page.run(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    assert (brightness(ground) < brightness(ink)) == dark


def test_what_fails_in_a_page_is_seen(page: Page, tmp_path: Path) -> None:
    broken = tmp_path / "broken.html"
    broken.write_text("<img src='lost.png'><script>console.error('oh'); nothing();</script>")
    page.open(broken)
    said = " ".join(page.problems)
    assert "oh" in said
    assert "nothing is not defined" in said
    assert "not loaded: net::ERR_FILE_NOT_FOUND" in said


def test_a_click_on_a_head_sorts_by_figures_back_and_as_it_was(page: Page, report: Path) -> None:
    page.open(report)
    before = column(page, 6)
    assert click(page, 6) == "descending"
    figures = [float(text.rstrip("%")) for text in column(page, 6)]
    assert figures == sorted(figures, reverse=True) != sorted(figures)
    assert click(page, 6) == "ascending"
    assert [float(text.rstrip("%")) for text in column(page, 6)] == sorted(figures)
    assert click(page, 6) is None
    assert column(page, 6) == before


def test_words_sort_from_a_to_z_and_one_column_alone_is_marked(page: Page, report: Path) -> None:
    page.open(report)
    click(page, 4)
    assert click(page, 1) == "ascending"
    tasks = column(page, 1)
    assert tasks == sorted(tasks)
    assert len(set(tasks)) > 2
    assert page.run(f"{TABLE}.querySelectorAll('[aria-sort]').length") == 1


def test_signs_bounds_and_missing_figures_sort_by_what_they_mean(page: Page, report: Path) -> None:
    page.open(report)
    cells = [
        f"{MINUS}3.1",
        "\N{EN DASH}",
        "+12.0",
        "< 0.001",
        "0.4",
        f"[{MINUS}5.0, 1.0]",
        "exact",
        "2026-01-01T00:00:00Z",
    ]
    script = f"""(() => {{
      const cells = {cells}.map(text => {{
        const cell = document.createElement('td');
        cell.textContent = text;
        return cell;
      }});
      const texts = direction => [...cells].sort((a, b) => compare(a, b, direction)).map(c => c.textContent);
      return [texts(1), texts(-1)];
    }})()"""
    ascending, descending = page.run(script)
    assert ascending[:5] == [f"[{MINUS}5.0, 1.0]", f"{MINUS}3.1", "< 0.001", "0.4", "+12.0"]
    assert descending[:5] == ascending[:5][::-1]
    assert set(ascending[5:]) == set(descending[5:]) == {"\N{EN DASH}", "exact", "2026-01-01T00:00:00Z"}


def test_a_text_filters_the_lines_of_its_own_table(page: Page, report: Path) -> None:
    page.open(report)
    page.run("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    total = len(column(page, 0))
    filtered = page.run(f"""(() => {{
      const box = {TABLE}.parentElement.previousElementSibling;
      const input = box.querySelector('input');
      input.value = 'SFT gui';
      input.dispatchEvent(new Event('input'));
      return [box.querySelector('output').value, document.querySelectorAll('tbody tr[hidden]').length];
    }})()""")
    left = column(page, 0)
    assert set(left) == {"sft"}
    assert set(column(page, 2)) == {"gui"}
    assert filtered == [f"{len(left)} of {total}", total - len(left)]
    assert 0 < len(left) < total
    page.run(f"{TABLE}.parentElement.previousElementSibling.querySelector('input').value = ''")
    click(page, 4)
    assert len(column(page, 0)) == len(left)  # sorting keeps the filter


@pytest.mark.parametrize("width", [PHONE, 768, 1200])
def test_the_page_is_no_wider_than_the_window(page: Page, report: Path, width: int) -> None:
    page.open(report, width=width)
    page.run("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert page.run("[innerWidth, document.documentElement.scrollWidth]") == [width, width]


def test_wide_tables_and_figures_scroll_in_their_own_box_on_a_phone(page: Page, report: Path) -> None:
    page.open(report, width=PHONE)
    wide = page.run("""[...document.querySelectorAll('.scroll, .wide')]
        .filter(box => box.scrollWidth > box.clientWidth).map(box => getComputedStyle(box).overflowX)""")
    assert len(wide) > 3
    assert set(wide) == {"auto"}
    # letters of the figures are not smaller than 8 px
    heights = page.run(
        "[...document.querySelectorAll('.wide svg text')].map(t => t.getBoundingClientRect().height)"
    )
    assert min(heights) > 8
    # the name of a line stays when its figures are scrolled
    moved = page.run("""(() => {
      const box = [...document.querySelectorAll('.scroll')].find(one => one.scrollWidth > one.clientWidth + 40);
      box.scrollLeft = 40;
      return box.querySelector('tbody th').getBoundingClientRect().left - box.getBoundingClientRect().left;
    })()""")
    assert abs(moved) < 1


def test_the_page_is_whole_without_its_script(page: Page, report: Path, tmp_path: Path) -> None:
    text = report.read_text()
    start, end = text.index("<script>"), text.index("</script>")
    plain = tmp_path / "plain.html"
    plain.write_text(text[:start] + text[end:])
    page.open(plain)
    assert page.problems == []
    assert page.run("document.querySelectorAll('.filter, thead button').length") == 0
    assert page.run(f"{TABLE}.tBodies[0].rows.length") > 50


def test_the_page_of_inspect_fits_a_phone_too(page: Page, tmp_path: Path) -> None:
    picture = Picture(
        "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=", "0", "a-step-of-a-long-name" * 3
    )
    sample = Sample("Tidy the kitchen", "trajectory/of/a/very/long/name" * 4, (picture,) * 6)
    numbers = dict.fromkeys(("trajectories", "groups", "frames", "shortest", "median", "longest"), "12")
    found = Contents(
        "kitchen", "CC0", "https://example.org/" + "x" * 80, numbers, {"Trajectories": {"y" * 60: 3}}
    )
    sources = [dataclasses.replace(found, name=f"kitchen {k}", trajectories=(sample,)) for k in range(3)]
    (tmp_path / "inspect.html").write_text(contents_page("kitchens", sources, {}))
    page.open(tmp_path / "inspect.html", width=PHONE)
    assert page.problems == []
    assert page.run("[innerWidth, document.documentElement.scrollWidth]") == [PHONE, PHONE]
    assert page.run("Math.min(...[...document.images].map(image => image.naturalWidth))") == 1
    assert page.run("document.querySelectorAll('thead button').length") == 1 + len(numbers)
