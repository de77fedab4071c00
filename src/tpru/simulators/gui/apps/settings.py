"""Settings: the display, a wireless network, the sounds."""

from dataclasses import replace

from tpru.simulators.gui.gauges import Slider
from tpru.simulators.gui.kit import NETWORKS, ROWS, Kit, Story
from tpru.simulators.gui.parts import Button, Field, Row
from tpru.simulators.gui.pictures import Hero
from tpru.simulators.gui.screen import Screen

SIZES = ("Small", "Medium", "Large")


def front(kit: Kit) -> Screen:
    entries = (("Display", "sun"), ("Sound", "speaker"), ("Network", "signal"), ("Privacy", "lock"))
    order, hues = kit.rng.permutation(4), kit.hues(4)
    rows = tuple(
        Row(f"the {entries[k][0].lower()} entry", kit.say(entries[k][0]), entries[k][1], hues[i])
        for i, k in enumerate(order)
    )
    return Screen("settings", kit.say("Settings"), rows, corner="search")


def settings_display(kit: Kit) -> Story:
    hues, size = kit.hues(4), kit.number(0, 1) * 2
    names = (("turning", "turn"), ("camera", "camera"))
    first, second = (names[int(i)] for i in kit.rng.permutation(2))
    switches = (first, second, ("dark mode", "moon"))

    def page(on: tuple[int, ...], chosen: int = 1) -> Screen:
        rows = tuple(
            Row(f"the {name} switch", kit.say(name.capitalize()), sign, hues[i], on=i in on)
            for i, (name, sign) in enumerate(switches)
        )
        text = Row("the size entry", "A" * (chosen + 1), "letters", hues[3], kit.say(SIZES[chosen]))
        return Screen("settings", kit.say("Display"), (*rows, text), dark=2 in on)

    def ask(chosen: int | None) -> Screen:
        rows = tuple(Row(ROWS[i], kit.say(s), ticked=i == chosen) for i, s in enumerate(SIZES))
        return replace(page((0, 1, 2)), dialog=rows)

    goal = f"in the display settings switch on {first[0]}, {second[0]} and dark mode"
    story = Story(kit, f"{goal}, with {SIZES[size].lower()} text")
    story.show("the settings app was opened", replace(front(kit), dark=False))
    story.show("the display settings were opened", page(()))
    story.instead("the sound settings were opened", replace(_sounds(kit, (0.5, 0.5), False), dark=False))
    for i, (name, _) in enumerate(switches):
        on = tuple(range(i + 1))
        story.show(f"the {name} switch was turned on", replace(page(on), touch=f"the {name} switch"))
        wrong = switches[2 - i][0] if i != 1 else "dark mode"
        if i < 2:
            other = replace(page((*on[:-1], 2)), touch=f"the {wrong} switch")
            story.instead(f"the {wrong} switch was turned on", other)
    story.show("a dialog of three empty boxes was opened", ask(None))
    nth = ("first", "second", "third")
    story.show(f"the {nth[size]} text size was ticked", ask(size))
    story.instead(f"the {nth[2 - size]} text size was ticked", ask(2 - size))
    done = replace(page((0, 1, 2), size), toast=kit.say("Saved"))
    story.show("the new text size was saved", done)
    return story


def settings_network(kit: Kit) -> Story:
    nets = kit.some(NETWORKS, 3)
    place, hues, secret = kit.number(0, 2), kit.hues(4), "*" * kit.number(6, 9)

    def page(on: bool, joined: int | None = None, busy: int | None = None) -> Screen:
        switch = Row("the network switch", kit.say("Network"), "signal", hues[3], on=on)
        rows = tuple(
            Row(
                ROWS[i],
                net,
                "signal" if i == joined else "lock",
                hues[i],
                note="..." if i == busy else "",
                ticked=True if i == joined else None,
                strong=i == busy,
            )
            for i, net in enumerate(nets)
        )
        return Screen("settings", kit.say("Network"), (switch, *rows) if on else (switch,))

    def ask(net: str, text: str) -> Screen:
        title = Row("the network", net, "lock", hues[place])
        field = Field("the password field", "lock", kit.say("Password"), text, True)
        return replace(page(True), dialog=(title, field), pad="letters")

    story = Story(kit, f"turn on the network and join {nets[place]} with the password")
    story.show("the settings app was opened", front(kit))
    story.show("the network settings were opened, all off", page(False))
    story.instead("the sound settings were opened", _sounds(kit, (0.5, 0.5), False))
    story.show("the network switch was turned on", replace(page(True), touch="the network switch"))
    nth = ("first", "second", "third")
    story.show(f"the {nth[place]} network was touched", replace(page(True), touch=ROWS[place]))
    other = (place + 1) % 3
    story.instead(f"the {nth[other]} network was touched", replace(page(True), touch=ROWS[other]))
    story.show("a dialog with an empty password field was opened", ask(nets[place], ""))
    story.show("the password field was filled", ask(nets[place], secret))
    story.show(f"the phone joins the {nth[place]} network", page(True, busy=place))
    story.instead(f"the phone joins the {nth[other]} network", page(True, busy=other))
    story.show("the network was joined and ticked", page(True, joined=place))
    story.instead("the network switch was turned off", replace(page(False), toast=kit.say("Ended")))
    large = Hero("the network sign", "signal", hues[place], nets[place], True, "tick", 80)
    details = Screen("settings", nets[place], (large, Button("the leave button", kit.say("Leave"), "cross")))
    story.show("the page of the joined network was opened", details)
    return story


def _sounds(
    kit: Kit, shares: tuple[float, float], shaking: bool, note: str = "", sign: str = "music"
) -> Screen:
    parts = (
        Slider("the ring slider", "bell", shares[0]),
        Slider("the music slider", "music", shares[1]),
        Row("the vibration switch", kit.say("Vibration"), "vibration", "", on=shaking),
        Row("the tune entry", kit.say("Tune"), sign, "", note),
    )
    return Screen("settings", kit.say("Sound"), parts)


def settings_sound(kit: Kit) -> Story:
    tunes = kit.say("Bell"), kit.say("Birds"), kit.say("Waves")
    pick, up = kit.number(0, 2), bool(kit.number(0, 1))
    ring = (0.15, 0.9) if up else (0.9, 0.1)
    music = (0.9, 0.15) if up else (0.1, 0.85)
    words = ("up", "down") if up else ("down", "up")

    def page(ring: float, music: float, shaking: bool = False, note: str = "") -> Screen:
        return _sounds(kit, (ring, music), shaking, note)

    def ask(chosen: int | None) -> Screen:
        rows = tuple(Row(ROWS[i], tune, "music", ticked=i == chosen) for i, tune in enumerate(tunes))
        return replace(page(ring[1], music[1], True), dialog=rows)

    nth = ("first", "second", "third")
    goal = f"in the sound settings turn the ring {words[0]}, the music {words[1]} and the vibration on"
    story = Story(kit, f"{goal}, then choose the {nth[pick]} tune")
    story.show("the settings app was opened", front(kit))
    before = page(ring[0], music[0])
    story.show("the sound settings were opened", before)
    moved = page(ring[1], music[0])
    story.show(f"the ring slider was moved {words[0]}", replace(moved, touch="the ring slider"))
    early = replace(page(ring[0], music[1]), touch="the music slider")
    story.instead(f"the music slider was moved {words[1]}", early)
    both = page(ring[1], music[1])
    story.show(f"the music slider was moved {words[1]}", replace(both, touch="the music slider"))
    shaking = page(ring[1], music[1], True)
    story.show("the vibration switch was turned on", replace(shaking, touch="the vibration switch"))
    story.instead(f"the ring slider was moved {words[1]}", replace(before, touch="the ring slider"))
    story.show("a dialog of three empty boxes was opened", ask(None))
    story.show(f"the {nth[pick]} tune was ticked", ask(pick))
    story.instead(f"the {nth[(pick + 1) % 3]} tune was ticked", ask((pick + 1) % 3))
    done = page(ring[1], music[1], True, tunes[pick])
    story.show("the new tune was saved", replace(done, toast=kit.say("Saved")))
    return story


FAMILIES = (settings_display, settings_network, settings_sound)
