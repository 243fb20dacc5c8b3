"""Turn a position to reach into the orders that lead there, by what the strategy holds when its alert is registered."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from domain.alert import LegRequest, ParsedAlert
from domain.enums import ExecutionType, LegKind, Side
from domain.errors import InvalidAlert, NothingAsked
from domain.limits import ClientPolicy, ExitScope
from domain.money import ZERO, decimal_text
from domain.order import Order
from domain.ports import ExposureQuery, Transaction
from domain.risk_facts import ExitFacts, Facts

_FIELD = "position_size"


def reach(
    tx: Transaction, alert: ParsedAlert, probe: Order, policy: ClientPolicy, now: datetime
) -> ParsedAlert:
    """Return the alert with the legs that lead to its target.

    What is held has to be certain: the positions were read and are not old, no order of the strategy is open there, and
    nothing but its own fills explains the position. Otherwise nothing is traded.

    Args:
        probe: an order as its target asks for it, which is never written.

    Raises:
        InvalidAlert: what is held is not certain, or not what the chart holds. `NothingAsked`: it is the one to reach
            already.
    """
    leg = alert.target
    assert leg is not None and leg.side is not None and leg.quantity is not None
    if leg.instrument is not None and leg.instrument.asked[1].endswith("!"):
        message = "expected a contract's own name: what is held may be that of another month"
        raise InvalidAlert("POSITION_UNKNOWN", message, "symbol")
    if policy.strategy(alert.strategy_name).exit_scope is ExitScope.POSITION:
        raise InvalidAlert("NOT_BUILT", "a position to reach needs exit_scope own, got position", _FIELD)
    query = ExposureQuery(
        alert.client_id, alert.strategy_name, leg.exchange, leg.symbol, leg.side.sign, created_at=now
    )
    limits = policy.limits.for_strategy(alert.strategy_name)
    facts = tx.facts(query, now=now, limits=limits, live_allowed=policy.live_allowed)
    there = tx.exit_facts(probe, now)
    doubt = _unread(facts, now) or _open(there, alert.strategy_name) or _unexplained(facts, there)
    if doubt is not None:
        raise InvalidAlert(
            "POSITION_UNKNOWN", f"a position to reach needs one that is known: {doubt}", _FIELD
        )
    legs = _legs(leg, leg.side.sign * leg.quantity, _held(leg, there, alert.strategy_name))
    types = {each.kind.execution_type for each in legs}
    return replace(alert, legs=legs, execution_type=types.pop() if len(types) == 1 else ExecutionType.ADJUST)


def _unread(facts: Facts, now: datetime) -> str | None:
    if facts.positions_read_at is None:
        return "the broker's positions were not read yet"
    age = (now - facts.positions_read_at).total_seconds()
    limit = facts.limits.positions_max_age_seconds
    if abs(age) > limit:
        return f"they were read {age:.0f} s ago, limit {limit:g} s"
    return None if facts.unreadable_row is None else f"a row cannot be read: {facts.unreadable_row}"


def _open(there: ExitFacts, strategy_name: str) -> str | None:
    mine = [order for order in there.orders if order.strategy_name == strategy_name]
    return f"its strategy's order {mine[0].short_id} is open there, and has to end first" if mine else None


def _unexplained(facts: Facts, there: ExitFacts) -> str | None:
    if facts.position_disputed or facts.unknown_on_symbol:
        return "the broker shows another position than our own fills, or the outcome of an order is unknown"
    if facts.closed_by_hand or there.by_hand or there.believed or there.disputed:
        return "somebody else has traded in the symbol: exit, or adopt what is there"
    return None


def _held(leg: LegRequest, there: ExitFacts, strategy_name: str) -> Decimal:
    """What the strategy holds, positive long.

    Raises:
        InvalidAlert: it holds something in another product, or an exit's fill was recorded before its entry's.
    """
    held = [each for each in there.holdings if each.strategy_name == strategy_name and each.net_quantity]
    for each in held:
        if each.product != leg.product or not each.entries:
            said = f"{decimal_text(each.net_quantity)} {each.product}"
            message = (
                f"expected what is held to be {leg.product}, got {said}: name that product, or exit it first"
            )
            raise InvalidAlert("POSITION_UNKNOWN", message, "product")
    return sum((each.net_quantity for each in held), ZERO)


def _legs(leg: LegRequest, wanted: Decimal, held: Decimal) -> tuple[LegRequest, ...]:
    """The legs that lead from what is held to what is wanted."""
    if wanted == held:
        raise NothingAsked("ALREADY_THERE", f"the strategy holds {decimal_text(held)} already", _FIELD)
    way = Side.BUY if wanted > held else Side.SELL
    if leg.order_side not in (None, way):
        message = f"the alert's order is a {leg.order_side}, and from {decimal_text(held)} it takes a {way}"
        raise InvalidAlert("POSITION_UNKNOWN", f"{message}: what is held is not what the chart holds", _FIELD)
    leg = replace(leg, order_side=None)
    entry = replace(leg, kind=LegKind.ENTRY)
    if not held:
        return (entry,)
    side = Side.SELL if held > ZERO else Side.BUY
    close = replace(leg, side=side, product="", protection=None)
    if wanted * held < ZERO:
        return replace(close, kind=LegKind.FLAT, quantity=None), entry
    more = abs(wanted) - abs(held)
    if more > ZERO:
        return (replace(entry, quantity=more),)
    return (replace(close, kind=LegKind.EXIT, quantity=-more),)
