"""Leg groups: the entries of one alert that are judged together."""

from collections.abc import Sequence
from typing import Protocol

from domain.combined import Happened
from domain.leg_groups import LegGroup
from domain.order import Order


class GroupReads(Protocol):
    """Groups as they stand."""

    def open_groups(self, client_id: str) -> list[LegGroup]:
        """List the client's groups for which something is still to follow, oldest first."""

    def groups_of_alert(self, alert_id: str) -> list[LegGroup]:
        """List the groups of an alert, one for each client that trades it."""

    def halted_because(self, client_id: str, strategy_name: str) -> str | None:
        """Return why the client or its strategy is halted; None: it is not."""

    def exits_after(self, entry: Order) -> list[Order]:
        """List the filled exits of the entry's strategy in its symbol that were registered after it, latest first."""


class GroupWrites(Protocol):
    """Groups, in a transaction. Their history is written with them and is never changed."""

    def add_group(self, group: LegGroup) -> None: ...

    def move_group(self, before: LegGroup, after: LegGroup, events: Sequence[Happened] = ()) -> None:
        """Write what became of a group, and what happened to its combined protection.

        Raises:
            ConcurrentUpdate: it moved since `before` was read. Nothing was written.
        """
