"""The ledger: the simulated broker's state of the day. The journal's records alone can rebuild it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from broker.simulated_exchange.model import Mark, Market
from broker.simulator.journal import converted_in, instrument_in, mark_in, ticket_in, version_in
from broker.simulator.words import (
    BookEntry,
    Conversion,
    DayPosition,
    HoldingKey,
    Instrument,
    OrderChange,
    OrderTerms,
    Version,
    apply_change,
    holdings,
)

Symbol = tuple[str, str]
"""Exchange and trading symbol."""


@dataclass(slots=True)
class Account:
    """What one user id has: its orders, its trades and the positions they made, each in the order of time."""

    entries: list[BookEntry] = field(default_factory=list)
    trades: list[tuple[OrderTerms, Version]] = field(default_factory=list)
    held: dict[HoldingKey, DayPosition] = field(default_factory=dict)
    changes: list[OrderChange] = field(default_factory=list)
    tags: set[str | None] = field(default_factory=set)

    def holdings(self, at: datetime | None) -> dict[HoldingKey, DayPosition]:
        """The positions as of `at`; None: now."""
        if at is None:
            return dict(self.held)
        return holdings(change for change in self.changes if _time_of(change) <= at)

    def change(self, change: OrderChange) -> None:
        """Record a trade or a conversion."""
        self.changes.append(change)
        apply_change(self.held, change)


class Ledger:
    """All orders, accounts, markets and symbols. Not safe to share between threads on its own."""

    def __init__(self) -> None:
        self.entries: dict[str, BookEntry] = {}
        self.accounts: dict[str, Account] = {}
        self.markets: dict[Symbol, Market] = {}
        self.instruments: dict[Symbol, Instrument] = {}
        self._by_sequence: dict[int, BookEntry] = {}
        self._trades = 0

    def add(self, ticket: OrderTerms, version: Version) -> BookEntry:
        """Add a new order in its first version."""
        entry = BookEntry(ticket, [version])
        self.entries[ticket.norenordno] = self._by_sequence[ticket.sequence] = entry
        account = self.accounts.setdefault(ticket.uid, Account())
        account.entries.append(entry)
        if ticket.remarks is not None:
            account.tags.add(ticket.remarks)
        return entry

    def change(self, entry: BookEntry, version: Version) -> None:
        """Add a later version of an order."""
        entry.versions.append(version)
        if version.trade is None:
            return
        self._trades += 1
        account, ticket = self.accounts[entry.ticket.uid], entry.ticket
        account.trades.append((ticket, version))
        account.change((ticket, version))

    def convert(self, conversion: Conversion) -> None:
        """Record units that changed their product."""
        self.accounts.setdefault(conversion.uid, Account()).change(conversion)

    def entry_of(self, sequence: int) -> BookEntry:
        """The order of that sequence."""
        return self._by_sequence[sequence]

    def entry(self, uid: str, norenordno: str) -> BookEntry | None:
        """The order of that number, if it is this user's."""
        entry = self.entries.get(norenordno)
        return entry if entry is not None and entry.ticket.uid == uid else None

    def account(self, uid: str) -> Account:
        """The user's account; an empty one for a user who has done nothing yet."""
        return self.accounts.get(uid, Account())

    def next_sequence(self) -> int:
        """The number of the next order, counting from 1."""
        return len(self.entries) + 1

    def next_trade(self) -> str:
        """The number of the next trade, counting from 1."""
        return str(self._trades + 1)

    def mark(self, symbol: Symbol) -> Mark | None:
        """The last price of a symbol."""
        market = self.markets.get(symbol)
        return None if market is None else market.mark

    def new_instrument(self, symbol: Symbol) -> Instrument:
        """A new instrument for a symbol that nobody has named before."""
        return Instrument(*symbol, token=str(1001 + len(self.instruments)))

    def take(self, record: Mapping[str, Any]) -> None:
        """Replay a record. Records of anything but orders, conversions, marks and symbols are left to others."""
        match record["kind"]:
            case "order":
                ticket = ticket_in(record)
                self.add(ticket, version_in(record, ticket))
            case "fill" | "status":
                entry = self.entries[record["norenordno"]]
                self.change(entry, version_in(record, entry.ticket))
            case "converted":
                self.convert(converted_in(record))
            case "mark":
                symbol = (record["exch"], record["tsym"])
                self.markets[symbol] = Market(mark_in(record))
            case "instrument":
                instrument = instrument_in(record)
                self.instruments[instrument.exch, instrument.tsym] = instrument

    def rest_again(self) -> None:
        """Put the live orders back into their markets, once all records are replayed."""
        for entry in self.entries.values():
            if entry.order.is_live:
                symbol = (entry.ticket.exch, entry.ticket.tsym)
                market = self.markets.get(symbol, Market())
                self.markets[symbol] = Market(market.mark, (*market.resting, entry.order))


def _time_of(change: OrderChange) -> datetime:
    return change.at if isinstance(change, Conversion) else change[1].at
