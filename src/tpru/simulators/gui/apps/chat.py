"""Chat: a message with a picture, a new group, a spoken message."""

from dataclasses import replace

from tpru.simulators.gui.kit import GOODS, GREETINGS, MESSAGES, PEOPLE, REPLIES, ROWS, TITLES, Kit, Story
from tpru.simulators.gui.parts import Bubble, Button, Field, Part, Row, Wave
from tpru.simulators.gui.pictures import Hero, Tiles
from tpru.simulators.gui.screen import Screen


def _chats(kit: Kit, people: tuple[str, ...], hues: tuple[str, ...], first: Row | None = None) -> Screen:
    rows = ((first,) if first else ()) + kit.rows(people, hues)
    return Screen("chat", kit.say("Chat"), rows[:4], corner="plus")


def front(kit: Kit) -> Screen:
    return _chats(kit, kit.some(PEOPLE, 4), kit.hues(4))


def _talk(name: str, *parts: Part, corner: str = "phone") -> Screen:
    return Screen("chat", name, parts, corner=corner)


def _write(kit: Kit, name: str, words: str, *parts: Part) -> Screen:
    field = Field("the message field", "letter", kit.say("Message"), words, True)
    return replace(_talk(name, *parts, field), pad="letters", key=words[-1:])


def chat_send(kit: Kit) -> Story:
    people, hues, place = kit.some(PEOPLE, 4), kit.hues(4), kit.number(0, 3)
    name, text, photo, pictures = people[place], kit.one(MESSAGES), kit.number(0, 3), kit.some(GOODS, 4)
    asked = Bubble("the first message", kit.one(GREETINGS), False)
    mine = Bubble("the second message", text, True)
    picture = Bubble("the picture message", "", True, pictures[photo], hues[photo])
    reply = Bubble("the reply", kit.one(REPLIES), False)
    tools = Button("the picture button", kit.say("Photo"), "camera")

    story = Story(kit, f"send {name} the message {text} and a picture of a {pictures[photo]}")
    story.show("the chat app was opened", _chats(kit, people, hues))
    story.show("a talk with one message was opened", _talk(name, asked, tools))
    other = people[place - 1]
    story.instead(
        "a talk with two messages was opened",
        _talk(other, asked, Bubble("the second message", kit.one(GREETINGS), False), tools),
    )
    story.show("the empty message field was selected", _write(kit, name, "", asked))
    story.show("the message field was filled in part", _write(kit, name, text.split()[0], asked))
    story.show("the message field was filled", _write(kit, name, text, asked))
    sent = _talk(name, asked, mine, tools)
    story.show("a message at the right was sent", sent)
    choice = replace(sent, dialog=(Tiles("picture", pictures, hues, 2, 60),))
    story.show("a dialog of four pictures was opened", choice)
    story.instead("the phone button was pressed", replace(sent, touch="the corner button"))
    touched = replace(choice, touch=f"the {pictures[photo]} picture")
    story.show(f"the picture of the {pictures[photo]} was touched", touched)
    wrong = pictures[(photo + 1) % 4]
    story.instead(f"the picture of the {wrong} was touched", replace(choice, touch=f"the {wrong} picture"))
    story.show("a picture was sent below the message", _talk(name, asked, mine, picture))
    story.show("a reply at the left arrived below the picture", _talk(name, asked, mine, picture, reply))
    return story


def chat_group(kit: Kit) -> Story:
    people, hues, title = kit.some(PEOPLE, 4), kit.hues(4), kit.one(TITLES)
    order = [int(i) for i in kit.rng.permutation(4)]
    text = kit.one(MESSAGES)

    def choose(ticked: list[int]) -> Screen:
        rows = tuple(
            Row(ROWS[i], p, p[0], h, ticked=i in ticked)
            for i, (p, h) in enumerate(zip(people, hues, strict=True))
        )
        return Screen("chat", kit.say("New group"), rows, corner="arrow", count=str(len(ticked)))

    def form(words: str) -> Screen:
        field = Field("the name field", "people", kit.say("Name"), words, True)
        page = Screen("chat", kit.say("New group"), (field,), corner="tick")
        return replace(page, pad="letters", key=words[-1:])

    count = kit.number(2, 3)
    members = " and ".join(people[i] for i in order[:count])
    story = Story(kit, f"make a group called {title} with {members} and write {text}")
    story.show("the chat app was opened", _chats(kit, people, hues))
    story.show("a list of people with empty boxes was opened", choose([]))
    story.instead(
        "a talk with one person was opened",
        _talk(people[0], Bubble("the first message", kit.one(GREETINGS), False)),
    )
    for i in range(count):
        row = ROWS[order[i]]
        story.show(f"{row} was ticked", replace(choose(order[: i + 1]), touch=row))
        if i < 2:
            other = replace(choose([*order[:i], order[3]]), touch=ROWS[order[3]])
            story.instead(f"{ROWS[order[3]]} was ticked", other)
    story.show("the empty name field was selected", form(""))
    story.show("the name field was filled", form(title))
    group = Hero("the group sign", "people", hues[0], title, tall=62)
    story.show("the new group was made", replace(_talk(title, group), toast=kit.say("Saved")))
    story.show("the message field was filled", _write(kit, title, text))
    story.instead("the phone button was pressed", replace(_talk(title, group), touch="the corner button"))
    story.show(
        "a message was sent to the group", _talk(title, group, Bubble("the first message", text, True))
    )
    return story


def chat_voice(kit: Kit) -> Story:
    people, hues, place = kit.some(PEOPLE, 4), kit.hues(4), kit.number(0, 3)
    name, reply = people[place], Bubble("the reply", kit.one(REPLIES), False)
    asked = Bubble("the first message", kit.one(GREETINGS), False)
    speak = Button("the speak button", kit.say("Speak"), "microphone")
    send = Button("the send button", kit.say("Send"), "send")
    spoken = Bubble("the spoken message", "", True, "play")

    story = Story(kit, f"send {name} a spoken message and give the reply a heart")
    story.show("the chat app was opened", _chats(kit, people, hues))
    story.show("a talk with one message was opened", _talk(name, asked, speak))
    other = (asked, Bubble("the second message", kit.one(GREETINGS), False), speak)
    story.instead("a talk with two messages was opened", _talk(people[place - 1], *other))
    story.show("a recording was started", _talk(name, asked, Wave("the recording", 0.1, True)))
    story.instead("the message field was selected", _write(kit, name, "", asked))
    story.show("half of the recording was spoken", _talk(name, asked, Wave("the recording", 0.5, True)))
    story.show("all of the recording was spoken", _talk(name, asked, Wave("the recording", 1.0, True)))
    ready = _talk(name, asked, Wave("the recording", 1.0, False), send)
    story.show("the recording was stopped", ready)
    story.instead(
        "the recording was thrown away",
        replace(_talk(name, asked, speak), toast=kit.say("Deleted"), toast_sign="trash"),
    )
    story.show("the send button was pressed", replace(ready, touch="the send button"))
    story.show("the spoken message was sent", _talk(name, asked, spoken, speak))
    story.show("a tick shows that it was heard", _talk(name, asked, replace(spoken, sign="tick"), speak))
    heard = replace(spoken, sign="tick")
    story.show("a reply at the left arrived", _talk(name, asked, heard, reply, speak))
    loved = replace(reply, sign="heart")
    story.show("the reply got a heart", _talk(name, asked, heard, loved, speak))
    story.instead(
        "the first message got a heart", _talk(name, replace(asked, sign="heart"), heard, reply, speak)
    )
    return story


FAMILIES = (chat_send, chat_group, chat_voice)
