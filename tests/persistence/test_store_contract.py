"""The store on SQLite and the store in memory keep the same contract."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from domain.ports import OutboxStore, ProcessStore
from persistence.database import open_database
from persistence.memory.store import MemoryStore
from tests.contract.broker_contract import ContractClock
from tests.contract.store_contract import StoreContract
from tests.contract.store_making import rendered
from tests.migrated import migrated


class TestSqliteStore(StoreContract):
    def make_store(self, clock: ContractClock, folder: Path) -> ProcessStore:
        database = open_database(folder / "orders.db")
        migrated(folder / "orders.db")
        return database.store(clock=clock, render=rendered)

    def make_outbox(self, store: ProcessStore, folder: Path) -> OutboxStore:
        return open_database(folder / "orders.db").outbox()

    def events(
        self, store: ProcessStore, folder: Path, command_id: str
    ) -> list[tuple[str | None, str, str, str]]:
        columns = "from_phase, to_phase, previous_hash, hash"
        query = f"SELECT {columns} FROM order_events WHERE command_id = ? ORDER BY event_id"
        return _rows(folder, query, command_id)

    def intent(
        self, store: ProcessStore, folder: Path, command_id: str
    ) -> tuple[str, str | None, str | None]:
        query = "SELECT status, order_id, error_message FROM order_intents WHERE command_id = ?"
        [row] = _rows(folder, query, command_id)
        return row


def _rows(folder: Path, query: str, command_id: str) -> list[Any]:
    with closing(sqlite3.connect(folder / "orders.db")) as connection:
        return connection.execute(query, (command_id,)).fetchall()


class TestMemoryStore(StoreContract):
    def make_store(self, clock: ContractClock, folder: Path) -> MemoryStore:
        return MemoryStore(clock=clock, render=rendered)

    def make_outbox(self, store: ProcessStore, folder: Path) -> OutboxStore:
        assert isinstance(store, MemoryStore)
        return store.outbox()

    def events(
        self, store: ProcessStore, folder: Path, command_id: str
    ) -> list[tuple[str | None, str, str, str]]:
        assert isinstance(store, MemoryStore)
        return [
            (e.from_phase, e.to_phase, e.previous_hash, e.hash)
            for e in store.tables.events
            if e.command_id == command_id
        ]

    def intent(
        self, store: ProcessStore, folder: Path, command_id: str
    ) -> tuple[str, str | None, str | None]:
        assert isinstance(store, MemoryStore)
        [found] = [each for each in store.tables.intents.values() if each.command_id == command_id]
        return found.status, found.broker_order_id, found.error
