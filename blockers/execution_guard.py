"""Keep strategies apart, and block entries while something is not known."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from blockers.rules import Block, Rule
from domain.broker_reports import PositionsSnapshot
from domain.money import ZERO, decimal_text
from domain.notices import Notice, NoticeKind
from domain.order import Order
from domain.ports import Store, Transaction
from domain.reason_codes import Reason
from domain.risk_facts import Facts, Holding


def live_trading(order: Order, facts: Facts) -> Block | None:
    """Block every order to a real broker, exits included, while LIVE_TRADING is false."""
    return None if facts.live_allowed else Block(Reason.ORDER_BLOCKED_LIVE_TRADING)


def halted(order: Order, facts: Facts) -> Block | None:
    """Block entries that an operator, or the program itself, has halted."""
    return None if facts.halt is None else Block(Reason.TRADING_HALTED, facts.halt)


def positions_stale(order: Order, facts: Facts) -> Block | None:
    """Block entries while the positions are not known, because what is not known cannot be judged.

    That is so where:

    - the positions were never read, or the last read is too old;
    - a row of the read could not be parsed, and it hides what is held in the symbol or a loss that is limited.
    """
    if facts.positions_read_at is None:
        return Block(Reason.POSITIONS_STALE, "never read")
    age = (facts.now - facts.positions_read_at).total_seconds()
    if abs(age) > facts.limits.positions_max_age_seconds:  # a read in the future: the clock was set back
        limit = facts.limits.positions_max_age_seconds
        return Block(Reason.POSITIONS_STALE, f"{age:.0f} s old, limit {limit:.0f} s")
    if facts.unreadable_row is not None:
        return Block(Reason.POSITIONS_STALE, f"a row cannot be read: {facts.unreadable_row}")
    if facts.pnl is None and facts.limits.max_daily_loss is not None:
        return Block(Reason.POSITIONS_STALE, "a row cannot be read: the day's profit and loss is not known")
    return None


def outcome_unknown(order: Order, facts: Facts) -> Block | None:
    """Block entries in a symbol in which an order may or may not be live."""
    return Block(Reason.OUTCOME_UNKNOWN) if facts.unknown_on_symbol else None


def position_disputed(order: Order, facts: Facts) -> Block | None:
    """Block entries in a symbol whose position the broker shows as less than our own fills made it."""
    return Block(Reason.POSITION_DISPUTED) if facts.position_disputed else None


def opposite_side_held(order: Order, facts: Facts) -> Block | None:
    """Block an entry against another strategy's side: the two would close each other's positions."""
    if not facts.opposite_holders:
        return None
    return Block(Reason.OPPOSITE_SIDE_HELD, ", ".join(facts.opposite_holders))


class ExecutionGuard:
    """The rules about what is held, and the reconciliation of what strategies hold with the broker's positions."""

    always: tuple[Rule, ...] = (live_trading,)
    rules: tuple[Rule, ...] = (
        halted,
        positions_stale,
        outcome_unknown,
        position_disputed,
        opposite_side_held,
    )

    def __init__(self, store: Store) -> None:
        self._store = store

    def reconcile_with_broker(
        self, client_id: str, snapshot: PositionsSnapshot, *, horizon: timedelta
    ) -> list[Holding]:
        """Forget holdings in symbols that the broker shows flat, where that is certain; return what was forgotten.

        One read is no proof. It is certain where either:

        - broker orders that no row here explains have closed the holdings, by the broker's own rows;
        - the difference has stood for minutes, read after read.

        A symbol is left alone when its last fill is younger than the read's beginning less `horizon`, because the fill
        may not show in the read yet.
        """
        flat: dict[tuple[str, str], list[Holding]] = {}
        for h in self._store.holdings(client_id):
            known = all(snapshot.is_readable(h.exchange, h.symbol, p) for p in (None, h.product))
            if known and not any(snapshot.nets(h.exchange, h.symbol)):
                flat.setdefault((h.exchange, h.symbol), []).append(h)
        settled = snapshot.read_started_at - horizon
        return [h for held in flat.values() if self._forget(held, settled) for h in held]

    def _forget(self, held: Sequence[Holding], settled: datetime) -> bool:
        """Forget what all strategies hold of one symbol, and notify of it in the same transaction."""
        client_id, exchange, symbol = held[0].client_id, held[0].exchange, held[0].symbol
        units: dict[str, Decimal] = {}
        for h in held:
            units[h.product] = units.get(h.product, ZERO) + h.net_quantity
        what = ", ".join(
            sorted(f"{h.strategy_name} {decimal_text(h.net_quantity)} {h.product}" for h in held)
        )

        def work(tx: Transaction) -> bool:
            by_hand = tx.by_hand(client_id, exchange, symbol)
            if not tx.is_closed_by_others(client_id, exchange, symbol, units):
                return False
            if not tx.clear_holdings(client_id, symbol=symbol, exchange=exchange, settled_before=settled):
                return False
            tx.forget_symbol(client_id, exchange, symbol)
            why = "broker orders that no order here explains closed it" if by_hand else "it has for minutes"
            text = f"the broker shows {exchange} {symbol} flat ({why}); no longer held: {what}"
            tx.notify(Notice(NoticeKind.HOLDING_CLEARED, client_id, symbol=symbol, detail=text))
            return True

        if not self._store.may_forget(client_id, exchange, symbol):
            return False
        return self._store.write(work)
