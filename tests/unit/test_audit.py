"""The audit: which items are drawn, what the page shows and hides, and how answers are compared."""

import base64
import json
import re
import subprocess
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.browser import program
from tests.unit.builders import make_item, scene
from tpru.config.compose import compose, unit_config, unit_names
from tpru.files import sha256_bytes
from tpru.pipeline import Plan, write_plan
from tpru.records import SCENARIOS, TASKS, Item
from tpru.reporting.audit import UNDECIDABLE, audit_key, audit_page, stratified
from tpru.store import FrameStore, encode_png, write_frames

CONFIG = compose("demo", []).audit


@pytest.fixture
def items(tmp_path: Path) -> list[Item]:
    """A choice and an order that is written out, each with two pictures of their own."""
    drawn = [encode_png(scene((10 + 20 * k, 20))) for k in range(4)]
    write_frames(tmp_path / "frames.parquet", drawn)
    names = [sha256_bytes(d) for d in drawn]
    choice = make_item(
        "item/choice", shown=(names[0], names[1]), answer="C", reasoning="A <b> & reason. So C."
    )
    order = make_item(
        "item/order",
        "reordering",
        shown=(names[2], names[3]),
        answer="BA",
        options=False,
        reasoning="B was first.",
    )
    return [choice, order]


@pytest.fixture
def page(items: list[Item], tmp_path: Path) -> str:
    return audit_page("demo", items, FrameStore([tmp_path / "frames.parquet"]), CONFIG, "print")


# The sample.


def many() -> list[Item]:
    return [
        make_item(f"{task}/{scenario}/{k}", task, scenario=scenario)
        for task in TASKS
        for scenario in SCENARIOS
        for k in range(30 if scenario == "gui" else 9)
    ]


def test_tasks_and_scenarios_take_turns() -> None:
    drawn = stratified(many(), 50, 0)
    counts = Counter((i.task, i.scenario) for i in drawn)
    assert len(drawn) == len({i.item_id for i in drawn}) == 50
    assert len(counts) == 12
    assert set(counts.values()) == {4, 5}


def test_small_cells_leave_room_for_the_others() -> None:
    drawn = stratified(many(), 150, 0)
    counts = Counter(i.scenario for i in drawn)
    assert (counts["gui"], counts["robot"]) == (69, 27)
    assert len(stratified(many(), 5000, 0)) == len(many())
    assert stratified([], 50, 0) == []


def test_the_draw_depends_on_the_seed_alone() -> None:
    assert stratified(many(), 50, 0) == stratified(many(), 50, 0)
    assert stratified(many(), 50, 0) != stratified(many(), 50, 1)


# The page.


class Reading(HTMLParser):
    """Visible text, attributes of every tag, and whether tags close in order."""

    VOID = frozenset({"meta", "img", "input", "br", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.text += data


def read(page: str) -> Reading:
    reading = Reading()
    reading.feed(page)
    assert reading.open == []
    return reading


def test_questions_are_shown_and_answers_are_not(items: list[Item], page: str) -> None:
    reading = read(page)
    for words in ("Which one?", "Step 1:", "Step 2:", "item/choice", "item/order"):
        assert words in reading.text
    plain = re.sub(r'data-sealed="[^"]*"', "", page)
    for item in items:
        assert item.reasoning not in plain
        assert "reason. So" not in plain
    articles = [a for tag, a in reading.tags if tag == "article"]
    for item, article in zip(items, articles, strict=True):
        sealed = json.loads(base64.b64decode(article["data-sealed"] or ""))
        assert sealed == {"answer": item.answer, "reasoning": item.reasoning}


def test_what_can_be_chosen(page: str) -> None:
    tags = read(page).tags
    chosen = [a["value"] for tag, a in tags if tag == "input" and a.get("name") == "answer"]
    assert chosen == ["A", "B", "C", "D", "E", UNDECIDABLE, "order", UNDECIDABLE]
    for name in ("answer_right", "reasoning_true"):
        given = [a["value"] for tag, a in tags if tag == "input" and a.get("name") == name]
        assert given == ["yes", "no", "unsure"] * 2
    assert not any("checked" in a for _, a in tags)


def test_the_page_needs_nothing_else(page: str) -> None:
    for tag, attributes in read(page).tags:
        for name in ("src", "href"):
            assert (attributes.get(name) or "data:").startswith("data:"), (tag, attributes)
    assert page.count("data:image/jpeg;base64,") == 4
    assert "http" not in re.sub(r"base64,[^\"]*", "", page)


def test_readers_are_chosen_from_names_where_there_are_some(items: list[Item], tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"readers": ("Ada", "<Bo>")})
    page = audit_page("demo", items, FrameStore([tmp_path / "frames.parquet"]), config, "print")
    assert "<option>Ada</option><option>&lt;Bo&gt;</option>" in page


def test_page_and_key_are_the_same_twice_and_the_fingerprint_follows_the_items(
    items: list[Item], page: str, tmp_path: Path
) -> None:
    assert audit_page("demo", items, FrameStore([tmp_path / "frames.parquet"]), CONFIG, "print") == page
    key = audit_key("demo", items)
    assert key == audit_key("demo", items)
    assert key["items"]["item/order"]["answer"] == "BA"
    assert key["fingerprint"] != audit_key("demo", items[:1])["fingerprint"]


CLICKS = """<script>
const [choice, order] = articles;
choice.querySelector("input[value=B]").click();
choice.querySelector(".first button").click();
choice.querySelector("input[value=D]").click();
choice.querySelector("input[name=answer_right][value=no]").click();
choice.querySelector("input[name=reasoning_true][value=unsure]").click();
choice.querySelector(".next").click();
const box = order.querySelector(".order");
const type = text => { box.value = text; box.dispatchEvent(new Event("input", { bubbles: true })); };
type("AA"); order.dataset.early = order.querySelector(".first button").disabled;
type("b, a"); order.querySelector(".first button").click();
reader.value = "Ada"; reader.dispatchEvent(new Event("input"));
</script>"""


def test_a_person_answers_in_a_browser_and_comes_back(page: str, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    dump = "<script>document.title = JSON.stringify(state);</script>"

    def visit(extra: str) -> tuple[dict[str, Any], str]:
        path.write_text(page.replace("</body>", extra + dump + "</body>"))
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}",
        ]
        command = [program(), *options, "--virtual-time-budget=2000", "--dump-dom", path.as_uri()]
        html = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
        found = re.search(r"<title>(.*?)</title>", html)
        assert found
        return json.loads(found.group(1)), html

    before, html = visit("")
    assert before == {"reader": "", "answers": {}}
    assert "So C." not in html.replace("data-sealed", "")
    state, html = visit(CLICKS)
    assert state["reader"] == "Ada"
    choice, order = state["answers"]["item/choice"], state["answers"]["item/order"]
    assert (choice["answer"], choice["answer_right"], choice["reasoning_true"]) == ("B", "no", "unsure")
    assert order["answer"] == "BA"
    assert 'data-early="true"' in html
    assert "A &lt;b&gt; &amp; reason. So C." in html
    assert "1 of 2 done" in html


# The unit.


def test_the_audit_is_planned_but_no_part_of_the_dag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = compose("demo", [])
    assert "audit" not in unit_names(config)
    assert set(unit_config(config, "audit")) == {"name", "unit", "seed", "audit"}
    monkeypatch.chdir(tmp_path)
    assert (write_plan(Plan(config, (), {})) / "audit.yaml").exists()
