"""A second, smaller opinion of what stands in a body, and of whether legs follow from it.

It shares nothing with the readers: it imports none of them, and has words and rules of its own. It cannot say what a
body means. It says what no careful reader may make of it.
"""

import json
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote_plus

from domain.alert import LegRequest
from domain.alert_defaults import AlertDefaults


def keys(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


BUY = keys("buy b long bull bullish bto golong openlong enterlong entrylong longentry buytoopen")
SELL = keys("sell s short bear bearish sto goshort openshort entershort entryshort shortentry sellshort")
ACTIONS = keys(
    "action side direction transactiontype orderaction tradeaction orderside tradeside buysell txntype operation "
    "sidedirection strategyorderaction signal"
)
UNITS = keys("quantity qty contracts ordercontracts orderqty shares noofshares")
KINDS = keys("ordertype pricetype")
EXITS = keys("reduceonly closeposition closeall exitposition isexit isclose")
NOTES = keys(
    "comment note notes msg message text content description alertmessage reason metadata remark ordercomment "
    "alertname orderalertmessage orderid id name chart charturl alertnote bar ohlcv title url"
)
CONTAINERS = frozenset(("strategy", "order", "data", "signal", "alert", "payload"))
"""Objects whose members say what the body says."""
SYMBOL = re.compile(
    r"ticker|symbol|pair|instrument|market|asset|scrip|stock|securit|base|sym|^s$|contract|coin|code"
)
_SIZE = re.compile(
    r"qty|quant|size|amount|vol|lot|contract|share|unit|pos|stance|^q$|risk|quote|cash|notional|perc"
)
_PRICE = re.compile(r"price|limit|lmt|^p$|prc|trigger|stop|entry|prices|close|sl$|tp$")
_BUYISH = re.compile(r"buy|long|bull|bto|cover|(?<![a-z])b(?![a-z])")
_SELLISH = re.compile(r"sell|short|bear|sto|stc|(?<![a-z])s(?![a-z])")
_NUMERAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_PAIR = re.compile(r"([A-Za-z_][\w.\-]{0,60})\s*(?:=|:)\s*(\"[^\"]*\"|'[^']*'|[^,;|{}()\n]*)")
_WORD = re.compile(r"[^\s,;|{}()=\"']+")
_PLAIN = re.compile(r"[^a-z0-9.]+")
_OPENS = re.compile(r"[\[{]\s*[\"“\[{]")
_DEEPEST = 12


class Said(NamedTuple):
    """A value in a body.

    - `key`: its own key in small letters and digits alone; empty for a word of a text.
    - `holders`: the keys of the objects in which it stands, likewise.
    - `owner`: which member of a list it stands in; 0 outside of all.
    """

    key: str
    holders: tuple[str, ...]
    owner: int
    value: object


class View(NamedTuple):
    """What stands in a body. `is_broken`: it begins like JSON and is none, however kindly it is looked at."""

    text: str
    said: Sequence[Said]
    is_json: bool
    is_broken: bool


def plain(text: str) -> str:
    """Small letters and digits alone."""
    return _PLAIN.sub("", text.lower())


def number(value: object) -> Decimal | None:
    """The number that a whole value is; None for any other value."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | Decimal):
        return Decimal(value)
    if not isinstance(value, str) or not _NUMERAL.fullmatch(value.strip()):
        return None
    try:
        return Decimal(value.strip())
    except InvalidOperation:
        return None


# what stands there -------------------------------------------------------------------------------------------


class _Pairs(list[tuple[str, object]]):
    """The members of an object, those of one key as well."""


def view(raw: bytes) -> View:
    """Look at a body."""
    text = raw.decode("utf-8-sig", "replace")
    stripped = text.strip()
    found, is_json = _json(stripped)
    if is_json and not isinstance(found, str):
        return View(text, list(_walk(found, "", (), [0], 0)), True, False)
    if is_json and isinstance(found, str):
        stripped = found.strip()
        inner, is_json = _json(stripped)
        if is_json and not isinstance(inner, str):
            return View(text, list(_walk(inner, "", (), [0], 0)), True, False)
    return View(text, list(_in_text(stripped)), False, _OPENS.match(stripped) is not None)


def _json(text: str) -> tuple[object, bool]:
    """A JSON value, with the damage that is certain taken out of it; whether there is one."""
    if text[:1] not in ("{", "[", '"', "“"):
        return None, False
    for mend in (str, _without_commas, _mended):
        try:
            return _DECODER.decode(mend(text)), True
        except (ValueError, RecursionError, InvalidOperation):
            continue
    return None, False


def _without_commas(text: str) -> str:
    return re.sub(r",(\s*[}\]])", r"\1", text)


def _mended(text: str) -> str:
    return _without_commas(re.sub("[“”„‟«»″]", '"', text))


def _integer(numeral: str) -> object:
    return Decimal(numeral) if len(numeral) < 400 else numeral


_DECODER = json.JSONDecoder(
    object_pairs_hook=_Pairs, parse_float=Decimal, parse_int=_integer, parse_constant=str, strict=False
)


def _walk(value: object, key: str, holders: tuple[str, ...], count: list[int], owner: int) -> Iterator[Said]:
    if len(holders) > _DEEPEST:
        return
    if isinstance(value, _Pairs):
        for name, each in value:
            yield from _walk(each, plain(name), (*holders, key) if key else holders, count, owner)
    elif isinstance(value, list):
        for each in value:
            count[0] += 1
            yield from _walk(each, key, holders, count, count[0])
    else:
        yield Said(key, holders, owner, value)
        if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
            inner, is_json = _json(value.strip())
            if is_json:
                yield from _walk(inner, key, holders, count, owner)


def _in_text(text: str) -> Iterator[Said]:
    """Whatever may be a pair in a text, and each of its words."""
    if "&" in text and "=" in text and not re.search(r"\s", text):
        yield from (Said(plain(key), (), 0, value) for key, value in parse_qsl(text, keep_blank_values=True))
    for each in {text, unquote_plus(text)} if "%" in text or "+" in text else {text}:
        for key, value in _PAIR.findall(each):
            bare = value.strip().strip("\"'")
            yield Said(plain(key), (), 0, bare)
            if " " in bare or "&" in bare:
                yield Said(plain(key), (), 0, re.split("[ &]", bare)[0])
        for word in _WORD.findall(each):
            yield Said("", (), 0, word)
            yield Said("", (), 0, word.rstrip(".,;"))
            for piece in re.split(r"[_:@&]", word):
                yield Said("", (), 0, piece)


# what no reader may make of it --------------------------------------------------------------------------------


def complaints(seen: View, legs: Sequence[LegRequest], defaults: AlertDefaults) -> Iterator[str]:
    """What is wrong with these legs of a body; nothing where they may follow from it."""
    if seen.is_broken:
        yield "it begins like JSON and is none"
    entries = [leg for leg in legs if leg.kind == "ENTRY"]
    if any(leg.kind == "TARGET" for leg in legs):
        yield from _of_switches(seen)
    if entries and all(leg.kind == "ENTRY" for leg in legs):
        yield from _of_contradictions(seen)
        yield from _of_switches(seen)
        yield from _of_sizes_of_nothing(seen, entries, defaults)
        yield from _of_kinds(seen, entries)
    yield from _of_placeholders(seen)
    for leg in legs:
        yield from (f"{leg.kind} {leg.symbol}: {each}" for each in _of_leg(seen, leg, defaults))


def _in_notes(each: Said) -> bool:
    return each.key in NOTES or not NOTES.isdisjoint(each.holders)


def _is_beside(each: Said) -> bool:
    """Whether it stands where an order's own fields do."""
    return each.key not in NOTES and CONTAINERS.issuperset(each.holders)


def _own(seen: View, keys: frozenset[str]) -> list[Said]:
    """Fields of these keys where an order's own stand; what members of a list share counts where none has its own."""
    found = [each for each in seen.said if each.key in keys and _is_beside(each)]
    own = {each.key for each in found if each.owner}
    return [each for each in found if each.owner or each.key not in own]


def _of_contradictions(seen: View) -> Iterator[str]:
    sides: dict[int, set[str]] = {}
    for each in seen.said:
        if each.key in ACTIONS and isinstance(each.value, str) and _is_beside(each):
            word = plain(each.value)
            side = "BUY" if word in BUY else "SELL" if word in SELL else ""
            sides.setdefault(each.owner, set()).update({side} - {""})
    if any(len(found) > 1 for found in sides.values()):
        yield "its fields for the action say buy and sell"


def _of_switches(seen: View) -> Iterator[str]:
    for each in seen.said:
        if (
            each.key in EXITS
            and (each.value is True or plain(str(each.value)) == "true")
            and _is_beside(each)
        ):
            yield f"{each.key} is on, and it is entered"


def _of_sizes_of_nothing(seen: View, entries: Sequence[LegRequest], defaults: AlertDefaults) -> Iterator[str]:
    """A quantity that is null or no number is not one that was left out, so that the default would count."""
    if defaults.quantity is None or all(leg.quantity != defaults.quantity for leg in entries):
        return
    named = [each for each in seen.said if each.key in UNITS and _is_beside(each)]
    if named and all(number(each.value) != defaults.quantity for each in named):
        yield f"{named[0].key} is {named[0].value!r}, and the default quantity is traded"


def _of_kinds(seen: View, entries: Sequence[LegRequest]) -> Iterator[str]:
    """An order whose kind is named plainly is of that kind."""
    named = {
        kind
        for each in _own(seen, KINDS)
        if isinstance(each.value, str)
        and (kind := {"limit": "LIMIT", "lmt": "LIMIT", "market": "MARKET"}.get(plain(each.value)))
    }
    for leg in entries:
        if len(named) == 1 and leg.order_type not in named:
            yield f"it says {named}, and is {leg.order_type}"


def _of_placeholders(seen: View) -> Iterator[str]:
    for each in seen.said:
        is_read = each.key in ACTIONS | UNITS | KINDS or (each.key and SYMBOL.search(each.key))
        if is_read and isinstance(each.value, str) and "{{" in each.value and not _in_notes(each):
            yield f"{each.key} is the placeholder {each.value!r}"


def _of_leg(seen: View, leg: LegRequest, defaults: AlertDefaults) -> Iterator[str]:
    if leg.symbol and leg.template is None and not any(_names(each, leg.symbol) for each in seen.said):
        yield "no field for a symbol names it"
    if (
        leg.exchange
        and leg.exchange != defaults.exchange
        and not any(leg.exchange in str(each.value).upper() for each in seen.said)
    ):
        yield f"nothing names the exchange {leg.exchange}"
    if leg.quantity is not None and leg.sized is None:
        is_default = leg.kind == "ENTRY" and leg.quantity == defaults.quantity
        if not is_default and not _stands(seen, leg.quantity, _SIZE, is_signed=leg.kind != "ENTRY"):
            yield f"nothing says the quantity {leg.quantity}"
        if leg.quantity <= 0:
            yield f"a quantity of {leg.quantity}"
    if leg.size is not None and leg.size is not defaults.sizing and not _measures(seen, leg.size.value):
        yield f"nothing says the size {leg.size.value}"
    for name in ("price", "trigger_price"):
        price = getattr(leg, name)
        if price is not None and not _stands(seen, price, _PRICE, is_signed=False):
            yield f"nothing says the {name} {price}"
    if leg.order_type == "MARKET" and (leg.price is not None or leg.trigger_price is not None):
        yield "a market order with a price"
    if leg.order_type != "MARKET" and leg.order_type != defaults.order_type and not _is_priced(seen):
        yield f"nothing says {leg.order_type}"
    yield from _of_side(seen, leg, defaults)


def _of_side(seen: View, leg: LegRequest, defaults: AlertDefaults) -> Iterator[str]:
    if leg.kind == "ENTRY" and leg.side is None:
        yield "an entry without a side"
    if leg.side is None or leg.kind == "CANCEL":
        return
    texts = [each.value for each in seen.said if isinstance(each.value, str)]
    said = " ".join([*map(str.lower, texts), *map(plain, texts)])
    if leg.kind in ("ENTRY", "TARGET"):
        is_said = bool((_BUYISH if leg.side == "BUY" else _SELLISH).search(said))
    else:
        is_said = bool(_BUYISH.search(said) or _SELLISH.search(said))
    if leg.kind == "TARGET" and not is_said:  # the sign of the position to reach is its side
        is_said = _NUMERAL.search(said) is not None or any(
            number(each.value) is not None for each in seen.said
        )
    by_strategy = leg.side == defaults.side and any(each.key == "stocks" for each in seen.said)
    if not is_said and not by_strategy:
        yield f"nothing says {leg.side}"


def _names(each: Said, symbol: str) -> bool:
    if each.key and not SYMBOL.search(each.key):
        return False
    if not isinstance(each.value, str | Decimal):
        return False
    value = str(each.value).strip().upper()
    if value == symbol or value.endswith(f":{symbol}"):
        return True
    return symbol in value and symbol in {
        part.strip().partition("@")[0] for part in re.split(r"[,_\s]", value)
    }


def _stands(seen: View, wanted: Decimal, keys: re.Pattern[str], *, is_signed: bool) -> bool:
    for each in seen.said:
        if each.key and not keys.search(each.key):
            continue
        found = number(each.value)
        if found is not None and _is_near(abs(found) if is_signed else found, wanted):
            return True
    return False


def _measures(seen: View, wanted: Decimal) -> bool:
    """Whether a size stands there with a unit behind it, or without."""
    for each in seen.said:
        bare: Any = each.value
        if isinstance(bare, str):
            bare = re.sub(r"[a-z%$]{0,4}$", "", bare.strip(), flags=re.IGNORECASE)
        found = number(bare)
        if found is not None and _is_near(found, wanted):
            return True
    return False


def _is_near(one: Decimal, other: Decimal) -> bool:
    return one == other or abs(one - other) <= abs(other) * Decimal("1E-12")


def _is_priced(seen: View) -> bool:
    """Whether the body has a word for an order at a price."""
    said = " ".join(str(each.value).lower() for each in seen.said if isinstance(each.value, str))
    return re.search(r"lim|lmt|stop|(?<![a-z])sl|trade:", said) is not None
