"""The table `protection` of the strategies file: what protects the entries of a strategy that bring nothing themselves.

A level is a distance: a strategy trades more than one symbol, and a price is one symbol's.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator

from config.checking import Problems, checked
from domain.further_terms import cost_fault, targets_fault
from domain.locks import lock_fault
from domain.protection_terms import LevelUnit, LockTexts, Terms, TrailingType, level_of, trail_fault

_DISTANCE = 'a distance such as "2%" (below 100%) or "10pt"'
_HUNDRED = Decimal(100)
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)

TARGETS_TO = 10


def _distance(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError
    level = level_of(value)
    if level.unit is LevelUnit.PRICE:
        raise ValueError
    return level.text


def _target(value: object) -> object:
    """One target, or several with a share each; the last one may leave its share out."""
    if not isinstance(value, list):
        return _distance(value)
    if not 2 <= len(value) <= TARGETS_TO:
        raise ValueError
    read: list[tuple[str, Decimal]] = []
    for place, each in enumerate(value, start=1):
        if not isinstance(each, Mapping) or not {"value"} <= each.keys() <= {"value", "share"}:
            raise ValueError
        share = each.get("share")
        if share is None and place == len(value):
            share = _HUNDRED - sum(share for _, share in read)
        share = number(share)
        if not 0 < share < _HUNDRED:
            raise ValueError
        read.append((_distance(each["value"]), share))
    return tuple(read)


def _cost(value: object) -> tuple[str, str | None]:
    if not isinstance(value, Mapping) or not {"trigger"} <= value.keys() <= {"trigger", "offset"}:
        raise ValueError
    return _distance(value["trigger"]), _distance(value["offset"]) if "offset" in value else None


def _lock(value: object) -> LockTexts:
    """A lock of a profit; a floor of 0 is the average fill."""
    needed = {"lock_at", "lock_floor"}
    if not isinstance(value, Mapping) or not needed <= value.keys() <= needed | {"step", "trail"}:
        raise ValueError
    is_cost = type(value["lock_floor"]) is int and value["lock_floor"] == 0
    floor = None if is_cost else _distance(value["lock_floor"])
    step, trail = (_distance(value[name]) if name in value else None for name in ("step", "trail"))
    return LockTexts(_distance(value["lock_at"]), floor, step, trail)


def number(value: object) -> Decimal:
    """Read a number; ValueError where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):  # "5" is a typing error
        raise ValueError
    return Decimal(value)


def clock_time(value: object) -> str:
    """Read a clock time.

    Raises:
        ValueError: it is not of the form 15:10.
    """
    if not isinstance(value, str) or not _CLOCK.fullmatch(value):
        raise ValueError
    return value


def _above_zero(value: Decimal) -> Decimal:
    if not value.is_finite() or value <= 0:
        raise ValueError
    return value


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


_Amount = Annotated[
    Decimal, PlainValidator(number), AfterValidator(_above_zero), Field(description="a number above 0")
]
ClockTime = Annotated[
    str, PlainValidator(clock_time), Field(description='a time of the day in quotes, such as "15:10"')
]


class _Protection(BaseModel):
    """The keys of one table."""

    model_config = ConfigDict(extra="forbid")

    stop_loss: Annotated[str, PlainValidator(_distance), Field(description=_DISTANCE)] | None = None
    target: (
        Annotated[
            Any,
            PlainValidator(_target),
            Field(description=f'{_DISTANCE}, or 2 to {TARGETS_TO} of {{ value = "10pt", share = 50 }}'),
        ]
        | None
    ) = None
    lot_size: _Amount | None = None
    trailing_type: (
        Annotated[TrailingType, BeforeValidator(_upper), Field(description="POINTS, PERCENT or STEP")] | None
    ) = None
    trailing_value: _Amount | None = None
    trail_when: _Amount | None = None
    move_to_cost: (
        Annotated[
            Any,
            PlainValidator(_cost),
            Field(description='{ trigger = "10pt", offset = "1pt" }, both distances'),
        ]
        | None
    ) = None
    lock_and_trail: (
        Annotated[
            Any,
            PlainValidator(_lock),
            Field(
                description='{ lock_at = "20pt", lock_floor = "5pt", step = "10pt", trail = "5pt" }, all distances, '
                "step and trail optional"
            ),
        ]
        | None
    ) = None
    exit_at: ClockTime | None = None
    exit_after_minutes: _Amount | None = None


def protection(given: object, name: str, problems: Problems) -> Terms:
    """Read one table. Whatever does not fit is recorded.

    Args:
        name: what the operator calls the table.
    """
    if not isinstance(given, dict):
        problems.add(name, "expected a table")
        return Terms()
    read = checked(_Protection, given, problems, lambda field: f"{name} {field}")
    trigger, offset = read.move_to_cost or (None, None)
    terms = Terms(
        stop_loss=read.stop_loss,
        target=read.target if isinstance(read.target, str) else None,
        trailing_type=read.trailing_type,
        trailing_value=read.trailing_value,
        trail_when=read.trail_when,
        targets=read.target if isinstance(read.target, tuple) else (),
        lot_size=read.lot_size,
        cost_trigger=trigger,
        cost_offset=offset,
        exit_at=read.exit_at,
        exit_after_minutes=read.exit_after_minutes,
        lock=read.lock_and_trail,
    )
    fault = trail_fault(terms) or targets_fault(terms, 1) or cost_fault(terms) or lock_fault(terms)
    if fault is not None:
        problems.add(f"{name} {fault[0]}", fault[1])
    return terms
