"""One write transaction."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from domain.ports.accounts import AccountReads, AccountWrites
from domain.ports.groups import GroupReads, GroupWrites
from domain.ports.matching import ExternalOrders, MatchingReads
from domain.ports.notices import NoticeReads, NoticeWrites
from domain.ports.orders import AlertWrites, EntryReads, OrderWrites
from domain.ports.positions import HoldingWrites
from domain.ports.protections import ProtectionReads, ProtectionWrites
from domain.ports.risk import RiskReads, RiskWrites
from domain.ports.rules import RuleFacts, StopWrites
from domain.ports.sizing import EquityReads, SizingWrites

T = TypeVar("T")


class Attempts(Protocol):
    """Parts of a transaction that fail by themselves."""

    def attempt(self, work: Callable[[], T]) -> T | Exception:
        """Run the work; return its result, or its error after what it wrote was undone.

        An error that concerns the whole database is raised, and the whole transaction fails.
        """


class Transaction(
    AlertWrites, OrderWrites, NoticeWrites, HoldingWrites, RuleFacts, StopWrites, ExternalOrders, AccountWrites,
    MatchingReads, NoticeReads, AccountReads, ProtectionReads, ProtectionWrites, RiskReads,
    RiskWrites, EquityReads, SizingWrites, GroupReads, GroupWrites, EntryReads, Attempts, Protocol,
):  # fmt: skip
    """One write transaction: all of it becomes durable, or nothing."""
