"""Rows that no process serves: open orders and holdings of a client that the settings do not name."""

from collections.abc import Mapping
from dataclasses import dataclass

from domain.account import BrokerAccount

_NAMED = 5  # holdings, in a message


@dataclass(frozen=True, slots=True)
class UnconfiguredRows:
    """What a client that is not configured still has in orders.db.

    - `waiting`: how many orders were not sent.
    - `at_broker`: how many orders may be live.
    - `account`: the account that its rows belong to; None where none is recorded.
    """

    client_id: str
    waiting: int
    at_broker: int
    holdings: tuple[str, ...]
    account: BrokerAccount | None

    def __str__(self) -> str:
        """Return a text such as `alice (FA1 at <broker>): 1 order at the broker, S1 holds 50 NFO:NIFTY`."""
        parts = []
        if self.at_broker:
            parts.append(f"{_orders(self.at_broker)} at the broker")
        if self.waiting:
            parts.append(f"{_orders(self.waiting)} not sent")
        parts += self.holdings[:_NAMED]
        if len(self.holdings) > _NAMED:
            parts.append(f"{len(self.holdings) - _NAMED} more holdings")
        return f"{self.client_id}{f' ({self.account})' if self.account else ''}: {', '.join(parts)}"


def what_to_do(rows: UnconfiguredRows, configured: Mapping[str, BrokerAccount]) -> str:
    """Return what to do about the rows, given the configured clients and their accounts."""
    back = f"put {rows.client_id} back into the clients file"
    for client_id, account in configured.items():
        if rows.account == account:
            return f"if it was renamed, `python cli.py rebind {rows.client_id} {client_id}`; else {back}"
    return f"{back} until they have ended and nothing is held"


def told_of(rows: UnconfiguredRows, configured: Mapping[str, BrokerAccount]) -> str:
    """Return the text of the notification about the rows."""
    return (
        f"orders.db has rows of a client that is not configured: {rows}. Nobody follows or exits them, and they count "
        f"for no other client. What to do: {what_to_do(rows, configured)}"
    )


def _orders(count: int) -> str:
    return "1 order" if count == 1 else f"{count} orders"
