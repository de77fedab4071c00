"""Contacts: a new one, a call, some deleted."""

from dataclasses import replace

from tpru.simulators.gui.gauges import Rounds
from tpru.simulators.gui.kit import KINDS, PEOPLE, ROWS, SURNAMES, Kit, Story
from tpru.simulators.gui.parts import Button, Chips, Field, Part, Row
from tpru.simulators.gui.pictures import Hero
from tpru.simulators.gui.screen import Screen


def _list(kit: Kit, rows: tuple[Part, ...], corner: str = "plus") -> Screen:
    return Screen("contacts", kit.say("Contacts"), rows, corner=corner)


def front(kit: Kit) -> Screen:
    return _list(kit, kit.rows(kit.some(PEOPLE, 4), kit.hues(4)))


def contacts_add(kit: Kit) -> Story:
    *others, name = kit.some(PEOPLE, 4)
    full, phone = f"{name} {kit.one(SURNAMES)}", f"555 {kit.number(1000, 9999)}"
    kind, hues = kit.number(0, 1), kit.hues(4)
    signs = KINDS[kit.look]

    def form(first: str = "", number: str = "", on: int = 0, chosen: tuple[int, ...] = ()) -> Screen:
        fields = (
            Field("the name field", "contacts", kit.say("Name"), first, on == 1),
            Field("the phone field", "phone", kit.say("Phone"), number, on == 2),
        )
        pad, key = ("", "letters", "numbers")[on], ("", first[-1:], number[-1:])[on]
        options = Chips("option", signs, chosen, 30, signs)
        save = Button("the save button", kit.say("Save"), "tick", bool(chosen))
        parts = fields if pad else (*fields, options, save)
        return Screen("contacts", kit.say("New contact"), parts, corner="cross", pad=pad, key=key)

    story = Story(kit, f"add {full} with the number {phone} to the contacts, with the {_nth(kind)} option")
    rows = kit.rows(tuple(others), hues)
    story.show("the contacts app was opened", _list(kit, rows))
    story.show("an empty form for a contact was opened", form())
    story.instead("a contact was opened", _card(kit, others[0], hues[0], phone))
    story.show("the empty name field was selected", form(on=1))
    story.instead("the empty phone field was selected", form(on=2))
    story.show("the name field was filled", form(full, on=1))
    story.show("the empty phone field was selected below a name", form(full, on=2))
    story.show("the phone field was filled", form(full, phone, 2))
    story.show("the filled form was shown without the keyboard", form(full, phone))
    story.instead("the phone field was emptied", form(full))
    done = form(full, phone, 0, (kind,))
    story.show(f"the {_nth(kind)} option was chosen", done)
    story.instead(f"the {_nth(2)} option was chosen", form(full, phone, 0, (2,)))
    story.show("the save button was pressed", replace(done, touch="the save button"))
    story.instead("the cross was pressed", replace(done, touch="the corner button"))
    new = Row(ROWS[3], full, name, hues[3], strong=True)
    saved = replace(_list(kit, (*rows, new)), toast=kit.say("Saved"))
    story.show("the new contact was saved in the list", saved)
    return story


def _nth(place: int) -> str:
    return ("first", "second", "third", "fourth")[place]


def _card(kit: Kit, name: str, hue: str, phone: str, active: tuple[int, ...] = ()) -> Screen:
    rounds = Rounds(("the call button", "the write button"), ("phone", "letter"), active)
    parts = (Hero("the portrait", name, hue, name), Row("the number", phone, "phone", hue), rounds)
    return Screen("contacts", name, parts, corner="pencil")


def _call(kit: Kit, name: str, hue: str, words: str, ring: bool, active: tuple[int, ...]) -> Screen:
    names = ("the mute button", "the hang-up button", "the speaker button")
    rounds = Rounds(names, ("microphone", "hang up", "speaker"), active)
    parts = (Hero("the portrait", name, hue, words, ring), rounds)
    return Screen("contacts", name, parts, dark=True)


def contacts_call(kit: Kit) -> Story:
    names, hues, place = kit.some(PEOPLE, 4), kit.hues(4), kit.number(0, 3)
    name, hue, phone = names[place], hues[place], f"555 {kit.number(1000, 9999)}"
    clock = f"0:{kit.number(10, 59)}"

    def search(text: str) -> Screen:
        found = (Row(ROWS[0], name, name[0], hue),) if text else ()
        field = Field("the search field", "search", kit.say("Search"), text, True)
        page = _list(kit, (field, *found), "cross")
        return replace(page, pad="letters", key=text[-1:])

    story = Story(kit, f"search for {name} in the contacts, call with the speaker on and hang up")
    story.show("the contacts app was opened", _list(kit, kit.rows(names, hues), "search"))
    story.show("the empty search field was selected", search(""))
    story.show("the search field was filled and one contact found", search(name))
    card = _card(kit, name, hue, phone)
    story.show(f"the {hue} contact was opened", card)
    story.instead(
        f"the {hues[place - 1]} contact was opened", _card(kit, names[place - 1], hues[place - 1], phone)
    )
    story.show("the call button was pressed", replace(card, touch="the call button"))
    story.instead("the write button was pressed", replace(card, touch="the write button"))
    story.show("the call rings", _call(kit, name, hue, "...", False, ()))
    talk = _call(kit, name, hue, clock, True, ())
    story.show("the call was answered", talk)
    loud = _call(kit, name, hue, clock, True, (2,))
    story.show("the speaker was turned on in the call", replace(loud, touch="the speaker button"))
    muted = _call(kit, name, hue, clock, True, (0,))
    story.instead("the microphone was muted in the call", replace(muted, touch="the mute button"))
    story.show("the hang-up button was pressed", replace(loud, touch="the hang-up button"))
    story.show("the call was ended", replace(card, toast=f"{kit.say('Ended')} {clock}", toast_sign="hang up"))
    return story


def contacts_delete(kit: Kit) -> Story:
    names, hues, count = kit.some(PEOPLE, 4), kit.hues(4), kit.number(2, 3)
    order = [int(i) for i in kit.rng.permutation(4)]
    gone = order[:count]

    def page(ticked: list[int]) -> Screen:
        pairs = enumerate(zip(names, hues, strict=True))
        rows = tuple(Row(ROWS[i], n, n[0], h, ticked=i in ticked) for i, (n, h) in pairs)
        return _list(kit, rows, "trash")

    people = " and ".join(names[i] for i in gone)
    story = Story(kit, f"delete {people} from the contacts")
    plain = _list(kit, kit.rows(names, hues), "dots")
    story.show("the contacts app was opened", plain)
    menu = (Row("the select entry", kit.say("Select"), "tick"), Row("the new entry", kit.say("New"), "plus"))
    story.show("a menu with two entries was opened", replace(plain, dialog=menu))
    story.show("empty boxes to tick appeared", page([]))
    for i in range(count):
        story.show(f"{ROWS[gone[i]]} was ticked", replace(page(gone[: i + 1]), touch=ROWS[gone[i]]))
        if i < 2:
            other = replace(page([*gone[:i], order[3]]), touch=ROWS[order[3]])
            story.instead(f"{ROWS[order[3]]} was ticked", other)
    story.show("the trash button was pressed", replace(page(gone), touch="the corner button"))
    sure = (
        Hero("the question", "trash", hues[0], kit.say("Delete?"), tall=54),
        Chips("answer", (kit.say("No"), kit.say("Yes")), (1,)),
    )
    ask = replace(page(gone), dialog=sure)
    story.show("a dialog asked whether to delete", ask)
    story.show("the answer yes was pressed", replace(ask, touch="the second answer"))
    story.instead("the answer no was pressed", replace(ask, touch="the first answer"))
    rest = [i for i in range(4) if i not in gone]
    kept = _list(kit, kit.rows(tuple(names[i] for i in rest), tuple(hues[i] for i in rest)), "dots")
    story.show(
        "a shorter list with a trash message was shown",
        replace(kept, toast=kit.say("Deleted"), toast_sign="trash"),
    )
    return story


FAMILIES = (contacts_add, contacts_call, contacts_delete)
