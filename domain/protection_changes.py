"""Changes of a protection by a person. Pure."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from domain.enums import Side
from domain.errors import InvalidProtection
from domain.money import ZERO, decimal_text
from domain.protection import (
    EventKind,
    Protection,
    ProtectionEvent,
    ProtectionStatus,
    Step,
    ended,
    figures,
    stepped,
)
from domain.protection_terms import Level, LevelUnit, tighter


def cancelled(p: Protection, *, by: str, reason: str, now: datetime) -> Step:
    """End a protection because a person says so; the position stays.

    Raises:
        InvalidProtection: it is over.
    """
    _require_open(p)
    after, [event] = ended(p, "CANCELLED", now)
    event = replace(event, facts={**event.facts, "by": by, "why": reason})
    return stepped(p, after, (event,), now)


def tightened(p: Protection, *, stop: Decimal | None, target: Decimal | None, by: str, now: datetime) -> Step:
    """Set the stop tighter, or the target anew, as prices.

    Raises:
        InvalidProtection: it is over or covers nothing yet, the stop would not be tighter, or a price is missing.
    """
    _require_open(p)
    if stop is None and target is None:
        raise InvalidProtection("stop_price", "expected a stop_price, a target_price or both")
    if p.status is not ProtectionStatus.ACTIVE:
        raise InvalidProtection(
            "protection_id", "expected one that covers something: its entry has no fill yet"
        )
    after = p
    if stop is not None:
        if stop == p.stop_price or tighter(p.side, p.stop_price, stop) != stop:
            way = "above" if p.side is Side.BUY else "below"
            limit = decimal_text(p.stop_price or ZERO)
            raise InvalidProtection("stop_price", f"expected a price {way} {limit}: a stop only tightens")
        after = replace(after, stop_price=stop)
    if target is not None and p.targets_sold:
        raise InvalidProtection("target_price", "expected none: of several targets none can be changed")
    if target is not None:
        after = replace(after, target=Level(LevelUnit.PRICE, target).text, target_price=target)
    facts = {"by": by, **figures(before=p.stop_price, stop=after.stop_price, target=after.target_price)}
    return stepped(p, after, (ProtectionEvent(EventKind.CHANGED, now, facts),), now)


def _require_open(p: Protection) -> None:
    if not p.is_watched:
        raise InvalidProtection("protection_id", f"expected one that is not over: this one is {p.status}")
