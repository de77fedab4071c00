"""Seven families of tasks: what is asked for and the screens on the way."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from tpru.simulators.episode import Rng
from tpru.simulators.gui.screen import Screen
from tpru.simulators.gui.theme import HUES, PAINTS, Colour
from tpru.simulators.gui.widgets import Bubble, Chips, Field, Row, Tiles

APPS = ("contacts", "settings", "clock", "shop", "chat", "calendar", "lists", "music", "camera")
GOODS = ("mug", "lamp", "shirt", "ball", "book")
PEOPLE = ("Ada", "Ben", "Chloe", "Dev", "Emma", "Finn", "Grace", "Hugo", "Iris", "Jonas", "Kira")
SURNAMES = ("Brown", "Chen", "Diaz", "Evans", "Fox", "Gray", "Hill", "King", "Lopez", "Moss")
FOOD = ("milk", "bread", "eggs", "rice", "tea", "jam", "apples", "cheese", "salt", "soup")


@dataclass(frozen=True)
class Plan:
    """What is asked for, and every screen on the way with what was done to reach it."""

    goal: str
    family: str
    frames: tuple[tuple[str, Screen], ...]


def _pick(rng: Rng, names: tuple[str, ...], count: int) -> tuple[str, ...]:
    return tuple(str(name) for name in rng.choice(names, count, replace=False))


def _hues(rng: Rng, count: int) -> tuple[Colour, ...]:
    return tuple(HUES[i % len(HUES)] for i in rng.integers(len(HUES)) + rng.permutation(count))


def _home(rng: Rng) -> tuple[str, Screen]:
    apps = _pick(rng, APPS, len(APPS))
    tiles = Tiles(apps, _hues(rng, len(APPS)), 3, apps)
    return "the phone shows the home screen", Screen("", (tiles,))


def _contact(rng: Rng) -> Plan:
    *others, name = _pick(rng, PEOPLE, 5)
    full = f"{name} {rng.choice(SURNAMES)}"
    phone, kinds = f"555 {rng.integers(1000, 9999)}", ("Home", "Work", "Mobile")
    kind, colours = str(rng.choice(kinds)), _hues(rng, 5)
    rows = tuple(Row(o, o[0], c) for o, c in zip(others, colours, strict=False))

    def form(first: str, number: str, focus: int = 0, chosen: str = "") -> Screen:
        fields = (Field("Name", first, focus == 1), Field("Phone", number, focus == 2))
        pad = ("", "letters", "digits")[focus]
        key = (" ", first[-1:], number[-1:])[focus]
        choice = Chips(kinds, (chosen,))
        return Screen("New contact", (*fields, choice, Chips(("Save",), ("Save",))), False, pad, key)

    card = (Tiles((name,), (colours[4],), 1, (full,)), Row(phone, note=kind))
    frames = [
        _home(rng),
        ("the contacts app was opened", Screen("Contacts", rows, plus=True)),
        ("an empty form for a new contact was opened", form("", "")),
        ("the name field was selected and the keyboard came up", form("", "", 1)),
        (f"the first name {name} was typed into the name field", form(name, "", 1)),
        (f"the name was completed to {full}", form(full, "", 1)),
        ("the phone field was selected and the number pad came up", form(full, "", 2)),
        (f"the number {phone} was typed into the phone field", form(full, phone, 2)),
        (f"the number was marked as {kind}", form(full, phone, 0, kind)),
        (f"the contact {full} was saved and shown", Screen(full, card, toast="Contact saved")),
    ]
    return Plan(f"add {full} with the number {phone} to the contacts", "add_contact", tuple(frames))


def _settings(rng: Rng) -> Plan:
    size, sizes = str(rng.choice(["Small", "Large"])), ("Small", "Medium", "Large")
    names = _pick(rng, ("Night light", "Auto rotate", "Always on", "Raise to wake"), 2)
    menu = _pick(rng, ("Display", *_pick(rng, ("Network", "Sound", "Battery", "Privacy"), 3)), 4)
    rows = tuple(Row(m, m[0], c) for m, c in zip(menu, _hues(rng, 4), strict=True))

    def page(on: int, text: str = "Medium") -> Screen:
        switches = (Row(name, on=i < on) for i, name in enumerate((*names, "Dark mode")))
        return Screen("Display", (*switches, Row("Text size", note=text)), dark=on == 3)

    def ask(chosen: str) -> Screen:
        return replace(page(3), dialog=tuple(Row(s, ticked=s == chosen) for s in sizes))

    frames = (
        _home(rng),
        ("the settings app was opened", Screen("Settings", rows, dark=False)),
        ("the display settings were opened", page(0)),
        (f"the switch {names[0]} was turned on", page(1)),
        (f"the switch {names[1]} was turned on", page(2)),
        ("dark mode was turned on and the page became dark", page(3)),
        ("the choice of text sizes was opened", ask("Medium")),
        (f"the text size {size} was ticked", ask(size)),
        (f"the text size {size} was applied", replace(page(3, size), toast="Text size changed")),
    )
    goal = f"turn on {names[0]}, {names[1]} and dark mode and make the text {size.lower()}"
    return Plan(goal, "change_settings", frames)


def _alarm(rng: Rng) -> Plan:
    hour, minute = f"{rng.integers(4, 10):02d}", str(rng.choice(["15", "20", "30", "45"]))
    days = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
    name, chosen = (("weekdays", days[:5]), ("the weekend", days[5:]))[int(rng.integers(2))]
    sounds = _pick(rng, ("Bell", "Birds", "Waves", "Piano", "Drums"), 3)
    old = tuple(f"{h}:{rng.integers(10, 60)}" for h in rng.choice(np.arange(13, 24), 2, False))

    def page(h: str, m: str, active: str, on: tuple[str, ...] = ()) -> Screen:
        save = Chips(("Save",), ("Save",))
        return Screen("New alarm", (Chips((h, m), (active,), 58), Chips(days, on), save))

    def ask(sound: str) -> Screen:
        tunes = tuple(Row(s, "music", ticked=s == sound) for s in sounds)
        return replace(page(hour, minute, minute, chosen), dialog=tunes)

    def alarms(new: tuple[Row, ...], on: bool) -> Screen:
        rows = (*new, Row(old[0], "clock", on=on), Row(old[1], "clock", on=False))
        return Screen("Alarms", rows, plus=True, toast="Alarm set" if new and on else "")

    new = (Row(f"{hour}:{minute}", "clock", HUES[2], on=True),)
    frames = (
        _home(rng),
        ("the clock app with the alarms was opened", alarms((), True)),
        ("a new alarm was started", page("12", "00", "12")),
        (f"the hour was set to {hour}", page(hour, "00", hour)),
        (f"the minute was set to {minute}", page(hour, minute, minute)),
        (
            f"{name} were chosen" if name == "weekdays" else f"{name} was chosen",
            page(hour, minute, minute, chosen),
        ),
        ("the choice of alarm sounds was opened", ask("")),
        (f"the sound {sounds[1]} was ticked", ask(sounds[1])),
        (f"the alarm at {hour}:{minute} was saved into the list", alarms(new, True)),
        (f"the old alarm at {old[0]} was turned off", alarms(new, False)),
    )
    goal = f"set an alarm for {hour}:{minute} on {name} with the sound {sounds[1]}"
    return Plan(f"{goal} and turn off the one at {old[0]}", "set_alarm", frames)


def _shop(rng: Rng) -> Plan:
    goods = _pick(rng, GOODS, 4)
    item, price, count = (
        goods[int(rng.integers(4))],
        int(rng.integers(5, 60)),
        int(rng.integers(2, 4)),
    )
    names = _pick(rng, tuple(PAINTS), 3)
    numbers, buy = ("1", "2", "3"), Chips(("Add to cart",), ("Add to cart",))
    front = Tiles(goods, _hues(rng, 4), 2, goods)
    results = tuple(Row(item, item, PAINTS[n], f"${price + 3 * i}") for i, n in enumerate(names))

    def search(text: str) -> Screen:
        return Screen("Search", (Field("Search", text, True),), pad="letters", key=text[-1:])

    def product(name: str) -> Screen:
        picture = Tiles((item,), (PAINTS[name],), 1, (f"{item} ${price}",))
        return Screen("Product", (picture, Chips(names, (name,)), buy))

    def cart(number: int) -> Screen:
        rows = (Row(item, item, PAINTS[names[1]], f"${price}"), Chips(numbers, (str(number),)))
        total = Row("Total", note=f"${price * number}")
        return Screen("Cart", (*rows, total, Chips(("Order",), ("Order",))))

    done = Tiles(("tick",), (PAINTS["green"],), 1, ("Order placed",))
    frames = (
        _home(rng),
        ("the shop app was opened", Screen("Shop", (front,))),
        ("the search field was selected and the keyboard came up", search("")),
        (f"the word {item} was typed into the search field", search(item)),
        (f"the search results for {item} were shown", Screen("Results", results)),
        (f"the {item} in {names[0]} was opened", product(names[0])),
        (f"the colour {names[1]} was chosen for the {item}", product(names[1])),
        (
            f"the {names[1]} {item} was added to the cart",
            replace(product(names[1]), toast="Added to cart"),
        ),
        (f"the cart with one {item} was opened", cart(1)),
        (f"the quantity was raised to {count}", cart(count)),
        (
            "the order was placed",
            Screen("Thank you", (done, Row("Total", note=f"${price * count}"))),
        ),
    )
    return Plan(f"search for a {item} and order {count} in {names[1]}", "order_product", frames)


def _chat(rng: Rng) -> Plan:
    people, colours = _pick(rng, PEOPLE, 4), _hues(rng, 4)
    name = people[int(rng.integers(4))]
    first = str(rng.choice(["Lunch", "Meet me", "Call me", "Dinner", "Coffee"]))
    text = f"{first} {rng.choice(['at noon', 'at six', 'today', 'tomorrow', 'on Friday'])}"
    photo = int(rng.integers(4))
    pictures = _pick(rng, GOODS, 4)
    asked = Bubble(str(rng.choice(["Hello!", "How are you?", "Any plans?"])), False)
    sent = (asked, Bubble(text, True), Bubble(pictures[photo], True, colours[photo]))
    reply = Bubble(str(rng.choice(["Great!", "Yes, sure!", "See you!"])), False)
    rows = tuple(Row(p, p[0], c) for p, c in zip(people, colours, strict=True))

    def write(words: str) -> Screen:
        field = Field("Message", words, True)
        return Screen(name, (asked, field), pad="letters", key=words[-1:])

    frames = (
        _home(rng),
        ("the chat app was opened", Screen("Chats", rows)),
        (f"the conversation with {name} was opened", Screen(name, (asked,))),
        ("the message field was selected and the keyboard came up", write("")),
        (f"the words {first} were typed into the message field", write(first)),
        (f"the message was completed to {text}", write(text)),
        (f"the message was sent to {name}", Screen(name, sent[:2])),
        (
            "the choice of pictures was opened",
            Screen(name, sent[:2], dialog=(Tiles(pictures, colours, 2),)),
        ),
        (f"the picture of a {pictures[photo]} was sent", Screen(name, sent)),
        (f"the reply of {name} arrived", Screen(name, (*sent, reply))),
    )
    goal = f"send {name} the message {text} and a picture of a {pictures[photo]}"
    return Plan(goal, "send_message", frames)


def _calendar(rng: Rng) -> Plan:
    title = str(rng.choice(["Dentist", "Swimming", "Birthday", "Concert", "Meeting", "Yoga"]))
    times, kinds = ("9:00", "12:00", "18:00"), ("Work", "Home", "Fun")
    time, kind = str(rng.choice(times)), str(rng.choice(kinds))
    day, month = int(rng.integers(1, 29)), str(rng.choice(["March", "May", "June", "August"]))
    weeks = [tuple(str(d) for d in range(w, w + 7)) for w in (1, 8, 15, 22)]

    def days(chosen: str, *rows: Row) -> Screen:
        return Screen(month, (*(Chips(week, (chosen,), 23) for week in weeks), *rows), plus=True)

    def form(text: str, when: str = "", sort: str = "", on: bool = False, pad: str = "") -> Screen:
        rows = (Field("Title", text, bool(pad)), Chips(times, (when,)), Chips(kinds, (sort,)))
        remind = Row("Reminder", on=on)
        return Screen(f"{day} {month}", (*rows, remind), pad=pad, key=text[-1:])

    event = Row(title, "calendar", HUES[day % len(HUES)], time)
    frames = (
        _home(rng),
        (f"the calendar app was opened at {month}", days("")),
        (f"day {day} was selected", days(str(day), Row("No events"))),
        ("an empty form for a new event was opened", form("")),
        ("the title field was selected and the keyboard came up", form("", pad="letters")),
        (f"the title {title} was typed", form(title, pad="letters")),
        (f"the time {time} was chosen", form(title, time)),
        (f"the kind {kind} was chosen", form(title, time, kind)),
        ("the reminder was turned on", form(title, time, kind, True)),
        (
            f"the event {title} was saved and shown below day {day}",
            days(str(day), event),
        ),
    )
    goal = f"add {title} at {time} on {day} {month} to the calendar as {kind} with a reminder"
    return Plan(goal, "add_event", frames)


def _shopping_list(rng: Rng) -> Plan:
    things = _pick(rng, FOOD, 3)
    ticks = [things[i] for i in rng.permutation(3)[:2]]

    def page(count: int, ticked: int = 0, text: str = "", pad: str = "") -> Screen:
        rows = [Row(thing, ticked=thing in ticks[:ticked]) for thing in things[:count]]
        field = Field("Add item", text, bool(pad))
        return Screen("My list", (field, *rows), pad=pad, key=text[-1:])

    frames = (
        _home(rng),
        ("the lists app was opened with an empty list", page(0)),
        ("the item field was selected and the keyboard came up", page(0, pad="letters")),
        (f"the word {things[0]} was typed into the item field", page(0, 0, things[0], "letters")),
        (f"{things[0]} was added to the list", page(1)),
        (f"the word {things[1]} was typed into the item field", page(1, 0, things[1], "letters")),
        (f"{things[1]} was added to the list", page(2)),
        (f"{things[2]} was added to the list", page(3)),
        (f"{ticks[0]} was ticked off", page(3, 1)),
        (f"{ticks[1]} was ticked off", page(3, 2)),
    )
    goal = f"write a list of {', '.join(things)} and tick off {' and '.join(ticks)}"
    return Plan(goal, "write_list", frames)


PLANS: tuple[Callable[[Rng], Plan], ...] = (
    *(_contact, _settings, _alarm, _shop),
    *(_chat, _calendar, _shopping_list),
)
