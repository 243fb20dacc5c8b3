"""Size an exit: what its strategy holds by its own fills, as far as the broker's position confirms it.

Two sources say how much an exit may take: our own recorded fills, and a read of the broker's positions.

- Where they agree, that quantity is sent.
- Where they differ, the exit waits for a later read (`ExitDispute`).
- Where they still differ after that, the smaller of the two is sent, and never the other side.

So neither a stale, empty or wild read nor a missing fill can reverse a position.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from shlex import quote

from domain.broker_reports import PositionsSnapshot
from domain.enums import ExecutionType, OrderType, Side
from domain.limits import ExitScope
from domain.money import ZERO, decimal_text
from domain.order import Order
from domain.position_comparison import LAGS_AT_MOST
from domain.risk_facts import ExitFacts
from domain.states import Phase, Status
from domain.times import has_elapsed

OPERATOR = "OPERATOR"
"""The strategy name of an operator's exit of units that no strategy holds."""

FLAT = "the position is flat"

_OUTCOME_UNKNOWN = frozenset({Phase.SUBMITTING, Phase.UNKNOWN, Phase.ABSENT})


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


@dataclass(frozen=True)
class _View:
    """The symbol as one exit sees it. Quantities are unsigned, on the side of the position that it closes."""

    sign: int  # of the position: +1 long, -1 short, 0 no position
    by_fills: Decimal = ZERO
    by_read: Decimal = ZERO
    under_way: Decimal = ZERO  # what outstanding exits of the account may still take
    unsettled: Decimal = ZERO  # what may explain a difference and is known soon
    products: Mapping[str, Decimal] = field(default_factory=dict)  # what each may give, the preferred first
    may_be_converted: bool = False
    is_doubtful: bool = False  # only what is believed makes it flat, and the read does not have that either
    is_behind: bool = False  # the read may be from before a fill of ours that closes

    @property
    def closing(self) -> Side:
        return Side.SELL if self.sign > 0 else Side.BUY


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
        answer = _answer(order, _view(order, snapshot, without, scope), snapshot, without)
        # An exit that sends nothing cancels nothing: it would take a stop from a position that stays.
        return ExitHold(HoldReason.TAKING_BACK) if isinstance(answer, ExitSize) else answer
    return _answer(order, _view(order, snapshot, facts, scope), snapshot, facts)


def _answer(order: Order, view: _View, snapshot: PositionsSnapshot, facts: ExitFacts) -> ExitAnswer:
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
    held = sum((h.net_quantity for h in facts.holdings if _is_own(order, h.strategy_name, h.entries)), ZERO)
    closes = order.requested_side or (None if not held else Side.SELL if held > 0 else Side.BUY)
    return tuple(e for e in _older_entries(order, facts) if closes is None or e.side is closes.opposite)


def in_the_way(order: Order, facts: ExitFacts) -> tuple[Order, ...]:
    """List the strategy's exits that rest at the broker while this market exit is to be filled at once.

    For example, a stop-loss goes before a resting target.
    """
    if order.order_type is not OrderType.MARKET or order.parent_command_id is not None:
        return ()
    return tuple(
        o
        for o in facts.orders
        if o.execution_type is ExecutionType.EXIT
        and o.strategy_name == order.strategy_name
        and o.order_type is not OrderType.MARKET
        and o.phase in (Phase.WORKING, Phase.PARTIALLY_FILLED)
        and _is_about_the_same(o, order)
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


def _view(order: Order, snapshot: PositionsSnapshot, facts: ExitFacts, scope: ExitScope) -> _View:
    nets = snapshot.by_product(order.exchange, order.symbol)
    ours = sum((h.net_quantity for h in facts.holdings), ZERO) + facts.by_hand + facts.believed
    ours += _sold_of_earlier_days(order, snapshot, facts)
    own = _own(order, facts)
    held = sum(own.values(), ZERO)
    whole = scope is ExitScope.POSITION
    sign = _sign(sum(nets.values(), ZERO) or ours) if whole else _sign(held)
    if not sign:
        return _View(0)
    exits = [o for o in facts.orders if _may_take(o, order, sign)]
    under_way, mine = _sum(exits), _sum(o for o in exits if _is_about_the_same(o, order))
    left = max(held * sign - mine, ZERO)
    others = _held_by_others(order, facts, sign)
    shows_all = _shows(facts.last_fill_at, snapshot)
    surplus = (sum(nets.values(), ZERO) - ours) * sign
    more, is_behind = _of_before(facts, snapshot, sign, surplus, under_way, is_whole=whole)
    may_be_filled = (o for o in exits if o.order_type is OrderType.MARKET or o.phase in _OUTCOME_UNKNOWN)
    unsettled = more + _sum(may_be_filled)
    free = {p: max(n * sign - _sum(o for o in exits if o.product == p) - more, ZERO) for p, n in nets.items()}
    if whole and order.requested_product is not None:
        free = {p: q for p, q in free.items() if p == order.requested_product}
    may = {
        p: max(q - others.get(p, ZERO), min(max(own.get(p, ZERO) * sign, ZERO), q)) for p, q in free.items()
    }
    if whole:
        products = _preferred(may, own, order)
        by_read, by_fills = sum(products.values(), ZERO), max(ours * sign - under_way, ZERO)
        by_fills = max(by_fills - sum(others.values(), ZERO), ZERO)
        if order.requested_product is not None:
            by_fills = min(by_fills, max(by_read, left))
        return _View(sign, by_fills, by_read, under_way, unsettled, products, is_behind=is_behind)
    # Units in another product may be ours, converted by the broker or by hand. Not so the units that were there before
    # ours went missing, and not by a read that may not show our last fill yet.
    apart = {p: max(q * sign, ZERO) for p, q in facts.known.items() if p not in own}
    converted = {p: max(q - apart.get(p, ZERO), ZERO) for p, q in may.items() if p not in own}
    here = {p: q for p, q in may.items() if p in own}
    products = _preferred(here | converted if shows_all else here, own, order)
    # Units that were there before explain nothing of ours, except as much as was closed of ours by hand.
    closed = sum((max(-q * sign, ZERO) for p, q in facts.known.items() if p in own), ZERO)
    elsewhere = _beside(own, nets, facts, sign) - min(sum(apart.values(), ZERO), closed)
    by_fills = max(ours * sign + elsewhere - under_way, ZERO)
    by_read = sum(products.values(), ZERO)
    may_be_converted = not shows_all and any(converted.values())
    # What is believed of two products is one conversion, and the end of one half may be known before that of the other.
    is_doubtful = bool(left and facts.believed) and not by_fills and sum(nets.values(), ZERO) != ours
    return _View(
        sign,
        min(left, by_fills),
        min(left, by_read),
        under_way,
        unsettled,
        products,
        may_be_converted,
        is_doubtful,
        is_behind,
    )


def _of_before(
    facts: ExitFacts,
    snapshot: PositionsSnapshot,
    sign: int,
    surplus: Decimal,
    under_way: Decimal,
    *,
    is_whole: bool,
) -> tuple[Decimal, bool]:
    """Return what a read from about the time of our last fill may have too many, and whether it must be of before.

    It may show units that this fill has taken since, from any product. Units that went missing before a fill that
    closes are still missing, even where such a read has just what our fills say. What a hand did meanwhile does not
    show in a read of before such a fill, unless told units or an entry that is filling are its surplus. Where such a
    read has less than our fills say, by nothing that we know of, there may be less still.

    Args:
        surplus: how much more the read has than our fills say, on the side of the position.
    """
    closed_at = facts.last_fills.get(Side.SELL if sign > 0 else Side.BUY)
    shows_closing = _shows(closed_at, snapshot)
    missing = ZERO if shows_closing else max(-facts.disputed * sign, ZERO)
    began_before = closed_at is not None and snapshot.read_started_at <= closed_at
    if _shows(facts.last_fill_at, snapshot) or (is_whole and not missing):
        return ZERO, began_before
    explained = max(facts.disputed * sign, ZERO) + _filling(facts, sign)
    is_odd = surplus > explained or -surplus > missing + under_way
    return max(surplus + missing, ZERO), began_before or (not shows_closing and is_odd)


def _shows(filled_at: datetime | None, snapshot: PositionsSnapshot) -> bool:
    """Return True when the read began so long after that fill that it shows it."""
    return filled_at is None or has_elapsed(filled_at, snapshot.read_started_at, LAGS_AT_MOST)


def _own(order: Order, facts: ExitFacts) -> dict[str, Decimal]:
    """Return what the exit's strategy holds in the products that the exit may close, signed, by product."""
    own: dict[str, Decimal] = {}
    for h in facts.holdings:
        if _is_own(order, h.strategy_name, h.entries) and order.requested_product in (None, h.product):
            own[h.product] = own.get(h.product, ZERO) + h.net_quantity
    return own


def _preferred(may: Mapping[str, Decimal], own: Mapping[str, Decimal], order: Order) -> dict[str, Decimal]:
    """Sort products: those that the strategy holds come first, and within each part the order's own product."""
    return dict(sorted(may.items(), key=lambda item: (item[0] not in own, item[0] != order.product)))


def _beside(own: Mapping[str, Decimal], nets: Mapping[str, Decimal], facts: ExitFacts, sign: int) -> Decimal:
    """Return what others have on the other side in other products: it closes nothing of what this strategy holds.

    The quantity comes from the read, and is no more than others are known to have there.
    """
    there = sum((max(-net * sign, ZERO) for product, net in nets.items() if product not in own), ZERO)
    held = sum((h.net_quantity for h in facts.holdings if h.product not in own), ZERO)
    return min(there, max(-(facts.by_hand + facts.believed + held) * sign, ZERO))


def _sold_of_earlier_days(order: Order, snapshot: PositionsSnapshot, facts: ExitFacts) -> Decimal:
    """Return how many delivered shares of earlier days others have sold, in products that no strategy holds.

    These shares were in no sum of ours, so their sale closes nothing of ours.
    """
    held = {h.product for h in facts.holdings if h.net_quantity}
    there = snapshot.delivered_sold(order.exchange, order.symbol)
    sold = sum((units for product, units in there.items() if product not in held), ZERO)
    return min(sold, max(-facts.by_hand, ZERO))


def _sized(view: _View, quantity: Decimal) -> ExitSize | None:
    for product, may in view.products.items():
        if may and quantity:
            first = min(may, quantity)
            return ExitSize(view.closing, first, product, quantity - first)
    return None


def _wanted(order: Order, available: Decimal) -> Decimal:
    return available if order.requested_quantity is None else min(available, order.requested_quantity)


def _is_own(order: Order, strategy_name: str, entries: int) -> bool:
    return strategy_name == order.strategy_name and bool(entries)


def _may_take(other: Order, order: Order, sign: int) -> bool:
    """Return True for another exit that may still take from a position of that sign.

    An exit that the broker says it turned away may be live all the same, until the order book was read. Of two such
    exits the older one goes first; otherwise each would wait for the other.
    """
    # Of the orders that have ended, `ExitFacts` has only those that are provisionally absent.
    sent = other.status is not Status.CREATED
    if other.look_first:
        is_older = (other.created_at, other.command_id) < (order.created_at, order.command_id)
        sent = not order.look_first or is_older
    return other.execution_type is ExecutionType.EXIT and sent and other.side.sign == -sign


def _is_about_the_same(other: Order, order: Order) -> bool:
    """Return True for an exit of the same strategy that may be about the same product."""
    if other.strategy_name != order.strategy_name:
        return False
    return None in (other.requested_product, order.requested_product) or (
        other.requested_product == order.requested_product
    )


def _held_by_others(order: Order, facts: ExitFacts, sign: int) -> dict[str, Decimal]:
    held: dict[str, Decimal] = {}
    for h in facts.holdings:
        # What the exit's own strategy holds in a product that the exit does not name is not for this exit either.
        is_another = h.strategy_name != order.strategy_name or order.requested_product not in (
            None,
            h.product,
        )
        if is_another and h.net_quantity * sign > 0:
            held[h.product] = held.get(h.product, ZERO) + abs(h.net_quantity)
    return held


def _filling(facts: ExitFacts, sign: int) -> Decimal:
    """Return what entries at the broker may have filled already on that side without our having recorded it."""
    return _sum(
        o
        for o in facts.orders
        if o.execution_type is ExecutionType.ENTRY
        and o.side.sign == sign
        and (o.status is Status.SENT_TO_BROKER or o.look_first)
    )


def _sum(orders: Iterable[Order]) -> Decimal:
    return sum((o.open_quantity for o in orders), ZERO)


def _sign(quantity: Decimal) -> int:
    return (quantity > 0) - (quantity < 0)


# texts for people -------------------------------------------------------------------------------------------


def _contradiction(order: Order, view: _View, snapshot: PositionsSnapshot) -> str:
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
        and _is_own(order, h.strategy_name, h.entries)
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
    units = decimal_text(min(abs(net), abs(unclaimed)) * _sign(unclaimed))
    several = sum(bool(n) for n in nets.values()) > 1
    return f"cli.py adopt {names} {units}{f' --product {product}' if several else ''} --reason REASON"


def _there(nets: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{decimal_text(net)} {product}" for product, net in sorted(nets.items()) if net)
