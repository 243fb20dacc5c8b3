"""The account that a client's rows belong to."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from domain.account import AccountStanding, BrokerAccount
from domain.unconfigured_clients import UnconfiguredRows


class AccountReads(Protocol):
    """The reads of the broker accounts that clients' rows belong to."""

    def account(self, client_id: str) -> BrokerAccount | None:
        """Return the account that is recorded for the client; None while none is."""

    def account_standing(self, client_id: str, account: BrokerAccount) -> AccountStanding:
        """Return the client's recorded account, and which other client's rows prevent it from using this account."""

    def watchers_of(self, client_id: str) -> list[str]:
        """List the watchers, alive or not, that gave a heartbeat for the client or hold a claim on an order of it."""


class ClientReads(Protocol):
    """Clients that have rows and no settings."""

    def unconfigured_rows(
        self, configured: Collection[str], served_since: datetime
    ) -> list[UnconfiguredRows]:
        """List what clients that are not configured have open, without those that a watcher has served since then."""


class AccountWrites(Protocol):
    """Binding a client to its account, in a transaction."""

    def bind_account(self, client_id: str, account: BrokerAccount) -> BrokerAccount:
        """Record the account that the client's rows belong to, unless one is recorded; returns the recorded one."""

    def rebind_account(self, client_id: str, account: BrokerAccount) -> None:
        """Move the rows to another account: delete what was held, seen and notified at the old one; history stays.

        Raises:
            OpenOrders: orders of the client have not ended; nothing was changed.
        """

    def move_client(self, old: str, new: str, *, at: datetime, actor: str) -> tuple[int, int]:
        """Move one client's rows to another client id of the same account; returns the orders and holdings moved."""
