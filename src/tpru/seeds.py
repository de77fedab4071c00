"""Further training seeds: the unit ``grpo_seed1`` is ``grpo`` once more, on the same data, with seed 1.

The model that it makes has the same name. What is made with the experiment's own seed has no suffix.
"""

import re

_SUFFIXED = re.compile(r"(\w+)_seed(0|[1-9]\d*)")


def with_seed(name: str, seed: int | None) -> str:
    """The name of a unit or model for a further seed; as it is for None, the experiment's own seed."""
    return name if seed is None else f"{name}_seed{seed}"


def split_seed(name: str) -> tuple[str, int | None]:
    """The name without its seed, and the seed; any other name as it is and None."""
    found = _SUFFIXED.fullmatch(name)
    return (found[1], int(found[2])) if found else (name, None)


def stage_of(unit: str) -> str:
    """The stage that makes a unit: ``sft`` of ``sft_seed1``, ``evaluate`` of ``evaluate/sft/heldout``."""
    return split_seed(unit.split("/")[0])[0]


def suffixes(seeds: tuple[int, ...]) -> str:
    """A pattern of what names end with: the suffix of a further seed, or nothing."""
    return f"(?:{'|'.join(with_seed('', seed) for seed in seeds)})?"
