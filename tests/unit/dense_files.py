"""What the tests of the dense datasets share: their configuration as published, and clips checked by numbers."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image
from pydantic import TypeAdapter

from tpru.config.compose import CONF
from tpru.config.grounding_datasets import GroundingDataset
from tpru.errors import TpruError
from tpru.files import sha256_bytes
from tpru.grounding.records import Clip, GroundingItem, Region
from tpru.grounding.sources.opened import read_dataset
from tpru.store import decode_image

LISTING = ("iterdir", "glob", "rglob")


def configured(file: str, root: Path, **changes: Any) -> GroundingDataset:
    """The configuration file of a dataset with the user's values and changes."""
    values = OmegaConf.to_container(OmegaConf.load(CONF / f"grounding_dataset/{file}.yaml"))
    assert isinstance(values, dict)
    values |= {"path": str(root), "frame_size": 0, "skip_missing": False}
    values |= {"licence": "CC0-1.0"} | changes
    return TypeAdapter(GroundingDataset).validate_python(values)


def read_all(file: str, root: Path, **changes: Any) -> list[Clip]:
    """All clips of a dataset; checks what holds for every one."""
    clips = list(read_dataset("dense", configured(file, root, **changes)))
    known: set[str] = set()
    for clip in clips:
        known |= {sha256_bytes(data) for data in clip.pictures}
        for item in clip.items:
            assert set(item.frames) <= known
            assert len(item.frames) == len(item.times)
            assert list(item.times) == sorted(item.times)
            assert not item.times or (item.times[0] == 0.0 and item.times[-1] < item.duration)
            assert (item.dataset, item.licence) == ("dense", "CC0-1.0")
    items = items_of(clips)
    assert len({item.item_id for item in items}) == len(items)
    groups = [{i.group for i in items if i.split == side} for side in ("train", "test")]
    assert not groups[0] & groups[1]
    return clips


def items_of(clips: list[Clip]) -> list[GroundingItem]:
    return [item for clip in clips for item in clip.items]


def refused(file: str, root: Path, kind: type[TpruError], said: list[str], **changes: Any) -> None:
    """Reading a dataset fails with this kind of error and all of these words."""
    with pytest.raises(TpruError) as caught:
        read_all(file, root, **changes)
    assert isinstance(caught.value, kind), caught.value
    assert all(word in str(caught.value) for word in said), str(caught.value)


def backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """List the files of every folder in the opposite order."""
    for name in LISTING:
        listed = getattr(Path, name)

        def turned(path: Path, *args: Any, listed: Any = listed) -> Any:
            return reversed(list(listed(path, *args)))

        monkeypatch.setattr(Path, name, turned)


def grey(size: tuple[int, int], value: int) -> Image.Image:
    """A picture of one grey, legible after JPEG."""
    return Image.new("RGB", size, (value, value, value))


def greys(clip: Clip) -> list[int]:
    """The greys of the pictures of a clip."""
    return [round(float(np.asarray(decode_image(data)).mean())) for data in clip.pictures]


def pixels_of(region: Region) -> Any:
    """The mask of a region: True where the thing is."""
    with Image.open(io.BytesIO(region.mask)) as image:
        assert image.mode == "L"
        values = np.asarray(image)
    assert set(np.unique(values)) <= {0, 255}
    return values == 255
