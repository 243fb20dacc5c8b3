"""Leg groups: the entries of one alert that are judged together."""

from typing import Protocol

from domain.leg_groups import LegGroup


class GroupReads(Protocol):
    """Groups as they stand."""

    def open_groups(self, client_id: str) -> list[LegGroup]:
        """List the client's groups that have not ended, oldest first."""

    def groups_of_alert(self, alert_id: str) -> list[LegGroup]:
        """List the groups of an alert, one for each client that trades it."""

    def halted_because(self, client_id: str, strategy_name: str) -> str | None:
        """Return why the client or its strategy is halted; None: it is not."""


class GroupWrites(Protocol):
    """Groups, in a transaction. Their history is written with them and is never changed."""

    def add_group(self, group: LegGroup) -> None: ...

    def move_group(self, before: LegGroup, after: LegGroup) -> None:
        """Write what became of a group.

        Raises:
            ConcurrentUpdate: it moved since `before` was read. Nothing was written.
        """
