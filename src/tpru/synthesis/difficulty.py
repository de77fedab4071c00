"""How close wrong options are to the right one, in [0, 1], and wrong orders of a wanted closeness."""

from itertools import combinations
from math import factorial

import numpy as np

# Grade of a wrong picture: the same scene (another moment, or what was not done), another episode of the
# same family, another family.
SAME_SCENE, SAME_FAMILY, OTHER_FAMILY = 1.0, 0.5, 0.0


def kendall(a: str, b: str) -> int:
    """Number of pairs that two orders of the same labels put differently (Kendall's tau distance)."""
    rank = {label: i for i, label in enumerate(b)}
    return sum(rank[x] > rank[y] for x, y in combinations(a, 2))


def order_difficulty(right: str, wrong: list[str]) -> float:
    """One minus the mean Kendall distance of the wrong orders, as a share of the largest one."""
    largest = len(right) * (len(right) - 1) / 2
    return 1.0 - sum(kendall(right, w) for w in wrong) / (len(wrong) * largest)


def wrong_orders(right: str, count: int, close: bool, rng: np.random.Generator) -> list[str]:
    """``count`` wrong orders such that no rule about the orders alone can tell the right one.

    A set of count + 1 orders is drawn (``close``: a random one, its reverse, and orders one swap of
    neighbours away from these; else any), one of its members is taken at random to be the right one, and
    the labels are renamed so that it reads ``right``. Whatever its place in the set - middle, outlier,
    reverse of another - it had that place by chance.

    Raises:
        ValueError: there are fewer than ``count`` wrong orders.
    """
    n, names = len(right), sorted(right)
    if factorial(n) <= count:
        raise ValueError(f"{n} labels have no {count} wrong orders")
    orders = ["".join(rng.permutation(names))]
    if close:
        orders.append(orders[0][::-1])
        near = sorted({w for o in orders for w in _one_swap(o)} - set(orders))
        orders += [near[i] for i in rng.permutation(len(near))][: count - 1]
    while len(orders) <= count:
        other = "".join(rng.permutation(names))
        orders += [other] * (other not in orders)
    # In any order, the right one last: a list cut short must not tell by what it lacks.
    *wrong, chosen = (orders[i] for i in rng.permutation(count + 1))
    renamed = {chosen[i]: right[i] for i in range(n)}
    return ["".join(renamed[label] for label in order) for order in wrong]


def _one_swap(order: str) -> list[str]:
    """Orders with two neighbours exchanged."""
    return [order[:i] + order[i + 1] + order[i] + order[i + 2 :] for i in range(len(order) - 1)]
