"""The store: reads by role, and one way to write."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from domain.errors import StoreUnavailable
from domain.ports.accounts import AccountReads, ClientReads
from domain.ports.groups import GroupReads
from domain.ports.heartbeats import HeartbeatStore
from domain.ports.matching import MatchingReads
from domain.ports.notices import NoticeReads
from domain.ports.orders import ClaimReads, EntryReads, OrderReads
from domain.ports.positions import HoldingReads, PositionStore
from domain.ports.protections import ProtectionReads
from domain.ports.risk import RiskReads
from domain.ports.sizing import EquityReads
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


class Journal(Protocol):
    """Does a write with the store's own `write` and notes what became durable. Returns and raises as `write` does."""

    def __call__(
        self, write: Callable[[Callable[[Transaction], T]], T], work: Callable[[Transaction], T], /
    ) -> T: ...


class Store(
    OrderReads, ClaimReads, HoldingReads, PositionStore, HeartbeatStore, ClientReads, MatchingReads, NoticeReads,
    AccountReads, ProtectionReads, RiskReads, EquityReads, GroupReads, EntryReads, Writes, Protocol,
):  # fmt: skip
    """The orders database. Reads see committed data; a write is durable when `write` returns."""


class Claimants(Protocol):
    """The watchers that are alive, by name. What a watcher claimed is safe from others while it holds its name."""

    def enter(self, name: str) -> None:
        """Hold this name until the process ends.

        Raises:
            ValueError: the name is not a valid watcher name.
            OSError: another process holds it, or it cannot be recorded.
        """

    def leave(self, name: str) -> None:
        """Give the name back."""

    def ended(self) -> AbstractContextManager[list[str]]:
        """Yield the names of watchers that ended without leaving; they are forgotten when the block ends well."""


class ProcessStore(Store, Protocol):
    """The store, and what the process that opened it must know of it."""

    @property
    def claimants(self) -> Claimants:
        """The watchers that are alive."""

    def forget_beats(self, watchers: Iterable[str]) -> None:
        """Delete the heartbeats of watchers that ended, so that they are not mistaken for stalled watchers."""

    def look(self) -> None:
        """Check that it is still the database that was in use, without writing to it.

        Raises:
            StoreReplaced: it is not. This store writes nothing any more.
            StoreUnavailable: whether it is cannot be determined at present.
        """

    @property
    def replaced(self) -> str | None:
        """Why this process must not write to the database any more, or None if it may."""

    @property
    def unwritable(self) -> StoreUnavailable | None:
        """Why nothing can be written at present, or None."""

    def close(self) -> None:
        """Close the connection that writes."""
