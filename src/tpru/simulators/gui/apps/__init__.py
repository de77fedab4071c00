"""The apps of the phone: each a file with three families of tasks and the page that it opens with."""

from collections.abc import Callable

from tpru.simulators.gui.apps import (
    calendar,
    chat,
    clock,
    contacts,
    maps,
    notes,
    photos,
    settings,
    shop,
)
from tpru.simulators.gui.kit import Kit, Story
from tpru.simulators.gui.screen import Screen

FRONTS: dict[str, Callable[[Kit], Screen]] = {
    "contacts": contacts.front,
    "settings": settings.front,
    "clock": clock.front,
    "shop": shop.front,
    "chat": chat.front,
    "calendar": calendar.front,
    "notes": notes.front,
    "maps": maps.front,
    "photos": photos.front,
}

FAMILIES: dict[str, Callable[[Kit], Story]] = {
    family.__name__: family
    for app in (contacts, settings, clock, shop, chat, calendar, notes, maps, photos)
    for family in app.FAMILIES
}
