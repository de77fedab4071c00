"""The held-out items of this experiment's own synthesis."""

from tpru.config.schema import HeldoutBenchmark
from tpru.records import Item
from tpru.run import Run
from tpru.stages.inputs import items_of
from tpru.training.data import choose_items


def load(run: Run, config: HeldoutBenchmark) -> list[Item]:
    """Items of the test split, at most ``max_items`` of them."""
    return choose_items(items_of(run, "test"), config.max_items, 0)
