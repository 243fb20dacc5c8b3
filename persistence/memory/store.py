"""Implement the domain's store port in memory, for tests."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import islice
from operator import attrgetter
from typing import TypeVar

from domain.broker_reports import PositionsSnapshot
from domain.daily_loss import PnlRead, after_read
from domain.errors import StoreUnavailable
from domain.message_facts import MessageFacts
from domain.notices import Notice
from domain.order import Order
from domain.ports import Clock, Heartbeat, OutboxMessage, Transaction
from domain.position_comparison import Difference, Place
from domain.states import Status
from persistence.memory.differences import forget_explanations, stand_anew_after_a_gap
from persistence.memory.reads import Reads
from persistence.memory.tables import AccountRow, KeptPosition, Tables
from persistence.memory.transaction import MemoryTransaction

T = TypeVar("T")

_LONGEST_LEASE = timedelta(minutes=1)
_BY_AGE = attrgetter("created_at")


class MemoryStore(Reads):
    """Implement `domain.ports.ProcessStore` in memory, except moving a client to another id.

    Writers follow one another. Each works on a draft, which becomes the tables at once when its work has ended, so
    readers see all of it or nothing. A write copies the tables: this store is for some thousand rows, not more.

    Args:
        clock: gives the time of messages.
        render: turns a notice into text; the outbox keeps the text.
        facts_of: returns the content of that text as data, kept beside it.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        render: Callable[[Notice], str],
        facts_of: Callable[[Notice], MessageFacts | None] = lambda notice: None,
    ) -> None:
        self._tables = Tables()
        self._turn = threading.Lock()
        self._clock = clock
        self._render = render
        self._facts_of = facts_of
        self.claimants = Claimants()
        self.replaced: str | None = None
        self.unwritable: StoreUnavailable | None = None

    def write(self, work: Callable[[Transaction], T]) -> T:
        def on(draft: Tables) -> T:
            tx = MemoryTransaction(draft, render=self._render, facts_of=self._facts_of, now=self._clock.now)
            return work(tx)

        return self.change(on)

    def change(self, work: Callable[[Tables], T]) -> T:
        """Do the work on a draft of the tables, which is kept when the work ends without an error."""
        with self._turn:
            draft = self._tables.draft()
            result = work(draft)
            self._tables = draft
        return result

    @property
    def tables(self) -> Tables:
        """The rows as they are at present, for a test to look at."""
        return self._tables

    # orders -------------------------------------------------------------------------------------------------

    def get_by_id(self, command_id: str) -> Order | None:
        return self._tables.orders.get(command_id)

    def get_all(self, command_ids: Iterable[str]) -> dict[str, Order]:
        return {id_: self._tables.orders[id_] for id_ in command_ids if id_ in self._tables.orders}

    def get_by_client_order_id(self, client_id: str, client_order_id: str) -> Order | None:
        return next(
            (
                o
                for o in self._tables.orders_of(client_id)
                if o.client_order_id == client_order_id
                and o.broker_order_id is None
                and o.sent_at is not None
            ),
            None,
        )

    def get_open_orders(self, client_id: str) -> list[Order]:
        return sorted(self._at_broker(client_id), key=_BY_AGE)

    def may_be_live(self, client_id: str) -> list[Order]:
        statuses = (Status.CREATED, Status.SENT_TO_BROKER)
        found = [
            o for o in self._tables.orders_of(client_id) if o.status in statuses and o.sent_at is not None
        ]
        return sorted(found, key=_BY_AGE)

    def get_open_orders_by_strategy(self, client_id: str, strategy_name: str) -> list[Order]:
        return [o for o in self.get_open_orders(client_id) if o.strategy_name == strategy_name]

    def has_provisional(self, client_id: str, now: datetime) -> bool:
        return any(order.is_provisional(now) for order in self._tables.orders_of(client_id))

    def claimant_alive(self, claimant: str) -> bool:
        return self.claimants.alive(claimant)

    # holdings and differences -------------------------------------------------------------------------------

    def told_differences(self, client_id: str) -> list[Difference]:
        return [kept.difference for key, kept in self._tables.differences.items() if key[0] == client_id]

    def differences_since(self, client_id: str) -> dict[Place, datetime]:
        differences = self._tables.differences.items()
        return {key[1:]: kept.shown_since for key, kept in differences if key[0] == client_id}

    def has_disputed(self, client_id: str, since: datetime) -> bool:
        return any(
            key[0] == client_id and kept.shown_since <= since and not kept.is_settled
            for key, kept in self._tables.differences.items()
        )

    def may_forget(self, client_id: str, exchange: str, symbol: str) -> bool:
        there, t = (client_id, exchange, symbol), self._tables
        believed = any(kept.believed for _, kept in t.differences_of(*there))
        return believed or any(each.unexplained for _, each in t.external_of(*there))

    # positions ----------------------------------------------------------------------------------------------

    def saved_positions(self, client_id: str) -> PositionsSnapshot | None:
        t = self._tables
        read_at = t.accounts.get(client_id, AccountRow()).read_at
        if read_at is None:
            return None
        positions = tuple(kept.position for key, kept in t.positions.items() if key[0] == client_id)
        return PositionsSnapshot(read_at, positions, t.unreadable.get(client_id, ()))

    def save_positions(
        self,
        client_id: str,
        snapshot: PositionsSnapshot,
        day: date,
        *,
        day_starts: datetime | None = None,
        compared_at: datetime | None = None,
    ) -> None:
        def work(t: Tables) -> None:
            row = t.accounts.get(client_id, AccountRow())
            last = compared_at or row.compared_at or row.read_at
            stand_anew_after_a_gap(t, client_id, last, snapshot.read_started_at)
            self._save_account(t, client_id, snapshot, day, day_starts, compared_at)
            old = {key: kept for key, kept in t.positions.items() if key[0] == client_id}
            for key in old:
                if snapshot.is_readable(
                    *key[1:]
                ):  # an unreadable position is not a flat one: its last row stays
                    del t.positions[key]
            for p in snapshot.positions:
                place = (client_id, p.exchange, p.symbol, p.product)
                t.positions[place] = KeptPosition(p, snapshot.read_started_at)
            t.unreadable[client_id] = tuple(
                replace(row, broker_order_id=None, client_order_id=None) for row in snapshot.unreadable
            )

        self.change(work)

    def _save_account(
        self,
        t: Tables,
        client_id: str,
        snapshot: PositionsSnapshot,
        day: date,
        day_starts: datetime | None,
        compared_at: datetime | None,
    ) -> None:
        row = t.accounts.get(client_id, AccountRow())
        if row.day_loss is not None and row.day_loss.day != day and day_starts is not None:
            forget_explanations(t, client_id, day_starts)
        fills = [at for key, at in t.last_fills.items() if key[0] == client_id]
        read = PnlRead(
            at=snapshot.read_started_at,
            day=day,
            pnl=snapshot.day_pnl,
            day_starts=day_starts,
            has_filled_today=day_starts is not None and any(at >= day_starts for at in fills),
        )
        t.accounts[client_id] = replace(
            row,
            read_at=snapshot.read_started_at,
            compared_at=compared_at or row.compared_at,
            read_error=None,
            day_loss=after_read(row.day_loss, read),
        )

    def save_read_error(self, client_id: str, at: datetime, error: str) -> None:
        def work(t: Tables) -> None:
            row = t.accounts.get(client_id, AccountRow())
            t.accounts[client_id] = replace(row, read_error=error)

        self.change(work)

    # loops --------------------------------------------------------------------------------------------------

    def save_heartbeats(self, heartbeats: Iterable[Heartbeat]) -> None:
        beats = {(beat.watcher_id, beat.loop, beat.client_id): beat for beat in heartbeats}
        self.change(lambda t: t.heartbeats.update(beats))

    def forget_beats(self, watchers: Iterable[str]) -> None:
        names = set(watchers)

        def work(t: Tables) -> None:
            t.heartbeats = {key: beat for key, beat in t.heartbeats.items() if key[0] not in names}

        self.change(work)

    def look(self) -> None:
        """Nothing can take the place of what is in memory."""

    def close(self) -> None:
        """There is nothing to close."""

    def outbox(self) -> "MemoryOutbox":
        """Open the outbox."""
        return MemoryOutbox(self)


class Claimants:
    """The names of watchers that are held. A test says itself which of them have ended."""

    def __init__(self) -> None:
        self._alive: set[str] = set()
        self._dead: set[str] = set()

    def enter(self, name: str) -> None:
        """Hold this name."""
        self._alive.add(name)

    def leave(self, name: str) -> None:
        """Give the name back."""
        self._alive.discard(name)

    def die(self, name: str) -> None:
        """Let the watcher of this name end without leaving."""
        self._alive.discard(name)
        self._dead.add(name)

    def alive(self, name: str) -> bool:
        """Return False only when the watcher of this name has ended."""
        return name in self._alive

    @contextmanager
    def ended(self) -> Iterator[list[str]]:
        """Yield the names of watchers that ended without leaving; they are forgotten when the block ends well."""
        names = sorted(self._dead)
        yield names
        self._dead.difference_update(names)


class MemoryOutbox:
    """Implement `domain.ports.OutboxStore` on the messages of a store in memory."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def pending(self, client_ids: Sequence[str], limit: int) -> list[OutboxMessage]:
        """List pending messages, oldest first."""
        waiting = (
            OutboxMessage(id_, m.client_id, m.kind, m.text, m.attempts, m.at, m.command_id, m.facts)
            for id_, m in self._store.tables.messages.items()
            if m.status == "PENDING" and m.client_id in client_ids
        )
        return list(islice(waiting, limit))

    def mark_sent(self, ids: Sequence[int], telegram_message_id: str, at: datetime) -> None:
        self._mark(ids, "SENT")

    def mark_attempt(self, ids: Sequence[int], error: str, at: datetime) -> None:
        self._mark(ids, "PENDING")

    def mark_failed(self, ids: Sequence[int], error: str, at: datetime) -> None:
        self._mark(ids, "FAILED")

    def _mark(self, ids: Sequence[int], status: str) -> None:
        def work(t: Tables) -> None:
            for id_ in ids:
                message = t.messages[id_]
                if message.status == "PENDING":
                    t.messages[id_] = replace(message, status=status, attempts=message.attempts + 1)

        self._store.change(work)

    def lease(self, name: str, holder: str, now: datetime, length: timedelta) -> bool:
        """Take or renew an exclusive lease; False while somebody else holds it."""

        def work(t: Tables) -> bool:
            other, until = t.leases.get(name, (holder, now))
            # A lease that ends later than its length from now was taken before the clock was set back: ignore it.
            if other != holder and now <= until <= now + max(length, _LONGEST_LEASE):
                return False
            t.leases[name] = (holder, now + length)
            return True

        return self._store.change(work)
