"""Features of pictures are computed once, kept on disk, and do not depend on who computed them with whom."""

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from tests.unit.test_shared_prefix import parts, picture
from tpru.models.features import FeatureShelf, shelf_for
from tpru.models.prompts import TOWER_BATCH, Eyes

# Three sizes of pictures, two of them like each other.
NAMES = ["a", "b", "c"]


class Shown:
    """Pictures that count how often each is asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, name: str) -> Image.Image:
        self.asked.append(name)
        return picture(name[0]).rotate(len(name))


def eyes(shelf: FeatureShelf | None, shown: Any = picture, frozen: bool = True) -> Eyes:
    return Eyes(parts().model, parts().processor, shown, frozen, shelf)


def test_what_is_on_the_shelf_is_what_was_computed(tmp_path: Path) -> None:
    kept, fresh = eyes(FeatureShelf(tmp_path)), eyes(None)
    for one in (kept, fresh):
        one.look(NAMES)
    for name in NAMES:
        assert torch.equal(kept.features(name), fresh.features(name))
        assert kept.grid(name) == fresh.grid(name)
        assert kept.features(name).shape[0] == kept.grid(name)[0] * kept.grid(name)[1]


def test_nothing_is_looked_at_twice_by_any_process(tmp_path: Path) -> None:
    shown = Shown()
    first, second = (eyes(FeatureShelf(tmp_path), shown) for _ in range(2))
    first.look(["a", "b"])
    second.look(["a", "c"])
    first.look(["c", "b"])
    assert shown.asked == ["a", "b", "c"]


@pytest.mark.parametrize("others", [0, 1, TOWER_BATCH - 1, TOWER_BATCH, 2 * TOWER_BATCH])
def test_what_a_picture_looks_like_does_not_depend_on_its_company(others: int) -> None:
    alone, among = eyes(None, Shown()), eyes(None, Shown())
    alone.look(["b"])
    among.look(["b", *("b" * (2 + k) for k in range(others))])
    assert torch.equal(alone.features("b"), among.features("b"))


def test_an_unfinished_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / ".half.safetensors.tmp").write_bytes(b"not yet")
    shelf = FeatureShelf(tmp_path)
    shelf.refresh()
    assert not shelf.has("a")


def test_another_tower_or_another_size_has_a_shelf_of_its_own(tmp_path: Path) -> None:
    visual, processor = parts().model.model.visual, parts().processor
    shelf_for(tmp_path, visual, processor).put({"a": torch.zeros(1, 1, 2)})
    again = shelf_for(tmp_path, visual, processor)
    again.refresh()
    assert again.has("a")
    bias = visual.merger.mlp[0].bias
    with torch.no_grad():
        bias.add_(1.0)
    try:
        other = shelf_for(tmp_path, visual, processor)
    finally:
        with torch.no_grad():
            bias.sub_(1.0)
    other.refresh()
    assert not other.has("a")
    size = processor.image_processor.size
    processor.image_processor.size = {"shortest_edge": 784, "longest_edge": 784}
    try:
        smaller = shelf_for(tmp_path, visual, processor)
    finally:
        processor.image_processor.size = size
    smaller.refresh()
    assert not smaller.has("a")


def test_a_trained_tower_looks_anew_and_passes_gradients_on() -> None:
    shown = Shown()
    trained = eyes(None, shown, frozen=False)
    for _ in range(2):
        trained.look(["a"])
    assert shown.asked == ["a", "a"]
    assert trained.features("a").requires_grad
    with torch.no_grad():
        trained.look(["a"])
    assert not trained.features("a").requires_grad
