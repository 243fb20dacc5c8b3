"""The terms of a protection as an alert brings them: stop loss, target and trail, as prices or as distances."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple, Protocol

from domain.enums import Side
from domain.money import ZERO, decimal_text, parse_decimal

_HUNDRED = Decimal(100)


class TrailingType(StrEnum):
    """How a stop follows the price."""

    POINTS = "POINTS"  # at a distance in points
    PERCENT = "PERCENT"  # at a distance in percent of the average fill
    STEP = "STEP"  # by so many points for each so many points in favour


class LevelUnit(StrEnum):
    """What a level's number counts."""

    PRICE = ""
    POINTS = "pt"
    PERCENT = "%"


@dataclass(frozen=True, slots=True)
class Level:
    """A price, or a distance from the average fill."""

    unit: LevelUnit
    value: Decimal

    @property
    def text(self) -> str:
        """The text that `level_of` reads: `98.5`, `10pt`, `2%`."""
        return f"{decimal_text(self.value)}{self.unit}"

    def price(self, average: Decimal, direction: int) -> Decimal:
        """Return the price that is meant; a distance counts from `average`, upwards (+1) or downwards (-1)."""
        if self.unit is LevelUnit.PRICE:
            return self.value
        return average + direction * self.points(average)

    def points(self, average: Decimal) -> Decimal:
        """Return a distance in points."""
        return distance(self.value, average, is_percent=self.unit is LevelUnit.PERCENT)


def level_of(text: str) -> Level:
    """Read a level's text.

    Raises:
        ValueError: it is not a number above 0, with `%` or `pt` behind it or nothing.
    """
    text = text.strip()
    for unit in (LevelUnit.PERCENT, LevelUnit.POINTS, LevelUnit.PRICE):
        if text.lower().endswith(unit.value):
            value = parse_decimal(text[: len(text) - len(unit.value)].strip())
            if value <= ZERO or (unit is LevelUnit.PERCENT and value >= _HUNDRED):
                raise ValueError(f"{text!r} is not above 0 and, as a percentage, below 100")
            return Level(unit, value)
    raise AssertionError("every text ends with the empty one")


def distance(value: Decimal, average: Decimal, *, is_percent: bool) -> Decimal:
    """Return a distance in points."""
    return average * value / _HUNDRED if is_percent else value


def above_zero(price: Decimal | None) -> Decimal | None:
    """Return the price; None where it is none that a market could reach."""
    return None if price is None or price <= ZERO else price


def price_of(text: str | None, average: Decimal | None, direction: int) -> Decimal | None:
    """Return the price that a level's text means, if any above 0. A distance needs an average."""
    if text is None or average is None:
        return None
    return above_zero(level_of(text).price(average, direction))


def tighter(side: Side, one: Decimal | None, other: Decimal | None) -> Decimal | None:
    """Return the stop that leaves less room: the higher one of a position that was bought."""
    if one is None or other is None:
        return one if other is None else other
    return max(one, other) if side is Side.BUY else min(one, other)


class HasTerms(Protocol):
    """What carries the terms in columns of its own: an order, and a protection."""

    @property
    def stop_loss(self) -> str | None: ...
    @property
    def target(self) -> str | None: ...
    @property
    def trailing_type(self) -> TrailingType | None: ...
    @property
    def trailing_value(self) -> Decimal | None: ...
    @property
    def trail_when(self) -> Decimal | None: ...
    @property
    def protection_json(self) -> str | None: ...


class LockTexts(NamedTuple):
    """A lock of a profit, as `level_of` reads distances; see `domain.locks`.

    `floor`: what is kept of the profit when it has reached `at`; None: nothing, the stop is at the average fill.
    `step`, `trail`: by how much more for each further step; None: by nothing.
    """

    at: str
    floor: str | None
    step: str | None = None
    trail: str | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What protects a position.

    - `trail_when`: the move in favour that arms the trail; for STEP, that moves it once.
    - `targets`: several targets in place of `target`, the nearest first: a level's text, and a share in percent.
    - `lot_size`: units of which the shares are whole multiples; None: of one unit.
    - `cost_trigger`: the move in favour after which the stop moves to the average fill, once, `cost_offset` beyond it:
      distances as `level_of` reads them.
    - `exit_at`: a clock time of the day of the entry, `15:10`; `exit_after_minutes`: counted from the first fill.
    - `lock`: which part of a profit is kept once it has come so far.
    """

    stop_loss: str | None = None
    target: str | None = None
    trailing_type: TrailingType | None = None
    trailing_value: Decimal | None = None
    trail_when: Decimal | None = None
    targets: tuple[tuple[str, Decimal], ...] = ()
    lot_size: Decimal | None = None
    cost_trigger: str | None = None
    cost_offset: str | None = None
    exit_at: str | None = None
    exit_after_minutes: Decimal | None = None
    lock: LockTexts | None = None


def is_protected(item: HasTerms) -> bool:
    """Return True where anything is to protect what the order opens."""
    simple = (item.stop_loss, item.target, item.trailing_type)
    return item.protection_json is not None or any(each is not None for each in simple)


def trail_fault(terms: Terms) -> tuple[str, str] | None:
    """Return which field of a trail is wrong or missing, and what was expected; None: the trail is whole or absent."""
    kind, value = terms.trailing_type, terms.trailing_value
    if kind is None:
        extra = next((n for n in ("trailing_value", "trail_when") if getattr(terms, n) is not None), None)
        return (
            None
            if extra is None
            else ("trailing_type", f"expected POINTS, PERCENT or STEP with a {extra}, got none")
        )
    if value is None:
        return "trailing_value", f"expected a distance above 0 for a trail in {kind}, got none"
    if kind is TrailingType.PERCENT and value >= _HUNDRED:
        return "trailing_value", f"expected less than 100 for a trail in PERCENT, got {decimal_text(value)}"
    if kind is TrailingType.STEP and terms.trail_when is None:
        return "trail_when", "expected the points in favour that move a STEP trail, got none"
    if kind is TrailingType.STEP and terms.stop_loss is None:
        return "stop_loss", "expected the stop that a STEP trail moves, got none"
    return None
