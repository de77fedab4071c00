"""LDraw files: models (MPD) with their build steps, parts with their triangles, colours.

A line is a type number and fields: 0 a remark or command, 1 another file put somewhere, 3 a triangle,
4 a quadrilateral; 2 and 5 are edge lines, which nothing here draws. Colour 16 means "as the part that
uses this one". Lengths are LDraw units (20 a stud, 24 the height of a brick), the y axis points down.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tpru.errors import ManifestError

Array = NDArray[np.float32]
Codes = NDArray[np.int32]

INHERITED = (16, 24)  # 24 is the colour of edges, of which some parts make surfaces
UNCOLOURED = (160, 160, 160)  # of a part whose colour nothing says
DIRECT = 0x2000000  # colour codes from here on hold red, green and blue themselves
COLOUR = re.compile(r"^0\s+!COLOUR\s+(\S+)\s+CODE\s+(\d+)\s+VALUE\s+#([0-9A-Fa-f]{6})")
STEPS = ("STEP", "ROTSTEP")


@dataclass(frozen=True)
class Reference:
    """A file put somewhere: a point p of it comes to ``turn @ p + place`` ((3, 3) and (3,))."""

    name: str
    colour: int
    turn: Array
    place: Array


@dataclass(frozen=True)
class LdrawFile:
    """One part or (sub)model; ``steps`` are its references from one build step to the next.

    triangles: float32 (n, 3, 3), corners of the surfaces that the file itself holds.
    codes: int32 (n,), their colours.
    generated: written by a program, as the pieces of a bent hose are.
    """

    name: str
    description: str
    steps: tuple[tuple[Reference, ...], ...]
    triangles: Array
    codes: Codes
    generated: bool

    @property
    def references(self) -> Iterator[Reference]:
        return (reference for step in self.steps for reference in step)

    @property
    def is_part(self) -> bool:
        """Whether it is put in as a whole; else it is built step by step."""
        return self.name.endswith(".dat") or len(self.triangles) > 0 or self.generated


def file_key(name: str) -> str:
    """A file name as it is looked up: lower case, with forward slashes."""
    return " ".join(name.split()).lower().replace("\\", "/")


def read_text(path: Path) -> str:
    # Old files are not all UTF-8; only their descriptions and authors hold other letters.
    return path.read_text(encoding="utf-8-sig", errors="replace")


def parse_model(path: Path) -> list[LdrawFile]:
    """The files of a model, the main one first; a file without ``0 FILE`` lines is one.

    Raises:
        ManifestError: a line of type 1, 3 or 4 is malformed; it names the file and the line.
    """
    sections: list[tuple[str, int, list[str]]] = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        words = line.split(maxsplit=2)
        if words[:2] == ["0", "FILE"] and len(words) == 3:
            sections.append((words[2], number + 1, []))
        elif not sections and line.strip():
            sections.append((path.name, number, [line]))
        elif sections:
            sections[-1][2].append(line)
    return [parse(name, lines, str(path), first) for name, first, lines in sections]


def parse(name: str, lines: list[str], where: str, first: int = 1) -> LdrawFile:
    """One file from its lines; ``where`` and ``first`` (line number) are for messages alone."""
    description, generated = "", False
    steps: list[list[Reference]] = [[]]
    corners: list[list[float]] = []
    codes: list[int] = []
    for number, line in enumerate(lines, first):
        kind, *fields = line.split() or [""]
        try:
            if kind == "1":
                steps[-1].append(_reference(line))
            elif kind == "3":
                corners.append(_numbers(fields[1:], 9))
                codes.append(int(fields[0], 0))
            elif kind == "4":
                p = _numbers(fields[1:], 12)
                corners += [p[:9], p[:3] + p[6:]]
                codes += [int(fields[0], 0)] * 2
        except (ValueError, IndexError) as error:
            raise ManifestError(
                f"{where}, line {number}: {line.strip()!r} is no LDraw line of type {kind} ({error}); "
                "correct the line or restore the file"
            ) from error
        if kind == "0" and fields:
            description = description or " ".join(fields)
            generated = generated or fields[:2] == ["!LDCAD", "GENERATED"]
            if fields[0].upper() in STEPS:
                steps.append([])
    triangles = np.array(corners, np.float32).reshape(-1, 3, 3)
    taken = tuple(tuple(step) for step in steps if step)
    return LdrawFile(file_key(name), description, taken, triangles, np.array(codes, np.int32), generated)


def _numbers(fields: list[str], count: int) -> list[float]:
    if len(fields) < count:
        raise ValueError(f"expected {count} numbers")
    return [float(field) for field in fields[:count]]


def _reference(line: str) -> Reference:
    fields = line.split(maxsplit=14)
    if len(fields) < 15:
        raise ValueError("expected a colour, 12 numbers and a file name")
    values = np.array(fields[2:14], np.float32)
    return Reference(file_key(fields[14]), int(fields[1], 0), values[3:].reshape(3, 3), values[:3])


def read_colours(parts: Path) -> dict[int, tuple[str, tuple[int, int, int]]]:
    """Colour code to name ("Light_Grey") and red, green, blue (0 to 255), from ``LDConfig.ldr``.

    Raises:
        ManifestError: the file is not there or defines no colour.
    """
    path = parts / "LDConfig.ldr"
    found = [COLOUR.match(line) for line in read_text(path).splitlines()] if path.is_file() else []
    table = {int(m[2]): (m[1], _rgb(int(m[3], 16))) for m in found if m}
    if not table:
        raise ManifestError(
            f"{path} does not exist or defines no colour; `parts` must be the folder of an LDraw parts "
            "library (LDConfig.ldr, parts/ and p/): download it from ldraw.org"
        )
    return table


def _rgb(value: int) -> tuple[int, int, int]:
    return value >> 16 & 255, value >> 8 & 255, value & 255


class Library:
    """A folder with the parts of LDraw; every file is read once, when it is first asked for."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.colours = read_colours(root)
        # Parts go before primitives ("p"), of which they are made.
        self._paths = {
            file_key(path.relative_to(folder).as_posix()): path
            for folder in (root / "p", root / "parts")
            for path in sorted(folder.rglob("*"))
            if path.suffix.lower() == ".dat"
        }
        self._files: dict[str, LdrawFile] = {}
        self.shapes: dict[str, tuple[Array, Codes]] = {}

    def find(self, name: str) -> LdrawFile | None:
        """The file of that name, None where the library does not have it."""
        coarse = name.removeprefix("48/")  # primitives of 48 corners look like those of 16 here
        name = coarse if coarse in self._paths else name
        if name not in self._files and name in self._paths:
            path = self._paths[name]
            self._files[name] = parse(name, read_text(path).splitlines(), str(path))
        return self._files.get(name)

    def colour(self, code: int) -> tuple[str, tuple[int, int, int]]:
        """Name ("" for a colour given by its value) and red, green, blue (0 to 255).

        Raises:
            ManifestError: the colour is not in ``LDConfig.ldr``.
        """
        if code in INHERITED:
            return "", UNCOLOURED
        if code >= DIRECT:
            return "", _rgb(code)
        if code not in self.colours:
            raise ManifestError(
                f"the colour {code} is not in {self.root / 'LDConfig.ldr'}; take a newer LDConfig.ldr "
                "or correct the model"
            )
        return self.colours[code]


class Model:
    """The files of one model over a library."""

    def __init__(self, path: Path, library: Library) -> None:
        self.path = path
        self.library = library
        files = parse_model(path)
        if not files:
            raise ManifestError(f"{path} is empty; restore it or remove it from the folder")
        self.main = files[0]
        self._own = {file.name: file for file in files}
        self.shapes: dict[str, tuple[Array, Codes]] = {}

    def file(self, name: str, user: str = "") -> LdrawFile:
        """A submodel or part that ``user`` refers to.

        Raises:
            ManifestError: it is neither in the model nor in the library.
        """
        found = self._own.get(name) or self.library.find(name)
        if found is None:
            root = self.library.root
            raise ManifestError(
                f"{self.path}: {user or self.path.name!r} uses {name!r}, which is neither in this file "
                f"nor in {root / 'parts'} or {root / 'p'}; add the part to the library (ldraw.org has "
                "all) or remove the model"
            )
        return found

    def check(self) -> None:
        """Read all files that the model needs.

        Raises:
            ManifestError: one is missing, malformed or contains itself, or a colour is unknown.
        """
        self._check(self.main, (), set())

    def _check(self, file: LdrawFile, users: tuple[str, ...], done: set[str]) -> None:
        if file.name in users:
            chain = " in ".join(reversed((*users, file.name)))
            raise ManifestError(f"{self.path}: a file contains itself ({chain}); correct the model")
        if file.name in done:
            return
        for reference in file.references:
            self._colour(reference.colour, file.name)
            self._check(self.file(reference.name, file.name), (*users, file.name), done)
        for code in np.unique(file.codes):
            self._colour(int(code), file.name)
        done.add(file.name)

    def _colour(self, code: int, user: str) -> None:
        try:
            self.library.colour(code)
        except ManifestError as error:
            raise ManifestError(f"{self.path}, {user!r}: {error}") from error

    def description(self, part: LdrawFile) -> str:
        """What the part is, also where it only refers to another one ("~Moved to 3003")."""
        if part.generated:
            return "Hose"
        words = part.description.split()
        if words[:2] == ["~Moved", "to"] and words[2:]:
            moved = self.library.find(file_key(f"{words[2]}.dat"))
            return self.description(moved) if moved and moved is not part else "Part"
        return part.description

    def shape(self, name: str) -> tuple[Array, Codes]:
        """All triangles of a part: float32 (n, 3, 3), and colours: int32 (n,), 16 where inherited."""
        shapes = self.shapes if name in self._own else self.library.shapes
        if name not in shapes:
            file = self.file(name)
            pieces = [(file.triangles, np.where(np.isin(file.codes, INHERITED), 16, file.codes))]
            for reference in file.references:
                triangles, codes = self.shape(reference.name)
                own = 16 if reference.colour in INHERITED else reference.colour
                moved = triangles @ reference.turn.T + reference.place
                pieces.append((moved, np.where(codes == 16, own, codes)))
            shapes[name] = (
                np.concatenate([piece[0] for piece in pieces]).astype(np.float32),
                np.concatenate([piece[1] for piece in pieces]).astype(np.int32),
            )
        return shapes[name]
