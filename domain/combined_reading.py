"""Read what protects a group as a whole, as an alert or the strategies file brings it."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import NamedTuple

from domain.combined import CombinedTerms, CombinedUnit
from domain.locks import NAME as LOCK
from domain.locks import Lock
from domain.money import ZERO
from domain.protection_terms import LevelUnit, level_of

_AMOUNTS = frozenset(("stop_loss", "target", "trailing_value", "trail_when"))
_LOCK_NEEDS, _LOCK_MAY = frozenset(("lock_at", "lock_floor")), frozenset(("step", "trail"))

DESCRIPTION = (
    'a stop_loss, target, trailing_value, trail_when or lock_and_trail, each a number above 0 for money, or "10pt" for '
    "points of the net premium; lock_and_trail has lock_at, lock_floor, and perhaps step and trail"
)


class Amount(NamedTuple):
    """A number and what it counts; `unit` None: 0, which is the same in each."""

    value: Decimal
    unit: CombinedUnit | None


def read_amounts(given: object, number: Callable[[object], Decimal]) -> Mapping[str, Amount]:
    """Return the amounts by their names, those of a lock as `lock_and_trail.lock_at`.

    Args:
        number: reads a number; ValueError where it is none.

    Raises:
        ValueError: it is not as `DESCRIPTION` says.
    """
    if not isinstance(given, Mapping) or not given.keys() <= _AMOUNTS | {LOCK}:
        raise ValueError
    found = dict[str, Amount]()
    for name in _AMOUNTS & given.keys():
        amount = _amount(given[name], number)
        if amount is not None:
            found[name] = amount
    lock = given.get(LOCK)
    if lock is None or lock == "":
        return found
    if not isinstance(lock, Mapping) or not _LOCK_NEEDS <= lock.keys() <= _LOCK_NEEDS | _LOCK_MAY:
        raise ValueError
    for name in lock:
        amount = _amount(lock[name], number)
        if amount is None and name == "lock_floor" and lock[name] not in (None, ""):
            amount = Amount(ZERO, None)
        if amount is None and name in _LOCK_NEEDS:
            raise ValueError
        if amount is not None:
            found[f"{LOCK}.{name}"] = amount
    return found


def _amount(value: object, number: Callable[[object], Decimal]) -> Amount | None:
    """Read an amount; 0, null and an empty text are none."""
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.strip().lower().endswith(LevelUnit.POINTS.value):
        level = level_of(value)
        return Amount(level.value, CombinedUnit.POINTS)
    read = number(value)
    if not read.is_finite() or read < ZERO:
        raise ValueError
    return Amount(read, CombinedUnit.MONEY) if read else None


def unit_fault(amounts: Mapping[str, Amount]) -> tuple[str, str] | None:
    """Return which amount counts something else than the others, and what was expected; None: all count the same."""
    named = sorted((name, amount.unit) for name, amount in amounts.items() if amount.unit is not None)
    for name, unit in named:
        if unit is not named[0][1]:
            return name, f"expected what {named[0][0]} counts ({named[0][1]}), got {unit}: all in one unit"
    return None


def combined_terms(amounts: Mapping[str, Amount]) -> CombinedTerms:
    """Return the terms of amounts in one unit; `CombinedTerms.fault` says what cannot be meant."""
    values = {name: amount.value for name, amount in amounts.items()}
    unit = next((a.unit for a in amounts.values() if a.unit is not None), CombinedUnit.MONEY)
    at = values.get(f"{LOCK}.lock_at")
    lock = None
    if at is not None:
        parts = (values.get(f"{LOCK}.{name}") for name in ("step", "trail"))
        lock = Lock(at, values[f"{LOCK}.lock_floor"], *parts)
    return CombinedTerms(
        unit,
        stop_loss=values.get("stop_loss"),
        target=values.get("target"),
        trailing_value=values.get("trailing_value"),
        trail_when=values.get("trail_when"),
        lock=lock,
    )
