"""What the families build with: names and words of a look, and the story that a family tells."""

from dataclasses import dataclass, field

import numpy as np

from tpru.simulators.episode import Look, Rng
from tpru.simulators.gui.drawings import Town
from tpru.simulators.gui.icons import APPS
from tpru.simulators.gui.parts import Row
from tpru.simulators.gui.pictures import Icons
from tpru.simulators.gui.screen import Screen
from tpru.simulators.gui.theme import CHOICES
from tpru.simulators.gui.words import LANGUAGES, WORDS

PEOPLE: dict[Look, tuple[str, ...]] = {
    "seen": ("Ada", "Ben", "Chloe", "Dev", "Emma", "Finn", "Grace", "Hugo", "Iris", "Jonas", "Kira"),
    "unseen": ("Lars", "Mona", "Nils", "Olga", "Paul", "Ruth", "Sven", "Tara", "Uma", "Vito"),
}
SURNAMES: dict[Look, tuple[str, ...]] = {
    "seen": ("Brown", "Chen", "Diaz", "Evans", "Fox", "Gray", "Hill"),
    "unseen": ("Kowal", "Lopez", "Moss", "Novak", "Okoro", "Petit"),
}
GOODS: dict[Look, tuple[str, ...]] = {
    "seen": ("mug", "lamp", "shirt", "ball", "book"),
    "unseen": ("hat", "chair", "umbrella", "vase", "kite"),
}
VIEWS: dict[Look, tuple[str, ...]] = {
    "seen": ("house", "tree", "boat", "fish", "flower"),
    "unseen": ("castle", "balloon", "mushroom", "snowman", "rocket"),
}
SHEETS: dict[Look, tuple[str, ...]] = {
    "seen": ("house", "boat", "flower"),
    "unseen": ("rocket", "snowman"),
}
FOOD: dict[Look, tuple[str, ...]] = {
    "seen": ("milk", "bread", "eggs", "rice", "tea", "jam", "apples", "cheese"),
    "unseen": ("salt", "soup", "pears", "beans", "flour", "honey", "dates"),
}
CITIES: dict[Look, tuple[str, ...]] = {
    "seen": ("Oslo", "Cairo", "Lima", "Tokyo", "Delhi", "Rome", "Quito"),
    "unseen": ("Paris", "Seoul", "Lagos", "Dublin", "Perth", "Havana", "Kyiv"),
}
EVENTS: dict[Look, tuple[str, ...]] = {
    "seen": ("Dentist", "Swimming", "Birthday", "Concert", "Meeting"),
    "unseen": ("Yoga", "Theatre", "Picnic", "Haircut", "Chess"),
}
MESSAGES: dict[Look, tuple[str, ...]] = {
    "seen": ("Lunch at noon", "Call me today", "Dinner at six", "Coffee tomorrow"),
    "unseen": ("Tea at four", "Train is late", "Walk on Sunday", "Game tonight"),
}
GREETINGS: dict[Look, tuple[str, ...]] = {
    "seen": ("Hello!", "How are you?", "Any plans?"),
    "unseen": ("Hi there!", "What's up?", "Are you in?"),
}
REPLIES: dict[Look, tuple[str, ...]] = {
    "seen": ("Great!", "Yes, sure!", "See you!"),
    "unseen": ("Perfect!", "Of course!", "Good idea!"),
}
PLACES: dict[Look, tuple[str, ...]] = {
    "seen": ("Museum", "Station", "Library", "Harbour", "Stadium"),
    "unseen": ("Theatre", "Zoo", "Market", "Airport", "Palace"),
}
NETWORKS: dict[Look, tuple[str, ...]] = {
    "seen": ("Home", "Cafe", "Office", "Guest"),
    "unseen": ("Hotel", "Studio", "Garden", "Tower"),
}
KINDS: dict[Look, tuple[str, ...]] = {  # of a phone number, as pictograms
    "seen": ("house", "book", "phone"),
    "unseen": ("lock", "cup", "car"),
}
TITLES: dict[Look, tuple[str, ...]] = {
    "seen": ("Holiday", "Garden", "Family", "Work"),
    "unseen": ("Winter", "Travel", "Friends", "School"),
}


@dataclass(frozen=True)
class Kit:
    """The draws of one episode. ``home`` is the home screen that every episode starts from."""

    rng: Rng
    look: Look
    language: str
    home: Screen

    def say(self, words: str) -> str:
        """English words of the table in the language of the phone; KeyError for others."""
        return WORDS[words][LANGUAGES.index(self.language)]

    def some(self, names: dict[Look, tuple[str, ...]], count: int) -> tuple[str, ...]:
        """Different names of the look."""
        return tuple(str(name) for name in self.rng.choice(names[self.look], count, replace=False))

    def one(self, names: dict[Look, tuple[str, ...]]) -> str:
        return self.some(names, 1)[0]

    def hues(self, count: int) -> tuple[str, ...]:
        """Names of colours, different where there are enough."""
        names = list(CHOICES[self.look].paints)
        order = self.rng.permutation(len(names))
        return tuple(names[order[i % len(names)]] for i in range(count))

    def number(self, low: int, high: int) -> int:
        """A whole number from low to high, high included."""
        return int(self.rng.integers(low, high + 1))

    def rows(self, texts: tuple[str, ...], hues: tuple[str, ...]) -> tuple[Row, ...]:
        """A list: rows with badges that show initials."""
        pairs = zip(texts, hues, strict=False)
        return tuple(Row(ROWS[i], text, text[0], hue) for i, (text, hue) in enumerate(pairs))

    def town(self) -> Town:
        """Streets of a map, from left to right and from top to bottom."""
        across = tuple(float(v) for v in (np.arange(4) + self.rng.uniform(0.2, 0.8, 4)) / 4)
        down = tuple(float(v) for v in (np.arange(3) + self.rng.uniform(0.65, 0.9, 3)) / 3)
        park = (self.number(0, 2), self.number(0, 1))
        return Town(across, down, park, float(self.rng.uniform(0.1, 0.8)))


ROWS = tuple(f"the {n} row" for n in ("first", "second", "third", "fourth", "fifth", "sixth"))


def draw_kit(rng: Rng, look: Look) -> Kit:
    """The language and the home screen of one phone."""
    names = list(CHOICES[look].paints)
    apps = tuple(str(app) for app in rng.permutation(list(APPS)))
    order = rng.permutation(len(names))
    hues = tuple(names[order[i % len(names)]] for i in range(len(apps)))
    seen = LANGUAGES[:3] if look == "seen" else LANGUAGES[3:]
    language = str(rng.choice(seen))
    labels = tuple(WORDS[app.capitalize()][LANGUAGES.index(language)] for app in apps)
    return Kit(rng, look, language, Screen("", "", (Icons(apps, hues, labels),)))


@dataclass
class Story:
    """What is asked for and every screen on the way, from the home screen on.

    others: what one would have seen instead of a frame, by the place of the frame.
    """

    kit: Kit
    goal: str
    frames: list[tuple[str, Screen]] = field(default_factory=list)
    others: list[tuple[int, str, Screen]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.show("the home screen shows nine apps", self.kit.home)

    def show(self, step: str, screen: Screen) -> None:
        self.frames.append((step, screen))

    def instead(self, step: str, screen: Screen) -> None:
        """What else could have been done before the frame that was shown last."""
        self.others.append((len(self.frames) - 1, step, screen))
