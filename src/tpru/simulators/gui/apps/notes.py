"""Notes: a list to tick off, a drawing, a note made to look better."""

from dataclasses import replace

from tpru.simulators.gui.drawings import DRAWINGS, Sheet
from tpru.simulators.gui.gauges import Note, Rounds
from tpru.simulators.gui.kit import FOOD, ROWS, SHEETS, TITLES, Kit, Story
from tpru.simulators.gui.parts import Chips, Field, Part, Row
from tpru.simulators.gui.screen import Screen

NTH = ("first", "second", "third", "fourth")


def _list(kit: Kit, *rows: Row) -> Screen:
    return Screen("notes", kit.say("Notes"), rows, corner="plus")


def front(kit: Kit) -> Screen:
    hues = kit.hues(3)
    rows = (Row(ROWS[i], t, "notes", hues[i]) for i, t in enumerate(kit.some(TITLES, 3)))
    return _list(kit, *rows)


def notes_list(kit: Kit) -> Story:
    things, title = kit.some(FOOD, 3), kit.one(TITLES)
    order = [int(i) for i in kit.rng.permutation(3)]

    def page(count: int, ticked: list[int], text: str = "", typing: bool = False) -> Screen:
        rows = tuple(Row(ROWS[i], things[i], ticked=i in ticked) for i in range(count))
        field = (Field("the item field", "plus", kit.say("New"), text, True),) if typing else ()
        parts: tuple[Part, ...] = (*rows, *field) if typing else rows
        page = Screen("notes", title, parts, corner="pencil")
        return replace(page, pad="letters" if typing else "", key=text[-1:])

    ticks = " and ".join(things[i] for i in order[:2])
    story = Story(kit, f"write a list of {', '.join(things)} and tick off {ticks}")
    story.show("the notes app was opened", front(kit))
    story.show("an empty list with an empty field was opened", page(0, [], "", True))
    story.show("the field was filled above no rows", page(0, [], things[0], True))
    story.show("the list has one row and an empty field", page(1, [], "", True))
    story.show("the field was filled below one row", page(1, [], things[1], True))
    story.instead("the first row was ticked", replace(page(1, [0], "", True), touch=ROWS[0]))
    story.show("the list has two rows and an empty field", page(2, [], "", True))
    story.show("the list has three rows, none ticked", page(3, []))
    story.instead("the list has two rows, none ticked", page(2, []))
    for i in range(2):
        row, wrong = ROWS[order[i]], ROWS[order[2]]
        story.show(f"{row} was ticked", replace(page(3, order[: i + 1]), touch=row))
        story.instead(f"{wrong} was ticked", replace(page(3, [*order[:i], order[2]]), touch=wrong))
    plain = Row(ROWS[0], title, "bullets", kit.hues(1)[0], "2/3", strong=True)
    story.show("the finished list was saved", replace(_list(kit, plain), toast=kit.say("Saved")))
    return story


def notes_draw(kit: Kit) -> Story:
    drawing, colours, hue = kit.one(SHEETS), kit.hues(4), kit.hues(1)[0]
    strokes = DRAWINGS[drawing]

    def page(count: int, chosen: int | None, paints: tuple[str, ...] = colours) -> Screen:
        pens = Chips("pen", colours, () if chosen is None else (chosen,), 30, (), colours)
        return Screen("notes", kit.say("Drawing"), (Sheet(drawing, count, paints), pens), corner="tick")

    story = Story(kit, f"draw a {drawing} in {', '.join(colours)} and save it")
    story.show("the notes app was opened", front(kit))
    story.show("an empty sheet was opened, no pen chosen", page(0, None))
    story.instead("an empty list was opened", Screen("notes", kit.say("New"), (), corner="pencil"))
    story.show("the first pen was chosen for an empty sheet", page(0, 0))
    story.instead("the fourth pen was chosen for an empty sheet", page(0, 3))
    for i, (name, *_) in enumerate(strokes):
        story.show(f"{name} was drawn in {colours[i]}", page(i + 1, i))
        other = (i + 1) % 4
        swapped = (*colours[:i], colours[other], *colours[i + 1 :])
        story.instead(f"{name} was drawn in {colours[other]}", page(i + 1, other, swapped))
    last = page(len(strokes), 3)
    story.show("the tick was pressed beside the drawing", replace(last, touch="the corner button"))
    saved = _list(kit, Row(ROWS[0], drawing, drawing, hue, strong=True))
    story.show("the finished drawing was saved", replace(saved, toast=kit.say("Saved")))
    return story


def notes_style(kit: Kit) -> Story:
    titles, hues, lines = kit.some(TITLES, 3), kit.hues(4), kit.number(3, 4)
    place, pick = kit.number(1, 2), kit.number(0, 3)
    names = ("the bold button", "the list button", "the colour button")
    signs = ("bold", "bullets", "drop")

    def page(done: int, hue: str = "", touch: int | None = None) -> Screen:
        tools = Rounds(names, signs, tuple(range(min(done, 3))), 34)
        note = Note(lines, hue, done > 0, done > 1)
        screen = Screen("notes", titles[place], (note, tools), corner="pin")
        return replace(screen, touch=names[touch] if touch is not None else "")

    ask = Chips("colour", hues, (), 50, (), hues)
    chosen = Chips("colour", hues, (pick,), 50, (), hues)
    other = Chips("colour", hues, ((pick + 1) % 4,), 50, (), hues)
    goal = f"make the note {titles[place]} bold, listed and {hues[pick]}, and pin it to the top"
    story = Story(kit, goal)
    rows = tuple(Row(ROWS[i], t, "notes", hues[i]) for i, t in enumerate(titles))
    story.show("the notes app was opened", _list(kit, *rows))
    story.show("a plain note was opened", page(0))
    story.show("the text was made bold", page(1, touch=0))
    wrong = Screen("notes", titles[place], (Note(lines, "", False, True), Rounds(names, signs, (1,), 34)))
    story.instead("the thin text was listed with dots", replace(wrong, touch=names[1]))
    story.show("the bold text was listed with dots", page(2, touch=1))
    story.show("a dialog of four colours was opened", replace(page(2), dialog=(ask,)))
    story.show(f"the {NTH[pick]} colour was ticked", replace(page(2), dialog=(chosen,)))
    story.instead(f"the {NTH[(pick + 1) % 4]} colour was ticked", replace(page(2), dialog=(other,)))
    story.show(f"the note became {hues[pick]}", page(3, hues[pick]))
    story.instead(f"the note became {hues[pick - 2]}", page(3, hues[pick - 2]))
    pinned = replace(page(3, hues[pick]), touch="the corner button")
    story.show("the pin button was pressed", pinned)
    first = Row(ROWS[0], titles[place], "pin", hues[pick], strong=True)
    rest = [t for t in titles if t != titles[place]]
    end = (first, *(Row(ROWS[i + 1], t, "notes", hues[titles.index(t)]) for i, t in enumerate(rest)))
    story.show(
        "the note was pinned above the others",
        replace(_list(kit, *end), toast=kit.say("Saved"), toast_sign="pin"),
    )
    return story


FAMILIES = (notes_list, notes_draw, notes_style)
