"""Answers to items: one each in their order, the same in any batch, and none asked twice after a kill."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.unit.builders import make_item, png, scene
from tests.unit.test_shared_prefix import parts
from tpru.evaluation import generation
from tpru.evaluation.generation import GREY, Draws, Greyed, answer_items, read_partial
from tpru.files import sha256_bytes
from tpru.records import Item, Prediction
from tpru.store import FrameStore, write_frames

PICTURES = [png(scene(at=(9 * k, 20), size=(56, 56))) for k in range(5)]
NAMES = [sha256_bytes(p) for p in PICTURES]


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    path = tmp_path_factory.mktemp("frames") / "frames.parquet"
    write_frames(path, PICTURES)
    return FrameStore([path])


ITEMS = [
    make_item("i3", shown=(NAMES[0], NAMES[1])),
    make_item("i1", shown=(NAMES[2],)),
    make_item("i2", "reordering", shown=(NAMES[1], NAMES[3], NAMES[4]), options=False, answer="BAC"),
    make_item("i0", shown=(NAMES[3],), text="These pictures show another task in more words."),
]


def answers(
    items: list[Item], frames: FrameStore, partial: Path, batch_size: int = 2, blind: bool = False
) -> list[Prediction]:
    p = parts()
    names = ("base", "heldout")
    return answer_items(p.model, p.processor, items, frames, partial, names, batch_size, 5, blind)


def test_every_item_gets_an_answer_in_its_place(frames: FrameStore, tmp_path: Path) -> None:
    made = answers(ITEMS, frames, tmp_path / "deep" / "partial.jsonl")
    assert [p.item_id for p in made] == ["i3", "i1", "i2", "i0"]
    for prediction in made:
        assert (prediction.model, prediction.benchmark) == ("base", "heldout")
        assert 0 < prediction.n_tokens <= 5
        assert prediction.parsed == ""  # random weights
        assert not prediction.correct
        assert "<|" not in prediction.completion


def test_the_size_of_a_batch_does_not_change_the_answers(frames: FrameStore, tmp_path: Path) -> None:
    one, many = (answers(ITEMS, frames, tmp_path / f"{n}.jsonl", n) for n in (1, 4))
    assert one == many


def test_an_answer_already_given_is_not_asked_again(
    frames: FrameStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = answers(ITEMS, frames, tmp_path / "whole.jsonl", 1)
    lines = (tmp_path / "whole.jsonl").read_text().splitlines(keepends=True)
    kept = [replace(Prediction(**json.loads(line)), completion="kept") for line in lines[:2]]
    text = "".join(json.dumps(asdict(p)) + "\n" for p in kept)
    (tmp_path / "cut.jsonl").write_text(text + lines[2][:20])
    asked: list[str] = []
    answer = generation._answer

    def note(model: Any, processor: Any, batch: list[Item], *rest: Any) -> Any:
        asked.extend(item.item_id for item in batch)
        return answer(model, processor, batch, *rest)

    monkeypatch.setattr(generation, "_answer", note)
    made = answers(ITEMS, frames, tmp_path / "cut.jsonl", 1)
    done = {p.item_id for p in kept}
    assert set(asked) == {i.item_id for i in ITEMS} - done
    for before, after in zip(whole, made, strict=True):
        assert after == (replace(before, completion="kept") if before.item_id in done else before)
    assert len(read_partial(tmp_path / "cut.jsonl", Prediction)) == len(ITEMS)


def test_a_completion_may_hold_any_mark(tmp_path: Path) -> None:
    odd = Prediction("i0", "base", "heldout", "a\u2028b\u0085c\nd\r", "", False, 3)
    (tmp_path / "p").write_text(json.dumps(asdict(odd), ensure_ascii=False) + "\n", encoding="utf-8")
    assert read_partial(tmp_path / "p", Prediction) == [odd]
    assert read_partial(tmp_path / "nowhere", Prediction) == []


def test_blind_answers_do_not_depend_on_what_is_shown(frames: FrameStore, tmp_path: Path) -> None:
    two = [make_item(f"i{k}", shown=(NAMES[k],)) for k in range(2)]
    first, second = answers(two, frames, tmp_path / "blind.jsonl", blind=True)
    assert first.completion == second.completion


def test_a_grey_picture_has_the_size_of_the_one_it_hides() -> None:
    pictures: Any = lambda frame_id: Image.new("RGB", (30 + int(frame_id), 20), (200, 0, 0))  # noqa: E731
    grey = Greyed(pictures)("7")
    assert (grey.size, grey.mode) == ((37, 20), "RGB")
    assert grey.getcolors() == [(37 * 20, GREY)]


def drawn(items: list[Item], frames: FrameStore, partial: Path, draws: Draws) -> list[str]:
    p = parts()
    names = ("base", "drawn")
    made = answer_items(p.model, p.processor, items, frames, partial, names, 2, 5, False, draws=draws)
    return [prediction.completion for prediction in made]


def test_drawn_answers_are_those_of_the_seed_also_after_a_kill(frames: FrameStore, tmp_path: Path) -> None:
    whole = drawn(ITEMS, frames, tmp_path / "a.jsonl", Draws(1.0, 1.0, 0))
    assert whole != drawn(ITEMS, frames, tmp_path / "b.jsonl", Draws(1.0, 1.0, 1))
    lines = (tmp_path / "a.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "c.jsonl").write_text("".join(lines[:2]))
    assert drawn(ITEMS, frames, tmp_path / "c.jsonl", Draws(1.0, 1.0, 0)) == whole


def test_draws_at_temperature_zero_are_greedy(frames: FrameStore, tmp_path: Path) -> None:
    greedy = [p.completion for p in answers(ITEMS, frames, tmp_path / "a.jsonl")]
    assert drawn(ITEMS, frames, tmp_path / "b.jsonl", Draws(0.0, 1.0, 3)) == greedy


def test_an_order_is_read_by_its_letters_and_not_by_the_pictures_shown(
    frames: FrameStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = make_item("o", "reordering", shown=tuple(NAMES), options=False, answer="BA")
    end = parts().processor.tokenizer.eos_token_id
    said = parts().processor.tokenizer("<answer>BA</answer>")["input_ids"]
    monkeypatch.setattr(generation, "sample", lambda *_: [[*said, end]])
    (made,) = answers([item], frames, tmp_path / "a.jsonl")
    assert (made.parsed, made.correct) == ("BA", True)
