"""What exits may do to positions, judged by the broker's own record of trades: nobody here believes `holdings`.

People trade by hand beside the strategies, so nobody can say of every unit whose it is. What a strategy owns is
therefore a range: its own fills, less what hands may have sold of them. Only what is outside every reading is called.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from tests.e2e.judge_case import Case, Check, listed, said, time_of
from tests.e2e.judge_evidence import BrokerOrder, Fill, Row

ZERO = Decimal(0)
READ_AGE = timedelta(seconds=12)
"""How old the state may be that an exit was sized by: a position book 6 s behind, a read of 4 s that serves for 2 s."""

_OF_THE_BROKER = ("BROKER_REJECTED", "BROKER_CANCELLED", "BROKER_EXPIRED", "BROKER_ABSENT")
_OF_THE_SENDER = ("DUPLICATE_BLOCKED", "VALIDATION_FAILED", "NOT_SENT:CANCELLED", "NOT_SENT:OPERATOR")
EXCUSED = _OF_THE_BROKER + _OF_THE_SENDER
"""Tags of exits that may fail while units remain: the broker or a person ended them, or they were none."""


@dataclass
class Owned:
    """What a strategy owns of a symbol: at least `low`, at most `high`; negative for short."""

    low: Decimal = ZERO
    high: Decimal = ZERO

    def entered(self, quantity: Decimal) -> None:
        """A fill of an entry of its own."""
        self.low, self.high = self.low + quantity, self.high + quantity

    def exited(self, quantity: Decimal) -> Decimal:
        """A fill of an exit of its own; how many units of it cannot have been its own."""
        held = self.high if quantity < 0 else -self.low
        foreign = max(abs(quantity) - max(held, ZERO), ZERO)
        own = quantity + foreign if quantity < 0 else quantity - foreign
        if own < 0:
            self.low, self.high = max(self.low + own, ZERO), self.high + own
        elif own > 0:
            self.low, self.high = self.low + own, min(self.high + own, ZERO)
        return foreign

    def reduced_by_hand(self, quantity: Decimal) -> None:
        """A person traded so much on the other side: some of it may have been this strategy's."""
        if quantity < 0 and self.low > 0:
            self.low = max(self.low + quantity, ZERO)
        elif quantity > 0 and self.high < 0:
            self.high = min(self.high + quantity, ZERO)


class Symbol:
    """All trades of one account in one symbol, in the order of the broker's record."""

    def __init__(self) -> None:
        self.fills: list[tuple[Fill, Row | None]] = []

    def strategies(self) -> set[str]:
        """Those that traded here."""
        return {row["strategy_name"] for _, row in self.fills if row is not None}

    def owned(
        self,
        strategy: str,
        *,
        until: datetime | None = None,
        counts: Callable[[Row], bool] = lambda _: True,
        foreign: Callable[[Fill, Row, Decimal], None] = lambda *_: None,
    ) -> Owned:
        """What the strategy owned then; entries are counted where `counts` says so, foreign units reported."""
        owned, by_hand = Owned(), ZERO
        for fill, row in self.fills:
            if until is not None and fill.at > until:
                break
            if fill.by_hand:
                owned.reduced_by_hand(_beyond(by_hand, fill.quantity))
                by_hand += fill.quantity
            elif row is None or row["strategy_name"] != strategy:
                continue
            elif row["execution_type"] == "EXIT":
                units = owned.exited(fill.quantity)
                if units:
                    foreign(fill, row, units)
            elif counts(row):
                owned.entered(fill.quantity)
                owned.reduced_by_hand(
                    by_hand
                )  # hands that were on the other side already have closed some of it
        return owned


def _beyond(by_hand: Decimal, quantity: Decimal) -> Decimal:
    """What of a trade by hand is more than closing what hands hold themselves."""
    if by_hand * quantity >= 0:
        return quantity
    rest = abs(quantity) - abs(by_hand)
    return ZERO if rest <= 0 else rest if quantity > 0 else -rest


def _symbols(case: Case) -> dict[tuple[str, ...], Symbol]:
    symbols: dict[tuple[str, ...], Symbol] = defaultdict(Symbol)
    for fill in case.evidence.fills:
        if fill.broker_order_id:  # a conversion changes the product, not the owner
            symbols[fill.symbol].fills.append((fill, case.row_of(fill.broker_order_id)))
    return symbols


def reversed_by_exits(case: Case) -> Iterator[str]:
    """An exit reduces: none of its fills may enlarge a position or turn it round, beyond what a hand traded meanwhile.

    Meanwhile: since the state that the exit was sized by, which may be as old as `READ_AGE` when the exit was sent.
    """
    held: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    by_hand: dict[tuple[str, ...], list[Fill]] = defaultdict(list)
    for fill in case.evidence.fills:
        before = held[fill.position]
        held[fill.position] = before + fill.quantity
        if fill.by_hand:
            by_hand[fill.position].append(fill)
            continue
        row = case.row_of(fill.broker_order_id)
        if row is None or row["execution_type"] != "EXIT":
            continue
        there = max(before if fill.quantity < 0 else -before, ZERO)
        since = _sent_at(case, row, fill) - READ_AGE
        excused = _traded(by_hand[fill.position], fill.quantity, since)
        if abs(fill.quantity) > there + excused:
            what = f"{' '.join(fill.position)} went from {before} to {held[fill.position]}"
            yield f"{row['command_id']} ({fill.broker_order_id}) at {fill.at}: {what}; by hand meanwhile {excused}"


def _sent_at(case: Case, row: Row, fill: Fill) -> datetime:
    times = [
        time_of(event["at"])
        for event in case.events[row["command_id"]]
        if event["to_phase"] == "SUBMITTING" and time_of(event["at"]) <= fill.at
    ]
    return times[-1] if times else fill.at


def _traded(fills: Sequence[Fill], side: Decimal, since: datetime) -> Decimal:
    """How many units hands traded on that side since then."""
    return sum((abs(fill.quantity) for fill in fills if fill.quantity * side > 0 and fill.at >= since), ZERO)


def not_its_own(case: Case) -> Iterator[str]:
    """An exit sold (or bought back) more than its strategy can have owned by its own fills."""
    found: list[str] = []

    def note(fill: Fill, row: Row, units: Decimal) -> None:
        found.append(
            f"{row['command_id']} ({fill.broker_order_id}) at {fill.at}: {units} of {abs(fill.quantity)} "
            f"in {' '.join(fill.symbol)} are not {row['strategy_name']}'s"
        )

    for symbol in _symbols(case).values():
        for strategy in sorted(symbol.strategies()):
            symbol.owned(strategy, foreign=note)
    yield from found


def ended_too_soon(case: Case) -> Iterator[str]:
    """An exit FAILED by our own word while its strategy's units or live entries were there; or it was EXECUTED, and an
    older entry filled afterwards, and stayed.

    Entries count that came before the exit; where the exit asked for a quantity, only what it could have closed.
    """
    symbols = _symbols(case)
    for row in case.orders.values():
        if row["execution_type"] != "EXIT" or row["test_mode"] is not None:
            continue
        if row["status"] == "FAILED" and not (row["tag"] or "").startswith(EXCUSED):
            yield from _failed_with_units(case, symbols, row)
        elif row["status"] == "EXECUTED" and row["requested_quantity"] is None:
            yield from _reopened(case, symbols, row)


def _failed_with_units(case: Case, symbols: dict[tuple[str, ...], Symbol], row: Row) -> Iterator[str]:
    at = _ended_at(case, row)
    owned = _owned_before(case, symbols, row, until=at)
    if (owned.low > 0 and row["requested_side"] != "BUY") or (
        owned.high < 0 and row["requested_side"] != "SELL"
    ):
        yield f"{said(row)} at {at}: {row['strategy_name']} owned between {owned.low} and {owned.high}"
    if row["requested_quantity"] is None:
        live = [
            order
            for order in _older_entries(case, row)
            if order.at <= at and (order.ended is None or order.ended > at)
        ]
        late = [o for o in _older_entries(case, row) if o.at > at and o.filled and not _revived(case, o)]
        if live or late:
            yield f"{said(row)} at {at}: its entries live: {listed(live + late)}"


def _reopened(case: Case, symbols: dict[tuple[str, ...], Symbol], row: Row) -> Iterator[str]:
    at = _ended_at(case, row)
    later = [
        order
        for order in _older_entries(case, row)
        if order.filled and (order.ended is None or order.ended > at) and not _revived(case, order)
    ]
    if not later or _a_later_exit_failed(case, row):
        return
    owned = _owned_before(case, symbols, row, until=None)
    if owned.low > 0 or owned.high < 0:
        yield (
            f"{said(row)} at {at}: an older entry filled afterwards, and {row['strategy_name']} still owns between "
            f"{owned.low} and {owned.high}: {listed(later)}"
        )


def _owned_before(
    case: Case, symbols: dict[tuple[str, ...], Symbol], row: Row, *, until: datetime | None
) -> Owned:
    """What its strategy owned, as far as entries brought it that came before the exit."""
    where = _where(case, row)
    symbol = symbols.get(where) if where is not None else None
    if symbol is None:
        return Owned()

    def counts(other: Row) -> bool:
        """Nobody has to reckon with an entry that the broker accepted beyond the horizon."""
        return other["created_at"] < row["created_at"] and not any(
            _revived(case, o) for o in case.sent(other)
        )

    return symbol.owned(row["strategy_name"], until=until, counts=counts)


def _where(case: Case, row: Row) -> tuple[str, ...] | None:
    """The account and symbol at the broker that the row is about, known by any order there that this client sent."""
    user = case.user_of.get(row["client_id"])
    return None if user is None else (user, row["exchange"], row["symbol"])


def _older_entries(case: Case, row: Row) -> Iterator[BrokerOrder]:
    """What the broker took of its strategy's entries in the symbol that came before the exit, on the side it closes.

    An entry of the side that the exit sent is a reversal: it waits for the exit, and stays.
    """
    side = row["side"] if case.sent(row) else row["requested_side"]
    for other in case.by_strategy[_key(row)]:
        if (
            other["execution_type"] == "ENTRY"
            and other["created_at"] < row["created_at"]
            and side != other["side"]
        ):
            yield from case.sent(other)


def _a_later_exit_failed(case: Case, row: Row) -> bool:
    """The broker or a person ended another exit of it, and they told of that: what stays is known."""
    return any(
        other["execution_type"] == "EXIT"
        and other["status"] == "FAILED"
        and other["updated_at"] >= row["created_at"]
        and (other["tag"] or "").startswith(EXCUSED)
        for other in case.by_strategy[_key(row)]
    )


def _revived(case: Case, order: BrokerOrder) -> bool:
    return order.late_by > case.evidence.horizon


def _ended_at(case: Case, row: Row) -> datetime:
    times = [e["at"] for e in case.events[row["command_id"]] if e["to_status"] == row["status"]]
    return time_of(times[0] if times else row["updated_at"])


def _key(row: Row) -> tuple[str, ...]:
    return (row["client_id"], row["exchange"], row["symbol"], row["strategy_name"])


def holdings_forgotten(case: Case) -> Iterator[str]:
    """A strategy owns units by the broker's record, and `holdings` has fewer or none of them.

    Where one of its orders is still open, nobody can know yet.
    """
    kept: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for held in case.evidence.tables.holdings:
        kept[_key(held)] += Decimal(held["net_quantity"])
    for (user, exchange, symbol), trades in _symbols(case).items():
        for strategy in sorted(trades.strategies()):
            key = (case.client_of.get(user, ""), exchange, symbol, strategy)
            if any(row["status"] not in ("EXECUTED", "FAILED") for row in case.by_strategy[key]):
                continue
            owned = trades.owned(strategy)
            if owned.low > max(kept[key], ZERO) or owned.high < min(kept[key], ZERO):
                yield (
                    f"{' '.join(key)}: owns between {owned.low} and {owned.high} by its fills, "
                    f"and holdings say {kept[key]}"
                )


POSITIONS: dict[str, Check] = {
    "reversed": reversed_by_exits,
    "not its own": not_its_own,
    "exits ended too soon": ended_too_soon,
    "holdings forgotten": holdings_forgotten,
}
