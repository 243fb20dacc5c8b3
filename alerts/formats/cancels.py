"""Read a command that takes orders back. It may name a strategy, a symbol and a side, and nothing else of an order.

Whatever else stands in it may say which orders it means, or ask for something beside the cancel, so it is refused:
to take back more than was meant is as wrong as to take back less.
"""

import re
from typing import NamedTuple

from alerts.formats.layout import Layout
from alerts.formats.sheet import DEEPEST, Found, Sheet, is_number
from alerts.formats.words import NOTES, OFF, SECRET_KEYS, Act, Meaning, Role
from alerts.reading import plain
from alerts.sanitising import shown
from domain.enums import Side
from domain.errors import InvalidAlert

SWITCHES = (
    "cancel", "cancelorder", "cancelorders", "cancelall", "cancelallorders", "cancelpending", "cancelpendingorders",
    "cancelopenorders",
)  # fmt: skip
"""Plain keys that are switched on to take orders back."""

_ALL = re.compile(r"cancelall.*")
_TRUE = frozenset(("true", "1", "yes", "y", "on"))
_WORDS = (Role.SIDE, Role.SIDE_TOO)
_MAY_NAME = frozenset((Role.SYMBOL, Role.SYMBOL_TOO, Role.EXCHANGE, Role.PRODUCT, Role.STRATEGY, Role.SIGNAL))
_NAMES_OF_ORDERS = frozenset(("id", "orderid", "name"))
_NOTHING = (
    "time timestamp timenow datetime date ts bartime timeframe interval tf resolution source sender platform version "
    "user username account accountid broker license licenseid botid clientid"
)
_SAYS_NOTHING = frozenset(_NOTHING.split())
"""Plain keys of when and by whom an alert was sent: they name no order."""
_BAR = ("open", "high", "low", "close")
_PRICES = frozenset((*_BAR, "signalprice", "marketprice", "currentprice", "lastprice"))
"""Plain keys of the market's prices; beside one that is no number something else may be meant (`close: true`)."""


class CancelWish(NamedTuple):
    """What a command takes back: orders of this side, or of both where it names none; `is_all`: in all symbols."""

    side: Side | None
    is_all: bool


def cancel_wish_of(sheet: Sheet, layout: Layout) -> CancelWish | None:
    """What the command takes back; None where it takes nothing back.

    Raises:
        InvalidAlert: it asks for something beside that, or says more of the orders than can be read.
    """
    said = [(each, meaning) for each, meaning in _words(sheet, layout) if meaning.act is Act.CANCEL]
    switches = [each for key in SWITCHES if (each := sheet.at(key)) is not None and _is_on(each)]
    if not said and not switches:
        return None
    _refuse_order(sheet, layout)
    _refuse_more(sheet, layout, {each.key for each in switches})
    sides = {meaning.side for _, meaning in said if meaning.side is not None}
    sides |= _named_sides(sheet, layout)
    if len(sides) > 1:
        raise InvalidAlert("CONTRADICTION", "expected one side to cancel, got both", said[0][0].key)
    asked = [each.word() for each, _ in said] + [plain(each.key).rpartition(".")[2] for each in switches]
    is_all = any(map(_ALL.fullmatch, asked)) or any(each.word() == "all" for each in switches)
    return CancelWish(next(iter(sides), None), is_all)


def _words(sheet: Sheet, layout: Layout) -> list[tuple[Found, Meaning]]:
    """The words that say what to do, with their meanings."""
    found = [each for role in _WORDS for each in sheet.every(role)]
    meanings = [(each, layout.all_words.get(each.word())) for each in found if isinstance(each.value, str)]
    return [(each, meaning) for each, meaning in meanings if meaning is not None]


def _is_on(found: Found) -> bool:
    """Whether a switch is on.

    Raises:
        InvalidAlert: it cannot be told: what stands there may be the number of one order.
    """
    if found.is_nested or not found.asks:
        return False
    if found.value is True or found.word() in _TRUE or found.word() == "all":
        return True
    expected = "true or false, since one order alone cannot be named"
    raise InvalidAlert("INVALID", f"expected {expected}, got {shown(found.value)}", found.key)


def _named_sides(sheet: Sheet, layout: Layout) -> set[Side]:
    """The side of the orders, where the platform has a field for it."""
    sides = set()
    for found in filter(None, (sheet.at(key) for key in layout.cancel_side)):
        meaning = layout.all_words.get(found.word())
        if meaning is None or meaning.act is not Act.ENTRY or meaning.side is None:
            raise InvalidAlert("INVALID", f"expected BUY or SELL, got {shown(found.value)}", found.key)
        sides.add(meaning.side)
    return sides


def _refuse_order(sheet: Sheet, layout: Layout) -> None:
    """Refuse a cancel beside a word for an order.

    Raises:
        InvalidAlert: code `AMBIGUOUS`.
    """
    for found, meaning in _words(sheet, layout):
        if meaning.act is not Act.CANCEL:
            is_exit = meaning.act in (Act.CLOSE, Act.FLAT)
            hint = (
                "an exit of all takes back the open entries that would open it again: leave the cancel out"
                if is_exit
                else "send the cancel as an alert of its own, before it"
            )
            message = f"got a cancel, and {shown(found.value)} beside it: {hint}"
            raise InvalidAlert("AMBIGUOUS", message, found.key)


def _is_looked_into(path: str, found: Found) -> bool:
    """Whether what stands in an object is a field of its own."""
    return isinstance(found.value, dict) and path.count(".") < DEEPEST


def _refuse_more(sheet: Sheet, layout: Layout, switches: set[str]) -> None:
    """Refuse whatever else asks for something.

    Raises:
        InvalidAlert: code `AMBIGUOUS`.
    """
    secrets = {plain(key) for key in layout.secret or SECRET_KEYS}
    has_bar = all(sheet.at(key) is not None for key in _BAR)
    for path, found in sheet:
        *holders, key = path.split(".")
        if _is_looked_into(path, found) or not NOTES.isdisjoint(holders) or found.key in switches:
            continue
        is_note = key in NOTES and key not in _NAMES_OF_ORDERS
        says_nothing = key in _SAYS_NOTHING or (key in _PRICES and is_number(found))
        if is_note or says_nothing or key in secrets or key in layout.cancel_side:
            continue
        if (has_bar and key == "volume") or not (found.value if found.is_nested else found.asks):
            continue
        roles = {role for role, _ in layout.roles.get(path, ())}
        meaning = layout.all_words.get(found.word()) if isinstance(found.value, str) else None
        if not roles.isdisjoint(_MAY_NAME) or (not roles.isdisjoint(_WORDS) and meaning is not None):
            continue
        if key in SWITCHES and found.word() in OFF:
            continue
        message = (
            f"{found.key} {shown(found.value)} beside a cancel may say which orders are meant, or ask for an order: "
            "a cancel names the strategy and the symbol, and takes back all of its entries there; leave it out"
        )
        raise InvalidAlert("AMBIGUOUS", message, found.key)
