"""All items of an experiment: drafts, letters, budgets."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np

from tpru.config.schema import SynthesizeConfig
from tpru.randomness import generator
from tpru.records import LETTERS, TASKS, Caption, Item, Sequence, Split, Task
from tpru.synthesis import next_frame, previous_frame, reordering
from tpru.synthesis.draft import N_OPTIONS, Draft, NegativeKind, Pool, options_of
from tpru.synthesis.likeness import Likeness
from tpru.synthesis.splits import frame_ids
from tpru.synthesis.wording import option_blocks
from tpru.trajectories.signature import Signature

CountTokens = Callable[[Item], int]
Pools = dict[str, Pool]  # by scenario


# Why there is no item of a task from a sequence.
DROPPED: dict[Task, str] = {
    "reordering": "likeness_gives_away",
    "next_frame": "no_fair_distractors",
    "previous_frame": "no_fair_distractors",
}


@dataclass(frozen=True)
class Build:
    """Items in a stable order, and how many were dropped for which reason."""

    items: tuple[Item, ...]
    dropped: dict[str, int]


def build(
    sequences: list[Sequence],
    captions: dict[str, Caption],
    splits: dict[str, Split],
    looks: dict[str, Signature],
    config: SynthesizeConfig,
    seed: int,
    count_tokens: CountTokens,
) -> Build:
    """Items of every task from every sequence.

    Answer letters are dealt from a shuffled deck per split, task and kind of item, so that they are
    uniform by construction. Items over a budget are dropped and counted, never cut.
    """
    dropped: Counter[str] = Counter()
    pools = make_pools(sequences, splits, looks, config.splits.near_duplicate_change)
    drafts = [
        draft
        for sequence in sorted(sequences, key=lambda s: s.sequence_id)
        for draft in _drafts(sequence, captions, pools[splits[sequence.group]], config, seed, dropped)
    ]
    items: list[Item] = []
    answers = deal_answers(drafts, splits, seed)
    for draft, answer in zip(drafts, answers, strict=True):
        item = finish(draft, answer, splits[draft.sequence.group], seed)
        reason = over_budget(item, config, count_tokens)
        if reason:
            dropped[reason] += 1
        else:
            items.append(item)
    return Build(tuple(_limit_test(items, config.max_test_items, seed)), dict(sorted(dropped.items())))


def make_pools(
    sequences: list[Sequence],
    splits: dict[str, Split],
    looks: dict[str, Signature],
    same_look: float,
) -> dict[Split, Pools]:
    """Per split, the distractor pools by scenario: a test item never shows a training picture."""
    out: dict[Split, Pools] = {}
    likeness = Likeness(looks)
    for split in set(splits.values()):
        by_scenario: dict[str, set[tuple[str, str, str]]] = defaultdict(set)
        for s in sequences:
            if splits[s.group] == split:
                by_scenario[s.scenario] |= {(s.trajectory_id, s.family, f) for f in frame_ids(s)}
        out[split] = {k: Pool(tuple(sorted(v)), looks, same_look, likeness) for k, v in by_scenario.items()}
    return out


def _drafts(
    sequence: Sequence,
    captions: dict[str, Caption],
    pools: Pools,
    config: SynthesizeConfig,
    seed: int,
    dropped: Counter[str],
) -> list[Draft]:
    pool, caption = pools[sequence.scenario], captions[sequence.sequence_id]
    drafts: list[Draft] = []
    for task in TASKS:
        for number in range(config.items_per_sequence[task]):
            rng = generator(seed, "item", sequence.sequence_id, task, str(number))
            draft = _draft(task, sequence, caption, pool, rng, number, config)
            if draft is None:
                dropped[DROPPED[task]] += 1
            else:
                drafts.append(draft)
    return drafts


def _draft(
    task: Task,
    sequence: Sequence,
    caption: Caption,
    pool: Pool,
    rng: np.random.Generator,
    number: int,
    config: SynthesizeConfig,
) -> Draft | None:
    kind = negative_kind(config, float(rng.random()))
    written_out = task == "reordering" and rng.random() < config.permutation_answer_share
    if task == "reordering":
        # An order that is written out has no reject option, so such an item must be answerable.
        chosen: NegativeKind = "" if written_out else kind
        return reordering.draft(sequence, caption, chosen, pool, rng, number, written_out)
    make = next_frame.draft if task == "next_frame" else previous_frame.draft
    return make(sequence, caption, kind, pool, rng, number)


def negative_kind(config: SynthesizeConfig, draw: float) -> NegativeKind:
    """Kind of an item from a uniform draw in [0, 1)."""
    if draw < config.negatives.caption:
        return "caption"
    return "withheld" if draw < config.negatives.caption + config.negatives.withheld else ""


def deal_answers(drafts: list[Draft], splits: dict[str, Split], seed: int) -> list[str]:
    """The answer letter of every draft (the order itself where it is written out).

    Each (split, task, form, kind) has its own deck with every letter equally often.
    """
    waiting: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for position, draft in enumerate(drafts):
        form = draft.options_are or "written_out"
        split = splits[draft.sequence.group]
        waiting[(split, draft.task, form, draft.negative_kind)].append(position)
    answers = [""] * len(drafts)
    for key, positions in sorted(waiting.items()):
        rng = generator(seed, "letters", *key)
        # Each deck starts at another letter, or small decks would favour the first ones.
        letters = [LETTERS[i] for i in rng.permutation(N_OPTIONS)]
        deck = list(islice(cycle(letters), len(positions)))
        rng.shuffle(deck)
        for position, letter in zip(positions, deck, strict=True):
            draft = drafts[position]
            answers[position] = letter if draft.options_are else draft.right
    return answers


def finish(draft: Draft, answer: str, split: Split, seed: int) -> Item:
    """The item of a draft: options in place, reasoning complete, every picture with its origin."""
    s = draft.sequence
    item_id = f"{s.sequence_id}/{draft.task}/{draft.number}"
    rng = generator(seed, "options", item_id)
    options = options_of(draft, LETTERS[:N_OPTIONS], answer, rng) if draft.options_are else []
    prompt = draft.question + (option_blocks(options) if options else ())
    shown = tuple(b.value for b in prompt if b.type == "image")
    index = {f.frame_id: f.index for f in (*s.frames, *s.outside)}
    return Item(
        item_id=item_id,
        task=draft.task,
        split=split,
        scenario=s.scenario,
        source=s.source,
        licence=s.licence,
        family=s.family,
        group=s.group,
        sequence_id=s.sequence_id,
        trajectory_id=s.trajectory_id,
        caption=draft.caption,
        prompt=prompt,
        options=tuple(options),
        answer=answer,
        is_negative=bool(draft.negative_kind),
        negative_kind=draft.negative_kind,
        reasoning=draft.reasoning.replace("{letter}", answer),
        shown=shown,
        order=tuple(index.get(f, -1) for f in shown),
        level=s.level,
        difficulty=round(draft.difficulty, 3),
    )


def over_budget(item: Item, config: SynthesizeConfig, count_tokens: CountTokens) -> str:
    """Reason to drop an item, empty when it fits."""
    if len(item.shown) > config.max_pictures:
        return "over_picture_budget"
    return "over_token_budget" if count_tokens(item) > config.max_tokens else ""


def _limit_test(items: list[Item], most: int, seed: int) -> list[Item]:
    """Thin the test items to ``most``, the same share of every level, task and scenario."""
    test = [i for i in items if i.split == "test"]
    if not most or len(test) <= most:
        return items
    by_cell: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for i in test:
        by_cell[(i.level, i.task, i.scenario)].append(i.item_id)
    # Whole shares first, what is left to the largest remainders.
    shares = {key: most * len(ids) // len(test) for key, ids in by_cell.items()}
    behind = sorted(by_cell, key=lambda key: (-(most * len(by_cell[key]) % len(test)), key))
    for key in behind[: most - sum(shares.values())]:
        shares[key] += 1
    kept: set[str] = set()
    for key, ids in sorted(by_cell.items()):
        order = generator(seed, "test items", *key).permutation(len(ids))[: shares[key]]
        kept |= {ids[i] for i in order}
    return [i for i in items if i.split != "test" or i.item_id in kept]
