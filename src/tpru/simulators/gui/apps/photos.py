"""Photos: one changed, an album made, one shared."""

from dataclasses import replace

from tpru.simulators.gui.gauges import Rounds, Slider
from tpru.simulators.gui.kit import MESSAGES, PEOPLE, ROWS, TITLES, VIEWS, Kit, Story
from tpru.simulators.gui.parts import Field, Row
from tpru.simulators.gui.pictures import Hero, Photo, Tiles
from tpru.simulators.gui.screen import Screen

TOOLS = ("crop", "turn", "drop", "sun")
NAMES = ("the crop button", "the turn button", "the colour button", "the light button")


def _grid(
    kit: Kit, views: tuple[str, ...], hues: tuple[str, ...], ticked: tuple[int, ...] | None = None
) -> Screen:
    corner = "dots" if ticked is None else "plus"
    return Screen("photos", kit.say("Photos"), (Tiles("photo", views, hues, 2, 74, ticked),), corner=corner)


def front(kit: Kit) -> Screen:
    return _grid(kit, kit.some(VIEWS, 4), kit.hues(4))


def photos_edit(kit: Kit) -> Story:
    views, hues, place = kit.some(VIEWS, 4), kit.hues(5), kit.number(0, 3)
    base = Photo(views[place], hues[place], hues[(place + 1) % 4], tall=104)
    grey = bool(kit.number(0, 1))

    def page(photo: Photo, tool: int | None) -> Screen:
        rounds = Rounds(NAMES, TOOLS, () if tool is None else (tool,), 38)
        return Screen("photos", kit.say("Change"), (photo, rounds), corner="tick")

    def light(share: float, photo: Photo) -> Screen:
        bar = Slider("the light slider", "sun", 0.2 + share)
        return Screen("photos", kit.say("Light"), (replace(photo, light=share), bar), corner="tick")

    cropped = replace(base, cropped=True)
    turned = replace(cropped, turned=True)
    last = replace(turned, grey=True) if grey else replace(turned, frame=True)
    words = ("with a white frame", "without colours")
    word, plain = words[grey], words[not grey]
    story = Story(kit, f"crop the photo of the {views[place]}, turn it, make it brighter, then {word}")
    story.show("the photos app was opened", _grid(kit, views, hues[:4]))
    story.show(
        f"the photo of the {views[place]} was opened",
        Screen("photos", kit.say("Photo"), (replace(base, tall=130),), corner="pencil"),
    )
    wrong = replace(base, symbol=views[place - 1], colour=hues[place - 1], tall=130)
    story.instead(
        f"the photo of the {views[place - 1]} was opened",
        Screen("photos", kit.say("Photo"), (wrong,), corner="pencil"),
    )
    story.show("the four tools were shown, none chosen", page(base, None))
    story.show("the photo was cropped", page(cropped, 0))
    story.instead("the whole photo was turned upside down", page(replace(base, turned=True), 1))
    story.show("the cropped photo was turned upside down", page(turned, 1))
    story.show("a slider for the light was shown, low", light(0.0, turned))
    story.show("the slider for the light was moved up", light(0.45, turned))
    bright = replace(last, light=0.45)
    story.show(f"the photo was shown {word}", page(bright, 2))
    other = replace(turned, frame=True) if grey else replace(turned, grey=True)
    story.instead(f"the photo was shown {plain}", page(replace(other, light=0.45), 2))
    story.show("the tick was pressed beside the photo", replace(page(bright, 2), touch="the corner button"))
    saved = Screen(
        "photos", kit.say("Photo"), (replace(bright, tall=130),), corner="pencil", toast=kit.say("Saved")
    )
    story.show("the changed photo was saved", saved)
    return story


def photos_album(kit: Kit) -> Story:
    views, hues, title = kit.some(VIEWS, 4), kit.hues(4), kit.one(TITLES)
    order = [int(i) for i in kit.rng.permutation(4)]
    count = kit.number(2, 3)

    def form(words: str) -> Screen:
        field = Field("the name field", "photos", kit.say("Name"), words, True)
        page = Screen("photos", kit.say("New album"), (field,), corner="tick")
        return replace(page, pad="letters", key=words[-1:])

    chosen = tuple(order[:count])
    story = Story(kit, f"put {' and '.join('the ' + views[i] for i in chosen)} into an album called {title}")
    plain = _grid(kit, views, hues)
    story.show("the photos app was opened", plain)
    menu = (Row("the select entry", kit.say("Select"), "tick"), Row("the new entry", kit.say("New"), "plus"))
    story.show("a menu with two entries was opened", replace(plain, dialog=menu))
    story.show("empty boxes to tick appeared on the photos", _grid(kit, views, hues, ()))
    for i in range(count):
        photo = f"the {views[order[i]]} photo"
        story.show(f"{photo} was ticked", replace(_grid(kit, views, hues, chosen[: i + 1]), touch=photo))
        if i < 2:
            wrong = f"the {views[order[3]]} photo"
            other = replace(_grid(kit, views, hues, (*chosen[:i], order[3])), touch=wrong)
            story.instead(f"{wrong} was ticked", other)
    story.show("the empty name field was selected", form(""))
    story.show("the name field was filled", form(title))
    inside = Tiles("photo", tuple(views[i] for i in chosen), tuple(hues[i] for i in chosen), 2, 56)
    album = Screen("photos", title, (inside,), corner="dots", toast=kit.say("Saved"))
    story.show("the new album was saved", album)
    cover = Row(ROWS[0], title, "photos", hues[0], str(count), strong=True)
    albums = Screen("photos", kit.say("Albums"), (cover, Row(ROWS[1], "2024", "photos", hues[1], "9")))
    story.show("the list of albums was opened", albums)
    story.instead(
        "the album was deleted from the list",
        replace(albums, parts=albums.parts[1:], toast=kit.say("Deleted"), toast_sign="trash"),
    )
    return story


def photos_share(kit: Kit) -> Story:
    views, hues, place = kit.some(VIEWS, 4), kit.hues(4), kit.number(0, 3)
    people, pick, text = kit.some(PEOPLE, 3), kit.number(0, 2), kit.one(MESSAGES)
    base = Photo(views[place], hues[place], hues[(place + 1) % 4], tall=108)
    tools = Rounds(
        ("the heart button", "the share button", "the trash button"), ("heart", "send", "trash"), (), 36
    )

    def page(heart: bool, photo: Photo = base) -> Screen:
        rounds = replace(tools, active=(0,) if heart else ())
        return Screen("photos", kit.say("Photo"), (replace(photo, heart=heart), rounds))

    def ask(tick: int | None) -> Screen:
        rows = tuple(Row(ROWS[i], p, p[0], hues[i], ticked=i == tick) for i, p in enumerate(people))
        return replace(page(True), dialog=rows)

    def write(words: str) -> Screen:
        to = Row("the receiver", people[pick], people[pick][0], hues[pick])
        field = Field("the message field", "letter", kit.say("Message"), words, True)
        return Screen("photos", kit.say("Share"), (to, field), corner="send", pad="letters", key=words[-1:])

    story = Story(
        kit, f"give the photo of the {views[place]} a heart and share it with {people[pick]} and a message"
    )
    story.show("the photos app was opened", _grid(kit, views, hues))
    story.show(f"the photo of the {views[place]} was opened", page(False))
    wrong = replace(base, symbol=views[place - 1], colour=hues[place - 1])
    story.instead(f"the photo of the {views[place - 1]} was opened", page(False, wrong))
    story.show("the photo got a heart", page(True))
    story.instead("the trash button was pressed", replace(page(False), touch="the trash button"))
    story.show("the share button was pressed", replace(page(True), touch="the share button"))
    story.show("a dialog of three people was opened", ask(None))
    story.show(f"{ROWS[pick]} was ticked", ask(pick))
    story.instead(f"{ROWS[(pick + 1) % 3]} was ticked", ask((pick + 1) % 3))
    story.show("the empty message field was selected", write(""))
    story.show("the message field was filled", write(text))
    story.instead(
        "the photo without a heart was shown",
        replace(page(False), toast=kit.say("Ended"), toast_sign="cross"),
    )
    sent = Hero("the receiver", people[pick][0], hues[pick], people[pick], True, "tick", 80)
    story.show(
        "the photo was sent",
        Screen("photos", kit.say("Share"), (sent,), toast=kit.say("Sent"), toast_sign="send"),
    )
    return story


FAMILIES = (photos_edit, photos_album, photos_share)
