"""Rewards of GRPO: plain functions of a completion and what it should be.

``strict`` is the default. ``tpru`` is the reward that arXiv 2602.18884 published with its code, kept as
a documented fact with its weaknesses: the first answer block counts, wherever it stands, and neither
case nor blanks nor digits are understood.
"""

import re
from dataclasses import dataclass
from itertools import combinations

from tpru.config.schema import RewardConfig
from tpru.evaluation.parsing import parse_answer, well_formed


@dataclass(frozen=True)
class Reward:
    """Total and its parts; ``accuracy`` and ``format`` are 0 or 1 (``tpru``: format 0 or 0.2)."""

    total: float
    accuracy: float
    format: float
    parsed: bool


def reward(completion: str, answer: str, letters: str, config: RewardConfig) -> Reward:
    """The configured reward of one completion.

    Args:
        completion: what the model wrote.
        answer: the right option letter, or the right order.
        letters: the option letters, empty when the order is written out.
        config: which reward, and its weights.
    """
    if config.name == "tpru":
        return tpru_reward(completion, answer, letters, config)
    parsed = parse_answer(completion, letters, len(answer))
    accuracy = float(parsed == answer)
    form = float(well_formed(completion))
    credit = accuracy
    if parsed and not letters and not accuracy:
        credit = config.partial_credit * pairs_in_order(parsed, answer)
    total = config.accuracy_weight * credit + config.format_weight * form
    return Reward(total, accuracy, form, bool(parsed))


def pairs_in_order(order: str, truth: str) -> float:
    """Share of pairs that stand in the right order, in [0, 1]: (1 + Kendall's tau) / 2."""
    rank = {label: position for position, label in enumerate(truth)}
    pairs = list(combinations(order, 2))
    return sum(rank[a] < rank[b] for a, b in pairs) / len(pairs) if pairs else 1.0


def tpru_reward(completion: str, answer: str, letters: str, config: RewardConfig) -> Reward:
    """The published rule: 0.9 accuracy + 0.1 format, where a right form is worth 0.2.

    Blanks around ``<``, ``>`` and ``/`` are removed first; the form is a think block and then an answer
    block of capital letters alone; accuracy compares the text of the first answer block.
    """
    text = re.sub(r"\s*(<|>|/)\s*", r"\1", completion)
    form = 0.2 if re.fullmatch(r"<think>.*?</think>\s*<answer>[A-Z]+</answer>", text, re.DOTALL) else 0.0
    first = re.search(r"<answer>(.*?)</answer>", text, re.DOTALL)
    said = first.group(1).strip().strip("'\"") if first else ""
    accuracy = float(bool(first) and said == answer.strip())
    total = config.accuracy_weight * accuracy + config.format_weight * form
    return Reward(total, accuracy, form, bool(parse_answer(completion, letters, len(answer))))
