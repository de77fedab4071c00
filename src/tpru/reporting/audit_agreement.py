"""How well people and the key of an audit agree.

    python -m tpru.reporting.audit_agreement key.json answers.json [answers_of_another.json ...]

``key.json`` lies beside the page; ``answers.json`` is what its button downloads, one file per person.
"""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from tpru.errors import ManifestError, TpruError
from tpru.evaluation.statistics import cohens_kappa, wilson_interval
from tpru.reporting.audit import UNDECIDABLE

JUDGEMENTS = {"answer_right": "says the key is right", "reasoning_true": "says its reasoning is true"}


@dataclass(frozen=True)
class Reader:
    """One person's answers: item id -> option letter, order or "cannot be decided".

    ``judged`` maps each of the questions asked afterwards to item id -> "yes", "no" or "unsure".
    """

    name: str
    answers: dict[str, str]
    judged: dict[str, dict[str, str]]


@dataclass(frozen=True)
class Share:
    """A count out of ``n`` items."""

    count: int
    n: int

    def __str__(self) -> str:
        """The share in percent with its 95% Wilson interval, and the counts."""
        if not self.n:
            return "no item"
        found = wilson_interval(self.count, self.n)
        share = f"{100 * self.count / self.n:.1f}%"
        return f"{share} [{100 * found.low:.1f}, {100 * found.high:.1f}] ({self.count} of {self.n})"


def accuracy(key: dict[str, str], reader: Reader, decided_only: bool = False) -> Share:
    """How often a person gives the answer of the key; one that cannot be decided is not right."""
    asked = {i: a for i, a in reader.answers.items() if not (decided_only and a == UNDECIDABLE)}
    return Share(sum(a == key[i] for i, a in asked.items()), len(asked))


def undecidable(reader: Reader) -> Share:
    """How often a person says that an item cannot be decided."""
    return Share(sum(a == UNDECIDABLE for a in reader.answers.values()), len(reader.answers))


def judged(reader: Reader, question: str) -> Share:
    """How often a person says yes to a question asked after the answer was shown; "unsure" is no yes."""
    given = reader.judged[question]
    return Share(sum(v == "yes" for v in given.values()), len(given))


def read_key(path: Path) -> dict[str, Any]:
    """The key of an audit.

    Raises:
        ManifestError: the file is missing or is no key.
    """
    key = _read(path)
    if not isinstance(key.get("items"), dict) or "fingerprint" not in key:
        raise ManifestError(f"{path} is no key of an audit; it lies beside the page and is named key.json")
    return key


def read_answers(path: Path, key: dict[str, Any]) -> Reader:
    """The answers of one person.

    Raises:
        ManifestError: the file is missing, is no answers.json, or belongs to another page.
    """
    value = _read(path)
    given = value.get("answers")
    if not isinstance(given, dict) or not all(
        isinstance(a, dict) and a.get("answer") for a in given.values()
    ):
        raise ManifestError(f"{path} holds no answers; the button on the page downloads answers.json")
    if value.get("fingerprint") != key["fingerprint"] or not set(given) <= set(key["items"]):
        raise ManifestError(f"{path} answers another page than the one of this key: compare their folders")
    return Reader(
        name=str(value.get("reader") or path.stem),
        answers={i: str(a["answer"]) for i, a in given.items()},
        judged={q: {i: a[q] for i, a in given.items() if a.get(q)} for q in JUDGEMENTS},
    )


def summary(key: dict[str, Any], readers: Sequence[Reader]) -> str:
    """What is printed: each person against the key, then each pair of persons."""
    right = {i: str(v["answer"]) for i, v in key["items"].items()}
    lines = [f"audit of {key.get('experiment', '?')}: {len(right)} items; in brackets 95% Wilson intervals"]
    for reader in readers:
        lines += [
            f"\n{reader.name}",
            f"  as the key, of all answered   {accuracy(right, reader)}",
            f"  as the key, where decided     {accuracy(right, reader, decided_only=True)}",
            f"  cannot be decided             {undecidable(reader)}",
            *(f"  {what:<28}  {judged(reader, q)}" for q, what in JUDGEMENTS.items()),
        ]
        for column in ("task", "scenario"):
            lines += [
                f"    as the key, {name:<16}  {share}"
                for name, share in by_column(key, reader, column).items()
            ]
    lines += [f"\n{line}" for line in _pairs(readers)]
    return "\n".join(lines)


def by_column(key: dict[str, Any], reader: Reader, column: str) -> dict[str, Share]:
    """Accuracy of a person by task or scenario."""
    right = {i: str(v["answer"]) for i, v in key["items"].items()}
    names = sorted({str(v[column]) for v in key["items"].values()})
    parts = {n: {i: a for i, a in reader.answers.items() if key["items"][i][column] == n} for n in names}
    return {n: accuracy(right, Reader(reader.name, part, {})) for n, part in parts.items() if part}


def _pairs(readers: Sequence[Reader]) -> list[str]:
    lines = []
    for a, b in combinations(readers, 2):
        both = sorted(set(a.answers) & set(b.answers))
        left, right = [a.answers[i] for i in both], [b.answers[i] for i in both]
        same = Share(sum(x == y for x, y in zip(left, right, strict=True)), len(both))
        kappa = cohens_kappa(left, right)
        told = "undefined" if math.isnan(kappa) else f"{kappa:.2f}"
        lines.append(f"{a.name} and {b.name}: same answer {same}, Cohen's kappa {told}")
    return lines


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ManifestError(f"{path} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise ManifestError(f"{path} holds no JSON object")
    return value


def main() -> None:
    """Print the agreement of the files named on the command line."""
    parser = argparse.ArgumentParser(description="Agreement of people with the key of an audit.")
    parser.add_argument("key", type=Path, help="key.json, beside the page")
    parser.add_argument("answers", type=Path, nargs="+", help="answers.json of each person")
    given = parser.parse_args()
    try:
        key = read_key(given.key)
        print(summary(key, [read_answers(path, key) for path in given.answers]))
    except TpruError as error:
        print(f"tpru audit_agreement: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
