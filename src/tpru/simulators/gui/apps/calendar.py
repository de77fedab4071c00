"""The calendar: an event added, moved, and people invited to it."""

from dataclasses import replace

from tpru.simulators.gui.gauges import Month
from tpru.simulators.gui.kit import EVENTS, PEOPLE, ROWS, Kit, Story
from tpru.simulators.gui.parts import Button, Chips, Field, Part, Row
from tpru.simulators.gui.pictures import Hero
from tpru.simulators.gui.screen import Screen

MONTHS = ("March", "May", "June", "August")
TIMES = ("9:00", "12:00", "18:00")
NTH = ("first", "second", "third")

Marks = tuple[tuple[int, str], ...]


def _month(month: str, chosen: int, events: Marks, *parts: Part) -> Screen:
    return Screen("calendar", month, (Month(chosen, events), *parts), corner="plus")


def _days(kit: Kit, count: int) -> list[int]:
    """Different days, one per week or further apart."""
    return [int(7 * week + kit.number(1, 7)) for week in kit.rng.permutation(4)[:count]]


def _week(day: int) -> str:
    return f"the {(*NTH, 'fourth')[(day - 1) // 7]} week"


def front(kit: Kit) -> Screen:
    hues = kit.hues(2)
    events = tuple(zip(_days(kit, 2), hues, strict=True))
    return _month(kit.say(str(kit.rng.choice(MONTHS))), 0, events)


def calendar_add(kit: Kit) -> Story:
    title, time, sort = kit.one(EVENTS), kit.number(0, 2), kit.number(0, 2)
    english = str(kit.rng.choice(MONTHS))
    month, (day, other, old) = kit.say(english), _days(kit, 3)
    colours, signs = kit.hues(3), ("star", "heart", "flag")
    events: Marks = ((old, colours[0]),)

    def form(text: str, when: int | None = None, kind: int | None = None, remind: bool = False) -> Screen:
        parts = (
            Field("the title field", "pencil", kit.say("Title"), text),
            Chips("time", TIMES, () if when is None else (when,), 28),
            Chips("kind", signs, () if kind is None else (kind,), 28, (), colours),
            Row("the reminder switch", kit.say("Reminder"), "bell", on=remind),
        )
        return Screen("calendar", f"{day} {month}", parts, corner="tick")

    def typing(text: str) -> Screen:
        field = Field("the title field", "pencil", kit.say("Title"), text, True)
        page = Screen("calendar", f"{day} {month}", (field,), corner="tick")
        return replace(page, pad="letters", key=text[-1:])

    goal = (
        f"add {title} on {day} {english} to the calendar, with the {NTH[time]} time, the {NTH[sort]} colour"
    )
    story = Story(kit, f"{goal} and a reminder")
    story.show("the calendar app was opened", _month(month, 0, events))
    story.show(f"a free day in {_week(day)} was chosen", _month(month, day, events))
    busy = Row(ROWS[0], kit.one(EVENTS), "calendar", colours[0], strong=True)
    story.instead(f"a full day in {_week(old)} was chosen", _month(month, old, events, busy))
    story.show("an empty form for an event was opened", form(""))
    story.show("the empty title field was selected", typing(""))
    story.show("the title field was filled", typing(title))
    story.show("the filled title was shown without the keyboard", form(title))
    story.show(f"the {NTH[time]} time was chosen", form(title, time))
    wrong = (time + 1) % 3
    story.instead(f"the {NTH[wrong]} time was chosen", form(title, wrong))
    story.show(f"the {NTH[sort]} colour was chosen", form(title, time, sort))
    late = (sort + 1) % 3
    story.instead(f"the {NTH[late]} colour was chosen", form(title, time, late))
    story.show("the reminder switch was turned on", form(title, time, sort, True))
    event = Row(ROWS[0], title, "calendar", colours[sort], TIMES[time])
    story.show(
        f"the event was saved in {_week(day)}", _month(month, day, (*events, (day, colours[sort])), event)
    )
    story.instead(
        f"the event was saved in {_week(other)}",
        _month(month, other, (*events, (other, colours[sort])), event),
    )
    return story


def _event(kit: Kit, title: str, hue: str, when: str, *parts: Part, sign: str = "") -> Screen:
    head = Hero("the event", "calendar", hue, title, False, sign, 50)
    return Screen("calendar", when, (head, *parts), corner="pencil")


def calendar_move(kit: Kit) -> Story:
    title, hue, english = kit.one(EVENTS), kit.hues(1)[0], str(kit.rng.choice(MONTHS))
    month, (old, new, wrong) = kit.say(english), _days(kit, 3)
    before, after = (int(i) for i in kit.rng.permutation(3)[:2])

    def form(day: int, time: int) -> Screen:
        parts = (
            Row("the day entry", f"{day} {month}", "calendar", hue, note=">"),
            Chips("time", TIMES, (time,), 36),
            Button("the save button", kit.say("Save"), "tick", time == after),
        )
        return Screen("calendar", kit.say("Change"), parts, corner="cross")

    def ask(day: int) -> Screen:
        return replace(form(old, before), dialog=(Month(day, (), 24),))

    def card(row: str) -> Row:
        return Row(ROWS[0], title, "calendar", hue, row)

    story = Story(kit, f"move {title} from {old} to {new} {english} and to the {NTH[after]} time")
    story.show("the calendar app was opened", _month(month, 0, ((old, hue),)))
    story.show("the day with the event was chosen", _month(month, old, ((old, hue),), card(TIMES[before])))
    story.instead("a free day was chosen", _month(month, wrong, ((old, hue),)))
    at = Row("the time", TIMES[before], "clock", hue)
    story.show("the event was opened", _event(kit, title, hue, f"{old} {month}", at))
    story.show("the form to change the event was opened", form(old, before))
    story.show("a dialog with a month was opened", ask(0))
    story.show(f"a day in {_week(new)} was chosen", ask(new))
    story.instead(f"a day in {_week(wrong)} was chosen", ask(wrong))
    story.show(
        f"the day was changed beside the {NTH[before]} time",
        replace(form(new, before), touch="the day entry"),
    )
    story.show(f"the {NTH[after]} time was chosen", form(new, after))
    third = 3 - before - after
    story.instead(f"the {NTH[third]} time was chosen", form(new, third))
    story.show("the save button was pressed", replace(form(new, after), touch="the save button"))
    story.instead("the cross was pressed", replace(form(new, after), touch="the corner button"))
    moved = _month(month, new, ((new, hue),), card(TIMES[after]))
    story.show(f"the event was saved in {_week(new)}", replace(moved, toast=kit.say("Saved")))
    return story


def calendar_invite(kit: Kit) -> Story:
    title, hue, english = kit.one(EVENTS), kit.hues(1)[0], str(kit.rng.choice(MONTHS))
    month, (day, free) = kit.say(english), _days(kit, 2)
    people, hues = kit.some(PEOPLE, 4), kit.hues(4)
    order = [int(i) for i in kit.rng.permutation(4)]
    guests = sorted(order[:2])

    def ask(ticked: list[int]) -> Screen:
        rows = tuple(
            Row(ROWS[i], p, p[0], h, ticked=i in ticked)
            for i, (p, h) in enumerate(zip(people, hues, strict=True))
        )
        return replace(_event(kit, title, hue, f"{day} {month}"), dialog=rows)

    def event(accepted: int | None) -> Screen:
        rows = tuple(
            Row(
                ROWS[k],
                people[i],
                people[i][0],
                hues[i],
                note="" if accepted is None or k < accepted else "?",
                ticked=True if accepted is not None and k < accepted else None,
            )
            for k, i in enumerate(guests)
        )
        return _event(kit, title, hue, f"{day} {month}", *rows)

    names = " and ".join(people[i] for i in order[:2])
    story = Story(kit, f"invite {names} to {title} on {day} {english} and wait for both to accept")
    story.show("the calendar app was opened", _month(month, 0, ((day, hue),)))
    row = Row(ROWS[0], title, "calendar", hue)
    story.show("the day with the event was chosen", _month(month, day, ((day, hue),), row))
    story.instead("a free day was chosen", _month(month, free, ((day, hue),)))
    alone = _event(
        kit, title, hue, f"{day} {month}", Button("the invite button", kit.say("Invite"), "people")
    )
    story.show("the event without guests was opened", alone)
    story.show("a dialog of people with empty boxes was opened", ask([]))
    for i in range(2):
        own, wrong = ROWS[order[i]], ROWS[order[3]]
        story.show(f"{own} was ticked", replace(ask(order[: i + 1]), touch=own))
        story.instead(f"{wrong} was ticked", replace(ask([*order[:i], order[3]]), touch=wrong))
    story.show("the invitations were sent", replace(event(0), toast=kit.say("Sent"), toast_sign="send"))
    story.show("two question marks wait for answers", event(0))
    story.show("the first guest accepted", event(1))
    story.show("both guests accepted", replace(event(2), corner="heart"))
    return story


FAMILIES = (calendar_add, calendar_move, calendar_invite)
