"""Adoptions, units of the account that a person assigned to a strategy, in the store in memory."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from domain.adoption import Adoption, AdoptionFacts, KnownDifference
from domain.broker_reports import PositionsSnapshot
from domain.enums import Side
from domain.holdings import Held
from domain.money import ZERO
from domain.position_comparison import Difference
from domain.risk_facts import Holding
from persistence.memory.reads import OPEN
from persistence.memory.tables import AccountRow, Tables


def adoption_facts(
    t: Tables,
    client_id: str,
    symbol: str,
    held: list[Holding],
    last_fill_at: datetime | None,
    now: datetime,
) -> AdoptionFacts:
    """Return what is known of the symbol on all exchanges. Brokers may write it in other upper and lower case."""
    differences = [
        KnownDifference(
            key[1:], kept.difference.amount, kept.believed, is_external=kept.difference.is_external
        )
        for key, kept in t.differences.items()
        if key[0] == client_id and _is_same(key[2], symbol)
    ]
    by_hand: dict[str, Decimal] = {}
    for (client, _), each in t.external.items():
        if client == client_id and each.unexplained and _is_same(each.report.symbol, symbol):
            by_hand[each.report.exchange] = by_hand.get(each.report.exchange, ZERO) + each.effect
    return AdoptionFacts(
        snapshot=_snapshot(t, client_id, symbol),
        read_error=t.accounts.get(client_id, AccountRow()).read_error,
        holdings=tuple(h for h in held if h.symbol == symbol),
        orders=tuple(
            order
            for order in t.orders_of(client_id)
            if order.symbol == symbol
            and (order.is_provisional(now) or (order.status in OPEN and order.test_mode is None))
        ),
        differences=tuple(differences),
        by_hand=by_hand,
        last_fill_at=last_fill_at,
    )


def _snapshot(t: Tables, client_id: str, symbol: str) -> PositionsSnapshot | None:
    read_at = t.accounts.get(client_id, AccountRow()).read_at
    if read_at is None:
        return None
    # A row from an earlier read stays in the table with that read's time. It does not count as listed now.
    positions = tuple(
        kept.position
        for key, kept in t.positions.items()
        if key[0] == client_id and _is_same(key[2], symbol) and kept.read_at == read_at
    )
    return PositionsSnapshot(read_at, positions, t.unreadable.get(client_id, ()))


def keep_adoption(t: Tables, a: Adoption) -> None:
    """Record the adoption, the strategy's new holding, and what is left of the difference and of external orders."""
    t.adoptions.append(a)
    h = a.holding
    t.holdings[(h.client_id, h.symbol, h.exchange, h.strategy_name, h.product)] = Held(
        h.net_quantity, h.entries
    )
    if a.difference is not None:
        _keep_difference(t, a, a.difference)
    _explain(t, a)


def _keep_difference(t: Tables, a: Adoption, left: KnownDifference) -> None:
    key = (a.client_id, *left.where)
    kept = t.differences.get(key)
    if kept is None:
        return
    if not left.amount:
        del t.differences[key]
        return
    here = (a.client_id, a.symbol, a.exchange, a.product)
    held = sum((units.net for k, units in t.holdings.items() if (*k[:3], k[4]) == here), ZERO)
    old = kept.difference
    savings = left.amount if old.savings == old.amount else old.savings
    difference = Difference(*left.where, held, held + left.amount, is_external=False, savings=savings)
    t.differences[key] = replace(kept, difference=difference, believed=left.believed)


def _explain(t: Tables, a: Adoption) -> None:
    """Take the explained units off the external orders on that side, oldest first."""
    left, side = a.explained, Side.BUY if a.quantity > 0 else Side.SELL
    there = [
        (each.first_seen_at, key)
        for key, each in t.external.items()
        if key[0] == a.client_id
        and each.report.exchange == a.exchange
        and each.report.side is side
        and _is_same(each.report.symbol, a.symbol)
    ]
    for _, key in sorted(there):
        taken = min(left, t.external[key].unexplained)
        left -= taken
        t.external[key] = replace(t.external[key], unexplained=t.external[key].unexplained - taken)


def _is_same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()
