"""Notices for people, which ask for no order: a sentence without any field of an order, or a price alert's own text."""

import re

from alerts.formats.layout import Commands, Layout
from alerts.formats.words import FIELDS, SENTENCES, Role
from alerts.reading import Reading

_LONGEST = 1_000
_PRICE_ALERT = re.compile(
    r"[A-Za-z0-9:.!/&_\-]{1,40} (crossing( up| down)?|greater than|less than|(entering|exiting|inside|outside) channel"
    r"|moving (up|down)( %)?) [\d.,%]{1,30}",
    re.IGNORECASE,
)
_SWITCH = re.compile(r"close|exit|flat|reduce|cancel")
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
    if any(isinstance(each, dict | list) for each in fields.values()) or any(
        _SWITCH.match(key) for key in keys
    ):
        return None
    if any(isinstance(each, str) and _SIDE.search(each) for each in fields.values()):
        return None
    sentences = (fields[keys[key]] for key in SENTENCES if key in keys)
    return (
        Commands([fields])
        if any(isinstance(each, str) and " " in each.strip() for each in sentences)
        else None
    )


NOTICE = Layout(name="info-only", split=_split, asks_nothing=True)
