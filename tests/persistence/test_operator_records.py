"""Operators' records on SQLite and in memory keep the same contract."""

from pathlib import Path

from domain.ports import OperatorRecords
from persistence.database import open_database
from persistence.memory.operator_records import MemoryOperatorRecords
from tests.contract.operator_contract import OperatorContract
from tests.migrated import migrated


class TestSqliteOperatorRecords(OperatorContract):
    def make(self, folder: Path) -> OperatorRecords:
        migrated(folder / "orders.db")
        return open_database(folder / "orders.db").operator_records()


class TestMemoryOperatorRecords(OperatorContract):
    def make(self, folder: Path) -> OperatorRecords:
        return MemoryOperatorRecords()
