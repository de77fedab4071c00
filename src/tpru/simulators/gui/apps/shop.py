"""A shop: an order, a cart to be changed, a review."""

from dataclasses import replace

from tpru.simulators.gui.gauges import Stars
from tpru.simulators.gui.kit import GOODS, ROWS, Kit, Story
from tpru.simulators.gui.parts import Button, Chips, Field, Row
from tpru.simulators.gui.pictures import Hero, Tiles
from tpru.simulators.gui.screen import Screen

NTH = ("first", "second", "third", "fourth")


def _front(kit: Kit, goods: tuple[str, ...], hues: tuple[str, ...], count: str = "") -> Screen:
    return Screen("shop", kit.say("Shop"), (Tiles("product", goods, hues),), corner="cart", count=count)


def front(kit: Kit) -> Screen:
    return _front(kit, kit.some(GOODS, 4), kit.hues(4))


def _thanks(kit: Kit, note: str, hue: str) -> Screen:
    done = Hero("the tick", "tick", hue, kit.say("Thank you!"), True, "", 88)
    return Screen("shop", kit.say("Order"), (done, Row("the total", kit.say("Total"), note=note)))


def shop_order(kit: Kit) -> Story:
    goods, hues, place = kit.some(GOODS, 4), kit.hues(4), kit.number(0, 3)
    item, price, count = goods[place], kit.number(5, 60), kit.number(2, 3)
    colours, pick = kit.hues(3), kit.number(0, 2)

    def search(text: str) -> Screen:
        field = Field("the search field", "search", kit.say("Search"), text, True)
        return Screen("shop", kit.say("Search"), (field,), pad="letters", key=text[-1:], corner="cross")

    def product(what: str, chosen: int | None, hue: str) -> Screen:
        picture = Hero("the product", what, hue, f"${price}", tall=58)
        swatches = Chips("colour", colours, () if chosen is None else (chosen,), 30, (), colours)
        buy = Button("the buy button", kit.say("Buy"), "cart", chosen is not None)
        return Screen("shop", kit.say("Product"), (picture, swatches, buy), corner="cart")

    def cart(number: int) -> Screen:
        row = Row(ROWS[0], f"{number} x ${price}", item, colours[pick])
        amounts = Chips("amount", ("1", "2", "3"), (number - 1,), 34)
        total = Row("the total", kit.say("Total"), note=f"${price * number}")
        buttons = Button("the order button", kit.say("Order"), "card")
        return Screen(
            "shop", kit.say("Cart"), (row, amounts, total, buttons), count=str(number), corner="cart"
        )

    story = Story(kit, f"search for the {item} in the shop, take the {NTH[pick]} colour and order {count}")
    story.show("the shop app was opened", _front(kit, goods, hues))
    story.show("the empty search field was selected", search(""))
    story.show("the search field was filled", search(item))
    results = tuple(Row(ROWS[i], f"${price + 3 * i}", item, h) for i, h in enumerate(colours))
    found = Screen("shop", kit.say("Search"), results, corner="cross")
    story.show("three results were found", found)
    story.show(f"the page of the {item} was opened", product(item, None, ""))
    story.instead(f"the page of the {goods[place - 1]} was opened", product(goods[place - 1], None, ""))
    chosen = product(item, pick, colours[pick])
    story.show(f"the {NTH[pick]} colour was chosen", chosen)
    other = (pick + 1) % 3
    story.instead(f"the {NTH[other]} colour was chosen", product(item, other, colours[other]))
    added = replace(chosen, count="1", toast=kit.say("In the cart"), toast_sign="cart")
    story.show("one was put into the cart", added)
    story.show("the cart with one thing was opened", cart(1))
    story.show(f"the amount was raised to {('two', 'three')[count - 2]}", cart(count))
    story.instead(f"the amount was raised to {('three', 'two')[count - 2]}", cart(5 - count))
    story.show("the order button was pressed", replace(cart(count), touch="the order button"))
    story.show("the order was placed", _thanks(kit, f"${price * count}", colours[pick]))
    return story


def shop_cart(kit: Kit) -> Story:
    goods, hues = kit.some(GOODS, 4), kit.hues(4)
    inside, prices = goods[:3], [kit.number(5, 40) for _ in range(3)]
    gone, code = kit.number(0, 2), f"SAVE{kit.number(10, 40)}"
    rest = [i for i in range(3) if i != gone]

    def cart(left: list[int], ticked: int | None = None, boxes: bool = False) -> Screen:
        rows = tuple(
            Row(ROWS[k], f"${prices[i]}", inside[i], hues[i], ticked=(i == ticked) if boxes else None)
            for k, i in enumerate(left)
        )
        total = Button("the pay button", f"${sum(prices[i] for i in left)}", "card")
        sign = "trash" if boxes else "cart"
        count = "" if boxes else str(len(left))
        return Screen("shop", kit.say("Cart"), (*rows, total), corner=sign, count=count)

    def pay(text: str, on: bool, chosen: int | None = None) -> Screen:
        field = Field("the code field", "tag", kit.say("Code"), text, on)
        ways = tuple(
            Row(ROWS[i], kit.say(word), sign, hues[i], ticked=i == chosen)
            for i, (word, sign) in enumerate((("Card", "card"), ("Letter", "letter"), ("Phone", "phone")))
        )
        page = Screen("shop", kit.say("Pay"), (field,) if on else (field, *ways))
        return replace(page, pad="letters" if on else "", key=text[:1].lower() if on else "")

    way = kit.number(0, 2)
    goal = f"remove the {inside[gone]} from the cart, enter the code {code} and pay the {NTH[way]} way"
    story = Story(kit, goal)
    story.show("the shop app was opened", _front(kit, goods, hues, "3"))
    story.show("the cart with three things was opened", cart([0, 1, 2]))
    story.instead(f"the page of the {goods[3]} was opened", _product(kit, goods[3], hues[3]))
    story.show("empty boxes to tick appeared", cart([0, 1, 2], None, True))
    story.show(f"the {inside[gone]} was ticked", cart([0, 1, 2], gone, True))
    story.instead(f"the {inside[rest[0]]} was ticked", cart([0, 1, 2], rest[0], True))
    story.show("the cart with two things is left", cart(rest))
    story.instead("a cart with one thing is left", cart(rest[:1]))
    story.show("the empty code field was selected", pay("", True))
    story.show("the code field was filled", pay(code, True))
    story.show("three ways to pay were shown, none ticked", pay(code, False))
    story.show(f"the {NTH[way]} way to pay was ticked", pay(code, False, way))
    other = (way + 1) % 3
    story.instead(f"the {NTH[other]} way to pay was ticked", pay(code, False, other))
    story.show("the order was placed", _thanks(kit, f"${sum(prices[i] for i in rest)}", hues[3]))
    return story


def _product(kit: Kit, item: str, hue: str) -> Screen:
    parts = (Hero("the product", item, hue, item, tall=80), Button("the buy button", kit.say("Buy"), "cart"))
    return Screen("shop", kit.say("Product"), parts, corner="cart")


def shop_review(kit: Kit) -> Story:
    goods, hues, place = kit.some(GOODS, 4), kit.hues(4), kit.number(0, 2)
    item, stars, text = goods[place], kit.number(2, 4), kit.say("Very good")

    def form(count: int, words: str = "", on: bool = False, photo: bool = False) -> Screen:
        head = Row("the product", item, item, hues[place]) if not on else None
        field = Field("the text field", "pencil", kit.say("Text"), words, on)
        picture = (Tiles("picture", (item,), (hues[place],), 2, 52),) if photo else ()
        end = () if photo or on else (Button("the photo button", kit.say("Photo"), "camera"),)
        parts = (*((head,) if head else ()), Stars("the stars", count), field, *picture, *end)
        page = Screen("shop", kit.say("Review"), parts, corner="send" if not on else "cross")
        return replace(page, pad="letters" if on else "", key=words[-1:])

    number = ("one", "two", "three", "four", "five")
    goal = f"write a review of the {item}: {number[stars - 1]} stars, a text and a picture"
    story = Story(kit, goal)
    story.show("the shop app was opened", _front(kit, goods, hues))
    rows = tuple(Row(ROWS[i], goods[i], goods[i], hues[i]) for i in range(3))
    orders = Screen("shop", kit.say("Orders"), rows, corner="search")
    story.show("the list of three orders was opened", orders)
    story.show("an empty review with no stars was opened", form(0))
    wrong = goods[(place + 1) % 3]
    story.instead(f"the page of the {wrong} was opened", _product(kit, wrong, hues[(place + 1) % 3]))
    story.show(f"{number[stars - 1]} stars were given", form(stars))
    story.instead("five stars were given", form(5))
    story.show("the empty text field was selected", form(stars, "", True))
    story.show("the text field was filled", form(stars, text, True))
    story.show("the text was finished below the stars", form(stars, text))
    story.instead("the stars were taken away", form(0, text))
    story.show("a picture was added to the review", form(stars, text, False, True))
    sent = replace(form(stars, text, False, True), touch="the corner button")
    story.show("the send button was pressed", sent)
    thanks = Hero("the tick", "tick", hues[3], kit.say("Thank you!"), True, "", 70)
    story.show("the review was sent", Screen("shop", kit.say("Review"), (thanks, Stars("the stars", stars))))
    return story


FAMILIES = (shop_order, shop_cart, shop_review)
