"""Open the store of instruments, which stands beside orders.db. Only this package decides what it is made of."""

from pathlib import Path

from domain.ports.instruments import InstrumentStore
from persistence.sqlite.instruments import SqliteInstruments

FOLDER = "instruments"


def open_instruments(orders_db: Path) -> InstrumentStore:
    """Return the store beside this orders database. Nothing is created before a master is loaded."""
    return SqliteInstruments(orders_db.with_name(FOLDER))
