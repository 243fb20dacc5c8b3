"""The facts that rules and exit sizing need, from the tables of the store in memory."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from domain.account_state import AccountState
from domain.broker_reports import UnreadableRow
from domain.daily_loss import DayLoss
from domain.enums import ExecutionType, OrderType, Side
from domain.ids import ulid
from domain.limits import Limits
from domain.money import ZERO
from domain.order import Order
from domain.ports import ExposureQuery
from domain.position_comparison import converted, known_elsewhere, still_disputed
from domain.risk_facts import ExitFacts, Facts, Holding
from domain.risk_stops import RiskRule
from domain.states import Phase
from persistence.memory.limit_facts import limit_facts, stops_of
from persistence.memory.reads import OPEN
from persistence.memory.tables import AccountRow, Tables

_MINUTE = timedelta(seconds=60)
_RESTING = (Phase.WORKING, Phase.PARTIALLY_FILLED)


def entry_facts(
    t: Tables, q: ExposureQuery, held: list[Holding], *, now: datetime, limits: Limits, live_allowed: bool
) -> Facts:
    """Return everything the rules need about one order. `held`: all holdings of its client."""
    account = t.accounts.get(q.client_id, AccountRow())
    loss = account.day_loss or DayLoss(now.date())
    here = [h for h in held if (h.exchange, h.symbol) == (q.exchange, q.symbol)]
    own = [h for h in here if h.strategy_name == q.strategy_name]
    opposite = {h.strategy_name for h in here if h not in own and h.net_quantity * q.sign < 0}
    others = [o for o in _open_here(t, q) if o.command_id != q.command_id and o.test_mode is None]
    late = [o for o in _symbol(t, q) if o.is_provisional(now)]
    entries = [o for o in others if o.execution_type is ExecutionType.ENTRY]
    ahead = [o for o in entries if o.strategy_name == q.strategy_name and not _waits_behind(o, q, now)]
    exits = [o for o in others if o not in entries and o.strategy_name == q.strategy_name]
    opposite |= {
        o.strategy_name for o in entries if o.side.sign != q.sign and o.strategy_name != q.strategy_name
    }
    partial = [o for o in ahead if o.filled_quantity]
    stops = stops_of(t, q)
    reduces = any(s.key.rule is RiskRule.REDUCING and s.is_standing(now) for s in stops)
    reduces |= limits.scheduled is AccountState.REDUCING
    own_entries = sum(max(h.entries, 1) for h in own)
    return Facts(
        now=now,
        limits=limits,
        live_allowed=live_allowed,
        halt=_halt(t, q),
        unreadable_row=_unreadable(t, q, limits),
        positions_read_at=account.read_at,
        pnl=loss.counted_pnl,
        lowest_pnl=loss.lowest,
        loss_counts_from=loss.counts_from,
        loss_latched=q.limits_of in loss.latched,
        entries_last_minute=_entries_last_minute(t, q, now, limits),
        open_orders=_open_orders(t, q, limits),
        unknown_on_symbol=len([o for o in others if o.phase is Phase.UNKNOWN]) + len(late),
        position_disputed=q.client_id in t.accounts and _disputed(t, q),
        own_open_entries=len(ahead) - len(partial),
        own_held_entries=max(own_entries, len(partial)),
        own_net=sum((h.net_quantity for h in own if h.entries), ZERO),
        closed_by_hand=bool(own_entries) and _is_closed_by_hand(t, q, here),
        turns_own_entry=any(o.side.sign != q.sign for o in ahead),
        exit_ahead=any(not _is_later_exit(o, q, now) and not _rests(o) for o in exits),
        exit_open=bool(exits),
        opposite_holders=tuple(sorted(opposite)),
        last_price=_last_price(t, q) if limits.max_order_value is not None else None,
        stops=stops,
        of_limits=limit_facts(t, q, held, limits, now, reduces=reduces),
    )


def exit_facts(t: Tables, order: Order, held: list[Holding], now: datetime) -> ExitFacts:
    """Return what an exit must know about its symbol."""
    there = (order.client_id, order.exchange, order.symbol)
    here = [h for h in held if h.symbol == order.symbol]
    differences = [(place[2], kept.difference.amount, kept.since) for place, kept in t.differences_of(*there)]
    by_hand = [
        (each.report.product or "", each.effect) for _, each in t.external_of(*there) if each.unexplained
    ]
    by_hand_units = sum((units for _, units in by_hand), ZERO)
    believed_units = believed(t, *there)
    return ExitFacts(
        holdings=tuple(h for h in here if h.exchange == order.exchange),
        orders=tuple(
            other
            for other in t.orders_of(order.client_id)
            if (other.exchange, other.symbol) == (order.exchange, order.symbol)
            and other.command_id != order.command_id
            and (other.is_provisional(now) or (other.status in OPEN and other.test_mode is None))
        ),
        by_hand=by_hand_units,
        believed=believed_units,
        known=known_elsewhere(differences, by_hand),
        disputed=still_disputed(
            sum((units for _, units, _ in differences), ZERO), believed_units, by_hand_units
        ),
        last_fills={side: at for side in Side if (at := t.last_fill(order.client_id, order.symbol, side))},
        elsewhere=tuple(h for h in here if h.exchange != order.exchange),
    )


def believed(t: Tables, client_id: str, exchange: str, symbol: str) -> Decimal:
    """Return by how much the broker's position is believed to differ from what strategies hold."""
    return sum((kept.believed for _, kept in t.differences_of(client_id, exchange, symbol)), ZERO)


def by_hand(t: Tables, client_id: str, exchange: str, symbol: str) -> Decimal:
    """Return what external orders did to the position, except what a believed difference contains already."""
    return sum((each.effect for _, each in t.external_of(client_id, exchange, symbol)), ZERO)


def is_closed_by_others(
    t: Tables, client_id: str, exchange: str, symbol: str, held: Mapping[str, Decimal]
) -> bool:
    """Return True if others have closed all that strategies hold there, by product. What was before closes nothing."""
    there = (client_id, exchange, symbol)
    orders = [(e.report.product, e.effect, e.first_seen_at) for _, e in t.external_of(*there)]
    others = [(place[2], kept.believed, kept.since) for place, kept in t.differences_of(*there)]

    def is_closed(product: str, units: Decimal) -> bool:
        side = Side.BUY if units > 0 else Side.SELL
        entered = t.last_fill(client_id, symbol, side)
        of_it = [(effect, at) for of, effect, at in [*orders, *others] if of in (None, product)]
        since = sum((effect for effect, at in of_it if entered is None or at >= entered), ZERO)
        if units + sum((effect for effect, _ in of_it), ZERO):
            return False
        amounts = [(place[2], kept.difference.amount, kept.since) for place, kept in t.differences_of(*there)]
        return -since * side.sign - max(converted(amounts, product) * side.sign, ZERO) >= abs(units)

    open_ = {product: units for product, units in held.items() if units}
    return bool(open_) and all(is_closed(product, units) for product, units in open_.items())


def _symbol(t: Tables, q: ExposureQuery) -> list[Order]:
    return [o for o in t.orders_of(q.client_id) if (o.exchange, o.symbol) == (q.exchange, q.symbol)]


def _open_here(t: Tables, q: ExposureQuery) -> list[Order]:
    return [o for o in _symbol(t, q) if o.status in OPEN]


def _is_younger(order: Order, q: ExposureQuery, now: datetime) -> bool:
    return (order.created_at, order.command_id) > (q.created_at or now, q.command_id or "")


def _waits_behind(order: Order, q: ExposureQuery, now: datetime) -> bool:
    return order.waits_for is not None and _is_younger(order, q, now)


def _is_later_exit(order: Order, q: ExposureQuery, now: datetime) -> bool:
    # A further part of an exit's leg is younger than the leg, and begins with its id.
    if order.parent_command_id is not None:
        return order.command_id > (q.command_id or "")
    return _is_younger(order, q, now)


def _rests(order: Order) -> bool:
    return order.order_type is not OrderType.MARKET and order.phase in _RESTING


def _halt(t: Tables, q: ExposureQuery) -> str | None:
    found = (t.halts.get((q.client_id, name)) for name in ("", q.strategy_name))
    return next((halt.reason for halt in found if halt is not None), None)


def _unreadable(t: Tables, q: ExposureQuery, limits: Limits) -> str | None:
    row = _hiding(t, q.client_id, q.exchange, q.symbol, q.product)
    if row is None and limits.max_daily_loss is not None:
        row = next((each for each in t.unreadable.get(q.client_id, ()) if each.has_pnl), None)
    return None if row is None else row.text


def _hiding(
    t: Tables, client_id: str, exchange: str, symbol: str, product: str | None
) -> UnreadableRow | None:
    read_at = t.accounts.get(client_id, AccountRow()).read_at
    listed = any(
        key[:3] == (client_id, exchange, symbol) and product in (None, key[3]) and kept.read_at == read_at
        for key, kept in t.positions.items()
    )
    rows = t.unreadable.get(client_id, ())
    return next((row for row in rows if row.hides(exchange, symbol, product, listed=listed)), None)


def _disputed(t: Tables, q: ExposureQuery) -> bool:
    # Excess units at the broker take nothing from any strategy, so they are not a dispute.
    return any(
        not kept.difference.is_external
        and not kept.is_settled
        and (kept.difference.amount < 0) != ((kept.difference.held or kept.difference.at_broker) < 0)
        for _, kept in t.differences_of(q.client_id, q.exchange, q.symbol)
    )


def _is_closed_by_hand(t: Tables, q: ExposureQuery, here: Iterable[Holding]) -> bool:
    held: dict[str, Decimal] = {}
    for h in here:
        held[h.product] = held.get(h.product, ZERO) + h.net_quantity
    return is_closed_by_others(t, q.client_id, q.exchange, q.symbol, held)


def _entries_last_minute(t: Tables, q: ExposureQuery, now: datetime, limits: Limits) -> int:
    if limits.max_orders_per_minute is None:
        return 0
    found = [
        o
        for o in _other_entries(t, q)
        if o.command_id >= ulid(now - _MINUTE, 0)
        and now - _MINUTE < o.created_at < now + _MINUTE
        and o.phase is not Phase.BLOCKED
    ]
    return min(len(found), limits.max_orders_per_minute + 1)


def _open_orders(t: Tables, q: ExposureQuery, limits: Limits) -> int:
    if limits.max_open_orders is None:
        return 0
    return min(len([o for o in _other_entries(t, q) if o.status in OPEN]), limits.max_open_orders + 1)


def _other_entries(t: Tables, q: ExposureQuery) -> list[Order]:
    return [
        o
        for o in t.orders_of(q.client_id)
        if o.execution_type is ExecutionType.ENTRY and o.test_mode is None and o.command_id != q.command_id
    ]


def _last_price(t: Tables, q: ExposureQuery) -> Decimal | None:
    prices = (
        kept.position.last_price
        for key, kept in t.positions.items()
        if key[:3] == (q.client_id, q.exchange, q.symbol)
    )
    return next((price for price in prices if price is not None), None)
