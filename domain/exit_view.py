"""See a symbol as one exit sees it: what its strategy holds by our fills, and what a read bears out of that."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from domain.broker_reports import PositionsSnapshot
from domain.enums import ExecutionType, OrderType, Side
from domain.limits import ExitScope
from domain.money import ZERO
from domain.order import Order
from domain.position_comparison import LAGS_AT_MOST
from domain.risk_facts import ExitFacts
from domain.states import Phase, Status
from domain.times import has_elapsed

_OUTCOME_UNKNOWN = frozenset({Phase.SUBMITTING, Phase.UNKNOWN, Phase.ABSENT})


@dataclass(frozen=True)
class ExitView:
    """The symbol as one exit sees it. Quantities are unsigned, on the side of the position that it closes."""

    sign: int  # of the position: +1 long, -1 short, 0 no position
    by_fills: Decimal = ZERO
    by_read: Decimal = ZERO
    under_way: Decimal = ZERO  # what outstanding exits of the account may still take
    unsettled: Decimal = ZERO  # what may explain a difference and is known soon
    products: Mapping[str, Decimal] = field(default_factory=dict)  # what each may give, the preferred first
    may_be_converted: bool = False
    is_doubtful: bool = False  # our fills sum to flat, and the strategy may hold units all the same
    is_behind: bool = False  # the read may be from before a fill of ours that closes

    @property
    def closing(self) -> Side:
        return Side.SELL if self.sign > 0 else Side.BUY


def exit_view(order: Order, snapshot: PositionsSnapshot, facts: ExitFacts, scope: ExitScope) -> ExitView:
    """Return how much an exit may take by our fills and by the read, and what makes the two uncertain."""
    nets = snapshot.by_product(order.exchange, order.symbol)
    net = sum(nets.values(), ZERO)
    ours = sum((h.net_quantity for h in facts.holdings), ZERO) + facts.by_hand + facts.believed
    ours += _sold_of_earlier_days(order, snapshot, facts)
    own = _own(order, facts)
    held = sum(own.values(), ZERO)
    whole = scope is ExitScope.POSITION
    sign = _sign(net or ours) if whole else _sign(held)
    if not sign:
        return ExitView(0)
    exits = [o for o in facts.orders if _may_take(o, order, sign)]
    under_way, mine = _sum(exits), _sum(o for o in exits if is_about_the_same(o, order))
    left = max(held * sign - mine, ZERO)
    others = _held_by_others(order, facts, sign)
    surplus = (net - ours) * sign
    more, is_behind = _of_before(facts, snapshot, sign, surplus, under_way, is_whole=whole)
    unsettled = more + _sum(o for o in exits if _may_be_filled(o))
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
        return ExitView(sign, by_fills, by_read, under_way, unsettled, products, is_behind=is_behind)
    shows_all = _shows(facts.last_fill_at, snapshot)
    # Units in another product may be ours, converted by the broker or by hand. Not so the units that were there before
    # ours went missing, and not by a read that may not show our last fill yet.
    apart = {p: max(q * sign, ZERO) for p, q in facts.known.items() if p not in own}
    converted = {p: max(q - apart.get(p, ZERO), ZERO) for p, q in may.items() if p not in own}
    here = {p: q for p, q in may.items() if p in own}
    products = _preferred(here | converted if shows_all else here, own, order)
    # Units that were there before explain nothing of ours, except as much as was closed of ours by hand.
    closed = sum((max(-q * sign, ZERO) for p, q in facts.known.items() if p in own or not p), ZERO)
    elsewhere = _beside(own, nets, facts, sign) - min(sum(apart.values(), ZERO), closed)
    by_fills = max(ours * sign + elsewhere - under_way, ZERO)
    by_read = sum(products.values(), ZERO)
    may_be_converted = not shows_all and any(converted.values())
    closed += _opposite(own, facts, sign)
    is_doubtful = bool(left and _may_be_held(facts, left - closed, surplus)) and not by_fills
    return ExitView(
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


def _may_be_held(facts: ExitFacts, unclosed: Decimal, surplus: Decimal) -> bool:
    """Return True where the strategy may hold units although our fills sum to flat.

    - Nothing known has closed all of them in their own products. What others have elsewhere closes nothing: by such a
      hedge our fills may sum to flat, and so does an empty read.
    - What is believed makes it flat, and the read is another: of a conversion, one half may end before the other.
    """
    return unclosed > 0 or bool(facts.believed and surplus)


def _opposite(own: Mapping[str, Decimal], facts: ExitFacts, sign: int) -> Decimal:
    """Return what strategies hold on the other side in the same products: the broker nets it with this."""
    return sum((max(-h.net_quantity * sign, ZERO) for h in facts.holdings if h.product in own), ZERO)


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
    show in a read of before such a fill, unless told units are its surplus. An entry that is filling may be its
    surplus, and may just as well hide what is missing: that fill is recorded first. Where such a read has less than
    our fills say, by nothing that we know of, there may be less still.

    Args:
        surplus: how much more the read has than our fills say, on the side of the position.
    """
    closed_at = facts.last_fills.get(Side.SELL if sign > 0 else Side.BUY)
    shows_closing = _shows(closed_at, snapshot)
    missing = ZERO if shows_closing else max(-facts.disputed * sign, ZERO)
    began_before = closed_at is not None and snapshot.read_started_at <= closed_at
    if _shows(facts.last_fill_at, snapshot) or (is_whole and not missing):
        return ZERO, began_before
    explained = max(facts.disputed * sign, ZERO)
    is_odd = surplus > explained or -surplus > missing + under_way
    return max(surplus + missing, ZERO), began_before or (not shows_closing and is_odd)


def _shows(filled_at: datetime | None, snapshot: PositionsSnapshot) -> bool:
    """Return True when the read began so long after that fill that it shows it."""
    if filled_at is None:
        return True
    return has_elapsed(snapshot.counted_from(filled_at), snapshot.read_started_at, LAGS_AT_MOST)


def _own(order: Order, facts: ExitFacts) -> dict[str, Decimal]:
    """Return what the exit's strategy holds in the products that the exit may close, signed, by product."""
    own: dict[str, Decimal] = {}
    for h in facts.holdings:
        if is_own(order, h.strategy_name, h.entries) and order.requested_product in (None, h.product):
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


def _may_be_filled(other: Order) -> bool:
    return other.order_type is OrderType.MARKET or other.phase in _OUTCOME_UNKNOWN


def is_own(order: Order, strategy_name: str, entries: int) -> bool:
    return strategy_name == order.strategy_name and bool(entries)


def is_about_the_same(other: Order, order: Order) -> bool:
    """Return True for an exit of the same strategy that may be about the same product."""
    if other.strategy_name != order.strategy_name:
        return False
    return None in (other.requested_product, order.requested_product) or (
        other.requested_product == order.requested_product
    )


def _sum(orders: Iterable[Order]) -> Decimal:
    return sum((o.open_quantity for o in orders), ZERO)


def _sign(quantity: Decimal) -> int:
    return (quantity > 0) - (quantity < 0)
