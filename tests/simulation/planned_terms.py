"""What protects a position of a simulated alert."""

from dataclasses import replace
from decimal import Decimal
from random import Random

from domain.alert import LegRequest
from domain.protection_terms import Terms, TrailingType


def terms_of(leg: LegRequest, random: Random) -> Terms:
    """A stop, a target or a trail, in points, percent or as a price."""
    sign = leg.side.sign if leg.side is not None else 1
    points = random.choice((2, 3, 5))
    stop = random.choice((None, f"{points}%", f"{points}pt", str(100 - 8 * sign)))
    target = random.choice((None, f"{points}%", f"{points}pt", str(102 + 8 * sign)))
    trail = random.choice((None, None, *TrailingType))
    if stop is None and target is None and trail is None:
        stop = f"{points}pt"
    if trail is None:
        return Terms(stop, target)
    if trail is TrailingType.STEP:
        return Terms(stop or "3pt", target, trail, Decimal(1), Decimal(random.choice((1, 2))))
    return Terms(stop, target, trail, Decimal(points), random.choice((None, Decimal(1))))


def with_further_terms(terms: Terms, random: Random) -> Terms:
    """The same with several targets, a move to cost or a time to exit."""
    wish = random.choice(("targets", "cost", "time"))
    if wish == "targets":
        shares = random.choice(((50, 50), (30, 30, 40)))
        values = (f"{2 * number}pt" for number in range(1, len(shares) + 1))
        targets = tuple((value, Decimal(share)) for value, share in zip(values, shares, strict=True))
        return replace(terms, target=None, targets=targets)
    if wish == "cost":
        return replace(terms, cost_trigger="2pt", cost_offset=random.choice((None, "1pt")))
    return replace(terms, exit_after_minutes=Decimal(random.choice(("0.2", "0.5", "1"))))
