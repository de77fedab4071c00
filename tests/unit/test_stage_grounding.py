"""The stage that writes dense items: sides, what is kept apart, and the check that finds what is not."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.unit.builders import make_item, png, random_look
from tests.unit.test_grounding_simulated import drawn
from tpru.config.compose import compose, unit_config, unit_names
from tpru.errors import EmptySourceError, LeakError
from tpru.files import read_json, sha256_bytes, write_json
from tpru.grounding.leaks import dense_leaks, refuse_dense_leaks
from tpru.grounding.records import ChatItem, Clip, GroundingItem, Region, Side
from tpru.grounding.sides import at_most, seen_in, side_of_groups
from tpru.records import FrameState, Item, Media, Split, Step, Trajectory
from tpru.run import Run
from tpru.stages import grounding
from tpru.stages.download import MEDIA
from tpru.store import FrameStore, decode_image, read_records, write_frames, write_records
from tpru.tracking.runs import SilentTracker
from tpru.trajectories.signature import signature

VARIANT = (
    "+tpo.variants.full={tasks:[temporal,region,mask],conversation:true,answers:heads,"
    "temporal_head:detr,region_loss:mse}"
)
FRAMES = 9
GROUPS: dict[str, Split | None] = {"a": "sft", "b": "grpo", "c": "test", "d": "test", "e": None}
BELOW = 0.003


def picture(name: str, changed: int = 0) -> bytes:
    """A picture like no other one; of its 1,024 cells ``changed`` are black."""
    cells = random_look(name).copy()
    cells.reshape(-1, 3)[:changed] = 0
    return png(Image.fromarray(cells))


def finished(folder: Path, *outputs: str, **record: Any) -> None:
    """``run.json`` of a unit that has written these files."""
    described = {name: {"sha256": "", "bytes": (folder / name).stat().st_size} for name in outputs}
    write_json(
        folder / "run.json",
        {"fingerprint": "f", "mlflow_run_id": "", "outputs": described, "metrics": {}, **record},
    )


def states(name: str) -> list[FrameState]:
    made = []
    for i in range(FRAMES):
        cube = ("in the gripper" if 3 <= i < 6 else "", (0.05 * i, 0.1, 0.3 + 0.05 * i, 0.4))
        made.append(
            drawn({"the red cube": cube, "the lamp": ("off", (0.6, 0.6, 0.9, 0.9))}, i, i / (FRAMES - 1))
        )
    return [replace(state, trajectory_id=name) for state in made]


def frames_of(group: str) -> list[bytes]:
    return [picture(f"{group}{i}") for i in range(FRAMES)]


@pytest.fixture
def upstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """Writes what the stage reads, and gives its run; pictures of groups may be replaced."""
    monkeypatch.chdir(tmp_path)

    def make(changed: dict[str, list[bytes]] | None = None, *overrides: str) -> Run:
        pictures = {group: frames_of(group) for group in GROUPS} | (changed or {})
        made = Path("results/demo/download/robot")
        made.mkdir(parents=True)
        trajectories = [
            Trajectory(
                f"t{g}", "robot", "robot", "CC0-1.0", "tidy up", g, Media("embedded", FRAMES),
                tuple(Step(i, f"step {i} was done") for i in range(FRAMES)),
                level="L2" if g == "d" else "L1",
            )
            for g in GROUPS
        ]  # fmt: skip
        write_records(made / "trajectories.parquet", Trajectory, trajectories)
        write_records(made / "states.parquet", FrameState, [s for g in GROUPS for s in states(f"t{g}")])
        rows = [{"trajectory_id": f"t{g}", "frames": pictures[g]} for g in GROUPS]
        pq.write_table(pa.Table.from_pylist(rows, schema=MEDIA), made / "media.parquet")
        files = ("trajectories.parquet", "states.parquet", "media.parquet")
        finished(made, *files, metrics={"trajectories": len(GROUPS)})

        items = [
            make_item(f"i{g}", group=g, split=split, shown=tuple(map(sha256_bytes, pictures[g][:2])))
            for g, split in GROUPS.items()
            if split
        ]
        made = Path("results/demo/synthesize")
        write_records(made / "items.parquet", Item, items)
        write_frames(made / "frames.parquet", (f for g in GROUPS for f in pictures[g][:2]))
        finished(made, "items.parquet", "frames.parquet")
        config = unit_config(compose("demo", [VARIANT, *overrides]), "grounding")
        config["sources"] = ["robot"]
        folder = Path("results/demo/grounding")
        folder.mkdir()
        return Run("demo", "grounding", config, folder, SilentTracker())

    return make


def written(run: Run) -> tuple[list[GroundingItem], list[ChatItem], FrameStore]:
    grounding.main.__wrapped__(run)  # type: ignore[attr-defined]
    return (
        read_records(run.folder / "grounding.parquet", GroundingItem),
        read_records(run.folder / "chat.parquet", ChatItem),
        FrameStore([run.folder / "frames.parquet"]),
    )


# Sides.


def test_groups_are_on_the_side_of_their_items(upstream: Callable[..., Run]) -> None:
    run = upstream()
    items, chat, frames = written(run)
    sides: dict[str, set[str]] = {}
    for item in items:
        sides.setdefault(item.group, set()).add(item.split)
    assert sides == {"a": {"train"}, "b": {"train"}, "c": {"test"}, "d": {"test"}}
    assert {i.level for i in items if i.group == "d"} == {"L2"}
    assert {i.group for i in chat} == {"a", "b"}
    assert len(chat) == 2 * 2
    assert run.counts["dropped"] == {"trajectory_without_items": 1}
    assert run.counts["side"] == {s: sum(i.split == s for i in items) for s in ("test", "train")}
    assert sum(run.counts["made"].values()) == len(items) == run.metrics["items"]
    shown = {f for i in (*items, *chat) for f in i.frames}
    assert shown == set(frames.ids_in_order())
    assert all(sha256_bytes(frames.encoded(f)) == f for f in shown)
    assert read_json(run.folder / "leak_check.json")["leaks"] == []
    assert set(run.outputs) == {"grounding.parquet", "frames.parquet", "chat.parquet", "leak_check.json"}
    assert not list(run.folder.glob(".gathered*"))


def test_the_same_run_writes_the_same_bytes(upstream: Callable[..., Run]) -> None:
    run = upstream()
    once = [
        (written(run), {p.name: p.read_bytes() for p in run.folder.glob("*.parquet")})[1] for _ in range(2)
    ]
    assert once[0] == once[1]


@pytest.mark.parametrize(("changed", "kept_out"), [(0, True), (3, True), (4, False)])
def test_no_dense_training_item_shows_what_a_test_item_shows(
    changed: int, kept_out: bool, upstream: Callable[..., Run]
) -> None:
    # Three of 1,024 cells are below 0.003, four are not.
    frames = frames_of("a")
    frames[8] = picture("c0", changed)
    run = upstream({"a": frames})
    items, chat, _ = written(run)
    planted = sha256_bytes(frames[8])
    train = {f for i in (*items, *chat) if i.group == "a" for f in i.frames}
    assert len(train) > 4
    if kept_out:
        assert planted not in train
    # The test side loses nothing where the training side was cut.
    left_out = {"train_robot_frame_of_other_side": 1} if kept_out else {}
    assert run.counts["dropped"] == {"trajectory_without_items": 1} | left_out


@pytest.mark.parametrize("trained", ["dense", "synthesized"])
def test_no_dense_test_item_shows_what_is_trained_on(trained: str, upstream: Callable[..., Run]) -> None:
    tested, here = frames_of("c"), frames_of("a")
    # Frames 0 and 1 are those of the synthesized items.
    place = 5 if trained == "dense" else 1
    tested[6] = picture(f"a{place}", 2)
    run = upstream({"c": tested, "a": here})
    items, _, _ = written(run)
    shown = {f for i in items if i.split == "test" for f in i.frames}
    assert sha256_bytes(tested[6]) not in shown
    assert sha256_bytes(tested[7]) in shown
    assert run.counts["dropped"]["test_robot_frame_of_other_side"] == 1


def test_without_any_test_group_there_is_nothing_to_do(
    upstream: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(GROUPS, "c", "sft")
    monkeypatch.setitem(GROUPS, "d", "sft")
    with pytest.raises(EmptySourceError, match=r"\['test'\] hold no dense item"):
        written(upstream())


def test_at_most_so_many_items_of_each_task(upstream: Callable[..., Run]) -> None:
    run = upstream(None, "grounding.max_train_items=2", "grounding.max_test_items=1")
    written(run)
    assert run.counts["made"] == {
        **{f"train robot {task}": 2 for task in ("mask", "region", "temporal")},
        **{f"test robot {task}": 1 for task in ("mask", "region", "temporal")},
    }
    assert run.counts["dropped"]["train_item_over_most"] > 0


# Public datasets and chat of one's own.


def public(name: str, side: Side, *frames: bytes) -> GroundingItem:
    return GroundingItem(
        name, "region", side, "films", "CC0-1.0", "daily", "", name, "the red cube",
        tuple(map(sha256_bytes, frames)), (0.0,), 1.0, regions=(Region(0, (0.1, 0.1, 0.5, 0.5)),),
    )  # fmt: skip


def test_public_items_are_taken_or_left_out_whole(
    upstream: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    new = [picture(f"new{k}") for k in range(2)]
    given = {
        "fresh": ("train", new[0]),
        "as_tested": ("train", picture("c1", 3)),
        "unseen": ("test", new[1]),
        "as_trained": ("test", picture("new0", 1)),
    }

    def read(name: str, config: Any) -> Iterator[Clip]:
        assert (name, config.licence) == ("films", "CC0-1.0")
        for item_id, (side, data) in given.items():
            yield Clip((public(item_id, side, data),), (data,))  # type: ignore[arg-type]

    monkeypatch.setattr(grounding, "read_dataset", read)
    config_of = grounding.GroundingConfig
    films = SimpleNamespace(licence="CC0-1.0", citation="nobody")
    monkeypatch.setattr(
        grounding,
        "GroundingConfig",
        lambda **values: config_of(**values).model_copy(update={"datasets": {"films": films}}),
    )
    run = upstream()
    items, _, frames = written(run)
    assert {i.item_id for i in items if i.dataset == "films"} == {"fresh", "unseen"}
    assert run.counts["dropped"] == {
        "trajectory_without_items": 1,
        "train_films_item_of_other_side": 1,
        "test_films_item_of_other_side": 1,
    }
    assert sha256_bytes(new[0]) in frames
    assert run.facts == {"datasets": {"films": {"licence": "CC0-1.0", "citation": "nobody"}}}


def test_chat_of_ones_own_takes_the_place_of_that_of_films(
    upstream: Callable[..., Run], tmp_path: Path
) -> None:
    pictures = {"own": picture("own"), "tested": picture("d0", 2)}
    lines = []
    for name, data in pictures.items():
        (tmp_path / f"{name}.png").write_bytes(data)
        said = [{"role": "user", "content": "What?"}, {"role": "assistant", "content": name}] * 2
        lines.append(json.dumps({"images": [f"{name}.png"], "messages": said}) + "\n")
    (tmp_path / "chat.jsonl").write_text("".join(lines))
    run = upstream(None, "grounding.chat=chat.jsonl")
    _, chat, frames = written(run)
    assert [i.answer for i in chat] == ["own"]
    assert sha256_bytes(pictures["own"]) in frames
    assert run.counts["dropped"]["chat_of_other_side"] == 1
    assert run.counts["dropped"]["later_chat_question"] == 2


# The check.


def clean() -> tuple[list[GroundingItem], list[ChatItem], list[Item]]:
    dense = [
        replace(public(f"{side} {k}", side), frames=(f"{side}{k}",))  # type: ignore[arg-type]
        for side in ("train", "test")
        for k in range(2)
    ]
    chat = [ChatItem("chat", "train", "chat", ("spoken",), "What?", "That.")]
    splits: dict[str, Split] = {"asked": "test", "taught": "sft", "drilled": "grpo"}
    return dense, chat, [make_item(n, group=f"of {n}", split=s, shown=(n,)) for n, s in splits.items()]


def looks_of(*frames: str) -> dict[str, Any]:
    return {frame: random_look(frame) for frame in frames}


ALL = ("train0", "train1", "test0", "test1", "spoken", "asked", "taught", "drilled")


def leaks(
    dense: list[GroundingItem], chat: list[ChatItem], items: list[Item], looks: dict[str, Any] | None = None
) -> list[tuple[str, str, str]]:
    found = dense_leaks(dense, chat, items, looks or looks_of(*ALL), BELOW)
    return [(leak.kind, leak.test_item, leak.train_item) for leak in found]


def test_what_is_apart_passes() -> None:
    assert leaks(*clean()) == []
    refuse_dense_leaks([])


def test_synthesized_items_are_not_held_against_each_other() -> None:
    dense, chat, items = clean()
    assert leaks(dense, chat, [items[0], replace(items[1], group="of asked", shown=("asked",))]) == []


@pytest.mark.parametrize(
    ("test", "train"),
    [
        ("test 1", "train 0"),
        ("test 1", "chat"),
        ("test 1", "taught"),
        ("asked", "train 0"),
        ("asked", "chat"),
    ],
)
@pytest.mark.parametrize("kind", ["item_id", "group", "picture", "near-duplicate"])
def test_every_kind_of_leak_is_found_between_all_sides(kind: str, test: str, train: str) -> None:
    dense, chat, items = clean()
    everything: dict[str, Any] = {i.item_id: i for i in (*dense, *chat, *items)}

    def shown(item: Any) -> str:
        return str((item.shown if isinstance(item, Item) else item.frames)[0])

    looks = looks_of(*ALL)
    spoilt = everything[train]
    pictures = "shown" if isinstance(spoilt, Item) else "frames"
    if kind == "near-duplicate":
        looks[shown(spoilt)] = looks[shown(everything[test])].copy()
        looks[shown(spoilt)][0, :3] ^= 255
    else:
        name, value = {
            "item_id": ("item_id", test),
            "group": ("group", everything[test].group),
            "picture": (pictures, (shown(everything[test]),)),
        }[kind]
        everything[train] = replace(spoilt, **{name: value})
    values = list(everything.values())
    found = leaks(
        [v for v in values if isinstance(v, GroundingItem)],
        [v for v in values if isinstance(v, ChatItem)],
        [v for v in values if isinstance(v, Item)],
        looks,
    )
    assert found == [(kind, test, test if kind == "item_id" else train)]
    with pytest.raises(LeakError, match=kind):
        refuse_dense_leaks(dense_leaks(
            [v for v in values if isinstance(v, GroundingItem)],
            [v for v in values if isinstance(v, ChatItem)],
            [v for v in values if isinstance(v, Item)],
            looks, BELOW,
        ))  # fmt: skip


def test_the_stage_fails_where_a_planted_leak_was_not_cut(
    upstream: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = frames_of("a")
    frames[2:] = [picture(f"c{i}", 1) for i in range(2, FRAMES)]
    monkeypatch.setattr(grounding, "seen_in", lambda *_: set())
    run = upstream({"a": frames})
    with pytest.raises(LeakError, match="near-duplicate"):
        written(run)
    assert not (run.folder / "grounding.parquet").exists()
    assert read_json(run.folder / "leak_check.json")["leaks"]
    assert not list(run.folder.glob(".gathered*"))


# Parts.


def test_pictures_that_are_alike_are_seen_in_the_other_side() -> None:
    data = {"p": picture("p"), "q": picture("q"), "p3": picture("p", 3), "p4": picture("p", 4)}
    looks = {name: signature(decode_image(d)) for name, d in data.items()}
    assert seen_in(["p", "q"], ["p3"], looks, BELOW) == {"p"}
    assert seen_in(["p", "q"], ["p4"], looks, BELOW) == set()
    assert seen_in(["p", "q"], ["q"], looks, 0.0) == {"q"}
    assert seen_in(["p"], [], looks, BELOW) == set()


def test_items_say_on_which_side_their_group_is() -> None:
    items = [make_item("x", split="sft", group="g"), make_item("y", split="test", group="h")]
    assert side_of_groups(items) == {"g": "train", "h": "test"}


def test_a_draw_keeps_the_order_and_depends_on_the_seed_alone() -> None:
    items = [public(f"{k:02d}", "train") for k in range(30)]
    drawn_once = at_most(items, 5, 0, "train")
    assert len(drawn_once) == 5
    assert drawn_once == sorted(drawn_once, key=lambda i: i.item_id) == at_most(items, 5, 0, "train")
    assert drawn_once != at_most(items, 5, 1, "train")
    assert at_most(items, 0, 0, "train") == items


# Configuration.


def test_the_stage_is_there_where_something_is_trained_with_it() -> None:
    assert "grounding" not in unit_names(compose("demo", []))
    config = compose("demo", [VARIANT, "+source@sources.mine=episodes", "sources.mine.path=x",
                              "sources.mine.licence=x", "sources.mine.scenario=robot"])  # fmt: skip
    units = unit_names(config)
    assert units[units.index("synthesize") + 1] == "grounding"
    part = unit_config(config, "grounding")
    assert set(part) == {"name", "unit", "seed", "grounding", "sources"}
    assert part["sources"] == ["assembly", "gui", "navigation", "robot"]
