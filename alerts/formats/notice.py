"""Notices for people, which ask for no order: a sentence without any field of an order, or a price alert's own text."""

import re

from alerts.formats.keys import describes, is_suspected, traits_of
from alerts.formats.layout import Commands, Layout
from alerts.formats.ordinary import BARS, FIELDS_OF_BARS
from alerts.formats.sheet import Found, is_number
from alerts.formats.words import FIELDS, SENTENCES, Role
from alerts.reading import MAX_TEXT, Reading, plain

_LONGEST = 1_000
_MOST_SUSPECTED = 40  # fields, also within objects
_PRICE_ALERT = re.compile(
    r"[A-Za-z0-9:.!/&_\-]{1,40} (crossing( up| down)?|greater than|less than|(entering|exiting|inside|outside) channel"
    r"|moving (up|down)( %)?) [\d.,%]{1,30}",
    re.IGNORECASE,
)
_SIDE = re.compile(
    r"\b(buy|sell|bto|sto|btc|stc|clos(e|ed|ing)|exit(ed|ing|s)?|flat(ten)?|long|short|cover(ed)?|squar(e|ed|ing)|revers(e|ed)"
    r"|cancel(led)?|reduce|trim|(sl|tp\d*|stop|target) hit)\b",
    re.IGNORECASE,
)
_OF_ORDERS = frozenset(
    key
    for role in (
        Role.SIDE,
        Role.SIDE_TOO,
        Role.QUANTITY,
        Role.SIZE,
        Role.ORDER_TYPE,
        Role.LIMIT,
        Role.POSITION,
        Role.SYMBOL,
        Role.POSITION_SIZE,
        Role.PREVIOUS,
        Role.PREVIOUS_SIZE,
    )
    for key in FIELDS[role]
)


def _split(reading: Reading) -> Commands | None:
    # No platform sends so much, and to look for words in all of it takes time, while nobody is known yet.
    if len(reading.said) > MAX_TEXT:
        return None
    fields = reading.fields
    if fields is None:
        is_one = len(reading.said) <= _LONGEST and _PRICE_ALERT.fullmatch(reading.said.strip())
        return Commands([{}]) if is_one and not reading.items else None
    keys = reading.keys
    if not keys or not _OF_ORDERS.isdisjoint(keys):
        return None
    suspected = [
        (key, Found(name, fields[name])) for key, name in keys.items() if _is_suspected(key, fields[name])
    ]
    if (
        sum(len(each.value) if isinstance(each.value, dict) else 1 for _, each in suspected) > _MOST_SUSPECTED
    ):  # each of them takes time, and nobody is known yet
        return None
    if any(_may_ask(key, found) for key, found in suspected):
        return None
    sentences = (fields[keys[key]] for key in SENTENCES if key in keys)
    return (
        Commands([fields])
        if any(isinstance(each, str) and " " in each.strip() for each in sentences)
        else None
    )


def _is_suspected(key: str, value: object) -> bool:
    if isinstance(value, str) and _SIDE.search(value):
        return True
    return isinstance(value, dict | list) or is_suspected(key)


def _may_ask(key: str, found: Found) -> bool:
    """Whether a field may ask for an order or for its end. The price at the close of a bar does not."""
    if isinstance(found.value, dict) and len(found.value) <= _MOST_SUSPECTED:  # of a bar or an indicator
        inner = [(plain(name), Found(name, value)) for name, value in found.value.items()]
        may_order = _OF_ORDERS - FIELDS_OF_BARS if key in BARS else _OF_ORDERS
        return any(name in may_order or each.is_nested or _may_ask(name, each) for name, each in inner)
    if found.is_nested:
        return True
    if not found.asks or not _is_suspected(key, found.value):
        return False
    traits = traits_of(key, found.key)
    if key.startswith("cancel") or (traits.exits and not (key == "close" and is_number(found))):
        return True
    return (
        isinstance(found.value, str)
        and _SIDE.search(found.value) is not None
        and not describes(found, traits)
    )


NOTICE = Layout(name="info-only", split=_split, asks_nothing=True)
