"""What an order's fill does to the holdings of its strategy. Pure: a store reads the facts and writes the result."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple, TypeVar

from domain.enums import ExecutionType
from domain.money import ZERO
from domain.order import Order

Key = TypeVar("Key")


class Held(NamedTuple):
    """Units of one product, positive long, and the number of entries that they come from.

    Without entries they are an exit's fill that was recorded before the fill of the entry that it closes.
    """

    net: Decimal = ZERO
    entries: int = 0


@dataclass(slots=True)
class HoldingEffects:
    """What is to be written: the changed holdings by product (zero: remove the row), and two facts.

    `is_fill`: the time of the last fill in the symbol is now. `taken_elsewhere`: signed units that the fill took and
    that no strategy held.
    """

    held: dict[str, Held] = field(default_factory=dict)
    is_fill: bool = False
    taken_elsewhere: Decimal = ZERO


def touches_holdings(before: Order, after: Order) -> bool:
    """True when a change of an order changes what its strategy holds, or may hold."""
    return after.test_mode is None and (_has_filled(before, after) or _entry_ended(before, after))


def effects_of(
    before: Order, after: Order, held: Mapping[str, Held], still_to_come: Callable[[], Decimal]
) -> HoldingEffects:
    """What the change does to the holdings of the order's strategy in its symbol.

    An entry's fill adds to them. An exit's fill reduces them. It may be recorded before the fill of the entry that it
    closes: as much as the strategy's entries at the broker may still bring is kept as held the other way round, without
    an entry, until they bring it or end. What an exit took beyond that was held by no strategy.

    Args:
        held: what the strategy holds of the symbol by product, before the change.
        still_to_come: reads what the strategy's entries at the broker may still fill on the side that the order, or the
            exit that came before its entry, is about. It is asked for only where it decides something.
    """
    is_entry = after.execution_type is ExecutionType.ENTRY
    delta = after.signed_fill - before.signed_fill
    effects = HoldingEffects(is_fill=bool(delta))
    left = delta if is_entry else _reduce(effects, after.product, held, delta)
    if not is_entry and not left:
        return effects
    net, entries = effects.held.get(after.product) or held.get(after.product, Held())
    if not is_entry and net and entries:
        effects.taken_elsewhere = (
            left  # it has turned since: a late exit of before closes nothing of what it holds now
        )
        return effects
    was_early = after.product in held and not entries
    if is_entry:
        net += delta
        entries += int(bool(after.filled_quantity) and not before.filled_quantity)
        is_early = was_early and after.side.sign * net < 0
    else:
        net, is_early = (net if was_early else ZERO) + left, True
    if is_early and net:
        taken, net = net, min(abs(net), still_to_come()) * (1 if net > 0 else -1)
        effects.taken_elsewhere = taken - net
        entries = 0
    elif is_entry:
        entries = max(entries, 1)
    effects.held[after.product] = Held(net, entries)
    return effects


def taken_off(there: Iterable[tuple[Key, Decimal]], units: Decimal) -> list[tuple[Key, Decimal]]:
    """Take signed units of a fill off figures of the opposite sign, one after the other; returns those that change."""
    changed = []
    for key, figure in there:
        if figure * units < 0:
            taken = min(abs(figure), abs(units)) * (1 if units > 0 else -1)
            units -= taken
            changed.append((key, figure + taken))
    return changed


def _has_filled(before: Order, after: Order) -> bool:
    return after.filled_quantity != before.filled_quantity or after.side is not before.side


def _entry_ended(before: Order, after: Order) -> bool:
    is_entry = after.execution_type is ExecutionType.ENTRY
    return is_entry and before.may_be_live and not after.may_be_live


def _reduce(effects: HoldingEffects, product: str, held: Mapping[str, Held], delta: Decimal) -> Decimal:
    """Take an exit's fill off what is held, its own product first; returns what found nothing to reduce.

    A converted position is held in the product in which it was bought, and leaves in another.
    """
    for name in sorted(held, key=lambda each: each != product):
        net, entries = held[name]
        if not entries or net * delta >= 0:
            continue
        taken = min(abs(net), abs(delta)) * (1 if delta > 0 else -1)
        effects.held[name] = Held(net + taken, entries)
        delta -= taken
    return delta
