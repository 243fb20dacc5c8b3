"""Notices for people, which ask for no order: a sentence without any field of an order, or a price alert's own text."""

import re

from alerts.formats.keys import describes, traits_of
from alerts.formats.layout import Commands, Layout
from alerts.formats.ordinary import BARS, FIELDS_OF_BARS
from alerts.formats.sheet import Found, is_number
from alerts.formats.words import FIELDS, SENTENCES, Role
from alerts.reading import Reading, plain

_LONGEST = 1_000
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
    fields = reading.fields
    if fields is None:
        is_one = len(reading.said) <= _LONGEST and _PRICE_ALERT.fullmatch(reading.said.strip())
        return Commands([{}]) if is_one and not reading.items else None
    keys = reading.keys
    if not keys or not _OF_ORDERS.isdisjoint(keys):
        return None
    if any(_may_ask(key, Found(name, fields[name])) for key, name in keys.items()):
        return None
    sentences = (fields[keys[key]] for key in SENTENCES if key in keys)
    return (
        Commands([fields])
        if any(isinstance(each, str) and " " in each.strip() for each in sentences)
        else None
    )


def _may_ask(key: str, found: Found) -> bool:
    """Whether a field may ask for an order or for its end. The price at the close of a bar does not."""
    if isinstance(found.value, dict):  # of a bar or an indicator
        inner = [(plain(name), Found(name, value)) for name, value in found.value.items()]
        may_order = _OF_ORDERS - FIELDS_OF_BARS if key in BARS else _OF_ORDERS
        return any(name in may_order or each.is_nested or _may_ask(name, each) for name, each in inner)
    if found.is_nested:
        return True
    if not found.asks:
        return False
    traits = traits_of(key, found.key)
    if key.startswith("cancel") or (traits.exits and not (key == "close" and is_number(found))):
        return True
    if describes(found, traits) or not isinstance(found.value, str):
        return False
    return _SIDE.search(found.value) is not None


NOTICE = Layout(name="info-only", split=_split, asks_nothing=True)
