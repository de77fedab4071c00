"""Maps: a route, a place to keep, a bus ride."""

from dataclasses import replace

from tpru.simulators.gui.drawings import Map, Pin, Point, Town
from tpru.simulators.gui.gauges import Stars
from tpru.simulators.gui.kit import PLACES, ROWS, Kit, Story
from tpru.simulators.gui.parts import Button, Chips, Field, Part, Row
from tpru.simulators.gui.pictures import Code, Hero
from tpru.simulators.gui.screen import Screen

NTH = ("first", "second", "third")
WAYS = ("car", "walk", "bus")


def _page(kit: Kit, *parts: Part, title: str = "Map", corner: str = "search") -> Screen:
    return Screen("maps", kit.say(title), parts, corner=corner)


def front(kit: Kit) -> Screen:
    return _page(kit, Map(kit.town(), tall=150))


def _crossing(town: Town, column: int, line: int) -> Point:
    return town.across[column], town.down[line]


def _route(kit: Kit, town: Town) -> tuple[Point, ...]:
    """From the left to the right along three streets."""
    low, high = (0, 2) if kit.number(0, 1) else (2, 0)
    turn = kit.number(1, 2)
    ends = _crossing(town, 0, low), _crossing(town, 3, high)
    return ends[0], _crossing(town, turn, low), _crossing(town, turn, high), ends[1]


def maps_route(kit: Kit) -> Story:
    town, place, hue = kit.town(), kit.one(PLACES), kit.hues(1)[0]
    route, walk = _route(kit, town), bool(kit.number(0, 1))
    goal = Pin("the goal pin", route[-1], "flag", hue)

    def search(text: str) -> Screen:
        field = Field("the search field", "search", kit.say("Search"), text, True)
        return replace(_page(kit, field, corner="cross"), pad="letters", key=text[-1:])

    def plan(way: int | None, start: bool = False) -> Screen:
        line = () if way is None else route
        drawn = Map(town, (goal,), line, None, way == 1, tall=88)
        go = Button("the start button", kit.say("Start"), "arrow", way is not None)
        chips = Chips("way", WAYS, () if way is None else (way,), 28, WAYS)
        return replace(_page(kit, drawn, chips, go), touch="the start button" if start else "")

    def ride(done: float) -> Screen:
        town_map = Map(town, (goal,), route, done, walk, tall=112)
        left = Row("the way left", f"{round(8 * (1 - done))} km", "walk" if walk else "car", hue)
        return replace(_page(kit, left, town_map, corner="cross"))

    way, other = (1, 0) if walk else (0, 1)
    words = ("by car", "on foot")
    story = Story(kit, f"find the {place} on the map and go there {words[way]}")
    story.show("the maps app was opened", _page(kit, Map(town, tall=150)))
    story.show("the empty search field was selected", search(""))
    story.show("the search field was filled", search(place))
    story.show("a flag was shown at the right", _page(kit, Map(town, (goal,), tall=150)))
    wrong = Pin("the goal pin", route[1], "flag", hue)
    story.instead("a flag was shown in the middle", _page(kit, Map(town, (wrong,), tall=150)))
    story.show("three ways to travel were shown, none chosen", plan(None))
    lines = ("a plain line", "a dotted line")
    story.show(f"{lines[way]} was drawn to the flag", plan(way))
    story.instead(f"{lines[other]} was drawn to the flag", plan(other))
    story.show("the start button was pressed", plan(way, True))
    story.show("the arrow is at the start of the route", ride(0.0))
    story.show("the arrow is half way to the flag", ride(0.5))
    story.show("the arrow is at the flag", ride(1.0))
    bare = _page(kit, Map(town, tall=150))
    story.instead(
        "the map without a flag was shown", replace(bare, toast=kit.say("Ended"), toast_sign="cross")
    )
    end = Hero("the goal sign", "flag", hue, place, True, "tick", 84)
    story.show("the end of the trip was shown", _page(kit, end, Stars("the stars", 0)))
    return story


def maps_save(kit: Kit) -> Story:
    town, places, hues = kit.town(), kit.some(PLACES, 3), kit.hues(4)
    kinds = ("cup", "bed", "bread")
    kind, pick = kit.number(0, 2), kit.number(0, 2)
    spots = ((0, 0), (1, 2), (3, 1))
    pins = tuple(
        Pin(f"the {NTH[i]} pin", _crossing(town, *spot), kinds[kind], hues[i]) for i, spot in enumerate(spots)
    )

    def page(chosen: int | None, shown: tuple[Pin, ...]) -> Screen:
        chips = Chips("kind", kinds, () if chosen is None else (chosen,), 28, kinds)
        return _page(kit, chips, Map(town, shown, tall=116))

    def card(i: int, saved: bool) -> Screen:
        head = Hero("the place", kinds[kind], hues[i], places[i], saved, "heart" if saved else "", 60)
        stars = Stars("the stars", 2 + i)
        keep = Button("the keep button", kit.say("Save"), "heart", not saved)
        return _page(kit, head, stars, keep, title="Place")

    lists = (kit.say("Friends"), kit.say("Holiday"), kit.say("Food"))
    want = kit.number(0, 2)

    def ask(tick: int | None) -> Screen:
        rows = tuple(Row(ROWS[i], name, "heart", hues[i], ticked=i == tick) for i, name in enumerate(lists))
        return replace(card(pick, False), dialog=rows)

    story = Story(
        kit,
        f"show places of the {NTH[kind]} kind, keep the one of the {hues[pick]} pin in the {NTH[want]} list",
    )
    story.show("the maps app was opened", _page(kit, Map(town, tall=150)))
    story.show("three kinds of places were shown, none chosen", page(None, ()))
    story.show(f"three pins of the {NTH[kind]} kind were shown", page(kind, pins))
    bad = (kind + 1) % 3
    others = tuple(replace(pin, symbol=kinds[bad], at=(1 - pin.at[0], pin.at[1])) for pin in pins)
    story.instead(f"three pins of the {NTH[bad]} kind were shown", page(bad, others))
    story.show(f"the {hues[pick]} pin was touched", replace(page(kind, pins), touch=pins[pick].name))
    wrong = (pick + 1) % 3
    story.instead(f"the {hues[wrong]} pin was touched", replace(page(kind, pins), touch=pins[wrong].name))
    story.show(f"the {hues[pick]} place was opened", card(pick, False))
    story.instead(f"the {hues[wrong]} place was opened", card(wrong, False))
    story.show("a dialog of three empty boxes was opened", ask(None))
    story.show(f"the {NTH[want]} list was ticked", ask(want))
    story.instead(f"the {NTH[(want + 1) % 3]} list was ticked", ask((want + 1) % 3))
    story.show("the place got a heart", replace(card(pick, True), toast=kit.say("Saved"), toast_sign="heart"))
    kept = Row(ROWS[0], places[pick], kinds[kind], hues[pick], note="1", strong=True)
    story.show("the list with one kept place was opened", _page(kit, kept, title="Place", corner="heart"))
    return story


def maps_bus(kit: Kit) -> Story:
    town, hues = kit.town(), kit.hues(4)
    route, pick, count = _route(kit, town), kit.number(0, 2), kit.number(1, 2)
    stops = (Pin("the near stop", route[0], "bus", hues[0]), Pin("the far stop", route[-1], "bus", hues[1]))
    lines = tuple(f"{kit.number(2, 9)}{kit.number(0, 9)}" for _ in range(3))
    minutes = sorted(kit.number(1, 9) + 10 * i for i in range(3))

    def stop(chosen: int | None) -> Screen:
        rows = tuple(
            Row(ROWS[i], lines[i], "bus", hues[i], f"{minutes[i]} min", strong=i == chosen) for i in range(3)
        )
        return _page(kit, *rows, title="Stop", corner="bus")

    def buy(number: int) -> Screen:
        head = Row("the line", lines[pick], "bus", hues[pick])
        amounts = Chips("amount", ("1", "2", "3"), () if not number else (number - 1,), 44)
        pay = Button("the pay button", kit.say("Pay"), "card", bool(number))
        return _page(kit, head, amounts, pay, title="Ticket", corner="bus")

    number = ("one", "two", "three")
    goal = f"show the bus stops on the map, take the {NTH[pick]} bus and buy {number[count]} tickets"
    story = Story(kit, goal)
    story.show("the maps app was opened", _page(kit, Map(town, tall=150), corner="layers"))
    dark = Row("the satellite switch", kit.say("Satellite"), "globe", hues[2], on=False)
    bus = Row("the bus switch", kit.say("Bus"), "bus", hues[3], on=False)
    plain = _page(kit, Map(town, tall=150), corner="layers")
    story.show("a dialog of two switches was opened, both off", replace(plain, dialog=(dark, bus)))
    story.show("the bus switch was turned on", replace(plain, dialog=(dark, replace(bus, on=True))))
    wrong = replace(plain, dialog=(replace(dark, on=True), bus))
    story.instead("the satellite switch was turned on", wrong)
    story.show("two bus stops were shown on the map", _page(kit, Map(town, stops, tall=150), corner="layers"))
    story.instead(
        "the map from above was shown", _page(kit, Map(town, satellite=True, tall=150), corner="layers")
    )
    story.show("the list of three buses was opened", stop(None))
    story.show(f"the {NTH[pick]} bus was chosen", stop(pick))
    story.instead(f"the {NTH[(pick + 1) % 3]} bus was chosen", stop((pick + 1) % 3))
    story.show("the way of the bus was drawn", _page(kit, Map(town, stops, route, tall=150), corner="bus"))
    story.show("the page of tickets was opened, no amount chosen", buy(0))
    story.show(f"{number[count]} tickets were chosen", buy(count + 1))
    story.instead("one ticket was chosen", buy(1))
    ticket = Code("the ticket", int(kit.rng.integers(1 << 60)))
    total = Row("the line", lines[pick], "bus", hues[pick], f"x {count + 1}")
    story.show("the paid ticket was shown", _page(kit, ticket, total, title="Ticket", corner="tick"))
    return story


FAMILIES = (maps_route, maps_save, maps_bus)
