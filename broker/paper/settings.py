"""The settings of the paper broker: all its accounts share them."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from config.brokers import AccountSettings, Complaint, SharedSettings
from config.fields import Amount, Database, PriceOrNone, whole


class PaperAccount(AccountSettings):
    """An account at the paper broker has no settings of its own: it is known by its client's id."""


class PaperSettings(SharedSettings):
    """The simulated market, and the file that the order book of all accounts is kept in."""

    db: Database | None = None  # None: beside the orders database
    slippage_ticks: Annotated[int, whole(0, 1000)] = 0
    tick: Amount = Decimal("0.05")
    latency_ms: Annotated[int, whole(0, 60_000, "milliseconds")] = 0
    default_price: PriceOrNone = Decimal(100)  # of a symbol never seen; None: rejected

    equity: Amount = Decimal(1_000_000)  # of each account, before its first order

    def file(self, orders_db: Path) -> Path:
        """Where the order book is kept."""
        return self.db or orders_db.with_name("paper.db")

    def problems(self, orders_db: Path) -> Iterator[Complaint]:
        """Two stores in one file would destroy each other."""
        file = self.file(orders_db)
        if file.absolute() == orders_db.absolute():
            yield "db", f"got {str(file)!r}, expected another file than ORDERS_DB"
