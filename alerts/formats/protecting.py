"""The fields of the native format that protect what an entry opens."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated

from pydantic import Field, PlainValidator

from alerts.formats.fields import OR_NONE, number, read_level, read_price
from domain.protection_terms import Level, LevelUnit, LockTexts, level_of

_MOST_TARGETS = 10
_HUNDRED = Decimal(100)
_LONGEST = Decimal(10080)  # minutes of a week
_LOCK_NEEDS = {"lock_at", "lock_floor"}
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)

Targets = tuple[tuple[str, Decimal], ...]
"""Several targets: each level's text, and its share in percent."""


def _target(value: object) -> str | Targets | None:
    """Read one target, or a list of several; the last one may leave its share out, and takes the rest."""
    if not isinstance(value, list):
        return None if value is None or value == "" else read_level(value)
    if not 2 <= len(value) <= _MOST_TARGETS:
        raise ValueError
    read: list[tuple[str, Decimal]] = []
    for place, each in enumerate(value, start=1):
        if not isinstance(each, Mapping) or not {"value"} <= each.keys() <= {"value", "share"}:
            raise ValueError
        level = read_level(each["value"])
        share = each.get("share")
        if share is None and place == len(value):
            share = _HUNDRED - sum(share for _, share in read)
        share = number(share)
        if level is None or not 0 < share < _HUNDRED:
            raise ValueError
        read.append((level, share))
    return tuple(read)


def _lot_size(value: object) -> Decimal | None:
    return None if value is None or value == "" else read_price(value)


def _distance(value: object) -> str | None:
    """Read a distance: a number counts points."""
    level = read_level(value)
    if level is None:
        return None
    meant = level_of(level)
    return level if meant.unit is not LevelUnit.PRICE else Level(LevelUnit.POINTS, meant.value).text


def _move_to_cost(value: object) -> tuple[str, str | None] | None:
    if value is None or value == "":
        return None
    if not isinstance(value, Mapping) or not {"trigger"} <= value.keys() <= {"trigger", "offset"}:
        raise ValueError
    trigger, offset = _distance(value["trigger"]), value.get("offset")
    if trigger is None:
        raise ValueError
    return trigger, None if offset is None or offset == "" else _distance(offset)


def _lock(value: object) -> LockTexts | None:
    """Read a lock; a floor of 0 is the average fill, and one that is left out is none."""
    if value is None or value == "":
        return None
    if not isinstance(value, Mapping) or not _LOCK_NEEDS <= value.keys() <= _LOCK_NEEDS | {"step", "trail"}:
        raise ValueError
    at = _distance(value["lock_at"])
    if at is None or value["lock_floor"] in (None, ""):
        raise ValueError
    step, trail = (
        None if value.get(name) in (None, "") else _distance(value[name]) for name in ("step", "trail")
    )
    return LockTexts(at, _distance(value["lock_floor"]), step, trail)


def _clock(value: object) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not _CLOCK.fullmatch(value.strip()):
        raise ValueError
    return value.strip()


def _minutes(value: object) -> Decimal | None:
    if value is None or value == "":
        return None
    minutes = read_price(value)
    if minutes is not None and not Decimal("0.1") <= minutes <= _LONGEST:
        raise ValueError
    return minutes


TargetField = Annotated[
    str | Targets | None,
    PlainValidator(_target),
    Field(
        description=f'a price above 0, or a distance such as "2%" (below 100%) or "10pt"{OR_NONE}; or a list of 2 to '
        f'{_MOST_TARGETS} of {{"value": one of these, "share": percent}}, of which the last may leave its share out'
    ),
]
LotSizeField = Annotated[
    Decimal | None, PlainValidator(_lot_size), Field(description=f"the units of one lot{OR_NONE}")
]
CostField = Annotated[
    tuple[str, str | None] | None,
    PlainValidator(_move_to_cost),
    Field(
        description='{"trigger": …, "offset": …}, each a distance as "1%", "10pt" or a number of points, the offset '
        "optional; or null for none"
    ),
]
LockField = Annotated[
    LockTexts | None,
    PlainValidator(_lock),
    Field(
        description='{"lock_at": …, "lock_floor": …, "step": …, "trail": …}, each a distance as "1%", "10pt" or a '
        "number of points, step and trail optional; or null for none"
    ),
]
ClockField = Annotated[
    str | None,
    PlainValidator(_clock),
    Field(description='a time of the day such as "15:10", or null for none'),
]
MinutesField = Annotated[
    Decimal | None,
    PlainValidator(_minutes),
    Field(description=f"a number of minutes from 0.1 to {_LONGEST}{OR_NONE}"),
]
