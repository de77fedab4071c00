"""What the readers of dense datasets share: segmentations, parts of JSON, boxes, configuration files."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from tests.unit.dense_files import grey
from tpru.config.compose import CONF, compose
from tpru.errors import ConfigError, ManifestError
from tpru.grounding.records import Region
from tpru.grounding.sources.json_parts import JsonParts
from tpru.grounding.sources.pictures import Stored, box_shares, evenly, mask_region
from tpru.grounding.sources.rle import decode, fill

FILES = sorted(path.stem for path in (CONF / "grounding_dataset").glob("*.yaml"))
VALUE = st.recursive(
    st.none() | st.integers() | st.text(max_size=6),
    lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(max_size=4), v, max_size=4),
)

# An outline of RefCOCO's own instances.json (annotation 3007). pycocotools 2.0 fills 196 pixels of it.
OUTLINE = [267.52, 229.75, 265.6, 226.68, 265.79, 223.6, 263.87, 220.15, 263.87, 216.88, 266.94, 217.07]
OUTLINE += [268.48, 221.3, 272.32, 219.95, 276.35, 220.15, 279.62, 218.03, 283.46, 218.42, 285.0, 220.92]
OUTLINE += [285.0, 223.22, 284.42, 224.95, 280.96, 225.14, 279.81, 226.48, 281.73, 228.41, 279.43, 229.37]
OUTLINE += [275.78, 229.17, 273.86, 229.56, 274.24, 232.05, 269.82, 231.67, 267.14, 231.48, 266.75, 228.6]


@pytest.mark.parametrize(
    ("polygon", "pixels"),
    [
        ([1, 1, 5, 1, 5, 4, 1, 4], {(y, x) for y in (1, 2, 3) for x in (1, 2, 3, 4)}),
        ([5, 4, 5, 1, 1, 1, 1, 4], {(y, x) for y in (1, 2, 3) for x in (1, 2, 3, 4)}),
        ([-3, -3, 2, -3, 2, 1, -3, 1], {(0, 0), (0, 1)}),
        ([20, 20, 30, 20, 30, 30], set()),
        # A corner on the line of the centres is crossed once.
        ([0, 0, 4, 2.5, 0, 5], {(y, x) for y, n in enumerate((1, 2, 4, 2, 1)) for x in range(n)}),
    ],
)
def test_pixels_in_a_polygon(polygon: list[float], pixels: set[tuple[int, int]]) -> None:
    mask = fill([polygon], 8, 10, "here")
    assert {(int(y), int(x)) for y, x in np.argwhere(mask)} == pixels


def test_an_outline_of_coco_and_a_union_of_two() -> None:
    assert fill([OUTLINE], 300, 400, "here").sum() == pytest.approx(196, abs=4)
    both = fill([[0, 0, 4, 0, 4, 4, 0, 4], [2, 2, 6, 2, 6, 6, 2, 6]], 8, 8, "here")
    assert both.sum() == 16 + 16 - 4  # what both cover is not taken out


@pytest.mark.parametrize("value", [[], "x", [[1, 2, 3, 4, 5]], [[1, 2, 3, 4, 5, float("nan")]], [3], {}])
def test_no_segmentation(value: object) -> None:
    with pytest.raises(ManifestError, match="here"):
        decode(value, 8, 8, "here")


def text_of(runs: list[int]) -> str:
    """Run lengths as COCO's text, the other way round than they are read."""
    text = ""
    for place, run in enumerate(runs):
        number = run - runs[place - 2] if place > 2 else run
        more = True
        while more:
            group, number = number & 31, number >> 5
            more = number != (-1 if group & 16 else 0)
            text += chr(48 + group + 32 * more)
    return text


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32), st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_run_lengths_as_list_and_as_text(height: int, width: int, seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < share
    flat = mask.ravel(order="F").astype(int)
    edges = np.flatnonzero(np.diff(flat, prepend=0)).tolist()
    runs = np.diff([0, *edges, flat.size]).tolist()
    for counts in (runs, text_of(runs)):
        found = decode({"size": [height, width], "counts": counts}, height, width, "here")
        assert np.array_equal(found, mask)


def test_run_lengths_of_pycocotools() -> None:
    # Written by pycocotools 2.0 for a bar of 5 x 300 pixels and a single one in 640 x 480.
    expected = np.zeros((480, 640), dtype=bool)
    expected[100:400, 50:55] = expected[7, 600] = True
    text = "Tag0\\9d50000000S\\o7eFQVcH"
    assert np.array_equal(decode({"size": [480, 640], "counts": text}, 480, 640, "here"), expected)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.text(max_size=5), VALUE, max_size=5), st.sampled_from([None, 1]), st.booleans())
def test_parts_of_json(
    tmp_path_factory: pytest.TempPathFactory, value: object, indent: int, ascii: bool
) -> None:
    path = tmp_path_factory.mktemp("json") / "a.json"
    path.write_text(json.dumps(value, indent=indent, ensure_ascii=ascii), "utf-8", errors="surrogatepass")
    parts = JsonParts(path)
    for depth in (0, 1, 2):
        expected = dict(nested(value, depth))
        assert {key: parts.value(place) for key, place in parts.places(depth)} == expected


def nested(value: object, depth: int) -> list[tuple[tuple[str | int, ...], object]]:
    """Lists and objects so many levels down, with their paths."""
    if not isinstance(value, (list, dict)):
        return []
    if depth == 0:
        return [((), value)]
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    return [((key, *path), found) for key, part in pairs for path, found in nested(part, depth - 1)]


@pytest.mark.parametrize(
    "text", ['{"a": [1, 2', '{"a": [[1], 2', '{"a": [1]]', '{"a": {"b": "c', "]", '{"a": [[1]}']
)
def test_broken_json(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ManifestError, match=r"a\.json is cut off, or not JSON, at byte"):
        list(JsonParts(tmp_path / "a.json").places(1))
    (tmp_path / "b.json").write_text('{"a": [1 2]}')
    parts = JsonParts(tmp_path / "b.json")
    ((_, place),) = parts.places(1)
    with pytest.raises(ManifestError, match=r"b\.json: the value that begins at byte 6"):
        parts.value(place)
    (tmp_path / "c.json").write_text("")
    with pytest.raises(ManifestError, match=r"c\.json"):
        JsonParts(tmp_path / "c.json")


@given(st.integers(1, 500), st.integers(1, 64))
def test_evenly(count: int, most: int) -> None:
    places = evenly(count, most)
    assert len(places) == min(count, most)
    assert places[0] == 0
    gaps = np.diff([*places, count])
    assert gaps.min() >= 1
    assert gaps.max() - gaps.min() <= 1


def test_a_mask_that_loses_its_last_pixel_is_not_in_the_frame() -> None:
    mask = np.zeros((20, 40), dtype=bool)
    mask[0, 0] = True
    assert mask_region(3, mask, Stored(b"", "", (10, 5))) == Region(3, ())
    assert mask_region(3, ~mask, Stored(b"", "", (10, 5))).box == (0.0, 0.0, 1.0, 1.0)
    assert mask_region(0, ~np.ones((20, 40), dtype=bool), Stored(b"", "", grey((40, 20), 0).size)) == Region(
        0, ()
    )


@pytest.mark.parametrize(
    "box", [(1, 2, 0, 3), (1, 2, 3), (1, 2, 3, "4"), (1, 2, 3, float("inf")), (40, 0, 1, 1), (-5, 0, 5, 5)]
)
def test_what_is_no_box(box: tuple[float, ...]) -> None:
    with pytest.raises(ManifestError, match="here"):
        box_shares(box, (40, 20), "here")


@pytest.mark.parametrize("name", FILES)
def test_every_dataset_composes_once_the_users_values_are_given(name: str) -> None:
    missing = OmegaConf.missing_keys(OmegaConf.load(CONF / f"grounding_dataset/{name}.yaml"))
    assert "path" in missing
    chosen = [f"+grounding_dataset@grounding.datasets.mine={name}"]
    given_values = [f"grounding.datasets.mine.{key}=x" for key in sorted(missing)]
    dataset = compose("demo", [*chosen, *given_values]).grounding.datasets["mine"]
    assert dataset.licence
    assert "arXiv" in dataset.citation


def test_every_kind_has_a_file_needs_a_path_and_keeps_splits_apart() -> None:
    with pytest.raises(ConfigError, match=r"grounding\.datasets\.mine\.path"):
        compose("demo", ["+grounding_dataset@grounding.datasets.mine=mevis"])
    assert FILES == [
        "charades_sta",
        "got10k",
        "mevis",
        "qvhighlights",
        "ref_youtube_vos",
        "refcoco",
        "refcoco_plus",
        "refcocog",
    ]
    values = [f"grounding.datasets.mine.{value}" for value in ("path=x", "licence=x", "test=[train]")]
    with pytest.raises(ConfigError, match="train and test both name"):
        compose("demo", ["+grounding_dataset@grounding.datasets.mine=refcoco", *values])
