"""What a build step added, in a few words, from the descriptions that LDraw gives its parts."""

import re

# A number of two to four whole sizes: "2 x  4", but neither "1 x 2 x 0.667" whole nor "9.9 x 2.2" at all.
SIZE = re.compile(r"(?<![\d.])\d+(?:\s*x\s*\d+(?![\d.]))+")
# What follows describes a detail that is too small to be seen, or a picture printed on the part.
DETAIL = re.compile(r" with | without |[(\",&#]| - |~|\bpattern\b", re.IGNORECASE)
KINDS = ("round", "corner", "inverted", "curved", "double")
COLOUR_WORDS = {"trans": "transparent", "rubber": "", "bluish": ""}
COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
LEFT_OUT = ("x", "l", "lsynth", "left", "right", "long", "and", "to", "diameter")
LONGEST = 3  # words of the name of a part, without size and kind
LONGEST_CLAUSE = 11  # words of a clause that names two kinds of parts


def part_name(description: str) -> str:
    """A short name: "Brick  2 x  4 with Holes" is a "2x4 brick", "=Tile  1 x  1 Round" a "1x1 round tile"."""
    plain = " ".join(re.sub(r"^[~=_|]+", "", description.strip()).split())
    plain = DETAIL.split(plain, maxsplit=1)[0].lower()
    size = SIZE.search(plain)
    head, tail = (plain[: size.start()], plain[size.end() :]) if size else (plain, "")
    words = [word for word in head.split() or tail.split() if word.isalpha()]
    kinds = [word for word in KINDS if word in (head + tail).split()]
    nouns = ["figure" if word == "minifig" else word for word in words if word not in (*KINDS, *LEFT_OUT)]
    measure = ["".join(size[0].split())] if size else []
    # Of a figure's things the noun comes first ("Minifig Hat Imperial Guard Shako").
    longest = 2 if nouns[:1] == ["figure"] else LONGEST
    return " ".join([*measure, *kinds[:1], *nouns[:longest]]) if nouns else "part"


def colour_name(name: str) -> str:
    """The name of a colour of ``LDConfig.ldr`` in plain words: "Trans_Light_Blue"."""
    words = [COLOUR_WORDS.get(word, word) for word in name.lower().split("_")]
    return " ".join(word for word in words if word)


def step_text(added: list[tuple[str, int]]) -> str:
    """One clause from names of parts and how many of each were added, the most visible first."""
    if not added:
        return ""
    name, count = added[0]
    if len(added) == 1:
        return f"{_counted(name, count)} {'were' if count > 1 or _is_pair(name) else 'was'} added"
    both = f"{_counted(name, count)} and {_counted(*added[1])} were added"
    if len(added) == 2 and len(both.split()) <= LONGEST_CLAUSE:
        return both
    others = sum(number for _, number in added[1:])
    return f"{_counted(name, count)} and {_number(others)} other part{'s' if others > 1 else ''} were added"


def _counted(name: str, count: int) -> str:
    if count > 1:
        return f"{_number(count)} {_plural(name)}"
    if _is_pair(name):
        return name
    return f"{'an' if name[0] in 'aeiou8' else 'a'} {name}"


def _number(count: int) -> str:
    return COUNTS[count] if count < len(COUNTS) else str(count)


def _is_pair(name: str) -> bool:
    """Whether one part is spoken of as several: "figure hips"."""
    return name.endswith("s") and not name.endswith(("ss", "us"))


def _plural(name: str) -> str:
    if _is_pair(name):
        return name
    return name + ("es" if name.endswith(("s", "x", "ch", "sh")) else "s")
