"""Size an exit: what its strategy holds by its own fills, as far as the broker's position confirms it.

Two sources say how much an exit may take: our own recorded fills, and a read of the broker's positions.

- Where they agree, that quantity is sent.
- Where they differ, the exit waits for a later read (`ExitDispute`).
- Where they still differ after that, the smaller of the two is sent, and never the other side.

So neither a stale, empty or wild read nor a missing fill can reverse a position.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from shlex import quote

from domain.broker_reports import PositionsSnapshot
from domain.enums import ExecutionType, OrderType, Side
from domain.exit_chase import is_of_leg
from domain.exit_view import ExitView, exit_view, is_about_the_same, is_own
from domain.limits import ExitScope
from domain.money import ZERO, decimal_text
from domain.order import Order
from domain.risk_facts import ExitFacts
from domain.states import Phase, Status

OPERATOR = "OPERATOR"
"""The strategy name of an operator's exit of units that no strategy holds."""

FLAT = "the position is flat"


class HoldReason(StrEnum):
    """Why an exit waits."""

    EXIT_UNDER_WAY = "EXIT_UNDER_WAY"
    ENTRY_NOT_SETTLED = "ENTRY_NOT_SETTLED"
    TAKING_BACK = "TAKING_BACK"
    BOOK_FIRST = "BOOK_FIRST"
    DISPUTED = "DISPUTED"

    @property
    def sentence(self) -> str:
        """What the exit waits for, as a text for people."""
        return _HELD_BECAUSE[self]


_HELD_BECAUSE = {
    HoldReason.EXIT_UNDER_WAY: "another exit of this position is under way",
    HoldReason.ENTRY_NOT_SETTLED: "an older entry is not settled yet",
    HoldReason.TAKING_BACK: "a resting exit of this position is being taken back first",
    HoldReason.BOOK_FIRST: "the broker's order book is read first",
    HoldReason.DISPUTED: "the broker's position contradicts our own fills",
}


@dataclass(frozen=True, slots=True)
class ExitSize:
    """The exit order to send. `rest` needs another order, because it is held in another product."""

    side: Side
    quantity: Decimal
    product: str
    rest: Decimal = ZERO


def sliced(size: ExitSize, largest: Decimal | None) -> ExitSize:
    """Return the size that one order may have at the exchange; the rest needs further ones.

    Args:
        largest: the largest quantity that the exchange takes in one order; None: not known, and nothing is sliced.
    """
    if largest is None or largest <= 0 or size.quantity <= largest:
        return size
    return replace(size, quantity=largest, rest=size.rest + size.quantity - largest)


@dataclass(frozen=True, slots=True)
class ExitHold:
    """Wait and size again later: something in progress will change the position, or has to be known first."""

    reason: HoldReason


@dataclass(frozen=True, slots=True)
class ExitDispute:
    """Our fills and the position read differ: read again, and if that lasts send `smaller`, unless it is None.

    `may_settle`: what would explain the difference will be known later. That is one of:

    - units in another product, where the read is too near our last fill to be sure of it;
    - other exits under way at market, whose fills the read may show before the order book does;
    - units that a read from about our last fill may have too many.
    """

    smaller: ExitSize | None
    by_fills: Decimal
    by_read: Decimal
    may_settle: bool = False


@dataclass(frozen=True, slots=True)
class NothingToExit:
    """There is nothing that this exit may take; `detail` says why.

    `contradicts`: there is a position, but the side that the exit names cannot close it.
    """

    detail: str
    contradicts: bool = False


ExitAnswer = ExitSize | ExitHold | ExitDispute | NothingToExit


def size_exit(
    order: Order, snapshot: PositionsSnapshot, facts: ExitFacts, *, scope: ExitScope, may_wait: bool
) -> ExitAnswer:
    """Decide how much an exit may take.

    Args:
        scope: whether it closes what its strategy holds or the whole position.
        may_wait: True while it may still wait for resting exits to be cancelled. For older entries of its strategy it
            waits as long as it lives: their fills may not be recorded yet.
    """
    resting = in_the_way(order, facts) if may_wait else ()
    if resting:
        without = replace(facts, orders=tuple(o for o in facts.orders if o not in resting))
        answer = _answer(order, exit_view(order, snapshot, without, scope), snapshot, without)
        # An exit that sends nothing cancels nothing: it would take a stop from a position that stays.
        return ExitHold(HoldReason.TAKING_BACK) if isinstance(answer, ExitSize) else answer
    return _answer(order, exit_view(order, snapshot, facts, scope), snapshot, facts)


def _answer(order: Order, view: ExitView, snapshot: PositionsSnapshot, facts: ExitFacts) -> ExitAnswer:
    if view.sign and order.requested_side not in (None, view.closing):
        return NothingToExit(_contradiction(order, view, snapshot), contradicts=True)
    ours, read = _wanted(order, view.by_fills), _wanted(order, view.by_read)
    if ours != read or (ours and view.is_behind):
        may_settle = view.may_be_converted or 0 < ours - read <= view.unsettled
        return ExitDispute(_sized(view, min(ours, read)), ours, read, may_settle)
    if ours:
        return _sized(view, ours) or NothingToExit(FLAT)
    if view.under_way:
        return ExitHold(HoldReason.EXIT_UNDER_WAY)
    if view.is_doubtful:
        return ExitDispute(None, ours, read)
    if _older_entries(order, facts):
        return ExitHold(HoldReason.ENTRY_NOT_SETTLED)
    return NothingToExit(_nothing(order, snapshot, facts))


def entries_to_take_back(order: Order, facts: ExitFacts) -> tuple[Order, ...]:
    """List the strategy's older entries that could open again what a full exit closes. It cancels them first.

    An entry of the other side is a reversal and stays. An exit with a quantity leaves entries alone.
    """
    if not order.is_full_exit:
        return ()
    held = sum((h.net_quantity for h in facts.holdings if is_own(order, h.strategy_name, h.entries)), ZERO)
    closes = order.requested_side or (None if not held else Side.SELL if held > 0 else Side.BUY)
    return tuple(e for e in _older_entries(order, facts) if closes is None or e.side is closes.opposite)


def in_the_way(order: Order, facts: ExitFacts) -> tuple[Order, ...]:
    """List the strategy's exits that rest at the broker while this market exit is to be filled at once.

    For example, a stop-loss goes before a resting target. A part that goes on for such an exit is as urgent; one that
    exits what came later is not. Rows of its own leg are never in its way.
    """
    is_urgent = order.parent_command_id is None or is_of_leg(order)
    if order.order_type is not OrderType.MARKET or not is_urgent:
        return ()
    leg = order.parent_command_id or order.command_id
    return tuple(
        o
        for o in facts.orders
        if o.execution_type is ExecutionType.EXIT
        and o.strategy_name == order.strategy_name
        and o.order_type is not OrderType.MARKET
        and o.phase in (Phase.WORKING, Phase.PARTIALLY_FILLED)
        and leg not in (o.command_id, o.parent_command_id)
        and is_about_the_same(o, order)
    )


def _older_entries(order: Order, facts: ExitFacts) -> tuple[Order, ...]:
    return tuple(
        o
        for o in facts.orders
        if o.execution_type is ExecutionType.ENTRY
        and o.strategy_name == order.strategy_name
        and (o.created_at, o.command_id) < (order.created_at, order.command_id)
        and o.status is not Status.FAILED
        and order.requested_product in (None, o.product)
    )


def _sized(view: ExitView, quantity: Decimal) -> ExitSize | None:
    for product, may in view.products.items():
        if may and quantity:
            first = min(may, quantity)
            return ExitSize(view.closing, first, product, quantity - first)
    return None


def _wanted(order: Order, available: Decimal) -> Decimal:
    return available if order.requested_quantity is None else min(available, order.requested_quantity)


# texts for people -------------------------------------------------------------------------------------------


def _contradiction(order: Order, view: ExitView, snapshot: PositionsSnapshot) -> str:
    side = "long" if view.sign > 0 else "short"
    there = _there(snapshot.by_product(order.exchange, order.symbol)) or "as our own fills say"
    return (
        f"the exit names {order.requested_side}, which cannot close a {side} position; still open: {there}. "
        f"If it is to be closed, exit it by hand or send an EXIT without direction; an exit's direction is the side "
        "that it sends, not that of the entry"
    )


def _nothing(order: Order, snapshot: PositionsSnapshot, facts: ExitFacts) -> str:
    nets = snapshot.by_product(order.exchange, order.symbol)
    there = _there(nets)
    missed = _missed(order, facts)
    if missed:
        more = f"; at {order.exchange} the account has {there}" if there else ""
        return f"{missed}{more}. {_in_a_hurry(order)}"
    if not there:
        return FLAT
    others: dict[str, Decimal] = {}
    for h in facts.holdings:
        if h.strategy_name != order.strategy_name:
            others[h.strategy_name] = others.get(h.strategy_name, ZERO) + h.net_quantity
    holders = ", ".join(f"{name} {decimal_text(held)}" for name, held in sorted(others.items()))
    net = sum(nets.values(), ZERO)
    unclaimed = net - sum(others.values(), ZERO)
    ways = (
        f"Two ways on: adopt them ({_adopting(order, nets, unclaimed)}), or EXIT_SCOPE=position"
        if unclaimed * net > 0
        else "That is theirs: it cannot be adopted, and EXIT_SCOPE=position leaves it alone too"
    )
    return (
        f"{order.strategy_name} holds nothing there by its own fills; the account has {there}"
        + (f", of which {holders}" if holders else "")
        + f". {ways}. {_in_a_hurry(order)}"
    )


def _missed(order: Order, facts: ExitFacts) -> str:
    """Say what the exit's strategy holds of the symbol at another exchange or in another product; empty: nothing."""
    own = [
        h
        for h in (*facts.holdings, *facts.elsewhere)
        if h.net_quantity
        and is_own(order, h.strategy_name, h.entries)
        and (h.exchange != order.exchange or order.requested_product not in (None, h.product))
    ]
    if not own:
        return ""
    held = ", ".join(f"{decimal_text(h.net_quantity)} {h.product} of {h.symbol} at {h.exchange}" for h in own)
    other_exchange = any(h.exchange != order.exchange for h in own)
    other_product = any(order.requested_product not in (None, h.product) for h in own)
    named = (order.exchange * other_exchange, (order.requested_product or "") * other_product)
    return (
        f"{order.strategy_name} holds {held}, still open, and the exit names {' '.join(filter(None, named))}: "
        "send an EXIT that names it as it is held"
    )


def _in_a_hurry(order: Order) -> str:
    return f"In a hurry: cli.py flatten --symbol {quote(order.symbol)}"


def _adopting(order: Order, nets: Mapping[str, Decimal], unclaimed: Decimal) -> str:
    """Return the command that makes unheld units the strategy's holding; REASON is for the operator to fill in."""
    names = " ".join(quote(name) for name in (order.client_id, order.symbol, order.strategy_name))
    product, net = next((p, n) for p, n in nets.items() if n * unclaimed > 0)
    units = decimal_text(min(abs(net), abs(unclaimed)).copy_sign(unclaimed))
    several = sum(bool(n) for n in nets.values()) > 1
    return f"cli.py adopt {names} {units}{f' --product {product}' if several else ''} --reason REASON"


def _there(nets: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{decimal_text(net)} {product}" for product, net in sorted(nets.items()) if net)
