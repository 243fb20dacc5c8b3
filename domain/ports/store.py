"""The store: reads by role, and one way to write."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from domain.ports.accounts import AccountReads, ClientReads
from domain.ports.heartbeats import HeartbeatStore
from domain.ports.matching import MatchingReads
from domain.ports.notices import NoticeReads
from domain.ports.orders import ClaimReads, OrderReads
from domain.ports.positions import HoldingReads, PositionStore
from domain.ports.transaction import Transaction

T = TypeVar("T")


class Writes(Protocol):
    """The one way to write: a function that is given a transaction."""

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in one durable write transaction and return what it returned.

        Errors of `work` roll its own changes back and are raised as they are.

        Raises:
            StoreUnavailable: the database could not commit; nothing of `work` was kept.
        """


class Store(
    OrderReads, ClaimReads, HoldingReads, PositionStore, HeartbeatStore, ClientReads, MatchingReads, NoticeReads,
    AccountReads, Writes, Protocol,
):  # fmt: skip
    """The orders database. Reads see committed data; a write is durable when `write` returns."""
