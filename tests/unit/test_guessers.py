"""Guessers on item sets with planted shortcuts, and on clean ones."""

import dataclasses
import json
from collections import Counter
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.unit.builders import make_item, png
from tpru.errors import UpstreamError
from tpru.evaluation.guess_pictures import describe, look_at, pictures_of, thumbnails
from tpru.evaluation.guess_rules import (
    candidate,
    cheapest,
    fit_threshold,
    form_of,
    guess_by_rules,
    orders_of,
    tie_number,
)
from tpru.evaluation.guess_text import majority, text_trained
from tpru.evaluation.guessers import (
    GUESSERS,
    REPORTED,
    Answers,
    beaten,
    guess_report,
    guesser_rows,
    strongest,
    write_guess_report,
)
from tpru.evaluation.scoring import ALWAYS_NONE, BASELINES, CHANCE, MAJORITY
from tpru.records import NONE_OPTION, Block, Item, Option, Task
from tpru.store import FrameStore, write_frames
from tpru.synthesis.wording import option_blocks

LABELS = "1234"


class Shown:
    """Pictures in memory, each given a name when it is added; counts how often each is decoded."""

    def __init__(self) -> None:
        self.pictures: dict[str, Image.Image] = {}
        self.read: Counter[str] = Counter()

    def add(self, pixels: np.ndarray) -> str:
        name = f"p{len(self.pictures)}"
        self.pictures[name] = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
        return name

    def ids_in_order(self) -> list[str]:
        return list(self.pictures)

    def image(self, frame_id: str) -> Image.Image:
        self.read[frame_id] += 1
        return self.pictures[frame_id]


def mosaic(rng: np.random.Generator) -> np.ndarray:
    """A picture of 8 x 8 random colours."""
    return np.kron(rng.integers(0, 256, (8, 8, 3)), np.ones((5, 5, 1)))


def nearly(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture with a little noise."""
    return pixels + rng.integers(-12, 13, pixels.shape)


def choice(
    name: str,
    kind: str,
    given: list[str],
    contents: list[str],
    right: int | None,
    rng: np.random.Generator,
    task: Task = "next_frame",
    caption: str = "someone tidies up",
) -> Item:
    """An item with four contents and the reject option in random places; ``right`` None rejects."""
    listed = [(kind, c) for c in contents] + [("none", NONE_OPTION)]
    answer = len(listed) - 1 if right is None else right
    places = rng.permutation(len(listed))
    options = [Option("ABCDE"[k], listed[p][0], listed[p][1]) for k, p in enumerate(places)]  # type: ignore[arg-type]
    item = make_item(name, task, answer="ABCDE"[list(places).index(answer)], shown=tuple(given), text=caption)
    prompt = (*item.prompt[:-1], *option_blocks(options))
    images = tuple(b.value for b in prompt if b.type == "image")
    return dataclasses.replace(
        item, options=tuple(options), prompt=prompt, shown=images, is_negative=right is None
    )


def written(name: str, order: str, shown: list[str]) -> Item:
    return make_item(name, "reordering", answer=order, options=False, shown=tuple(shown))


def shuffled(rng: np.random.Generator) -> str:
    return "".join(rng.permutation(list(LABELS)))


def random_items(shown: Shown, n: int, seed: int = 0) -> list[Item]:
    """Items without any shortcut: every picture, order and answer is drawn independently."""
    rng = np.random.default_rng(seed)
    items = []
    for k in range(n):
        pictures = [shown.add(mosaic(rng)) for _ in range(8)]
        right = None if k % 5 == 0 else int(rng.integers(4))
        name = f"{seed}/{k}"
        if k % 4 == 0:
            items.append(written(name, "".join(rng.permutation(list("ABCD"))), pictures[:4]))
        elif k % 4 == 1:
            orders = list(rng.permutation(["".join(p) for p in permutations(LABELS)])[:4])
            items.append(choice(name, "permutation", pictures[:4], orders, right, rng, "reordering"))
        else:
            task: Task = "next_frame" if k % 4 == 2 else "previous_frame"
            items.append(choice(name, "image", pictures[:3], pictures[3:7], right, rng, task))
    return items


def near_items(shown: Shown, n: int, seed: int = 0) -> list[Item]:
    """The right option is nearly the last given picture; where it is left out, no option is near."""
    rng = np.random.default_rng(seed)
    items = []
    for k in range(n):
        given, options = ([mosaic(rng) for _ in range(m)] for m in (3, 4))
        right = None if k % 5 == 0 else int(rng.integers(4))
        if right is not None:
            options[right] = nearly(given[-1], rng)
        names = [shown.add(p) for p in given], [shown.add(p) for p in options]
        items.append(choice(f"{seed}/{k}", "image", *names, right, rng))
    return items


def odd_items(shown: Shown, n: int, seed: int = 0) -> list[Item]:
    """Three options look alike, the right one does not."""
    rng = np.random.default_rng(seed)
    items = []
    for k in range(n):
        same = mosaic(rng)
        right = int(rng.integers(4))
        options = [shown.add(mosaic(rng) if j == right else nearly(same, rng)) for j in range(4)]
        given = [shown.add(mosaic(rng)) for _ in range(3)]
        items.append(choice(f"{seed}/{k}", "image", given, options, right, rng, "previous_frame"))
    return items


def medoid_items(n: int, seed: int = 0) -> list[Item]:
    """Each wrong order swaps two neighbours of the right one, so that it stands in their midst."""
    rng = np.random.default_rng(seed)
    items = []
    for k in range(n):
        order = shuffled(rng)
        swaps = [order[:j] + order[j + 1] + order[j] + order[j + 2 :] for j in range(3)]
        items.append(choice(f"{seed}/{k}", "permutation", [], [order, *swaps], 0, rng, "reordering"))
    return items


def path_items(shown: Shown, n: int, seed: int = 0, write: bool = False) -> list[Item]:
    """The pictures change steadily from start to end."""
    rng = np.random.default_rng(seed)
    items = []
    for k in range(n):
        start, end = mosaic(rng), mosaic(rng)
        moments = [shown.add(start + (end - start) * t / 3) for t in range(4)]
        order = shuffled(rng)
        given = [moments[order.index(label)] for label in LABELS]
        name = f"{seed}/{k}"
        if write:
            items.append(written(name, order.translate(str.maketrans(LABELS, "ABCD")), given))
        else:
            others = ["".join(p) for p in permutations(LABELS) if "".join(p) != order]
            wrong = [others[j] for j in rng.permutation(len(others))[:3]]
            items.append(choice(name, "permutation", given, [order, *wrong], 0, rng, "reordering"))
    return items


def accuracy(items: list[Item], answers: Answers) -> float:
    return sum(answers[i.item_id] == i.answer for i in items) / len(items)


def guessed(name: str, fit: list[Item], asked: list[Item], shown: Shown) -> float:
    answers = GUESSERS[name](fit, asked, look_at([*fit, *asked], shown))
    assert answers.keys() == {i.item_id for i in asked}
    return accuracy(asked, answers)


@pytest.mark.parametrize("kind", ["pixels", "features"])
def test_nearest_picture_is_found_and_its_absence_too(kind: str) -> None:
    shown = Shown()
    fit, asked = near_items(shown, 60, 1), near_items(shown, 60, 2)
    assert guessed(f"{kind}_near", fit, asked, shown) > 0.95
    found = beaten(guess_report(fit, asked, shown))
    assert {"all", "answerable", "unanswerable"} == {r.subset for r in found if r.guesser == f"{kind}_near"}


@pytest.mark.parametrize("kind", ["pixels", "features"])
def test_odd_picture_is_found(kind: str) -> None:
    shown = Shown()
    fit, asked = odd_items(shown, 40, 1), odd_items(shown, 40, 2)
    assert guessed(f"{kind}_odd", fit, asked, shown) > 0.9
    assert [r for r in beaten(guess_report(fit, asked, shown)) if r.guesser == f"{kind}_odd"]


@pytest.mark.parametrize("kind", ["pixels", "features"])
def test_short_path_is_found_up_to_its_direction(kind: str) -> None:
    shown = Shown()
    fit, asked = path_items(shown, 40, 1), path_items(shown, 60, 2)
    assert guessed(f"{kind}_path", fit, asked, shown) > 0.7
    fit, asked = path_items(shown, 40, 3, write=True), path_items(shown, 60, 4, write=True)
    assert 0.3 < guessed(f"{kind}_path", fit, asked, shown) < 0.7
    assert [r for r in beaten(guess_report(fit, asked, shown)) if r.form == "written"]


@pytest.mark.parametrize("name", ["text_rules", "text_trained"])
def test_right_order_amid_the_others_is_found(name: str) -> None:
    fit, asked = medoid_items(80, 1), medoid_items(80, 2)
    assert guessed(name, fit, asked, Shown()) > 0.9
    assert [r for r in beaten(guess_report(fit, asked, Shown())) if r.guesser == name]


def test_caption_word_that_tells_none_is_found() -> None:
    rng = np.random.default_rng(0)
    words = ["cube", "plate", "door", "screen", "leaf", "brick"]

    def items(seed: int) -> list[Item]:
        out = []
        for k in range(150):
            right = None if k % 5 == 0 else int(rng.integers(4))
            caption = " ".join([*rng.permutation(words)[:3], *(["x"] if right is None else [])])
            out.append(choice(f"{seed}/{k}", "image", [], list("abcd"), right, rng, caption=caption))
        return out

    fit, asked = items(1), items(2)
    answers = text_trained(fit, asked)
    assert accuracy([i for i in asked if i.is_negative], answers) > 0.9
    found = beaten(strongest(asked, {"text_trained": answers}))
    assert "unanswerable" in {r.subset for r in found}


def test_common_written_order_is_found() -> None:
    rng = np.random.default_rng(0)
    orders = ["BADC" if rng.random() < 0.8 else "".join(rng.permutation(list("ABCD"))) for _ in range(80)]
    items = [written(f"i{k}", order, []) for k, order in enumerate(orders)]
    assert accuracy(items[40:], text_trained(items[:40], items[40:])) > 0.7
    assert accuracy(items[40:], majority(items[:40], items[40:])) > 0.7


def test_clean_items_are_not_beaten() -> None:
    shown = Shown()
    fit, asked = random_items(shown, 400, 1), random_items(shown, 600, 2)
    rows = guess_report(fit, asked, shown)
    assert beaten(rows) == []
    assert {r.guesser for r in rows} == GUESSERS.keys()
    whole = [r for r in rows if r.subset == "all"]
    assert len(whole) == 3 * 4 + 4 * 2 + 2 * 2  # text on all cells, near and odd on two, path on two
    for row in whole:
        assert row.n == 150
        assert row.chance == pytest.approx(1 / 24 if row.form == "written" else 1 / 5)
        assert row.excess == pytest.approx(row.accuracy - row.chance)
        assert row.low <= row.accuracy <= row.high
        assert abs(row.excess) < 0.1
    assert [r.excess for r in rows] == sorted((r.excess for r in rows), reverse=True)


def test_pictures_are_read_once_and_guesses_do_not_depend_on_order() -> None:
    shown = Shown()
    fit, asked = random_items(shown, 40, 1), random_items(shown, 40, 2)
    rows = guess_report(fit, asked, shown)
    assert set(shown.read.values()) == {1}
    assert guess_report(fit, asked, shown) == rows
    assert guess_report(fit[::-1], asked[::-1], shown) == rows


def test_ties_favour_no_letter_and_depend_on_the_item_alone() -> None:
    rng = np.random.default_rng(0)
    asked = [choice(f"i{k}", "image", [], list("abcd"), None, rng) for k in range(500)]
    answers = guess_by_rules([], asked, lambda item: {"even": np.zeros(4)})
    counts = Counter(answers.values())
    assert set(counts) == set("ABCDE")
    assert min(counts.values()) > 60
    again = guess_by_rules([], asked[:7], lambda item: {"even": np.zeros(4)})
    assert again == {i.item_id: answers[i.item_id] for i in asked[:7]}
    # a sum in another order is still a tie
    number, _ = cheapest(asked[0], np.array([0.1 + 0.2, 0.3]))
    assert number == tie_number(asked[0]) % 2


def test_majority_breaks_ties_by_item() -> None:
    fit = [make_item(f"t{k}", answer="AB"[k % 2]) for k in range(10)]
    asked = [make_item(f"i{k}") for k in range(60)]
    assert set(majority(fit, asked).values()) == {"A", "B"}
    assert set(majority([*fit, make_item("t")], asked).values()) == {"A", "B"}
    assert set(majority([*fit, make_item("t", answer="B")], asked).values()) == {"B"}
    assert majority(fit, [make_item("r", "reordering")]) == {}


def test_threshold_has_most_right_answers() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        outcomes = [
            (float(rng.integers(5)), bool(rng.random() < 0.5), bool(rng.random() < 0.5))
            for _ in range(int(rng.integers(1, 9)))
        ]
        threshold, most = fit_threshold(outcomes)

        def right(at: float, outcomes: list[tuple[float, bool, bool]] = outcomes) -> int:
            return sum(none if cost > at else kept for cost, kept, none in outcomes)

        assert right(threshold) == most
        assert most == max(right(at) for at in (-0.5, 0.5, 1.5, 2.5, 3.5, 4.5))


def test_without_gain_nothing_is_rejected() -> None:
    assert fit_threshold([(1.0, False, False), (2.0, False, False)]) == (np.inf, 0)


def test_candidates_by_form() -> None:
    rng = np.random.default_rng(0)
    picture = choice("1", "image", ["f"], list("abcd"), 0, rng)
    order = choice("2", "permutation", list("fghi"), ["2143", "1234", "4321", "3412"], 1, rng, "reordering")
    free = written("3", "CAB", list("fgh"))
    assert [form_of(i) for i in (picture, order, free)] == ["pictures", "orders", "written"]
    assert pictures_of(picture)[0] == ("f",)
    assert sorted(pictures_of(picture)[1]) == list("abcd")
    assert pictures_of(order) == (("f", "g", "h", "i"), ())
    listed = [o for o in order.options if o.kind == "permutation"]
    for number, (option, places) in enumerate(zip(listed, orders_of(order), strict=True)):
        assert "".join(LABELS[p] for p in places) == option.content
        assert candidate(order, number) == option.letter
    assert [candidate(free, k) for k in (0, 5)] == ["ABC", "CBA"]
    assert orders_of(free).shape == (6, 3)


def test_rejecting_everything_is_no_knowledge_of_the_unanswerable() -> None:
    rng = np.random.default_rng(0)
    asked = [choice(f"i{k}", "image", [], list("abcd"), None if k < 20 else 0, rng) for k in range(100)]
    always = {i.item_id: next(o.letter for o in i.options if o.kind == "none") for i in asked}
    rows = {r.subset: r for r in strongest(asked, {"always": always})}
    assert (rows["unanswerable"].accuracy, rows["unanswerable"].blind) == (1.0, 1.0)
    assert (rows["answerable"].accuracy, rows["answerable"].blind) == (0.0, 0.0)
    assert rows["all"].excess == pytest.approx(0)
    assert beaten(rows.values()) == []
    knowing = {i.item_id: always[i.item_id] if i.is_negative else "" for i in asked}
    assert [r.subset for r in beaten(strongest(asked, {"knowing": knowing}))] == ["unanswerable"]


def test_margin_and_interval_both_count() -> None:
    asked = [make_item(f"i{k}", answer="A") for k in range(100)]
    (row, _) = strongest(asked, {"g": {i.item_id: "A" if k < 31 else "B" for k, i in enumerate(asked)}})
    assert (row.n, row.correct, row.low > 0.2) == (100, 31, True)
    assert beaten([row])
    assert beaten([row], margin=0.12) == []
    assert beaten([dataclasses.replace(row, low=0.19)]) == []


def test_report_rows_answer_every_item() -> None:
    shown = Shown()
    fit, asked = random_items(shown, 40, 1), random_items(shown, 80, 2)
    rows = guesser_rows(fit, asked, shown, "b")
    assert [r.model for r in rows if r.task == r.scenario == r.subset == "all"] == list(REPORTED)
    assert (CHANCE, MAJORITY, ALWAYS_NONE, *REPORTED) == BASELINES
    for name in REPORTED:
        tasks = {r.task: r for r in rows if r.model == name and r.subset == r.scenario == "all"}
        assert {t: r.n for t, r in tasks.items()} == {
            "all": 80,
            "reordering": 40,
            "next_frame": 20,
            "previous_frame": 20,
        }
    assert {r.unparsable for r in rows} == {0.0}


def test_near_pictures_are_found_in_the_report_rows() -> None:
    shown = Shown()
    rows = guesser_rows(near_items(shown, 40, 1), near_items(shown, 40, 2), shown, "b")
    total = {r.model: r.accuracy for r in rows if r.task == r.scenario == r.subset == "all"}
    assert total["guess_pixels"] > 0.9
    assert total["guess_features"] > 0.9
    assert total["guess_text_rules"] < 0.45


def test_report_is_written_and_no_item_is_no_error(tmp_path: Path) -> None:
    asked = medoid_items(40)
    rows = guess_report(asked, asked, Shown())
    write_guess_report(tmp_path / "guessers.json", rows)
    read = json.loads((tmp_path / "guessers.json").read_text())
    assert read["margin"] == 0.1
    assert read["rows"] == [dataclasses.asdict(r) for r in rows]
    assert "text_rules" in {r["guesser"] for r in read["beaten"]}
    assert guess_report([], [], Shown()) == []
    assert guesser_rows([], [], Shown(), "b") == []


def test_missing_picture_is_told(tmp_path: Path) -> None:
    write_frames(tmp_path / "frames.parquet", [png(Image.new("RGB", (8, 8)))])
    item = make_item("i", shown=("absent",))
    with pytest.raises(UpstreamError, match="absent"):
        look_at([item], FrameStore([tmp_path / "frames.parquet"]))


def test_descriptors_tell_colours_and_edges_apart() -> None:
    flat = np.zeros((1, 32, 32, 3), dtype=np.float32)
    upright, lying = flat.copy(), flat.copy()
    upright[:, :, ::4] = 1
    lying[:, ::4] = 1
    same_colours = describe(upright)[:, :64], describe(lying)[:, :64]
    np.testing.assert_allclose(*same_colours)
    assert np.abs(describe(upright) - describe(lying)).sum() > 0.5
    assert np.isfinite(describe(flat)).all()
    assert thumbnails(flat + 1).shape == (1, 768)
    assert (thumbnails(flat + 1) == 1).all()


def test_words_of_the_prompt_beside_the_caption_count() -> None:
    rng = np.random.default_rng(0)
    items = []
    for k in range(120):
        item = choice(f"i{k}", "image", [], list("abcd"), None if k % 5 == 0 else 0, rng)
        told = Block("text", "odd" if item.is_negative else "even")
        items.append(dataclasses.replace(item, prompt=(told, *item.prompt)))
    answers = text_trained(items[:60], items[60:])
    assert accuracy([i for i in items[60:] if i.is_negative], answers) > 0.9
