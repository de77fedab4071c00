"""Building sets as LDraw models: tiny ones written here, and real sets where they are at hand."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tpru.config.compose import compose
from tpru.config.schema import LdrawSource
from tpru.errors import ConfigError, EmptySourceError, ManifestError, TpruError
from tpru.records import Step, Trajectory
from tpru.store import decode_image
from tpru.trajectories.signature import change, signature
from tpru.trajectories.sources.ldraw import building_steps, pictures, read, title
from tpru.trajectories.sources.ldraw_files import Library, Model
from tpru.trajectories.sources.ldraw_words import colour_name, part_name, step_text

REAL = Path(__file__).parents[3] / "shared/data/ldraw_sets"
COLOURS = """0 LDraw.org Configuration File
0 !COLOUR Black      CODE  0 VALUE #101010 EDGE #808080
0 !COLOUR Blue       CODE  1 VALUE #1E5AA8 EDGE #333333
0 !COLOUR Red        CODE  4 VALUE #D00000 EDGE #333333
0 !COLOUR Trans_Clear CODE 47 VALUE #FCFCFC EDGE #C3C3C3 ALPHA 128
"""
# A box of 2 x 2 x 2 units around the origin, of quadrilaterals and, for one side, two triangles.
BOX = """0 Box
4 16 -1 -1 -1 1 -1 -1 1 -1 1 -1 -1 1
4 16 -1 1 -1 1 1 -1 1 1 1 -1 1 1
4 16 -1 -1 -1 1 -1 -1 1 1 -1 -1 1 -1
4 16 -1 -1 1 1 -1 1 1 1 1 -1 1 1
3 16 -1 -1 -1 -1 1 -1 -1 1 1
3 16 -1 -1 -1 -1 1 1 -1 -1 1
4 16 1 -1 -1 1 1 -1 1 1 1 1 -1 1
2 24 -1 -1 -1 1 -1 -1
"""
TURN = "1 0 0 0 1 0 0 0 1"
PARTS = {
    "LDConfig.ldr": COLOURS,
    "p/box.dat": BOX,
    "parts/s/half.dat": "0 ~Half\n1 16 0 0 0 20 0 0 0 12 0 0 0 20 box.dat\n",
    # Upper case, backslashes and CRLF, as found in old parts.
    "parts/3003.dat": f"0 Brick  2 x  2\r\n1 16 0 12 0 {TURN} S\\HALF.DAT\r\n",
    "parts/old.dat": f"0 ~Moved to 3003\n1 16 0 0 0 {TURN} 3003.dat\n",
    "parts/wall.dat": "0 Panel  1 x  4 x  5 with Ivy\n1 16 0 0 0 40 0 0 0 60 0 0 0 10 box.dat\n",
}
# Built so: a blue brick; one on it; two of the wagon (red) at the right, one on the other; a black one.
CASTLE = f"""0 FILE main.ldr
0 A castle
1 1 0 0 0 {TURN} 3003.dat
0 STEP
1 1 0 -24 0 {TURN} 3003.dat
1 4 60 0 0 {TURN} sub wagon.ldr
1 0 0 -48 0 {TURN} old.dat
0 STEP
0 STEP

0 FILE Sub Wagon.ldr
0 Wagon
1 16 0 0 0 {TURN} 3003.dat
0 ROTSTEP 1 2 3 ABS
1 16 0 -24 0 {TURN} 3003.dat
"""
BRICK_TEXTS = [
    "a blue 2x2 brick",
    "a blue 2x2 brick",
    "a red 2x2 brick",
    "a red 2x2 brick",
    "a black 2x2 brick",
]


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    """A folder with models/castle.mpd and the parts library ldraw/ that it needs."""
    for name, text in PARTS.items():
        path = tmp_path / "ldraw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    write_model(tmp_path, "9-1 - The Castle.mpd", CASTLE)
    return tmp_path


def write_model(sets: Path, name: str, text: str) -> Path:
    path = sets / "models" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def config(sets: Path, **changes: Any) -> LdrawSource:
    values: dict[str, Any] = {
        "kind": "ldraw",
        "scenario": "assembly",
        "licence": "CC-BY-2.0",
        "citation": "c",
        "extract": {},
        "shards": 1,
        "fetch": None,
        "path": str(sets / "models"),
        "parts": str(sets / "ldraw"),
        "size": 64,
        "min_visible": 0.01,
        "max_models": 0,
        "azimuth": 35,
        "elevation": 28,
    }
    return LdrawSource(**{**values, **changes})


def built(sets: Path, text: str, **changes: Any) -> list[tuple[Image.Image, str]]:
    model = Model(write_model(sets, "model.ldr", text), Library(sets / "ldraw"))
    model.check()
    return list(pictures(model, config(sets, **changes)))


def colours_at(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


def is_red(image: Image.Image) -> np.ndarray:
    picture = colours_at(image)
    return (picture[..., 0] > 60) & (picture[..., 1:].max(axis=-1) < 40)


def is_blue(image: Image.Image) -> np.ndarray:
    picture = colours_at(image)
    return picture[..., 2] > picture[..., 0] + 40


def refused(sets: Path, kind: type[TpruError], *words: str, **changes: Any) -> None:
    with pytest.raises(TpruError) as caught:
        read("sets", config(sets, **changes), 1)
    assert type(caught.value) is kind
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_model_becomes_a_trajectory(sets: Path) -> None:
    data = read("sets", config(sets), 1)
    assert (data.total, data.licence, data.citation) == (1, "CC-BY-2.0", "c")
    (found,) = list(data)
    trajectory: Trajectory = found.trajectory
    assert trajectory.trajectory_id == trajectory.group == "sets-9-1 - The Castle.mpd"
    assert (trajectory.scenario, trajectory.source) == ("assembly", "sets")
    assert trajectory.goal == "build the model Castle from its parts"
    assert trajectory.media.kind == "embedded"
    assert trajectory.media.n_frames == len(found.frames) == 5
    assert trajectory.steps == tuple(Step(i, f"{text} was added") for i, text in enumerate(BRICK_TEXTS))
    assert {decode_image(frame).size for frame in found.frames} == {(64, 64)}
    (again,) = list(read("sets", config(sets), 2))
    assert again == found


def test_submodels_are_built_in_their_place(sets: Path) -> None:
    model = Model(sets / "models/9-1 - The Castle.mpd", Library(sets / "ldraw"))
    steps = building_steps(model)
    assert [len(step) for step in steps] == [1, 1, 1, 1, 1]
    assert [step[0].colour for step in steps] == [1, 1, 4, 4, 0]
    assert [step[0].place.tolist() for step in steps] == [
        [0, 0, 0],
        [0, -24, 0],
        [60, 0, 0],
        [60, -24, 0],
        [0, -48, 0],
    ]


def test_every_picture_grows_over_the_one_before(sets: Path) -> None:
    images = [image for image, _ in built(sets, CASTLE, size=112)]
    background = colours_at(images[0])[0, 0]
    covered = [(np.abs(colours_at(image) - background).max(axis=-1) > 8) for image in images]
    for before, after in pairwise(covered):
        assert (after | ~before).all()
    looks = [signature(image) for image in images]
    assert all(change(a, b) > 0.01 for a, b in pairwise(looks))


def test_y_points_down_and_colour_16_is_inherited(sets: Path) -> None:
    last = built(sets, CASTLE, azimuth=0, elevation=0)[-1][0]
    red, blue = np.argwhere(is_red(last)), np.argwhere(is_blue(last))
    black = np.argwhere(colours_at(last).max(axis=-1) < 40)
    assert red[:, 1].min() > blue[:, 1].max()  # the wagon stands at the right
    assert black[:, 0].mean() < blue[:, 0].mean() - 10  # y -48 is above


def test_nearer_parts_hide_farther_ones_whatever_came_first(sets: Path) -> None:
    front = f"1 1 0 0 -40 {TURN} 3003.dat\n"
    behind = f"1 4 0 0 40 {TURN} 3003.dat\n"
    for text in (f"{front}0 STEP\n{behind}", f"{behind}0 STEP\n{front}"):
        last = built(sets, text, azimuth=0, elevation=0)[-1][0]
        assert not is_red(last).any()
        assert is_blue(last).any()


def test_a_hidden_part_is_not_named(sets: Path) -> None:
    wall = f"1 16 0 0 0 {TURN} wall.dat\n"
    behind = f"1 1 0 0 60 {TURN} 3003.dat\n"
    shown = built(sets, f"{wall}0 STEP\n{behind}", azimuth=0, elevation=0)
    assert [text for _, text in shown] == ["a 1x4x5 panel was added", ""]


def test_parts_too_small_to_be_seen_wait_for_more(sets: Path) -> None:
    wall, other = (f"1 {colour} {x} 0 0 {TURN} wall.dat\n" for colour, x in ((1, 0), (0, 90)))
    pins = [f"1 0 {x} -62 0 0.1 0 0 0 0.1 0 0 0 0.1 3003.dat\n" for x in (-30, -10, 10)]
    text = "0 STEP\n".join([wall, *pins, other])
    assert len(built(sets, text, min_visible=0.0001)) == 5
    assert [words for _, words in built(sets, text, min_visible=0.05)] == [
        "a blue 1x4x5 panel was added",
        "a black 1x4x5 panel and three black 2x2 bricks were added",
    ]


def test_a_model_without_steps_to_see_is_left_out(sets: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_model(sets, "single.ldr", f"1 4 0 0 0 {TURN} 3003.dat\n")
    write_model(sets, "words.ldr", "0 Only words\n")
    found = list(read("sets", config(sets), 1))
    assert [entry.trajectory.goal for entry in found] == ["build the model Castle from its parts"]
    assert all(f"sets-{name}.ldr is left out" in caplog.text for name in ("single", "words"))


def test_max_models_takes_the_first_names(sets: Path) -> None:
    write_model(sets, "1.mpd", CASTLE)
    write_model(sets, "notes.txt", "no model")
    assert read("sets", config(sets), 1).total == 2
    (only,) = list(read("sets", config(sets, max_models=1), 1))
    assert only.trajectory.trajectory_id == "sets-1.mpd"


def test_parts_of_the_model_itself(sets: Path) -> None:
    """Own parts are one piece, also when a program made them of many; they may use the library's."""
    text = f"""0 FILE main.ldr
0 Main
1 4 0 0 0 {TURN} own.dat
0 STEP
1 0x2FF8000 60 0 0 {TURN} bent.ldr
0 FILE own.dat
0 Roof Tile
1 16 0 0 0 20 0 0 0 12 0 0 0 20 box.dat
0 FILE bent.ldr
0 bent-1
0 !LDCAD GENERATED [generator=LDCad 1.5]
1 16 0 0 0 {TURN} 3003.dat
0 STEP
1 16 0 -24 0 {TURN} 3003.dat
"""
    shown = built(sets, text)
    assert [words for _, words in shown] == ["a red roof tile was added", "a hose was added"]
    assert (np.abs(colours_at(shown[-1][0]) - (0xE9, 0x76, 0)).max(axis=-1) < 40).any()  # the direct colour


def test_missing_part(sets: Path) -> None:
    write_model(sets, "broken.mpd", CASTLE.replace("old.dat", "3999.dat"))
    folders = [str(sets / "ldraw/parts"), str(sets / "ldraw/p")]
    refused(sets, ManifestError, "broken.mpd", "'main.ldr'", "'3999.dat'", *folders, "add the part")
    (sets / "models/broken.mpd").unlink()
    (sets / "ldraw/p/box.dat").unlink()
    refused(sets, ManifestError, "The Castle.mpd", "'s/half.dat'", "'box.dat'", "add the part")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("1 4 0 0 0 1 0 0 0 1 0 0 0 1", ["expected a colour, 12 numbers and a file name"]),
        ("1 4 0 0 zero 1 0 0 0 1 0 0 0 1 3003.dat", ["zero"]),
        ("3 4 0 0 0 1 0 0", ["expected 9 numbers"]),
        ("4 red 0 0 0 1 0 0 1 1 0 0 1 0", ["red"]),
    ],
)
def test_malformed_line(sets: Path, line: str, words: list[str]) -> None:
    write_model(sets, "broken.mpd", f"0 FILE main.ldr\n0 Main\n{line}\n")
    refused(sets, ManifestError, "broken.mpd, line 3", f"type {line[0]}", "restore", *words)


def test_unknown_colour(sets: Path) -> None:
    write_model(sets, "broken.mpd", CASTLE.replace("1 1 0 -24", "1 77 0 -24"))
    refused(sets, ManifestError, "broken.mpd", "the colour 77", "LDConfig.ldr", "correct the model")


def test_a_model_that_contains_itself(sets: Path) -> None:
    write_model(sets, "broken.mpd", CASTLE + f"1 4 0 0 0 {TURN} main.ldr\n")
    refused(sets, ManifestError, "broken.mpd", "contains itself", "main.ldr in sub wagon.ldr")


def test_missing_and_empty_folders(sets: Path) -> None:
    write_model(sets, "empty.mpd", "\n")
    refused(sets, ManifestError, "empty.mpd is empty")
    (sets / "none").mkdir()
    refused(sets, EmptySourceError, "holds no LDraw model", ".mpd", path=str(sets / "none"))
    refused(sets, ManifestError, "does not exist", "correct `path`", path=str(sets / "nowhere"))
    refused(sets, ManifestError, "LDConfig.ldr", "ldraw.org", parts=str(sets / "none"))


@pytest.mark.parametrize(
    ("description", "name"),
    [
        ("Brick  2 x  4", "2x4 brick"),
        ("=Tile  1 x  1 Round with Gauge Pattern", "1x1 round tile"),
        ("Slope Brick 45  2 x  4", "2x4 slope brick"),
        ("Slope Brick Curved  4 x  1 Inverted", "4x1 inverted slope brick"),
        ("Slope Brick Curved  2 x  2 x  0.667", "2x2 curved slope brick"),
        ("Windscreen  3 x  4 x  1.333", "3x4 windscreen"),
        ("Panel  3 x  2 x  5 & 2/3", "3x2x5 panel"),
        ("Sticker 9.9 x  2.2 with Stars", "sticker"),
        ("Minifig Hat Imperial Guard Shako", "figure hat"),
        ("Technic Axle  4", "technic axle"),
        ("", "part"),
    ],
)
def test_names_of_parts(description: str, name: str) -> None:
    assert part_name(description) == name


def test_names_of_colours_and_titles() -> None:
    assert colour_name("Trans_Light_Blue") == "transparent light blue"
    assert colour_name("Rubber_Black") == "black"
    assert colour_name("Light_Bluish_Grey") == "light grey"
    assert title(Path("6080 - Kings Castle.mpd")) == "Kings Castle"
    assert title(Path("10156-1 - LEGO Truck.mpd")) == "LEGO Truck"
    assert title(Path("my_car.ldr")) == "my car"


@pytest.mark.parametrize(
    ("added", "text"),
    [
        ([], ""),
        ([("red 2x4 brick", 1)], "a red 2x4 brick was added"),
        ([("orange torch", 1)], "an orange torch was added"),
        ([("black 1x2 plate", 3)], "three black 1x2 plates were added"),
        ([("white 2x2 dish", 12)], "12 white 2x2 dishes were added"),
        ([("tan figure hips", 1)], "tan figure hips were added"),
        ([("red brick", 1), ("blue plate", 2)], "a red brick and two blue plates were added"),
        ([("red brick", 2), ("tile", 1), ("hose", 4)], "two red bricks and five other parts were added"),
        (
            [("transparent light blue 3x4 windscreen", 1), ("dark grey 2x1 slope brick", 1)],
            "a transparent light blue 3x4 windscreen and one other part were added",
        ),
    ],
)
def test_texts_of_steps(added: list[tuple[str, int]], text: str) -> None:
    assert step_text(added) == text


def test_values_in_the_configuration() -> None:
    source = ["+source@sources.sets=ldraw", "sources.sets.path=models", "sources.sets.parts=ldraw"]
    found = compose("demo", source).sources["sets"]
    assert isinstance(found, LdrawSource)
    assert "LDraw Parts Library" in found.citation
    for wrong in ("elevation=90", "azimuth=200", "size=20", "max_models=-1", "min_visible=0"):
        with pytest.raises(ConfigError, match=f"sources.sets.*{wrong.split('=')[0]}"):
            compose("demo", [*source, f"sources.sets.{wrong}"])


@pytest.mark.skipif(not REAL.exists(), reason="the shared sample data are not beside the project")
def test_real_sets() -> None:
    places = {"path": str(REAL / "models"), "parts": str(REAL / "ldraw")}
    assert read("sets", config(REAL, **places), 1).total == 37  # all parts are there
    library = Library(REAL / "ldraw")
    for name in ("1180-1 - Space Port Moon Buggy", "6716-1 - Covered Wagon"):
        model = Model(REAL / "models" / f"{name}.mpd", library)
        shown = list(pictures(model, config(REAL, size=112, min_visible=0.015, **places)))
        assert len(shown) >= 8
        assert all(3 < len(text.split()) < 14 and text.endswith(" added") for _, text in shown)
        looks = [signature(image) for image, _ in shown]
        assert all(change(a, b) > 0.006 for a, b in pairwise(looks))
