"""Sequences and captions -> ``items.parquet`` with splits, and the pictures that they show.

    python -m tpru.stages.synthesize experiment=demo synthesize.negatives.caption=0.2

The build fails when anything of the test side is also on the training side.
"""

from collections import Counter

from tpru.config.schema import SynthesizeConfig
from tpru.errors import EmptySourceError, ShortcutError
from tpru.evaluation.guessers import beaten, guess_report, write_guess_report
from tpru.files import write_json
from tpru.models.processor import load_processor, token_counter
from tpru.records import SPLITS, Caption, Item, Sequence
from tpru.run import Run, say, stage
from tpru.runtime import progress
from tpru.stages.inputs import all_sequences, source_frames
from tpru.store import FrameStore, read_records, write_frames, write_records
from tpru.synthesis.build import Build, build
from tpru.synthesis.leaks import find_leaks, refuse_leaks
from tpru.synthesis.splits import assign, drop_near_duplicates, frame_ids
from tpru.trajectories.signature import Signature, signature

# On fewer items a guesser beats chance by luck too often.
LEAST_GUESSED = 50


def looks_of(sequences: list[Sequence], frames: FrameStore) -> dict[str, Signature]:
    """Signature of every picture of the sequences."""
    wanted = {f for s in sequences for f in frame_ids(s)}
    listed = [f for f in frames.ids_in_order() if f in wanted]
    return {f: signature(frames.image(f)) for f in progress(listed, "look at pictures")}


@stage("synthesize")
def main(run: Run) -> None:
    config = SynthesizeConfig(**run.config["synthesize"])
    path = run.upstream("describe").path("captions.parquet")
    captions = {c.sequence_id: c for c in read_records(path, Caption)}
    extracted = all_sequences(run)
    # A captioner may leave unclear sequences out; they then feed no distractors either.
    sequences = [s for s in extracted if s.sequence_id in captions]
    undescribed = len(extracted) - len(sequences)
    frames = source_frames(run)
    looks = looks_of(sequences, frames)
    splits = assign(sequences, config.splits, run.seed)
    left_out = 0
    below = config.splits.near_duplicate_change
    if config.splits.near_duplicates == "drop":
        sequences, left_out = drop_near_duplicates(sequences, splits, looks, below)
    processor = load_processor(run.upstream("processor").path("processor"))
    count = token_counter(processor, frames)
    made = build(sequences, captions, splits, looks, config, run.seed, count)
    before = {"near_duplicate_of_training": left_out, "sequence_not_described": undescribed}
    dropped = {**made.dropped, **{reason: n for reason, n in before.items() if n}}
    items = list(made.items)
    empty = [s for s in SPLITS if not any(i.split == s for i in items)]
    if empty:
        raise EmptySourceError(
            f"the split(s) {empty} hold no item ({len(sequences)} sequences, dropped: {dropped}). Add "
            "episodes or groups, or raise the shares under synthesize.splits."
        )
    shown = {f for item in items for f in item.shown}
    leaks = find_leaks(items, {f: looks[f] for f in shown}, below)
    checked = {"items": len(items), "pictures": len(shown), "leaks": [vars(k) for k in leaks]}
    write_json(run.output("leak_check.json"), checked)
    refuse_leaks(leaks)
    check_guessers(run, config, items, frames)
    write_records(run.output("items.parquet"), Item, items)
    ordered = [f for f in frames.ids_in_order() if f in shown]
    write_frames(run.output("frames.parquet"), (frames.encoded(f) for f in ordered))
    run.counts = {**count_items(items), "dropped": dropped}
    run.metrics |= {"items": len(items), "pictures": len(shown), **_by_split(made)}
    say(f"{len(items)} items {_by_split(made)}; dropped {dropped}; no leak")


def check_guessers(run: Run, config: SynthesizeConfig, items: list[Item], frames: FrameStore) -> None:
    """Let the guessers answer the test items; say where one beats chance by more than ten points.

    Raises:
        ShortcutError: there is such a place and the configuration says ``fail``.
    """
    train = [i for i in items if i.split != "test"]
    rows = guess_report(train, [i for i in items if i.split == "test"], frames)
    write_guess_report(run.output("guessers.json"), rows)
    run.metrics["guessers_best_excess"] = max(r.excess for r in rows)
    # A short path through the pictures is no shortcut of the options but what time leaves in pictures; it
    # has no direction, so it is right half of the time at most. Reported, not refused.
    found = [r for r in beaten(rows) if r.n >= LEAST_GUESSED and not r.guesser.endswith("_path")]
    for r in found:
        say(
            f"shortcut: {r.guesser} answers {r.accuracy:.1%} of {r.n} {r.subset} {r.task} items "
            f"({r.form}), chance is {r.chance:.1%}"
        )
    if found and config.guessers == "fail":
        raise ShortcutError(
            f"guessers beat chance by more than ten points in {len(found)} place(s), listed in "
            f"{run.folder / 'guessers.json'}. Change the synthesis (distractors, negatives), or set "
            "synthesize.guessers=warn to build all the same."
        )


def count_items(items: list[Item]) -> dict[str, dict[str, int]]:
    """Counts for the data card, one table per column."""
    columns: dict[str, list[str]] = {
        "source": [i.source for i in items],
        "scenario": [i.scenario for i in items],
        "family": [i.family or "unknown" for i in items],
        "level": [i.level for i in items if i.level],
        "task": [i.task for i in items],
        "split": [i.split for i in items],
        "answer": [i.answer for i in items if i.options],
        "negative": [i.negative_kind or "answerable" for i in items],
        "licence": [i.licence for i in items],
    }
    return {name: dict(sorted(Counter(values).items())) for name, values in columns.items()}


def _by_split(made: Build) -> dict[str, float]:
    return {f"items_{s}": sum(1 for i in made.items if i.split == s) for s in SPLITS}


if __name__ == "__main__":
    main()
