"""Simulated trajectories and public datasets -> dense items (``grounding.parquet``), pictures, and chat.

    python -m tpru.stages.grounding experiment=tpo

Every group is on the side that ``synthesize`` gave it. The build fails when anything of a test side, of dense
or of synthesized items, is trained on.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tpru.config.tpo_schema import GroundingConfig
from tpru.errors import EmptySourceError
from tpru.files import sha256_bytes, write_json
from tpru.grounding.chat import film_chat, read_chat
from tpru.grounding.films import Film, usual_places
from tpru.grounding.leaks import dense_leaks, refuse_dense_leaks
from tpru.grounding.records import ChatItem, GroundingItem, Side
from tpru.grounding.sides import at_most, seen_in, side_of_groups, without
from tpru.grounding.simulated import dense_items
from tpru.grounding.sources.opened import read_dataset
from tpru.records import SPLITS
from tpru.run import Run, say, stage
from tpru.runtime import progress
from tpru.stages.download import read_shard
from tpru.stages.inputs import item_frames, items_of, sources
from tpru.store import FrameStore, decode_image, write_frames, write_records
from tpru.trajectories.signature import Signature, signature

SIDES: tuple[Side, ...] = ("train", "test")


@dataclass
class Gathered:
    """All that items can be made of, and how all its pictures look; the pictures themselves lie in a file."""

    films: dict[Side, list[Film]] = field(default_factory=lambda: {"train": [], "test": []})
    public: dict[Side, list[GroundingItem]] = field(default_factory=lambda: {"train": [], "test": []})
    chat: list[ChatItem] = field(default_factory=list)
    looks: dict[str, Signature] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)


def pictures(run: Run, config: GroundingConfig, sides: dict[str, Side], into: Gathered) -> Iterator[bytes]:
    """Every picture that an item may show, one after another, while ``into`` takes down all else."""

    def seen(data: bytes) -> bytes:
        name = sha256_bytes(data)
        if name not in into.looks:
            into.looks[name] = signature(decode_image(data))
        return data

    for name in sources(run):
        made = run.upstream(f"download/{name}")
        total = int(made.record["metrics"]["trajectories"])
        for entry in progress(read_shard(made), f"read {name}", total):
            side = sides.get(entry.trajectory.group)
            if side is None:
                into.left_out["trajectory_without_items"] += 1
                continue
            frames = entry.frames[: entry.trajectory.media.n_frames]
            yield from map(seen, frames)
            ids = tuple(map(sha256_bytes, frames))
            into.films[side].append(Film(entry.trajectory, entry.states, ids))
    for name, dataset in config.datasets.items():
        for clip in progress(read_dataset(name, dataset), f"read {name}"):
            yield from map(seen, clip.pictures)
            for item in clip.items:
                into.public[item.split].append(item)
    for talk in progress(read_chat(Path(config.chat)), "read chat") if config.chat else ():
        yield from map(seen, talk.pictures)
        into.chat.append(talk.item)
        into.left_out["later_chat_question"] += talk.left_out


@stage("grounding")
def main(run: Run) -> None:
    config = GroundingConfig(**run.config["grounding"])
    synthesized = items_of(run, *SPLITS)
    gathered = Gathered()
    stored = run.folder / ".gathered.parquet"
    try:
        write_frames(stored, pictures(run, config, side_of_groups(synthesized), gathered))
        looks = gathered.looks
        frames = item_frames(run)
        looks |= {f: signature(frames.image(f)) for f in frames.ids_in_order() if f not in looks}
        asked: dict[str, set[str]] = {"train": set(), "test": set()}
        for one in synthesized:
            asked["test" if one.split == "test" else "train"].update(one.shown)

        hide(gathered, "train", asked["test"], config.near_duplicate_change)
        items = side_items(run, config, gathered, "train")
        chat = gathered.chat if config.chat else chat_items(run, config, gathered)
        trained = _shown(items) | _shown(chat) | asked["train"]
        hide(gathered, "test", trained, config.near_duplicate_change)
        items += side_items(run, config, gathered, "test")
        refuse_empty(items)

        leaks = dense_leaks(items, chat, synthesized, looks, config.near_duplicate_change)
        shown = _shown(items) | _shown(chat)
        checked = {"items": len(items), "chat": len(chat), "pictures": len(shown)}
        write_json(run.output("leak_check.json"), checked | {"leaks": [vars(leak) for leak in leaks]})
        refuse_dense_leaks(leaks)
        write_records(run.output("grounding.parquet"), GroundingItem, items)
        write_records(run.output("chat.parquet"), ChatItem, chat)
        store = FrameStore([stored])
        write_frames(
            run.output("frames.parquet"), (store.encoded(f) for f in store.ids_in_order() if f in shown)
        )
    finally:
        stored.unlink(missing_ok=True)
    run.counts = count_items(items)
    run.counts["dropped"] = {reason: n for reason, n in sorted(gathered.left_out.items()) if n}
    run.metrics = {"items": len(items), "chat": len(chat), "pictures": len(shown)}
    run.metrics |= {f"items_{side}": sum(i.split == side for i in items) for side in SIDES}
    datasets = {name: {"licence": d.licence, "citation": d.citation} for name, d in config.datasets.items()}
    run.facts = {"datasets": datasets}
    say(f"{len(items)} dense items {run.counts['made']}, {len(chat)} of chat; no leak")
    say(f"left out: {run.counts['dropped']}")


def hide(gathered: Gathered, side: Side, other: set[str], below: float) -> None:
    """Take from a side, and from chat, the pictures that are or look like one of the other side.

    Films go on without these frames; items of public datasets and chat that show one are left out.
    """
    films, public, left_out = gathered.films[side], gathered.public[side], gathered.left_out
    chat = gathered.chat if side == "train" else []
    own = _shown(public) | _shown(chat) | {f for film in films for f in film.frames}
    alike = seen_in(own, other, gathered.looks, below)
    gathered.films[side] = [without(film, alike) for film in films]
    for film in gathered.films[side]:
        left_out[f"{side}_{film.trajectory.scenario}_frame_of_other_side"] += len(film.hidden)
    gathered.public[side] = [item for item in public if alike.isdisjoint(item.frames)]
    for item in public:
        left_out[f"{side}_{item.dataset}_item_of_other_side"] += not alike.isdisjoint(item.frames)
    if side == "train":
        gathered.chat = [item for item in chat if alike.isdisjoint(item.frames)]
        left_out["chat_of_other_side"] += len(chat) - len(gathered.chat)


def _shown(items: Sequence[GroundingItem] | Sequence[ChatItem]) -> set[str]:
    return {frame for item in items for frame in item.frames}


def side_items(run: Run, config: GroundingConfig, gathered: Gathered, side: Side) -> list[GroundingItem]:
    """The items of a side, of films and of public datasets, at most as many as configured."""
    films = gathered.films[side]
    usual = usual_places(gathered.films["train"])
    made = [
        item
        for film in progress(films, f"{side} items", len(films))
        for item in dense_items(film, side, config.simulated, usual, run.seed)
    ]
    made += gathered.public[side]
    most = config.max_train_items if side == "train" else config.max_test_items
    kept = at_most(made, most, run.seed, side)
    gathered.left_out[f"{side}_item_over_most"] += len(made) - len(kept)
    return kept


def chat_items(run: Run, config: GroundingConfig, gathered: Gathered) -> list[ChatItem]:
    """Questions about single frames of the training films."""
    count = config.simulated.chat_per_trajectory
    return [item for film in gathered.films["train"] for item in film_chat(film, count, run.seed)]


def refuse_empty(items: list[GroundingItem]) -> None:
    """Refuse a side without any item.

    Raises:
        EmptySourceError: naming the sides.
    """
    empty = [side for side in SIDES if not any(item.split == side for item in items)]
    if empty:
        raise EmptySourceError(
            f"the side(s) {empty} hold no dense item: the experiment needs simulated sources with groups on "
            "both sides, or grounding.datasets; see conf/grounding/default.yaml"
        )


def count_items(items: list[GroundingItem]) -> dict[str, dict[str, int]]:
    """Counts for the data card, one table per column; ``made`` has side, scenario and task together."""
    columns: dict[str, list[str]] = {
        "side": [i.split for i in items],
        "task": [i.task for i in items],
        "scenario": [i.scenario for i in items],
        "dataset": [i.dataset for i in items],
        "level": [i.level for i in items if i.level],
        "licence": [i.licence for i in items],
        "made": [f"{i.split} {i.scenario} {i.task}" for i in items],
    }
    return {name: dict(sorted(Counter(values).items())) for name, values in columns.items()}


if __name__ == "__main__":
    main()
