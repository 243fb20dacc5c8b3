"""Terms of a protection beyond one stop, one target and a trail, kept together as the text of one column."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from functools import lru_cache

from domain.locks import LevelLock, level_lock
from domain.money import ZERO, decimal_text, optional_decimal, parse_decimal
from domain.protection_terms import HasTerms, Level, LevelUnit, LockTexts, Terms, level_of
from domain.times import parse_time, time_text

_HUNDRED = Decimal(100)
_SMALLEST = Decimal("1E-8")


@dataclass(frozen=True, slots=True)
class ShareTarget:
    """One of several targets. `value`: a level's text; `share`: percent of what is protected."""

    value: str
    share: Decimal


@dataclass(frozen=True, slots=True)
class FurtherTerms:
    """What is agreed beyond the columns of `Terms`, which see.

    `exit_clock`: the time as the alert wrote it; `exit_at`: the instant that it means.
    """

    targets: tuple[ShareTarget, ...] = ()
    lot_size: Decimal | None = None
    cost_trigger: Level | None = None
    cost_offset: Level | None = None
    exit_clock: str | None = None
    exit_at: datetime | None = None
    exit_after: timedelta | None = None
    lock: LevelLock | None = None

    def share_of(self, number: int, units: Decimal) -> Decimal:
        """Return the target's share of these units, rounded down to whole lots, or else to whole units."""
        step = self.lot_size or (Decimal(1) if units == units.to_integral_value() else _SMALLEST)
        exact = units * self.targets[number].share / _HUNDRED
        return (exact / step).to_integral_value(ROUND_FLOOR) * step


NONE = FurtherTerms()


def further_text(terms: Terms, exit_at: datetime | None = None) -> str | None:
    """Return the text that keeps the further terms; None where there are none.

    Args:
        exit_at: the instant that the terms' clock time means.
    """
    kept: dict[str, object] = {}
    if terms.targets:
        kept["targets"] = [[value, decimal_text(share)] for value, share in terms.targets]
    if terms.lot_size is not None:
        kept["lot_size"] = decimal_text(terms.lot_size)
    if terms.cost_trigger is not None:
        kept["cost"] = [terms.cost_trigger, terms.cost_offset]
    if terms.exit_at is not None:
        kept["exit_clock"] = terms.exit_at
    if exit_at is not None:
        kept["exit_at"] = time_text(exit_at)
    if terms.exit_after_minutes is not None:
        kept["exit_after_minutes"] = decimal_text(terms.exit_after_minutes)
    if terms.lock is not None:
        kept["lock"] = terms.lock
    return json.dumps(kept, separators=(",", ":")) if kept else None


def without_targets(text: str | None) -> str | None:
    """Return such a text without its targets."""
    kept = {} if text is None else json.loads(text)
    kept = {name: value for name, value in kept.items() if name not in ("targets", "lot_size")}
    return json.dumps(kept, separators=(",", ":")) if kept else None


@lru_cache(maxsize=4096)
def further_of(text: str | None) -> FurtherTerms:
    """Read what `further_text` wrote."""
    if text is None:
        return NONE
    kept = json.loads(text)
    trigger, offset = kept.get("cost", (None, None))
    at, minutes, lock = kept.get("exit_at"), kept.get("exit_after_minutes"), kept.get("lock")
    return FurtherTerms(
        targets=tuple(ShareTarget(value, parse_decimal(share)) for value, share in kept.get("targets", ())),
        lot_size=optional_decimal(kept.get("lot_size")),
        cost_trigger=None if trigger is None else level_of(trigger),
        cost_offset=None if offset is None else level_of(offset),
        exit_clock=kept.get("exit_clock"),
        exit_at=None if at is None else parse_time(at),
        exit_after=None if minutes is None else timedelta(seconds=int(parse_decimal(minutes) * 60)),
        lock=None if lock is None else level_lock(LockTexts(*lock)),
    )


def wrong_side(item: HasTerms, price: Decimal, sign: int) -> str | None:
    """Return which level an entry at this price would meet at once, in words; None: none.

    Args:
        sign: +1 for a buy, -1 for a sell.
    """
    levels = [("stop_loss", item.stop_loss, -1), ("target", item.target, 1)]
    for number, each in enumerate(further_of(item.protection_json).targets):
        levels.append((f"target[{number}]", each.value, 1))
    for name, text, way in levels:
        if text is None:
            continue
        level = level_of(text).price(price, way * sign)
        if level <= ZERO or (level - price) * way * sign <= 0:
            where = "below" if way * sign < 0 else "above"
            return f"{name} {decimal_text(level)}, expected {where} {decimal_text(price)} and above 0"
    return None


def targets_fault(terms: Terms, sign: int) -> tuple[str, str] | None:
    """Return which field of several targets is wrong, and what was expected; None: they are as they should be.

    Args:
        sign: +1 where the entry buys, -1 where it sells.
    """
    if terms.lot_size is not None and not terms.targets:
        return "lot_size", "expected none without a list of targets: it rounds their shares"
    if not terms.targets:
        return None
    levels = [level_of(value) for value, _ in terms.targets]
    for number, level in enumerate(levels[1:], start=1):
        if level.unit is not levels[0].unit:
            return f"target[{number}].value", "expected the unit of the first target: prices, pt or %"
        way = sign if level.unit.value == "" else 1
        if (level.value - levels[number - 1].value) * way <= 0:
            return f"target[{number}].value", "expected a target farther away than the one before it"
    total = sum((share for _, share in terms.targets), ZERO)
    if total != _HUNDRED:
        return "target", f"expected shares that sum to 100, got {decimal_text(total)}; the last may have none"
    return None


def cost_fault(terms: Terms) -> tuple[str, str] | None:
    """Return which field of a move to cost is wrong, and what was expected; None: it is as it should be, or absent."""
    if terms.cost_trigger is None:
        return None
    trigger = level_of(terms.cost_trigger)
    if trigger.unit is LevelUnit.PRICE:
        return "move_to_cost.trigger", 'expected a distance such as "2%" or "10pt", got a price'
    if terms.cost_offset is None:
        return None
    offset = level_of(terms.cost_offset)
    if offset.unit is not trigger.unit:
        return "move_to_cost.offset", "expected the unit of the trigger"
    if offset.value >= trigger.value:
        return "move_to_cost.offset", "expected less than the trigger: the stop would be met at once"
    return None
