"""The clock: an alarm, a timer, the time in other cities."""

from dataclasses import replace

from tpru.simulators.gui.gauges import Dial, Rounds
from tpru.simulators.gui.kit import CITIES, ROWS, Kit, Story
from tpru.simulators.gui.parts import Button, Chips, Field, Row
from tpru.simulators.gui.pictures import Hero
from tpru.simulators.gui.screen import Screen

TABS = ("bell", "clock", "globe")


def _page(kit: Kit, tab: int, *parts: Row | Dial | Rounds | Chips, corner: str = "plus") -> Screen:
    """A page with three tabs: alarms, timer, cities."""
    return Screen("clock", kit.say("Clock"), (Chips("tab", TABS, (tab,), 28, TABS), *parts), corner=corner)


def _alarms(kit: Kit) -> tuple[Row, Row]:
    first, second = (f"{kit.number(13, 23)}:{kit.number(10, 59)}" for _ in range(2))
    return Row("the first switch", first, "bell", on=True), Row("the second switch", second, "bell", on=False)


def front(kit: Kit) -> Screen:
    return _page(kit, 0, *_alarms(kit))


def clock_alarm(kit: Kit) -> Story:
    hour, minute = f"{kit.number(4, 9):02d}", str(kit.rng.choice(["15", "20", "30", "45"]))
    days = kit.say("Mo Tu We Th Fr Sa Su")
    work = bool(kit.number(0, 1))
    chosen = (0, 1, 2, 3, 4) if work else (5, 6)
    tunes, pick = (kit.say("Bell"), kit.say("Birds"), kit.say("Waves")), kit.number(0, 2)
    first, second = _alarms(kit)

    def form(h: str, m: str, active: int, on: tuple[int, ...] = ()) -> Screen:
        save = Button("the save button", kit.say("Save"), "tick", bool(on))
        parts = (Chips("number", (h, m), (active,), 62), Chips("day", tuple(days.split()), on, 28), save)
        return Screen("clock", kit.say("New alarm"), parts, corner="cross")

    def ask(tick: int | None) -> Screen:
        rows = tuple(Row(ROWS[i], tune, "music", ticked=i == tick) for i, tune in enumerate(tunes))
        return replace(form(hour, minute, 1, chosen), dialog=rows)

    nth = ("first", "second", "third")
    which = "the five weekdays" if work else "the weekend"
    story = Story(
        kit, f"set an alarm for {hour}:{minute} on {which} with the {nth[pick]} tune, turn off the first"
    )
    story.show("the clock app was opened", _page(kit, 0, first, second))
    story.show("a new alarm at 12:00 was started", form("12", "00", 0))
    story.instead("the tab of cities was opened", _page(kit, 2, *_cities(kit, kit.some(CITIES, 2))))
    early = replace(form(hour, "00", 0), touch="the first number")
    story.show("the hour was set, with the minutes at zero", early)
    late = replace(form(hour, minute, 1), touch="the second number")
    story.show("the minutes were set", late)
    story.show(
        "five weekdays were chosen" if work else "the weekend was chosen", form(hour, minute, 1, chosen)
    )
    others = (5, 6) if work else (0, 1, 2, 3, 4)
    wrong = "the weekend was chosen" if work else "five weekdays were chosen"
    story.instead(wrong, form(hour, minute, 1, others))
    story.show("a dialog of three empty boxes was opened", ask(None))
    story.show(f"the {nth[pick]} tune was ticked", ask(pick))
    story.instead(f"the {nth[(pick + 1) % 3]} tune was ticked", ask((pick + 1) % 3))
    new = Row("the new switch", f"{hour}:{minute}", "bell", on=True, strong=True)
    saved = replace(_page(kit, 0, first, second, new), toast=kit.say("Saved"))
    story.show("the new alarm was saved in the list", saved)
    off = _page(kit, 0, replace(first, on=False), second, new)
    story.show("the first alarm was turned off", replace(off, touch="the first switch"))
    both = _page(kit, 0, first, replace(second, on=True), new)
    story.instead("the second alarm was turned on", replace(both, touch="the second switch"))
    return story


def clock_timer(kit: Kit) -> Story:
    first, second = _alarms(kit)
    minutes, pick = (4, 8, 20), kit.number(0, 2)
    total = minutes[pick]

    def page(quarters: int, sign: str, active: bool, chosen: int | None = None) -> Screen:
        left = f"{total * quarters // 4}:00"
        if chosen is not None or (quarters == 0 and sign == "play"):
            left = f"{minutes[chosen]}:00" if chosen is not None else "0:00"
            below = Chips("time", tuple(f"{m}:00" for m in minutes), () if chosen is None else (chosen,), 24)
        else:
            below = None
        dial = Dial("the ring", quarters / 4, left, 76 if below else 80)
        rounds = Rounds(("the stop button", "the start button"), ("stop", sign), (1,) if active else (), 36)
        return _page(kit, 1, dial, *((below,) if below else (rounds,)), corner="dots")

    nth = ("first", "second", "third")
    story = Story(kit, f"run the timer with the {nth[pick]} time, pause it half way, go on and stop the bell")
    story.show("the clock app was opened", _page(kit, 0, first, second))
    story.show("the timer was opened with an empty ring", page(0, "play", False))
    story.instead("the tab of cities was opened", _page(kit, 2, *_cities(kit, kit.some(CITIES, 2))))
    story.show(f"the {nth[pick]} time was chosen for the full ring", page(4, "play", False, pick))
    other = (pick + 1) % 3
    story.instead(f"the {nth[other]} time was chosen for the full ring", page(4, "play", False, other))
    story.show("the timer runs with three quarters left", page(3, "pause", True))
    story.show("the timer runs with a half left", page(2, "pause", True))
    paused = replace(page(2, "play", False), touch="the start button", toast="", dark=None)
    story.show("the timer was paused with a half left", paused)
    story.instead("the timer was stopped", replace(page(0, "play", False), toast=kit.say("Ended")))
    story.show("the timer runs with a quarter left", page(1, "pause", True))
    bell = Hero("the bell", "bell", kit.hues(1)[0], "0:00", True, "", 84)
    ringing = Screen("clock", kit.say("Clock"), (bell, Rounds(("the stop button",), ("stop",), (0,), 38)))
    story.show("the timer is over and the bell rings", ringing)
    story.show("the stop button was pressed below the bell", replace(ringing, touch="the stop button"))
    story.show("the bell was stopped", replace(page(0, "play", False), toast=kit.say("Ended")))
    return story


def _cities(kit: Kit, names: tuple[str, ...], last: bool = False) -> tuple[Row, ...]:
    """Cities with their times; the last one is highlighted where it has just come."""
    hours = {name: 1 + sum(map(ord, name)) % 22 for name in names}
    return tuple(
        Row(ROWS[i], name, "sun" if 6 < hours[name] < 19 else "moon", note=f"{hours[name]}:00", strong=last)
        if i == len(names) - 1
        else Row(ROWS[i], name, "sun" if 6 < hours[name] < 19 else "moon", note=f"{hours[name]}:00")
        for i, name in enumerate(names)
    )


def clock_cities(kit: Kit) -> Story:
    old, *new = kit.some(CITIES, 4)

    def search(text: str, found: tuple[str, ...] = ()) -> Screen:
        field = Field("the search field", "search", kit.say("Search"), text, True)
        rows = tuple(Row(ROWS[i], name, "globe") for i, name in enumerate(found))
        page = Screen("clock", kit.say("Search"), (field, *rows), corner="cross")
        return replace(page, pad="letters", key=text[-1:])

    first, second, third = new
    story = Story(
        kit, f"add the cities {first} and {second} to the world clock below {old}, then remove {old}"
    )
    story.show("the clock app was opened", _page(kit, 0, *_alarms(kit)))
    story.show("the list of cities with one city was opened", _page(kit, 2, *_cities(kit, (old,))))
    story.show("the empty search field was selected", search(""))
    story.show(f"{first} was searched and found", search(first, (first,)))
    story.show("a second city was added to the list", _page(kit, 2, *_cities(kit, (old, first), True)))
    story.instead(
        "a third city was added to the list", _page(kit, 2, *_cities(kit, (old, third, first), True))
    )
    story.show(f"{second} was searched and found", search(second, (second,)))
    story.instead(f"{third} was searched and not found", search(third))
    three = (old, first, second)
    story.show("a third city was added to the list", _page(kit, 2, *_cities(kit, three, True)))
    ask = tuple(
        Row(ROWS[i], city, ticked=tick)
        for i, (city, tick) in enumerate(zip(three, (True, False, False), strict=True))
    )
    boxes = _page(kit, 2, *(replace(row, ticked=False) for row in ask), corner="trash")
    story.show("empty boxes to tick appeared", boxes)
    story.show("the first city was ticked", _page(kit, 2, *ask, corner="trash"))
    ticked = _page(kit, 2, ask[0], *(replace(row, ticked=True) for row in ask[1:]), corner="trash")
    story.instead("all cities were ticked", ticked)
    rest = replace(
        _page(kit, 2, *_cities(kit, (first, second))), toast=kit.say("Deleted"), toast_sign="trash"
    )
    story.show("two cities and a trash message were shown", rest)
    return story


FAMILIES = (clock_alarm, clock_timer, clock_cities)
