"""One write transaction."""

from typing import Protocol

from domain.ports.accounts import AccountReads, AccountWrites
from domain.ports.matching import ExternalOrders, MatchingReads
from domain.ports.notices import NoticeReads, NoticeWrites
from domain.ports.orders import AlertWrites, OrderWrites
from domain.ports.positions import HoldingWrites
from domain.ports.rules import RuleFacts, StopWrites


class Transaction(
    AlertWrites, OrderWrites, NoticeWrites, HoldingWrites, RuleFacts, StopWrites, ExternalOrders, AccountWrites,
    MatchingReads, NoticeReads, AccountReads, Protocol,
):  # fmt: skip
    """One write transaction: all of it becomes durable, or nothing."""
