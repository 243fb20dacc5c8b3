"""Sizing an exit: its goal is "flat", so its side and quantity come from the position, never from the alert."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from domain.alert import Side
from domain.money import ZERO, decimal_text
from domain.order import Order
from domain.reports import PositionsSnapshot
from domain.risk_facts import ExitFacts

FLAT = "the position is flat"
FILL_TOO_YOUNG = "a fill is younger than the positions that were read"
PERHAPS_OF_OTHERS = "what is there may be another strategy's fill that is not recorded yet"


@dataclass(frozen=True, slots=True)
class ExitSize:
    """Send this."""

    side: Side
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class ExitHold:
    """Wait and look again: something is under way that will change the position."""

    reason: str


@dataclass(frozen=True, slots=True)
class NothingToExit:
    """Flat, or all of it belongs to other strategies; `detail` says which."""

    detail: str


def size_exit(
    order: Order,
    snapshot: PositionsSnapshot,
    facts: ExitFacts,
    *,
    horizon: timedelta,
    may_wait_for_entries: bool,
) -> ExitSize | ExitHold | NothingToExit:
    """What an exit may take off the position so that it can never reverse it.

    Other strategies' holdings and what other exits may still take are left alone; a position read that a recent
    fill may not show in yet is not used. Units that no recorded fill explains, and that another strategy's entry at the
    broker may have brought, are left alone too; an exit that finds nothing else waits, for one that merely rests there
    once at least and as long as it may, for one of unknown outcome until that is known.
    """

    def may_lack(fill_at: datetime | None) -> bool:
        return fill_at is not None and snapshot.read_started_at <= fill_at + horizon

    net = snapshot.net(order.exchange, order.symbol, order.product)
    # Only a fill on the side that reduces what shows could make the exit reverse the position; one on the other side
    # makes it too small, and fills that trickle in must not keep it waiting for as long as they do.
    is_young = any(map(may_lack, facts.last_fills.values()))
    reduced = may_lack(facts.last_fills.get(Side.SELL if net > 0 else Side.BUY))
    if is_young and (may_wait_for_entries or reduced or not net):
        return ExitHold(FILL_TOO_YOUNG)
    others = sum((abs(held) for held in facts.held_by_others.values() if held * net > 0), ZERO)
    own = min(abs(facts.held), abs(net)) if facts.held * net > 0 else ZERO
    # Where strategies hold more than there is, nobody knows whose is gone: each may take its own, and together no more
    # than there is. Otherwise each would leave it to the other, and no exit could close it.
    free = max(abs(net) - others, own)
    available = max(free - facts.exits_in_flight, ZERO)
    sure = max(available - _perhaps_of_others(net, others, facts, resting=True), ZERO)
    if not sure and order.reason_message == PERHAPS_OF_OTHERS and not may_wait_for_entries:
        # It has waited, and an order that merely rests stops no exit.
        sure = max(available - _perhaps_of_others(net, others, facts, resting=False), ZERO)
    quantity = sure if order.requested_quantity is None else min(sure, order.requested_quantity)
    if quantity:
        return ExitSize(Side.SELL if net > 0 else Side.BUY, quantity)
    if is_young:
        return ExitHold(FILL_TOO_YOUNG)
    if available:
        return ExitHold(PERHAPS_OF_OTHERS)
    if facts.exits_in_flight and free:
        return ExitHold("another exit of this position is under way")
    if facts.entries_in_flight and may_wait_for_entries:
        return ExitHold("an older entry is not settled yet")
    holders = ", ".join(f"{name} {decimal_text(held)}" for name, held in sorted(facts.held_by_others.items()))
    return NothingToExit(f"nothing of it is this strategy's: {holders}" if net and holders else FLAT)


def _perhaps_of_others(net: Decimal, others: Decimal, facts: ExitFacts, *, resting: bool) -> Decimal:
    """How much of the position other strategies' entries may have brought without our knowing yet."""
    own = abs(facts.held) if facts.held * net > 0 else ZERO
    unexplained = max(abs(net) - others - own, ZERO)
    side = Side.BUY if net > 0 else Side.SELL
    brought = facts.unknown_of_others.get(side, ZERO)
    if resting:
        brought += facts.resting_of_others.get(side, ZERO)
    return min(unexplained, brought)
