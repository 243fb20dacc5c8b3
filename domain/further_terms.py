"""Terms of a protection beyond one stop, one target and a trail, kept together as the text of one column."""

import json
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from functools import lru_cache

from domain.money import ZERO, decimal_text, parse_decimal
from domain.protection_terms import HasTerms, Terms, level_of

_HUNDRED = Decimal(100)
_SMALLEST = Decimal("1E-8")


@dataclass(frozen=True, slots=True)
class ShareTarget:
    """One of several targets. `value`: a level's text; `share`: percent of what is protected."""

    value: str
    share: Decimal


@dataclass(frozen=True, slots=True)
class FurtherTerms:
    """What is agreed beyond the columns of `Terms`. `lot_size`: the shares of targets are whole multiples of it."""

    targets: tuple[ShareTarget, ...] = ()
    lot_size: Decimal | None = None

    def share_of(self, number: int, units: Decimal) -> Decimal:
        """Return the target's share of these units, rounded down to whole lots, or else to whole units."""
        step = self.lot_size or (Decimal(1) if units == units.to_integral_value() else _SMALLEST)
        exact = units * self.targets[number].share / _HUNDRED
        return (exact / step).to_integral_value(ROUND_FLOOR) * step


NONE = FurtherTerms()


def further_text(terms: Terms) -> str | None:
    """Return the text that keeps the further terms; None where there are none."""
    kept: dict[str, object] = {}
    if terms.targets:
        kept["targets"] = [[value, decimal_text(share)] for value, share in terms.targets]
    if terms.lot_size is not None:
        kept["lot_size"] = decimal_text(terms.lot_size)
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
    return FurtherTerms(
        targets=tuple(ShareTarget(value, parse_decimal(share)) for value, share in kept.get("targets", ())),
        lot_size=None if kept.get("lot_size") is None else parse_decimal(kept["lot_size"]),
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
