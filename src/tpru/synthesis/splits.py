"""Groups to splits, and pictures that would leak taken out of the test side."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from tpru.config.schema import SplitsConfig
from tpru.errors import SplitError
from tpru.files import sha256_bytes
from tpru.records import SPLITS, Sequence, Split
from tpru.trajectories.signature import Signature, near_duplicates


def assign(sequences: Iterable[Sequence], config: SplitsConfig, seed: int) -> dict[str, Split]:
    """Group -> split, stratified by scenario and source, by a hash of seed and group.

    Sources that fix "train" or "test" keep that; their train groups are shared out between sft and grpo.
    A group is a unit: all its sequences, of whatever source, get the same split.

    Raises:
        SplitError: a group is fixed to both sides, or the test split stays empty.
    """
    strata: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    fixed: dict[str, str] = {}
    for s in sorted(sequences, key=lambda s: s.sequence_id):
        if fixed.setdefault(s.group, s.split) != s.split:
            raise SplitError(f"group {s.group!r} is on both sides of the fixed split of its source")
        strata[(s.scenario, s.source, s.split)].add(s.group)
    splits: dict[str, Split] = {}
    for (_, _, side), groups in sorted(strata.items()):
        weights = {
            "": {"sft": config.sft, "grpo": config.grpo, "test": config.test},
            "train": {"sft": config.sft, "grpo": config.grpo},
            "test": {"test": 1.0},
        }[side]
        fresh = [g for g in groups if g not in splits]
        ordered = sorted(fresh, key=lambda g: sha256_bytes(f"{seed}\0{g}".encode()))
        splits.update(_share_out(ordered, weights))
    if splits and "test" not in splits.values():
        raise SplitError(
            f"{len(splits)} group(s) are too few for a test split of {config.test:g}: add episodes of "
            "other groups, raise synthesize.splits.test, or set `split` in the manifest"
        )
    return splits


def _share_out(groups: list[str], weights: dict[str, float]) -> dict[str, Split]:
    """Cut an ordered list by weights; every split of positive weight gets one where there are enough."""
    wanted = [name for name in SPLITS if weights.get(name, 0.0) > 0.0]
    total = sum(weights[name] for name in wanted)
    out: dict[str, Split] = {}
    for position, group in enumerate(groups):
        counts = {name: sum(1 for s in out.values() if s == name) for name in wanted}
        done = position + 1
        # The last groups belong to the splits that still have none.
        empty = [name for name in wanted if not counts[name]]
        open_to = empty if empty and len(groups) - position <= len(empty) else wanted
        # The split that is furthest behind its share; the scarcest wins ties, so test is never starved.
        out[group] = max(
            open_to, key=lambda name: (weights[name] * done / total - counts[name], -weights[name])
        )
    return out


def drop_near_duplicates(
    sequences: list[Sequence],
    splits: dict[str, Split],
    looks: dict[str, Signature],
    below: float,
) -> tuple[list[Sequence], int]:
    """Without the test sequences that hold a near-duplicate of a training picture, and how many those are.

    Pictures outside a test sequence that look like a training picture are taken out of its distractors.
    """
    train = sorted({f for s in sequences if splits[s.group] != "test" for f in frame_ids(s)})
    test = sorted({f for s in sequences if splits[s.group] == "test" for f in frame_ids(s)})
    pairs = near_duplicates([looks[f] for f in test], [looks[f] for f in train], below)
    leaking = {test[i] for i, _ in pairs} | (set(train) & set(test))
    kept: list[Sequence] = []
    dropped = 0
    for s in sequences:
        if splits[s.group] != "test":
            kept.append(s)
        elif any(f.frame_id in leaking for f in s.frames):
            dropped += 1
        else:
            outside, alternatives = (
                tuple(f for f in frames if f.frame_id not in leaking)
                for frames in (s.outside, s.alternatives)
            )
            kept.append(replace(s, outside=outside, alternatives=alternatives))
    return kept, dropped


def frame_ids(sequence: Sequence) -> list[str]:
    """All pictures that items of this sequence may show."""
    return [f.frame_id for f in (*sequence.frames, *sequence.outside, *sequence.alternatives)]
